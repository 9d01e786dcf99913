// The connection to PostgreSQL is cut at every message of a checkout and inside its COMMIT, also while it waits for the
// replica: what the till is told agrees with the ledger, or is "not confirmed" and settles; and each sale is paid once.
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { PostgresProxy } from './pgproxy.mjs';
import { Postgres } from './postgres.mjs';
import { IS_SOAK, Service, areIdentical, isApproved, isRefused, newOrder, newTenant, sleep,
  until } from './support.mjs';

const DATABASE = 'counterpart';
const AMOUNT = '0.10';
const ANSWER_MS = 10_000;
const SETTLED_MS = 60_000;
const ROUNDS = IS_SOAK ? 5 : 1;

let cluster, proxy, near, far, shop, card, agent, paid = 0;
const tills = {};

before(async () => {
  agent = new http.Agent({ keepAlive: true });
  cluster = await Postgres.start({ replica: true });
  const location = await cluster.createDatabase(DATABASE);
  proxy = await PostgresProxy.start(cluster.primary.port);
  near = await Service.start({ env: { COUNTERPART_DATABASE: proxy.url(DATABASE), COUNTERPART_COMMITTERS: '1' } });
  const key = path.join(near.data, 'master.key');
  far = await Service.start({
    env: { COUNTERPART_DATABASE: location, COUNTERPART_MASTER_KEY: key, COUNTERPART_COMMITTERS: '16' },
  });
  shop = await newTenant(near, { settings: ['--replay-window', '86400'] });
  card = (await shop.issue({ amount: '9000.00' })).number;
  tills.near = shop.till({ register: 1, agent });
  tills.far = Object.assign(Object.create(shop), { service: far }).till({ register: 2, agent });
  const first = newOrder(); // the shop is not known there at once: 401 until then
  await until('the other process to know the shop', async () => {
    const reply = await tills.far.checkout({ card, amount: AMOUNT, order: first });
    return reply.json.success;
  });
  paid++;
});
after(async () => {
  cluster?.resumeReplica();
  agent?.destroy();
  for (const service of [near, far]) await service?.stop();
  proxy?.stop();
  await cluster?.stop();
});

/** Approved, refused for certain, or not confirmed; never anything else, and never late. */
async function pay(where, order) {
  const reply = await tills[where].checkout({ card, amount: AMOUNT, order }, { ms: ANSWER_MS });
  if (reply.json?.success === true) isApproved(reply, { amount: AMOUNT });
  else isRefused(reply);
  return Object.assign(reply, { isOpen: /not confirmed/i.test(reply.json.error ?? '') });
}

async function countCharges(order) {
  const where = `action = 2 AND result = 0 AND amount_minor = 10 AND order_id = ${order}`;
  return Number(await cluster.sql(`SELECT count(*) FROM operation WHERE ${where}`, DATABASE));
}

/** Of a till whose connection broke. */
const NOTHING = { isOpen: true, json: { success: false } };

/** Of one sale: what was told of each attempt holds, and each process says the same in the end. */
async function endsOnce(order, ...attempts) {
  const told = attempts.find(({ json }) => json.success) ?? attempts.find(({ isOpen }) => isOpen) ?? attempts[0];
  if (!told.isOpen) assert.equal(await countCharges(order), told.json.success ? 1 : 0, told.text);
  const final = await until('the sale to be paid', async () => {
    const reply = await pay('far', order);
    return reply.json.success ? reply : undefined;
  }, SETTLED_MS);
  if (told.json.success) areIdentical(final, told);
  const same = await until('the sale to be known as paid', async () => {
    const reply = await pay('near', order);
    return reply.json.success ? reply : undefined;
  }, SETTLED_MS);
  areIdentical(same, final);
  assert.equal(await countCharges(order), 1);
  paid++;
}

async function paysAsUsual() {
  const order = newOrder();
  await until('a sale to be paid', async () => (await pay('near', order)).json.success, SETTLED_MS);
  paid++;
}

async function balanceIsRight() {
  assert.equal(Math.round(Number((await shop.show(card)).balance) * 100), 900_000 - paid * 10);
  await near.verifyIsClean();
  await far.verifyIsClean();
}

/** Checkouts cut by these rules, one checkout for each list; counts what the tills were told. */
async function cutEach(lists) {
  const told = { approved: 0, refused: 0, open: 0 };
  for (const rules of lists) {
    await paysAsUsual(); // its statements are prepared again
    const order = newOrder();
    proxy.arm(...rules);
    const reply = await pay('near', order);
    await until(`the cuts ${JSON.stringify(rules)}`, () => proxy.cuts === rules.length);
    told[reply.isOpen ? 'open' : reply.json.success ? 'approved' : 'refused']++;
    await endsOnce(order, reply);
  }
  return told;
}

const eachOf = (side, names) => names.map((_, at) => ({ side, at }));

async function recordCheckout() {
  await paysAsUsual();
  await paysAsUsual();
  return proxy.record(paysAsUsual);
}

const logTold = (what, count, { approved, refused, open }) =>
  console.log(`# ${what}: ${count} cuts, told ${approved} approved, ${refused} refused, ${open} not confirmed`);

test('cut before each message that a checkout sends and receives, every sale is paid once and told the truth',
  { timeout: ROUNDS * 600_000 }, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const trace = await recordCheckout();
    assert.ok(trace.client.some((name) => name.endsWith('COMMIT')), trace.client.join());
    const rules = [...eachOf('client', trace.client), ...eachOf('server', trace.server)];
    logTold('each message', rules.length, await cutEach(rules.map((rule) => [rule])));
  }
  await balanceIsRight();
});

test('cut in the middle of COMMIT and of what answers it, every sale is paid once and told the truth',
  { timeout: 300_000 }, async () => {
  const trace = await recordCheckout();
  const client = trace.client.findIndex((name) => name.endsWith('COMMIT'));
  const first = trace.server.lastIndexOf('Z', trace.server.length - 2) + 1; // behind the batch's first half
  const rules = [
    ...eachOf('client', trace.client).slice(client),
    ...eachOf('server', trace.server).slice(first),
  ].map((rule) => [{ ...rule, isHalf: true }]);
  logTold('halves', rules.length, await cutEach(rules));
  await balanceIsRight();
});

test('cut again at each message while the outcome of a lost COMMIT is looked for, every sale is paid once',
  { timeout: 600_000 }, async () => {
  const { client, server } = await recordCheckout();
  // Where the COMMIT arrives and its answer does not, and where it does not arrive.
  const happened = { side: 'server', at: server.length - 2 };
  const never = { side: 'client', at: client.findIndex((name) => name.endsWith('COMMIT')) };
  for (const first of [happened, never]) {
    await paysAsUsual();
    const order = newOrder();
    proxy.arm(first);
    let reply;
    const trace = await proxy.record(async () => {
      reply = await pay('near', order);
    });
    await endsOnce(order, reply);
    const begin = (names) => names.slice(names.findLastIndex((name) => name.includes('BEGIN')));
    const settling = begin(trace.client).length;
    const answers = trace.server.length - first.at;
    const sent = eachOf('client', Array(settling).fill());
    const received = eachOf('server', Array(Math.max(1, answers - 1)).fill());
    const lists = [...sent, ...received].map((second) => [first, second]);
    logTold(`settling after ${first.side}`, lists.length, await cutEach(lists));
  }
  await balanceIsRight();
});

/** A batch, that is: what holds the lock of the ids that it has taken. */
const isBatchWaiting = async () =>
  (await cluster.sql(
    'SELECT count(*) > 0 FROM pg_stat_activity JOIN pg_locks USING (pid) ' +
      "WHERE wait_event = 'SyncRep' AND locktype = 'advisory' AND classid::bigint >= 2147483648",
  )) === 't';
const untilWaiting = () => until('a charge to wait for the replica', isBatchWaiting);

/**
 * A charge that waits for the replica, which stands still: {order, asked}. Where another write of the process came
 * before it, it is refused in time: then the next one is asked.
 */
async function chargeThatWaits() {
  for (let i = 0; i < 5; i++) {
    await paysAsUsual();
    const order = newOrder();
    cluster.pauseReplica();
    const asked = pay('near', order);
    if (await Promise.race([untilWaiting().then(() => true), asked.then(isBatchWaiting)])) return { order, asked };
    cluster.resumeReplica();
    await endsOnce(order, await asked);
  }
  throw new Error('no charge came to wait for the replica');
}

test('a commit that waits for the replica is not confirmed, on no process, until the replica has it',
  { timeout: 300_000 }, async () => {
  const { order, asked } = await chargeThatWaits();
  const other = await pay('far', order);
  const told = await asked;
  assert.ok(told.isOpen, told.text);
  assert.equal(other.json.success, false, other.text);
  cluster.resumeReplica();
  await endsOnce(order, told, other);
  await balanceIsRight();
});

test('cut while its commit waits for the replica, a sale is paid once and told the truth', { timeout: 300_000 },
  async () => {
  for (let i = 0; i < 3; i++) {
    const { order, asked } = await chargeThatWaits();
    proxy.close();
    if (i === 1) await sleep(1500); // longer than it takes the server to miss its client
    proxy.open();
    const other = await pay('far', order);
    assert.equal(other.json.success, false, other.text);
    const told = i === 2 ? undefined : await asked;
    cluster.resumeReplica();
    await endsOnce(order, told ?? (await asked), other);
  }
  await balanceIsRight();
});

test('killed while its commit waits for the replica, a process leaves a sale that is paid once', { timeout: 300_000 },
  async () => {
  const { order, asked } = await chargeThatWaits();
  const broken = asked.catch(() => {});
  await near.kill();
  await broken;
  const other = await pay('far', order);
  assert.equal(other.json.success, false, other.text);
  cluster.resumeReplica();
  await near.restart();
  await endsOnce(order, NOTHING, other);
  await balanceIsRight();
});

test('what the primary alone has is confirmed by no process', { timeout: 300_000 }, async () => {
  const { order, asked } = await chargeThatWaits();
  const broken = asked.catch(() => {});
  await near.kill();
  await broken;
  // As after a crash of the primary: the sale is there for all to see, and the replica has not got it.
  await cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
  await until('the sale to be seen', async () => (await countCharges(order)) === 1);
  const told = await until('it to be told as not confirmed', async () => {
    const reply = await pay('far', order);
    assert.equal(reply.json.success, false, reply.text);
    return reply.isOpen ? reply : undefined;
  }, SETTLED_MS);
  const next = await pay('far', order);
  assert.equal(next.json.success, false, next.text);
  cluster.resumeReplica();
  await near.restart();
  await endsOnce(order, told, next);
  await balanceIsRight();
});
