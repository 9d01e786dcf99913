// The primary dies under load and its replica takes over, again and again, below two processes: what was
// answered stays, nothing is charged twice, and nobody restarts anything. In the end the old primary comes back.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Postgres } from './postgres.mjs';
import { IS_SLOW, IS_SOAK, Service, areIdentical, isApproved, isRefused, newOrder, newTenant, seededRandom, sleep,
  until } from './support.mjs';

const FAILOVERS = Number(process.env.COUNTERPART_FAILOVERS ?? (IS_SOAK ? 20 : IS_SLOW ? 1 : 3));
const CLIENTS = 8;
const CARDS = 4; // two tills on each
const AMOUNT = '0.10';
const LOADED = '90000.00';
/** Far more than a register waits; an answer that comes later than this does not come. */
const ANSWER_MS = 10_000;
const BACK_MS = 90_000;

let cluster, database, services, shops, cards, agent, random;

before(async () => {
  random = seededRandom('failover');
  agent = new http.Agent({ keepAlive: true });
  cluster = await Postgres.start({ replica: true });
  const location = await cluster.createDatabase('counterpart');
  database = 'counterpart';
  const env = { COUNTERPART_DATABASE: location };
  const first = await Service.start({ env });
  const key = path.join(first.data, 'master.key');
  const second = await Service.start({ env: { ...env, COUNTERPART_MASTER_KEY: key } });
  services = [first, second];
  const shop = await newTenant(first, { settings: ['--replay-window', '86400'] });
  shops = services.map((service) => Object.assign(Object.create(shop), { service }));
  cards = await Promise.all(Array.from({ length: CARDS }, () => shop.issue({ amount: LOADED })));
  const elsewhere = shops[1].till({ register: 1, agent }); // the shop is not known there at once: 401 until then
  await until('the other process to know the shop', async () => {
    const reply = await elsewhere.checkBalance({ card: cards[0].number });
    return reply.status === 200;
  });
});
after(async () => {
  agent.destroy();
  for (const service of services ?? []) await service.stop();
  await cluster?.stop();
});

const clients = [];

/** A till with one sale after the other: each is sent until it is paid, then once more to the other process. */
class Client {
  constructor(i) {
    this.card = cards[i % CARDS].number;
    this.tills = [0, 1].map((at) => shops[(i + at) % 2].till({ register: 100 + i, agent }));
    this.paid = []; // {order, reply}
    this.refused = 0;
    this.sent = 0;
  }

  async ask(till, order) {
    this.sent++;
    const reply = await till.checkout({ card: this.card, amount: AMOUNT, order }, { ms: ANSWER_MS });
    if (reply.json?.success === true) isApproved(reply, { amount: AMOUNT });
    else isRefused(reply, undefined, { status: reply.status });
    assert.ok([200, 503].includes(reply.status), reply.text);
    return reply;
  }

  /** Until it is paid. The second attempt goes to the other process, as behind a balancer, and so on. */
  async pay(order) {
    for (let i = 0; ; i++) {
      const reply = await this.ask(this.tills[i % 2], order);
      if (reply.json.success) return reply;
      this.refused++;
      await sleep(50);
    }
  }

  async run(isOver) {
    while (!isOver()) {
      const order = newOrder();
      const reply = await this.pay(order);
      this.paid.push({ order, reply });
      areIdentical(await this.pay(order), reply);
    }
  }
}

/** Of each order that was paid: how often, and with how much. */
async function readCharges() {
  const text = await cluster.sql(
    'SELECT order_id, count(*), sum(amount_minor) FROM operation WHERE action = 2 AND result = 0 GROUP BY 1',
    database,
  );
  return new Map(text.split('\n').map((line) => line.split('|').map(Number)).map(([order, ...rest]) => [order, rest]));
}

async function everyAnswerIsThere() {
  const answered = clients.flatMap(({ paid }) => paid.map(({ order }) => order)); // up to now
  const charges = await readCharges();
  for (const order of answered)
    assert.deepEqual(charges.get(order), [1, 10], `order ${order} was answered as a success of ${AMOUNT}`);
  return charges;
}

const paidCount = () => clients.reduce((sum, { paid }) => sum + paid.length, 0);
function untilPaid(count) {
  const goal = paidCount() + count;
  return until(`${count} more sales`, () => paidCount() >= goal, BACK_MS);
}
const untilReady = (isOk) =>
  until(`readiness ${isOk} of both`, async () => {
    const replies = await Promise.all(services.map((service) => service.get('/readyz')));
    return replies.every(({ status }) => status === (isOk ? 200 : 503));
  }, BACK_MS);

async function failOver() {
  await untilPaid(CLIENTS * 2);
  await sleep(random() * 500); // somewhere
  await cluster.killPrimary();
  await untilReady(false);
  await cluster.promote();
  const charges = await everyAnswerIsThere();
  for (const [order, [count]] of charges) assert.equal(count, 1, `order ${order}`);
  await untilReady(true);
  await untilPaid(CLIENTS);
}

test(`killed under load and replaced ${FAILOVERS} times, the primary loses no answer and repeats no payment`,
  { timeout: 120_000 + FAILOVERS * 60_000 }, async () => {
  let isOver = false;
  clients.push(...Array.from({ length: CLIENTS }, (_, i) => new Client(i)));
  const runs = Promise.all(clients.map((client) => client.run(() => isOver)));
  runs.catch(() => {}); // told below
  const rounds = (async () => {
    for (let round = 0; round < FAILOVERS; round++) {
      if (round > 0) await cluster.rejoin();
      await failOver();
    }
  })();
  try {
    await Promise.race([rounds, runs]);
  } finally {
    isOver = true;
  }
  await runs;
  const charges = await everyAnswerIsThere();
  assert.equal(charges.size, paidCount(), 'every order was paid in the end, and no other');
  for (const client of clients) {
    const { order, reply } = client.paid.at(-1);
    areIdentical(await client.pay(order), reply);
  }
  const spent = new Map(cards.map(({ number }) => [number, 0]));
  for (const { card, paid } of clients) spent.set(card, spent.get(card) + paid.length);
  for (const [number, count] of spent) {
    const shown = await shops[0].show(number);
    assert.equal(Math.round(Number(shown.balance) * 100), Number(LOADED) * 100 - count * 10);
  }
  for (const service of services) await service.verifyIsClean();
  const refused = clients.reduce((sum, client) => sum + client.refused, 0);
  console.log(`# ${FAILOVERS} failovers, ${paidCount()} sales paid, ${refused} refusals meanwhile`);
  assert.ok(refused > 0, 'the kills were noticed');
});

test('an old primary is refused by those that start again and by those that have met neither', { timeout: 300_000 },
  async () => {
  const [service] = services;
  const till = shops[0].till({ agent });
  const { number: card } = cards[0];
  const order = newOrder();
  const paid = await till.checkout({ card, amount: AMOUNT, order });
  isApproved(paid, { amount: AMOUNT });
  await cluster.revive(); // takes writes, and waits for nobody
  const count = () => cluster.replaced.sql('SELECT count(*) FROM operation', database);
  const before = await count();
  areIdentical(await till.checkout({ card, amount: AMOUNT, order }), paid);

  const [old, current] = [cluster.replaced, cluster.primary].map(({ port }) => `127.0.0.1:${port}`);
  const oldFirst = `postgresql://counterpart@${old},${current}/${database}`;
  const key = path.join(service.data, 'master.key');
  const newcomer = await Service.start({
    env: { COUNTERPART_DATABASE: oldFirst, COUNTERPART_MASTER_KEY: key },
  });
  const far = Object.assign(Object.create(shops[0]), { service: newcomer }).till({ agent });
  areIdentical(await far.checkout({ card, amount: AMOUNT, order }), paid);
  isApproved(await far.checkout({ card, amount: AMOUNT, order: newOrder() }), { amount: AMOUNT });
  await newcomer.stop();

  await cluster.primary.end('SIGKILL');
  await untilReady(false);
  await until('it to be met', () => service.log.includes('postgres_is_an_old_primary'), BACK_MS);
  isRefused(await till.checkout({ card, amount: AMOUNT, order: newOrder() }));
  isRefused(await till.checkout({ card, amount: AMOUNT, order }));
  await service.stop();
  const refusal = /the service ended at once[^]*postgres_is_an_old_primary/;
  await assert.rejects(service.restart({ COUNTERPART_DATABASE: oldFirst }), refusal);
  assert.equal(await count(), before);

  await cluster.primary.launch();
  await service.restart();
  await untilReady(true);
  areIdentical(await till.checkout({ card, amount: AMOUNT, order }), paid);
  isApproved(await till.checkout({ card, amount: AMOUNT, order: newOrder() }), { amount: AMOUNT });
  assert.equal(await count(), before);
  const timeline = fs.readFileSync(path.join(service.data, 'timeline'), 'utf8');
  assert.match(timeline, new RegExp(`^\\d+ ${FAILOVERS + 1}\n$`));
  await service.verifyIsClean();
});
