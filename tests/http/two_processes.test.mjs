// Two processes of the service on one PostgreSQL and one Redis, each with a data folder of its own and the same master
// key: what one has answered the other answers alike, what one learns the other knows, and one of them does what nobody
// asks for.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { RATE_MAX, connect } from './loyal.mjs';
import { COMPANY, startCloud } from './cloud.mjs';
import { Postgres } from './postgres.mjs';
import { RedisServer } from './redis_server.mjs';
import { IS_SLOW, Service, areIdentical, cardNumber, freePort, isApproved, isRefused, movements, newOrder, request,
  sign, sleep, temporaryDirectory, until } from './support.mjs';

const PATIENCE_MS = 90_000; // a lease of 30 s ends first
const CLIENTS = IS_SLOW ? 60 : 200;
const REGISTER_MISSES = 10; // store/budget.h: BUDGET_REGISTER
const DAVID = 389427; // of the cloud's seed

let cluster, redis, cloud;
let a, b; // the processes
let shop; // connected to Lightspeed
let nextCompany = 90_000; // nobody at Lightspeed

const newTenant = (service) => service.addTenant({ company: nextCompany++ });
const statusAt = async (service) =>
  (await service.must(['oauth', 'status', '--tenant', String(shop.id)])).tenants[0];
const refreshAt = (service) =>
  request('http://counterpart/admin/oauth/refresh', {
    socketPath: path.join(service.data, 'admin.sock'),
    agent: false,
    body: JSON.stringify({ tenant: shop.id }),
    ms: 40_000,
  });

/** The tenant as the other process serves it. */
const at = (service, tenant) => Object.assign(Object.create(Object.getPrototypeOf(tenant)), tenant, { service });
const isServed = (service, tenant) =>
  until('the tenant to be served', async () => {
    const reply = await at(service, tenant).till().checkBalance({ card: cardNumber() });
    return reply.status === 200;
  });
const isOnDuty = async (service) => (await service.get('/readyz')).json?.duty === true;
const hits = async (service) =>
  Number((await service.get('/metrics')).text.match(/^counterpart_hot_hits_total(?:\{[^}]*\})? (\d+)$/m)[1]);
const untilHot = (service) => until('the hot tier', async () => (await service.get('/readyz')).json.hot.ok);

before(async () => {
  const ports = [await freePort(), await freePort()];
  const redirectUris = ports.map((port) => `http://127.0.0.1:${port}/oauth/callback`);
  [cluster, redis, cloud] = await Promise.all([
    Postgres.start(),
    RedisServer.start(),
    startCloud(undefined, { redirectUris }),
  ]);
  await cloud.settings({ rate_limit_bearer: RATE_MAX });
  const env = {
    ...cloud.environment,
    COUNTERPART_DATABASE: await cluster.createDatabase(),
    COUNTERPART_REDIS: redis.url,
    COUNTERPART_COMMITTERS: '3',
  };
  a = await Service.start({ port: ports[0], env });
  const master = path.join(a.data, 'master.key');
  b = await Service.start({ port: ports[1], env: { ...env, COUNTERPART_MASTER_KEY: master } });
  await a.must([
    ...['app', 'set', '--surface', 'oseries', '--client-id', cloud.clientId],
    ...['--client-secret', cloud.clientSecret, '--signature-token', cloud.signatureToken],
  ]);
  shop = await a.addTenant({ company: COMPANY, token: null });
  shop.token = cloud.signatureToken;
  await Promise.all([untilHot(a), untilHot(b), isServed(b, shop)]);
});
after(async () => {
  for (const service of [a, b]) {
    await service?.verifyIsClean();
    await service?.stop();
  }
  await cloud?.stop();
  await redis?.stop();
  await cluster?.stop();
});

test('one card, many clients of both processes: never overdrawn, and a retry elsewhere is answered alike', async () => {
  const tenant = await newTenant(a);
  await isServed(b, tenant);
  const { number: card } = await tenant.issue({ amount: `${CLIENTS / 2}.00` });
  const charges = Array.from({ length: CLIENTS }, (_, i) => ({
    order: newOrder(),
    tills: i % 2 === 0 ? [tenant.till(), at(b, tenant).till()] : [at(b, tenant).till(), tenant.till()],
  }));
  const charge = (which) => async ({ order, tills }) => tills[which].checkout({ card, amount: '1.00', order });
  const first = await Promise.all(charges.map(charge(0)));
  for (const reply of first) assert.equal(reply.status, 200, reply.text);
  const approved = first.filter((reply) => reply.json.success);
  assert.equal(approved.length, CLIENTS / 2);
  const second = await Promise.all(charges.map(charge(1)));
  second.forEach((reply, i) => {
    if (first[i].json.success) areIdentical(reply, first[i]);
    else isRefused(reply);
  });
  const references = approved.map((reply) => reply.json.ref);
  assert.equal(new Set(references).size, CLIENTS / 2);
  assert.equal((await tenant.show(card)).balance, '0.00');
  await a.verifyIsClean();
});

test('the same charge at both processes at once moves money once, and both get the same bytes', async () => {
  const tenant = await newTenant(a);
  await isServed(b, tenant);
  const { number: card } = await tenant.issue({ amount: '100.00' });
  const [mine, theirs] = [tenant.till(), at(b, tenant).till()];
  for (let i = 0; i < 10; i++) {
    const fields = { card, amount: '2.50', order: newOrder() };
    const [one, other] = await Promise.all([mine.checkout(fields), theirs.checkout(fields)]);
    isApproved(one, { amount: '2.50' });
    areIdentical(one, other);
  }
  const shown = await tenant.show(card);
  assert.equal(shown.balance, '75.00');
  assert.equal(movements(shown).length, 11);
});

test('a charge at one process is in the balance that the other tells, at once', async () => {
  const tenant = await newTenant(a);
  await isServed(b, tenant);
  const { number: card } = await tenant.issue({ amount: '50.00' });
  const tills = [tenant.till(), at(b, tenant).till()];
  for (const [i, service] of [a, b].entries()) {
    const before = await hits(service);
    await until('look-ups to be answered by Redis', async () => {
      isApproved(await tills[i].checkBalance({ card }));
      return (await hits(service)) > before;
    });
  }
  for (let cents = 4999; cents > 4979; cents--) {
    const [charging, looking] = cents % 2 === 0 ? tills : [...tills].reverse();
    isApproved(await looking.checkBalance({ card }));
    isApproved(await charging.checkout({ card, amount: '0.01', order: newOrder() }));
    const balance = `${Math.floor(cents / 100)}.${cents % 100}`;
    const isTold = async () => (await looking.checkBalance({ card })).text.includes(balance);
    await until(`the balance ${balance}`, isTold, 2_000);
  }
});

test('what is configured at one process is served by the other', async () => {
  const tenant = await newTenant(a);
  await isServed(b, tenant);
  const there = at(b, tenant);
  const { number: card } = await tenant.issue({ amount: '1000.00' });
  await tenant.set('--charge', 'off');
  const isCharged = async () =>
    (await there.till().checkout({ card, amount: '0.01', order: newOrder() })).json.success;
  await until('charges to be off', async () => !(await isCharged()));
  await tenant.set('--charge', 'on');
  await until('charges to be on', isCharged);
  await tenant.set('--sites-must-be-mapped', 'on');
  const isServedAtSite = async () =>
    (await tenant.till({ site: 924 }).checkout({ card, amount: '0.01', order: newOrder() })).json.success;
  assert.equal(await isServedAtSite(), false);
  await there.addSite({ site: 924 });
  await until('the site', isServedAtSite);
});

test('misses at one process use up the budget at the other', async () => {
  const tenant = await newTenant(a);
  await isServed(b, tenant);
  const [mine, theirs] = [tenant.till({ register: 777 }), at(b, tenant).till({ register: 777 })];
  for (let i = 0; i < REGISTER_MISSES; i++)
    isRefused(await mine.checkBalance({ card: cardNumber(`9${i}${i}${i}`) }), /^Card not found/);
  await until('the budget to be known', async () =>
    /^Too many/.test((await theirs.checkBalance({ card: cardNumber() })).json.error));
});

test('tokens that live a second are refreshed by one process at a time, and none is lost', async () => {
  await cloud.settings({ access_token_ttl_s: 1, refresh_returns_new: true, refresh_revokes_old: true });
  // Slow enough that a second refresh of the same grant would overlap with the first.
  await cloud.faults({ match: { method: 'POST', path: '/v1/token' }, action: 'hang', ms: 30 });
  await connect(a, cloud, shop);
  await until('the other process to know of the connection', async () => (await statusAt(b)).status === 'connected');
  let isOver = false;
  const caller = async (service) => {
    while (!isOver) {
      const { status, json } = await refreshAt(service);
      assert.ok(status === 200 || json.code === 'leased', JSON.stringify(json));
      await sleep(20);
    }
  };
  const callers = [a, b, a, b].map(caller);
  await until('refreshes', async () => (await cloud.grant()).refreshes >= 60, PATIENCE_MS);
  isOver = true;
  await Promise.all(callers);
  await cloud.control('DELETE', '/faults');
  await cloud.settings({ access_token_ttl_s: 3600 });
  const grant = await cloud.grant();
  assert.equal(grant.refreshes_running_max, 1, 'never two in flight');
  assert.equal(grant.refreshes_refused, 0, 'never with a spent token');
  for (const service of [a, b]) assert.equal((await statusAt(service)).status, 'connected');
  await refreshAt(a);
});

test('a process on a copy of a data folder takes nothing from the one that has the folder', async () => {
  const holder = (await isOnDuty(a)) ? a : b;
  const data = path.join(temporaryDirectory(), 'copy');
  fs.cpSync(holder.data, data, { recursive: true, filter: (name) => !name.endsWith('.sock') });
  fs.chmodSync(data, 0o700);
  const third = await Service.start({ env: { ...holder.env }, data });
  await until('it to have asked', () => third.events.some(({ event }) => /^duty_/.test(event)));
  assert.deepEqual([await isOnDuty(third), await isOnDuty(holder)], [false, true]);
  await third.stop();
});

/** Who has the duty, and who has not. */
async function byDuty() {
  await until('somebody on duty', async () => (await isOnDuty(a)) || (await isOnDuty(b)));
  return (await isOnDuty(a)) ? [a, b] : [b, a];
}

const newSale = () => cloud.order({ customer_id: DAVID });

/** Completes an order, and tells a process so. */
async function completeAt(service, order) {
  await cloud.control('POST', `/orders/${order.id}/complete`, {}); // tells of it itself as well
  const body = JSON.stringify({ id: order.id, status: 'COMPLETE' });
  const headers = { 'X-Kounta-Signature': sign(body, cloud.signatureToken) };
  const reply = await request(`${service.origin}${shop.base}/webhooks/orders/completed`, { body, headers });
  assert.equal(reply.status, 200, reply.text);
}

// The one on duty may look for work before it looks for news, or after: so several times.
test('what waits for a connection goes on within seconds, whichever process the merchant connects at', async () => {
  const [holder, other] = await byDuty();
  for (let round = 1; round <= 5; round++) {
    const { status } = await statusAt(other);
    if (status === 'connected') await other.must(['oauth', 'revoke', '--tenant', String(shop.id)]);
    await until('the other to know', async () => (await statusAt(holder)).status !== 'connected');
    const order = await cloud.order(); // of nobody: who comes later earns nothing by it
    await completeAt(other, order);
    const lines = () => holder.events.filter(({ event, subject_id: about }) => event === 'work' && about === order.id);
    await until('it to wait', () => lines().some(({ reason }) => /^waits until the merchant is/.test(reason)));
    await connect(other, cloud, shop);
    await until(`round ${round}: it to be done`, () => lines().some(({ state }) => state === 'done'), 10_000);
  }
});

test('a charge that is committed while its process ends is in the balance that the other tells', async () => {
  const tenant = await newTenant(a);
  const master = path.join(a.data, 'master.key');
  const env = { ...a.env, COUNTERPART_MASTER_KEY: master, COUNTERPART_DRAIN_S: '0' };
  const third = await Service.start({ env });
  await Promise.all([untilHot(third), isServed(third, tenant), isServed(b, tenant)]);
  const { number: card } = await tenant.issue({ amount: '50.00' });
  const before = await hits(b);
  await until('the balance in Redis', async () => {
    isApproved(await at(b, tenant).till().checkBalance({ card }), { balance: '50.00' });
    return (await hits(b)) > before;
  });
  const database = new URL(env.COUNTERPART_DATABASE).pathname.slice(1);
  // The card is somebody's until the process has begun to end.
  const holding = cluster.sql(
    `SELECT count(*) FROM (SELECT FROM card WHERE last4 = '${card.slice(-4)}' FOR UPDATE) AS held;
     SELECT pg_sleep(1.2)`,
    database,
  );
  await cluster.primary.awaitTrue("SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
  const charging = at(third, tenant).till().checkout({ card, amount: '20.00', order: newOrder() });
  await cluster.primary.awaitTrue("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
  third.signal('SIGTERM');
  isApproved(await charging, { amount: '20.00', balance: '30.00' });
  await third.stop();
  isApproved(await at(b, tenant).till().checkBalance({ card }), { balance: '30.00' });
  await holding;
});

// Last: it stops one, and kills it.
test('what a webhook brings to one process the one on duty does, and the other when that is lost', async () => {
  const [holder, other] = await byDuty();
  assert.equal(await isOnDuty(other), false);
  await other.must([
    ...['member', 'add', '--tenant', String(shop.id), '--first-name', 'David', '--last-name', 'Kent'],
    ...['--email', 'david.kent@example.com'],
  ]);
  const points = async () =>
    Number((await other.must(['points', 'show', '--tenant', String(shop.id), '--member', 'M-1'])).points);
  const workOf = (service, { id }) => service.events.filter((each) => each.event === 'work' && each.subject_id === id);
  const before = await points();
  const order = await newSale();
  await completeAt(other, order);
  await until('its points', async () => (await points()) === before + 45, PATIENCE_MS);
  await until('the work in the log', () => workOf(holder, order).length > 0);
  assert.deepEqual(workOf(other, order), []);

  // Stopped for longer than its lease while it waits for an order: what it was at is another's. The order before was
  // told of twice, and is perhaps looked at once more: it is not the one that is waited for.
  const awaited = await newSale();
  const location = `/orders/${awaited.id}`;
  await cloud.faults({ match: { method: 'GET', path: location }, action: 'hang', ms: 10_000, count: 1 });
  await completeAt(other, awaited);
  await until('the order to be asked for', async () => (await cloud.control('GET', '/faults'))[0]?.fired === 1);
  holder.signal('SIGSTOP');
  const { number: card } = await at(other, shop).issue({ amount: '5.00' });
  isApproved(await at(other, shop).till().checkBalance({ card }));
  await until('the duty to come', () => isOnDuty(other), PATIENCE_MS);
  await until('its points', async () => (await points()) === before + 90, PATIENCE_MS);
  await until('the work in the log', () => workOf(other, awaited).length > 0);
  const past = holder.events.length;
  holder.signal('SIGCONT');
  const news = () => holder.events.slice(past).map(({ event }) => event);
  await until('it to see that the duty is gone', () => news().includes('duty_is_anothers'));
  assert.equal(await points(), before + 90);
  assert.deepEqual(workOf(holder, awaited), [], 'nothing is written of what it was at');

  await holder.kill();
  await holder.restart();
  await untilHot(holder);
  assert.equal(await isOnDuty(holder), false);
  // One that ends in good order gives it up.
  await other.stop();
  await until('the duty to come back', () => isOnDuty(holder), PATIENCE_MS);
  await other.restart();
  // One that comes back after kill -9 need not wait for what it had itself: half the life of a lease is time enough.
  await holder.kill();
  await holder.restart();
  await until('the duty of the one that came back', () => isOnDuty(holder), 15_000);
});
