// The till with a screen, over its /_till address, against the real service and the fake cloud: what a cashier can do,
// every fault, recording and replay, and that the ledger and the orders agree at the end.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startCloud } from './cloud.mjs';
import { Loyalty } from './loyal.mjs';
import { ROOT, RawSocket, TILLSIM, request, run, sign, sleep, temporaryDirectory, until } from './support.mjs';
import { startOwnServer } from './own_server.mjs';
import { manyMore, startCloudWithProducts, startShop, startTill } from './till.mjs';

const GIFT = 'Our Gift Card';
const BREAKFAST = 7308; // 45.00
const LATTE = 7302; // 4.50
let shop, till;

before(async () => {
  shop = await startShop();
  till = await startTill(undefined, argsOf(shop));
});
after(async () => {
  await till.stop();
  await shop.service.verifyIsClean();
  await shop.service.stop();
  await shop.cloud.stop();
});

const argsOf = ({ cloud, url, tenant }) => ['--cloud', cloud.urls.url, '--url', url, '--token', tenant.token];
const issue = (amount = '100.00', more = {}) => shop.tenant.issue({ amount, ...more });
const balanceOf = async ({ number }) => (await shop.tenant.show(number)).balance;
const pay = (reference, amount, more = {}) => till.post('pay', { type: GIFT, reference, amount, ...more });

/** A partner that answers as told: answer(req, res, body, n). */
async function startPartner(t, answer) {
  const seen = [];
  const url = await startOwnServer(t, (res, req, body) => {
    seen.push({ method: req.method, url: req.url, headers: req.headers, body });
    answer(req, res, body, seen.length);
  });
  return { url, seen };
}
const answerJson = (res, body, status = 200) => {
  const text = JSON.stringify(body);
  res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  res.end(text);
};

/** A till of its own at a partner of its own. */
async function tillAt(t, answer, args = []) {
  const partner = await startPartner(t, answer);
  const own = await startTill(t, ['--cloud', shop.cloud.urls.url, '--url', partner.url, '--token', 'T', ...args]);
  return { own, partner };
}

// --- paying ------------------------------------------------------------------------------------------------------------

test('a split payment is finished: part by card, part by a second card that has less, the rest in cash', async () => {
  const [first, second] = [await issue('20.00'), await issue('10.00')];
  let state = await till.order(BREAKFAST);
  assert.equal(state.order.due, '45.00');
  state = await pay(first.number, '20.00');
  assert.deepEqual([state.said.ending, state.said.is_booked, state.order.due], ['approved', true, '25.00']);
  state = await pay(second.number); // all that is due is asked, and less approved
  assert.deepEqual([state.said.amount, state.order.due, state.order.status], ['10.00', '15.00', 'PENDING']);
  assert.match(state.said.text, /\$10\.00 of \$25\.00 approved\. Gift card/);
  await till.refuses(422, 'more_than_due', 'POST', 'pay', { type: GIFT, amount: '15.01', reference: first.number });
  state = await till.post('pay', { type: 'Cash', amount: '20.00' });
  assert.match(state.said.text, /Change: \$5\.00/);
  assert.deepEqual([state.order.due, state.order.status], ['0.00', 'COMPLETE']);
  assert.deepEqual(
    state.order.payments.map(({ method, kind, amount }) => [method, kind, amount]),
    [
      [GIFT, 'partner', '20.00'],
      [GIFT, 'partner', '10.00'],
      ['Cash', 'plain', '15.00'],
    ],
  );
  assert.deepEqual([await balanceOf(first), await balanceOf(second)], ['0.00', '0.00']);
  assert.ok(state.closed_orders.some(({ id }) => id === state.order.id));
  await till.refuses(409, 'no_order', 'POST', 'pay', { type: 'Cash' });
});

test('a refusal is told in the words of the partner, and nothing is booked', async () => {
  const card = await issue('0.00');
  await till.order(LATTE);
  const { result: state, exchanges } = await till.during(() => pay(card.number));
  assert.deepEqual([state.said.ending, state.said.title, state.said.is_booked], ['refused', 'Declined', false]);
  assert.equal(state.said.text, JSON.parse(exchanges[0].reply_body).error);
  assert.equal(state.order.paid, '0.00');
});

test('what is typed, scanned, swiped or checked in reaches the partner as such, and is one card', async () => {
  const card = await issue('100.00');
  const dashed = card.number.replace(/(....)(?=.)/g, '$1-');
  const customer = await shop.cloud.control('POST', '/customers', {
    company_id: 5678,
    first_name: 'Ada',
    email: 'ada@example.com',
    reference_ids: { 'demo-client': card.number },
  });
  let state = await till.post('checkins', { customer_id: customer.id });
  assert.equal(state.customers.find(({ id }) => id === customer.id).is_checked_in, true);
  await till.order(LATTE, LATTE, LATTE, LATTE);
  const stripe = `%B${card.number}^GIFT CARD^4912101?;${card.number}=4912101?`;
  for (const [entry, reference, field, sent, amount] of [
    ['typed', dashed, 'keyword', dashed, '1.00'],
    ['scanned', card.number, 'keyword', card.number, '1.01'],
    ['swiped', card.number, 'keyword', stripe, '1.02'],
    ['swiped', `;${card.number}=4912?`, 'keyword', `;${card.number}=4912?`, '1.03'],
    ['checked_in', card.number, 'reference_id', card.number, '1.04'],
  ]) {
    const { result, exchanges } = await till.during(() => pay(reference, amount, { entry }));
    assert.equal(result.said.ending, 'approved', `${entry}: ${result.said.text}`);
    const body = JSON.parse(exchanges[0].body);
    assert.equal(body[field], sent);
    assert.equal('keyword' in body && 'reference_id' in body, false);
  }
  assert.equal(await balanceOf(card), '94.90');
  state = await till.must('DELETE', `checkins/${customer.id}`);
  assert.equal(state.customers.find(({ id }) => id === customer.id).is_checked_in, false);
  await till.refuses(422, 'bad_value', 'POST', 'pay', { type: GIFT, reference: card.number, entry: 'guessed' });
});

test('a card with a PIN is swiped with the PIN behind the stripe', async () => {
  const card = await issue('30.00', { pin: '4711' });
  const { result, exchanges } = await till.during(() =>
    till.post('check-balance', { reference: `${card.number}*4711`, entry: 'swiped' }),
  );
  assert.equal(result.said.title, 'Balance: $30.00');
  assert.match(JSON.parse(exchanges[0].body).keyword, /^%B\d+\^.*\?;\d+=\d+\?\*4711$/);
});

test('a top-up stands on the order and is still to be paid; pressed again it is there once', async () => {
  const card = await issue('5.00');
  await till.post('orders/close');
  await till.faults({ drop_reply: true });
  let state = await till.post('top-up', { reference: card.number, amount: '50.00' });
  assert.deepEqual([state.said.ending, state.order.due], ['dropped', '0.00']);
  for (let i = 0; i < 2; i++) {
    state = await till.post('top-up', { reference: card.number, amount: '50.00' });
    assert.equal(state.said.ending, 'approved', state.said.text);
    assert.deepEqual([state.order.lines.length, state.order.due], [1, '50.00']);
  }
  assert.deepEqual([state.said.is_booked, state.said.balance], [false, '55.00']);
  assert.equal(state.order.lines[0].name, 'Gift card top-up');
  assert.ok(!state.products.some(({ name }) => name === 'Gift card top-up'));
  state = await till.post('pay', { type: 'Card' });
  assert.equal(state.order.status, 'COMPLETE');
  assert.equal(await balanceOf(card), '55.00');
});

test('a refund gives a payment back on an order of its own, at most what was paid', async () => {
  const card = await issue('60.00');
  let state = await till.order(BREAKFAST);
  const sale = state.order.id;
  await pay(card.number);
  await till.refuses(422, 'bad_value', 'POST', 'refund', { order_id: sale, reference: card.number, amount: '45.01' });
  await till.refuses(404, 'not_found', 'POST', 'refund', { order_id: sale, payment_number: 7, reference: card.number });
  state = await till.post('refund', { order_id: sale, reference: card.number, amount: '12.50' });
  assert.deepEqual([state.said.ending, state.said.is_booked, state.said.balance], ['approved', true, '27.50']);
  const refund = state.closed_orders.find(({ is_refund }) => is_refund);
  assert.deepEqual([refund.total, refund.payments[0].amount, refund.is_deleted], ['-12.50', '-12.50', false]);
  const order = await shop.cloud.control('GET', `/orders/${refund.id}`);
  assert.deepEqual([order.refunded_order_id, order.status], [sale, 'COMPLETE']);
  state = await till.post('refund', { order_id: sale, reference: card.number });
  assert.deepEqual([state.said.ending, state.said.title], ['refused', 'Declined'], 'more than is left of it');
  assert.equal(state.closed_orders.find(({ is_refund }) => is_refund).is_deleted, true);
  assert.equal(await balanceOf(card), '27.50');
});

test('a refund whose answer is lost is the same refund when it is pressed again', async () => {
  const card = await issue('60.00');
  const { order } = await till.order(BREAKFAST);
  await pay(card.number);
  const press = { order_id: order.id, reference: card.number, amount: '10.00' };
  await till.faults({ drop_reply: true });
  assert.equal((await till.post('refund', press)).said.ending, 'dropped');
  const state = await till.post('refund', press);
  assert.deepEqual([state.said.ending, state.said.balance], ['approved', '25.00']);
  assert.equal(await balanceOf(card), '25.00');
});

test('with Require Reference ID off no reference is asked for or sent', async (t) => {
  const { own, partner } = await tillAt(t, (req, res, body) =>
    answerJson(res, { success: true, amount: JSON.parse(body).amount, balance: 0 }),
  );
  await own.configure({ requires_reference: false, needs_grant: false });
  await own.order(LATTE);
  await own.refuses(422, 'bad_value', 'POST', 'pay', { type: GIFT, reference: '1' });
  const state = await own.post('pay', { type: GIFT });
  assert.deepEqual([state.said.ending, state.order.status], ['approved', 'COMPLETE']);
  assert.deepEqual(Object.keys(JSON.parse(partner.seen[0].body)), [
    ...['company_id', 'site_id', 'register_id', 'order_id', 'amount'],
  ]);
});

// --- orders ------------------------------------------------------------------------------------------------------------

test('orders and lines are made, changed, opened, closed and deleted in the cloud', async () => {
  let state = await till.post('orders', { customer_id: 389427 });
  const id = state.order.id;
  assert.deepEqual(state.order.customer, { id: 389427, name: 'David Kent', reference_id: 'M-1' });
  state = await till.post('lines', { product_id: LATTE, quantity: '3' });
  assert.deepEqual([state.order.lines[0].unit_price, state.order.lines[0].price], ['4.50', '13.50']);
  state = await till.must('PUT', 'lines/1', { quantity: '0.5' });
  assert.deepEqual([state.order.lines[0].quantity, state.order.total], ['0.5', '2.25']);
  await shop.cloud.control('PUT', `/orders/${id}`, { price_fixed_variation: -0.25 });
  state = await till.state();
  assert.deepEqual([state.order.subtotal, state.order.discount, state.order.total], ['2.25', '0.25', '2.00']);
  state = await till.must('DELETE', 'lines/1');
  assert.deepEqual(state.order.lines, []);
  state = await till.post('customer', { customer_id: null });
  assert.equal(state.order.customer, null);
  state = await till.post('orders/close');
  assert.equal(state.order, null);
  assert.ok(state.orders.some((order) => order.id === id));
  state = await till.post(`orders/${id}/open`);
  assert.equal(state.order.id, id);
  state = await till.post(`orders/${id}/delete`);
  assert.deepEqual([state.order, state.closed_orders[0].is_deleted], [null, true]);
  await till.refuses(404, 'not_found', 'POST', 'orders/1/open');
  await till.refuses(422, 'cloud_refused', 'POST', 'lines', { product_id: 7310 });
  await till.refuses(422, 'bad_value', 'POST', 'lines', { product_id: LATTE, quantity: '-1' });
  await till.refuses(400, 'unknown_field', 'POST', 'lines', { product: LATTE });
  await till.refuses(400, 'missing', 'POST', 'lines', {});
  await till.refuses(400, 'wrong_type', 'POST', 'lines', { product_id: 'x' });
});

test('a product tapped with no open order makes one', async () => {
  await till.post('orders/close');
  const state = await till.post('lines', { product_id: LATTE });
  assert.deepEqual([state.order.total, state.order.status], ['4.50', 'PENDING']);
});

test('the till says so when its cloud is gone, and still asks for balances', async (t) => {
  const card = await issue('12.00');
  const own = await startTill(t, ['--cloud', 'http://127.0.0.1:1', '--url', shop.url, '--token', shop.tenant.token]);
  let state = await own.state();
  assert.deepEqual([state.cloud.is_up, state.products, state.order], [false, [], null]);
  assert.match(state.cloud.why, /does not answer/);
  assert.match(state.partner.why, /nobody knows/);
  await own.refuses(503, 'cloud_down', 'POST', 'orders');
  await own.configure({ needs_grant: false });
  state = await own.post('check-balance', { reference: card.number });
  assert.equal(state.said.title, 'Balance: $12.00');
});

test('sales that were deleted push no other out of sight', async (t) => {
  const own = await startTill(t, argsOf(shop));
  const { order } = await own.order(LATTE);
  await own.post('pay', { type: 'Cash' });
  for (let i = 0; i < 21; i++) {
    const { order: other } = await own.post('orders');
    await own.post(`orders/${other.id}/delete`);
  }
  const { closed_orders: closed } = await own.state();
  assert.equal(closed.filter((each) => each.is_deleted).length, 20);
  assert.ok(closed.some(({ id, is_deleted }) => id === order.id && !is_deleted));
});

// --- the back office ---------------------------------------------------------------------------------------------------

test('products are sent once, and again when they are others', async (t) => {
  let change = (products) => products;
  const url = await startCloudWithProducts(t, shop.cloud, (products) => change(products));
  const own = await startTill(t, ['--cloud', url, '--url', shop.url, '--token', shop.tenant.token]);
  const first = await own.state();
  const known = (name) => `${name}?products=${first.products_version}`;
  assert.ok(first.products.length > 5);
  let state = await own.must('GET', known('state'));
  assert.deepEqual([state.products, state.products_version], [null, first.products_version]);
  state = await own.post(known('orders'));
  assert.deepEqual([state.products, state.products_version], [null, first.products_version]);
  change = (products) => products.map((product, i) => (i > 0 ? product : { ...product, price: 99 }));
  state = await own.must('GET', known('state'));
  assert.equal(state.products.length, first.products.length);
  assert.deepEqual([first.products[0].price === '99.00', state.products[0].price], [false, '99.00']);
  assert.ok(state.products_version > first.products_version);
  change = manyMore(20_000);
  state = await own.must('GET', known('state'));
  assert.equal(state.products.length, 20_000 + first.products.length);
  assert.equal(state.cloud.is_up, true);
  await own.refuses(422, 'bad_value', 'GET', 'state?products=new');
});

test('nothing in the back office counts before the till is synced', async (t) => {
  const own = await startTill(t, argsOf(shop));
  let state = await own.must('PUT', 'config', { payment_name: 'Voucher', clock_skew_s: 3600 });
  assert.deepEqual([state.config.needs_sync, state.config.synced.payment_name], [true, GIFT]);
  assert.equal(state.payment_types[0].name, GIFT);
  state = await own.post('config/revert');
  assert.equal(state.config.needs_sync, false);
  state = await own.configure({ payment_name: 'Voucher' });
  assert.deepEqual([state.config.needs_sync, state.payment_types[0]], [false, { name: 'Voucher', kind: 'partner' }]);
  const card = await issue('100.00');
  await own.order(LATTE);
  state = await own.post('pay', { type: 'Voucher', reference: card.number });
  assert.equal(state.order.payments[0].method, 'Voucher', 'the method is made in the cloud by its name');
});

test('the back office refuses what it cannot keep, and keeps the rest as it was', async () => {
  for (const [status, error, config] of [
    [422, 'bad_value', { checkout_url: 'ftp://x' }],
    [422, 'bad_value', { checkout_url: 'http://a b' }],
    [422, 'bad_value', { checkout_url: 'http://[::1' }],
    [422, 'bad_value', { checkout_url: 'http://host:99999/x' }],
    [422, 'bad_value', { payment_name: 'Cash' }],
    [422, 'bad_value', { payment_name: ' cash ' }],
    [422, 'bad_value', { payment_name: ' ' }],
    [422, 'bad_value', { timeout_s: 0 }],
    [422, 'bad_value', { profile: 'loose' }],
    [422, 'bad_value', { names: { request: { all: { amout: ['x'] } } } }],
    [400, 'wrong_type', { timeout_s: '15' }],
    [400, 'wrong_type', { has_loyalty: null }],
    [400, 'unknown_field', { checkout: 'http://x' }],
  ]) {
    const message = await till.refuses(status, error, 'PUT', 'config', { client_id: 'other', ...config });
    const { problems } = await till.post('config/check', { client_id: 'other', ...config, site_id: 0 });
    const site_id = { error: 'bad_value', message: 'site_id: a whole number above zero wanted.' };
    assert.deepEqual(problems, { [Object.keys(config)[0]]: { error, message }, site_id }, 'asked first, it says so too');
  }
  assert.deepEqual(await till.post('config/check', { client_id: 'other', names: null }), { problems: {} });
  assert.equal((await till.state()).config.draft.client_id, 'demo-client');
  await till.refuses(400, 'bad_json', 'PUT', 'config', '[1]');
  await till.refuses(400, 'bad_json', 'PUT', 'config', '{"a":');
  await till.refuses(400, 'bad_json', 'POST', 'config/check', '[1]');
});

test('the payment type vanishes with a reason: switched off, no URL, no registered token', async (t) => {
  const own = await startTill(t, argsOf(shop));
  const vanishes = (state, why) => {
    assert.equal(state.partner.is_active, false);
    assert.match(state.partner.why, why);
    assert.ok(state.payment_types.length > 0);
    for (const { kind } of state.payment_types) assert.equal(kind, 'plain');
  };
  vanishes(await own.configure({ has_payments: false }), /switched off/);
  vanishes(await own.configure({ has_payments: true, checkout_url: '' }), /no checkout URL/);
  vanishes(await own.configure({ checkout_url: `${shop.url}/checkout`, company_id: 6789 }), /No refresh token .* 6789/);
  let state = await own.configure({ company_id: 5678 });
  assert.equal(state.partner.is_active, true);
  vanishes(await own.faults({ unregistered_token: true }), /fault pretends/);
  assert.deepEqual((await own.state()).partner.actions, []);
  assert.match(await own.refuses(409, 'not_offered', 'POST', 'check-balance', { reference: '1' }), /fault pretends/);
  state = await own.faults({});
  assert.equal(state.partner.is_active, true);
  vanishes(await own.configure({ client_id: 'somebody-else' }), /somebody-else/);
  assert.equal((await own.configure({ needs_grant: false })).partner.is_active, true);
});

test('a refresh token that is revoked darkens the till until it is connected again', async (t) => {
  const { service, cloud, ...rest } = await startShop();
  t.after(async () => {
    await service.stop();
    await cloud.stop();
  });
  const own = await startTill(t, argsOf({ cloud, ...rest }));
  assert.equal((await own.state()).partner.is_active, true);
  await cloud.control('POST', '/tokens/revoke', {});
  assert.match((await own.state()).partner.why, /No refresh token/);
});

test('a till speaks other field names, a form, and amounts as text, and is understood where they are', async (t) => {
  const names = {
    request: { all: { keyword: ['card_no'], site_id: [] }, checkout: { amount: ['sum'] } },
    reply: {
      checkout: {
        success: [
          { name: 'ok', value: 'success' },
          { name: 'approved', value: 'amount' },
          { name: 'tx', value: 'reference' },
        ],
        failure: [
          { name: 'ok', value: 'success' },
          { name: 'reason', value: 'error' },
        ],
      },
    },
  };
  let reply = { ok: true, approved: '4.50', tx: 'X-1' };
  const { own, partner } = await tillAt(t, (req, res) => answerJson(res, reply));
  await own.configure({ names, needs_grant: false, amount_type: 'string' });
  await own.order(LATTE);
  let state = await own.post('pay', { type: GIFT, reference: '77' });
  assert.deepEqual([state.said.ending, state.order.payments[0].ref], ['approved', 'X-1'], state.said.text);
  const { order_id: _, ...sent } = JSON.parse(partner.seen[0].body);
  assert.deepEqual(sent, { company_id: 5678, register_id: 9091, card_no: '77', sum: '4.50' });
  reply = { ok: false, reason: 'Not today' };
  await own.configure({ body_type: 'form' });
  await own.order(LATTE);
  state = await own.post('pay', { type: GIFT, reference: 'a b&c' });
  assert.deepEqual([state.said.ending, state.said.text], ['refused', 'Not today']);
  assert.match(partner.seen[1].body, /&card_no=a\+b%26c&sum=4\.50$/);
  assert.equal(partner.seen[1].headers['x-kounta-signature'], sign(partner.seen[1].body, 'T'));
  const { reply: documented } = await own.must('GET', 'names');
  assert.deepEqual(documented.checkout.success[0], { name: 'success', value: 'success' });
});

test('strict and lenient differ in what they use: no balance, no success, more than was asked', async (t) => {
  let reply, status;
  const { own } = await tillAt(t, (req, res) => answerJson(res, reply, status), ['--without-grant']);
  for (const [body, code, strict, lenient, booked] of [
    [{ success: true, amount: 4.5, balance: 1 }, 200, 'approved', 'approved', '4.50'],
    [{ success: true, amount: 4.5 }, 200, 'malformed', 'approved', '4.50'],
    [{ amount: 4.5 }, 200, 'malformed', 'approved', '4.50'],
    [{ balance: 1 }, 201, 'malformed', 'approved', '4.50'],
    [{ success: true, amount: 9, balance: 1 }, 200, 'malformed', 'approved', '9.00'],
    [{ success: true, amount: 'a lot', balance: 1 }, 200, 'malformed', 'malformed', null],
    [{ error: 'No' }, 200, 'malformed', 'refused', null],
    [[1], 200, 'malformed', 'malformed', null],
  ]) {
    [reply, status] = [body, code];
    for (const [profile, ending] of [
      ['strict', strict],
      ['lenient', lenient],
    ]) {
      await own.configure({ profile });
      await own.order(LATTE);
      const state = await own.post('pay', { type: GIFT, reference: '1' });
      assert.equal(state.said.ending, ending, `${profile}: ${JSON.stringify(body)}: ${state.said.text}`);
      assert.equal(state.order.paid, ending === 'approved' ? booked : '0.00');
    }
  }
});

test('a lenient till that books more than is due says how much it is too much', async (t) => {
  const { own } = await tillAt(
    t,
    (req, res) => answerJson(res, { success: true, amount: 2000000, balance: 0 }),
    ['--without-grant', '--profile', 'lenient'],
  );
  await own.order(LATTE);
  const { said, order } = await own.post('pay', { type: GIFT, reference: '1' });
  assert.deepEqual([said.ending, said.is_booked, order.paid], ['approved', true, '2000000.00']);
  assert.equal(said.title, 'More than was due is paid');
  assert.match(said.text, /^\$2,000,000\.00 approved, \$1,999,995\.50 more than was due/);
});

test('an amount that no order can hold is not sent, and one that a partner makes up is not put there', async (t) => {
  let reply;
  const { own, partner } = await tillAt(t, (req, res) => answerJson(res, reply), ['--without-grant', '--profile', 'lenient']);
  for (const [path, more] of [['top-up', {}], ['pay', { type: GIFT }]]) {
    await own.order(LATTE);
    for (const amount of ['99999999999', '1000000000', '99999999999999999999']) {
      const said = await own.refuses(422, 'bad_value', 'POST', path, { ...more, reference: '1', amount });
      assert.match(said, /^amount: less than 1000000000 wanted/);
    }
  }
  assert.equal(partner.seen.length, 0);
  reply = { success: true, amount: 99999999999, balance: 1 };
  const { said } = await own.post('top-up', { reference: '1', amount: '999999999.99' });
  assert.deepEqual([said.ending, said.is_booked], ['approved', false]);
  assert.match(said.text, /does not fit on an order/);
  assert.doesNotMatch(said.text, /unit_price/);
});

test('what is wrong with a number is said, and a look that failed speaks of no order', async (t) => {
  const { own } = await tillAt(t, (req, res) => answerJson(res, { success: true, balance: 'much' }), ['--without-grant']);
  await own.order(LATTE);
  const quantity = await own.refuses(422, 'bad_value', 'PUT', 'lines/1', { quantity: '1.0001' });
  assert.match(quantity, /at most three decimals/);
  const address = await own.refuses(422, 'bad_value', 'PUT', 'config', { checkout_url: 'http://user:pw@host/x' });
  assert.match(address, /without a user or a password/);
  await own.order(LATTE);
  const amountOf = (path) => (path === 'pay' ? { type: GIFT, reference: '1' } : { reference: '1' });
  for (const path of ['pay', 'top-up'])
    for (const [amount, error, status] of [
      ['"2e0"', 'wrong_type', 400],
      ['"2E+0"', 'wrong_type', 400],
      ['"+2"', 'wrong_type', 400],
      ['"0x2"', 'wrong_type', 400],
      ['"2,00"', 'wrong_type', 400],
      ['2e0', 'wrong_type', 400],
      ['2', 'wrong_type', 400],
      ['"-2"', 'bad_value', 422],
      ['"2.001"', 'bad_value', 422],
    ]) {
      const body = JSON.stringify({ ...amountOf(path), amount: 0 }).replace(/0}$/, `${amount}}`);
      const message = await own.refuses(status, error, 'POST', path, body);
      assert.match(message, /^amount: .*"25\.50"/, `${path} ${amount}`);
    }
  const { said } = await own.post('check-balance', { reference: '1' });
  assert.equal(said.ending, 'malformed');
  assert.doesNotMatch(said.text, /order/);
  const paid = await own.post('pay', { type: GIFT, reference: '1' });
  assert.match(paid.said.text, /Nothing was put on the order/);
});

// --- pressing twice ----------------------------------------------------------------------------------------------------

test('a second tap sends a second request at once, and is charged and booked once', async () => {
  const card = await issue('100.00');
  await till.order(BREAKFAST);
  await till.faults({ delay_ms: 400 }, { always: true });
  const { exchanges } = await till.during(() => Promise.all([pay(card.number, '20.00'), pay(card.number, '20.00')]));
  await till.faults({}, { always: false });
  assert.equal(exchanges.length, 2);
  assert.equal(exchanges[0].reply_body, exchanges[1].reply_body);
  const { order, is_busy } = await till.state();
  assert.deepEqual([order.payments.length, order.due, is_busy], [1, '25.00', 0]);
  assert.equal(await balanceOf(card), '80.00');
});

test('twenty taps at once are twenty requests, one charge and one payment', async () => {
  const card = await issue('100.00');
  await till.order(LATTE);
  const { exchanges } = await till.during(() =>
    Promise.all(Array.from({ length: 20 }, () => till.ask('POST', 'pay', { type: GIFT, reference: card.number }))),
  );
  assert.ok(exchanges.length >= 1);
  for (const { ending } of exchanges) assert.equal(ending, 'approved');
  const { order } = await till.state();
  assert.deepEqual([order.payments.length, order.status], [1, 'COMPLETE']);
  assert.equal(await balanceOf(card), '95.50');
});

// --- faults ------------------------------------------------------------------------------------------------------------

test('a dropped reply is no answer; the same press again gets the first answer, and one charge', async () => {
  const card = await issue('100.00');
  await till.order(BREAKFAST);
  await till.faults({ drop_reply: true });
  const { result, exchanges } = await till.during(() => pay(card.number, '25.50'));
  assert.deepEqual([result.said.ending, result.said.title, result.order.paid], ['dropped', 'No answer', '0.00']);
  assert.match(result.said.text, /may have been done .* press again .* a partner that is right does it once\.$/);
  assert.deepEqual([exchanges[0].status, exchanges[0].failure, exchanges[0].faults], [0, 'cut by a fault', ['drop_reply']]);
  assert.equal(result.faults.next.drop_reply, false, 'it was for one press');
  await until('the charge that nobody heard of', async () => (await balanceOf(card)) === '74.50');
  const state = await pay(card.number, '25.50');
  assert.deepEqual([state.said.ending, state.order.paid], ['approved', '25.50']);
  assert.equal(await balanceOf(card), '74.50');
});

test('a reply that is reset in the middle is no answer either, and one charge', async () => {
  const card = await issue('100.00');
  await till.order(BREAKFAST);
  await till.faults({ reset_mid_reply: true });
  assert.equal((await pay(card.number, '10.00')).said.ending, 'dropped');
  const state = await pay(card.number, '10.00');
  assert.equal(state.order.paid, '10.00');
  assert.equal(await balanceOf(card), '90.00');
});

test('a reset is a reset on the wire: the partner reads ECONNRESET, not an end', async (t) => {
  let end;
  const server = net.createServer((socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n')); // so little that nothing is left unread
    socket.on('error', (error) => (end = error.code));
    socket.on('end', () => (end ??= 'end'));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const own = await startTill(t, [
    ...['--cloud', shop.cloud.urls.url, '--url', `http://127.0.0.1:${server.address().port}`, '--without-grant'],
  ]);
  await own.faults({ reset_mid_reply: true });
  assert.equal((await own.post('check-balance', { reference: '1' })).said.ending, 'dropped');
  await until('the reset to arrive', () => end);
  assert.equal(end, 'ECONNRESET');
});

for (const [way, first] of [
  ['at_once', 'approved'],
  ['concurrent', 'approved'],
  ['after_timeout', 'no_reply'],
])
  test(`a request that is sent twice (${way}) is two sends of the same bytes and one charge`, async (t) => {
    const card = await issue('100.00');
    const own = await startTill(t, [...argsOf(shop), '--timeout', '1']);
    await own.order(BREAKFAST);
    await own.faults({ send_twice: way });
    const state = await own.post('pay', { type: GIFT, reference: card.number, amount: '30.00' });
    const exchanges = await own.wire();
    assert.deepEqual(
      exchanges.map(({ press, send, sends, ending }) => [press, send, sends, ending]),
      [
        [1, 1, 2, first],
        [1, 2, 2, 'approved'],
      ],
    );
    if (first === 'no_reply') assert.ok(exchanges[0].time_us >= 1_000_000, 'the till has waited for its time-out');
    assert.equal(exchanges[0].body, exchanges[1].body);
    assert.deepEqual(exchanges[0].faults, [`send_${way}`]);
    assert.deepEqual([state.said.ending, state.order.paid, state.order.payments.length], ['approved', '30.00', 1]);
    assert.equal(await balanceOf(card), '70.00');
  });

test('a wrong signature is refused by the partner, and the till says its words', async () => {
  const card = await issue('100.00');
  await till.order(LATTE);
  await till.faults({ wrong_signature: true });
  const { result, exchanges } = await till.during(() => pay(card.number));
  assert.deepEqual([result.said.ending, exchanges[0].status, exchanges[0].is_signed], ['refused', 401, true]);
  assert.equal((await pay(card.number)).said.ending, 'approved');
});

test('a skewed clock shows in what the till stamps, and in nothing that the partner gets', async (t) => {
  const own = await startTill(t, argsOf(shop));
  await own.configure({ clock_skew_s: -7200 });
  await own.faults({ clock_skew_s: -3600 });
  const card = await issue('100.00');
  const { clock, order } = await own.order(LATTE);
  const hours = (text) => Math.round((Date.now() - Date.parse(text)) / 3_600_000);
  assert.equal(hours(clock), 3);
  const state = await own.post('pay', { type: GIFT, reference: card.number });
  assert.equal(state.said.ending, 'approved');
  const [exchange] = await own.wire();
  assert.deepEqual([hours(exchange.started), exchange.faults], [3, ['clock_skew']]);
  assert.equal(hours((await shop.cloud.control('GET', `/orders/${order.id}`)).placed_at), 3);
  assert.equal(hours((await shop.cloud.control('GET', `/orders/${order.id}`)).created_at), 0);
});

test('faults by chance are the same for the same seed, and money is right under all of them', async (t) => {
  const own = await startTill(t, [...argsOf(shop), '--timeout', '1']);
  const chance = { seed: 7, drop_reply: 30, send_at_once: 20, send_concurrent: 20, reset_mid_reply: 20, wrong_signature: 10 };
  const seen = [];
  for (let round = 0; round < 2; round++) {
    const card = await issue('100.00');
    await own.must('PUT', 'faults', { next: {}, chance });
    await own.must('DELETE', 'wire');
    let paid = 0;
    for (let i = 0; i < 12; i++) {
      await own.order(LATTE);
      const { order, said } = await own.post('pay', { type: GIFT, reference: card.number });
      if (order.status === 'COMPLETE') paid++;
      else assert.notEqual(said.ending, 'approved');
    }
    const exchanges = await own.wire();
    seen.push(exchanges.map(({ faults }) => faults.join()).join(';'));
    assert.ok(Number(await balanceOf(card)) <= 100 - 4.5 * paid);
  }
  assert.equal(seen[0], seen[1]);
  assert.match(seen[0], /drop_reply/);
  await own.refuses(422, 'bad_value', 'PUT', 'faults', { chance: { drop_reply: 101 } });
  await own.refuses(400, 'unknown_field', 'PUT', 'faults', { next: { drop: true } });
});

// --- crash -------------------------------------------------------------------------------------------------------------

test('what is not JSON crashes the till until it is restarted, whatever it was asked', async (t) => {
  let text = '<html>Bad gateway</html>';
  const { own } = await tillAt(
    t,
    (req, res) => {
      res.writeHead(200, { 'Content-Type': 'text/html' });
      res.end(text);
    },
    ['--without-grant'],
  );
  for (const press of [
    () => own.post('search', { keyword: 'kent' }),
    () => own.post('check-balance', { reference: '1' }),
    () => own.post('pay', { type: GIFT, reference: '1' }),
    () => own.post('top-up', { reference: '1', amount: '1.00' }),
  ]) {
    const { order } = await own.order(LATTE);
    const state = await press();
    assert.equal(state.said.ending, 'crashed');
    assert.equal(state.crash.exchange, state.last_exchange);
    assert.match(state.crash.why, /not JSON \(status 200, text\/html, 24 bytes\)/);
    for (const [method, path, body] of [
      ['POST', 'orders', {}],
      ['POST', 'pay', { type: 'Cash' }],
      ['POST', 'lines', { product_id: LATTE }],
      ['POST', 'search', { keyword: 'x' }],
    ])
      await own.refuses(409, 'crashed', method, path, body);
    await own.must('PUT', 'faults', { next: {} });
    const after = await own.post('restart');
    assert.deepEqual([after.crash, after.said, after.order.id], [null, null, order.id]);
  }
  text = '';
  assert.match((await own.post('search', { keyword: 'kent' })).crash.why, /0 bytes/);
  assert.equal((await own.post('sync')).crash, null);
});

test('a reply that a browser reads crashes no till: long, deep, twice a name, half a character', async (t) => {
  let text = '';
  const { own } = await tillAt(
    t,
    (req, res) => {
      res.writeHead(200, { 'Content-Type': 'application/json' });
      res.end(text);
    },
    ['--without-grant'],
  );
  const ids = Array.from({ length: 3000 }, (_, i) => `M-${i}`);
  const member = (id) => [id, { id, first_name: 'Ann', email_address: 'ann@example.com' }];
  text = JSON.stringify({ members: Object.fromEntries(ids.map(member)) });
  const { members, crash, last_exchange } = await own.post('search', { keyword: 'a' });
  assert.deepEqual([members?.length, crash], [3000, null]);
  const { reply_body, reply_body_base64 } = await own.must('GET', `wire/${last_exchange}`);
  assert.deepEqual([reply_body, reply_body_base64], [text.slice(0, 65536), null]);

  for (const [more, why] of [
    [`"x":${'['.repeat(80)}${']'.repeat(80)}`, /within what this till reads/],
    [`"x":"${'x'.repeat(2 ** 22)}"`, /within what this till reads/],
    ['"balance":3', /no name stands twice/],
    ['"message":"\\ud800"', /whole characters/],
  ]) {
    text = `{"success":true,"amount":1,"balance":2,${more}}`;
    const state = await own.post('check-balance', { reference: '1' });
    assert.deepEqual([state.said.ending, state.crash], ['malformed', null]);
    assert.match(state.said.text, why);
  }
  await own.must('PUT', 'config', { profile: 'lenient' });
  await own.post('sync');
  const state = await own.post('check-balance', { reference: '1' });
  assert.deepEqual([state.said.ending, state.said.text], ['approved', '\uFFFD']);
});

test('a partner that is not there is no answer, and no crash', async (t) => {
  const own = await startTill(t, ['--cloud', shop.cloud.urls.url, '--url', 'http://127.0.0.1:1', '--without-grant']);
  const state = await own.post('check-balance', { reference: '1' });
  assert.deepEqual([state.said.ending, state.crash], ['no_reply', null]);
});

// --- loyalty -----------------------------------------------------------------------------------------------------------

test('a member is found, picked and redeemed for, and the order shows it', async () => {
  const loyal = new Loyalty(shop.service, shop.cloud, shop.tenant);
  const member = await loyal.addMember({ first: 'Mia', last: 'Tillwell', points: 500 });
  await loyal.addReward({ title: '$10 off', points: 100 });
  await till.order(BREAKFAST);
  let state = await till.post('search', { keyword: 'tillwell' });
  assert.deepEqual(
    state.members.map(({ id, first_name, points }) => [id, first_name, points]),
    [[member.code, 'Mia', '500']],
  );
  state = await till.post('members/0/pick');
  assert.deepEqual([state.member.id, state.rewards[0].title, state.rewards[0].points_required], [member.code, '$10 off', '100']);
  assert.equal(state.order.customer.reference_id, member.code);
  const { result, exchanges } = await till.during(() => till.post('rewards/0/redeem'));
  assert.deepEqual([result.said.ending, result.said.is_booked], ['approved', true], result.said.text);
  assert.deepEqual([result.order.total, result.order.discount], ['35.00', '10.00']);
  assert.match(result.said.text, /was \$45\.00 and is \$35\.00 now/);
  assert.match(exchanges[0].url, new RegExp(`order_id=${result.order.id}$`));
  assert.deepEqual([exchanges[0].order_before.total, exchanges[0].order_after.total], [45, 35]);
  state = await till.post('rewards/0/redeem');
  assert.equal(state.order.total, '35.00', 'a second tap redeems nothing more');
  state = await till.post('pay', { type: 'Cash' });
  assert.equal(state.order.status, 'COMPLETE');
  await until('points to be earned and spent', async () => (await loyal.points(member)).spendable !== 500);
  state = await till.post('search', { keyword: 'nobody of this name' });
  assert.deepEqual([state.members, state.said.title, state.member], [[], 'Nobody found', null]);
  await till.refuses(404, 'not_found', 'POST', 'members/0/pick');
  await till.refuses(404, 'not_found', 'POST', 'rewards/0/redeem');
  state = await till.post('member/leave');
  assert.equal(state.members, null);
});

test('the placeholder is replaced as text wherever it stands, and nothing else is', async (t) => {
  const { own, partner } = await tillAt(
    t,
    (req, res) => {
      const url = new URL(req.url, 'http://till');
      if (url.pathname === '/redeem') return answerJson(res, { success: true });
      if (url.pathname === '/customer-search')
        return answerJson(res, { members: { 7: { id: '7', first_name: 'A', email_address: 'a@example.com' } } });
      const stand_in = url.searchParams.get('order_id');
      const redeem_url = `http://${req.headers.host}/redeem?order_id=${stand_in}&my_order_id=${stand_in}&order_id=42`;
      return answerJson(res, {
        member: { id: '7', first_name: 'A', email_address: 'a@example.com' },
        rewards: [{ id: '1', title: 'T', points_required: 1, redeem_url }],
      });
    },
    ['--without-grant', '--profile', 'lenient'],
  );
  const { order } = await own.order(LATTE);
  await own.post('search', { keyword: 'a' });
  await own.post('members/0/pick');
  const { said } = await own.post('rewards/0/redeem');
  assert.equal(partner.seen.at(-1).url, `/redeem?order_id=${order.id}&my_order_id=${order.id}&order_id=42`);
  assert.match(said.text, /has not changed/);
});

test('keywords reach the partner whatever is in them, and a GET is signed as configured', async (t) => {
  const { own, partner } = await tillAt(t, (req, res) => answerJson(res, { members: {} }), ['--without-grant']);
  await own.configure({ customer_search_url: `${partner.url}/find?org=1` });
  await own.post('search', { keyword: `O'Brien & "Zoë" 50 %` });
  const url = new URL(partner.seen[0].url, partner.url);
  assert.deepEqual([url.searchParams.get('org'), url.searchParams.get('keyword')], ['1', `O'Brien & "Zoë" 50 %`]);
  assert.equal(partner.seen[0].headers['x-kounta-signature'], undefined);
  for (const [mode, part] of [
    ['empty', () => ''],
    ['query', (target) => target.split('?')[1]],
    ['path', (target) => target],
    ['url', (target) => partner.url + target],
  ]) {
    await own.configure({ sign_get: mode });
    await own.post('search', { keyword: 'x' });
    const seen = partner.seen.at(-1);
    assert.equal(seen.headers['x-kounta-signature'], sign(part(seen.url), 'T'), mode);
  }
});

test('the commands of docs/going-live.md lead to a payment without a register, of a company of one’s own', async (t) => {
  const page = fs.readFileSync(path.join(ROOT, 'docs/going-live.md'), 'utf8');
  const step = page.slice(page.indexOf('## 5. '), page.indexOf('## 6. '));
  const [start, tell] = [...step.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);
  assert.match(start, /^build\/release\/tillsim cloud .*&\nbuild\/release\/tillsim register /);
  const company = Number(/--company (\d+)/.exec(start)[1]);

  const cloud = await startCloud(t);
  const told = await run('sh', ['-ec', tell.replaceAll('http://127.0.0.1:8090', cloud.urls.url)]);
  assert.equal(told.code, 0, told.stderr);
  assert.doesNotMatch(told.stdout, /"error"/);
  const tenant = await shop.service.addTenant({ name: 'Own', company });
  const { number } = await tenant.issue({ amount: '10.00' });
  const options = start.slice(start.indexOf('tillsim register ') + 17).replaceAll('\\\n', ' ').trim().split(/\s+/);
  const real = {
    'http://127.0.0.1:8090': cloud.urls.url,
    '127.0.0.1:8091': '127.0.0.1:0',
    'https://gifts.example.com/oseries/TENANT-KEY': shop.service.origin + tenant.base,
    'SIGNATURE-TOKEN': tenant.token,
  };
  for (const word of Object.keys(real)) assert.ok(options.includes(word), `${word} is not in the command`);
  const own = await startTill(t, options.map((word) => real[word] ?? word));
  const [product] = (await own.state()).products;
  await own.post('lines', { product_id: product.id });
  const { order, said } = await own.post('pay', { type: GIFT, reference: number });
  assert.deepEqual([said.ending, order.status, (await tenant.show(number)).balance], ['approved', 'COMPLETE', '5.50']);
});

// --- the wire ----------------------------------------------------------------------------------------------------------

test('the wire can be waited for, is read from where one is, and is cleared', async () => {
  const { last_exchange: last } = await till.state();
  const waiting = till.must('GET', `wire?after=${last}&wait_ms=20000`);
  const card = await issue('1.00');
  await sleep(50);
  await till.post('check-balance', { reference: card.number });
  const { exchanges, last: now } = await waiting;
  assert.deepEqual([exchanges.length, exchanges[0].number, now], [1, last + 1, last + 1]);
  assert.deepEqual((await till.must('GET', `wire/${now}`)).number, now);
  assert.deepEqual((await till.must('GET', `wire?after=${now}&wait_ms=50`)).exchanges, []);
  await till.must('DELETE', 'wire');
  assert.deepEqual([await till.wire(), (await till.state()).last_exchange], [[], now]);
  await till.refuses(404, 'not_found', 'GET', `wire/${now}`);
  await till.refuses(422, 'bad_value', 'GET', 'wire?after=x');
});

test('whoever comes anew gets the newest of the wire, and goes on forwards and back without a gap', async (t) => {
  const { own } = await tillAt(t, (req, res) => answerJson(res, { success: true, balance: 1 }), ['--without-grant']);
  const COUNT = 130;
  for (let i = 0; i < COUNT; i++) await own.post('check-balance', { reference: '1' });
  const numbers = ({ exchanges }) => exchanges.map(({ number }) => number);
  const from = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

  const newest = await own.must('GET', 'wire?before=0');
  assert.deepEqual([numbers(newest), newest.last, newest.has_older], [from(81, 130), COUNT, true]);
  const older = await own.must('GET', 'wire?before=81');
  assert.deepEqual([numbers(older), older.has_older], [from(31, 80), true]);
  const oldest = await own.must('GET', 'wire?before=31');
  assert.deepEqual([numbers(oldest), oldest.has_older], [from(1, 30), false]);
  assert.deepEqual(numbers(await own.must('GET', 'wire?before=1')), []);

  const first = await own.must('GET', 'wire?after=0');
  assert.deepEqual([numbers(first), first.last], [from(1, 100), 100]);
  const rest = await own.must('GET', `wire?after=${first.last}&wait_ms=20000`);
  assert.deepEqual([numbers(rest), rest.last, rest.has_older], [from(101, 130), COUNT, true]);
  const none = await own.must('GET', `wire?after=${COUNT + 5}`);
  assert.deepEqual([numbers(none), none.last], [[], COUNT]);

  await own.must('DELETE', 'wire');
  const cleared = await own.must('GET', 'wire?before=0');
  assert.deepEqual(cleared, { exchanges: [], last: COUNT, has_older: false });
  for (const query of ['before=x', 'before=-1', 'before=5&after=1', 'before=5&wait_ms=1'])
    await own.refuses(422, 'bad_value', 'GET', `wire?${query}`);
});

test('the wire keeps what was sent and what came, bytes that are no text included', async (t) => {
  const bytes = Buffer.from([0x7b, 0xff, 0x00, 0x7d]);
  const { own } = await tillAt(
    t,
    (req, res) => {
      res.writeHead(418, { 'Content-Type': 'application/json', 'X-Odd': 'one, two' });
      res.end(bytes);
    },
    ['--without-grant'],
  );
  await own.post('check-balance', { reference: 'Zoë "x"' });
  const [exchange] = await own.wire();
  assert.equal(Buffer.from(exchange.reply_body_base64, 'base64').compare(bytes), 0);
  assert.deepEqual([exchange.status, exchange.ending], [418, 'malformed']);
  assert.ok(exchange.reply_headers.some(({ name, value }) => name === 'X-Odd' && value === 'one, two'));
  assert.equal(JSON.parse(exchange.body).keyword, 'Zoë "x"');
});

test('the line for curl sends the same bytes when it is pasted into a shell', async (t) => {
  const { own, partner } = await tillAt(t, (req, res) => answerJson(res, { success: true, balance: 1 }), ['--without-grant']);
  for (const reference of [`it's $HOME \`x\` "q" \\ é`, '@/etc/passwd', '%41[1-9]{a,b}']) {
    await own.post('check-balance', { reference });
    const { curl } = (await own.wire()).at(-1);
    const ended = await run('sh', ['-c', curl]);
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual(ended.json, { success: true, balance: 1 });
    const [sent, pasted] = partner.seen.slice(-2);
    assert.deepEqual([pasted.body, pasted.url, pasted.method], [sent.body, sent.url, sent.method]);
    assert.deepEqual(pasted.headers, sent.headers);
  }
  await own.post('search', { keyword: `it's ${'x'.repeat(50)}` });
  const ended = await run('sh', ['-c', (await own.wire()).at(-1).curl]);
  assert.equal(ended.code, 0);
  assert.equal(partner.seen.at(-1).url, partner.seen.at(-2).url);
});

test('an exchange is sent again, edited and signed anew, and neither books nor crashes', async () => {
  const card = await issue('100.00');
  await till.order(LATTE);
  const { exchanges } = await till.during(() => pay(card.number, '1.00'));
  const [first] = exchanges;
  const again = async (edit) => {
    const { result, exchanges: more } = await till.during(() => till.post('resend', { number: first.number, ...edit }));
    assert.deepEqual([more.length, more[0].resend_of, result.order.paid], [1, first.number, '1.00']);
    return more[0];
  };
  assert.equal((await again({})).reply_body, first.reply_body);
  const body = first.body.replace('1.00', '1.01');
  assert.equal((await again({ body })).status, 401, 'the old signature is of the old body');
  assert.equal((await again({ body, sign: true })).status, 200);
  const headers = [...first.headers, { name: 'X-Mine', value: 'yes' }];
  const edited = await again({ headers });
  assert.ok(edited.headers.some(({ name, value }) => name === 'X-Mine' && value === 'yes'));
  assert.equal(edited.headers.filter(({ name }) => name === 'Host').length, 1);
  assert.equal((await again({ url: `${shop.service.origin}/nowhere` })).status, 404);
  await till.refuses(404, 'not_found', 'POST', 'resend', { number: 999999 });
  for (const [status, word, value] of [
    [422, 'bad_value', 'a\0b'],
    [400, 'wrong_type', null],
    [400, 'wrong_type', 1],
  ])
    await till.refuses(status, word, 'POST', 'resend', { number: first.number, headers: [{ name: 'X', value }] });
  await till.refuses(422, 'bad_value', 'POST', 'resend', { number: first.number, url: 'file:///etc/passwd' });
  await till.refuses(422, 'bad_value', 'POST', 'resend', {
    number: first.number,
    headers: [{ name: 'X-A', value: 'b\r\nX-C: d' }],
  });
});

// --- recording ---------------------------------------------------------------------------------------------------------

/** The cloud, seen through change(path, text of the reply). */
async function cloudThrough(t, change) {
  const { url } = await startPartner(t, async (req, res, body) => {
    const { method } = req;
    const headers = { 'Content-Type': 'application/json' };
    const reply = await fetch(shop.cloud.urls.url + req.url, { method, headers, body: body === '' ? undefined : body });
    const text = change(req.url, await reply.text());
    res.writeHead(reply.status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
    res.end(text);
  });
  return url;
}

test('an exchange is sent again though its order is nested as deep as the till reads', async (t) => {
  const deep = '['.repeat(15) + ']'.repeat(15);
  const url = await cloudThrough(t, (path, text) =>
    /orders\/\d+$/.test(path) && text.startsWith('{') ? text.replace('{', `{"zz":${deep},`) : text,
  );
  const own = await startTill(t, ['--cloud', url, '--url', shop.url, '--token', shop.tenant.token]);
  const card = await issue('9.00');
  await own.order(LATTE);
  const { said, last_exchange } = await own.post('pay', { type: GIFT, reference: card.number, amount: '4.50' });
  assert.equal(said.ending, 'approved');
  const again = await own.post('resend', { number: last_exchange, sign: true });
  assert.equal(again.last_exchange, last_exchange + 1);
});

test('a recording is replayed: by the till, from the command line at a service of its own, and tells what differs', async (t) => {
  const own = await startTill(t, [...argsOf(shop), '--timeout', '1']);
  const [number, second] = ['6036280000010010', '6036280000010028'];
  for (const each of [number, second]) await issue('100.00', { number: each });
  await own.post('recording', { on: true });
  await own.order(BREAKFAST);
  await own.post('check-balance', { reference: number });
  await own.faults({ drop_reply: true });
  await own.post('pay', { type: GIFT, reference: number, amount: '25.50' });
  await own.post('pay', { type: GIFT, reference: number, amount: '25.50' });
  await own.faults({ send_twice: 'concurrent' });
  await own.post('pay', { type: GIFT, reference: second, amount: '4.50' });
  await own.post('search', { keyword: 'tillwell' });
  const { recording } = await own.post('recording', { on: false });
  assert.deepEqual([recording.is_on, recording.count], [false, 6]);
  const file = await own.ask('GET', 'recording');
  assert.match(file.headers['content-type'], /ndjson/);
  const lines = file.text.trim().split('\n').map(JSON.parse);
  assert.deepEqual([lines[0].tillsim_recording, lines[0].seed, lines.length], [1, 1, 7]);
  const checkout = lines[2];
  assert.equal(JSON.parse(Buffer.from(checkout.body_base64, 'base64')).amount, 25.5);
  assert.deepEqual([checkout.cut, checkout.faults, checkout.ending], ['after_request', ['drop_reply'], 'dropped']);

  // The same service answers once: the same bytes for what it has answered, and for what it only tells.
  let state = await own.must('POST', 'replay', file.text);
  const { report } = state.recording;
  assert.deepEqual([report.sent, report.unanswered], [6, 0]);
  assert.deepEqual(report.exchanges[0].differs, [
    { what: 'amount', recorded: '100.00', replayed: '74.50' },
    { what: 'balance', recorded: '100.00', replayed: '74.50' },
  ]);
  for (const index of [1, 2, 3, 4, 5]) assert.equal(report.exchanges[index].is_same, true, JSON.stringify(report.exchanges[index]));
  assert.equal((await own.wire()).filter(({ is_replay }) => is_replay).length, 6);
  assert.equal((await shop.tenant.show(number)).balance, '74.50', 'a replay charges nothing again');
  assert.equal((await shop.tenant.show(second)).balance, '95.50');

  // Another service, with another key and token, and the same card.
  const other = await startShop();
  t.after(async () => {
    await other.service.verifyIsClean();
    await other.service.stop();
    await other.cloud.stop();
  });
  for (const each of [number, second]) await other.tenant.issue({ amount: '100.00', number: each });
  const recorded = path.join(temporaryDirectory(), 'till.ndjson');
  fs.writeFileSync(recorded, file.text);
  const args = ['replay', recorded, '--url', other.url];
  let ended = await run(TILLSIM, [...args, '--token', other.tenant.token, '--json']);
  assert.deepEqual([ended.code, ended.json.differences], [1, 1], ended.stdout);
  assert.deepEqual(ended.json.exchanges[5].differs, [{ what: 'members found', recorded: '1', replayed: '0' }]);
  assert.equal((await other.tenant.show(number)).balance, '74.50');
  assert.equal((await other.tenant.show(second)).balance, '95.50');
  ended = await run(TILLSIM, [...args, '--token', 'another', '--json']);
  assert.equal(ended.json.exchanges[0].differs[0].replayed, '401');
  ended = await run(TILLSIM, args);
  assert.match(ended.stdout, /differs +6 +customer-search\n +members found: 1 -> 0/);
  ended = await run(TILLSIM, ['replay', recorded, '--url', 'http://127.0.0.1:1']);
  assert.equal(ended.code, 3);
  assert.equal((await run(TILLSIM, ['replay', recorded])).code, 2);
  await own.refuses(422, 'bad_value', 'POST', 'replay', '{"some":"thing"}');
  await own.refuses(422, 'bad_value', 'POST', 'replay', `${lines[0] && JSON.stringify(lines[0])}\nnonsense\n`);
});

test('a replay waits no longer than the till does, and can be stopped', async (t) => {
  let held = [];
  const { own, partner } = await tillAt(t, (req, res) => held.push(res), ['--without-grant', '--timeout', '1']);
  const line = (offset_us, more) =>
    JSON.stringify({
      ...{ offset_us, press: 1, send: 1, sends: 1, action: 'check-balance', method: 'POST', url: partner.url, query: '' },
      ...{ headers: [], body_base64: Buffer.from('{}').toString('base64'), sign: 'none', faults: [], cut: 'none' },
      ...{ timeout_s: 600, order_id: null, placeholder: null, reward_index: null, status: 0, time_us: 1, failure: 'x' },
      ...{ reply_headers: [], reply_body_base64: '', ending: 'no_reply', ...more },
    });
  const first = JSON.stringify({ tillsim_recording: 1, started: '2026-01-01T00:00:00Z', seed: 1 });
  const file = (count) => [first, ...Array.from({ length: count }, (_, i) => line(i * 1e6, {}))].join('\n') + '\n';
  const state = await own.must('POST', 'replay', file(1));
  assert.deepEqual([state.recording.report.sent, held.length], [1, 1]);

  held = [];
  await own.must('PUT', 'config', { timeout_s: 600 });
  await own.post('sync');
  const replayed = own.must('POST', 'replay', file(3));
  await until('the first request of the replay', () => held.length === 1);
  assert.equal((await own.post('replay/stop')).recording.is_replaying, true);
  answerJson(held[0], { success: true, amount: 0, balance: 1 });
  const { recording } = await replayed;
  assert.deepEqual([recording.is_replaying, recording.report.sent, recording.report.exchanges.length], [false, 1, 1]);
  assert.equal(held.length, 1);
});

test('a recording with a redemption is replayed with the reward that the replayed look-up gives', async (t) => {
  const own = await startTill(t, argsOf(shop));
  const loyal = new Loyalty(shop.service, shop.cloud, shop.tenant);
  const member = await loyal.addMember({ first: 'Rea', last: 'Playwright', points: 500 });
  await own.order(BREAKFAST);
  await own.post('recording', { on: true });
  await own.post('search', { keyword: 'playwright' });
  await own.post('members/0/pick');
  const { said } = await own.post('rewards/0/redeem');
  assert.equal(said.ending, 'approved');
  const { text } = await own.ask('GET', 'recording');
  const { recording, order } = await own.must('POST', 'replay', text);
  const replayed = (await own.wire()).filter(({ is_replay }) => is_replay);
  assert.equal(recording.report.exchanges[2].action, 'redeem');
  assert.notEqual(replayed[2].url, (await own.wire())[2].url, 'another token');
  assert.match(replayed[2].url, new RegExp(`order_id=${order.id}$`));
  assert.ok((await loyal.points(member)).spendable < 500);
});

test('a till that is started with --replay sends the recording first', async (t) => {
  const card = await issue('3.00');
  const own = await startTill(t, argsOf(shop));
  await own.post('recording', { on: true });
  await own.post('check-balance', { reference: card.number });
  const recorded = path.join(temporaryDirectory(), 'till.ndjson');
  fs.writeFileSync(recorded, (await own.ask('GET', 'recording')).text);
  const second = await startTill(t, [...argsOf(shop), '--replay', recorded]);
  const { report } = (await until('the replay to end', async () => {
    const { recording } = await second.state();
    return recording.report && recording;
  }));
  assert.deepEqual([report.sent, report.same_bytes], [1, 1]);
});

// --- who may ask -------------------------------------------------------------------------------------------------------

test('foreign pages get nothing: another Host, another Origin, no JSON content type', async () => {
  const port = new URL(till.urls.url).port;
  for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1'])
    assert.equal((await till.ask('GET', 'state', undefined, { headers: { Host: host } })).status, 403, host);
  const nameless = await RawSocket.connect(port);
  await nameless.write('GET /_till/state HTTP/1.0\r\n\r\n');
  assert.equal((await nameless.reply()).status, 403);
  for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, 'LOCALHOST', '[::1]:80'])
    assert.equal((await till.ask('GET', 'state', undefined, { headers: { Host: host } })).status, 200, host);
  for (const origin of ['http://evil.example', 'null', `http://localhost:${port}`])
    assert.equal((await till.ask('POST', 'said', {}, { headers: { Origin: origin } })).status, 403, origin);
  assert.equal((await till.ask('POST', 'said', {}, { headers: { Origin: till.urls.url } })).status, 200);
  for (const [site, status] of [
    ['cross-site', 403],
    ['same-site', 403],
    ['same-origin', 200],
    ['none', 200],
  ])
    assert.equal((await till.ask('GET', 'state', undefined, { headers: { 'Sec-Fetch-Site': site } })).status, status, site);
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'text/plain; application/json', '']) {
    const reply = await till.ask('POST', 'orders/close', {}, { headers: { 'Content-Type': type } });
    assert.deepEqual([reply.status, reply.json.error], [415, 'json_wanted'], type);
  }
  assert.equal((await till.ask('DELETE', 'wire', undefined, { headers: { 'Content-Type': 'text/plain' } })).status, 415);
});

const residentBytes = (child) =>
  1024 * Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]);

test('what a foreign page sends is not kept, however much it is', async (t) => {
  const own = await startTill(t);
  const body = ' '.repeat(31 * 2 ** 20);
  const before = residentBytes(own.child);
  for (const headers of [{ Host: 'evil.example' }, { Origin: 'http://evil.example' }, { 'Content-Type': 'text/plain' }]) {
    const reply = await own.ask('POST', 'replay', body, { headers });
    assert.ok([403, 415].includes(reply.status), reply.text);
  }
  assert.ok(residentBytes(own.child) - before < body.length);
});

test('bodies that come at once are taken up to a sum, and what is beyond is refused', async (t) => {
  const own = await startTill(t);
  const length = 31 * 2 ** 20;
  const head = ['POST /_till/replay HTTP/1.1', 'Host: localhost', 'Content-Type: application/json'];
  const sockets = [];
  for (let i = 0; i < 4; i++) {
    sockets.push(await RawSocket.connect(new URL(own.urls.url).port));
    await sockets[i].write([...head, `Content-Length: ${length}`, '', ' '.repeat(length - 1)].join('\r\n'));
  }
  const statuses = [];
  for (const socket of sockets) {
    await socket.write(' ');
    statuses.push((await socket.reply()).status);
  }
  assert.deepEqual(new Set(statuses), new Set([422, 413]));
  assert.equal((await own.ask('POST', 'replay', ' '.repeat(length))).status, 422);
});

/** Connections that each sent a request's head and the first byte of its body, and then no more. */
async function sendHalves(own, count) {
  const sockets = [];
  const head = ['POST /_till/search HTTP/1.1', 'Host: localhost', 'Content-Type: application/json', 'Content-Length: 9'];
  for (let i = 0; i < count; i++) {
    sockets.push(await RawSocket.connect(new URL(own.urls.url).port));
    await sockets[i].write([...head, '', '{'].join('\r\n'));
  }
  return sockets;
}

test('requests that are left half-sent shut nobody out, nor who waits for the partner', async (t) => {
  let asked;
  const { own, partner } = await tillAt(t, (req, res) => (asked = res), ['--without-grant']);
  const waiting = own.ask('POST', 'check-balance', { reference: '1' });
  await until('the partner to be asked', () => partner.seen.length === 1);
  const sockets = await sendHalves(own, 80);
  t.after(() => sockets.forEach(({ socket }) => socket.destroy()));
  await until('a place to be free', () => sockets.filter(({ isClosed }) => isClosed).length >= 24);
  for (let i = 0; i < 3; i++) assert.equal((await request(own.urls.url, { method: 'GET', agent: false })).status, 200);
  const last = sockets.findLast(({ isClosed }) => !isClosed);
  await last.write('         ');
  assert.equal((await last.reply()).status, 400, 'the newest are waited for: "{" and blanks are no JSON');
  answerJson(asked, { success: true, amount: 5, balance: 5 });
  assert.equal((await waiting).json.said.ending, 'approved');
});

test('a request of two lengths, or of a length and chunks, is refused and its connection closed', async () => {
  const head = ['POST /_till/orders/close HTTP/1.1', 'Host: localhost', 'Content-Type: application/json'];
  const before = (await till.state()).order?.id;
  for (const more of [
    ['Content-Length: 2', 'Content-Length: 7'],
    ['Content-Length: 7', 'Content-Length: 2'],
    ['Content-Length: 2', 'Content-Length: 2'],
    ['Content-Length: 2', 'Transfer-Encoding: chunked'],
    ['Transfer-Encoding: chunked', 'Content-Length: 2'],
  ]) {
    for (const first of [head, ['GET / HTTP/1.1', 'Host: localhost']]) {
      const socket = await RawSocket.connect(new URL(till.urls.url).port);
      await socket.write([...first, ...more, '', '{}GET /_till/state HTTP/1.1\r\nHost: localhost\r\n\r\n'].join('\r\n'));
      const reply = await socket.reply();
      assert.equal(reply.status, 400, more.join());
      const { error, message } = JSON.parse(reply.body);
      assert.deepEqual([error, message], ['bad_length', 'One Content-Length wanted, or chunks and none.']);
      await socket.closed();
      assert.equal(socket.replies.length, 1, 'what follows is nobody’s request');
    }
  }
  assert.equal((await till.state()).order?.id, before);
});

test('every answer is JSON with a length and nosniff: paths and methods that are none, bodies too long', async () => {
  await till.refuses(404, 'not_found', 'GET', 'nothing');
  await till.refuses(404, 'not_found', 'POST', 'lines/x');
  await till.refuses(405, 'wrong_method', 'GET', 'pay');
  await till.refuses(405, 'wrong_method', 'POST', 'state');
  await till.refuses(413, 'too_large', 'POST', 'search', JSON.stringify({ keyword: 'x'.repeat(300_000) }));
  await till.refuses(404, 'not_found', 'GET', '../../../../etc/passwd');
  const reply = await till.ask('GET', 'state');
  assert.equal(reply.headers['x-content-type-options'], 'nosniff');
  assert.equal(reply.headers['cache-control'], 'no-store');
  const outside = await request(`${till.urls.url}/nothing.js`, { method: 'GET', agent: false });
  assert.deepEqual([outside.status, outside.json.error], [404, 'not_found']);
  for (const path of ['/index.html%00.js', '/%00', '/_till/state%00', '/_till/orders%00/close']) {
    const cut = await request(till.urls.url + path, { method: 'GET', agent: false });
    assert.deepEqual([path, cut.status, cut.json?.error], [path, 404, 'not_found']);
  }
  assert.equal((await till.ask('GET', 'wire?after=0%00')).status, 422);
  assert.equal((await till.ask('GET', '%73tate')).status, 200, 'other escapes are read as ever');
});

test('the screen is served as it was built, with a policy that keeps everything at home', async () => {
  const reply = await request(`${till.urls.url}/`, { method: 'GET', agent: false });
  assert.equal(reply.status, 200);
  assert.match(reply.headers['content-security-policy'], /^default-src 'self'; img-src 'self' data:/);
  assert.equal(reply.headers['x-content-type-options'], 'nosniff');
  if (!reply.headers.etag) return; // a build without a screen says so in a sentence
  assert.match(reply.headers['content-type'], /^text\/html/);
  const again = await request(`${till.urls.url}/`, {
    method: 'GET',
    agent: false,
    headers: { 'If-None-Match': reply.headers.etag },
  });
  assert.deepEqual([again.status, again.body.length], [304, 0]);
  for (const [, file, type] of [...reply.text.matchAll(/(?:src|href)="\/?([\w./-]+\.(js|css|svg))"/g)]) {
    const part = await request(`${till.urls.url}/${file}`, { method: 'GET', agent: false });
    assert.equal(part.status, 200, file);
    assert.match(part.headers['content-type'], { js: /javascript/, css: /css/, svg: /svg/ }[type]);
  }
});

test('the command line refuses what it cannot start with', () => {
  const ends = (...args) => spawnSync(TILLSIM, ['register', ...args], { encoding: 'utf8' });
  for (const args of [['--listen', 'example.com:80'], ['--url', 'ftp://x'], ['--seed', 'x'], ['--profile', 'x'], ['--nothing'], ['more']])
    assert.equal(ends(...args).status, 2, args.join(' '));
  assert.equal(ends('--listen', new URL(till.urls.url).host).status, 3);
  assert.match(ends('--help').stdout, /--without-grant/);
});

test('a till that waits for its partner and for the wire ends at once when it is told to', async (t) => {
  const partner = await startPartner(t, () => {});
  const own = await startTill(undefined, ['--cloud', shop.cloud.urls.url, '--url', partner.url, '--without-grant']);
  const waiting = Promise.allSettled([
    own.ask('GET', 'wire?wait_ms=30000'),
    own.ask('POST', 'check-balance', { reference: '1' }),
  ]);
  await until('the request to be under way', async () => partner.seen.length === 1);
  assert.equal((await own.state()).is_busy, 1);
  await own.stop();
  await waiting;
});
