// Webhooks get lost. The sweep makes up for them, and staff read on the register's screen what became of the money: the
// real service beside a fake Lightspeed cloud that delivers no webhook at all, with the times of reconciliation made
// short.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect, startPair } from './loyal.mjs';
import { isApproved, until } from './support.mjs';

const DAVID = 389427; // of the cloud's seed; our member M-1
const OUR_METHOD = 88;
const PATIENCE_MS = 40_000;
const QUICK = {
  COUNTERPART_RECONCILE_SCAN_S: '0.2',
  COUNTERPART_RECONCILE_REREAD_S: '0.5',
  COUNTERPART_RECONCILE_REVERSE_AGE_S: '1',
  COUNTERPART_RECONCILE_SWEEP_S: '2',
};

let cloud, service, tenant, till;

before(async () => {
  ({ cloud, service } = await startPair(undefined, { env: QUICK }));
  await cloud.settings({ webhooks: { drop: 100 } });
  tenant = await service.addTenant({ token: null });
  tenant.token = cloud.signatureToken;
  await service.must([
    ...['member', 'add', '--tenant', String(tenant.id), '--first-name', 'David', '--last-name', 'Kent'],
    ...['--email', 'david.kent@example.com'],
  ]);
  await connect(service, cloud, tenant);
  await tenant.set('--payment-method', String(OUR_METHOD), '--replay-window', '1');
  till = tenant.till();
});
after(async () => {
  await service?.verifyIsClean();
  await service?.stop();
  await cloud?.stop();
});

const points = async () =>
  Number((await service.must(['points', 'show', '--tenant', String(tenant.id), '--member', 'M-1'])).points);
const balance = async (card) => (await tenant.show(card.number)).balance;
const end = (order, how) => cloud.control('POST', `/orders/${order.id}/${how}`, {});
const notices = (order) => cloud.control('GET', `/orders/${order.id}/notifications`);
/** Work of a kind that has ended, in order. */
const ended = (kind) =>
  service.events.filter((event) => event.event === 'work' && event.kind === kind && event.state !== 'open');

test('an order whose webhook was lost earns its points, once', async () => {
  const before = await points();
  const order = await cloud.order({ customer_id: DAVID });
  await end(order, 'complete');
  await until('its points', async () => (await points()) === before + 45, PATIENCE_MS);
  // Read once more when it has rested, for the API tells seconds; then never again.
  const isQuiet = () => /^\d+ orders listed, 0 of them not read before$/.test(ended('sweep').at(-1).reason);
  const sweepsBefore = ended('sweep').length;
  const isRead = () => ended('sweep').length >= sweepsBefore + 2 && isQuiet();
  await until('a sweep that finds nothing new', isRead, PATIENCE_MS);
  const reads = () => ended('order_changed').filter((event) => event.subject_id === order.id).length;
  const readsOfRest = reads();
  const sweeps = ended('sweep').length;
  await until('two more sweeps', () => ended('sweep').length >= sweeps + 2, PATIENCE_MS);
  assert.ok(isQuiet());
  assert.equal(reads(), readsOfRest);
  assert.equal(await points(), before + 45);
});

test('an order whose deletion nobody told of gives its points back', async () => {
  const before = await points();
  const order = await cloud.order({ customer_id: DAVID });
  await end(order, 'complete');
  await until('its points', async () => (await points()) === before + 45, PATIENCE_MS);
  await end(order, 'delete');
  await until('them to be gone', async () => (await points()) === before, PATIENCE_MS);
});

test('staff read that a charge was given back, and that it was charged after all', async () => {
  const card = await tenant.issue({ amount: '100.00' });
  const order = await cloud.order();
  const lost = await till.checkout({ card: card.number, amount: '25.50', order: order.id });
  isApproved(lost);
  await end(order, 'complete'); // in cash: the reply never reached the till
  await until('the notice', async () => (await notices(order)).length === 1, PATIENCE_MS);
  const last4 = card.number.slice(-4);
  const [first] = await notices(order);
  assert.equal(first.message, `Gift card ...${last4}: $25.50 given back, this sale does not show its payment`);
  assert.deepEqual([first.broadcast_level, first.alert_colour, first.duration], ['now', 'orange', 60]);
  assert.equal(await balance(card), '100.00');

  await end(order, 'reopen');
  await cloud.control('POST', `/orders/${order.id}/lines`, { product_id: 7308 });
  const payment = { method_id: OUR_METHOD, amount: 25.5, ref: lost.json.ref };
  await cloud.control('POST', `/orders/${order.id}/payments`, payment);
  await end(order, 'complete');
  await until('the second notice', async () => (await notices(order)).length === 2, PATIENCE_MS);
  assert.equal(
    (await notices(order))[1].message,
    `Gift card ...${last4}: $25.50 charged after all, this sale shows its payment`,
  );
  assert.equal(await balance(card), '74.50');
  const { text } = await service.get('/metrics');
  for (const name of ['sweeps_total', 'sweeps_missed_total', 'notices_total'])
    assert.match(text, new RegExp(`^counterpart_${name} [1-9]`, 'm'));
});

test('a bill that was merged into one that stays open has not lost its payment', async () => {
  const card = await tenant.issue({ amount: '100.00' });
  const [bill, tab] = [await cloud.order(), await cloud.order()];
  const paid = await till.checkout({ card: card.number, amount: '25.50', order: bill.id });
  isApproved(paid);
  const payment = { method_id: OUR_METHOD, amount: 25.5, ref: paid.json.ref };
  await cloud.control('POST', `/orders/${bill.id}/payments`, payment);
  await cloud.control('POST', `/orders/${bill.id}/merge`, { into: tab.id });
  const wasRead = () => ended('order_changed').some((event) => event.subject_id === tab.id);
  await until('the open bill to be read', wasRead, PATIENCE_MS);
  const sweeps = ended('sweep').length;
  await until('two more sweeps', () => ended('sweep').length >= sweeps + 2, PATIENCE_MS);
  assert.equal(await balance(card), '74.50');
  assert.deepEqual(await notices(bill), []);
});

test('staff read nothing where the merchant wants no notices', async () => {
  await tenant.set('--notify', 'off');
  const card = await tenant.issue({ amount: '100.00' });
  const order = await cloud.order();
  isApproved(await till.checkout({ card: card.number, amount: '25.50', order: order.id }));
  const before = ended('notify').length;
  await end(order, 'complete');
  await until('it to be given back', async () => (await balance(card)) === '100.00', PATIENCE_MS);
  await until('the notice to be left out', () => ended('notify').length > before, PATIENCE_MS);
  assert.deepEqual([ended('notify').at(-1).state, ended('notify').at(-1).reason],
    ['done', 'not told: the merchant wants no notices']);
  assert.deepEqual(await notices(order), []);
  await tenant.set('--notify', 'on');
});

test('a sweep that was under way at kill -9 is made by the next start', async () => {
  const before = await points();
  await cloud.faults({ match: { path: '/orders?created_gte' }, action: 'hang', ms: 5_000, count: 1 });
  const order = await cloud.order({ customer_id: DAVID });
  await end(order, 'complete');
  const hasFired = async () => (await cloud.control('GET', '/faults')).some(({ fired }) => fired > 0);
  await until('the list to be asked for', hasFired, PATIENCE_MS);
  await service.kill();
  await service.restart();
  await until('its points', async () => (await points()) === before + 45, PATIENCE_MS);
});

// Last: the order of a load is looked at after a quarter of an hour too, and until then a sweep is not read to its end.
test('a load that waits for its order is released though no webhook came', async () => {
  await tenant.set('--top-up-release', 'on_order_complete');
  const card = await tenant.issue({ amount: '10.00' });
  const order = await cloud.order();
  isApproved(await till.topUp({ card: card.number, amount: '50.00', order: order.id }));
  assert.equal(await balance(card), '10.00');
  await end(order, 'complete');
  await until('its release', async () => (await balance(card)) === '60.00', PATIENCE_MS);
  await tenant.set('--top-up-release', 'immediate');
});
