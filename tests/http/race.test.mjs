// Many tills on one card: exactly what it holds is paid out, and no request is answered twice in
// different words.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import {
  Service,
  areIdentical,
  isApproved,
  isJsonReply,
  isRefused,
  movements,
  newOrder,
  newTenant,
} from './support.mjs';

let service, agent;

before(async () => {
  service = await Service.start();
  agent = new http.Agent({ keepAlive: true, maxSockets: 400 });
});
after(async () => {
  agent.destroy();
  await service.verifyIsClean();
  await service.stop();
});

test('100 clients on one card with 500.00, each asking 10.00 and sending twice at once: exactly 50 are charged', async () => {
  const shop = await newTenant(service);
  const { number: card } = await shop.issue({ amount: '500.00' });
  const pairs = await Promise.all(
    Array.from({ length: 100 }, (_, i) => {
      const till = shop.till({ register: 1000 + i, agent });
      const request = { card, amount: 10, order: newOrder() };
      return Promise.all([till.checkout(request), till.checkout(request)]);
    }),
  );
  for (const [first, second] of pairs) areIdentical(first, second);
  const approved = pairs.filter(([reply]) => reply.json.success);
  assert.equal(approved.length, 50);
  for (const [reply] of approved) isApproved(reply, { amount: '10.00' });
  for (const [reply] of pairs) if (!reply.json.success) isRefused(reply, /\$0\.00 available/);
  assert.equal(new Set(approved.map(([reply]) => reply.json.reference_id)).size, 50);
  const balances = approved.map(([reply]) => Number(reply.json.balance)).sort((a, b) => a - b);
  assert.deepEqual(
    balances,
    Array.from({ length: 50 }, (_, i) => i * 10),
  );
  const shown = await shop.show(card);
  assert.equal(shown.balance, '0.00');
  assert.equal(movements(shown).length, 51);
});

test('100 clients on one card with a PIN, each sending twice at once: as for a plain card', async () => {
  const shop = await newTenant(service);
  const { number } = await shop.issue({ amount: '500.00', pin: '4711' });
  const card = `${number}*4711`;
  const pairs = await Promise.all(
    Array.from({ length: 100 }, (_, i) => {
      const till = shop.till({ register: 1000 + i, agent });
      const request = { card, amount: 10, order: newOrder() };
      return Promise.all([till.checkout(request), till.checkout(request)]);
    }),
  );
  for (const [first, second] of pairs) areIdentical(first, second);
  assert.equal(pairs.filter(([reply]) => reply.json.success).length, 50);
  for (const [reply] of pairs) if (!reply.json.success) isRefused(reply, /\$0\.00 available/);
  assert.equal((await shop.show(number)).balance, '0.00');
  const { text } = await service.get('/metrics');
  for (const [, trips] of text.matchAll(/^counterpart_budget_trips_total\{.*\} (\d+)$/gm)) assert.equal(trips, '0');
});

test('of 40 wrong PINs sent at once no more are tried than the budget has', async () => {
  const shop = await newTenant(service);
  const { number } = await shop.issue({ amount: '500.00', pin: '4711' });
  const replies = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      shop.till({ register: 1000 + i, site: i + 1, agent }).checkout({ card: `${number}*00${10 + i}`, amount: 1, order: newOrder() }),
    ),
  );
  const tried = replies.filter((reply) => /^Card not found/.test(reply.json.error));
  assert.equal(tried.length, 5);
  for (const reply of replies) isRefused(reply, tried.includes(reply) ? undefined : /^Too many wrong/);
  assert.equal((await shop.show(number)).balance, '500.00');
});

test('one request sent 50 times at once by as many tills moves money once', async () => {
  const shop = await newTenant(service);
  const { number: card } = await shop.issue({ amount: '100.00' });
  const request = { card, amount: 7, order: newOrder() };
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, i) => shop.till({ register: i + 1, agent }).checkout(request)),
  );
  for (const reply of replies) areIdentical(reply, replies[0]);
  isApproved(replies[0], { amount: '7.00', balance: '93.00' });
  assert.equal(movements(await shop.show(card)).length, 2);
});

test('charges, top-ups and refunds of one card at once add up to the cent', async () => {
  const shop = await newTenant(service);
  const { number: card } = await shop.issue({ amount: '50.00' });
  const till = shop.till({ agent });
  const orders = Array.from({ length: 40 }, newOrder);
  let expected = 5000;
  const count = (sign) => (reply) => {
    isJsonReply(reply);
    if (reply.json.success) expected += sign * Math.round(Number(reply.json.amount) * 100);
  };
  await Promise.all(
    orders.flatMap((order) => [
      till.checkout({ card, amount: '3.37', order }).then(count(-1)),
      till.topUp({ card, amount: '1.19', order: order + 1_000_000_000 }).then(count(1)),
      till.refund({ card, amount: '0.53', order }).then(count(1)),
    ]),
  );
  assert.equal((await shop.show(card)).balance, (expected / 100).toFixed(2));
  isApproved(await till.checkBalance({ card }), { balance: (expected / 100).toFixed(2) });
});

test('look-ups beside charges never show a balance that was not there', async () => {
  const shop = await newTenant(service);
  const { number: card } = await shop.issue({ amount: '100.00' });
  const till = shop.till({ agent });
  let isDone = false;
  const seen = [];
  const watch = (async () => {
    while (!isDone) seen.push(Number((await till.checkBalance({ card })).json.balance));
  })();
  for (let i = 0; i < 50; i++) await till.checkout({ card, amount: 1, order: newOrder() });
  isDone = true;
  await watch;
  assert.ok(seen.length > 10);
  for (let i = 1; i < seen.length; i++)
    assert.ok(seen[i] <= seen[i - 1], `a balance came back: ${seen[i - 1]} then ${seen[i]}`);
  isApproved(await till.checkBalance({ card }), { balance: '50.00' });
});
