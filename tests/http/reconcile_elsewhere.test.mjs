// A charge that its order does not show, beside a payment of its amount that nobody claims, is for people. When somebody
// claims that payment, or it goes, nothing is in doubt any more, and nobody waits for the next day: the real service
// beside a fake Lightspeed cloud, with the times of reconciliation made short, but for the one that the listed are
// looked at again by.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect, startPair } from './loyal.mjs';
import { isApproved, sleep, until } from './support.mjs';

const OUR_METHOD = 88;
const PATIENCE_MS = 40_000;
const QUICK = {
  COUNTERPART_RECONCILE_SCAN_S: '0.1',
  COUNTERPART_RECONCILE_REREAD_S: '0.3',
  COUNTERPART_RECONCILE_REVERSE_AGE_S: '0.5',
  COUNTERPART_RECONCILE_OPEN_LISTED_S: '3600',
  COUNTERPART_RECONCILE_SWEEP_S: '3600',
};

let cloud, service, tenant, till;

before(async () => {
  ({ cloud, service } = await startPair(undefined, { env: QUICK }));
  tenant = await service.addTenant({ token: null });
  tenant.token = cloud.signatureToken;
  await connect(service, cloud, tenant);
  await tenant.set('--payment-method', String(OUR_METHOD), '--replay-window', '1');
  till = tenant.till();
});
after(async () => {
  await service?.verifyIsClean();
  await service?.stop();
  await cloud?.stop();
});

const balance = async (card) => (await tenant.show(card.number)).balance;
const orderCall = (order, action, body = {}) => cloud.control('POST', `/orders/${order.id}/${action}`, body);
const inCash = (order) => orderCall(order, 'complete');

async function charge(order, amount) {
  const card = await tenant.issue({ amount: '100.00' });
  const reply = await till.checkout({ card: card.number, amount, order: order.id });
  isApproved(reply, { amount });
  return { card, id: Number(reply.json.ref.split('-')[1]) };
}
/** On the order, by our method, and without a reference: whose it is, its amount alone can say. */
const book = (order, amount) => orderCall(order, 'payments', { method_id: OUR_METHOD, amount: Number(amount) });

/** The till never hears of it. */
async function lose(amount) {
  const order = await cloud.order();
  return { order, ...(await charge(order, amount)) };
}

const said = ({ id }) => service.events.filter(({ event, operation_id }) => event === 'proof' && operation_id === id);
const untilProof = (operation, state, reason) =>
  until(
    `operation ${operation.id} to be ${state}, and not ${JSON.stringify(said(operation).at(-1))}`,
    () => said(operation).at(-1)?.state === state && said(operation).at(-1).reason === reason,
    PATIENCE_MS,
  );
const items = async () => (await service.cli(['reconcile', '--tenant', String(tenant.id)])).json.tenants[0].items;
const untilItem = (what, isIt) => until(what, async () => (await items()).some(isIt), PATIENCE_MS);

/** Sold for cash and a payment of ours that no card has made. */
async function orderWithPayment(amount) {
  const order = await cloud.order();
  await book(order, amount);
  await inCash(order);
  await untilItem('the payment that nobody claims', ({ state, order_id }) => state === 'unclaimed' && order_id === order.id);
  return order;
}

/** A lost charge, and after it as many payments of its amount elsewhere: the bill is paid in cash, and it is listed. */
async function listed(amount, count) {
  const lost = await lose(amount);
  const others = [];
  for (let i = 0; i < count; i++) others.push(await orderWithPayment(amount));
  await inCash(lost.order);
  await untilProof(lost, 'listed', 'elsewhere');
  return { lost, others };
}

test('what is listed for a payment elsewhere is given back as soon as that has gone', async () => {
  const { lost, others } = await listed('5.00', 1);
  assert.equal(await balance(lost.card), '95.00');
  await orderCall(others[0], 'delete', { keep_payments: false });
  await untilProof(lost, 'reversed', 'none');
  assert.equal(await balance(lost.card), '100.00');
});

test('what is listed for a payment elsewhere is given back as soon as somebody claims that', async () => {
  const { lost, others } = await listed('6.00', 1);
  const paid = await charge(others[0], '6.00'); // told of late
  await untilProof(paid, 'confirmed', 'none');
  await untilProof(lost, 'reversed', 'none');
  assert.deepEqual([await balance(lost.card), await balance(paid.card)], ['100.00', '94.00']);
});

test('while another is left that nobody claims it stays listed', async () => {
  const { lost, others } = await listed('7.00', 2);
  const paid = await charge(others[0], '7.00');
  await untilProof(paid, 'confirmed', 'none');
  await sleep(1000);
  assert.equal(said(lost).at(-1).state, 'listed');
  assert.equal(await balance(lost.card), '93.00');
  await orderCall(others[1], 'delete', { keep_payments: false });
  await untilProof(lost, 'reversed', 'none');
});

test('a payment that was read and whose order is still to be proved is waited for, and nothing is listed', async () => {
  const lost = await lose('8.00');
  const other = await cloud.order();
  await book(other, '8.00');
  // Who looks first is told; who would prove it is not, until this ends.
  await cloud.control('POST', '/faults', {
    match: { method: 'GET', path: `/orders/${other.id}` },
    ...{ skip: 1, action: 'status', status: 503 },
  });
  await inCash(other);
  await untilItem('its payment', ({ state, order_id }) => state === 'unclaimed' && order_id === other.id);
  const paid = await charge(other, '8.00');
  await inCash(lost.order);
  await untilItem('the lost one to wait', ({ operation_id, reason }) => operation_id === lost.id && reason === 'not_swept');
  await sleep(4000); // several looks
  assert.deepEqual(said(lost), []);
  assert.equal(await balance(lost.card), '92.00');
  await cloud.control('DELETE', '/faults');
  await untilProof(paid, 'confirmed', 'none');
  await untilProof(lost, 'reversed', 'none');
  assert.deepEqual(said(lost).map(({ state }) => state), ['reversed']);
  assert.deepEqual([await balance(lost.card), await balance(paid.card)], ['100.00', '92.00']);
});
