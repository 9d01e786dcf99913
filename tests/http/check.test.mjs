// `tillsim check`: passes against counterpart and gives all money back; ends, and tells the truth, against targets that
// hang, talk nonsense or never stop; its reports are well-formed whatever the target says; every case has its page.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startCloud } from './cloud.mjs';
import { ROOT, Service, TILLSIM, freePort, run, seededRandom, seedDemo, temporaryDirectory } from './support.mjs';

const PAGES = path.join(ROOT, 'docs/conformance');
const CHECK_MS = 240_000; // a sanitizer build on a busy machine
const REQUESTS_MAX = 700;
const SANITIZER = /ERROR: \w+Sanitizer|runtime error:|CHECK failed:/;

let cloud, service, demo;

before(async () => {
  cloud = await startCloud();
  service = await Service.start({ env: cloud.environment });
  demo = await seedDemo(service, cloud);
});
after(async () => {
  await service.stop();
  await cloud.stop();
});

async function check(args) {
  const result = await run(TILLSIM, ['check', ...args], { ms: CHECK_MS });
  assert.doesNotMatch(result.stderr, SANITIZER);
  assert.equal(result.signal, null, `it did not end by itself:\n${result.stdout.slice(-2000)}${result.stderr}`);
  return result;
}

const demoCards = () => [
  ...['--token', demo.DEMO_TOKEN, '--card', demo.DEMO_CARD, '--empty-card', demo.DEMO_CARD_EMPTY],
  ...['--pin-card', demo.DEMO_CARD_PIN, '--stock-card', demo.DEMO_CARD_STOCK],
  ...['--unknown-card', demo.DEMO_CARD_UNKNOWN],
];
const demoMember = () => ['--keyword', 'david kent', '--cloud', demo.DEMO_CLOUD];

/** All reports of a run: {json, xml, html}. */
async function checkWithReports(args) {
  const folder = temporaryDirectory();
  const [json, xml, html] = ['json', 'xml', 'html'].map((end) => path.join(folder, `report.${end}`));
  const result = await check([...args, '--report-json', json, '--report-junit', xml, '--report-html', html]);
  const read = (file) => fs.readFileSync(file, 'utf8');
  return { ...result, json: JSON.parse(read(json)), xml: read(xml), html: read(html) };
}

const of = (report, id) => report.cases.find((each) => each.id === id);
const failed = (report) => report.cases.filter((each) => each.outcome === 'failed').map((each) => each.id);

// --- servers -------------------------------------------------------------------------------------

function listen(t, server) {
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // cut off on purpose
    socket.on('close', () => sockets.delete(socket));
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}/base`)),
  );
}

/** What it does with the bytes of every connection is up to onData(socket). */
const rawTarget = (t, onData) => listen(t, net.createServer((socket) => socket.on('data', () => onData(socket))));

/** Answers every request with what answer(request, body) gives: {status, type, text}. */
const httpTarget = (t, answer) =>
  listen(
    t,
    http.createServer((req, res) => {
      const parts = [];
      req.on('error', () => {});
      req.on('data', (part) => parts.push(part));
      req.on('end', () => {
        const { status = 200, type = 'application/json', text } = answer(req, Buffer.concat(parts).toString());
        res.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
        res.end(text);
      });
    }),
  );

/** Counts what passes on its way to the service: requests, and how many wait for their answer at once. */
async function counter(t) {
  const counts = { waiting: 0, most: 0, requests: 0 };
  const server = net.createServer((near) => {
    const far = net.connect(service.port, '127.0.0.1');
    let isWaiting = false;
    const wait = (waits) => {
      if (waits !== isWaiting) counts.waiting += waits ? 1 : -1;
      isWaiting = waits;
      counts.most = Math.max(counts.most, counts.waiting);
    };
    near.on('data', (data) => {
      counts.requests += data.toString('latin1').match(/(GET|POST|PUT|DELETE) \S+ HTTP\/1\.1\r\n/g)?.length ?? 0;
      wait(true);
    });
    far.on('data', () => wait(false));
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
    near.pipe(far);
    far.pipe(near);
    near.on('close', () => {
      wait(false);
      far.destroy();
    });
  });
  const url = await listen(t, server);
  return { counts, url: url.replace('/base', new URL(demo.DEMO_URL).pathname) };
}

// --- a small reader of XML: enough to know that the report is well-formed ---------------------------

function readXml(text) {
  const root = { name: '', attributes: {}, children: [], text: '' };
  const stack = [root];
  const pattern = /<\?[^>]*\?>|<(\/?)([\w-]+)((?:\s+[\w-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
  let at = 0;
  for (let match; (match = pattern.exec(text)); at = pattern.lastIndex) {
    const [, end, name, attributes, isEmpty, words] = match;
    const top = stack.at(-1);
    if (words !== undefined) {
      assert.doesNotMatch(words.replaceAll(/&(#\d+|amp|lt|gt|quot);/g, ''), /&/, 'a bare ampersand');
      top.text += unescapeXml(words);
    } else if (end) {
      assert.equal(name, stack.pop().name);
    } else if (name) {
      const node = { name, attributes: {}, children: [], text: '' };
      for (const [, key, value] of attributes.matchAll(/([\w-]+)="([^"]*)"/g))
        node.attributes[key] = unescapeXml(value);
      top.children.push(node);
      if (!isEmpty) stack.push(node);
    }
  }
  assert.equal(at, text.length, `no XML from here on: ${text.slice(at, at + 80)}`);
  assert.equal(stack.length, 1, 'an element was not closed');
  assert.doesNotMatch(text, /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/, 'a character that XML does not know');
  return root.children[0];
}
const unescapeXml = (text) => text.replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));

// --- counterpart ---------------------------------------------------------------------------------

test('counterpart passes every strict case, within a bounded load, and has its money back', async (t) => {
  const { counts, url } = await counter(t);
  const report = await checkWithReports(['--target', url, ...demoCards(), ...demoMember()]);
  assert.deepEqual(failed(report.json), [], report.stdout);
  assert.equal(report.code, 0, report.stdout);
  assert.equal(report.json.skipped, 0, report.stdout);
  assert.equal(report.json.profile, 'strict');
  assert.ok(counts.most > 1 && counts.most <= 8, `${counts.most} requests at once`);
  assert.equal(report.json.at_once_max, 8);
  assert.ok(counts.requests <= REQUESTS_MAX, `${counts.requests} requests`);
  // The cloud's are told too.
  assert.ok(report.json.requests >= counts.requests, `${report.json.requests} told, ${counts.requests} seen`);
  for (const [card, has] of [[demo.DEMO_CARD, '100.00'], [demo.DEMO_CARD_EMPTY, '0.00']]) {
    const reply = await service.must(['card', 'show', '--tenant', '1', '--number', card]);
    assert.equal(reply.balance, has);
  }
  assert.match(report.stdout, /Card \.\.\.0010 had 100\.00 and has 100\.00: all was given back/);
  await service.verifyIsClean();

  const suites = readXml(report.xml);
  assert.equal(Number(suites.attributes.tests), report.json.cases.length);
  assert.equal(suites.attributes.failures, '0');
  const names = suites.children.flatMap((suite) => suite.children.map((each) => each.attributes.name));
  assert.deepEqual(names, report.json.cases.map((each) => each.id));
  for (const id of names) assert.ok(report.html.includes(`<code>${id}</code>`), `${id} is not on the page`);
  assert.match(report.html, /Content-Security-Policy" content="default-src 'none'/);
  assert.doesNotMatch(report.html, /<script|<link|<img|\bsrc=|url\(|href=/, 'the page loads or runs something');
});

test('what it says will move is said before anything is asked', async () => {
  const { stdout } = await check(['--target', demo.DEMO_URL, ...demoCards(), '--only', 'shape-balance']);
  const [promise, rest] = stdout.split('shape-balance');
  assert.match(promise, /What moves while this runs:\n {2}card \.\.\.0010 +is charged in cents/);
  assert.match(promise, /card \.\.\.0036 +is loaded with at most 1\.00/);
  assert.ok(rest, stdout);
});

test('only the cases that were picked are asked, by id or by group, and none that is left out', async () => {
  const picked = async (...args) => {
    const report = await checkWithReports(['--target', demo.DEMO_URL, ...demoCards(), ...args]);
    assert.equal(report.code, 0, report.stdout);
    return report.json.cases.map((each) => each.id);
  };
  assert.deepEqual(await picked('--only', 'once-retry'), ['once-retry']);
  assert.deepEqual(await picked('--only', 'shape-status', 'balance-in-reply'), ['shape-status', 'balance-in-reply']);
  assert.deepEqual(await picked('--only', 'balance', '--skip', 'balance-in-reply', 'balance-only-looks'), [
    'balance-after-charge',
    'balance-after-refusal',
  ]);
  const unknown = await check(['--target', demo.DEMO_URL, '--only', 'no-such-case']);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /no such case: no-such-case/);
});

test('what cannot be asked is skipped, and says which option would do', async () => {
  const report = await checkWithReports(['--target', demo.DEMO_URL, '--surface', 'payments', '--skip', 'latency']);
  assert.equal(report.code, 0, report.stdout);
  assert.match(of(report.json, 'once-retry').why, /--card/);
  assert.match(of(report.json, 'card-pin').why, /--pin-card/);
  assert.match(of(report.json, 'race-last-cents').why, /--empty-card/);
  assert.equal(of(report.json, 'json-empty-body').outcome, 'passed');
  assert.equal(of(report.json, 'search-shape'), undefined);
  const skipped = readXml(report.xml).children.flatMap((suite) => suite.children).filter((each) => each.children[0]);
  assert.equal(skipped.length, report.json.skipped);
  assert.ok(skipped.every((each) => each.children[0].name === 'skipped'));
});

test('an action that the merchant does not offer is not asked', async () => {
  const only = ['--only', 'refund', 'top-up', 'balance-after-charge'];
  const report = await checkWithReports([
    ...['--target', demo.DEMO_URL, ...demoCards(), ...only],
    ...['--without', 'top-up', '--without', 'refund'],
  ]);
  assert.equal(report.code, 0, report.stdout);
  for (const id of ['refund-gives-back', 'top-up-adds']) assert.match(of(report.json, id).why, /needs (refund|top-up)/);
  // Nothing can be given back then, and that is said.
  assert.match(report.stdout, /0\.30 too little was left on card \.\.\.0010/);
  await check(['--target', demo.DEMO_URL, ...demoCards(), '--only', 'shape-balance']);
});

test('single addresses are asked where they are, whatever they are called', async () => {
  const report = await checkWithReports([
    ...['--check-balance-url', `${demo.DEMO_URL}/check-balance?shop=1`],
    ...['--checkout-url', `${demo.DEMO_URL}/checkout`, ...demoCards()],
    ...['--only', 'shape-balance', 'amount-cents', 'refund-gives-back', 'json-unknown-path'],
  ]);
  assert.equal(report.code, 0, report.stdout);
  const [step] = of(report.json, 'shape-balance').steps;
  assert.match(step.sent, /^POST \/oseries\/\w+\/check-balance\?shop=1 HTTP\/1\.1\r\n/);
  assert.equal(of(report.json, 'amount-cents').outcome, 'passed');
  assert.match(of(report.json, 'refund-gives-back').why, /--refund-url/);
  assert.match(of(report.json, 'json-unknown-path').why, /--target/);
});

// --- other targets -------------------------------------------------------------------------------

const STATIC = {
  checkout: '{"success":true,"amount":25.50,"balance":74.50,"reference_id":"TX-1"}',
  'check-balance': '{"success":true,"balance":74.50,"amount":74.50}',
  'top-up': '{"success":true,"amount":50.00,"balance":124.50}',
  refund: '{"success":true,"amount":25.50,"balance":100.00}',
  'customer-search': '{"members":{"M-1":{"id":"M-1","first_name":"David","email_address":"d@example.com"}}}',
  'reward-lookup': '{"member":{"id":"M-1","first_name":"David","email_address":"d@example.com"},"rewards":[]}',
};
const staticAnswer = (req) => ({
  text: STATIC[req.url.split('?')[0].split('/').at(-1)] ?? '{"success":false,"error":"No such path"}',
});

test('a static mock passes the lenient profile and not the strict one', async (t) => {
  const target = await httpTarget(t, staticAnswer);
  const args = ['--target', target, '--card', '6036', '--token', 'any', '--keyword', 'david'];
  const lenient = await checkWithReports([...args, '--profile', 'lenient']);
  assert.deepEqual(failed(lenient.json), [], lenient.stdout);
  assert.equal(lenient.code, 0);
  assert.ok(lenient.json.passed >= 15, lenient.stdout);
  assert.match(of(lenient.json, 'once-retry').why, /--profile strict/);
  const strict = await checkWithReports([...args, '--skip', 'latency', 'client']);
  assert.equal(strict.code, 1);
  for (const id of ['shape-amount', 'amount-exact', 'signature-missing', 'json-unknown-card', 'once-retry'])
    assert.ok(failed(strict.json).includes(id), `${id} should fail:\n${strict.stdout.slice(0, 6000)}`);
});

test('a failed case says what should be, what was, what the till does, its page, and shows both sides', async (t) => {
  const target = await httpTarget(t, (req) =>
    req.url.endsWith('/no-such-action')
      ? { status: 404, type: 'text/html', text: '<h1>Not Found</h1>' }
      : staticAnswer(req),
  );
  const { code, stdout, json } = await checkWithReports(['--target', target, '--only', 'json-unknown-path']);
  assert.equal(code, 1);
  const found = of(json, 'json-unknown-path');
  assert.equal(found.outcome, 'failed');
  assert.match(found.why, /status 404, text\/html\) is not JSON/);
  assert.match(found.consequence, /The till crashes/);
  assert.match(found.steps[0].sent, /^POST \/base\/no-such-action HTTP\/1\.1\r\n/);
  assert.match(found.steps[0].received, /^HTTP\/1\.1 404 Not Found\r\n[^]*\r\n\r\n<h1>Not Found<\/h1>$/);
  assert.match(stdout, /should be +a path nobody serves is answered in JSON/);
  assert.match(stdout, /the till +The till crashes/);
  assert.match(stdout, /docs\/conformance\/json-unknown-path\.md/);
  assert.match(stdout, /<h1>Not Found<\/h1>/);
});

/** A server of a few lines: money in one pot, what is asked is answered by `answer(path, amount, pot)`. */
async function potTarget(t, answer) {
  const pot = { cents: 50_00 };
  const amountOf = (body) => {
    try {
      return JSON.parse(body).amount;
    } catch {
      return undefined;
    }
  };
  return httpTarget(t, (req, body) => ({
    text: JSON.stringify(answer(req.url.split('/').at(-1), amountOf(body), pot, body)),
  }));
}
const CRASH = /crashes/;

test('what the till would do follows from the wrong answer that came, not from the case alone', async (t) => {
  // Approves whatever comes, and takes it from the pot, signature or not.
  const yes = await potTarget(t, (path, amount, pot) => {
    const asked = Number(amount) || 0;
    if (path === 'checkout') pot.cents -= Math.round(asked * 100);
    return { success: true, amount: asked, balance: pot.cents / 100 };
  });
  const only = ['shape-error', 'json-unknown-path', 'json-broken-body', 'signature', 'amount-zero', 'once-retry'];
  const args = (target) => ['--target', target, '--token', 'x', '--card', '1234', '--empty-card', '99'];
  const approved = await checkWithReports([...args(yes), '--skip', 'once-retry-later', '--only', ...only]);
  const means = (report, id) => {
    const found = of(report.json, id);
    assert.equal(found.outcome, 'failed', `${id}: ${report.stdout}`);
    return found.consequence;
  };
  for (const id of ['json-unknown-path', 'json-broken-body']) {
    assert.match(means(approved, id), /payment of 0\.00/, id);
    assert.doesNotMatch(means(approved, id), CRASH, id);
  }
  assert.match(means(approved, 'shape-error'), /payment of 0\.00/);
  assert.match(means(approved, 'amount-zero'), /payment of 0\.00/);
  assert.match(means(approved, 'signature-missing'), /Anybody who knows the address/);
  assert.match(means(approved, 'signature-odd-spacing'), /signature over other bytes/);
  assert.match(means(approved, 'once-retry'), /customer pays twice/);

  // Refuses all but looks: what cannot be loaded is not a huge sale that was paid.
  const no = await potTarget(t, (path) =>
    path === 'check-balance' ? { success: true, amount: 0, balance: 0 } : { success: false, amount: 0, error: 'No.' },
  );
  const refused = await checkWithReports([...args(no), '--only', 'amount-huge', 'signature-odd-spacing', 'amount-exact']);
  assert.match(means(refused, 'amount-huge'), /cannot load the card/);
  assert.match(means(refused, 'signature-odd-spacing'), /Every charge is refused as soon as/);
  assert.match(means(refused, 'amount-exact'), /error although the card is good/);

  // Says yes to the cent, and takes nothing.
  const free = await potTarget(t, (path, amount) => ({ success: true, amount: amount ?? 50, balance: 50 }));
  const given = await checkWithReports([...args(free), '--only', 'amount-exact', 'amount-cents']);
  assert.match(means(given, 'amount-exact'), /the card has 2\.08 more: the shop loses it/);
  assert.match(means(given, 'amount-cents'), /the card has 1\.00 more: the shop loses it/);

  // Answers with half of what was asked.
  const half = await potTarget(t, (path, amount) => ({ success: true, amount: amount / 2 || 0, balance: 50 }));
  const less = await checkWithReports([...args(half), '--only', 'amount-cents']);
  assert.match(means(less, 'amount-cents'), /books 0\.50, as the reply says; the rest of the 1\.00 stays open/);
});

test('money that is lost is told before what merely fails in more cases', async (t) => {
  const target = await potTarget(t, (path, amount, pot) => {
    const asked = Number(amount) || 0;
    if (path === 'checkout') pot.cents -= Math.round(asked * 100);
    return { success: true, amount: asked, balance: pot.cents / 100 };
  });
  const only = ['shape-error', 'amount-zero', 'json-unknown-path', 'json-broken-body', 'json-empty-body', 'once-retry'];
  const args = ['--target', target, '--token', 'x', '--card', '1234', '--skip', 'once-retry-later', '--only', ...only];
  const { stdout, html } = await checkWithReports(args);
  const listed = html.slice(html.indexOf('Mend these first'), html.indexOf('What failed'));
  const causes = [...listed.matchAll(/href="#([\w-]+)"><b>(\d+)/g)].map(([, id, count]) => [id, Number(count)]);
  assert.deepEqual(causes[0], ['once-retry', 1], listed);
  assert.ok(causes.some(([, count]) => count === 1) && causes.length > 2, listed);
  assert.match(stdout, /Mend these first\n +1 case +after the same charge of 0\.30 twice/);
});

test('one mistake that fails many cases is told once, first, with how many', async (t) => {
  const target = await httpTarget(t, () => ({ text: '{"success":true,"amount":0.10,"balance":"NaN"}' }));
  const cases = ['amount', 'balance', 'once', 'partial'];
  const args = ['--target', target, '--token', 'any', '--card', '6036', '--skip', 'once-retry-later', '--only', ...cases];
  const { stdout, json, html } = await checkWithReports(args);
  const alike = json.cases.filter(({ why }) => /^check-balance: "balance" is no amount/.test(why ?? '')).map(({ id }) => id);
  assert.ok(alike.length > 10, stdout);
  const listed = html.slice(html.indexOf('Mend these first'), html.indexOf('What failed'));
  assert.match(stdout, new RegExp(`Mend these first\\n +${alike.length} cases +check-balance: "balance"`));
  assert.match(listed, new RegExp(`^[^]*?<li><a href="#${alike[0]}"><b>${alike.length} cases</b> check-balance: &quot;balance`));
  assert.equal(stdout.match(/but +check-balance: "balance" is no amount/g).length, 1);
  const articles = [...html.matchAll(/<article class="failure" id="([^"]+)">/g)].map(([, id]) => id);
  assert.deepEqual(alike.filter((id) => articles.includes(id)), [alike[0]]);
  for (const [, id] of listed.matchAll(/href="#([^"]+)"/g)) assert.ok(articles.includes(id), id);
  assert.equal(html.match(new RegExp(`As <a href="#${alike[0]}">`, 'g')).length, alike.length - 1);
  for (const id of failed(json)) assert.ok(stdout.slice(stdout.indexOf('Mend')).includes(id), id);
});

test('a target that refuses every signature fails once for it, and blocks what could not be judged', async (t) => {
  const target = await httpTarget(t, () => ({ status: 401, text: '{"success":false,"error":"Not authorised"}' }));
  const args = ['--target', target, '--token', 'stale', '--card', '6036', '--only', 'amount-exact', 'once-retry', 'once-other-order', 'refund'];
  const { code, stdout, json, xml } = await checkWithReports(args);
  assert.equal(code, 1);
  const [first, ...others] = json.cases;
  assert.deepEqual([first.outcome, first.blocked_by], ['failed', undefined]);
  assert.match(first.why, /the balance of card \.\.\.6036 is not told: Not authorised/);
  assert.ok(others.length > 3);
  for (const { id, outcome, blocked_by: cause } of others) assert.deepEqual([outcome, cause], ['blocked', first.id], id);
  assert.deepEqual([json.failed, json.blocked, json.skipped], [1, others.length, 0]);
  assert.match(stdout, new RegExp(`^0 passed, 1 failed, ${others.length} blocked, 0 skipped;`, 'm'));
  assert.match(stdout, new RegExp(`⊘ ${others[0].id} +blocked by ${first.id}`));
  const { attributes } = readXml(xml);
  assert.deepEqual([attributes.failures, attributes.skipped], ['1', String(others.length)]);
});

test('what a hostile target says stays text in every report', async (t) => {
  const nasty = '</pre><script>alert(1)</script>&amp;"\'\u0001\u001b[31m\u202e]]>\ufffe\r\n<!--';
  const target = await httpTarget(t, () => ({
    text: JSON.stringify({ success: false, amount: 0, error: nasty }).replaceAll('\\u001b', '\u001b') + '\u0007',
    type: 'text/html; <b>',
  }));
  const report = await checkWithReports(['--target', target, '--card', '6036', '--only', 'shape']);
  assert.equal(report.code, 1);
  const suites = readXml(report.xml);
  assert.equal(Number(suites.attributes.failures), report.json.failed);
  assert.ok(suites.children[0].children.some((each) => each.children[0]?.text.includes('<script>alert(1)</script>')));
  assert.doesNotMatch(report.html, /<script|<!--|\u001b|\u202e/);
  assert.ok(report.html.includes('&lt;script&gt;alert(1)&lt;/script&gt;'));
  assert.doesNotMatch(report.stdout, /\u001b\[31m|\u0007/);
});

test('nobody there is exit code 3, and a wrong command line 2', async () => {
  const nobody = await check(['--target', `http://127.0.0.1:${await freePort()}/base`, '--card', '1']);
  assert.equal(nobody.code, 3);
  assert.match(nobody.stderr, /is not reachable/);
  for (const args of [[], ['--target', 'ftp://example.com'], ['--target', 'http://x', '--profile', 'kind'], ['--what']])
    assert.equal((await check(args)).code, 2, args.join(' '));
  assert.equal((await check(['--help'])).code, 0);
});

// Under ASan; each of them must end by itself, with failures and without a crash.
const JSON_TYPE = 'Content-Type: application/json\r\n';
const GARBAGE = {
  'never answers': () => {},
  'hangs up at once': (socket) => socket.destroy(),
  'answers noise': (socket) => socket.end(Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919) % 256))),
  'answers a megabyte': (socket) =>
    socket.end(`HTTP/1.1 200 OK\r\n${JSON_TYPE}Content-Length: 1048576\r\n\r\n${'{'.repeat(1048576)}`),
  'answers a head without end': (socket) => socket.write(`HTTP/1.1 200 OK\r\n${'X-Filler: y\r\n'.repeat(20_000)}`),
  'promises more than it sends': (socket) =>
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"success":true}'),
  'promises what no memory holds': (socket) =>
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n{"success":true}'),
  'sends broken chunks': (socket) =>
    socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff0\r\n{}\r\n0\r\n\r\n'),
  'sends chunks that are no numbers': (socket) =>
    socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n'),
  'says "go on" for ever': (socket) => socket.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(5000)),
};
for (const [what, onData] of Object.entries(GARBAGE)) {
  test(`a target that ${what} is told so, and the run ends`, async (t) => {
    const target = await rawTarget(t, onData);
    const report = await checkWithReports(['--target', target, '--card', '6036', '--keyword', 'k', '--timeout', '1']);
    assert.equal(report.code, 1, report.stdout.slice(-3000));
    const passed = report.json.cases.filter((each) => each.outcome === 'passed').map((each) => each.id);
    // What looks at the head alone may like the head.
    assert.deepEqual(passed.filter((id) => id !== 'shape-content-type'), [], report.stdout.slice(0, 6000));
    assert.ok(report.json.failed > 0);
    readXml(report.xml);
  });
}

test('an answer that never ends is cut, and a target that drips is given up', async (t) => {
  const endless = await rawTarget(t, (socket) => {
    if (socket.isFed) return;
    socket.isFed = true;
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"success":');
    const more = () => {
      while (!socket.destroyed && socket.write('" '.repeat(8192)));
    };
    socket.on('drain', more);
    more();
  });
  const cut = await checkWithReports(['--target', endless, '--card', '6036', '--only', 'shape', '--timeout', '2']);
  assert.equal(cut.code, 1);
  assert.match(of(cut.json, 'shape-object').why, /longer than 64 KiB/);

  const dripping = await rawTarget(t, (socket) => {
    socket.timer ??= setInterval(() => socket.destroyed || socket.write('H'), 100);
    socket.on('close', () => clearInterval(socket.timer));
  });
  const late = await checkWithReports(['--target', dripping, '--card', '6036', '--timeout', '1']);
  assert.equal(late.code, 1);
  assert.ok(late.json.failed > 0 && late.json.failed < 8, late.stdout.slice(0, 3000));
});

test('answers whose fields are of any kind end no run', async (t) => {
  const random = seededRandom('kinds');
  const pick = (values) => values[Math.floor(random() * values.length)];
  const NAMES = ['success', 'amount', 'balance', 'error', 'reference_id', 'members', 'member', 'rewards', 'id', 'M-1'];
  NAMES.push('first_name', 'email_address', 'params', 'points_required', 'redeem_url', 'current_points', 'total');
  const URLS = ['http://127.0.0.1:1/?order_id=2802065999', 'http://[', 'order_id=2802065999', 'gopher://x/ y'];
  const value = (depth) => {
    if (depth > 0 && random() < 0.4) return object(depth - 1);
    if (depth > 0 && random() < 0.3) return Array.from({ length: Math.floor(random() * 3) }, () => value(depth - 1));
    const scalars = [null, true, true, false, 0, -1, 0.1, 1e300, 99, '', 'M-1', '0.10', '\u0000', '\ud83c\udf81'];
    return pick([...scalars, pick(URLS)]);
  };
  const object = (depth) => Object.fromEntries(NAMES.filter(() => random() < 0.6).map((name) => [name, value(depth)]));
  const target = await httpTarget(t, () => ({ text: JSON.stringify(random() < 0.95 ? object(3) : value(2)) }));
  const data = ['--card', '6036', '--empty-card', '6037', '--pin-card', '1*2', '--stock-card', '3', '--token', 'x'];
  const more = ['--keyword', 'k', '--cloud', new URL(target).origin, '--timeout', '2', '--skip', 'once-retry-later'];
  for (let round = 0; round < 8; round++) {
    const { code, xml } = await checkWithReports(['--target', target, ...data, ...more]);
    assert.equal(code, 1);
    readXml(xml);
  }
});

test('a silent target is given up after a few requests, and the rest is skipped with that reason', async (t) => {
  const target = await rawTarget(t, () => {});
  const { json } = await checkWithReports(['--target', target, '--card', '6036', '--token', 'x', '--timeout', '1']);
  assert.ok(json.requests < 12, `${json.requests} requests`);
  assert.match(of(json, 'amount-exact').why, /has not answered 5 requests in a row; given up/);
  assert.equal(of(json, 'amount-exact').outcome, 'skipped');
});

// --- the pages -----------------------------------------------------------------------------------

test('every case has its page, every page its case, and both say the same sentence', async () => {
  const { stdout } = await check(['--list']);
  const listed = stdout.trim().split('\n').map((line) => line.split('\t'));
  const pages = fs.readdirSync(PAGES).filter((name) => !['README.md', 'mutants.md'].includes(name));
  assert.deepEqual([...pages].sort(), listed.map(([id]) => `${id}.md`).sort());
  const contents = fs.readFileSync(path.join(PAGES, 'README.md'), 'utf8');
  for (const [id, surface, profile, evidence, title] of listed) {
    const page = fs.readFileSync(path.join(PAGES, `${id}.md`), 'utf8');
    assert.ok(page.startsWith(`# ${id}\n`), id);
    const flowing = page.replaceAll(/\s+/g, ' ');
    assert.ok(flowing.includes(`**${title[0].toUpperCase()}${title.slice(1)}.**`), `${id}.md does not say: ${title}`);
    assert.ok(flowing.includes(`${surface}, ${profile} profile, evidence: ${evidence}`), `${id}.md: ${evidence}`);
    for (const part of ['What is asked', 'The right answer', 'What the till does with a wrong one', 'Evidence'])
      assert.ok(page.includes(`\n## ${part}\n`), `${id}.md has no "${part}"`);
    assert.ok(contents.includes(`[${id}](${id}.md)`), `README.md does not name ${id}`);
  }
});
