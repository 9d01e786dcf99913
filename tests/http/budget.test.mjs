// Guessing card numbers and PINs: misses draw on budgets, and a guesser learns nothing.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Service, areIdentical, cardNumber, isApproved, isRefused, newOrder, newTenant, until } from './support.mjs';

const REGISTER_MISSES = 10; // store/budget.h: BUDGET_REGISTER
const CARD_MISSES = 5; // store/budget.h: BUDGET_CARD

let service;

before(async () => {
  service = await Service.start();
});
after(async () => {
  await service.verifyIsClean();
  await service.stop();
});

const tripEvents = (layer) =>
  service.events.filter((event) => event.event === 'miss_budget_tripped' && event.layer === layer);

async function trips(layer) {
  const { text } = await service.get('/metrics');
  return Number(text.match(new RegExp(`^counterpart_budget_trips_total\\{layer="${layer}"\\} (\\d+)$`, 'm'))[1]);
}

async function exhaust(till) {
  for (let i = 0; i < REGISTER_MISSES; i++)
    isRefused(await till.checkBalance({ card: cardNumber(`9${i}${i}${i}`) }), /^Card not found/);
}

test('unknown, unsold and wrong PIN get the same answer, byte for byte', async () => {
  const shop = await newTenant(service);
  const { number: stock } = await shop.issue({ settings: ['--stock'] });
  const { number: pinned } = await shop.issue({ amount: '10.00', pin: '4711' });
  const cards = [cardNumber(), stock, pinned, `${pinned}*0000`, `${stock}*0000`];
  for (const action of ['check-balance', 'checkout']) {
    const replies = [];
    for (const [i, card] of cards.entries())
      replies.push(
        await shop
          .till({ register: i + 1 })
          .call(action, { card, amount: action === 'checkout' ? 5 : undefined, order: newOrder() }),
      );
    isRefused(replies[0], /^Card not found/);
    for (const reply of replies) areIdentical(reply, replies[0]);
  }
});

test('a register that keeps guessing is refused, but a number that exists still works there', async () => {
  const shop = await newTenant(service);
  const { number: card } = await shop.issue({ amount: '50.00' });
  const { number: other } = await shop.issue({ amount: '60.00' });
  const till = shop.till();
  const before = await trips('register');
  const eventsBefore = tripEvents('register').length;
  await exhaust(till);
  isRefused(await till.checkBalance({ card: cardNumber() }), /^Too many/);
  isRefused(await till.checkout({ card: cardNumber(), amount: 1, order: newOrder() }), /^Too many/);
  isApproved(await till.checkBalance({ card }), { balance: '50.00' });
  isApproved(await till.checkout({ card: other, amount: 10, order: newOrder() }), { balance: '50.00' });
  isApproved(await till.topUp({ card, amount: 10, order: newOrder() }), { balance: '60.00' });
  assert.equal(await trips('register'), before + 1, 'a trip is counted once');
  await until('the trip in the log', () => tripEvents('register').length === eventsBefore + 1);
  assert.equal(tripEvents('register').at(-1).tenant_id, shop.id);
});

test('an exhausted register refuses PIN attempts, the right one too', async () => {
  const shop = await newTenant(service);
  const { number: card } = await shop.issue({ amount: '50.00', pin: '4711' });
  const till = shop.till();
  await exhaust(till);
  isRefused(await till.checkout({ card: `${card}*1234`, amount: 1, order: newOrder() }), /^Too many/);
  const right = await till.checkout({ card: `${card}*4711`, amount: 1, order: newOrder() });
  const wrong = await till.checkout({ card: `${card}*4712`, amount: 1, order: newOrder() });
  areIdentical(right, wrong);
  assert.equal((await shop.show(card)).balance, '50.00');
  isApproved(await shop.till({ register: 2 }).checkout({ card: `${card}*4711`, amount: 1, order: newOrder() }), {
    balance: '49.00',
  });
});

test('an exhausted register refuses last-four look-ups', async () => {
  const shop = await newTenant(service, { settings: ['--last4', 'on'] });
  await shop.issue({ amount: '50.00', number: '9000000000004444' });
  const till = shop.till();
  await exhaust(till);
  isRefused(await till.checkBalance({ card: '4444' }), /^Too many/);
  isApproved(await shop.till({ register: 2 }).checkBalance({ card: '4444' }), { balance: '50.00' });
});

test('guessing a PIN locks the card at every register', async () => {
  const shop = await newTenant(service);
  const { number: card } = await shop.issue({ amount: '50.00', pin: '4711' });
  const before = await trips('card');
  for (let i = 0; i < CARD_MISSES; i++)
    isRefused(
      await shop.till({ register: i + 1, site: i + 1 }).checkBalance({ card: `${card}*000${i}` }),
      /^Card not found/,
    );
  isRefused(await shop.till({ register: 50, site: 50 }).checkBalance({ card: `${card}*4711` }), /^Too many/);
  isRefused(
    await shop.till({ register: 51, site: 51 }).checkout({ card: `${card}*4711`, amount: 1, order: newOrder() }),
    /^Too many/,
  );
  assert.equal(await trips('card'), before + 1);
  assert.equal((await shop.show(card)).balance, '50.00');
});

test("another tenant's registers are not touched by a guesser", async () => {
  const guessed = await newTenant(service),
    other = await newTenant(service);
  await exhaust(guessed.till());
  isRefused(await guessed.till().checkBalance({ card: cardNumber() }), /^Too many/);
  isRefused(await other.till().checkBalance({ card: cardNumber() }), /^Card not found/);
});

test('misses are counted in the metrics', async () => {
  const { text } = await service.get('/metrics');
  const misses = [...text.matchAll(/^counterpart_\w*\{[^}]*result="not_found"[^}]*\} (\d+)$/gm)];
  assert.ok(
    misses.some(([, value]) => Number(value) > 0),
    text,
  );
});
