// A charge that may be a late repetition looks at its order before it is decided, and one whose client has gone is a
// suspect. The real service beside a fake Lightspeed cloud.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { COMPANY } from './cloud.mjs';
import { connect, startPair } from './loyal.mjs';
import {
  RawSocket,
  areIdentical,
  cardNumber,
  isApproved,
  isRefused,
  movements,
  rawRequest,
  sleep,
  until,
} from './support.mjs';

const OURS = 'Our Gift Card';
const WINDOW_S = 1;
const LATE_MS = 1_200;
const SLOW_MS = 1_500; // a sanitizer build's slowness, on a busy machine

let cloud, service, tenant, till;

before(async () => {
  // Nobody else reads orders meanwhile: the scan of the start is the only one.
  ({ cloud, service } = await startPair(undefined, { env: { COUNTERPART_RECONCILE_SCAN_S: '3600' } }));
  await until('the scan of the start', async () =>
    /^counterpart_scheduled_runs_total\{task="reconcile"\} [1-9]/m.test((await service.get('/metrics')).text),
  );
  tenant = await service.addTenant({ token: null });
  tenant.token = cloud.signatureToken;
  await connect(service, cloud, tenant);
  await tenant.set('--replay-window', String(WINDOW_S), '--payment-method', '88');
  till = tenant.till();
});
after(async () => {
  await service?.verifyIsClean();
  await service?.stop();
  await cloud?.stop();
});

// --- what the tests do and look at ---------------------------------------------------------------

const late = () => sleep(LATE_MS);
const pay = (order, amount, more = {}) =>
  cloud.control('POST', `/orders/${order.id}/payments`, { method: OURS, amount, ...more });
const end = (order, how, body = {}) => cloud.control('POST', `/orders/${order.id}/${how}`, body);
const balance = async (card) => (await tenant.show(card.number)).balance;
const charge = (card, order, amount) => till.checkout({ card: card.number, amount, order: order.id });

/** How often orders were read at the API. */
const reads = async (order) =>
  (await cloud.control('GET', '/requests')).filter(
    ({ method, path }) => method === 'GET' && path.startsWith(`/v1/companies/${COMPANY}/orders/${order.id}`),
  ).length;

const operations = async (card) =>
  movements(await tenant.show(card.number)).map(({ action, amount }) => `${action} ${amount}`);
/** Operations that were marked as suspects. */
const suspects = () =>
  service.events.filter(({ event, error }) => event === 'suspect' && error === 'ok').map((event) => event.operation_id);
const idOf = (reply) => Number(reply.json.ref.split('-')[1]);

/** A card with $100, charged on an open order of $45.00. */
async function charged(amount = '25.50') {
  const card = await tenant.issue({ amount: '100.00' });
  const order = await cloud.order();
  const first = await charge(card, order, amount);
  isApproved(first, { amount });
  return { card, order, first };
}

/** While `run` runs, what comes again is no late repetition, however slow the machine is. */
async function inTheWindow(run) {
  await tenant.set('--replay-window', '600');
  await run();
  await tenant.set('--replay-window', String(WINDOW_S));
}

/** While `run` runs, the API does this to the reads of one order. */
async function withFault(order, fault, run) {
  await cloud.faults({ match: { method: 'GET', path: `/orders/${order.id}` }, ...fault });
  try {
    return await run();
  } finally {
    await cloud.control('DELETE', '/faults');
  }
}

// --- rule 4: the same charge, asked again late ----------------------------------------------------

test('a late repetition is another charge when the first was booked and money is still due', async () => {
  const { card, order, first } = await charged('20.00');
  await pay(order, 20, { ref: first.json.ref });
  await late();
  const second = await charge(card, order, '20.00');
  isApproved(second, { amount: '20.00', balance: '60.00' });
  assert.notEqual(second.json.ref, first.json.ref);
  assert.deepEqual(await operations(card), ['charge 20.00', 'charge 20.00', 'issue 100.00']);
  assert.equal(await reads(order), 1);
});

test('a late repetition is the first answer when the first was booked and nothing is due', async () => {
  const { card, order, first } = await charged('45.00');
  await pay(order, 45, { ref: first.json.ref });
  await late();
  areIdentical(await charge(card, order, '45.00'), first);
  assert.equal(await balance(card), '55.00');
  assert.ok(!suspects().includes(idOf(first)));
});

const looks = async () => {
  const { text } = await service.get('/metrics');
  return ['', '_unread'].map((of) => Number(text.match(new RegExp(`^counterpart_order_looks${of}_total (\\d+)$`, 'm'))[1]));
};

test('looks are counted, and those that came to nothing', async () => {
  const [before, unread] = await looks();
  const { card, order } = await charged('20.00');
  await late();
  await withFault(order, { action: 'drop_before' }, () => charge(card, order, '20.00'));
  assert.deepEqual(await looks(), [before + 1, unread + 1]);
  const other = await charged('20.00');
  await late();
  await charge(other.card, other.order, '20.00');
  assert.deepEqual(await looks(), [before + 2, unread + 1]);
});

test('a late repetition is the first answer when the first was not booked, which makes it a suspect', async () => {
  const { card, order, first } = await charged();
  await late();
  areIdentical(await charge(card, order, '25.50'), first);
  assert.equal(await balance(card), '74.50');
  await until('it to be a suspect', () => suspects().includes(idOf(first)));
});

test('a closed sale is never charged again', async () => {
  for (const how of ['complete', 'delete']) {
    const { card, order } = await charged();
    await end(order, how);
    await late();
    isRefused(await charge(card, order, '25.50'), /This sale is closed/);
    isRefused(await charge(card, order, '10.00'), /This sale is closed/);
    assert.equal(await balance(card), '74.50');
  }
  // Booked, and complete: the first answer is the right one.
  const { card, order, first } = await charged();
  await pay(order, 25.5);
  await end(order, 'complete');
  await late();
  areIdentical(await charge(card, order, '25.50'), first);
  isRefused(await charge(card, order, '19.50'), /This sale is closed/);
  assert.equal(await balance(card), '74.50');
});

// --- rule 5: another amount on the same order -----------------------------------------------------

test('another amount takes the place of a charge that the changed order does not show', async () => {
  const { card, order, first } = await charged();
  await sleep(6_500); // a second more than what our clock and the API's may differ
  await cloud.control('POST', `/orders/${order.id}/lines`, { product_id: 7302 });
  const second = await charge(card, order, '30.00');
  isApproved(second, { amount: '30.00', balance: '70.00' });
  assert.deepEqual(await operations(card), ['charge 30.00', 'reverse 25.50', 'charge 25.50', 'issue 100.00']);
  const isDecision = ({ event, operation_id }) => event === 'operation' && operation_id === idOf(second);
  const decided = await until('the decision in the log', () => service.events.find(isDecision));
  assert.equal(decided.reversed_operation_id, idOf(first));
});

test('another amount stands beside a charge that was booked, or of an order that did not change', async () => {
  const booked = await charged();
  await sleep(6_500);
  await pay(booked.order, 25.5, { ref: booked.first.json.ref });
  isApproved(await charge(booked.card, booked.order, '19.50'), { balance: '55.00' });
  const unchanged = await charged();
  isApproved(await charge(unchanged.card, unchanged.order, '19.50'), { balance: '55.00' });
  for (const { card } of [booked, unchanged])
    assert.deepEqual(await operations(card), ['charge 19.50', 'charge 25.50', 'issue 100.00']);
});

// --- where nothing can be read --------------------------------------------------------------------

test('what cannot be read in time is decided without it, inside the deadline', async () => {
  const faults = [
    { action: 'hang', ms: 6_000 },
    { action: 'status', status: 503 },
    { action: 'rate_limit' },
    { action: 'drop_before' },
    { action: 'html' },
  ];
  for (const deadline of [4, 1]) {
    await tenant.set('--deadline', String(deadline));
    for (const fault of faults) {
      const { card, order } = await charged('20.00');
      await late();
      const took = await withFault(order, fault, async () => {
        let begun, reply;
        for (let i = 0; i < 3 && !reply?.json.success; i++) { // a slow machine may need all of a second for itself
          begun = Date.now();
          reply = await charge(card, order, '20.00');
        }
        isApproved(reply, { balance: '60.00' }); // as ever without a readable order: decided afresh
        return Date.now() - begun;
      });
      assert.ok(took < deadline * 1000 + SLOW_MS, `${fault.action}: ${took} ms of ${deadline} s`);
    }
  }
  await tenant.set('--deadline', '4');
});

test('a charge that repeats nothing asks the API nothing, nor does one that looks are off for', async () => {
  const { card, order, first } = await charged('20.00');
  await inTheWindow(async () => areIdentical(await charge(card, order, '20.00'), first));
  const other = await tenant.issue({ amount: '100.00' });
  isApproved(await charge(other, order, '10.00'));
  isRefused(await charge({ number: cardNumber() }, order, '10.00'));
  assert.equal(await reads(order), 0);
  await tenant.set('--order-look', 'off');
  await late();
  isApproved(await charge(card, order, '20.00'), { balance: '60.00' });
  await tenant.set('--order-look', 'on');
  assert.equal(await reads(order), 0);
  const unknown = await tenant.issue({ amount: '100.00' });
  for (const left of ['80.00', '60.00']) {
    isApproved(await till.checkout({ card: unknown.number, amount: '20.00' }), { balance: left });
    await tenant.set('--replay-window-no-order', '1');
    await late();
  }
  await tenant.set('--replay-window-no-order', '15');
});

test('a charge whose client has gone before it was answered is a suspect', async () => {
  const card = await tenant.issue({ amount: '100.00' });
  const order = await cloud.order();
  const before = suspects().length;
  const body = JSON.stringify(till.fields('checkout', { card: card.number, amount: '25.50', order: order.id }));
  const socket = await RawSocket.connect(service.port);
  service.signal('SIGSTOP'); // so that the end is there before the answer
  await socket.write(rawRequest(`${tenant.base}/checkout`, body, { token: tenant.token }));
  socket.destroy();
  await sleep(100);
  service.signal('SIGCONT');
  await until('it to be a suspect', () => suspects().length > before);
  assert.equal(await balance(card), '74.50');
  await inTheWindow(async () => isApproved(await charge(card, order, '25.50'), { balance: '74.50' })); // the same charge
  assert.equal(suspects().length, before + 1);
});
