// Two processes of the service on one PostgreSQL and one Redis, and everything that may happen to them at random: kill
// -9, a stop of the process, connections that are cut, a Redis that forgets, settings that change, while registers sell
// on a few cards and ask again wherever somebody answers. What the registers were told and the ledger must agree to the
// cent, and no request is answered twice.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Postgres } from './postgres.mjs';
import { RedisServer } from './redis_server.mjs';
import { IS_SOAK, Service, TOKEN, areIdentical, isApproved, newOrder, seededRandom, sleep, until } from './support.mjs';

const STORM_MS = Number(process.env.STORM_S ?? (IS_SOAK ? 120 : 12)) * 1000;
const ANSWER_MS = 60_000; // for what is asked when it is over
const REGISTERS = 8;
const OPENING_MINOR = 20_000;
const OTHER_TOKEN = 'another-signature-token';
const REPLAY_MS = 60_000; // less than the tenant's replay window

let cluster, redis, processes, database;
const random = seededRandom('storm');
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const money = (minor) => `${Math.floor(minor / 100)}.${String(minor % 100).padStart(2, '0')}`;

before(async () => {
  [cluster, redis] = await Promise.all([Postgres.start(), RedisServer.start()]);
  database = await cluster.createDatabase('storm');
  const env = { COUNTERPART_DATABASE: database, COUNTERPART_REDIS: redis.url, COUNTERPART_COMMITTERS: '2' };
  const first = await Service.start({ env });
  const master = path.join(first.data, 'master.key');
  processes = [first, await Service.start({ env: { ...env, COUNTERPART_MASTER_KEY: master } })];
});
after(async () => {
  for (const service of processes ?? []) await service.stop();
  await redis?.stop();
  await cluster?.stop();
});

/** A request as a register makes it: asked until somebody says yes, or no for a reason of its own. */
class Request {
  constructor(tenant, action, fields) {
    Object.assign(this, { tenant, action, fields, asked: 0 });
  }

  async ask(service) {
    const till = Object.assign(Object.create(Object.getPrototypeOf(this.tenant)), this.tenant, { service }).till();
    const reply = await till.call(this.action, this.fields).catch(() => undefined);
    this.asked++;
    return reply?.json === undefined ? undefined : reply;
  }

  async askOnce(service) {
    const reply = await this.ask(service);
    if (reply?.json?.success === true) {
      this.answer = reply;
      this.answeredAt = Date.now();
    } else if (/^(Insufficient balance|This card paid nothing|At most|All of this sale)/.test(reply?.json?.error ?? '')) {
      this.refusal = reply;
    }
  }

  get isOver() {
    return this.answer !== undefined || this.refusal !== undefined;
  }

  /** Where it was answered: another process gives the same bytes, and money moves once. */
  async repeat(service) {
    if (Date.now() - this.answeredAt > REPLAY_MS) return;
    const reply = await this.ask(service);
    if (reply?.json?.success === true) areIdentical(reply, this.answer);
  }
}

/** Sells until the storm is over; gives all its requests. */
async function register(tenant, cards, isOver) {
  const requests = [];
  const sales = [];
  while (!isOver()) {
    const card = pick(cards);
    const sale = sales.length > 0 && random() < 0.2 ? sales.splice(below(sales.length), 1)[0] : undefined;
    const kind = sale ? 'refund' : random() < 0.15 ? 'top-up' : 'checkout';
    const request = new Request(
      tenant,
      kind,
      sale ? { ...sale.fields } : { card, amount: money(10 + below(2000)), order: newOrder() },
    );
    requests.push(request);
    while (!request.isOver && !isOver()) {
      await request.askOnce(pick(processes));
      if (!request.isOver) await sleep(20 + below(100));
    }
    if (request.answer && random() < 0.3) await request.repeat(pick(processes));
    if (request.answer && kind === 'checkout') sales.push(request);
  }
  return requests;
}

// --- what happens to them -----------------------------------------------------------------------------------------

const misfortunes = {
  async kill() {
    const service = pick(processes);
    await service.kill();
    await sleep(below(300));
    await service.restart();
  },
  async stop() {
    const service = pick(processes);
    service.signal('SIGSTOP');
    await sleep(200 + below(2500));
    service.signal('SIGCONT');
  },
  async cut() {
    const some = "SELECT pid FROM pg_stat_activity WHERE usename = 'counterpart' ORDER BY random() LIMIT 4";
    await cluster.sql(`SELECT pg_terminate_backend(pid) FROM (${some}) AS unlucky`);
  },
  forget: () => redis.call('FLUSHALL'),
  async switchOff(tenant) {
    await attempt(tenant, '--charge', 'off');
    await sleep(below(400));
    await attempt(tenant, '--charge', 'on');
  },
  async rotate(tenant) {
    tenant.token = tenant.token === TOKEN ? OTHER_TOKEN : TOKEN;
    await attempt(tenant, '--signature-token', tenant.token);
  },
};

/** At the process that answers; one that is being killed or stopped may not. */
async function attempt(tenant, ...settings) {
  await until('the setting', async () => {
    const args = ['tenant', 'set', '--tenant', String(tenant.id), ...settings];
    return (await pick(processes).cli(args, { ms: 10_000 }).catch(() => ({ code: 1 }))).code === 0;
  });
}

async function storm(tenant, isOver) {
  while (!isOver()) {
    await sleep(100 + below(500));
    const name = pick(Object.keys(misfortunes));
    await misfortunes[name](tenant);
  }
}

// --- what must be true afterwards ---------------------------------------------------------------------------------

const sumOf = (requests, action) =>
  requests
    .filter((request) => request.answer && request.action === action)
    .reduce((sum, { answer }) => sum + Math.round(Number(answer.json.amount) * 100), 0);

async function rowsOf(tenant) {
  const rows = await cluster.sql(
    `SELECT id, action, order_id, amount_minor FROM operation WHERE result = 0 AND order_id <> 0
     AND tenant_id = ${tenant.id} AND action IN (2, 3, 4)`,
    'storm',
  );
  const lines = rows.split('\n').filter(Boolean);
  return lines.map((line) => line.split('|').map(Number));
}

const ACTIONS = { 2: 'checkout', 3: 'top-up', 4: 'refund' };

test('whatever happens to two processes, what registers were told is what the ledger holds', async () => {
  const tenant = await processes[0].addTenant();
  const cards = [];
  for (let i = 0; i < 3; i++) cards.push((await tenant.issue({ amount: money(OPENING_MINOR) })).number);
  const end = Date.now() + STORM_MS;
  const isOver = () => Date.now() > end;
  const registers = Array.from({ length: REGISTERS }, () => register(tenant, cards, isOver));
  await storm(tenant, isOver);
  const requests = (await Promise.all(registers)).flat();

  await attempt(tenant, '--charge', 'on');
  await until('both to answer', async () => {
    const states = await Promise.all(processes.map((service) => service.probe('/readyz')));
    return states.every((status) => status === 200);
  });
  await Promise.all(
    requests.map((request) =>
      until('an answer', async () => {
        if (!request.isOver) await request.askOnce(pick(processes));
        return request.isOver;
      }, ANSWER_MS),
    ),
  );

  const rows = await rowsOf(tenant);
  const keys = rows.map(([, action, order]) => `${ACTIONS[action]} ${order}`);
  assert.equal(new Set(keys).size, keys.length, 'each request moved money once');
  const byKey = new Map(rows.map((row, i) => [keys[i], row]));
  for (const request of requests) {
    const row = byKey.get(`${request.action} ${request.fields.order}`);
    if (request.refusal) assert.equal(row, undefined, `${request.action} ${request.fields.order} was refused`);
    if (!request.answer) continue;
    isApproved(request.answer);
    assert.equal(request.answer.json.ref, `CP1-${row[0]}`);
    assert.equal(Math.round(Number(request.answer.json.amount) * 100), row[3]);
  }
  const balances = await Promise.all(cards.map(async (card) => (await tenant.show(card)).balance));
  const held = balances.reduce((sum, balance) => sum + Math.round(Number(balance) * 100), 0);
  const expected =
    cards.length * OPENING_MINOR + sumOf(requests, 'top-up') + sumOf(requests, 'refund') - sumOf(requests, 'checkout');
  assert.equal(held, expected, 'the cards hold what the registers were told');
  const answered = requests.filter((request) => request.answer);
  const retried = answered.filter((request) => request.asked > 1);
  console.log(`# ${requests.length} requests, ${answered.length} approved, ${retried.length} of them asked more than once`);
  assert.ok(answered.length > 20 && retried.length > 0, 'there was something to see');
  for (const service of processes) await service.verifyIsClean();
});
