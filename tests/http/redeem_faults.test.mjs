// Redemptions while Lightspeed's API fails in every way it can: at the end each order carries a reward exactly where
// points were burned for it, nothing is held, and every answer that said success was true.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Loyalty, connect, startPair } from './loyal.mjs';
import { IS_SOAK, isJsonReply, newTenant, seededRandom, sleep, until } from './support.mjs';

const REDEMPTIONS = IS_SOAK ? 5_000 : 1_000;
const MEMBERS = 40; // at once; each on one order after the other
const DEADLINE_S = 2;
// A change that arrives after the register was answered, and before the second look at the order.
const LATE_MS = 1500;
const SETTLED_MS = 60_000;

let service, cloud, shop, random;

before(async () => {
  random = seededRandom('redeem_faults');
  ({ service, cloud } = await startPair(undefined, { cloud: { seed: Math.floor(random() * 2 ** 31) } }));
  const tenant = await newTenant(service);
  await connect(service, cloud, tenant);
  await tenant.set('--deadline', String(DEADLINE_S));
  shop = new Loyalty(service, cloud, tenant);
  const approval = (verb, ...flags) => service.must(['foreign-orders', verb, '--tenant', String(tenant.id), ...flags]);
  await cloud.settings({ may_pay_foreign_orders: { [cloud.clientId]: true } });
  await approval('request');
  await approval(
    ...['record', '--state', 'approved', '--reference', 'LS-1', '--actor', 'A'],
    ...['--payment-max', '0', '--day-max', '0', '--expires', 'never'],
  );
});
after(async () => {
  await service.stop();
  await cloud.stop();
});

const on = (method, probability, action, more = {}) => ({
  match: { method, path: '/orders/' },
  probability,
  action,
  ...more,
});
const ofChanges = (method) => [
  on(method, 0.05, 'status', { status: 500, body: { error: 'oops' } }),
  on(method, 0.06, 'status', { status: 502, when: 'after', body: '<html>' }),
  on(method, 0.05, 'drop_before'),
  on(method, 0.08, 'drop_after'),
  on(method, 0.04, 'truncate'),
  on(method, 0.03, 'html', { when: 'after' }),
  on(method, 0.03, 'hang', { ms: 4000, when: 'after' }), // changed, then timed out
  on(method, 0.03, 'hang', { ms: LATE_MS }), // timed out, then changed
  on(method, 0.03, 'hang', { ms: 4000, drop: true }), // timed out, never changed
  on(method, 0.03, 'status', { status: 409, body: { error: 'conflict', error_description: 'Try later.' } }),
  on(method, 1, 'rate_limit', { skip: 60, count: 2 }),
];
const FAULTS = [
  ...ofChanges('PUT'),
  ...ofChanges('POST'),
  on('GET', 0.04, 'status', { status: 503 }),
  on('GET', 0.04, 'drop_before'),
  on('GET', 0.02, 'hang', { ms: 4000, drop: true }),
  on('GET', 1, 'rate_limit', { skip: 300, count: 2 }),
  on('', 0.01, 'expired_token'),
];

const EFFECTS = [
  {
    effect: 'money_off:10.00',
    isOn: (order) => order.price_fixed_variation === -10,
  },
  {
    effect: 'percent_off:20',
    isOn: (order) => order.price_variation === 0.8,
  },
  {
    effect: 'product:7302',
    isOn: (order) => order.lines.filter((line) => line.product.id === 7302 && line.price_variation === 0).length === 1,
  },
  {
    effect: 'pay:10.00',
    isOn: (order) => order.payments.length === 1 && order.payments[0].amount === 10,
  },
];

const marksOf = (order) =>
  [order.notes, ...order.lines.map((line) => line.notes), ...order.payments.map(({ ref }) => ref)].flatMap((notes) =>
    [...notes.matchAll(/\bCP-R(\d+)-[0-9a-f]{8}\b/g)].map(([, id]) => Number(id)),
  );

/** One cashier: tap, and when it did not work perhaps tap again, perhaps twice at once. */
async function redeemOnce(member, reward) {
  const order = await cloud.order({ site_id: 923 });
  const link = await shop.redeemUrl(member, reward);
  const answers = [];
  for (let again = 0; again < 3; again++) {
    const replies = await Promise.all(Array.from({ length: random() < 0.1 ? 2 : 1 }, () => shop.tap(link, order.id)));
    for (const reply of replies) {
      isJsonReply(reply);
      assert.ok(reply.status === 200, reply.text);
      answers.push(reply.json);
    }
    if (answers.at(-1).success) break;
    await sleep(100 + 600 * random());
    if (random() < 0.3) break;
  }
  return { order: order.id, reward, isTold: answers.some(({ success }) => success), answers };
}

async function lane(member, rewards, cases, next) {
  while (next.count < REDEMPTIONS) {
    const reward = rewards[next.count++ % rewards.length];
    cases.push({ member, ...(await redeemOnce(member, reward)) });
  }
}

async function everythingIsSettled(members) {
  const found = await Promise.all(members.map((member) => shop.points(member)));
  return found.every(({ held, open_reservations }) => held === 0 && open_reservations === 0) && found;
}

test(`${REDEMPTIONS} redemptions under faults of the API: points and orders agree in every case`, async () => {
  const rewards = await Promise.all(
    EFFECTS.map(async (kind, i) => ({ ...kind, ...(await shop.addReward({ title: `Reward ${i}`, effect: kind.effect })) })),
  );
  const members = await Promise.all(
    Array.from({ length: MEMBERS }, (_, i) => shop.addMember({ last: `Kent${i}`, points: 1_000_000 })),
  );
  const cases = [];
  await cloud.faults(...FAULTS);
  const next = { count: 0 };
  await Promise.all(members.map((member) => lane(member, rewards, cases, next)));
  const fired = (await cloud.control('GET', '/faults')).map((rule) => rule.fired);
  await cloud.control('DELETE', '/faults');
  const accounts = await until('every redemption to be settled', () => everythingIsSettled(members), SETTLED_MS);

  assert.ok(cases.length >= REDEMPTIONS);
  assert.ok(
    fired.filter((count) => count > 0).length >= FAULTS.length - 2,
    `faults that fired: ${JSON.stringify(fired)}`,
  );
  const burned = new Set(
    accounts.flatMap(({ entries }) => entries.filter(({ cause }) => cause === 'burn').map((entry) => entry.reservation_id)),
  );
  const orderOf = new Map(
    service.events
      .filter(({ event, reservation_id }) => event === 'redemption' && reservation_id !== 0)
      .map((event) => [event.reservation_id, event.order_id]),
  );
  for (const { order: id, reward, isTold, answers } of cases) {
    const order = await cloud.control('GET', `/orders/${id}`);
    const marks = marksOf(order);
    const context = `order ${id}, ${reward.effect}: ${JSON.stringify(answers)}, notes ${order.notes}`;
    assert.ok(marks.length <= 1, `one reward at most: ${context}`);
    assert.equal(reward.isOn(order), marks.length === 1, `the effect comes with the mark: ${context}`);
    if (marks.length === 1) {
      assert.ok(burned.delete(marks[0]), `the points of CP-R${marks[0]} were burned: ${context}`);
      assert.equal(orderOf.get(marks[0]), id, context);
    }
    assert.ok(!isTold || marks.length === 1, `success was told and is true: ${context}`);
  }
  assert.deepEqual([...burned], [], 'points were burned for orders that carry no mark');
  for (const { points, entries } of accounts) {
    const burns = entries.filter(({ cause }) => cause === 'burn').length;
    assert.equal(points, 1_000_000 - 100 * burns);
  }
  const settled = service.events.filter(({ event }) => event === 'redemption_settled').length;
  const told = cases.filter(({ isTold }) => isTold).length;
  console.log(`# ${cases.length} redemptions, ${told} told as done, ${settled} settled later`);
  assert.ok(told > REDEMPTIONS / 2 && settled > 0);
  await service.verifyIsClean();
});
