// The four actions of an O-Series register, from the happy path to every refusal a cashier can meet.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { outsideTheSpec } from './contract.mjs';
import {
  Service,
  TOKEN,
  areIdentical,
  cardNumber,
  isApproved,
  isRefused,
  movements,
  newOrder,
  newTenant,
  sign,
  sleep,
  stillIn,
} from './support.mjs';

let service, shop, till;

before(async () => {
  service = await Service.start();
  shop = await newTenant(service);
  till = shop.till();
});
after(async () => {
  await service.verifyIsClean();
  await service.stop();
});

const issue = (amount, more) => shop.issue({ amount, ...more }).then((card) => card.number);

// --- the happy path of each action ---------------------------------------------------------------

test('a checkout takes the amount and tells amount, balance and reference', async () => {
  const card = await issue('100.00');
  const reply = await till.checkout({ card, amount: 25.5, order: newOrder() });
  isApproved(reply, { amount: '25.50', balance: '74.50' });
  assert.match(reply.json.reference_id, /^CP\d+-\d+$/);
  assert.equal(reply.json.ref, reply.json.reference_id);
  assert.equal(reply.json.message, `Gift card ...${card.slice(-4)} charged $25.50, $74.50 left`);
  assert.equal((await shop.show(card)).balance, '74.50');
});

test('a balance look-up needs no order, moves nothing and tells the balance twice', async () => {
  const card = await issue('12.30');
  const before = await shop.show(card);
  for (let i = 0; i < 3; i++) {
    const reply = await till.checkBalance({ card });
    isApproved(reply, { amount: '12.30', balance: '12.30' });
  }
  assert.deepEqual(await shop.show(card), before);
});

test('a top-up credits at once', async () => {
  const card = await issue('5.00');
  isApproved(await till.topUp({ card, amount: '50.00', order: newOrder() }), { amount: '50.00', balance: '55.00' });
  isApproved(await till.checkBalance({ card }), { balance: '55.00' });
});

test('a refund gives back what was charged on the order', async () => {
  const card = await issue('100.00');
  const order = newOrder();
  await till.checkout({ card, amount: 40, order });
  isApproved(await till.refund({ card, amount: 40, order }), { amount: '40.00', balance: '100.00' });
});

test('the look-up sees each movement at once', async () => {
  const card = await issue('20.00');
  for (const left of ['15.00', '10.00', '5.00', '0.00']) {
    await till.checkout({ card, amount: 5, order: newOrder() });
    isApproved(await till.checkBalance({ card }), { balance: left });
  }
});

// --- reading what registers send -----------------------------------------------------------------

test('ids and amounts may be numbers or numeric strings', async () => {
  const card = await issue('100.00');
  const order = newOrder();
  const reply = await till.send(
    'checkout',
    JSON.stringify({
      company_id: '5678',
      site_id: '923',
      register_id: '9091',
      order_id: String(order),
      keyword: card,
      amount: '10.50',
    }),
  );
  isApproved(reply, { amount: '10.50', balance: '89.50' });
  areIdentical(await till.checkout({ card, amount: 10.5, order }), reply);
});

test('a form body works whatever its content type says', async () => {
  const card = await issue('100.00');
  isApproved(await till.form('checkout', { card, amount: '10.00', order: newOrder() }), { balance: '90.00' });
  const body = new URLSearchParams(till.fields('checkout', { card, amount: '10.00', order: newOrder() })).toString();
  isApproved(await till.send('checkout', body), { balance: '80.00' });
  const json = JSON.stringify(till.fields('checkout', { card, amount: 10, order: newOrder() }));
  for (const type of ['text/plain', 'application/x-www-form-urlencoded'])
    isApproved(await till.send('checkout', json, { headers: { 'Content-Type': type } }), { balance: '70.00' });
});

test('odd spacing and escapes are read and signed as they came', async () => {
  const card = await issue('100.00');
  const text =
    `\r\n { "amount" : 1.50 ,"keyword":"${card.replace(/./g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)}",\t"company_id":5678,` +
    `"note":"caf\\u00e9 \\/ cr\u00e8me", "order_id": ${newOrder()} }\n`;
  isApproved(await till.send('checkout', text), { amount: '1.50', balance: '98.50' });
});

test('the documented aliases of the amount are read, and a refund may be negative', async () => {
  const card = await issue('100.00');
  for (const name of ['checkout_amount', 'payment_amount', 'total'])
    isApproved(await till.checkout({ card, order: newOrder(), [name]: 10 }), { amount: '10.00' });
  const order = newOrder();
  await till.checkout({ card, amount: 20, order });
  isApproved(await till.refund({ card, order, refund_amount: 5 }), { amount: '5.00', balance: '55.00' });
  isApproved(await till.refund({ card, order, amount: -6 }), { amount: '6.00', balance: '61.00' });
});

test('reference_id goes before keyword; both are normalised', async () => {
  const card = await issue('100.00');
  const other = await issue('7.00');
  isApproved(await till.checkBalance({ card: other, reference_id: card }), { balance: '100.00' });
  const dashed = card.replace(/(.{4})(?=.)/g, '$1-');
  isApproved(await till.checkBalance({ card: ` ${dashed} ` }), { balance: '100.00' });
  isApproved(await till.checkBalance({ card: card.replace(/(.{4})(?=.)/g, '$1 ') }), { balance: '100.00' });
  isApproved(await till.checkBalance({ card: other, reference_id: '' }), { balance: '7.00' });
});

test('a number with letters is the same in either case', async () => {
  await shop.issue({ amount: '9.00', number: 'GIFT-2027-ab' });
  isApproved(await till.checkBalance({ card: 'gift2027AB' }), { balance: '9.00' });
});

test('a swiped card is found by the account part of its stripe', async () => {
  const card = await issue('100.00');
  for (const stripe of [
    `%B${card}^GIFT/CARD^49121010000?;${card}=49121010000?`,
    `;${card}=49121010000?`,
    `%B${card}^GIFT/CARD^4912?`,
  ])
    isApproved(await till.checkBalance({ card: stripe }), { balance: '100.00' });
});

test('unknown fields are ignored', async () => {
  const card = await issue('3.00');
  isApproved(await till.checkBalance({ card, staff: { name: 'x' }, tags: [1, 2], mood: null }), { balance: '3.00' });
});

// --- amounts -------------------------------------------------------------------------------------

test('less than asked is approved when the card has less', async () => {
  const card = await issue('30.00');
  const order = newOrder();
  const reply = await till.checkout({ card, amount: 50, order });
  isApproved(reply, { amount: '30.00', balance: '0.00' });
  assert.match(reply.json.message, /\$20\.00 still to pay/);
  areIdentical(await till.checkout({ card, amount: 50, order }), reply);
});

test('with partial approval refused the sentence tells the balance', async () => {
  const strict = await newTenant(service, { settings: ['--partial', 'refuse'] });
  const { number: card } = await strict.issue({ amount: '30.00' });
  isRefused(await strict.till().checkout({ card, amount: 50, order: newOrder() }), /\$30\.00 available/);
  isApproved(await strict.till().checkout({ card, amount: 30, order: newOrder() }), {
    amount: '30.00',
    balance: '0.00',
  });
});

test('an empty card is declined, then topped up, and the same charge goes through', async () => {
  const card = await issue('0.00');
  const order = newOrder();
  isRefused(await till.checkout({ card, amount: 10, order }), /\$0\.00 available/);
  isApproved(await till.topUp({ card, amount: 25, order: newOrder() }));
  isApproved(await till.checkout({ card, amount: 10, order }), { amount: '10.00', balance: '15.00' });
});

test('amounts of currencies without decimals, with two and with three are exact', async () => {
  const cases = [
    {
      currency: 'JPY',
      timezone: 'Asia/Tokyo',
      issue: '1000',
      ask: '300',
      left: '700',
      tooFine: '0.5',
      symbol: /¥300\b/,
    },
    {
      currency: 'AUD',
      timezone: 'Australia/Sydney',
      issue: '10.00',
      ask: '3.33',
      left: '6.67',
      tooFine: '0.001',
      symbol: /\$3\.33/,
    },
    {
      currency: 'KWD',
      timezone: 'Asia/Kuwait',
      issue: '10.000',
      ask: '1.234',
      left: '8.766',
      tooFine: '0.0001',
      symbol: /KWD 1\.234|1\.234/,
    },
  ];
  for (const { currency, timezone, issue: given, ask, left, tooFine, symbol } of cases) {
    const tenant = await newTenant(service, { currency, timezone });
    const { number: card } = await tenant.issue({ amount: given });
    const reply = await tenant.till().checkout({ card, amount: ask, order: newOrder() });
    isApproved(reply, { amount: ask, balance: left });
    assert.match(reply.json.message, symbol);
    isRefused(await tenant.till().checkout({ card, amount: tooFine, order: newOrder() }), /decimals/);
    assert.equal((await tenant.show(card)).balance, left);
  }
});

test("trailing zeroes beyond the currency's decimals are no precision", async () => {
  const card = await issue('10.00');
  isApproved(await till.checkout({ card, amount: '1.5000', order: newOrder() }), { amount: '1.50' });
});

test('a tenant may have its reply amounts as strings', async () => {
  const tenant = await newTenant(service, { settings: ['--amounts', 'string'] });
  const { number: card } = await tenant.issue({ amount: '10.00' });
  isApproved(await tenant.till().checkout({ card, amount: 2.5, order: newOrder() }), {
    amount: '"2.50"',
    balance: '"7.50"',
  });
  isApproved(await tenant.till().checkBalance({ card }), { amount: '"7.50"', balance: '"7.50"' });
});

test('an unknown card is told as unknown whatever the amount', async () => {
  const tenant = await newTenant(service); // misses draw on a budget
  for (const amount of [10, 0, -5, 'ten', '0.001', undefined])
    isRefused(await tenant.till().checkout({ card: cardNumber(), amount, order: newOrder() }), /^Card not found/);
});

test('a known card with a bad amount is told about the amount', async () => {
  const card = await issue('10.00');
  const cases = [
    [0, /more than zero/],
    [-1, /more than zero/],
    ['ten', /not a plain number/],
    [undefined, /No amount/],
    ['0.001', /decimals/],
    ['99999999999999999', /too large/],
  ];
  for (const [amount, sentence] of cases) isRefused(await till.checkout({ card, amount, order: newOrder() }), sentence);
  assert.equal((await shop.show(card)).balance, '10.00');
});

// --- cards that will not do ----------------------------------------------------------------------

test('printed stock answers as unknown until its first top-up activates it', async () => {
  const { number: card } = await shop.issue({ settings: ['--stock'] });
  isRefused(await till.checkBalance({ card }), /^Card not found/);
  isRefused(await till.checkout({ card, amount: 1, order: newOrder() }), /^Card not found/);
  isApproved(await till.topUp({ card, amount: 20, order: newOrder() }), { amount: '20.00', balance: '20.00' });
  isApproved(await till.checkout({ card, amount: 1, order: newOrder() }), { balance: '19.00' });
});

test('a disabled card says so, and works again when enabled', async () => {
  const card = await issue('10.00');
  await service.must(['card', 'disable', '--tenant', String(shop.id), '--number', card]);
  isRefused(await till.checkBalance({ card }), /disabled/);
  isRefused(await till.checkout({ card, amount: 1, order: newOrder() }), /disabled/);
  isRefused(await till.topUp({ card, amount: 1, order: newOrder() }), /disabled/);
  await service.must(['card', 'enable', '--tenant', String(shop.id), '--number', card]);
  isApproved(await till.checkout({ card, amount: 1, order: newOrder() }), { balance: '9.00' });
});

test('a card expires at the end of its last day in the time zone of the site', async () => {
  const world = await newTenant(service, { timezone: 'UTC' });
  // 25 hours apart: their dates always differ.
  await world.addSite({ name: 'Far east', site: 1, settings: ['--timezone', 'Pacific/Kiritimati'] });
  await world.addSite({ name: 'Far west', site: 2, settings: ['--timezone', 'Pacific/Pago_Pago'] });
  await stillIn('day', 'Pacific/Pago_Pago', 20, async (today) => {
    const { number: card } = await world.issue({ amount: '10.00', expires: today });
    isRefused(await world.till({ site: 1 }).checkBalance({ card }), /expired.*until \d{4}-\d{2}-\d{2}/);
    isRefused(await world.till({ site: 1 }).checkout({ card, amount: 1, order: newOrder() }), /expired/);
    isApproved(await world.till({ site: 2 }).checkBalance({ card }), { balance: '10.00' });
    isApproved(await world.till({ site: 2 }).checkout({ card, amount: 1, order: newOrder() }), { balance: '9.00' });
  });
});

test("a site that is not mapped goes by the tenant's time zone", async () => {
  const east = await newTenant(service, { timezone: 'Pacific/Kiritimati' });
  const west = await newTenant(service, { timezone: 'Pacific/Pago_Pago' });
  await stillIn('day', 'Pacific/Pago_Pago', 20, async (today) => {
    const expired = await east.issue({ amount: '10.00', expires: today });
    const valid = await west.issue({ amount: '10.00', expires: today });
    isRefused(await east.till({ site: 77 }).checkBalance({ card: expired.number }), /expired/);
    isApproved(await west.till({ site: 77 }).checkBalance({ card: valid.number }));
  });
});

// --- PIN and last four ---------------------------------------------------------------------------

test('a card with a PIN needs it, typed after a star; without or wrong it is not found', async () => {
  const card = await issue('50.00', { pin: '4711' });
  isRefused(await till.checkBalance({ card }), /^Card not found/);
  isRefused(await till.checkout({ card: `${card}*4712`, amount: 5, order: newOrder() }), /^Card not found/);
  isApproved(await till.checkBalance({ card: `${card}*4711` }), { balance: '50.00' });
  isApproved(await till.checkout({ card: `${card}*4711`, amount: 5, order: newOrder() }), { balance: '45.00' });
});

test('a wrong PIN and then the right one on the same order is approved', async () => {
  const card = await issue('50.00', { pin: '4711' });
  const order = newOrder();
  isRefused(await till.checkout({ card: `${card}*1111`, amount: 5, order }), /^Card not found/);
  isApproved(await till.checkout({ card: `${card}*4711`, amount: 5, order }), { balance: '45.00' });
});

test('the last four digits find a card only where the tenant allows it and only one matches', async () => {
  const small = await newTenant(service, { settings: ['--last4', 'on'] });
  await small.issue({ amount: '10.00', number: '9000000000001111' });
  await small.issue({ amount: '20.00', number: '9000000000002222' });
  await small.issue({ amount: '30.00', number: '9000000000012222' });
  isApproved(await small.till().checkBalance({ card: '1111' }), { balance: '10.00' });
  isApproved(await small.till().checkout({ card: '1111', amount: 4, order: newOrder() }), { balance: '6.00' });
  isRefused(await small.till().checkBalance({ card: '2222' }), /^Card not found/);
  await small.set('--last4', 'off');
  isRefused(await small.till().checkBalance({ card: '1111' }), /^Card not found/);
});

test('the last four digits of an expired or disabled card tell nothing about it', async () => {
  const small = await newTenant(service, { settings: ['--last4', 'on'] });
  const { number: old } = await small.issue({ amount: '10.00', number: '9000000000003333', expires: '2020-01-31' });
  isRefused(await small.till().checkBalance({ card: old }), /expired/);
  isRefused(await small.till().checkBalance({ card: '3333' }), /^Card not found/);
  isRefused(await small.till().checkout({ card: '3333', amount: 1, order: newOrder() }), /^Card not found/);
});

// --- the merchant's limits -----------------------------------------------------------------------

test('a top-up may not lift a card above the largest balance', async () => {
  const tenant = await newTenant(service, { settings: ['--balance-max', '100.00'] });
  const { number: card } = await tenant.issue({ amount: '80.00' });
  isRefused(await tenant.till().topUp({ card, amount: 20.01, order: newOrder() }), /[Aa]t most \$20\.00/);
  isApproved(await tenant.till().topUp({ card, amount: 20, order: newOrder() }), { balance: '100.00' });
});

test('a card takes only so much per day', async () => {
  const tenant = await newTenant(service, { settings: ['--load-day-max', '100.00'] });
  await stillIn('day', 'Australia/Sydney', 20, async () => {
    const { number: card } = await tenant.issue({ amount: '500.00' });
    isApproved(await tenant.till().topUp({ card, amount: 60, order: newOrder() }));
    isRefused(await tenant.till().topUp({ card, amount: 41, order: newOrder() }), /[Aa]t most \$40\.00 .*today/);
    isApproved(await tenant.till().topUp({ card, amount: 40, order: newOrder() }), { balance: '600.00' });
  });
});

test('a card pays only so often per hour', async () => {
  const tenant = await newTenant(service, { settings: ['--uses-hour-max', '2'] });
  await stillIn('hour', 'UTC', 20, async () => {
    const { number: card } = await tenant.issue({ amount: '50.00' });
    for (let i = 0; i < 2; i++) isApproved(await tenant.till().checkout({ card, amount: 1, order: newOrder() }));
    isRefused(await tenant.till().checkout({ card, amount: 1, order: newOrder() }), /too often/);
    isApproved(await tenant.till().checkBalance({ card }), { balance: '48.00' });
  });
});

test('each action can be switched off', async () => {
  const tenant = await newTenant(service);
  const { number: card } = await tenant.issue({ amount: '50.00' });
  const order = newOrder();
  await tenant.till().checkout({ card, amount: 5, order });
  await tenant.set('--charge', 'off', '--top-up', 'off', '--refund', 'off', '--check-balance', 'off');
  for (const action of ['checkout', 'top-up', 'refund', 'check-balance'])
    isRefused(await tenant.till().call(action, { card, amount: 5, order }), /switched off/);
  await tenant.set('--charge', 'on');
  isApproved(await tenant.till().checkout({ card, amount: 5, order: newOrder() }), { balance: '40.00' });
});

test('sites that must be mapped are refused until they are', async () => {
  const tenant = await newTenant(service, { settings: ['--sites-must-be-mapped', 'on'] });
  const { number: card } = await tenant.issue({ amount: '50.00' });
  isRefused(await tenant.till({ site: 5 }).checkBalance({ card }), /site/i);
  await tenant.addSite({ site: 5 });
  isApproved(await tenant.till({ site: 5 }).checkBalance({ card }));
});

// --- refunds -------------------------------------------------------------------------------------

test('refunds in parts answer several charges and end where the charges end', async () => {
  const card = await issue('100.00');
  const order = newOrder();
  await till.checkout({ card, amount: 20, order });
  await till.checkout({ card, amount: 15, order });
  isApproved(await till.refund({ card, amount: 30, order }), { amount: '30.00', balance: '95.00' });
  isRefused(await till.refund({ card, amount: 10, order }), /[Aa]t most \$5\.00/);
  isApproved(await till.refund({ card, amount: 5, order }), { balance: '100.00' });
  isRefused(await till.refund({ card, amount: 0.01, order }), /refunded to this card already/);
});

test('more than was charged is refused at once', async () => {
  const card = await issue('100.00');
  const order = newOrder();
  await till.checkout({ card, amount: 20, order });
  isRefused(await till.refund({ card, amount: 20.01, order }), /[Aa]t most \$20\.00/);
  assert.equal((await shop.show(card)).balance, '80.00');
});

test('a known order that another card paid gives this card nothing', async () => {
  const paid = await issue('100.00');
  const other = await issue('100.00');
  const order = newOrder();
  await till.checkout({ card: paid, amount: 20, order });
  isRefused(await till.refund({ card: other, amount: 5, order }), /paid nothing on this sale/);
  assert.equal((await shop.show(other)).balance, '100.00');
});

test("an unknown order is bounded by the limit, the card's own charges and the register's day", async () => {
  const tenant = await newTenant(service, {
    settings: ['--refund-max', '30.00', '--refund-register-day-max', '50.00'],
  });
  await stillIn('day', 'Australia/Sydney', 20, async () => {
    const till1 = tenant.till({ register: 1 });
    const till2 = tenant.till({ register: 2 });
    const { number: card } = await tenant.issue({ amount: '100.00' });
    const { number: unused } = await tenant.issue({ amount: '100.00' });
    isRefused(await till1.refund({ card: unused, amount: 1, order: newOrder() }), /nothing can be refunded/);
    await till1.checkout({ card, amount: 60, order: newOrder() });
    isRefused(await till1.refund({ card, amount: 31, order: newOrder() }), /[Aa]t most \$30\.00/);
    isApproved(await till1.refund({ card, amount: 30, order: newOrder() }), { balance: '70.00' });
    isRefused(await till1.refund({ card, amount: 25, order: newOrder() }), /\$20\.00 more today/);
    isApproved(await till1.refund({ card, amount: 20, order: newOrder() }), { balance: '90.00' });
    isRefused(await till2.refund({ card, amount: 11, order: newOrder() }), /[Aa]t most \$10\.00/);
    isApproved(await till2.refund({ card, amount: 10, order: newOrder() }), { balance: '100.00' });
  });
});

test('a tenant that gives no refunds for unknown sales gives none', async () => {
  const tenant = await newTenant(service, { settings: ['--refund-max', '0'] });
  const { number: card } = await tenant.issue({ amount: '100.00' });
  const order = newOrder();
  await tenant.till().checkout({ card, amount: 10, order });
  isRefused(await tenant.till().refund({ card, amount: 1, order: newOrder() }), /nothing can be refunded/);
  isApproved(await tenant.till().refund({ card, amount: 10, order }));
});

// --- answer once ---------------------------------------------------------------------------------

test('a retry gets the first answer byte for byte and moves nothing', async () => {
  const card = await issue('100.00');
  const order = newOrder();
  const first = await till.checkout({ card, amount: 10, order });
  isApproved(first, { balance: '90.00' });
  for (let i = 0; i < 3; i++) areIdentical(await till.checkout({ card, amount: 10, order }), first);
  const load = await till.topUp({ card, amount: 10, order: newOrder() });
  isApproved(load, { balance: '100.00' });
  assert.equal(movements(await shop.show(card)).length, 3); // opening balance, charge, load
});

test('a top-up and a refund are answered once too', async () => {
  const card = await issue('100.00');
  const loadOrder = newOrder();
  const load = await till.topUp({ card, amount: 10, order: loadOrder });
  areIdentical(await till.topUp({ card, amount: 10, order: loadOrder }), load);
  const order = newOrder();
  await till.checkout({ card, amount: 30, order });
  const refund = await till.refund({ card, amount: 10, order });
  areIdentical(await till.refund({ card, amount: 10, order }), refund);
  isApproved(await till.checkBalance({ card }), { balance: '90.00' });
});

test('the answer stays the same when the card has moved on', async () => {
  const card = await issue('100.00');
  const order = newOrder();
  const first = await till.checkout({ card, amount: 10, order });
  await till.checkout({ card, amount: 50, order: newOrder() });
  areIdentical(await till.checkout({ card, amount: 10, order }), first);
});

test('a retry of a success on a second register is replayed', async () => {
  const card = await issue('100.00');
  const order = newOrder();
  const first = await shop.till({ register: 1 }).checkout({ card, amount: 10, order });
  areIdentical(await shop.till({ register: 2 }).checkout({ card, amount: 10, order }), first);
  areIdentical(await shop.till({ site: 924, register: 3 }).checkout({ card, amount: 10, order }), first);
  assert.equal((await shop.show(card)).balance, '90.00');
});

test('the same card written in another way is the same request', async () => {
  const card = await issue('100.00');
  const order = newOrder();
  const first = await till.checkout({ card, amount: 10, order });
  areIdentical(await till.checkout({ card: `;${card}=4912?`, amount: '10.000', order }), first);
});

test('another amount, order or card is another request', async () => {
  const card = await issue('100.00');
  const order = newOrder();
  isApproved(await till.checkout({ card, amount: 10, order }), { balance: '90.00' });
  isApproved(await till.checkout({ card, amount: 11, order }), { balance: '79.00' });
  isApproved(await till.checkout({ card, amount: 11, order: newOrder() }), { balance: '68.00' });
});

test('a charge, its refund and the charge again are three movements', async () => {
  const card = await issue('100.00');
  const order = newOrder();
  const first = await till.checkout({ card, amount: 10, order });
  isApproved(await till.refund({ card, amount: 10, order }), { balance: '100.00' });
  const second = await till.checkout({ card, amount: 10, order });
  isApproved(second, { amount: '10.00', balance: '90.00' });
  assert.notEqual(second.json.reference_id, first.json.reference_id);
  assert.equal(movements(await shop.show(card)).length, 1 + 3);
});

test('without an order site and register tell requests apart', async () => {
  const card = await issue('100.00');
  const first = await shop.till({ register: 1 }).checkout({ card, amount: 10 });
  isApproved(first, { balance: '90.00' });
  areIdentical(await shop.till({ register: 1 }).checkout({ card, amount: 10 }), first);
  areIdentical(await shop.till({ register: 1 }).checkout({ card, amount: 10, order: 0 }), first);
  isApproved(await shop.till({ register: 2 }).checkout({ card, amount: 10 }), { balance: '80.00' });
});

test('after the window a charge is a new one, and a top-up of the same sale is refused', async () => {
  const hasty = await newTenant(service, { settings: ['--replay-window', '1', '--replay-window-no-order', '1'] });
  const { number: card } = await hasty.issue({ amount: '100.00' });
  const order = newOrder(),
    load = newOrder();
  isApproved(await hasty.till().checkout({ card, amount: 10, order }), { balance: '90.00' });
  isApproved(await hasty.till().topUp({ card, amount: 5, order: load }), { balance: '95.00' });
  isApproved(await hasty.till().checkout({ card, amount: 1 }), { balance: '94.00' });
  await sleep(1300);
  isApproved(await hasty.till().checkout({ card, amount: 10, order }), { balance: '84.00' });
  isRefused(await hasty.till().topUp({ card, amount: 5, order: load }), /^Already loaded on this sale/);
  isApproved(await hasty.till().checkout({ card, amount: 1 }), { balance: '83.00' });
});

test('two tenants may have the same card number and order without meeting', async () => {
  const one = await newTenant(service),
    two = await newTenant(service);
  const number = cardNumber('90');
  const order = newOrder();
  await one.issue({ number, amount: '10.00' });
  await two.issue({ number, amount: '20.00' });
  isApproved(await one.till().checkout({ card: number, amount: 3, order }), { balance: '7.00' });
  isApproved(await two.till().checkout({ card: number, amount: 3, order }), { balance: '17.00' });
});

// --- signatures ----------------------------------------------------------------------------------

test('upper-case hex and a sha256= prefix are accepted, base64 only where the tenant says so', async () => {
  const tenant = await newTenant(service);
  const { number: card } = await tenant.issue({ amount: '10.00' });
  const body = JSON.stringify(tenant.till().fields('check-balance', { card }));
  const send = (signature) =>
    tenant.till().send('check-balance', body, { headers: { 'X-Kounta-Signature': signature } });
  const hex = sign(body),
    base64 = Buffer.from(hex, 'hex').toString('base64');
  isApproved(await send(hex.toUpperCase()));
  isApproved(await send(`sha256=${hex}`));
  isRefused(await send(base64), null, { status: 401 });
  await tenant.set('--signature-base64', 'on');
  isApproved(await send(base64));
});

test('two tokens are valid during a rotation, and the old one no longer afterwards', async () => {
  const tenant = await newTenant(service, { token: 'old-token' });
  const { number: card } = await tenant.issue({ amount: '10.00' });
  await tenant.set('--signature-token', 'new-token', '--signature-token-previous', 'old-token');
  isApproved(await tenant.till().checkBalance({ card }, { token: 'old-token' }));
  isApproved(await tenant.till().checkBalance({ card }, { token: 'new-token' }));
  isRefused(await tenant.till().checkBalance({ card }, { token: 'other' }), null, { status: 401 });
  await tenant.set('--signature-token-previous', '');
  isRefused(await tenant.till().checkBalance({ card }, { token: 'old-token' }), null, { status: 401 });
  isApproved(await tenant.till().checkBalance({ card }, { token: 'new-token' }));
});

test('signatures can be logged only, or switched off', async () => {
  const tenant = await newTenant(service);
  const { number: card } = await tenant.issue({ amount: '10.00' });
  await tenant.set('--signature-mode', 'log');
  isApproved(await tenant.till().checkBalance({ card }, { token: 'wrong' }));
  await tenant.set('--signature-mode', 'off');
  const inside = outsideTheSpec(tenant, 'requests', 'it asks for no signature');
  isApproved(await tenant.till().checkBalance({ card }, { token: null }));
  inside();
  await tenant.set('--signature-mode', 'enforce');
  isRefused(await tenant.till().checkBalance({ card }, { token: null }), null, { status: 401 });
});

test('a tenant without a token accepts nothing', async () => {
  const tenant = await newTenant(service, { token: null });
  const { number: card } = await tenant.issue({ amount: '10.00' });
  isRefused(await tenant.till().checkBalance({ card }, { token: '' }), null, { status: 401 });
  isRefused(await tenant.till().checkBalance({ card }, { token: null }), null, { status: 401 });
  isRefused(await tenant.till().checkBalance({ card }, { token: TOKEN }), null, { status: 401 });
});

test('a tenant chooses the status of refusals and the format of bodies', async () => {
  const tenant = await newTenant(service);
  const { number: card } = await tenant.issue({ amount: '10.00' });
  isRefused(await tenant.till().checkout({ card: cardNumber(), amount: '1.00', order: newOrder() }));
  await tenant.set('--refusal-status', '402', '--body-format', 'json', '--deadline', '2');
  const inside = outsideTheSpec(tenant, 'replies', 'it refuses with a status of its own');
  isRefused(await tenant.till().checkout({ card: cardNumber(), amount: '1.00', order: newOrder() }), null, {
    status: 402,
  });
  inside();
  isApproved(await tenant.till().checkout({ card, amount: '1.00', order: newOrder() }), { amount: '1.00', balance: '9.00' });
  isRefused(await tenant.till().form('checkout', { card, amount: '1.00', order: newOrder() }), /not valid JSON/, {
    status: 400,
  });
});
