// kill -9 at random moments under load: every answered success is in the ledger, nothing is half
// done, and each retry ends in exactly one charge.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import {
  IS_SLOW,
  IS_SOAK,
  Service,
  areIdentical,
  isApproved,
  isJsonReply,
  newOrder,
  newTenant,
  seededRandom,
  sleep,
} from './support.mjs';

const KILLS = Number(process.env.COUNTERPART_KILLS ?? (IS_SOAK ? 200 : IS_SLOW ? 15 : 50));
const CLIENTS = 8;

let service, shop, random;

before(async () => {
  random = seededRandom('crash');
  service = await Service.start({ env: { COUNTERPART_LOG_LEVEL: 'error' } });
  shop = await newTenant(service);
});
after(() => service.stop());

/** One card and one till, charging 0.10 a time until the service is gone. */
class Client {
  constructor(number, register, agent) {
    this.number = number;
    this.till = shop.till({ register, agent });
    this.answered = []; // {order, reply}
    this.unanswered = []; // orders
  }

  async run(isOver) {
    while (!isOver()) {
      const order = newOrder();
      try {
        const reply = await this.till.checkout({ card: this.number, amount: '0.10', order });
        isApproved(reply, { amount: '0.10' });
        this.answered.push({ order, reply });
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        this.unanswered.push(order);
        return; // killed
      }
    }
  }
}

const chargesOf = ({ entries }) => entries.filter((entry) => entry.action === 'charge' && entry.result === 'ok');

async function isSettled(client) {
  const recorded = new Map();
  for (const entry of chargesOf(await shop.show(client.number)))
    recorded.set(entry.order_id, (recorded.get(entry.order_id) ?? 0) + 1);
  for (const { order } of client.answered)
    assert.equal(recorded.get(order), 1, `order ${order} was answered as a success and is not in the ledger once`);
  const fresh = shop.till({ register: client.till.register });
  for (const { order, reply } of client.answered.slice(-2))
    areIdentical(await fresh.checkout({ card: client.number, amount: '0.10', order }), reply);
  for (const order of client.unanswered) {
    const reply = await fresh.checkout({ card: client.number, amount: '0.10', order });
    isApproved(reply, { amount: '0.10' });
    areIdentical(await fresh.checkout({ card: client.number, amount: '0.10', order }), reply);
  }
  const shown = await shop.show(client.number);
  const all = chargesOf(shown);
  const expected = client.answered.length + client.unanswered.length;
  assert.equal(all.length, expected, 'each order is charged exactly once');
  assert.equal(new Set(all.map((entry) => entry.order_id)).size, expected);
  assert.equal(Math.round(Number(shown.balance) * 100), 10_000 - expected * 10);
}

test(
  `killed ${KILLS} times under load, the ledger keeps every answer and each retry charges once`,
  { timeout: 600_000 },
  async () => {
    let answers = 0,
      cut = 0;
    for (let round = 0; round < KILLS; round++) {
      const agent = new http.Agent({ keepAlive: true });
      const cards = await service.must([
        'card',
        'issue',
        '--tenant',
        String(shop.id),
        '--amount',
        '100.00',
        '--count',
        String(CLIENTS),
      ]);
      const clients = cards.cards.map(({ number }, i) => new Client(number, i + 1, agent));
      // Bounded so that one page of `card show` holds every charge of a card.
      let isOver = false;
      const runs = clients.map((client) => client.run(() => isOver || client.answered.length >= 150));
      await sleep(20 + random() * 400);
      await service.kill();
      isOver = true;
      await Promise.all(runs);
      agent.destroy();
      await service.restart();
      await service.verifyIsClean();
      await Promise.all(clients.map(isSettled));
      answers += clients.reduce((sum, client) => sum + client.answered.length, 0);
      cut += clients.reduce((sum, client) => sum + client.unanswered.length, 0);
    }
    await service.verifyIsClean();
    console.log(`# ${answers} answered, ${cut} cut off by ${KILLS} kills`);
    assert.ok(answers > 0, 'the load got answers');
    assert.ok(cut > 0, 'the kills cut requests off');
  },
);

test('killed in the middle of first starts, it comes up with a whole store', async () => {
  for (let round = 0; round < 5; round++) {
    const young = await Service.start();
    const tenant = await newTenant(young);
    await young.kill();
    await young.restart();
    const { tenants } = await young.must(['tenant', 'list']);
    assert.deepEqual(
      tenants.map(({ id }) => id),
      [tenant.id],
    );
    const { number } = await tenant.issue({ amount: '10.00' });
    isJsonReply(await tenant.till().checkBalance({ card: number }));
    await young.verifyIsClean();
    await young.kill();
  }
});
