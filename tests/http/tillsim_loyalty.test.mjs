// tillsim's loyalty commands against a partner and a cloud that can be made to answer anything: what they ask, what
// they say about the replies, and their exit codes.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import { TILLSIM, run } from './support.mjs';

let server, base, url, seen, answer, order;

before(async () => {
  server = http.createServer({ maxHeaderSize: 256 * 1024 }, (req, res) => {
    if (/^\/(_cloud|v1)\//.test(req.url)) {
      seen.push({ url: req.url, method: req.method, headers: req.headers, isCloud: true });
      res.writeHead(order ? 200 : 404, { 'Content-Type': 'application/json' });
      res.end(JSON.stringify(order ?? { error: 'not_found' }));
      return;
    }
    req.resume();
    req.on('error', () => {
      /* cut off on purpose */
    });
    req.on('end', () => {
      seen.push({ url: req.url, method: req.method, headers: req.headers });
      answer(res, new URL(req.url, base), seen.length);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${server.address().port}`;
  url = `${base}/oseries/abc`;
});
after(
  () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections?.();
    }),
);

const DAVID = {
  id: 'M-1',
  first_name: 'David',
  last_name: 'Kent',
  email_address: 'david.kent@example.com',
  current_points: '420',
  params: { Tier: 'Gold' },
};
const JANE = { id: 'M-2', first_name: '', email_address: 'M-2@noemail.invalid' };
const membersOf = (...members) => ({ members: Object.fromEntries(members.map((member) => [member.id, member])) });
const redeemUrl = (placeholder, n = 1) => `${url}/redeem?t=token${n}&order_id=${placeholder}`;
const rewardsOf = (placeholder) => ({
  member: { ...DAVID, current_points: 420 },
  rewards: [1, 2].map((n) => ({
    id: `R${n}`,
    title: `Reward ${n}`,
    terms: '',
    points_required: 100 * n,
    redeem_url: redeemUrl(placeholder, n),
  })),
});

const reply = (res, body, { status = 200, type = 'application/json; charset=utf-8' } = {}) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  res.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
  res.end(text);
};
/** A partner as it should be; the redemption takes 10 off the order. */
function goodPartner(res, address) {
  if (address.pathname.endsWith('/customer-search')) reply(res, membersOf(DAVID, JANE));
  else if (address.pathname.endsWith('/reward-lookup')) reply(res, rewardsOf(address.searchParams.get('order_id')));
  else {
    if (order) order = { ...order, total: 35.65, price_fixed_variation: -10, notes: 'CP-R1-0f3a9c1b' };
    reply(res, { success: true });
  }
}
beforeEach(() => {
  seen = [];
  order = null;
  answer = goodPartner;
});

const search = (...more) => run(TILLSIM, ['customer-search', '--url', url, '--keyword', 'David Kent', ...more]);
const lookup = (...more) => run(TILLSIM, ['reward-lookup', '--url', url, '--reference', 'M-1', ...more]);
const redeem = (...more) => run(TILLSIM, ['redeem', '--url', redeemUrl(111), '--order', '77', ...more]);
const walk = (...more) =>
  run(TILLSIM, ['loyalty', '--url', url, '--keyword', 'kent', '--reward', '2', '--order', '77', ...more]);

test('a search is a GET with %20, a random placeholder beyond 2^31 and the shop, unsigned', async () => {
  const { code, stdout } = await search();
  assert.equal(code, 0, stdout);
  assert.equal(seen[0].method, 'GET');
  assert.match(
    seen[0].url,
    /^\/oseries\/abc\/customer-search\?keyword=David%20Kent&site_id=923&company_id=5678&order_id=\d+$/,
  );
  assert.equal('x-kounta-signature' in seen[0].headers, false);
  assert.equal('content-type' in seen[0].headers, false);
  const placeholder = Number(new URL(seen[0].url, base).searchParams.get('order_id'));
  assert.ok(placeholder > 2 ** 31);
  await search();
  assert.notEqual(Number(new URL(seen[1].url, base).searchParams.get('order_id')), placeholder);
});

test('what a cashier types arrives as typed, up to 40 KB, and joins a query that is there', async () => {
  for (const keyword of ['a&b=c#d+e%20', "Zoë O'Brien <b>", '', 'x'.repeat(40_000)]) {
    answer = (res) => reply(res, '{"members":{}}');
    const { code } = await run(TILLSIM, ['customer-search', '--url', `${url}?org=1`, '--keyword', keyword]);
    const { url: asked } = seen.pop();
    assert.equal(code, 0);
    assert.equal(new URL(asked, base).searchParams.get('keyword'), keyword);
    assert.match(asked, /^\/oseries\/abc\/customer-search\?org=1&keyword=/);
  }
});

test('a look-up asks by reference, by customer or by both, with the placeholder given', async () => {
  await lookup('--placeholder', '111', '--company', '1', '--site', '2');
  await run(TILLSIM, ['reward-lookup', '--url', url, '--customer', '789', '--order', '111']);
  await lookup('--customer', '789', '--order', '111');
  assert.deepEqual(
    seen.map((one) => one.url.split('?')[1]),
    [
      'reference_id=M-1&site_id=2&company_id=1&order_id=111',
      'customer_id=789&site_id=923&company_id=5678&order_id=111',
      'customer_id=789&reference_id=M-1&site_id=923&company_id=5678&order_id=111',
    ],
  );
});

test('members and rewards are printed as a cashier sees them', async () => {
  const found = await search();
  assert.match(found.stdout, /M-1 {2}David Kent +420 Points/);
  assert.match(found.stdout, /Tier: Gold/);
  assert.match(found.stdout, /✔ 2 MEMBERS/);
  const offered = await lookup();
  assert.match(offered.stdout, /2 {2}Reward 2 +200 Points/);
  assert.match(offered.stdout, /✔ 2 REWARDS/);
  answer = (res) => reply(res, '{"members":{}}');
  const none = await search();
  assert.equal(none.code, 0);
  assert.match(none.stdout, /✔ 0 MEMBERS/);
  const { json } = await lookup('--json').then(() => {
    answer = goodPartner;
    return lookup('--json', '--placeholder', '111');
  });
  assert.deepEqual(json.replies[0].rewards[1], {
    id: 'R2',
    title: 'Reward 2',
    points_required: 200,
    redeem_url: redeemUrl(111, 2),
  });
  assert.equal(json.placeholder, 111);
});

test('with --reward a look-up prints that redeem_url and nothing else', async () => {
  const { code, stdout } = await lookup('--placeholder', '111', '--reward', '2');
  assert.equal(code, 0);
  assert.equal(stdout, `${redeemUrl(111, 2)}\n`);
  const missing = await lookup('--reward', '3');
  assert.equal(missing.code, 1);
  assert.equal(missing.stdout, '', 'no script takes an excuse for an address');
  assert.match(missing.stderr, /no such reward/);
});

test('redeem replaces the text order_id=<placeholder> wherever it stands, and calls by GET', async () => {
  const { code } = await redeem();
  assert.equal(code, 0);
  assert.equal(seen[0].method, 'GET');
  assert.equal(seen[0].url, '/oseries/abc/redeem?t=token1&order_id=77');
  const trap = `${url}/redeem?kounta_order_id=1119&order_id=111`;
  const twice = await run(TILLSIM, ['redeem', '--url', trap, '--order', '77', '--json']);
  assert.equal(seen[1].url, '/oseries/abc/redeem?kounta_order_id=779&order_id=77');
  assert.equal(twice.code, 3);
  assert.equal(twice.json.replies[0].verdicts['the address held the placeholder, once'], 'failed');
  await redeem('--placeholder', '999');
  assert.equal(seen[2].url, '/oseries/abc/redeem?t=token1&order_id=111', 'nothing to replace');
});

test('the placeholder can be left in', async () => {
  answer = (res) => reply(res, { success: false, error: 'Open the sale first, then redeem' });
  const { code, stdout } = await run(TILLSIM, ['redeem', '--url', redeemUrl(111), '--keep-placeholder']);
  assert.equal(seen[0].url, '/oseries/abc/redeem?t=token1&order_id=111');
  assert.equal(code, 1);
  assert.match(stdout, /REFUSED {2}Open the sale first/);
});

test('redemptions are repeated, sent at once, and cut off', async () => {
  const again = await redeem('--repeat', '2', '--json');
  assert.equal(again.code, 0);
  assert.equal(again.json.replies_are_identical, true);
  assert.equal(new Set(seen.map((one) => one.url)).size, 1);
  assert.equal((await redeem('--concurrent', '4', '--json')).json.replies.length, 4);
  const dropped = await redeem('--drop-reply', '--repeat', '1', '--json');
  assert.deepEqual(
    dropped.json.replies.map((one) => one.ending),
    ['dropped', 'approved'],
  );
  assert.equal(seen.length, 9);
});

test('anything but JSON crashes the screen, visibly', async () => {
  for (const [body, type] of [
    ['<html>502</html>', 'text/html'],
    ['', 'application/json'],
    ['{"members":{', 'application/json'],
    ["{'members':{}}", 'application/json'],
  ]) {
    answer = (res) => reply(res, body, { type });
    for (const command of [search, lookup, redeem]) {
      const { code, stdout } = await command();
      assert.equal(code, 3, body);
      assert.match(stdout, /NOT JSON: THE REGISTER'S SCREEN WOULD CRASH/);
    }
  }
  assert.equal((await search('--json')).json.replies[0].ending, 'crashed');
});

const withMember = (change) => membersOf({ ...DAVID, ...change });
const withReward = (change) => {
  const body = rewardsOf(111);
  Object.assign(body.rewards[1], change);
  return body;
};
const FIELDS = 'a member has id, first_name and email_address';
const TYPES = 'what else a member has is of its type';
const URLS = 'redeem_url has order_id=PLACEHOLDER once, last';
const REWARD = 'a reward has id, title and points_required';

test('a search reply that breaks a rule is refused, and the rule is named', async () => {
  const cases = [
    ['status is 200', membersOf(DAVID), { status: 500 }],
    ['content type is JSON', membersOf(DAVID), { type: 'text/html' }],
    ['body is an object', '[]'],
    ['members is an object', { members: [] }],
    ['members is an object', { members: null }],
    ['members is an object', {}],
    ['every member stands under its own id', { members: { 'M-9': DAVID } }],
    [FIELDS, { members: { 'M-1': null } }],
    [FIELDS, withMember({ first_name: null })],
    [FIELDS, withMember({ first_name: undefined })],
    [FIELDS, withMember({ email_address: null })],
    [FIELDS, withMember({ email_address: undefined })],
    [FIELDS, { members: { 7: { ...DAVID, id: 7 } } }],
    [FIELDS, { members: { '': { ...DAVID, id: '' } } }],
    [FIELDS, membersOf(DAVID, { ...JANE, first_name: null })],
    [TYPES, withMember({ last_name: 7 })],
    [TYPES, withMember({ current_points: '4 hundred' })],
    [TYPES, withMember({ icon_url: [] })],
    [TYPES, withMember({ params: [] })],
    ['a refusal says why, and nothing else has an error', { error: ' ' }],
  ];
  for (const [rule, body, options] of cases) {
    answer = (res) => reply(res, body, options);
    const { code, json } = await search('--json');
    assert.equal(code, 3, JSON.stringify(body));
    assert.equal(json.replies[0].ending, 'malformed', JSON.stringify(body));
    assert.equal(json.replies[0].verdicts[rule], 'failed', `${rule}: ${JSON.stringify(body)}`);
  }
  answer = (res) => reply(res, withMember({ last_name: null, current_points: 420 }));
  assert.equal((await search()).code, 0, 'what is optional may be null, points a number');
});

test('a look-up reply that breaks a rule is refused, and the rule is named', async () => {
  const cases = [
    ['member is an object', { rewards: [] }],
    [FIELDS, { ...rewardsOf(111), member: { id: 'M-1' } }],
    ['rewards is an array', { ...rewardsOf(111), rewards: {} }],
    ['rewards is an array', { member: DAVID }],
    [REWARD, withReward({ id: 2 })],
    [REWARD, withReward({ title: '' })],
    [REWARD, withReward({ points_required: '200' })],
    [REWARD, withReward({ points_required: -1 })],
    [REWARD, withReward({ terms: 5 })],
    [URLS, withReward({ redeem_url: null })],
    [URLS, withReward({ redeem_url: `/redeem?order_id=111` })],
    [URLS, withReward({ redeem_url: redeemUrl(112) })],
    [URLS, withReward({ redeem_url: `${redeemUrl(111)}&t=2` })],
    [URLS, withReward({ redeem_url: `${url}/redeem?order_id=111&order_id=111` })],
    [URLS, withReward({ redeem_url: `${url}/redeem?kounta_order_id=111` })],
  ];
  for (const [rule, body] of cases) {
    answer = (res) => reply(res, body);
    const { code, json } = await lookup('--placeholder', '111', '--json');
    assert.equal(code, 3, JSON.stringify(body));
    assert.equal(json.replies[0].verdicts[rule], 'failed', `${rule}: ${JSON.stringify(body)}`);
  }
  answer = (res) => reply(res, { ...rewardsOf(111), rewards: [] });
  assert.equal((await lookup('--placeholder', '111')).code, 0, 'no reward is an answer');
});

test('a redemption must say whether it succeeded', async () => {
  for (const body of [{}, { success: 'true' }, { success: false }, { success: false, error: '' }]) {
    answer = (res) => reply(res, body);
    assert.equal((await redeem()).code, 3, JSON.stringify(body));
  }
});

test('refusals are told in words, whatever their status', async () => {
  answer = (res) => reply(res, { error: 'Loyalty is switched off' });
  for (const command of [search, lookup]) {
    const { code, stdout } = await command();
    assert.equal(code, 1);
    assert.match(stdout, /REFUSED {2}Loyalty is switched off/);
  }
  answer = (res) => reply(res, { success: false, error: 'Not authorised' }, { status: 401 });
  for (const command of [search, lookup, redeem]) assert.equal((await command()).code, 1);
});

test('GETs are signed over nothing, the query, the path or the address when asked to', async () => {
  const sign = (text) => crypto.createHmac('sha256', 'tok').update(text).digest('hex');
  for (const mode of ['empty', 'query', 'path', 'url']) await redeem('--signature', mode, '--token', 'tok');
  const path = '/oseries/abc/redeem?t=token1&order_id=77';
  assert.deepEqual(
    seen.map((one) => one.headers['x-kounta-signature']),
    ['', path.split('?')[1], path, base + path].map(sign),
  );
});

test('loyalty walks from the keyword to the order, with one placeholder', async () => {
  const { code, stdout } = await walk();
  assert.equal(code, 0, stdout);
  const [asked, offered, redeemed] = seen.map((one) => new URL(one.url, base));
  assert.equal(asked.searchParams.get('keyword'), 'kent');
  assert.equal(offered.searchParams.get('reference_id'), 'M-1');
  assert.equal(offered.searchParams.get('order_id'), asked.searchParams.get('order_id'));
  assert.notEqual(asked.searchParams.get('order_id'), '77');
  assert.equal(redeemed.search, '?t=token2&order_id=77');
  assert.match(stdout, /✔ REDEEMED/);
  assert.doesNotMatch(stdout, /Verdicts/, 'nothing is wrong');
});

test('loyalty picks another member, and says when there is nobody, no reward, or no more to do', async () => {
  await walk('--pick', 'M-2', '--customer', '789');
  const offered = new URL(seen[1].url, base).searchParams;
  assert.equal(offered.get('reference_id'), 'M-2');
  assert.equal(offered.get('customer_id'), '789');
  assert.equal(new URL(seen[0].url, base).searchParams.has('customer_id'), false);
  for (const [more, requests] of [
    [['--pick', 'M-3'], 1],
    [['--reward', '3'], 2],
  ]) {
    seen = [];
    const { code, stderr } = await walk(...more);
    assert.equal(code, 1);
    assert.equal(seen.length, requests);
    assert.match(stderr, /nobody of that id|not so many rewards/);
  }
  seen = [];
  answer = (res) => reply(res, '{"members":{}}');
  assert.equal((await walk()).code, 1);
  answer = (res) => reply(res, 'oops');
  assert.equal((await walk()).code, 3);
  assert.equal(seen.length, 2);
});

test('loyalty repeats and cuts off the redemption only', async () => {
  const { code, json } = await walk('--drop-reply', '--repeat', '1', '--json');
  assert.equal(code, 0);
  assert.deepEqual(
    json.steps.map((step) => [step.action, step.replies.length]),
    [
      ['customer-search', 1],
      ['reward-lookup', 1],
      ['redeem', 2],
    ],
  );
  seen = [];
  await walk('--keep-placeholder');
  const orders = seen.map((one) => new URL(one.url, base).searchParams.get('order_id'));
  assert.equal(new Set(orders).size, 1);
  assert.notEqual(orders[2], '77');
});

test('the sale is shown before and after, from the fake cloud or through the API', async () => {
  const original = {
    id: 77,
    status: 'ON_HOLD',
    total: 45.65,
    price_fixed_variation: 0,
    lines: [{ number: 1, product: { id: 1, name: 'Latte' }, quantity: 2, line_total_ex_tax: 8.18, line_total_tax: 0.82 }],
  };
  order = original;
  const walked = await walk('--cloud', base);
  assert.equal(walked.code, 0);
  assert.deepEqual(
    seen.filter((one) => one.isCloud).map((one) => one.url),
    ['/_cloud/orders/77', '/_cloud/orders/77'],
  );
  assert.match(walked.stdout, /Total +45\.65 → 35\.65/);
  assert.match(walked.stdout, /Money off +0 → -10/);
  assert.match(walked.stdout, /2 × Latte +9\.00/);
  assert.match(walked.stdout, /Notes +→ CP-R1-0f3a9c1b/);

  order = original;
  seen = [];
  const { json } = await redeem('--api', `${base}/v1/`, '--client', 'id:secret', '--json');
  const [first] = seen;
  assert.equal(first.url, '/v1/companies/5678/orders/77.json');
  assert.equal(first.headers.authorization, `Basic ${Buffer.from('id:secret').toString('base64')}`);
  assert.equal(json.order_before.total, 45.65);
  assert.equal(json.order_after.total, 35.65);

  order = null;
  const missing = await redeem('--cloud', `${base}/_cloud`);
  assert.equal(missing.code, 0, 'the redemption went well');
  assert.match(missing.stdout, /the order was not shown \(status 404\)/);
});

test('a wrong command line exits with 2, says why, and sends nothing', async () => {
  const at = ['--url', url];
  const cases = [
    ['customer-search', ...at],
    ['customer-search', ...at, '--keyword', 'a', '--card', '1'],
    ['customer-search', ...at, '--keyword', 'a', '--signature', 'hex', '--token', 't'],
    ['customer-search', ...at, '--keyword', 'a', '--signature', 'query'],
    ['reward-lookup', ...at],
    ['reward-lookup', ...at, '--reference', 'a', '--reward', '0'],
    ['redeem', ...at],
    ['redeem', '--order', '1'],
    ['redeem', ...at, '--order', '1', '--api', base],
    ['redeem', ...at, '--order', '1', '--api', base, '--client', 'a:b', '--cloud', base],
    ['loyalty', ...at, '--keyword', 'a', '--reward', '1'],
    ['loyalty', ...at, '--keyword', 'a', '--order', '1'],
    ['checkout', ...at, '--token', 't', '--card', '1', '--amount', '1', '--keyword', 'a'],
    ['checkout', ...at, '--token', 't', '--card', '1', '--amount', '1', '--signature', 'query'],
  ];
  for (const args of cases) {
    const { code, stderr } = await run(TILLSIM, args);
    assert.equal(code, 2, args.join(' '));
    assert.ok(stderr.length > 0, args.join(' '));
  }
  assert.equal(seen.length, 0);
});

test('long lines are wrapped, and nothing reaches the terminal unescaped', async () => {
  answer = (res) => reply(res, withMember({ intro_text: 'red \u001b[31m alert', params: { Note: 'x'.repeat(30) } }));
  const { stdout } = await search();
  assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f]/);
  const long = stdout.split('\n').filter((line) => [...line].length > 78);
  assert.deepEqual(long, []);
});
