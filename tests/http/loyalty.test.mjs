// Customer search, rewards look-up and redemption at the real binary, with the fake cloud behind it: what a register
// gets, what happens to its orders, and what comes of input that no register would send.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { outsideTheSpec } from './contract.mjs';
import { Loyalty, connect, isNotRedeemed, isRedeemed, startPair } from './loyal.mjs';
import { RawSocket, isJsonReply, newTenant, request, run, sign, temporaryDirectory, until } from './support.mjs';

const SITE = 923;
const OTHER_DIALECT = {
  loyalty: {
    request: { keyword: ['q'], order_id: ['sale'] },
    search: {
      wrapper: 'people',
      points: 'integer',
      member: [
        { name: 'code', value: 'member' },
        { name: 'current_points', value: 'points' },
      ],
    },
    lookup: { points: 'string' },
    rewards: { wrapper: 'gifts' },
    redeem: {
      failure: [
        { name: 'ok', value: 'success' },
        { name: 'why', value: 'error' },
        { name: 'what', value: 'code' },
      ],
    },
  },
};
let service, cloud, tenant, shop, david, jane, ten, fifth, coffee, dear;

before(async () => {
  const profiles = temporaryDirectory();
  fs.writeFileSync(path.join(profiles, 'other.json'), JSON.stringify(OTHER_DIALECT));
  ({ service, cloud } = await startPair(undefined, { env: { COUNTERPART_PROFILES: profiles } }));
  tenant = await newTenant(service);
  await connect(service, cloud, tenant);
  shop = new Loyalty(service, cloud, tenant);
  david = await shop.addMember({
    points: 100_000,
    settings: ['--phone', '0400 000 000', '--tier', 'Gold', '--intro-text', 'Gold member since 2021'],
  });
  jane = await shop.addMember({ first: 'Jane', last: 'Doe', points: 50 });
  ten = await shop.addReward({ title: '$10 off', settings: ['--terms', 'Once per visit'] });
  fifth = await shop.addReward({ title: '20 percent off', points: 150, effect: 'percent_off:20' });
  coffee = await shop.addReward({ title: 'Free latte', points: 200, effect: 'product:7302' });
  dear = await shop.addReward({ title: 'Dinner', points: 5_000_000, effect: 'money_off:40.00' });
});
after(async () => {
  await service.verifyIsClean();
  await service.stop();
  await cloud.stop();
});

const newOrder = (more = {}) => cloud.order({ site_id: SITE, ...more });
const orderNow = (order) => cloud.control('GET', `/orders/${order.id}`);
const pointsOf = async (member) => {
  const { points, held } = await shop.points(member);
  return { points, held };
};

/** Runs something that must not move the points of David. */
async function nothingMoves(run) {
  const before = await pointsOf(david);
  await run();
  assert.deepEqual(await pointsOf(david), before);
}

// --- customer-search -----------------------------------------------------------------------------

test('a search tells members keyed by their id, with everything a register requires', async () => {
  const reply = await shop.search('David Kent');
  isJsonReply(reply);
  assert.equal(reply.status, 200);
  assert.deepEqual(reply.json, {
    members: {
      [david.code]: {
        id: david.code,
        first_name: 'David',
        last_name: 'Kent',
        email_address: 'david.kent@example.com',
        current_points: String((await pointsOf(david)).points),
        points_label: 'Points',
        intro_text: 'Gold member since 2021',
        params: { Tier: 'Gold', Phone: '0400 000 000' },
      },
    },
  });
  assert.equal(reply.headers['cache-control'], 'no-store');
});

test('nobody found is an empty object, and so is nothing typed', async () => {
  for (const keyword of ['Nobody At All', '', '   ', '%', '---']) {
    const reply = await shop.search(keyword);
    isJsonReply(reply);
    assert.equal(reply.text, '{"members":{}}', `keyword '${keyword}'`);
  }
  const bare = await shop.get('customer-search', {});
  assert.equal(bare.text, '{"members":{}}');
});

test('a search goes as GET with the URL as it is documented, and as POST in a form or JSON', async () => {
  const query = `keyword=david%20KENT&site_id=${SITE}&company_id=${tenant.company}&order_id=111&register_id=9`;
  const base = `${service.origin}${tenant.base}/customer-search`;
  const replies = [
    await request(`${base}?${query}`, { method: 'GET' }),
    await request(base, { body: query, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }),
    await request(base, { body: JSON.stringify({ keyword: 'david kent', company_id: tenant.company }) }),
    await request(`${base}?keyword=nobody&company_id=1`, {
      body: JSON.stringify({ keyword: 'david kent', company_id: String(tenant.company) }), // the body wins
    }),
  ];
  for (const reply of replies) {
    isJsonReply(reply);
    assert.deepEqual(Object.keys(reply.json.members ?? {}), [david.code], reply.text);
  }
  const head = await request(`${base}?${query}`, { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.text, '');
});

test('at most 20 members are told, and never more than 64 KiB', async () => {
  const long = 'x'.repeat(190);
  for (let i = 0; i < 25; i++)
    await shop.addMember({ first: 'Crowd', last: `Member${i}`, settings: ['--intro-text', long] });
  const reply = await shop.search('crowd');
  isJsonReply(reply);
  assert.equal(Object.keys(reply.json.members).length, 20);
  assert.ok(reply.body.length <= 64 * 1024);
});

// --- reward-lookup -------------------------------------------------------------------------------

test('a look-up tells the member with integer points and every active reward, also the dear ones', async () => {
  const reply = await shop.lookup(david, { order: 4711 });
  isJsonReply(reply);
  assert.equal(reply.json.member.id, david.code);
  assert.equal(reply.json.member.current_points, (await pointsOf(david)).points);
  assert.deepEqual(
    reply.json.rewards.map(({ redeem_url, ...reward }) => reward),
    [
      { id: `R${ten.id}`, title: '$10 off', terms: 'Once per visit', points_required: 100 },
      { id: `R${fifth.id}`, title: '20 percent off', terms: '', points_required: 150 },
      { id: `R${coffee.id}`, title: 'Free latte', terms: '', points_required: 200 },
      { id: `R${dear.id}`, title: 'Dinner', terms: '', points_required: 5_000_000 },
    ],
  );
});

test('order_id=<placeholder> stands in a redeem_url once, last, and nowhere else', async () => {
  for (const order of ['1', '111', '007', '2802065908', '9'.repeat(21), 'PLACEHOLDER', 'sale_id', '-5', 'x'.repeat(64)]) {
    const { json } = await shop.lookup(david, { order });
    for (const { redeem_url: url } of json.rewards) {
      assert.ok(url.startsWith(`${service.origin}${tenant.base}/redeem?t=`), url);
      assert.ok(url.endsWith(`&order_id=${order}`), url);
      assert.equal(url.split('order_id').length, 2, url);
      assert.equal(url.split('=').length, 3, url);
    }
    if (!/^\d+$/.test(order)) // else it may be a sale
      await nothingMoves(async () => isNotRedeemed(await request(json.rewards[0].redeem_url, { method: 'GET' }), /No sale/));
  }
});

test('a placeholder that is none becomes 0, which redeems nothing', async () => {
  const warned = () => service.events.filter(({ event }) => event === 'placeholder_refused').length;
  const before = warned();
  const others = ['', '{order_id}', '1&t=x', '1.0', 'a b', 'x'.repeat(65)];
  for (const order of others) {
    const { json } = await shop.lookup(david, { order });
    for (const { redeem_url: url } of json.rewards) assert.match(url, /&order_id=0$/, `placeholder '${order}'`);
    await nothingMoves(async () => isNotRedeemed(await request(json.rewards[0].redeem_url, { method: 'GET' }), /No sale/));
  }
  await until('each to be told of', () => warned() >= before + others.length);
});

test('a member is found by code, by number, by the customer it is linked to, by an address nobody shares', async () => {
  const found = async (parameters) => {
    const reply = await shop.get('reward-lookup', { company_id: tenant.company, order_id: 1, ...parameters });
    isJsonReply(reply);
    return reply.json.member?.id ?? reply.json.error;
  };
  assert.equal(await found({ reference_id: david.code }), david.code);
  assert.equal(await found({ reference_id: String(david.id) }), david.code);
  assert.equal(await found({ customer_id: 389427 }), 'M-1', 'by its reference_id');
  const sample = await shop.addMember({ first: 'Sample', last: 'Guest', email: 'Sample.Guest@example.com' });
  assert.equal(await found({ customer_id: 389429 }), sample.code, 'by its address');
  assert.equal(await found({ reference_id: 'unknown', customer_id: 389429 }), sample.code);
  await shop.addMember({ first: 'Sample', last: 'Twin', email: 'sample.guest@example.com' });
  assert.match(await found({ customer_id: 389429 }), /not a member/, 'two share it');
  assert.match(await found({ customer_id: 389430 }), /not a member/, 'no reference and no address');
  assert.match(await found({ customer_id: 1 }), /not a member/, 'no such customer');
  assert.match(await found({ reference_id: 'M-999999' }), /not a member/);
  assert.match(await found({ reference_id: 'x'.repeat(300) }), /not a member/);
  assert.match(await found({}), /No member was chosen/);
});

test('an API that is away is said in time, and a member that was switched off is told so', async () => {
  await cloud.faults({ match: { path: '/customers/' }, action: 'hang', ms: 8000, drop: true, count: 1 });
  const begun = Date.now();
  const slow = await shop.get('reward-lookup', { customer_id: 389427 });
  isJsonReply(slow);
  assert.match(slow.json.error, /not available/);
  assert.ok(Date.now() - begun < 5500);
  await cloud.control('DELETE', '/faults');
  const gone = await shop.addMember({ first: 'Gone', last: 'Away' });
  await service.must(['member', 'disable', '--tenant', String(tenant.id), '--member', gone.code]);
  assert.match((await shop.lookup(gone)).json.error, /switched off/);
  assert.equal((await shop.search('gone away')).text, '{"members":{}}');
});

// --- redeem --------------------------------------------------------------------------------------

test('money off, percent off and a free product visibly change the order', async () => {
  const before = await pointsOf(david);
  const money = await newOrder();
  isRedeemed(await shop.redeem(david, ten, money.id));
  const cheaper = await orderNow(money);
  assert.equal(cheaper.total, money.total - 10);
  assert.match(cheaper.notes, /^\$10 off \(CP-R\d+-[0-9a-f]{8}\)$/);

  const percent = await newOrder({ notes: 'Window seat' });
  isRedeemed(await shop.redeem(david, fifth, percent.id));
  const reduced = await orderNow(percent);
  assert.equal(reduced.total, percent.total * 0.8);
  assert.match(reduced.notes, /^Window seat; 20 percent off \(CP-R\d+-[0-9a-f]{8}\)$/);

  const product = await newOrder();
  isRedeemed(await shop.redeem(david, coffee, product.id));
  const richer = await orderNow(product);
  assert.equal(richer.total, product.total);
  assert.equal(richer.lines.length, product.lines.length + 1);
  assert.equal(richer.lines.at(-1).product.id, 7302);
  assert.match(richer.lines.at(-1).notes, /^Free latte \(CP-R\d+-[0-9a-f]{8}\)$/);
  assert.deepEqual(await pointsOf(david), { points: before.points - 450, held: 0 });
});

test('money off is worth its money on an order that has a percentage off already', async () => {
  const order = await newOrder();
  const halved = await cloud.control('PUT', `/orders/${order.id}`, { price_variation: 0.5 });
  isRedeemed(await shop.redeem(david, ten, order.id));
  assert.equal((await orderNow(order)).total, halved.total - 10);
});

test('a discount that Lightspeed says yes to and ignores goes onto a line, or burns nothing', async () => {
  await cloud.settings({ ignore_variations: true });
  try {
    for (const [reward, off] of [[ten, 10], [fifth, 9]]) {
      const order = await newOrder({ notes: 'Window seat' });
      isRedeemed(await shop.redeem(david, reward, order.id));
      const changed = await orderNow(order);
      assert.equal(order.total, 45);
      assert.equal(changed.total, order.total - off);
      assert.deepEqual([changed.price_variation, changed.price_fixed_variation], [1, 0], 'the order as such');
      assert.equal(changed.notes, 'Window seat', 'no mark is left without its discount');
      assert.match(changed.lines[0].notes, /\(CP-R\d+-[0-9a-f]{8}\)$/);
    }
    const small = await newOrder({ lines: Array.from({ length: 3 }, () => ({ product_id: 7302 })) });
    await nothingMoves(async () => {
      const refused = await shop.redeem(david, ten, small.id);
      isNotRedeemed(refused, /^Lightspeed did not take the discount\. Nothing was redeemed$/);
      await until('the log to say so', () =>
        service.events.some(
          ({ event, order_id, step }) =>
            event === 'redemption_discount_ignored' && order_id === small.id && step === 'put_order',
        ),
      );
    });
    const { total, notes } = await orderNow(small);
    assert.deepEqual([total, notes], [small.total, small.notes]);
  } finally {
    await cloud.settings({ ignore_variations: false });
  }
});

test('the same tap again says the same and changes nothing; on another order it is refused', async () => {
  const order = await newOrder(), other = await newOrder();
  const link = await shop.redeemUrl(david, ten);
  isRedeemed(await shop.tap(link, order.id));
  const changed = await orderNow(order);
  await nothingMoves(async () => {
    for (let i = 0; i < 3; i++) isRedeemed(await shop.tap(link, order.id));
    isNotRedeemed(await shop.tap(link, other.id), /another sale/);
  });
  assert.deepEqual(await orderNow(order), changed);
  assert.deepEqual(await orderNow(other), other);
});

test('taps at once redeem once', async () => {
  const order = await newOrder();
  const before = await pointsOf(david);
  const link = await shop.redeemUrl(david, ten);
  for (const reply of await Promise.all(Array.from({ length: 10 }, () => shop.tap(link, order.id)))) isRedeemed(reply);
  assert.deepEqual(await pointsOf(david), { points: before.points - 100, held: 0 });
  assert.equal((await orderNow(order)).price_fixed_variation, -10);
});

test('several rewards go onto one order, one after the other', async () => {
  const order = await newOrder();
  isRedeemed(await shop.redeem(david, ten, order.id));
  isRedeemed(await shop.redeem(david, ten, order.id));
  const { price_fixed_variation: off, notes } = await orderNow(order);
  assert.equal(off, -20);
  assert.match(notes, /^\$10 off \(CP-R\d+-[0-9a-f]{8}\); \$10 off \(CP-R\d+-[0-9a-f]{8}\)$/);
});

test('POST redeems like GET, HEAD does not', async () => {
  const order = await newOrder();
  const { url, placeholder } = await shop.redeemUrl(david, ten);
  const real = url.replace(placeholder, `order_id=${order.id}`);
  await nothingMoves(async () => {
    const head = await request(real, { method: 'HEAD' });
    assert.equal(head.status, 405);
    assert.equal(head.headers.allow, 'GET, POST');
    const put = await request(real, { method: 'PUT' });
    assert.equal(put.status, 405);
    assert.equal(put.headers.allow, 'GET, HEAD, POST');
  });
  const token = new URL(url).searchParams.get('t');
  const bare = url.split('?')[0];
  isRedeemed(await request(bare, { body: new URLSearchParams({ t: token, order_id: String(order.id) }).toString() }));
  isRedeemed(await request(`${bare}?t=x&order_id=5`, { body: JSON.stringify({ t: token, order_id: order.id }) }));
});

test('what Lightspeed says goes into the log, under the request, and not to the cashier', async () => {
  const logged = (event, reply) =>
    until(`${event} in the log`, () =>
      service.events.find((line) => line.event === event && line.request_id === Number(reply.headers['x-request-id'])),
    );
  const order = await newOrder();
  const link = await shop.redeemUrl(david, ten);
  const body = { error: 'invalid_grant', error_description: 'The access grant said something.' };
  for (const [status, sentence] of [[409, /^This sale cannot be changed now/], [403, /does not let us change this sale/]]) {
    await cloud.faults({ match: { method: 'PUT', path: '/orders/' }, action: 'status', status, body, count: 1 });
    const refused = await shop.tap(link, order.id);
    isNotRedeemed(refused, sentence);
    const failed = await logged('redemption_api_failed', refused);
    assert.deepEqual([failed.step, failed.status, failed.api_sentence], ['put_order', status, body.error_description]);
    const line = await logged('redemption', refused);
    assert.deepEqual([line.outcome, line.error, line.sentence], ['refused', '', refused.json.error]);
  }
  for (const again of [false, true]) {
    const done = await shop.tap(link, order.id);
    isRedeemed(done);
    const line = await logged('redemption', done);
    assert.deepEqual([line.outcome, line.reserving, line.sentence], ['redeemed', again ? 'already_done' : 'ok', '']);
  }
  const gone = await shop.addReward({ title: 'Gone product', effect: 'product:999999' });
  isNotRedeemed(await shop.redeem(david, gone, (await newOrder()).id), /product of this reward cannot be added/);
  await service.must(['reward', 'disable', '--tenant', String(tenant.id), '--reward', String(gone.id)]);
});

test('too few points, closed, deleted and unknown orders, other sites: success false, points untouched', async () => {
  const open = await newOrder();
  isNotRedeemed(await shop.redeem(jane, ten, open.id), /Not enough points/);
  assert.deepEqual(await pointsOf(jane), { points: 50, held: 0 });
  await nothingMoves(async () => {
    const unreplaced = await shop.redeemUrl(david, ten, 111);
    isNotRedeemed(await request(unreplaced.url, { method: 'GET' }), /not known yet/);
    const closed = await newOrder();
    await cloud.control('POST', `/orders/${closed.id}/complete`, {});
    isNotRedeemed(await shop.redeem(david, ten, closed.id), /closed/);
    const deleted = await newOrder();
    await cloud.control('POST', `/orders/${deleted.id}/delete`, {});
    isNotRedeemed(await shop.redeem(david, ten, deleted.id), /deleted|not known/);
    const small = await newOrder({ lines: [{ product_id: 7301 }] });
    isNotRedeemed(await shop.redeem(david, ten, small.id), /Less is left to pay/);
    const elsewhere = await shop.redeemUrl(david, ten);
    const real = elsewhere.url.replace(elsewhere.placeholder, `site_id=924&order_id=${open.id}`);
    isNotRedeemed(await request(real, { method: 'GET' }), /another site/);
    for (const order of ['0', '-1', 'abc', '', '1e5', '99999999999999999999'])
      isNotRedeemed(await shop.tap(await shop.redeemUrl(david, ten), order), /No sale/);
  });
  assert.deepEqual(await orderNow(open), open);
});

test('an API that is down leaves points and order alone, and the same link works afterwards', async () => {
  const order = await newOrder();
  const link = await shop.redeemUrl(david, ten);
  await nothingMoves(async () => {
    for (const rule of [{ action: 'drop_before' }, { action: 'status', status: 503 }, { action: 'html' }]) {
      await cloud.faults({ match: { path: '/orders/' }, ...rule });
      isNotRedeemed(await shop.tap(link, order.id), /does not answer/);
      await cloud.control('DELETE', '/faults');
    }
  });
  assert.deepEqual(await orderNow(order), order);
  isRedeemed(await shop.tap(link, order.id));
});

test('changed, then timed out: the order is read back and the points are burned', async () => {
  const before = await pointsOf(david);
  const order = await newOrder();
  await cloud.faults({ match: { method: 'PUT', path: '/orders/' }, action: 'drop_after', count: 1 });
  isRedeemed(await shop.redeem(david, ten, order.id));
  assert.deepEqual(await pointsOf(david), { points: before.points - 100, held: 0 });
  assert.equal((await orderNow(order)).price_fixed_variation, -10);
  await cloud.control('DELETE', '/faults');
});

test('a change that may still arrive is told as not confirmed, and settled by two reads', async () => {
  const before = await pointsOf(david);
  const order = await newOrder();
  const link = await shop.redeemUrl(david, ten);
  await cloud.faults({ match: { method: 'PUT', path: '/orders/' }, action: 'drop_before', count: 1 });
  isNotRedeemed(await shop.tap(link, order.id), /Not confirmed yet/);
  assert.deepEqual(await pointsOf(david), { points: before.points, held: 100 });
  assert.equal((await shop.search('david kent')).json.members[david.code].current_points, String(before.points - 100));
  isNotRedeemed(await shop.tap(link, order.id), /Not confirmed yet/);
  isNotRedeemed(await shop.redeem(david, fifth, order.id), /Another reward/);
  await until('it to be settled', async () => (await pointsOf(david)).held === 0, 30_000);
  assert.deepEqual(await pointsOf(david), before);
  await cloud.control('DELETE', '/faults');
  isRedeemed(await shop.tap(link, order.id));
});

test('an API that knows no variation of an order gets one of a line', async () => {
  const order = await newOrder();
  await cloud.faults({
    match: { method: 'PUT', path: `/orders/${order.id}` },
    action: 'status',
    status: 400,
    body: { error: 'bad_request', error_description: 'Unknown field.' },
    count: 1,
  });
  isRedeemed(await shop.redeem(david, ten, order.id));
  const changed = await orderNow(order);
  assert.equal(changed.price_fixed_variation, 0);
  assert.equal(changed.lines[0].price_fixed_variation, -10);
  assert.match(changed.lines[0].notes, /CP-R\d+-[0-9a-f]{8}/);
  await cloud.control('DELETE', '/faults');
});

test('kill -9 in the middle loses nothing: the restarted service settles what it finds', async (t) => {
  const before = await pointsOf(david);
  const orders = await Promise.all(Array.from({ length: 8 }, () => newOrder()));
  const links = await Promise.all(orders.map(() => shop.redeemUrl(david, ten)));
  await cloud.faults({ match: { method: 'PUT', path: '/orders/' }, action: 'hang', when: 'after', ms: 3000 });
  const taps = orders.map((order, i) => shop.tap(links[i], order.id).catch(() => undefined));
  await until('the orders to be changed', async () =>
    (await Promise.all(orders.map(orderNow))).every(({ notes }) => /CP-R/.test(notes)),
  );
  await service.kill();
  await Promise.all(taps);
  await cloud.control('DELETE', '/faults');
  await service.restart();
  t.diagnostic('restarted');
  isRedeemed(await shop.tap(links[0], orders[0].id)); // the order shows it
  await until('the rest to be settled', async () => (await pointsOf(david)).held === 0, 30_000);
  assert.deepEqual(await pointsOf(david), { points: before.points - 800, held: 0 });
});

test('points may wait for the order to complete', async () => {
  const other = await newTenant(service, { company: 6789 });
  await connect(service, cloud, other);
  await other.set('--points-burn', 'on_order_complete');
  const branch = new Loyalty(service, cloud, other);
  const member = await branch.addMember({ first: 'Other', last: 'Shopper', points: 300 });
  const reward = await branch.addReward({ effect: 'money_off:2.00' });
  const order = await cloud.order({ site_id: 1923, lines: [{ product_id: 8301 }] });
  const link = await branch.redeemUrl(member, reward);
  isRedeemed(await branch.tap(link, order.id));
  isRedeemed(await branch.tap(link, order.id));
  const { points, held } = await branch.points(member);
  assert.deepEqual({ points, held }, { points: 300, held: 100 });
  assert.equal((await orderNow(order)).price_fixed_variation, -2);
});

// --- tokens --------------------------------------------------------------------------------------

const part = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

test('forged, altered, swapped and unsigned tokens redeem nothing and learn nothing', async () => {
  const order = await newOrder();
  const { url } = await shop.redeemUrl(david, ten);
  const token = new URL(url).searchParams.get('t');
  const [head, claims, signature] = token.split('.');
  const header = JSON.parse(Buffer.from(head, 'base64url')), said = JSON.parse(Buffer.from(claims, 'base64url'));
  const hmac = (text, key) => crypto.createHmac('sha256', key).update(text).digest('base64url');
  const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  const rs = `${part({ ...header, alg: 'RS256' })}.${claims}`;
  const forged = [
    '',
    'x',
    'a.b.c',
    '..',
    `${head}.${claims}`,
    `${head}.${claims}.`,
    `${head}.${claims}.${signature.slice(0, -2)}AA`,
    `${part({ ...header, alg: 'none' })}.${claims}.`,
    `${part({ ...header, alg: 'none' })}.${claims}.${signature}`,
    `${part({ ...header, alg: 'None' })}.${claims}.`,
    `${head}.${part({ ...said, reward: dear.id })}.${signature}`,
    `${head}.${part({ ...said, member: jane.id })}.${signature}`,
    `${head}.${part({ ...said, exp: said.exp + 1000 })}.${signature}`,
    `${part({ ...header, alg: 'HS256' })}.${claims}.${hmac(`${part({ ...header, alg: 'HS256' })}.${claims}`, pem)}`,
    `${rs}.${crypto.sign('RSA-SHA256', Buffer.from(rs), privateKey).toString('base64url')}`,
    `${rs}.${hmac(rs, pem)}`,
    `${head}.${claims}.${hmac(`${head}.${claims}`, '')}`,
    `${part({ ...header, kid: '2' })}.${claims}.${signature}`,
    'e'.repeat(5000),
  ];
  await nothingMoves(async () => {
    for (const t of forged) {
      const reply = await shop.get('redeem', { t, order_id: order.id });
      isNotRedeemed(reply, /link is not valid/);
    }
  });
  assert.deepEqual(await orderNow(order), order);
});

test('a token of one merchant is nothing at another', async () => {
  const order = await newOrder();
  const other = await newTenant(service, { company: 999 });
  const { url } = await shop.redeemUrl(david, ten);
  await nothingMoves(async () => {
    const swapped = url.replace(tenant.key, other.key).replace(/order_id=\d+$/, `order_id=${order.id}`);
    isNotRedeemed(await request(swapped, { method: 'GET' }), /link is not valid/);
  });
});

test('an expired token redeems nothing', async () => {
  const other = await newTenant(service, { company: 888 });
  const branch = new Loyalty(service, cloud, other);
  const member = await branch.addMember({ points: 500 });
  // Shorter than a merchant may choose.
  await service.sql(`UPDATE tenant SET redeem_token_us = 1000000 WHERE id = ${other.id}`);
  await tenant.set('--name', 'Loyal Coffee'); // loads all tenants anew
  const reward = await branch.addReward();
  const link = await branch.redeemUrl(member, reward);
  await new Promise((resolve) => setTimeout(resolve, 2100));
  isNotRedeemed(await branch.tap(link, 5), /expired/);
  assert.equal((await branch.points(member)).points, 500);
});

test('without a connection a redemption says so and moves nothing', async () => {
  const other = await newTenant(service, { company: 777 });
  const branch = new Loyalty(service, cloud, other);
  const member = await branch.addMember({ points: 500 });
  const reward = await branch.addReward();
  isNotRedeemed(await branch.redeem(member, reward, 5), /not connected/);
  const { points, held } = await branch.points(member);
  assert.deepEqual({ points, held }, { points: 500, held: 0 });
});

// --- who is calling ------------------------------------------------------------------------------

test('a wrong key is 401, another company 403, an unmapped site and a switched-off action a sentence', async () => {
  const stranger = await request(`${service.origin}/oseries/${'0'.repeat(32)}/customer-search?keyword=david`, { method: 'GET' });
  isJsonReply(stranger);
  assert.equal(stranger.status, 401);
  const wrong = await shop.search('david', { company_id: tenant.company + 1 });
  isJsonReply(wrong);
  assert.equal(wrong.status, 403);
  assert.match(wrong.json.error, /another company/);
  const strict = await newTenant(service, { company: 666 });
  const branch = new Loyalty(service, cloud, strict);
  const member = await branch.addMember();
  const reward = await branch.addReward();
  await strict.set('--sites-must-be-mapped', 'on');
  for (const reply of [await branch.search('david'), await branch.lookup(member)]) {
    isJsonReply(reply);
    assert.match(reply.json.error, /not set up/);
  }
  await strict.addSite({ site: SITE });
  assert.equal(Object.keys((await branch.search('david')).json.members).length, 1);
  const link = await branch.redeemUrl(member, reward);
  await strict.set('--customer-search', 'off', '--reward-lookup', 'off', '--redeem', 'off');
  assert.match((await branch.search('david')).json.error, /switched off/);
  assert.match((await branch.lookup(member)).json.error, /switched off/);
  isNotRedeemed(await branch.tap(link, 5), /switched off/);
});

test('a signature on a GET is not asked for, and what it is over is logged', async () => {
  const target = `${tenant.base}/customer-search?keyword=logged`;
  const over = {
    empty: '',
    query: 'keyword=logged',
    path: target,
    url: `${service.origin}${target}`,
  };
  for (const [name, text] of Object.entries(over)) {
    const reply = await service.get(target, { headers: { 'X-Kounta-Signature': sign(text) } });
    assert.equal(reply.text, '{"members":{}}');
    const event = await until(`the log to say ${name}`, () =>
      service.events.find((line) => line.event === 'loyalty_signature' && line.over === name),
    );
    assert.equal(event.verdict, 'valid');
    assert.equal(event.token, 'current');
    assert.equal(event.spelling, 'hex');
  }
  const base64 = Buffer.from(sign('keyword=logged'), 'hex').toString('base64');
  await service.get(target, { headers: { 'X-Kounta-Signature': base64 } });
  await until('base64', () => service.events.some((line) => line.spelling === 'base64' && line.over === 'query'));
  await service.get(target, { headers: { 'X-Kounta-Signature': '0'.repeat(64) } });
  await until('wrong', () => service.events.some((line) => line.event === 'loyalty_signature' && line.verdict === 'wrong'));
});

test('where signatures are enforced, no signature is 401', async () => {
  const strict = await newTenant(service, { company: 555 });
  await strict.set('--loyalty-signature-mode', 'enforce');
  const target = `${strict.base}/customer-search?keyword=x`;
  assert.equal((await service.get(target)).status, 401);
  assert.equal((await service.get(target, { headers: { 'X-Kounta-Signature': sign('else') } })).status, 401);
  assert.equal((await service.get(target, { headers: { 'X-Kounta-Signature': sign('keyword=x') } })).status, 200);
  const base64 = Buffer.from(sign('keyword=x'), 'hex').toString('base64');
  assert.equal((await service.get(target, { headers: { 'X-Kounta-Signature': base64 } })).status, 401);
  const body = JSON.stringify({ keyword: 'x' });
  const post = (token) =>
    request(`${service.origin}${strict.base}/customer-search`, { body, headers: { 'X-Kounta-Signature': sign(body, token) } });
  assert.equal((await post()).status, 200);
  assert.equal((await post('another')).status, 401);
  const headers = { 'X-Kounta-Signature': sign('') };
  assert.equal((await request(`${service.origin}${strict.base}/customer-search`, { body, headers })).status, 401);
});

// --- input that no register would send -----------------------------------------------------------

test('keywords of every kind get JSON and move nothing', async () => {
  const keywords = [
    'x'.repeat(10_240),
    'é'.repeat(5_000),
    `'; DROP TABLE member; --`,
    `' OR 1=1 --`,
    '<script>alert(1)</script>',
    '"}]}',
    '%B6036280000012345^KENT/DAVID^?;6036280000012345=?',
    'a\u0007b',
    '\ud83c\udf82',
    '*', '_', 'a*', 'a"b', 'NEAR(a b)', '-david', 'david OR kent',
    ' '.repeat(1000),
    Array.from({ length: 500 }, (_, i) => `w${i}`).join(' '),
  ];
  await nothingMoves(async () => {
    for (const keyword of keywords) {
      const reply = await shop.search(keyword);
      isJsonReply(reply, keyword.slice(0, 40));
      assert.equal(reply.status, 200, reply.text);
      assert.ok('members' in reply.json, reply.text);
    }
  });
  assert.equal(Object.keys((await shop.search('david kent')).json.members).length, 1, 'the table is still there');
});

test('broken encodings are refused with a sentence, in JSON', async () => {
  const base = `${tenant.base}/customer-search`;
  const broken = ['keyword=%', 'keyword=%4', 'keyword=%zz', 'keyword=a%00b', 'keyword=a&keyword=b', 'company_id=x', 'site_id=-1'];
  for (const query of broken) {
    const reply = await service.get(`${base}?${query}`);
    isJsonReply(reply, query);
    assert.equal(reply.status, 200, query);
    assert.deepEqual(Object.keys(reply.json), ['error'], query);
  }
  assert.match((await service.get(`${base}?keyword=a%00b`)).json.error, /a NUL/);
  const latin1 = await service.get(`${base}?keyword=Zo%EB`);
  isJsonReply(latin1);
  assert.equal(latin1.status, 200);
  for (const body of ['{"keyword":', '[1]', '{"keyword":"a","keyword":"b"}', '%zz']) {
    const reply = await request(service.origin + base, { body });
    isJsonReply(reply, body);
    assert.ok([200, 400].includes(reply.status), body);
  }
  const raw = await RawSocket.connect(service.port);
  await raw.write(`GET ${base}?keyword=\x80\xff HTTP/1.1\r\nHost: t\r\n\r\n`);
  const reply = await raw.reply();
  if (reply) isJsonReply(reply);
  raw.destroy();
});

test('neither keywords, names, tokens nor keys are in the logs', async () => {
  const keyword = `secretkeyword${crypto.randomInt(1e9)}`;
  await shop.search(keyword);
  await shop.search(`%B6036${keyword}`);
  await service.get(`${tenant.base}/customer-search?keyword=${keyword}&keyword=${keyword}`);
  await service.get(`${tenant.base}/customer-search?keyword=${keyword}%`);
  await shop.search('david');
  const { url } = await shop.redeemUrl(david, ten);
  await request(url, { method: 'GET' });
  const token = new URL(url).searchParams.get('t');
  for (const secret of [keyword, 'Kent', 'david.kent', '0400 000 000', token, token.split('.')[2], tenant.key])
    assert.ok(!service.log.includes(secret), `the log holds '${secret}'`);
});

test('names of another dialect are a file away', async () => {
  const other = await newTenant(service, { company: 444 });
  const branch = new Loyalty(service, cloud, other);
  const member = await branch.addMember({ points: 50 });
  await branch.addReward();
  await other.set('--profile', 'other');
  const inside = outsideTheSpec(other, 'replies', 'its profile has other names');
  assert.equal(
    (await branch.get('customer-search', { q: 'david' })).text,
    `{"people":{"${member.code}":{"code":"${member.code}","current_points":50}}}`,
  );
  const { json } = await branch.get('reward-lookup', { reference_id: member.code, sale: 111 });
  assert.equal(json.member.current_points, '50');
  assert.match(json.gifts[0].redeem_url, /&sale=111$/);
  const reply = await request(json.gifts[0].redeem_url, { method: 'GET' });
  assert.deepEqual(reply.json, { ok: false, why: 'Not enough points for this reward', what: 'not_enough' });
  inside();
});

test('a refusal has a code that says no, also where the points said yes', async () => {
  await tenant.set('--profile', 'other');
  const inside = outsideTheSpec(tenant, 'replies', 'its profile has other names');
  try {
    const told = async (reward, order) => {
      const { json } = await shop.get('reward-lookup', { reference_id: david.code, sale: 111 });
      const { redeem_url: url } = json.gifts.find(({ id }) => id === `R${reward.id}`);
      const reply = await request(url.replace('sale=111', `sale=${order.id}`), { method: 'GET' });
      return [reply.json.ok, reply.json.what];
    };
    const closed = await newOrder();
    await cloud.control('POST', `/orders/${closed.id}/complete`, {});
    assert.deepEqual(await told(ten, closed), [false, 'not_redeemed']);
    const lost = await newOrder();
    await cloud.faults({ match: { method: 'PUT', path: '/orders/' }, action: 'drop_before', count: 1 });
    assert.deepEqual(await told(ten, lost), [false, 'not_confirmed']);
    await until('it to be settled', async () => (await pointsOf(david)).held === 0);
    assert.deepEqual(await told(dear, lost), [false, 'not_enough']);
  } finally {
    inside();
    await tenant.set('--profile', 'default');
    await cloud.control('DELETE', '/faults');
  }
});
