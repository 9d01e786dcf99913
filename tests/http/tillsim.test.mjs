// tillsim against a partner that can be made to answer anything: what it sends, what it says about
// the replies, and its exit codes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { ROOT, TILLSIM, TOKEN, run, sign } from './support.mjs';

const APPROVED = '{"success":true,"amount":10.00,"balance":90.00,"reference_id":"CP1-7","message":"charged"}';
const REFUSED = '{"success":false,"amount":0.00,"error":"Insufficient balance: $3.00 available"}';

let server, url, seen, answer;

before(async () => {
  server = http.createServer((req, res) => {
    const parts = [];
    req.on('data', (part) => parts.push(part));
    req.on('error', () => {
      /* cut off on purpose */
    });
    req.on('end', () => {
      seen.push({ url: req.url, method: req.method, headers: req.headers, body: Buffer.concat(parts).toString() });
      answer(res, seen.length);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${server.address().port}/oseries/abc`;
});
after(
  () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections?.();
    }),
);

const replyWith =
  (body, { status = 200, type = 'application/json; charset=utf-8' } = {}) =>
  (res) => {
    res.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
    res.end(body);
  };
beforeEach(() => {
  seen = [];
  answer = replyWith(APPROVED);
});

const till = (action, ...more) =>
  run(TILLSIM, [action, '--url', url, '--token', TOKEN, '--card', '6036280000012345', ...more]);
const checkout = (...more) => till('checkout', '--amount', '10.00', '--order', '77', ...more);

test('a checkout is signed over exactly the bytes that are sent', async () => {
  const { code } = await checkout();
  assert.equal(code, 0);
  assert.equal(seen.length, 1);
  assert.equal(seen[0].method, 'POST');
  assert.equal(seen[0].url, '/oseries/abc/checkout');
  assert.equal(seen[0].headers['content-type'], 'application/json');
  assert.equal(seen[0].headers['x-kounta-signature'], sign(seen[0].body));
  assert.equal(
    seen[0].body,
    '{"company_id":5678,"site_id":923,"register_id":9091,"order_id":77,"keyword":"6036280000012345","amount":10.00}',
  );
});

test('a top-up carries topup_amount and a look-up neither amount nor order', async () => {
  await till('top-up', '--amount', '50.00', '--order', '78');
  await till('check-balance');
  assert.equal(JSON.parse(seen[0].body).topup_amount, 50);
  assert.equal('amount' in JSON.parse(seen[0].body), false);
  assert.deepEqual(Object.keys(JSON.parse(seen[1].body)), ['company_id', 'site_id', 'register_id', 'keyword']);
});

test("ids, amount type, reference id and form bodies are the caller's choice", async () => {
  await checkout('--company', '1', '--site', '2', '--register', '3', '--amount-type', 'string', '--reference-id');
  assert.equal(
    seen[0].body,
    '{"company_id":1,"site_id":2,"register_id":3,"order_id":77,"reference_id":"6036280000012345","amount":"10.00"}',
  );
  await run(TILLSIM, [
    'checkout',
    '--url',
    url,
    '--token',
    TOKEN,
    '--card',
    '60 36*12+3',
    '--amount',
    '1',
    '--order',
    '5',
    '--body',
    'form',
  ]);
  assert.equal(seen[1].headers['content-type'], 'application/x-www-form-urlencoded');
  assert.equal(seen[1].body, 'company_id=5678&site_id=923&register_id=9091&order_id=5&keyword=60+36%2A12%2B3&amount=1');
  assert.equal(seen[1].headers['x-kounta-signature'], sign(seen[1].body));
});

test('without an order a random one beyond 2^31 is chosen and printed', async () => {
  const { stdout } = await till('checkout', '--amount', '10.00');
  const order = JSON.parse(seen[0].body).order_id;
  assert.ok(order > 2 ** 31);
  assert.ok(stdout.includes(String(order)));
  await till('checkout', '--amount', '10.00');
  assert.notEqual(JSON.parse(seen[1].body).order_id, order);
});

test('signatures can be missing, wrong, upper-case or base64', async () => {
  for (const mode of ['none', 'wrong', 'upper', 'base64']) await checkout('--signature', mode);
  const signatures = seen.map((one) => one.headers['x-kounta-signature']);
  const right = sign(seen[0].body);
  assert.equal(signatures[0], undefined);
  assert.match(signatures[1], /^[0-9a-f]{64}$/);
  assert.notEqual(signatures[1], right);
  assert.equal(signatures[2], right.toUpperCase());
  assert.equal(signatures[3], Buffer.from(right, 'hex').toString('base64'));
});

test('the address may name the action already, end in a slash or carry a query', async () => {
  for (const suffix of ['/checkout', '/', '?shop=1', '/checkout?shop=1'])
    await run(TILLSIM, ['checkout', '--url', url + suffix, '--token', TOKEN, '--card', '1234', '--amount', '1']);
  assert.deepEqual(
    seen.map((one) => one.url),
    ['/oseries/abc/checkout', '/oseries/abc/checkout', '/oseries/abc/checkout?shop=1', '/oseries/abc/checkout?shop=1'],
  );
});

test('a refusal exits with 1 and shows the sentence', async () => {
  answer = replyWith(REFUSED);
  const { code, stdout } = await checkout();
  assert.equal(code, 1);
  assert.match(stdout, /REFUSED +Insufficient balance: \$3\.00 available/);
});

test('a refusal with another status is still a refusal, but its status is told', async () => {
  answer = replyWith('{"success":false,"error":"Signature does not match"}', { status: 401 });
  const { code, stdout } = await checkout();
  assert.equal(code, 1);
  assert.match(stdout, /✗ status is 200/);
});

test('every rule of a register has a verdict of its own', async () => {
  const cases = [
    ['status is 200', APPROVED, { status: 500 }],
    ['content type is JSON', APPROVED, { type: 'text/html' }],
    ['body parses as JSON', '{"success":true,'],
    ['body parses as JSON', ''],
    [
      'body is within what this till reads (4 MiB, 64 levels)',
      APPROVED.replace('}', `,"x":${'['.repeat(64)}${']'.repeat(64)}}`),
    ],
    ['body is within what this till reads (4 MiB, 64 levels)', APPROVED.replace('}', `,"x":"${'x'.repeat(2 ** 22)}"}`)],
    ['no name stands twice in an object', APPROVED.replace('}', ',"amount":9}')],
    ['texts hold whole characters and no NUL', APPROVED.replace('charged', 'a\\ud800')],
    ['texts hold whole characters and no NUL', APPROVED.replace('charged', '\\udc00\\ud83d')],
    ['texts hold whole characters and no NUL', APPROVED.replace('charged', 'a\\u0000b')],
    ['body is an object', '[true]'],
    ['success is true or false', '{"success":"yes","amount":1,"balance":1}'],
    ['success is true or false', '{"amount":1,"balance":1}'],
    ['a refusal says why, and nothing else has an error', '{"success":false,"error":" "}'],
    ['a refusal says why, and nothing else has an error', '{"success":false}'],
    ['a refusal says why, and nothing else has an error', '{"success":true,"amount":1,"balance":1,"error":"no"}'],
    ['amount is a plain number, 0 <= amount <= asked', '{"success":true,"amount":10.01,"balance":1}'],
    ['amount is a plain number, 0 <= amount <= asked', '{"success":true,"amount":-0.01,"balance":1}'],
    ['amount is a plain number, 0 <= amount <= asked', '{"success":true,"amount":"ten","balance":1}'],
    ['amount is a plain number, 0 <= amount <= asked', '{"success":true,"amount":2e0,"balance":1}'],
    ['amount is a plain number, 0 <= amount <= asked', '{"success":true,"balance":1}'],
    ['amount is a plain number, 0 <= amount <= asked', '{"success":false,"error":"no","amount":5}'],
    ['balance is a plain number', '{"success":true,"amount":1,"balance":null}'],
    ['balance is a plain number', '{"success":true,"amount":1}'],
  ];
  for (const [rule, body, options] of cases) {
    answer = replyWith(body, options);
    const { code, json } = await checkout('--json');
    assert.equal(code, 3, body);
    assert.equal(json.replies[0].ending, 'malformed', body);
    assert.equal(json.replies[0].verdicts[rule], 'failed', `${rule}: ${body}`);
  }
  answer = replyWith(APPROVED);
  const { json } = await checkout('--json');
  assert.deepEqual(new Set(Object.values(json.replies[0].verdicts)), new Set(['passed', 'not_asked']));
  assert.equal(json.replies[0].verdicts['a refusal says why, and nothing else has an error'], 'not_asked');
});

test('what a browser reads is read: some levels deep, pairs of surrogates, backslashes before a u', async () => {
  const deep = '['.repeat(60) + ']'.repeat(60);
  answer = replyWith(APPROVED.replace('"charged"', `"\\ud83d\\ude00 C:\\\\ud800 \\\\u0000","x":${deep}`));
  const { code, json } = await checkout('--json');
  assert.equal(code, 0);
  assert.deepEqual(new Set(Object.values(json.replies[0].verdicts)), new Set(['passed', 'not_asked']));
});

test('amounts as numeric strings and a partial approval satisfy a register', async () => {
  answer = replyWith('{"success":true,"amount":"4.00","balance":"0.00"}');
  assert.equal((await checkout()).code, 0);
});

test('--repeat sends the same bytes again and compares the replies', async () => {
  const { code, json } = await checkout('--repeat', '2', '--json');
  assert.equal(code, 0);
  assert.equal(seen.length, 3);
  assert.equal(new Set(seen.map((one) => one.body + one.headers['x-kounta-signature'])).size, 1);
  assert.equal(json.replies.length, 3);
  assert.equal(json.replies_are_identical, true);
  answer = (res, n) => replyWith(APPROVED.replace('CP1-7', `CP1-${n}`))(res);
  const differing = await checkout('--repeat', '1');
  assert.match(differing.stdout, /byte-identical: no/);
});

test('--concurrent has all requests under way before the first is answered', async () => {
  const waiting = [];
  answer = (res) => {
    waiting.push(res);
    if (waiting.length === 8) waiting.forEach((one) => replyWith(APPROVED)(one));
  };
  const { code, json } = await checkout('--concurrent', '8', '--json');
  assert.equal(code, 0);
  assert.equal(json.replies.length, 8);
  assert.equal(json.replies_are_identical, true);
});

test('--drop-reply delivers the whole request and reads nothing', async () => {
  const { code, stdout } = await checkout('--drop-reply');
  assert.equal(code, 0);
  assert.match(stdout, /REPLY NOT READ/);
  assert.equal(seen.length, 1);
  assert.equal(seen[0].headers['x-kounta-signature'], sign(seen[0].body));
  const again = await checkout('--drop-reply', '--repeat', '1', '--json');
  assert.deepEqual(
    again.json.replies.map((reply) => reply.ending),
    ['dropped', 'approved'],
  );
  assert.equal(seen[1].body, seen[2].body);
});

test('no answer, or one that never ends, exits with 3', async () => {
  answer = (res) => res.destroy();
  assert.equal((await checkout()).code, 3);
  answer = (res) => {
    res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 100 });
    res.write('{');
  };
  const { code, json } = await checkout('--timeout', '1', '--json');
  assert.equal(code, 3);
  assert.equal(json.replies[0].ending, 'no_reply');
  assert.match(json.replies[0].failure, /[Tt]imeout/);
  assert.equal(
    (
      await run(TILLSIM, [
        'checkout',
        '--url',
        'http://127.0.0.1:1/x',
        '--token',
        'a',
        '--card',
        '1234',
        '--amount',
        '1',
      ])
    ).code,
    3,
  );
  assert.equal(
    (
      await run(TILLSIM, [
        'checkout',
        '--url',
        'ftp://127.0.0.1/x',
        '--token',
        'a',
        '--card',
        '1234',
        '--amount',
        '1',
        '--drop-reply',
      ])
    ).code,
    3,
  );
});

test('a wrong command line exits with 2, says why, and sends nothing', async () => {
  const base = ['--url', url, '--token', TOKEN, '--card', '1234'];
  const cases = [
    [[]],
    [['pay', ...base, '--amount', '1']],
    [['checkout', ...base]],
    [['checkout', 'refund', ...base, '--amount', '1']],
    [['check-balance', ...base, '--amount', '1']],
    [['checkout', ...base, '--amount', 'ten']],
    [['checkout', ...base, '--amount', '1', '--order', '-1']],
    [['checkout', ...base, '--amount', '1', '--order', '9223372036854775808']],
    [['checkout', ...base, '--amount', '1', '--repeat', '1000']],
    [['checkout', ...base, '--amount', '1', '--body', 'xml']],
    [['checkout', ...base, '--amount', '1', '--signature', 'rot13']],
    [['checkout', ...base, '--amount', '1', '--nonsense']],
    [['checkout', ...base, '--amount', '1', '--concurrent', '2', '--repeat', '1']],
    [['checkout', '--token', TOKEN, '--card', '1234', '--amount', '1']],
    [['checkout', '--url', url, '--card', '1234', '--amount', '1']],
    [['checkout', '--url', url, '--token', TOKEN, '--amount', '1']],
  ];
  for (const [args] of cases) {
    const { code, stderr } = await run(TILLSIM, args);
    assert.equal(code, 2, args.join(' '));
    assert.ok(stderr.length > 0, args.join(' '));
  }
  assert.equal(seen.length, 0);
  const source = fs.readFileSync(path.join(ROOT, 'mocks/main.c'), 'utf8');
  const commands = [...source.matchAll(/strcmp\(argv\[1\], "(\w+)"\)/g)].map(([, command]) => command);
  assert.ok(commands.length >= 4, 'what main hands on');
  for (const word of ['--help', 'help']) {
    const help = await run(TILLSIM, [word]);
    assert.equal(help.code, 0, word);
    assert.match(help.stdout, /--drop-reply/);
    for (const command of commands) assert.match(help.stdout, new RegExp(`^  tillsim ${command} `, 'm'));
    assert.equal(help.stderr, '');
  }
});

test('control characters in a reply never reach the terminal', async () => {
  answer = replyWith('{"success":false,"error":"red \\u001b[31m alert"}\u0007');
  const { stdout } = await checkout();
  assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f]/);
});

test('without a terminal there are no colours', async () => {
  const { stdout } = await checkout();
  assert.doesNotMatch(stdout, /\u001b/);
  assert.match(stdout, /✔ APPROVED {2}charged/);
  assert.match(stdout, /Card ending in +2345/);
});
