// Webhooks in, and what follows from them: the real service beside a fake Lightspeed cloud, connected the way a merchant
// connects. A webhook is a trigger and never evidence, so most tests send one that lies.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { COMPANY, startCloud } from './cloud.mjs';
import {
  Service,
  areIdentical,
  cardNumber,
  freePort,
  isApproved,
  isJsonReply,
  isRefused,
  request,
  sign,
  sleep,
  until,
} from './support.mjs';

const DAVID = 389427; // of the cloud's seed; our member M-1
const OTHER_COMPANY_PRODUCT = 8302;

let cloud, service, tenant, till;

/** A service that is connected to a cloud, with David as its member M-1. */
async function startConnected() {
  const port = await freePort();
  const made = await startCloud(undefined, { redirectUris: [`http://127.0.0.1:${port}/oauth/callback`] });
  const started = await Service.start({
    port,
    env: {
      COUNTERPART_LOG_LEVEL: 'debug',
      COUNTERPART_OSERIES_AUTHORIZE_URL: made.urls.authorize_url,
      COUNTERPART_OSERIES_TOKEN_URL: made.urls.token_url,
      COUNTERPART_OSERIES_API_URL: made.urls.api_url,
    },
  });
  await started.must([
    ...['app', 'set', '--surface', 'oseries', '--client-id', made.clientId],
    ...['--client-secret', made.clientSecret, '--signature-token', made.signatureToken],
  ]);
  const merchant = await started.addTenant({ company: COMPANY, token: null });
  merchant.token = made.signatureToken; // the application's, for it has none of its own
  await started.must([
    ...['member', 'add', '--tenant', String(merchant.id), '--first-name', 'David', '--last-name', 'Kent'],
    ...['--email', 'david.kent@example.com'],
  ]);
  return { cloud: made, service: started, tenant: merchant };
}

async function connect(merchant = tenant) {
  const { authorize_url } = await merchant.service.must(['oauth', 'start', '--tenant', String(merchant.id)]);
  const back = await cloud.consent(authorize_url);
  const reply = await request(back.href, { method: 'GET' });
  assert.equal(reply.status, 200, reply.text);
}

before(async () => {
  ({ cloud, service, tenant } = await startConnected());
  await connect();
  till = tenant.till();
  await until('the webhooks to be registered', async () => (await registered()).length === 2);
});
after(async () => {
  await service?.verifyIsClean();
  await service?.stop();
  await cloud?.stop();
});

/** The webhooks that the cloud knows of our application and company. */
async function registered() {
  const { access_token } = await cloud.grant();
  const reply = await cloud.api(access_token, 'GET', `/companies/${COMPANY}/webhooks`);
  assert.equal(reply.status, 200, reply.text);
  return reply.json;
}

// --- what the tests do and look at ---------------------------------------------------------------

/** Sends a webhook as Lightspeed would, or as somebody who is not Lightspeed. */
function hook(topic, body, { token = tenant.token, key = tenant.key, headers = {}, method = 'POST' } = {}) {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return request(`${service.origin}/oseries/${key}/webhooks/${topic}`, {
    method,
    body: bytes,
    agent: false,
    headers: {
      'Content-Type': 'application/json',
      'Content-Length': bytes.length,
      ...(token === null ? {} : { 'X-Kounta-Signature': sign(bytes, token) }),
      ...headers,
    },
  });
}

const isTaken = (reply) => {
  isJsonReply(reply);
  assert.equal(reply.status, 200, reply.text);
  assert.deepEqual(reply.json, {});
};

async function points() {
  const shown = await service.must(['points', 'show', '--tenant', String(tenant.id), '--member', 'M-1']);
  return Number(shown.points);
}
async function earnedBy(order) {
  const { entries } = await service.must(['points', 'show', '--tenant', String(tenant.id), '--member', 'M-1']);
  return entries.filter((entry) => entry.order_id === order.id).reduce((sum, entry) => sum + Number(entry.points), 0);
}
const works = async () => (await service.must(['work', 'list', '--tenant', String(tenant.id)])).work;
const workIds = async () => (await works()).map(({ work_id }) => work_id);
/** Nothing has come since; what was there is of other tests, and may have ended. */
const noneSince = async (before) => assert.deepEqual((await workIds()).filter((id) => !before.includes(id)), []);
/** Log lines of work on this order that has ended, in order. */
const ends = (order) =>
  service.events.filter((event) => event.event === 'work' && event.subject_id === order && event.state !== 'open');
/** All that the tests before have left is asked of the API as well, at the pace that it allows. */
const WORK_MS = 90_000;
const untilDone = (order, times = 1) =>
  until(`work on order ${order} to be done ${times} times`, () => ends(order).length >= times, WORK_MS);

const sale = (more = {}) => cloud.order({ customer_id: DAVID, ...more });
const complete = (order) => cloud.control('POST', `/orders/${order.id}/complete`, {});
const quiet = () => cloud.settings({ webhooks: { drop: 100 } });
const talkative = () => cloud.settings({ webhooks: { drop: 0 } });
/** Runs without a webhook of the cloud's own. */
async function quietly(run) {
  await quiet();
  try {
    return await run();
  } finally {
    await talkative();
  }
}
/** The order as the cloud has it: its text is what a webhook would carry. */
async function orderBody(order) {
  return cloud.tryControl('GET', `/orders/${order.id}`);
}
/** The operation that a reply refers to: CP1-42. */
const idOf = (reply) => Number(reply.json.ref.split('-')[1]);
const balance = async (card) => (await tenant.show(card)).balance;


/** A number of /metrics. */
async function metric(name) {
  const { text } = await service.get('/metrics');
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)[1]);
}

// --- connecting ----------------------------------------------------------------------------------

test('a tenant that connects has its webhooks registered, once, under its own key', async () => {
  const first = await registered();
  assert.deepEqual(
    first.map(({ topic, address, format }) => ({ topic, address, format })),
    ['orders/completed', 'orders/deleted'].map((topic) => ({
      topic,
      address: `${service.origin}${tenant.base}/webhooks/${topic}`,
      format: 'json',
    })),
  );
  const done = () =>
    service.events.filter((event) => event.event === 'work' && event.kind === 'register_webhooks').length;
  const before = done();
  await connect();
  await until('they to be looked at again', () => done() > before);
  assert.deepEqual(
    (await registered()).map(({ id }) => id),
    first.map(({ id }) => id),
  );
});

// --- earning -------------------------------------------------------------------------------------

test('a completed order earns once, whoever tells of it how often', async () => {
  const before = await points();
  const order = await sale();
  await complete(order);
  await untilDone(order.id);
  assert.equal(await points(), before + 45);
  const [webhook] = await registered();
  for (let i = 0; i < 3; i++) await cloud.control('POST', `/webhooks/${webhook.id}/send`, { order_id: order.id });
  const { text: body } = await orderBody(order);
  isTaken(await hook('orders/completed', body));
  isTaken(await hook('orders/completed', body + ' ')); // not the same bytes: a new trigger, and nothing new
  await untilDone(order.id, 2);
  assert.equal(await points(), before + 45);
  assert.equal(ends(order.id).length, 2, 'the same notice is done once');
});

test('a hundred times at once is once', async () => {
  const before = await points();
  const order = await quietly(async () => {
    const made = await sale();
    return complete(made);
  });
  const { text: body } = await orderBody(order);
  const replies = await Promise.all(Array.from({ length: 100 }, () => hook('orders/completed', body)));
  replies.forEach(isTaken);
  await untilDone(order.id);
  assert.equal(await points(), before + 45);
  const taken = () => service.events.filter((event) => event.event === 'webhook' && event.order_id === order.id);
  await until('all of them in the log', () => taken().length >= 100);
  assert.equal(taken().length, 100);
  assert.equal(taken().filter((event) => !event.is_known).length, 1);
});

test('what the body says counts for nothing: the order is read', async () => {
  const before = await points();
  const order = await sale(); // open
  const lie = { ...order, status: 'COMPLETE', total: 9999, paid: 9999, company_id: COMPANY };
  isTaken(await hook('orders/completed', lie));
  isTaken(await hook('orders/deleted', { ...lie, deleted: true }));
  await until('the order to be looked at', () =>
    service.events.some((event) => event.subject_id === order.id && /not complete/.test(event.reason)),
  );
  assert.equal(await points(), before);
  await complete(order);
  await untilDone(order.id);
  assert.equal(await points(), before + 45);
});

test('a lost webhook moves nothing, one that comes later does', async () => {
  const before = await points();
  const order = await quietly(async () => complete(await sale()));
  assert.equal(await points(), before);
  const [webhook] = await registered();
  await cloud.control('POST', `/webhooks/${webhook.id}/send`, { order_id: order.id });
  await untilDone(order.id);
  assert.equal(await points(), before + 45);
});

test('an order without a customer, or with one of nobody here, earns nothing', async () => {
  const before = await points();
  for (const customer_id of [undefined, 389428]) {
    const order = await complete(await sale({ customer_id }));
    await untilDone(order.id);
  }
  assert.equal(await points(), before);
});

test("another merchant's order with a valid signature moves nothing", async () => {
  const before = await points();
  const card = await tenant.issue({ amount: '10.00' });
  const theirs = async () =>
    complete(await cloud.control('POST', '/orders', { company_id: 6789, lines: [{ product_id: OTHER_COMPANY_PRODUCT }] }));
  const [strange, awaited] = await quietly(async () => [await theirs(), await theirs()]);
  await holding(async () => isApproved(await till.topUp({ card: card.number, amount: '50.00', order: awaited.id })));
  for (const order of [strange, awaited]) isTaken(await hook('orders/completed', (await orderBody(order)).text));
  await untilDone(strange.id);
  assert.match(ends(strange.id)[0].reason, /^ignored: not an order/);
  // A top-up waits for it: it might be ours, of a till that is offline.
  const waiting = async () => (await works()).filter(({ order_id, reason }) => order_id === awaited.id && /^not an order/.test(reason));
  await until('the other to be looked at more than a stranger is', async () => (await waiting()).some(({ attempts }) => attempts > 3));
  assert.ok((await waiting()).every(({ state }) => state === 'open'));
  assert.equal(await points(), before);
  assert.equal(await balance(card.number), '10.00');
});

// --- taking back ---------------------------------------------------------------------------------

test('a refund takes back its share, once', async () => {
  const order = await complete(await sale());
  await untilDone(order.id);
  const before = await points();
  const refund = await complete(
    await sale({ is_refund: true, refunded_order_id: order.id, lines: [{ product_id: 7309 }] }),
  );
  await untilDone(refund.id);
  assert.equal(await points(), before - 18); // $18 of $45, that earned 45
  const [webhook] = await registered();
  await cloud.control('POST', `/webhooks/${webhook.id}/send`, { order_id: refund.id });
  isTaken(await hook('orders/completed', (await orderBody(refund)).text + '\n'));
  await untilDone(refund.id, 2);
  assert.equal(await points(), before - 18);
});

test('a refund that is told before its sale comes to the same', async () => {
  const before = await points();
  const { order, refund } = await quietly(async () => {
    const sold = await complete(await sale());
    const back = await sale({ is_refund: true, refunded_order_id: sold.id, lines: [{ product_id: 7309 }] });
    return { order: sold, refund: await complete(back) };
  });
  isTaken(await hook('orders/completed', (await orderBody(refund)).text));
  await untilDone(refund.id);
  assert.equal(await points(), before + 27); // $18 of $45, that earn 45
  isTaken(await hook('orders/completed', (await orderBody(order)).text));
  await untilDone(order.id);
  assert.equal(await points(), before + 27);
});

test('refunds and the deletion of one sale together take back what it earned, and no more', async () => {
  const before = await points();
  const order = await complete(await sale());
  await untilDone(order.id);
  assert.equal(await points(), before + 45);
  for (const left of [27, 9, 0]) {
    const refund = await complete(
      await sale({ is_refund: true, refunded_order_id: order.id, lines: [{ product_id: 7309 }] }),
    );
    await untilDone(refund.id);
    assert.equal(await points(), before + left);
  }
  await cloud.control('POST', `/orders/${order.id}/delete`, {});
  await untilDone(order.id, 2);
  assert.equal(await points(), before);
});

test('a deleted order gives up what it earned, in whichever order that is told', async () => {
  const before = await points();
  const order = await quietly(async () => {
    const made = await complete(await sale());
    return { ...made, body: (await orderBody(made)).text };
  });
  const gone = await quietly(() => cloud.control('POST', `/orders/${order.id}/delete`, {}));
  isTaken(await hook('orders/deleted', (await orderBody(gone)).text));
  await untilDone(order.id);
  isTaken(await hook('orders/completed', order.body)); // sent first, comes last
  await untilDone(order.id, 2);
  assert.equal(await points(), before);
});

// --- rewards that burn with the order ------------------------------------------------------------

async function redeemOn(order, meanwhile = async () => {}, refusal = null) {
  const query = new URLSearchParams({ reference_id: 'M-1', site_id: '923', company_id: String(COMPANY), order_id: '111' });
  const found = await request(`${service.origin}${tenant.base}/reward-lookup?${query}`, { method: 'GET' });
  assert.equal(found.json?.rewards?.length, 1, found.text);
  const url = found.json.rewards[0].redeem_url.replaceAll('order_id=111', `order_id=${order.id}`);
  const [reply] = await Promise.all([request(url, { method: 'GET' }), meanwhile()]);
  assert.equal(reply.json?.success, refusal === null, reply.text);
  if (refusal !== null) assert.match(reply.json.error, refusal);
}

test('points of a reward burn when the order completes, and come back when it is deleted', async () => {
  await service.must([
    ...['reward', 'add', '--tenant', String(tenant.id), '--title', '$10 off', '--points', '10'],
    ...['--effect', 'money_off:10.00'],
  ]);
  await service.must([
    ...['points', 'grant', '--tenant', String(tenant.id), '--member', 'M-1', '--points', '100'],
    ...['--reason', 'a test'],
  ]);
  await tenant.set('--points-burn', 'on_order_complete');
  const shown = () => service.must(['points', 'show', '--tenant', String(tenant.id), '--member', 'M-1']);
  const before = await shown();

  const order = await sale({ customer_id: undefined });
  await redeemOn(order);
  assert.equal((await shown()).held, before.held + 10);
  await complete(order);
  await untilDone(order.id);
  assert.equal((await shown()).held, before.held);
  assert.equal((await shown()).points, before.points - 10);

  await cloud.control('POST', `/orders/${order.id}/delete`, {});
  await untilDone(order.id, 2);
  assert.equal((await shown()).points, before.points);

  const open = await sale({ customer_id: undefined });
  await redeemOn(open);
  await cloud.control('POST', `/orders/${open.id}/delete`, {});
  await untilDone(open.id);
  assert.equal((await shown()).held, before.held);
  assert.equal((await shown()).points, before.points);
});

/** While the API keeps the redemption's reply back, though the order is changed, it is deleted or completed. */
async function endedDuringRedemption(order, end) {
  await cloud.faults({
    ...{ match: { method: 'PUT', path: `/orders/${order.id}` }, action: 'hang', ms: 800, when: 'after', count: 1 },
  });
  const isChanged = async () => (await cloud.control('GET', `/orders/${order.id}`)).total < order.total;
  await redeemOn(order, async () => {
    await until('the order to be changed', isChanged);
    await cloud.control('POST', `/orders/${order.id}/${end}`, {});
  }, end === 'delete' ? /^The order was deleted/ : null); // it is read back before the cashier is told
  await untilDone(order.id);
}

test('an order deleted while its redemption is under way gives the points back', async () => {
  const shown = () => service.must(['points', 'show', '--tenant', String(tenant.id), '--member', 'M-1']);
  const before = await shown();
  for (const burn of ['at_redeem', 'on_order_complete']) {
    await tenant.set('--points-burn', burn);
    await endedDuringRedemption(await sale({ customer_id: undefined }), 'delete');
    const after = await shown();
    assert.deepEqual([after.points, after.held], [before.points, before.held], burn);
  }
});

test('an order completed while its redemption is under way burns the points', async () => {
  const shown = () => service.must(['points', 'show', '--tenant', String(tenant.id), '--member', 'M-1']);
  const before = await shown();
  await endedDuringRedemption(await sale({ customer_id: undefined }), 'complete');
  const after = await shown();
  assert.deepEqual([after.points, after.held], [before.points - 10, before.held]);
});

const shownOfDavid = () => service.must(['points', 'show', '--tenant', String(tenant.id), '--member', 'M-1']);

test('a reward that staff took off again before the order completed gives its points back', async () => {
  await tenant.set('--points-burn', 'on_order_complete');
  const before = await shownOfDavid();
  const order = await sale({ customer_id: undefined });
  await redeemOn(order);
  await cloud.control('PUT', `/orders/${order.id}`, { price_fixed_variation: 0, notes: '' });
  assert.equal((await complete(order)).total, order.total);
  await untilDone(order.id);
  const after = await shownOfDavid();
  assert.deepEqual([after.points, after.held], [before.points, before.held]);
});

test('an order deleted, opened again and completed with its discount is listed', async () => {
  for (const burn of ['on_order_complete', 'at_redeem']) {
    await tenant.set('--points-burn', burn);
    const before = await shownOfDavid();
    const order = await sale({ customer_id: undefined });
    await redeemOn(order);
    await cloud.control('POST', `/orders/${order.id}/delete`, {});
    await untilDone(order.id);
    await cloud.control('POST', `/orders/${order.id}/reopen`, {});
    assert.equal((await complete(order)).total, order.total - 10);
    await untilDone(order.id, 2);
    assert.equal((await shownOfDavid()).points, before.points);
    const listed = (await works()).find(({ order_id, state }) => order_id === order.id && state === 'given_up');
    assert.match(listed.reason, /^reservation \d+: its reward is on the completed order, and its 10 points were returned$/);
  }
});

// --- top-ups that wait ---------------------------------------------------------------------------

async function holding(run) {
  await tenant.set('--top-up-release', 'on_order_complete');
  try {
    return await run();
  } finally {
    await tenant.set('--top-up-release', 'immediate');
  }
}

test('a held top-up is there when its order completes, once, and its replies stay as they were', async () => {
  const card = await tenant.issue({ amount: '10.00' });
  const order = await sale({ customer_id: undefined });
  const fields = { card: card.number, amount: '50.00', order: order.id };
  const first = await holding(() => till.topUp(fields));
  isApproved(first, { amount: '50.00', balance: '10.00' });
  assert.match(first.json.message, /gets \$50\.00 when this sale is paid, \$10\.00 on it until then/);
  areIdentical(await till.topUp(fields), first); // though the setting has changed
  isApproved(await till.checkBalance({ card: card.number }), { balance: '10.00' });
  isRefused(await holding(() => till.topUp({ ...fields, order: undefined, amount: '-5' })));
  await complete(order);
  await untilDone(order.id);
  isApproved(await till.checkBalance({ card: card.number }), { balance: '60.00' });
  areIdentical(await till.topUp(fields), first);
  const [webhook] = await registered();
  await cloud.control('POST', `/webhooks/${webhook.id}/send`, { order_id: order.id });
  isTaken(await hook('orders/completed', (await orderBody(order)).text + ' '));
  await untilDone(order.id, 2);
  assert.equal(await balance(card.number), '60.00');
  const { entries } = await tenant.show(card.number);
  assert.deepEqual(
    entries.map((entry) => [entry.action, entry.amount, entry.transfers.length]),
    [
      ['release', '50.00', 1],
      ['hold_load', '0.00', 0],
      ['issue', '10.00', 1],
    ],
  );
});

test('stock is sold by the release, and not before', async () => {
  const number = cardNumber();
  await tenant.issue({ number, settings: ['--stock'] });
  const order = await sale({ customer_id: undefined });
  isApproved(await holding(() => till.topUp({ card: number, amount: '20.00', order: order.id })), {
    amount: '20.00',
    balance: '0.00',
  });
  isRefused(await till.checkBalance({ card: number }), /Card not found/);
  isRefused(await till.checkout({ card: number, amount: '1.00', order: order.id }), /Card not found/);
  await complete(order);
  await untilDone(order.id);
  isApproved(await till.checkBalance({ card: number }), { balance: '20.00' });
});

test('a top-up on an order that is deleted is never released', async () => {
  const card = await tenant.issue({ amount: '10.00' });
  const order = await sale({ customer_id: undefined });
  isApproved(await holding(() => till.topUp({ card: card.number, amount: '50.00', order: order.id })));
  await cloud.control('POST', `/orders/${order.id}/delete`, {});
  await untilDone(order.id);
  isTaken(await hook('orders/completed', { ...order, status: 'COMPLETE' }));
  await untilDone(order.id, 2);
  assert.equal(await balance(card.number), '10.00');
});

test('without an order id a top-up is loaded at once', async () => {
  const card = await tenant.issue({ amount: '10.00' });
  isApproved(await holding(() => till.topUp({ card: card.number, amount: '5.00' })), { amount: '5.00', balance: '15.00' });
});

// --- refunds of a card ---------------------------------------------------------------------------

test('a refund is bounded by the sale that its order gives back', async () => {
  await tenant.set('--refund-max', '0');
  const card = await tenant.issue({ amount: '100.00' });
  const other = await tenant.issue({ amount: '100.00' });
  const order = await sale({ customer_id: undefined });
  isApproved(await till.checkout({ card: card.number, amount: '30.00', order: order.id }));
  const refund = await sale({ customer_id: undefined, is_refund: true, refunded_order_id: order.id });
  isRefused(await till.refund({ card: card.number, amount: '30.01', order: refund.id }), /At most \$30\.00 .* this sale/);
  isRefused(await till.refund({ card: other.number, amount: '5.00', order: refund.id }), /paid nothing on this sale/);
  const first = await till.refund({ card: card.number, amount: '20.00', order: refund.id });
  isApproved(first, { amount: '20.00', balance: '90.00' });
  areIdentical(await till.refund({ card: card.number, amount: '20.00', order: refund.id }), first);
  const second = await sale({ customer_id: undefined, is_refund: true, refunded_order_id: order.id });
  isRefused(await till.refund({ card: card.number, amount: '10.01', order: second.id }), /At most \$10\.00/);
  const { entries } = await tenant.show(card.number);
  assert.equal(entries.find((entry) => entry.operation_id === idOf(first)).refunded_order_id, order.id);
});

test('a refund whose order cannot be read is bounded by the merchant, in time', async () => {
  await tenant.set('--refund-max', '7.00', '--refund-register-day-max', '1000.00');
  const card = await tenant.issue({ amount: '100.00' });
  const order = await sale({ customer_id: undefined });
  isApproved(await till.checkout({ card: card.number, amount: '30.00', order: order.id }));
  const refund = await sale({ customer_id: undefined, is_refund: true, refunded_order_id: order.id });
  for (const fault of [{ action: 'hang', ms: 6000 }, { action: 'status', status: 503 }, { action: 'html' }]) {
    await cloud.faults({ path: `/orders/${refund.id}`, ...fault });
    const asked = Date.now();
    isRefused(await till.refund({ card: card.number, amount: '7.01', order: refund.id }), /Sale not known: at most \$7\.00/);
    assert.ok(Date.now() - asked < 4000, `${fault.action}: the register waited ${Date.now() - asked} ms`);
    await cloud.control('DELETE', '/faults');
  }
  isApproved(await till.refund({ card: card.number, amount: '7.01', order: refund.id }), { amount: '7.01' });
});

// --- payments of ours ----------------------------------------------------------------------------

/** Lightspeed lets us pay orders that are not ours, and that is recorded. */
async function approve() {
  const id = ['--tenant', String(tenant.id)];
  await service.must(['foreign-orders', 'request', ...id]);
  await service.must([
    ...['foreign-orders', 'record', ...id, '--state', 'approved', '--reference', 'LS-1', '--actor', 'Dana'],
    ...['--payment-max', '0', '--day-max', '0', '--expires', 'never'],
  ]);
  await cloud.settings({ may_pay_foreign_orders: { [cloud.clientId]: true } });
}

test('where we book payments, a checkout is on the order once, with its reference', async () => {
  await tenant.set('--payment-booked-by', 'counterpart');
  await approve();
  const card = await tenant.issue({ amount: '100.00' });
  const order = await sale({ customer_id: undefined });
  const reply = await till.checkout({ card: card.number, amount: '30.00', order: order.id });
  isApproved(reply, { amount: '30.00' });
  areIdentical(await till.checkout({ card: card.number, amount: '30.00', order: order.id }), reply);
  await untilDone(idOf(reply));
  const { json: now } = await orderBody(order);
  assert.deepEqual(
    now.payments.map(({ amount, ref }) => ({ amount, ref })),
    [{ amount: 30, ref: reply.json.ref }],
  );
});

test('a payment whose reply was lost is found on the order and not made again', async () => {
  const card = await tenant.issue({ amount: '100.00' });
  const order = await sale({ customer_id: undefined });
  await cloud.faults({ method: 'POST', path: '/payments', action: 'drop_after', count: 1 });
  const reply = await till.checkout({ card: card.number, amount: '30.00', order: order.id });
  isApproved(reply);
  await until('the payment to have been sent', async () => (await orderBody(order)).json.payments.length === 1);
  const open = await until('the payment to be uncertain', async () =>
    (await works()).find(({ operation_id, reason }) => operation_id === idOf(reply) && reason !== ''));
  assert.equal(open.state, 'open');
  assert.ok(new Date(open.due_at) - Date.now() > 50_000, 'a minute is waited before the order is read again');
});

test('a payment that may not be made is given up with its reason, and its charge given back', async () => {
  await cloud.settings({ may_pay_foreign_orders: { [cloud.clientId]: false } });
  const card = await tenant.issue({ amount: '100.00' });
  const order = await sale({ customer_id: undefined });
  const reply = await till.checkout({ card: card.number, amount: '30.00', order: order.id });
  isApproved(reply);
  await untilDone(idOf(reply));
  const listed = (await works()).find((work) => work.operation_id === idOf(reply) && work.kind === 'post_payment');
  assert.equal(listed.state, 'given_up');
  assert.match(listed.reason, /refuses the payment: 403: .*orders it did not create/);
  assert.equal((await tenant.show(card.number)).balance, '100.00');
  await cloud.settings({ may_pay_foreign_orders: { [cloud.clientId]: true } });
  await service.must(['work', 'retry', '--tenant', String(tenant.id), '--work', String(listed.work_id)]);
  await until('the work to be over', async () => !(await works()).some((work) => work.work_id === listed.work_id));
  assert.equal((await orderBody(order)).json.payments.length, 0, 'what was given back is not booked any more');
  const again = await service.cli(['work', 'retry', '--tenant', String(tenant.id), '--work', String(listed.work_id)]);
  assert.notEqual(again.code, 0);
  assert.match(again.stdout + again.stderr, /no such work that was given up/);
  await tenant.set('--payment-booked-by', 'register');
});

// --- who may send what ---------------------------------------------------------------------------

test('a wrong signature with the right body is refused, and nothing is stored', async () => {
  const before = await points();
  const order = await quietly(async () => complete(await sale()));
  const { text: body } = await orderBody(order);
  const refusals = [
    await hook('orders/completed', body, { token: 'some-other-token' }),
    await hook('orders/completed', body, { token: null }),
    await hook('orders/completed', body, { token: null, headers: { 'X-Kounta-Signature': 'abc' } }),
    await hook('orders/completed', body, { token: null, headers: { 'X-Kounta-Signature': sign(body + ' ') } }),
    await hook('orders/deleted', body, { token: 'some-other-token' }),
    await hook('orders/updated', body, { token: 'some-other-token' }),
    await hook('orders/completed', body, { key: tenant.key.replace(/^./, (c) => (c === 'a' ? 'b' : 'a')) }),
  ];
  refusals.forEach((reply) => isRefused(reply, /Not authorised/, { status: 401 }));
  assert.equal((await works()).some((work) => work.order_id === order.id), false);
  assert.equal(ends(order.id).length, 0);
  assert.equal(await points(), before);
});

test('a body that is no order is refused, and nothing is stored', async () => {
  const before = await workIds();
  const bodies = [
    ['', /not an order/],
    ['{', /not an order/],
    ['[]', /not an order/],
    ['"7"', /not an order/],
    ['null', /not an order/],
    ['{}', /not an order/],
    ['{"id":null}', /not an order/],
    ['{"id":0}', /not an order/],
    ['{"id":-5}', /not an order/],
    ['{"id":1.5}', /not an order/],
    ['{"id":true,"id_str":"x"}', /not an order/],
    ['{"id":99999999999999999999}', /not an order/],
    ['{"id":5,"id":6}', /not an order/],
    ['{"id":5}{"id":5}', /not an order/],
    ['{"id":5,"a":' + '['.repeat(40) + ']'.repeat(40) + '}', /not an order/],
    ['id=5', /not an order/],
  ];
  for (const [body, sentence] of bodies)
    isRefused(await hook('orders/completed', body), sentence, { status: 400 });
  await noneSince(before);
});

test('an id that only its text can tell is read', async () => {
  const before = await points();
  const order = await quietly(async () => complete(await sale()));
  isTaken(await hook('orders/completed', `{"id":${order.id}.5,"id_str":"${order.id}"}`));
  await untilDone(order.id);
  assert.equal(await points(), before + 45);
});

test('an order whose other fields are of no kind we know is read all the same', async () => {
  const before = await points();
  const order = await quietly(async () => complete(await sale()));
  isTaken(await hook('orders/completed', `{"id":${order.id},"updated_at":7,"total":{},"status":[]}`));
  await untilDone(order.id);
  assert.equal(await points(), before + 45);
});

test('a full order may be larger than what a register sends, up to 256 KiB', async () => {
  const padded = (size) => {
    const body = '{"id":1,"notes":""}';
    return body.replace('""', `"${'x'.repeat(size - body.length)}"`);
  };
  isTaken(await hook('orders/completed', padded(200 * 1024)));
  isTaken(await hook('orders/completed', padded(256 * 1024)));
  isTaken(await hook('sites/updated', padded(256 * 1024)));
  isRefused(await hook('orders/completed', padded(256 * 1024 + 1)), /larger than 256 KiB/, { status: 413 });
  const huge = await hook('orders/completed', padded(1024 * 1024));
  isRefused(huge, /too large/, { status: 413 });
  isRefused(await till.send('checkout', padded(64 * 1024 + 1)), /larger than 64 KiB/, { status: 413 });
});

test('other topics are taken, counted and leave nothing', async () => {
  const before = await workIds();
  const counted = async () => {
    const { text } = await service.get('/metrics');
    const line = text.match(/^counterpart_requests_total\{[^}]*route="webhook\.other"[^}]*status="200"[^}]*\} (\d+)$/m);
    return Number(line?.[1] ?? 0);
  };
  const count = await counted();
  for (const topic of ['orders/updated', 'customers/created', 'something/else/entirely', 'x'])
    isTaken(await hook(topic, 'not even JSON'));
  assert.equal(await counted(), count + 4);
  await noneSince(before);
  const wrong = await hook('orders/completed', '{}', { method: 'PUT' });
  isRefused(wrong, undefined, { status: 405 });
});

// --- when things break ---------------------------------------------------------------------------

test('webhooks that somebody has deleted are registered again after a restart', async () => {
  const { access_token } = await cloud.grant();
  for (const { id } of await registered())
    await cloud.api(access_token, 'DELETE', `/companies/${COMPANY}/webhooks/${id}`);
  assert.equal((await registered()).length, 0);
  const registrations = () =>
    service.events.filter((event) => event.event === 'work' && event.kind === 'register_webhooks').length;
  const before = registrations();
  await service.kill();
  await service.restart();
  await until('the webhooks to be registered', () => registrations() > before, 60_000);
  assert.equal((await registered()).length, 2);
});

test('work that cannot be done now is done when it can, also after kill -9', async () => {
  const order = await quietly(async () => complete(await sale()));
  await cloud.faults({ path: `/orders/${order.id}`, action: 'hang', ms: 30_000 });
  isTaken(await hook('orders/completed', (await orderBody(order)).text));
  await service.kill();
  await cloud.control('DELETE', '/faults');
  await service.restart();
  await untilDone(order.id);
  assert.equal(await earnedBy(order), 45); // and what a sweep at the start has found besides
});

test('an API that is down delays and loses nothing', async () => {
  const order = await quietly(async () => complete(await sale()));
  await cloud.faults({ path: `/orders/${order.id}`, action: 'status', status: 503, count: 2 });
  isTaken(await hook('orders/completed', (await orderBody(order)).text));
  await until('the first attempt to have failed', async () =>
    (await works()).some((work) => work.order_id === order.id && /Lightspeed: .*503/.test(work.reason)),
  );
  await untilDone(order.id);
  assert.equal(await earnedBy(order), 45);
});

test('while the merchant must connect again work waits, and then it is done', async () => {
  await cloud.control('POST', '/tokens/revoke', { company_id: COMPANY, access: true, refresh: true });
  const order = await quietly(async () => complete(await sale()));
  isTaken(await hook('orders/completed', (await orderBody(order)).text));
  const isWaiting = (work) => work.order_id === order.id && /until the merchant is connected/.test(work.reason);
  await until('the work to wait', async () => (await works()).some(isWaiting), WORK_MS);
  assert.equal(await earnedBy(order), 0);
  await connect();
  await untilDone(order.id);
  assert.equal(await earnedBy(order), 45);
});

test('nothing personal and nothing secret is in the log', () => {
  for (const secret of [tenant.key, tenant.token, cloud.clientSecret, 'david.kent', 'David', 'Kent', '0400 000 000'])
    assert.equal(service.log.includes(secret), false, `the log has ${secret}`);
  assert.ok(service.events.some((event) => event.event === 'webhook'));
});

test('what was asked of Lightspeed is counted, and what of it failed', async () => {
  const names = ['api_calls', 'api_failures', 'outbound_requests', 'outbound_failures'];
  const counts = () => Promise.all(names.map((name) => metric(`counterpart_${name}_total`)));
  const before = await counts();
  const order = await sale();
  await cloud.faults({ match: { path: `/orders/${order.id}` }, action: 'truncate', count: 1 });
  await complete(order);
  await untilDone(order.id);
  const since = async () => (await counts()).map((count, i) => count - before[i]);
  // What else is under way may be between the two counts.
  const [calls, callFailures, , requestFailures] = await until('each call to be a request', async () => {
    const now = await since();
    return now[2] >= now[0] ? now : undefined;
  });
  const asked = (await cloud.control('GET', '/requests')).filter(({ path }) =>
    path.startsWith(`/v1/companies/${COMPANY}/orders/${order.id}`),
  );
  assert.ok(asked.length >= 2, 'once in vain');
  assert.ok(calls >= asked.length, `${calls} calls, ${asked.length} of this order`);
  assert.ok(callFailures >= 1);
  assert.ok(requestFailures >= 1);
});
