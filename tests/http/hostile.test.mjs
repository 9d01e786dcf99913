// Hostile input: each gets a clear JSON error or a closed connection, nothing moves, and the laws
// hold at the end.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { after, before, test } from 'node:test';
import {
  RawSocket,
  SHORT_TIMEOUTS,
  Service,
  TOKEN,
  isApproved,
  isJsonReply,
  isRefused,
  newOrder,
  newTenant,
  rawRequest,
  run,
  sign,
  sleep,
  until,
} from './support.mjs';

let service, shop, other, till, card, untouched;

before(async () => {
  service = await Service.start({ env: { ...SHORT_TIMEOUTS } });
  shop = await newTenant(service);
  other = await newTenant(service);
  till = shop.till();
  card = (await shop.issue({ amount: '100.00' })).number;
  untouched = await shop.show(card);
});
after(async () => {
  await service.verifyIsClean();
  await service.stop();
});

/** Balance and history of the card are what they were. */
async function nothingMoved(context) {
  const before = untouched;
  untouched = await shop.show(card); // so that one fault fails one test
  assert.deepEqual(untouched, before, context);
}

const body = (more = {}) => ({
  company_id: shop.company,
  site_id: 923,
  register_id: 9091,
  order_id: newOrder(),
  keyword: card,
  amount: 10,
  ...more,
});
const json = (more) => JSON.stringify(body(more));
/** The body as text with the amount (or another field) written as it stands. */
const literal = (field, text) => json({ [field]: '@@' }).replace('"@@"', text);

async function isHarmless(bytes, { action = 'checkout', statuses = [200, 400], sentence, ...options } = {}) {
  const reply = await till.send(action, bytes, options);
  const context = Buffer.from(bytes).toString().slice(0, 120);
  isJsonReply(reply, context);
  assert.ok(statuses.includes(reply.status), `${reply.status} for ${context}: ${reply.text}`);
  isRefused(reply, sentence, { status: reply.status });
  await nothingMoved(context);
}

// --- bodies --------------------------------------------------------------------------------------

for (const [name, make] of Object.entries({
  'truncated JSON': () => json().slice(0, -1),
  'JSON cut inside a string': () => json().slice(0, 70),
  'JSON with something behind it': () => `${json()} x`,
  'two JSON objects': () => json() + json(),
  'a duplicated key': () => json().replace('{', '{"amount":1,'),
  'a duplicated key written with an escape': () => json().replace('{', '{"amoun\\u0074":1,'),
  'a duplicated key deep inside': () => json({ note: 0 }).replace('"note":0', '"note":{"a":1,"a":2}'),
  'deeply nested JSON': () => json({ note: 0 }).replace('"note":0', `"note":${'['.repeat(1000)}${']'.repeat(1000)}`),
  'nesting without an end': () => '{"a":'.repeat(10_000),
  'single-quoted JSON': () => json().replaceAll('"', "'"),
  'unquoted keys': () => json().replaceAll(/"(\w+)":/g, '$1:'),
  'a trailing comma': () => json().replace('}', ',}'),
  'a comment': () => json().replace('{', '{/* */'),
  'a raw NUL in the JSON': () => json().replace('{', '{\0'),
  'a raw NUL behind the JSON': () => `${json()}\0`,
  'a raw NUL in the keyword': () => literal('keyword', `"${card}\0"`),
  'an escaped NUL in the keyword': () => literal('keyword', `"${card}\\u0000"`),
  'a byte-order mark': () => `\ufeff${json()}`,
  'invalid UTF-8': () =>
    Buffer.concat([Buffer.from(json({ note: '' }).slice(0, -2)), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
  'an overlong UTF-8 form': () =>
    Buffer.concat([Buffer.from(json({ note: '' }).slice(0, -2)), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]),
  'a lone surrogate as UTF-8': () =>
    Buffer.concat([Buffer.from(json({ note: '' }).slice(0, -2)), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
  'a control character in a string': () => json({ note: 'x' }).replace('"x"', '"\n"'),
  'JSON that is no object': () => '[1,2,3]',
  'a bare number': () => '42',
  null: () => 'null',
  'an empty body': () => '',
  'white space alone': () => ' \r\n\t ',
  'binary noise': () => Buffer.from(Array.from({ length: 512 }, (_, i) => (i * 151 + 7) & 255)),
  'a form with a broken escape': () => `company_id=${shop.company}&keyword=${card}&amount=10%2`,
  'a form with a NUL': () => `company_id=${shop.company}&keyword=${card}%00&amount=10`,
  'a form with a field twice': () => `company_id=${shop.company}&keyword=${card}&amount=10&amount=1`,
  XML: () => `<checkout><amount>10</amount><keyword>${card}</keyword></checkout>`,
}))
  test(`${name} is refused and harmless`, () => isHarmless(make()));

test('a body of 64 KiB is read, one byte more is 413', async () => {
  const padded = (size) => {
    const text = json({ amount: 'x', note: '' });
    return text.replace('"note":""', `"note":"${'n'.repeat(size - text.length)}"`);
  };
  await isHarmless(padded(64 * 1024), { statuses: [200], sentence: /not a plain number/ });
  await isHarmless(padded(64 * 1024 + 1), { statuses: [413] });
  await isHarmless(padded(1024 * 1024), { statuses: [413] });
});

test('a body over the limit that comes in chunks is 413 too', async () => {
  const bytes = Buffer.alloc(70 * 1024, 'x');
  const head = rawRequest(`${shop.base}/checkout`, '', { length: false, headers: ['Transfer-Encoding: chunked'] });
  const raw = await RawSocket.connect(service.port);
  await raw.write(
    Buffer.concat([head, Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n0\r\n\r\n')]),
  );
  const reply = await raw.reply();
  assert.ok(reply, 'an answer before the connection ends');
  assert.equal(reply.status, 413);
  isJsonReply(reply);
  raw.destroy();
});

// --- amounts and ids -----------------------------------------------------------------------------

for (const amount of [
  '0',
  '-1',
  '1e2',
  '0.001',
  'NaN',
  '9223372036854775807.99',
  '"12,50"',
  'true',
  '"\uff11\uff10"',
  '"0"',
  '"-1"',
  '"1e2"',
  '"NaN"',
  '"Infinity"',
  '"+10"',
  '" 10"',
  '"10 "',
  '"0x10"',
  '"1_000"',
  '"1,000.00"',
  '"10."',
  '".5"',
  '"--1"',
  '1E1',
  '-0',
  '0.00',
  '010',
  '[10]',
  '{"v":10}',
  'null',
  '""',
  '"$10"',
  '18446744073709551616',
  '1000000000000000000000',
  '0.0000000000000000000000001',
])
  test(`the amount ${amount} is refused and harmless`, () => isHarmless(literal('amount', amount)));

for (const [field, values] of Object.entries({
  company_id: ['9223372036854775808', '"9223372036854775808"', '-1', '1.5', 'true', 'null', '""', '"abc"', '[]', '1e3'],
  order_id: ['9223372036854775808', '18446744073709551616', '-1', '1.5', 'true', '"abc"', '{}', '1e3'],
  site_id: ['9223372036854775808', '-1', '"x"'],
  register_id: ['9223372036854775808', '-1', 'false'],
}))
  for (const value of values)
    test(`the ${field} ${value} is refused and harmless`, () =>
      isHarmless(literal(field, value), { statuses: [200, 400, 403] }));

test("a missing company, and another tenant's company, are refused", async () => {
  const { company_id: ignored, ...rest } = body();
  await isHarmless(JSON.stringify(rest));
  await isHarmless(json({ company_id: other.company }), { statuses: [200, 401, 403] });
});

test("another tenant's key, with the right company and signature, finds no card", async () => {
  const reply = await other.till().checkout({ card, amount: 10, order: newOrder(), company_id: shop.company });
  isJsonReply(reply);
  assert.equal(reply.json.success, false);
  isRefused(await other.till().checkout({ card, amount: 10, order: newOrder() }), /^Card not found/);
  await nothingMoved();
});

test('odd keywords are unknown cards: 60 KB, quotes, markup, stripes without a number, other scripts', async () => {
  const odd = [
    '9'.repeat(60_000),
    '"\'`;--',
    '<script>alert(1)</script>',
    '%B?',
    ';=?',
    '%%%%',
    '../../etc/passwd',
    '\u0661\u0662\u0663\u0664',
    'x\u202e1234',
    `${card}\u200b`,
    '*',
    '*1234',
    `${card}*`,
    `${card}*abc`,
    `${card}**1`,
    '%n%n%n%s',
    `' OR 1=1 --`,
  ];
  for (const [i, keyword] of odd.entries()) {
    const reply = await shop
      .till({ register: 100 + i, site: 100 + i })
      .checkout({ card: keyword, amount: 10, order: newOrder() });
    isRefused(reply, null, { status: reply.status });
    await nothingMoved(keyword.slice(0, 40));
  }
});

test('a keyword that is no text is refused', async () => {
  for (const value of ['true', '[]', '{}', 'null', '""']) await isHarmless(literal('keyword', value));
});

// --- the wrong address ---------------------------------------------------------------------------

test('a checkout body sent to /top-up mints nothing', async () => {
  await isHarmless(json(), { action: 'top-up', statuses: [200] });
});

test('a top-up body sent to /checkout or /refund moves nothing', async () => {
  const { amount: ignored, ...rest } = body({ topup_amount: '50.00' });
  for (const action of ['checkout', 'refund']) {
    await isHarmless(JSON.stringify(rest), { action, statuses: [200], sentence: /URL/ });
    await isHarmless(JSON.stringify({ ...rest, amount: 10 }), { action, statuses: [200], sentence: /URL/ });
  }
});

// --- signatures ----------------------------------------------------------------------------------

test('missing, wrong and misapplied signatures are 401 and harmless', async () => {
  const text = json();
  const cases = {
    missing: null,
    empty: '',
    'of another body': sign(json()),
    'of an empty body': sign(''),
    'of a re-serialised body': sign(JSON.stringify(JSON.parse(text), null, 2)),
    'under another token': sign(text, 'other'),
    'cut short': sign(text).slice(0, 63),
    'too long': `${sign(text)}0`,
    'not hex': 'z'.repeat(64),
    'with a space inside': `${sign(text).slice(0, 32)} ${sign(text).slice(32)}`,
    'base64 where it is not accepted': Buffer.from(sign(text), 'hex').toString('base64'),
    'very long': 'a'.repeat(4000),
  };
  for (const [name, signature] of Object.entries(cases)) {
    const reply = await till.send('checkout', text, {
      token: null,
      headers: signature === null ? {} : { 'X-Kounta-Signature': signature },
    });
    isRefused(reply, null, { status: 401 });
    await nothingMoved(name);
  }
  const pretty = JSON.stringify(JSON.parse(text), null, 2);
  isRefused(await till.send('checkout', pretty, { headers: { 'X-Kounta-Signature': sign(text) } }), null, {
    status: 401,
  });
  isRefused(await till.send('checkout', '', { headers: { 'X-Kounta-Signature': sign(text) } }), null, { status: 401 });
  await nothingMoved();
});

test('a key that no tenant has, and no key, get the same 401 as a bad signature', async () => {
  const bad = await till.send('checkout', json(), { token: 'wrong' });
  for (const key of [
    '0'.repeat(32),
    'x',
    shop.key.toUpperCase() === shop.key ? 'y' : shop.key.toUpperCase(),
    `${shop.key}0`,
    shop.key.slice(1),
  ]) {
    const text = json();
    const reply = await service.get(`/oseries/${key}/checkout`, {
      method: 'POST',
      body: text,
      headers: { 'Content-Length': Buffer.byteLength(text), 'X-Kounta-Signature': sign(text) },
    });
    assert.equal(reply.status, 401);
    assert.equal(reply.text, bad.text);
  }
  await nothingMoved();
});

// --- framing -------------------------------------------------------------------------------------

/** Sends raw bytes; every reply that comes back is JSON and none of them an approval. */
async function rawIsHarmless(bytes, { mustAnswer = true, mayBeText = false, statuses } = {}) {
  const raw = await RawSocket.connect(service.port);
  await raw.write(bytes);
  await raw.reply(1, 8000).catch(() => undefined);
  const { replies } = raw;
  raw.destroy();
  if (mustAnswer) assert.ok(replies.length > 0, `no answer to ${bytes.toString('latin1').slice(0, 200)}`);
  for (const reply of replies) {
    if (mayBeText && !reply.json) {
      assert.equal(reply.status, 400);
      continue;
    }
    isJsonReply(reply, bytes.toString('latin1').slice(0, 200));
    assert.notEqual(reply.json.success, true, reply.text);
    if (statuses) assert.ok(statuses.includes(reply.status), `${reply.status}: ${reply.text}`);
  }
  await nothingMoved();
}

/** Requests with two signatures, one of them or both over `text`. */
function signedTwice(pathname, text, options) {
  const good = sign(text);
  const pairs = [[good, sign('else')], [sign('else'), good], [good, good], ['', good]];
  return pairs.map((pair) => {
    const headers = pair.map((signature) => `X-Kounta-Signature: ${signature}`);
    return rawRequest(pathname, text, { token: null, headers, ...options });
  });
}

test('a second signature is one too many, whichever fits, for every surface that asks for one', async () => {
  const strict = await newTenant(service, { company: shop.company + 500 });
  await strict.set('--loyalty-signature-mode', 'enforce');
  const search = JSON.stringify({ keyword: 'x' });
  for (const bytes of [
    ...signedTwice(`${shop.base}/checkout`, json()),
    ...signedTwice(`${shop.base}/webhooks/orders/completed`, JSON.stringify({ id: 7, status: 'COMPLETE' })),
    ...signedTwice(`${strict.base}/customer-search`, search),
    ...signedTwice(`${strict.base}/customer-search?keyword=x`, '', { method: 'GET' }),
  ])
    await rawIsHarmless(bytes, { statuses: [401] });
  const once = await RawSocket.connect(service.port);
  await once.write(rawRequest(`${strict.base}/customer-search`, search));
  assert.equal((await once.reply()).status, 200);
  once.destroy();
});

test('two Content-Lengths are refused, equal or not', async () => {
  const text = json();
  const length = Buffer.byteLength(text);
  for (const second of [length, length - 1, length + 10, 0])
    await rawIsHarmless(rawRequest(`${shop.base}/checkout`, text, { headers: [`Content-Length: ${second}`] }), {
      statuses: [400],
    });
});

test('Transfer-Encoding with Content-Length is refused, either way round', async () => {
  const text = json();
  const chunked = `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n0\r\n\r\n`;
  const signature = `X-Kounta-Signature: ${sign(text)}`;
  const head = (lines) =>
    Buffer.from([`POST ${shop.base}/checkout HTTP/1.1`, 'Host: t', signature, ...lines, '', chunked].join('\r\n'));
  await rawIsHarmless(head(['Transfer-Encoding: chunked', `Content-Length: ${chunked.length}`]), { statuses: [400] });
  await rawIsHarmless(head([`Content-Length: ${chunked.length}`, 'Transfer-Encoding: chunked']), { statuses: [400] });
  await rawIsHarmless(head(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']), { statuses: [400] });
  await rawIsHarmless(head(['Transfer-Encoding: gzip']), { statuses: [400, 501] });
});

test('a smuggled second request is not executed', async () => {
  const inner = rawRequest(`${shop.base}/checkout`, json()).toString('latin1');
  const outer = `POST ${shop.base}/checkout HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`;
  await rawIsHarmless(Buffer.from(outer, 'latin1'), { statuses: [400] });
});

test('bad lengths and chunks never pass', async () => {
  const text = json();
  const withLength = (value) =>
    Buffer.from(
      `POST ${shop.base}/checkout HTTP/1.1\r\nHost: t\r\nX-Kounta-Signature: ${sign(text)}\r\nContent-Length: ${value}\r\n\r\n${text}`,
    );
  for (const value of ['-1', 'abc', '1e3', '0x10', '99999999999999999999', '18446744073709551615'])
    await rawIsHarmless(withLength(value), { mustAnswer: false });
  const withChunks = (chunks) =>
    Buffer.from(
      `POST ${shop.base}/checkout HTTP/1.1\r\nHost: t\r\nX-Kounta-Signature: ${sign(text)}\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
    );
  for (const chunks of [
    `zz\r\n${text}\r\n0\r\n\r\n`,
    `ffffffffffffffff\r\n${text}`,
    `-5\r\n${text}\r\n0\r\n\r\n`,
    `\r\n\r\n`,
  ])
    await rawIsHarmless(withChunks(chunks), { mustAnswer: false });
});

test('a proper chunked body is read like any other', async () => {
  const { number } = await shop.issue({ amount: '10.00' });
  const text = json({ keyword: number, amount: 1 });
  const bytes = Buffer.from(text);
  const chunks = [bytes.subarray(0, 1), bytes.subarray(1, 20), bytes.subarray(20)];
  const raw = await RawSocket.connect(service.port);
  await raw.write(
    Buffer.from(
      `POST ${shop.base}/checkout HTTP/1.1\r\nHost: t\r\nX-Kounta-Signature: ${sign(text)}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ),
  );
  for (const chunk of chunks)
    await raw.write(Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]));
  await raw.write('0\r\n\r\n');
  isApproved(await raw.reply(), { amount: '1.00', balance: '9.00' });
  raw.destroy();
});

test('Expect: 100-continue is honoured', async () => {
  const { number } = await shop.issue({ amount: '10.00' });
  const text = json({ keyword: number, amount: 1 });
  const head = rawRequest(`${shop.base}/checkout`, text, { headers: ['Expect: 100-continue'] });
  const raw = await RawSocket.connect(service.port);
  await raw.write(head.subarray(0, head.length - text.length));
  await until('100 Continue', () => raw.received.toString('latin1').startsWith('HTTP/1.1 100'));
  await raw.write(text);
  isApproved(await raw.reply(), { balance: '9.00' });
  raw.destroy();
});

test('pipelined requests are answered in order', async () => {
  const { number } = await shop.issue({ amount: '10.00' });
  const raw = await RawSocket.connect(service.port);
  const requests = [1, 2, 3].map((amount) => rawRequest(`${shop.base}/checkout`, json({ keyword: number, amount })));
  await raw.write(Buffer.concat([...requests, rawRequest('/nowhere', '')]));
  await raw.reply(4);
  assert.deepEqual(
    raw.replies.map((reply) => reply.json.balance),
    [9, 7, 4, undefined],
  );
  assert.equal(raw.replies[3].status, 404);
  raw.destroy();
});

// Bytes that are no HTTP, or a head beyond its limits, never come from a register; libh2o answers those by itself, in
// text, which the balancer's configuration makes JSON (balancer.test.mjs).
test('garbage instead of HTTP ends the connection and nothing else', async () => {
  for (const garbage of [
    '\x16\x03\x01\x02\x00\x01',
    'GET\r\n\r\n',
    '\0\0\0\0\r\n\r\n',
    'POST / HTTP/9.9\r\n\r\n',
    `GET /${'a'.repeat(100_000)} HTTP/1.1\r\n\r\n`,
    `GET / HTTP/1.1\r\n${'X-Header: a\r\n'.repeat(2000)}\r\n`,
    `GET / HTTP/1.1\r\nX: ${'b'.repeat(200_000)}\r\n\r\n`,
  ])
    await rawIsHarmless(Buffer.from(garbage, 'latin1'), { mustAnswer: false, mayBeText: true });
  assert.equal((await service.get('/healthz')).status, 200);
});

// --- slow and idle clients -----------------------------------------------------------------------

test('slow headers and slow bodies are cut off, and others are served meanwhile', async () => {
  const bytes = rawRequest(`${shop.base}/checkout`, json());
  const slowHead = await RawSocket.connect(service.port);
  const slowBody = await RawSocket.connect(service.port);
  await slowBody.write(bytes.subarray(0, bytes.length - 20));
  let i = 0;
  const drip = setInterval(() => {
    if (slowHead.isClosed) return;
    slowHead.write(bytes.subarray(i, i + 1));
    i = Math.min(i + 1, 40);
  }, 100);
  isApproved(await till.checkBalance({ card }));
  await Promise.all([slowHead.closed(15_000), slowBody.closed(15_000)]);
  clearInterval(drip);
  for (const raw of [slowHead, slowBody]) {
    for (const reply of raw.replies) {
      isJsonReply(reply);
      assert.notEqual(reply.json.success, true);
    }
    raw.destroy();
  }
  await nothingMoved();
});

const IDLE_WANTED = 10_000;
const IDLE_LEAST = 2_000; // fewer would test nothing
const DESCRIPTORS_BESIDE = 500; // files, pipes and listeners of the service and of this process

/** How many connections this process and one that it starts can hold, after raising their limit. */
async function roomForConnections(wanted) {
  const limit = () =>
    fs
      .readFileSync('/proc/self/limits', 'utf8')
      .match(/^Max open files +(\d+) +(\d+)/m)
      .slice(1)
      .map(Number);
  const needed = wanted + DESCRIPTORS_BESIDE;
  const [soft, hard] = limit();
  const raise = async (value) => (await run('prlimit', ['--pid', String(process.pid), `--nofile=${value}`])).code === 0;
  // Beyond the hard limit only root can go, and not everywhere.
  if (soft < needed && !(await raise(`${needed}:${Math.max(hard, needed)}`))) await raise(`${hard}:`);
  return Math.min(wanted, limit()[0] - DESCRIPTORS_BESIDE);
}

test(`${IDLE_WANTED} idle connections do not keep the service from answering`, { timeout: 300_000 }, async (t) => {
  const count = await roomForConnections(IDLE_WANTED);
  assert.ok(
    count >= IDLE_LEAST,
    `the limit of open files allows ${count} connections, the test needs ${IDLE_WANTED}: raise it (ulimit -Hn ${IDLE_WANTED + DESCRIPTORS_BESIDE})`,
  );
  if (count < IDLE_WANTED)
    t.diagnostic(`ONLY ${count} of ${IDLE_WANTED} connections: the hard limit of open files is too low`);
  const calm = await Service.start(); // usual time-outs: the idle ones stay
  const tenant = await newTenant(calm);
  const { number } = await tenant.issue({ amount: '10.00' });
  const idle = [];
  try {
    while (idle.length < count)
      idle.push(
        ...(await Promise.all(
          Array.from({ length: Math.min(100, count - idle.length) }, () => RawSocket.connect(calm.port)),
        )),
      );
    const open = async () => Number((await calm.get('/metrics')).text.match(/^counterpart_connections (\d+)$/m)[1]);
    await until(`all ${count} to be accepted`, async () => (await open()) > count);
    const start = Date.now();
    isApproved(await tenant.till().checkout({ card: number, amount: 1, order: newOrder() }), { balance: '9.00' });
    isApproved(await tenant.till().checkBalance({ card: number }), { balance: '9.00' });
    assert.ok(Date.now() - start < 3000, `took ${Date.now() - start} ms beside ${count} idle connections`);
    assert.equal(idle.filter((raw) => raw.isClosed).length, 0, 'the idle connections were all there');
    assert.ok((await open()) > count, 'on both sides');
    t.diagnostic(`${idle.length} idle connections, answered in ${Date.now() - start} ms`);
  } finally {
    for (const raw of idle) raw.destroy();
  }
  await calm.stop();
});

// --- clients that go away ------------------------------------------------------------------------

/** A card that is charged 0.01 a time, and what it must have after each. */
class CutOffCard {
  static async issue(tenant, cents = 20_000) {
    const { number } = await tenant.issue({ amount: (cents / 100).toFixed(2) });
    return Object.assign(new CutOffCard(), { tenant, number, cents, charges: 0 });
  }

  body(order) {
    return JSON.stringify(this.tenant.till().fields('checkout', { card: this.number, amount: 0.01, order }));
  }

  /** Asks again, as a register does that got no answer: whatever happened to the first try, the order
   *  is charged once. */
  async settles(order, context) {
    this.charges++;
    const reply = await this.tenant.till().checkout({ card: this.number, amount: 0.01, order });
    assert.equal(reply.json?.success, true, `${context}: ${reply.text}`);
    isApproved(reply, { amount: '0.01' });
    assert.equal(Math.round(reply.json.balance * 100), this.cents - this.charges, `${context}: charged once each`);
  }

  async isWhole() {
    const shown = await this.tenant.show(this.number);
    assert.equal(Math.round(Number(shown.balance) * 100), this.cents - this.charges);
  }
}

/** Sends bytes, reads exactly so many of what comes back (the rest stays in the kernel), and cuts the
 *  connection with a TCP reset. Gives how many it got: fewer, when no more came. */
function readThenReset(port, bytes, count) {
  return new Promise((resolve, reject) => {
    let got = 0;
    const finish = () => {
      clearTimeout(timer);
      socket.resetAndDestroy();
      resolve(got);
    };
    const onread = {
      buffer: Buffer.alloc(1),
      callback: () => {
        if (++got === count) setImmediate(finish);
        return got < count;
      },
    };
    const socket = net.connect({ port, host: '127.0.0.1', onread });
    const timer = setTimeout(finish, 2000);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.setNoDelay(true);
      socket.write(bytes, () => count === 0 && finish());
    });
  });
}

/** Resets at every byte of a request and of its reply; make(card, order) gives the request's bytes. */
async function resetsEverywhere(tenant, make) {
  const { port } = tenant.service;
  const card = await CutOffCard.issue(tenant);
  const { length } = make(card, newOrder());
  for (let cut = 1; cut <= length; cut++) {
    const order = newOrder();
    const bytes = make(card, order);
    assert.equal(bytes.length, length);
    const raw = await RawSocket.connect(port);
    await raw.write(bytes.subarray(0, cut));
    if (cut % 7 === 0) await sleep(1);
    raw.reset();
    // Half of the retries run into what is left of the first try, half come when it is over.
    if (cut % 2 === 0) await sleep(1);
    await card.settles(order, `reset after byte ${cut} of ${length} of the request`);
  }
  const sample = await RawSocket.connect(port);
  const order = newOrder();
  await sample.write(make(card, order));
  await until('the reply', () => sample.received.includes('"success":true'));
  await sleep(500); // and what may come behind it
  const replyLength = sample.received.length;
  sample.destroy();
  await card.settles(order, 'the sample');
  assert.ok(replyLength > 200, `${replyLength} bytes came back`);
  let reached = 0;
  for (let cut = 0; cut <= replyLength; cut++) {
    const order = newOrder();
    const got = await readThenReset(port, make(card, order), cut);
    reached += got === cut;
    await card.settles(order, `reset after byte ${cut} of ${replyLength} of the reply`);
  }
  // A balance that has lost a digit makes the last replies shorter.
  assert.ok(reached >= replyLength - 8, `${reached} of ${replyLength} cuts were reached`);
  await card.isWhole();
  return { length, replyLength };
}

const cutOffRequest = (card, order) => rawRequest(`${card.tenant.base}/checkout`, card.body(order));

test(
  'a client that resets at every byte of an exchange is charged once or not at all',
  { timeout: 300_000 },
  async (t) => {
    const { length, replyLength } = await resetsEverywhere(shop, cutOffRequest);
    t.diagnostic(`cut at each of ${length} bytes of the request and ${replyLength} of the reply`);
  },
);

test('requests that were never whole are never executed', async () => {
  const card = await CutOffCard.issue(shop);
  const { length } = cutOffRequest(card, newOrder());
  for (let cut = 1; cut < length; cut++) {
    const raw = await RawSocket.connect(service.port);
    await raw.write(cutOffRequest(card, newOrder()).subarray(0, cut));
    raw.reset();
  }
  await sleep(300);
  await card.isWhole();
});

test('half-closed connections still get their answer', async () => {
  const { number } = await shop.issue({ amount: '10.00' });
  const raw = await RawSocket.connect(service.port);
  raw.socket.end(rawRequest(`${shop.base}/checkout`, json({ keyword: number, amount: 1, order_id: 77 })));
  isApproved(await raw.reply(), { amount: '1.00', balance: '9.00' });
  raw.destroy();
});

test('HTTP/2 is not spoken unless it is switched on', async () => {
  const raw = await RawSocket.connect(service.port);
  await raw.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
  await sleep(300);
  assert.notEqual(raw.received[3], 4, 'no SETTINGS frame comes back');
  raw.destroy();
});

// HTTP/2 (RFC 9113) by hand: only so can it be cut at every byte.
const frame = (type, flags, stream, payload) => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};
const DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4; // prettier-ignore
const END_STREAM = 1, END_HEADERS = 4; // prettier-ignore
const CANCEL = Buffer.from([0, 0, 0, 8]);

/** A header as a literal without index or Huffman coding (RFC 7541 6.2.2); shorter than 127 bytes. */
const literalHeader = ([name, value]) => {
  assert.ok(name.length < 127 && value.length < 127);
  return Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ]);
};

/** Everything up to the body: preface, settings, headers of stream 1. */
function http2Head(path, body) {
  const headers = { ':method': 'POST', ':scheme': 'http', ':path': path, ':authority': 'till.test', 'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)), 'x-kounta-signature': sign(body) }; // prettier-ignore
  return Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(SETTINGS, 0, 0, Buffer.alloc(0)),
    frame(HEADERS, END_HEADERS, 1, Buffer.concat(Object.entries(headers).map(literalHeader))),
  ]);
}

const http2CutOffRequest = (card, order) => {
  const body = card.body(order);
  return Buffer.concat([
    http2Head(`${card.tenant.base}/checkout`, body),
    frame(DATA, END_STREAM, 1, Buffer.from(body)),
  ]);
};

/** Is there the reply's body in what an HTTP/2 connection received? */
const hasHttp2Reply = (received) => received.includes('"success":true');

test(
  'an HTTP/2 client that resets its connection at every byte is charged once or not at all',
  { timeout: 300_000 },
  async (t) => {
    const modern = await Service.start({ env: { COUNTERPART_HTTP2: 'on' } });
    const tenant = await newTenant(modern);
    const card = await CutOffCard.issue(tenant);
    // Left alone such a request is answered, so the cuts below cut something that works.
    const whole = await RawSocket.connect(modern.port);
    const order = newOrder();
    await whole.write(http2CutOffRequest(card, order));
    await until('an HTTP/2 reply', () => hasHttp2Reply(whole.received));
    whole.destroy();
    await card.settles(order, 'whole');
    const { length, replyLength } = await resetsEverywhere(tenant, http2CutOffRequest);
    t.diagnostic(`cut at each of ${length} bytes of the request and ${replyLength} of the reply`);
    await modern.verifyIsClean();
    await modern.stop();
  },
);

test(
  'an HTTP/2 stream that is reset at every byte of its body is charged once or not at all',
  { timeout: 300_000 },
  async () => {
    const modern = await Service.start({ env: { COUNTERPART_HTTP2: 'on' } });
    const tenant = await newTenant(modern);
    const card = await CutOffCard.issue(tenant);
    const { length } = card.body(newOrder());
    for (let cut = 0; cut <= length; cut++) {
      for (const [pause, isEnded] of [
        [false, false],
        [true, false],
        [false, true],
      ]) {
        // prettier-ignore
        if (isEnded && cut < length) continue;
        const order = newOrder();
        const body = card.body(order);
        const raw = await RawSocket.connect(modern.port);
        const start = [http2Head(`${tenant.base}/checkout`, body)];
        start.push(frame(DATA, isEnded ? END_STREAM : 0, 1, Buffer.from(body).subarray(0, cut)));
        const reset = frame(RST_STREAM, 0, 1, CANCEL);
        if (pause) {
          await raw.write(Buffer.concat(start));
          await sleep(1);
          await raw.write(reset);
        } else await raw.write(Buffer.concat([...start, reset]));
        await card.settles(order, `stream reset after byte ${cut} of ${length} of the body`);
        assert.equal(hasHttp2Reply(raw.received), false, 'a stream that was reset gets no reply');
        raw.destroy();
      }
    }
    await card.isWhole();
    await modern.verifyIsClean();
    await modern.stop();
  },
);

test('many HTTP/2 streams at once, half of them reset, are each answered once', async () => {
  const modern = await Service.start({ env: { COUNTERPART_HTTP2: 'on' } });
  const tenant = await newTenant(modern);
  const { number } = await tenant.issue({ amount: '100.00' });
  const session = http2.connect(modern.origin);
  session.on('error', () => {
    /* judged below */
  });
  const orders = Array.from({ length: 40 }, newOrder);
  await Promise.all(
    orders.map(
      (order, i) =>
        new Promise((resolve) => {
          const text = JSON.stringify(tenant.till().fields('checkout', { card: number, amount: 1, order }));
          const stream = session.request({
            ':method': 'POST',
            ':path': `${tenant.base}/checkout`,
            'x-kounta-signature': sign(text, TOKEN),
          });
          stream.on('error', resolve);
          stream.on('close', resolve);
          stream.resume();
          stream.end(text);
          if (i % 2 === 0) stream.close(http2.constants.NGHTTP2_CANCEL);
        }),
    ),
  );
  session.destroy();
  for (const order of orders) isApproved(await tenant.till().checkout({ card: number, amount: 1, order }));
  assert.equal((await tenant.show(number)).balance, '60.00');
  await modern.verifyIsClean();
  await modern.stop();
});

// --- paths and methods ---------------------------------------------------------------------------

test('unknown paths are answered in JSON with a length', async () => {
  for (const path of [
    '/',
    '/oseries',
    '/oseries/',
    `${shop.base}`,
    `${shop.base}/`,
    `${shop.base}/nothing`,
    `${shop.base}/checkout/`,
    `${shop.base}//checkout`,
    '/kseries/x',
    '/pointone/x',
    '/api/v1/x',
    '/admin/tenant/list',
    '/%00',
    '/oseries/%2e%2e/checkout',
    '/..',
    `/${'a'.repeat(4000)}`,
    '/oseries?x=1',
  ]) {
    for (const method of ['GET', 'POST']) {
      const reply = await service.get(path, { method, headers: { 'Content-Length': 0 } });
      isJsonReply(reply, `${method} ${path}`);
      assert.ok([401, 404].includes(reply.status), `${method} ${path}: ${reply.status}`);
      assert.equal(reply.json.success, false);
    }
  }
});

test('wrong methods, HEAD and OPTIONS on every surface path are JSON with a length', async () => {
  const paths = ['checkout', 'check-balance', 'top-up', 'refund'].map((action) => `${shop.base}/${action}`);
  for (const path of [...paths, '/healthz', '/readyz', '/metrics', '/nowhere']) {
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'HEAD']) {
      const isServed = !path.startsWith('/oseries') && path !== '/nowhere' && ['GET', 'HEAD'].includes(method);
      const reply = await service.get(path, { method, agent: false });
      const expected = isServed ? 200 : path === '/nowhere' ? 404 : 405;
      assert.equal(reply.status, expected, `${method} ${path}`);
      if (method === 'HEAD') {
        assert.equal(reply.body.length, 0, `${method} ${path}`);
        if (path !== '/metrics') assert.match(reply.headers['content-type'], /^application\/json/);
        assert.ok(Number(reply.headers['content-length']) > 0, `${method} ${path}: a length`);
      } else if (!isServed) {
        isJsonReply(reply, `${method} ${path}`);
        assert.equal(reply.json.success, false);
      }
      if (expected === 405) assert.ok(reply.headers.allow, `${method} ${path}: Allow`);
    }
  }
});

test('replies are never cached', async () => {
  const reply = await till.checkBalance({ card });
  assert.match(reply.headers['cache-control'], /no-store/);
});

test('a thousand requests on one kept-alive connection are all answered', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const fast = shop.till({ agent });
  for (let i = 0; i < 1000; i++) {
    const reply = await fast.checkBalance({ card });
    assert.equal(reply.status, 200);
  }
  agent.destroy();
  await nothingMoved();
});
