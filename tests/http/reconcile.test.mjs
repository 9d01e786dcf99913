// Every operation ends confirmed, reversed or listed: the real service beside a fake Lightspeed cloud, with the times of
// reconciliation made short. The till's side of a story is told by hand: what it heard, what it booked, what became of the
// bill. "Lost" is a reply that the till never saw, so nothing of it is on the order.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Loyalty, connect, isRedeemed, startPair } from './loyal.mjs';
import { isApproved, sleep, until } from './support.mjs';

const OUR_METHOD = 88;
const PATIENCE_MS = 40_000;
const QUICK = {
  COUNTERPART_RECONCILE_SCAN_S: '0.1',
  COUNTERPART_RECONCILE_REREAD_S: '0.3',
  COUNTERPART_RECONCILE_REVERSE_AGE_S: '0.5',
  COUNTERPART_RECONCILE_OPEN_LISTED_S: '8',
  COUNTERPART_RECONCILE_SWEEP_S: '3600',
};

let cloud, service, tenant, till;

before(async () => {
  ({ cloud, service } = await startPair(undefined, { env: QUICK }));
  tenant = await service.addTenant({ token: null });
  tenant.token = cloud.signatureToken;
  await connect(service, cloud, tenant);
  await tenant.set('--payment-method', String(OUR_METHOD), '--replay-window', '1', '--refund-max', '1000.00');
  await tenant.set('--refund-register-day-max', '100000.00');
  till = tenant.till();
});
after(async () => {
  await service?.verifyIsClean();
  await service?.stop();
  await cloud?.stop();
});

// --- the till's side -----------------------------------------------------------------------------

const issue = (amount = '100.00') => tenant.issue({ amount });
const balance = async (card) => (await tenant.show(card.number)).balance;
/** 45.00, of one breakfast. */
const sale = (more = {}) => cloud.order(more);
const saleOf = (breakfasts) => sale({ lines: [{ product_id: 7308, quantity: breakfasts }] });
const refundOf = (order) =>
  sale({ is_refund: true, refunded_order_id: order.id, lines: [{ product_id: 7308, quantity: -1 }] });
const orderCall = (order, action, body = {}) => cloud.control('POST', `/orders/${order.id}/${action}`, body);
const inCash = (order) => orderCall(order, 'complete');

async function charge(card, order, amount = '45.00') {
  const reply = await till.checkout({ card: card.number, amount, order: order.id });
  isApproved(reply, { amount });
  return { ref: reply.json.ref, id: Number(reply.json.ref.split('-')[1]), amount };
}
/** The till has heard the reply, and books the payment; keepsRef: and its reference. */
const book = (order, { ref, amount }, { keepsRef = true } = {}) =>
  orderCall(order, 'payments', { method_id: OUR_METHOD, amount: Number(amount), ...(keepsRef ? { ref } : {}) });

async function refund(card, order, amount = '45.00') {
  const reply = await till.refund({ card: card.number, amount, order: order.id });
  isApproved(reply, { amount });
  return { ref: reply.json.ref, id: Number(reply.json.ref.split('-')[1]), amount: `-${amount}` };
}

// --- what became of it ---------------------------------------------------------------------------

/** What the log said of an operation's proof, in order. */
const said = ({ id }) => service.events.filter(({ event, operation_id }) => event === 'proof' && operation_id === id);
const stateOf = (operation) => said(operation).at(-1)?.state;
const commandsOn = ({ id }) =>
  service.events.filter((each) => each.event === 'proof_command' && each.answers_operation_id === id);
const untilProof = (operation, state, reason) =>
  until(
    `operation ${operation.id} to be ${state}, and not ${JSON.stringify(said(operation).at(-1))}`,
    () => stateOf(operation) === state && (reason === undefined || said(operation).at(-1).reason === reason),
    PATIENCE_MS,
  );

test('what the order shows by its reference is confirmed', async () => {
  const card = await issue();
  const order = await sale();
  const paid = await charge(card, order);
  await book(order, paid);
  await inCash(order);
  await untilProof(paid, 'confirmed');
  assert.equal(await balance(card), '55.00');
});

test('what the order shows by its amount is confirmed', async () => {
  const card = await issue();
  const order = await saleOf(2);
  const paid = await charge(card, order);
  await book(order, paid, { keepsRef: false });
  await inCash(order);
  await untilProof(paid, 'confirmed');
  assert.equal(await balance(card), '55.00');
});

test('a lost reply, and cash instead: given back once', async () => {
  const card = await issue();
  const order = await sale();
  const lost = await charge(card, order);
  await inCash(order);
  await untilProof(lost, 'reversed');
  assert.equal(await balance(card), '100.00');
  await sleep(1000);
  assert.equal(await balance(card), '100.00');
  assert.equal(commandsOn(lost).length, 1);
});

test('a deleted order gives back what was charged on it', async () => {
  const card = await issue();
  const order = await sale();
  const lost = await charge(card, order);
  await orderCall(order, 'delete');
  await untilProof(lost, 'reversed');
  assert.equal(await balance(card), '100.00');
});

test('a payment that comes after the reversal is charged again, down to the floor', async () => {
  const cards = [await issue(), await issue('50.00')];
  const orders = [await sale(), await sale()];
  const late = [await charge(cards[0], orders[0]), await charge(cards[1], orders[1])];
  for (const order of orders) await inCash(order);
  for (const each of late) await untilProof(each, 'reversed');
  await charge(cards[1], await sale(), '40.00');
  for (const at of [0, 1]) {
    await orderCall(orders[at], 'reopen');
    await orderCall(orders[at], 'lines', { product_id: 7308 });
    await book(orders[at], late[at]);
    await inCash(orders[at]);
  }
  await untilProof(late[0], 'confirmed');
  assert.equal(await balance(cards[0]), '55.00');
  await untilProof(late[1], 'listed', 'card_empty');
  assert.equal(await balance(cards[1]), '0.00');
});

test('a refund that its order does not show is taken back', async () => {
  const card = await issue();
  const order = await sale();
  const paid = await charge(card, order);
  await book(order, paid);
  await inCash(order);
  await untilProof(paid, 'confirmed');
  const back = await refundOf(order);
  const lost = await refund(card, back);
  assert.equal(await balance(card), '100.00');
  await inCash(back);
  await untilProof(lost, 'reversed');
  assert.equal(await balance(card), '55.00');
});

test('a refund that its order shows is confirmed', async () => {
  const card = await issue();
  const order = await sale();
  const paid = await charge(card, order);
  await book(order, paid);
  await inCash(order);
  const back = await refundOf(order);
  const given = await refund(card, back);
  await book(back, given);
  await inCash(back);
  await untilProof(given, 'confirmed');
  assert.equal(await balance(card), '100.00');
});

test('of a bill that is split, the payment is found on the other half', async () => {
  const card = await issue();
  const order = await saleOf(2);
  const paid = await charge(card, order);
  await book(order, paid);
  const half = await orderCall(order, 'split', { payments: [1], lines: [] });
  await inCash(order);
  await inCash(half);
  await untilProof(paid, 'confirmed');
  await sleep(1500);
  assert.equal(stateOf(paid), 'confirmed');
  assert.equal(await balance(card), '55.00');
});

test('of bills that are merged, each payment is found, and what is on none is given back', async () => {
  const cards = [await issue(), await issue(), await issue()];
  const orders = [await sale(), await sale(), await sale()];
  const paid = [];
  for (const at of [0, 1, 2]) paid.push(await charge(cards[at], orders[at]));
  await book(orders[0], paid[0]);
  await book(orders[1], paid[1]); // the third reply was lost
  await orderCall(orders[1], 'merge', { into: orders[0].id });
  await orderCall(orders[2], 'merge', { into: orders[0].id });
  await inCash(orders[0]);
  await untilProof(paid[0], 'confirmed');
  await untilProof(paid[1], 'confirmed');
  await untilProof(paid[2], 'reversed');
  assert.deepEqual(await Promise.all(cards.map(balance)), ['55.00', '55.00', '100.00']);
});

test('two cards, equal amounts, one payment: listed without a reference, settled with one', async () => {
  const cards = [await issue(), await issue(), await issue(), await issue()];
  const orders = [await saleOf(2), await saleOf(2)];
  const paid = [];
  for (const at of [0, 1, 2, 3]) paid.push(await charge(cards[at], orders[at >> 1]));
  await book(orders[0], paid[1], { keepsRef: false });
  await book(orders[1], paid[3]);
  for (const order of orders) await inCash(order);
  await untilProof(paid[0], 'listed', 'ambiguous');
  await untilProof(paid[1], 'listed', 'ambiguous');
  await untilProof(paid[2], 'reversed');
  await untilProof(paid[3], 'confirmed');
  assert.deepEqual(await Promise.all(cards.map(balance)), ['55.00', '55.00', '100.00', '55.00']);
});

test('what points have paid is no payment of a card: what the till lost is given back', async () => {
  const must = (...args) => service.must([...args, '--tenant', String(tenant.id)]);
  await must('foreign-orders', 'request');
  await must(
    ...['foreign-orders', 'record', '--state', 'approved', '--reference', 'LS-1', '--actor', 'Dana'],
    ...['--payment-max', '0', '--day-max', '0', '--expires', 'never'],
  );
  await cloud.settings({ may_pay_foreign_orders: { [cloud.clientId]: true } });
  const shop = new Loyalty(service, cloud, tenant);
  const member = await shop.addMember();
  const reward = await shop.addReward({ title: 'A breakfast', effect: 'pay:45.00' });
  const told = async () => (await service.cli(['reconcile', '--tenant', String(tenant.id)])).json.tenants[0];
  const before = await told();
  const card = await issue();
  const order = await sale();
  const lost = await charge(card, order);
  isRedeemed(await shop.redeem(member, reward, order.id));
  const { payments } = await cloud.control('GET', `/orders/${order.id}`);
  assert.equal(payments.length, 1);
  assert.match(payments[0].ref, /^CP-R/);
  // The same by our method, beside a card's payment that is shown.
  const both = await saleOf(2);
  const paid = await charge(card, both);
  await book(both, paid);
  await orderCall(both, 'payments', { method_id: OUR_METHOD, amount: 45, ref: 'CP-R77-0f3a9c1b' });
  for (const each of [order, both]) await orderCall(each, 'complete');
  await untilProof(paid, 'confirmed');
  await untilProof(lost, 'reversed');
  assert.equal(await balance(card), '55.00');
  const now = await told();
  assert.equal(now.unclaimed_payments, before.unclaimed_payments);
  for (const name of ['register_total', 'ledger_total'])
    assert.equal((Number(now[name]) - Number(before[name])).toFixed(2), '45.00', name);
});

test('an order that cannot be read is listed, and settled once it can', async () => {
  const card = await issue();
  const order = await sale();
  const paid = await charge(card, order);
  await orderCall(order, 'hide');
  await inCash(order);
  await untilProof(paid, 'listed', 'unreadable');
  assert.equal(await balance(card), '55.00');
  await orderCall(order, 'show');
  await untilProof(paid, 'reversed');
  assert.equal(await balance(card), '100.00');
});

test('killed in the middle, several times: the same end, and nothing twice', async () => {
  const lost = [];
  const paid = [];
  for (let kill = 0; kill < 5; kill++) {
    for (const fates of [lost, paid, lost]) {
      const card = await issue();
      const order = await sale();
      const operation = await charge(card, order);
      if (fates === paid) await book(order, operation);
      await inCash(order);
      fates.push({ card, order, operation });
    }
    const { order } = lost.at(-1);
    const isLookedAt = ({ kind, subject_id }) => kind === 'prove_order' && subject_id === order.id;
    // After a start the scan comes late, but a webhook opens the same work.
    await until('the last one to be looked at', () => service.events.some(isLookedAt), PATIENCE_MS);
    await sleep(Math.random() * 700);
    await service.kill();
    await service.restart();
  }
  const balances = (fates) => Promise.all(fates.map(({ card }) => balance(card)));
  await until('every lost one to be given back', async () => (await balances(lost)).every((is) => is === '100.00'), PATIENCE_MS);
  await sleep(2000);
  assert.ok((await balances(lost)).every((is) => is === '100.00'));
  assert.ok((await balances(paid)).every((is) => is === '55.00'));
  for (const { card } of [...lost, ...paid]) {
    const { entries } = await tenant.show(card.number);
    const reversals = entries.filter(({ action }) => action === 'reverse').length;
    assert.equal(reversals, lost.some((each) => each.card === card) ? 1 : 0);
  }
  await service.verifyIsClean();
});
