// The till as a cashier uses it: a real Chromium in front of the real register, cloud and service.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { run, until } from '../http/support.mjs';
import { manyMore, startCloudWithProducts } from '../http/till.mjs';
import {
  Cashier,
  NO_SERVER,
  PHONE,
  LAPTOP,
  Shop,
  startBrowser,
  startPartner,
  stopBrowser,
} from './till.mjs';

let shop, register, david;

before(async () => {
  [shop] = await Promise.all([Shop.open(), startBrowser()]);
  david = await shop.addPeople();
  register = await shop.register();
});
after(async () => {
  await register?.stop();
  await stopBrowser();
  await shop?.close();
});

/** How often the card was charged. */
const charges = async (number) =>
  (await shop.card(number)).entries.filter((entry) => /charge/.test(entry.action ?? entry.kind)).length;

const balanceOf = async (number) => (await shop.card(number)).balance;

// --- selling

test('a sale is paid in two parts, by gift card and in cash, and is complete', async (t) => {
  const cashier = await Cashier.sit(t, register);
  const card = await shop.newCard('100.00');
  const order = await cashier.newSale('Latte', 'Croissant', 'Avocado toast');
  await cashier.press(/^Checkout/);
  await cashier.typeAmount('2000');
  await cashier.sees('.amount-big', '$20.00');
  await cashier.payByCard(card);
  const said = await cashier.said('Part of it is paid');
  assert.match(said, /Remaining due\s+\$6\.50/);
  await cashier.press('OK', { exact: true });
  await cashier.sees('.sum.payment', '−20.00');
  await cashier.press('Cash');
  await cashier.said(/./);
  await cashier.press('Close', { exact: true });
  await cashier.sees('.paid', 'Paid in full');
  const edges = await cashier.page.evaluate(() =>
    [...document.querySelectorAll('.line-price, .sum dd')].map((node) => node.getBoundingClientRect().right),
  );
  assert.equal(new Set(edges).size, 1, `prices and sums end at one line: ${edges}`);
  assert.equal(await balanceOf(card), '80.00');
  assert.equal((await shop.order(order)).status, 'COMPLETE');
});

test('a card with less than is asked pays what it has, and the rest stays due', async (t) => {
  const cashier = await Cashier.sit(t, register);
  const card = await shop.newCard('10.00');
  await cashier.newSale('Breakfast for two');
  await cashier.go('checkout');
  await cashier.payByCard(card);
  assert.match(await cashier.said('Part of it is paid'), /Remaining due\s+\$35\.00/);
  await cashier.press('OK', { exact: true });
  await cashier.sees('.amount-big', '$35.00');
  assert.equal(await balanceOf(card), '0.00');
});

test('a refusal is told in the partner’s words, and the sale stays as it was', async (t) => {
  const cashier = await Cashier.sit(t, register);
  await cashier.newSale('Latte');
  await cashier.go('checkout');
  await cashier.payByCard('6036280000099997');
  const said = await cashier.said(/./);
  assert.doesNotMatch(said, /successful/);
  const [exchange] = (await register.call('GET', 'wire')).exchanges.slice(-1);
  assert.ok(said.includes(JSON.parse(exchange.reply_body).error), said);
  await cashier.press('Close', { exact: true });
  await cashier.sees('.amount-big', '$4.50');
});

test('the pay button pressed twice sends twice, and the card is charged once', async (t) => {
  const cashier = await Cashier.sit(t, register);
  const card = await shop.newCard('100.00');
  const order = await cashier.newSale('Breakfast for two');
  await register.call('PUT', 'faults', { next: { delay_ms: 600 }, always: true });
  await cashier.go('checkout');
  const before = (await cashier.state()).last_exchange;
  await cashier.page.locator('.pay-type.partner').click();
  await cashier.typeCard(card);
  const pay = cashier.page.locator('dialog .primary');
  await pay.click();
  await pay.click({ force: true });
  await cashier.sees('dialog .primary', 'Sending…');
  await cashier.said(/./);
  await until('both answers', async () => (await cashier.state()).last_exchange >= before + 2);
  await register.call('PUT', 'faults', { next: {}, always: false });
  assert.equal(await charges(card), 1);
  assert.equal(await balanceOf(card), '55.00');
  assert.equal((await shop.order(order)).payments.length, 1);
});

test('a reply is dropped, the cashier presses again, and the card is charged once', async (t) => {
  const cashier = await Cashier.sit(t, register);
  const card = await shop.newCard('100.00');
  const order = await cashier.newSale('Latte', 'Tea');
  await cashier.press('Faults');
  await cashier.page.getByRole('switch', { name: 'Drop the reply' }).check();
  await cashier.sees('.fault-chip', 'Drop the reply');
  await cashier.go('checkout');
  await cashier.payByCard(card);
  await cashier.said('No answer');
  assert.equal(await cashier.page.locator('.said p').count(), 1, 'it is said once');
  assert.equal(await balanceOf(card), '91.30', 'the service has charged already');
  await cashier.page.reload();
  await cashier.said('No answer');
  await cashier.press('Close', { exact: true });
  await until('the dialogue to be dismissed', async () => (await cashier.state()).said === null);
  await cashier.page.reload();
  await cashier.sees('.order-foot', '$8.70');
  assert.equal(await cashier.page.locator('dialog').count(), 0);
  await cashier.press('Faults');
  await cashier.page.getByRole('switch', { name: 'Drop the reply' }).check();
  await cashier.sees('.fault-chip', 'Drop the reply');
  await cashier.go('checkout');
  await cashier.payByCard(card);
  await cashier.said('No answer');
  await cashier.press('Try again');
  await cashier.said('Transaction successful');
  assert.equal(await charges(card), 1);
  assert.equal(await balanceOf(card), '91.30');
  assert.deepEqual(
    (await shop.order(order)).payments.map(({ amount }) => Number(amount)),
    [8.7],
  );
  await cashier.page.locator('.fault-chip').waitFor({ state: 'detached' });
});

test('a whole sale goes by keyboard', async (t) => {
  const cashier = await Cashier.sit(t, register);
  const card = await shop.newCard('100.00');
  const order = await cashier.newSale('Espresso');
  const { keyboard } = cashier.page;
  await keyboard.press('F4');
  await cashier.sees('h1', 'Checkout');
  await until('the heading to have the focus', () =>
    cashier.page.evaluate(() => document.activeElement?.tagName === 'H1'),
  );
  await keyboard.type('150');
  await cashier.sees('.amount-big', '$1.50');
  await keyboard.press('Backspace');
  await cashier.sees('.amount-big', '$0.15');
  await keyboard.type('0');
  await cashier.page.locator('.pay-type.partner').focus();
  await keyboard.press('Enter');
  await until('the card’s field to have the focus', () =>
    cashier.page.evaluate(() => document.activeElement?.id === 'card'),
  );
  await keyboard.type(card);
  await keyboard.press('Enter');
  await cashier.said('Part of it is paid');
  await keyboard.press('Enter');
  await cashier.sees('.sum.payment', '−1.50');
  await keyboard.press('Escape');
  await cashier.page.locator('.tiles').waitFor();
  assert.equal((await shop.order(order)).payments.length, 1);
});

test('the prompt is closed with Escape, and the focus is back on the button that opened it', async (t) => {
  const cashier = await Cashier.sit(t, register);
  await cashier.newSale('Tea');
  await cashier.go('checkout');
  await cashier.page.locator('.pay-type.partner').click();
  await cashier.page.locator('#card').waitFor();
  await cashier.page.keyboard.press('Escape');
  await cashier.page.locator('dialog').waitFor({ state: 'detached' });
  assert.ok(await cashier.page.evaluate(() => document.activeElement.classList.contains('pay-type')));
});

test('swiped, scanned and checked in go out as such', async (t) => {
  const cashier = await Cashier.sit(t, register);
  const card = await shop.newCard('100.00');
  await cashier.newSale('Breakfast for two');
  await cashier.go('checkout');
  for (const [way, amount, wanted] of [
    ['Swipe', '100', new RegExp(`;${card}=`)],
    ['Scan', '200', new RegExp(`^${card}$`)],
  ]) {
    await cashier.typeAmount(amount);
    await cashier.page.locator('.pay-type.partner').click();
    await cashier.press(way);
    await cashier.typeCard(card);
    await cashier.page.keyboard.press('Enter');
    await cashier.said('Part of it is paid');
    await cashier.press('OK', { exact: true });
    const [exchange] = (await register.call('GET', 'wire')).exchanges.slice(-1);
    assert.match(JSON.parse(exchange.body).keyword, wanted);
  }
  await cashier.page.locator('.pay-type.partner').click();
  await cashier.press('Checked in');
  await cashier.press('Check in David Kent');
  await cashier.page.locator('.checkin-name', { hasText: 'David Kent' }).click();
  await cashier.press(/^Charge/);
  await cashier.said(/./);
  const [exchange] = (await register.call('GET', 'wire')).exchanges.slice(-1);
  assert.equal(JSON.parse(exchange.body).reference_id, 'M-1');
  assert.equal(JSON.parse(exchange.body).keyword, undefined);
});

test('two quick touches: each counts on the lines, and one where the other would come too late', async (t) => {
  const cashier = await Cashier.sit(t, register);
  const order = await cashier.newSale('Tea', 'Latte');
  const more = cashier.button('One Tea more');
  await more.dblclick();
  await cashier.sees('.line:has-text("Tea") .line-quantity', '3');
  await cashier.button('One Latte less').dblclick();
  await cashier.page.locator('.line', { hasText: 'Latte' }).waitFor({ state: 'detached' });
  await cashier.go('checkout');
  await cashier.typeAmount('500');
  await cashier.page.locator('.pay-type', { hasText: 'Cash' }).dblclick();
  await cashier.said('Part of it is paid');
  assert.deepEqual(
    (await shop.order(order)).payments.map(({ amount }) => Number(amount)),
    [5],
  );
  await cashier.press('OK', { exact: true });
  await cashier.page.locator('.pay-type', { hasText: 'Cash' }).dblclick();
  await cashier.said('Paid');
  const before = (await cashier.state()).orders.length;
  await cashier.button('New sale', { exact: true }).last().dblclick();
  await cashier.sees('.order .empty-title', 'Nothing on this sale yet');
  assert.equal((await cashier.state()).orders.length, before + 1);
  await cashier.press('Delete this sale');
  await cashier.button('Delete sale', { exact: true }).dblclick();
  await cashier.page.locator('dialog').waitFor({ state: 'detached' });
});

test('a sale is started, left open, found again and deleted', async (t) => {
  const cashier = await Cashier.sit(t, register);
  const order = await cashier.newSale('Banana bread');
  const {
    order: { sale_number: number },
  } = await cashier.state();
  await cashier.press('Menu');
  await cashier.page.locator('.menu').getByRole('button', { name: 'New sale' }).click();
  await cashier.sees('.order', /Nothing on this sale yet/);
  await cashier.go('sales');
  await cashier.page.locator('.sale', { hasText: number }).click();
  await cashier.sees('.lines', 'Banana bread');
  await cashier.press('One Banana bread more');
  await cashier.sees('.line-quantity', '2');
  await cashier.press('Delete this sale');
  await cashier.press('Delete sale', { exact: true });
  await cashier.page.locator('dialog').waitFor({ state: 'detached' });
  assert.equal((await shop.order(order)).deleted, true);
  await cashier.go('sales');
  await cashier.page.locator('.deleted-sales summary', { hasText: /deleted sale/ }).click();
  await cashier.page.locator('.deleted-sales .closed-sale', { hasText: number }).waitFor();
  assert.equal(await cashier.page.locator('.closed-sale', { hasText: number }).count(), 1);
});

test('on a phone one place is marked as the one where the cashier is', async (t) => {
  const cashier = await Cashier.sit(t, register, { size: PHONE });
  await cashier.newSale('Tea');
  const here = () => cashier.page.locator('[aria-current="page"]:visible, .panes [aria-pressed="true"]').allInnerTexts();
  for (const [screen, wanted] of [
    ['sale', 'Till'],
    ['sales', 'Sales'],
    ['customer', 'Customer'],
    ['gift-card', 'Gift Card'],
    ['checkout', 'Till'],
    ['office', 'Settings'],
  ]) {
    await cashier.go(screen);
    await until(`${wanted} alone to be marked`, async () => String(await here()) === wanted);
  }
  await cashier.go('sales');
  await cashier.press(/^Order/);
  await until('the order alone to be marked', async () => /^Order[^,]*$/.test(String(await here())));
  await cashier.press('Till');
  await cashier.sees('h1', 'Sales');
  await cashier.press('Till');
  await cashier.page.locator('.tiles').waitFor();
});

test('on a phone the menu names no keys, and a recording’s buttons stand clear of what explains them', async (t) => {
  const cashier = await Cashier.sit(t, register, { size: PHONE });
  await cashier.press('Menu');
  await cashier.sees('.menu', 'Gift Card');
  assert.equal(await cashier.page.locator('.menu kbd:visible').count(), 0);
  await cashier.page.keyboard.press('Escape');
  await cashier.press('The wire');
  await cashier.press(/^Recording/);
  const tools = await cashier.page.locator('.tools').last().boundingBox();
  const above = await cashier.page.locator('.fault .faint').boundingBox();
  const below = await cashier.page.locator('.tools + .faint').boundingBox();
  assert.ok(tools.y - above.y - above.height >= 12 && below.y - tools.y - tools.height >= 8);
});

test('of very many products some are shown, any is found by its name, and a press sends none of them', async (t) => {
  const cloud = await startCloudWithProducts(t, shop.cloud, manyMore(3000));
  const own = await shop.register('--cloud', cloud);
  const cashier = await Cashier.sit(t, own, { isOwn: true });
  await cashier.sees('.note', /^120 of 30\d\d are shown/);
  assert.equal(await cashier.page.locator('.tile').count(), 120);
  await cashier.isAccessible('many products');
  await cashier.page.getByLabel('Find a product').fill('latt');
  await cashier.page.locator('.note').waitFor({ state: 'detached' });
  const [reply] = await Promise.all([
    cashier.page.waitForResponse((response) => /_till\/lines/.test(response.url())),
    cashier.press(/^Latte/),
  ]);
  assert.equal((await reply.json()).products, null);
  await cashier.sees('.lines', 'Latte');
  await cashier.page.getByLabel('Find a product').fill('xyzzy');
  await cashier.sees('.empty-title', 'No such product');
});

// --- the gift card add-on

test('Menu, Add-Ons, Gift Card: the balance is told, the card loaded, and the till collects the money', async (t) => {
  const cashier = await Cashier.sit(t, register);
  const card = await shop.newCard('30.00');
  await register.call('POST', 'orders');
  await cashier.press('Menu');
  await cashier.press('Gift Card', { exact: false });
  await cashier.page.locator('.pay-type', { hasText: 'Our Gift Card' }).click();
  await cashier.typeCard(card);
  await cashier.page.locator('form').getByRole('button', { name: 'Check Balance' }).last().click();
  assert.match(await cashier.said(/./), /\$30\.00/);
  await cashier.press('OK', { exact: true });
  await cashier.press('Top-Up', { exact: true });
  await cashier.press('20.00', { exact: true });
  await cashier.press(/^Top up/);
  assert.match(await cashier.said(/./), /\$50\.00/);
  await cashier.press('OK', { exact: true });
  assert.equal(await balanceOf(card), '50.00');
  await cashier.sees('.lines', 'Gift card top-up');
  await cashier.sees('.order-foot', '$20.00');
});

test('an earlier sale is refunded in part to the card that paid it', async (t) => {
  const cashier = await Cashier.sit(t, register);
  const card = await shop.newCard('100.00');
  await cashier.newSale('Coffee beans');
  const {
    order: { sale_number: number },
  } = await cashier.state();
  await cashier.go('checkout');
  await cashier.payByCard(card);
  await cashier.said('Transaction successful');
  await cashier.press('Close', { exact: true });
  await cashier.go('sales');
  await cashier.page
    .locator('.closed-sale', { hasText: number })
    .getByRole('button', { name: /Refund/ })
    .click();
  await cashier.sees('dialog .note', 'This is the card that paid.');
  assert.equal(await cashier.page.locator('#card').inputValue(), card);
  await cashier.page.locator('#refund-amount').fill('5.00');
  await cashier.press(/^Give back/);
  await cashier.said('Refund successful');
  await cashier.press('OK', { exact: true });
  await cashier.sees('.closed-sale', '−5.00');
  assert.equal(await balanceOf(card), '87.00');
  const sale = cashier.page.locator('.closed-sale', { hasText: number });
  await sale.locator('.note', { hasText: /Refund .*5\.00: HS1-\d+/ }).waitFor();
  await cashier.page.reload();
  await sale.getByRole('button', { name: /Refund/ }).click();
  await cashier.sees('dialog .note', 'this screen has not read it');
  assert.equal(await cashier.page.locator('#refund-amount').inputValue(), '13.00', 'what is left of 18.00');
  assert.equal(await cashier.page.locator('#card').inputValue(), '');
  await cashier.typeCard(card);
  await cashier.press(/^Give back/);
  await cashier.said('Refund successful');
  await cashier.press('OK', { exact: true });
  assert.equal(await balanceOf(card), '100.00');
  await sale.locator('.note').nth(1).waitFor();
  assert.equal(await sale.getByRole('button', { name: /Refund/ }).count(), 0);
});

test('a till that asks for no card at checkout asks for none at a refund', async (t) => {
  const partner = await startPartner(t, (res, url, body) => {
    const { amount } = JSON.parse(body);
    res.setHeader('Content-Type', 'application/json');
    res.end(JSON.stringify({ success: true, amount, balance: 0, reference_id: 'P-1' }));
  });
  const own = await shop.register();
  await own.call('PUT', 'config', {
    checkout_url: `${partner}/checkout`,
    refund_url: `${partner}/refund`,
    requires_reference: false,
  });
  await own.call('POST', 'sync');
  const cashier = await Cashier.sit(t, own, { isOwn: true });
  await cashier.newSale('Tea');
  await cashier.go('checkout');
  await cashier.page.locator('.pay-type.partner').click();
  await cashier.said('Transaction successful');
  await cashier.press('Close', { exact: true });
  await cashier.go('sales');
  await cashier.page
    .getByRole('button', { name: /^Refund/ })
    .first()
    .click();
  assert.equal(await cashier.page.locator('#card').count(), 0);
  await cashier.press(/^Give back/);
  await cashier.said('Refund successful');
});

// --- loyalty

test('a customer is found, picked, and a reward is redeemed: the order changes before one’s eyes', async (t) => {
  const cashier = await Cashier.sit(t, register);
  const order = await cashier.newSale('Breakfast for two');
  await cashier.page.keyboard.press('F2');
  await cashier.page.locator('#keyword').fill('kent');
  await cashier.press('Search Our Gift Card');
  await cashier.sees('.count', '2 members');
  await cashier.page.locator('.member-row', { hasText: 'David Kent' }).click();
  await cashier.sees('.member', '500');
  await cashier.sees('.intro', 'A regular since 2021');
  await cashier.sees('.order-customer', 'David Kent');
  await cashier.page.locator('.reward', { hasText: '$10 off' }).click();
  await cashier.said(/./);
  await cashier.press('OK', { exact: true });
  await cashier.sees('.sum.discount', '−10.00');
  await cashier.sees('.order-foot', '$35.00');
  await cashier.sees('.member header .points', '400');
  await cashier.sees('.exchange.is-open .table', 'After');
  await cashier.sees('.exchange.is-open tr:has(th:text-is("total"))', /45\.00\s*35\.00/);
  assert.equal(Number((await shop.order(order)).total), 35);
  assert.equal((await shop.loyalty.points(david)).spendable, 400);
});

test('nobody is found, and the screen says so', async (t) => {
  const cashier = await Cashier.sit(t, register);
  await cashier.go('customer');
  await cashier.page.locator('#keyword').fill('xyzzy');
  await cashier.page.keyboard.press('Enter');
  await cashier.sees('.empty', 'Nobody found');
});

// --- the wire

test('what is copied as curl is the same request: it gets the same answer', async (t) => {
  const cashier = await Cashier.sit(t, register);
  const card = await shop.newCard('100.00');
  await cashier.newSale('Latte');
  await cashier.go('checkout');
  await cashier.payByCard(card);
  await cashier.said('Transaction successful');
  await cashier.press('Close', { exact: true });
  await cashier.sees('.exchange.is-open', 'checkout');
  await cashier.sees('.exchange.is-open .signature', 'X-Kounta-Signature');
  assert.equal(await cashier.page.locator('.exchange.is-open .verdict.failed').count(), 0);
  await cashier.page.locator('.exchange.is-open summary', { hasText: /\d rules kept/ }).click();
  assert.ok((await cashier.page.locator('.exchange.is-open .verdict.passed:visible').count()) >= 5);
  await cashier.press('Copy as curl');
  await cashier.sees('.toast', 'Copied');
  const curl = await cashier.page.evaluate(() => navigator.clipboard.readText());
  const { stdout, code, stderr } = await run('bash', ['-c', curl]);
  assert.equal(code, 0, stderr);
  const [exchange] = (await register.call('GET', 'wire')).exchanges.slice(-1);
  assert.ok(stdout.includes(exchange.reply_body), `${stdout}\n${exchange.reply_body}`);
  assert.equal(await charges(card), 1);
});

test('a page that is loaded anew shows the newest exchange of very many, and the older ones when asked', async (t) => {
  const COUNT = 120;
  const own = await shop.register();
  const cashier = await Cashier.sit(t, own, { isOwn: true });
  for (let i = 0; i < COUNT; i++) await own.call('POST', 'check-balance', { reference: '6036280000019999' });
  await cashier.page.reload();
  const numbers = () => cashier.page.locator('.exchange-number').allInnerTexts();
  const down = (from, to) => Array.from({ length: from - to + 1 }, (_, i) => `#${from - i}`);
  await cashier.sees('.exchange.is-open .exchange-number', `#${COUNT}`);
  assert.deepEqual(await numbers(), down(COUNT, 71));
  await cashier.picture('wire-many');
  await cashier.press('Show older ones');
  await cashier.sees('.exchange-number', '#21');
  await own.call('POST', 'check-balance', { reference: '6036280000019999' });
  await cashier.sees('.exchange.is-open .exchange-number', `#${COUNT + 1}`);
  await cashier.press('Show older ones');
  await cashier.page.locator('.exchange-number', { hasText: /^#1$/ }).waitFor();
  assert.deepEqual(await numbers(), down(COUNT + 1, 1));
  assert.equal(await cashier.button('Show older ones').count(), 0);
});

test('a request is edited, signed anew and sent again; unsigned it is refused', async (t) => {
  const cashier = await Cashier.sit(t, register);
  const [card, other] = [await shop.newCard('100.00'), await shop.newCard('12.34')];
  await register.call('POST', 'check-balance', { reference: card, entry: 'typed' });
  await cashier.sees('.exchange.is-open', 'check-balance');
  for (const [isSigned, wanted] of [
    [true, /12\.34/],
    [false, /"success": false/],
  ]) {
    await cashier.press('Edit and resend');
    const body = cashier.page.locator('#resend-body');
    await body.fill((await body.inputValue()).replace(card, other));
    await cashier.page.locator('#resend-sign').setChecked(isSigned);
    await cashier.press('Resend', { exact: true });
    await cashier.sees('.exchange.is-open .tag', /resend of/);
    await cashier.sees('.exchange.is-open [aria-label^="Body of reply"]', wanted);
    await cashier.page
      .locator('.exchange-row')
      .nth(isSigned ? 1 : 2)
      .click();
  }
});

test('what went over the wire is recorded, downloaded and replayed without a difference', async (t) => {
  const cashier = await Cashier.sit(t, register);
  const card = await shop.newCard('100.00');
  await cashier.press('Recording');
  await cashier.page.getByRole('switch', { name: 'Record' }).check();
  await register.call('POST', 'check-balance', { reference: card, entry: 'typed' });
  await cashier.sees('.wire', '1 exchange so far');
  await cashier.page.getByRole('switch', { name: 'Record' }).uncheck();
  const [download] = await Promise.all([
    cashier.page.waitForEvent('download'),
    cashier.page.getByRole('link', { name: 'Download' }).click(),
  ]);
  await cashier.page.locator('#replay').setInputFiles(await download.path());
  await cashier.sees('.report', 'Differences');
  assert.match(await cashier.page.locator('.report').innerText(), /Sent\s+1[\s\S]*Differences\s+0/);
});

// --- Back Office

test('Back Office is saved, the till asks for a Sync, and has the new name only after it', async (t) => {
  const own = await shop.register();
  const cashier = await Cashier.sit(t, own, { isOwn: true });
  await cashier.newSale('Latte');
  await cashier.go('office');
  await cashier.page.getByRole('tab', { name: 'Payments' }).click();
  await cashier.page.getByLabel('Payment type name').fill('House card');
  await cashier.page.getByRole('switch', { name: 'Require Reference ID' }).uncheck();
  await cashier.press('Save');
  await cashier.sees('.office-status', 'Sync needed');
  await cashier.go('checkout');
  await cashier.sees('.pay-type.partner', 'Our Gift Card');
  await cashier.press('Sync needed');
  await cashier.sees('.pay-type.partner', 'House card');
  await cashier.page.locator('.pay-type.partner').click();
  await cashier.said(/./);
  const [exchange] = (await own.call('GET', 'wire')).exchanges.slice(-1);
  assert.equal(JSON.parse(exchange.body).keyword, undefined, 'no card is asked for, and none is sent');
});

test('what the register would refuse is said at its field, and is not sent', async (t) => {
  const own = await shop.register();
  const cashier = await Cashier.sit(t, own, { isOwn: true });
  await cashier.go('office');
  for (const [tab, label, value, sentence] of [
    ['Details', 'Site', 'High Street', /^A whole number is wanted/],
    ['Details', 'Register', '0', /^A whole number above zero/],
    ['Details', 'Client ID', ' ', /^It must not be empty/],
    ['Details', 'Signature Token', 'x'.repeat(256), /^At most 255 bytes/],
    ['Loyalty', 'Customer Search URL', 'not a url', /^An address that begins with http/],
    ['Payments', 'Checkout URL', 'gopher://partner', /^An address that begins with http/],
    ['Payments', 'Refund URL', 'http://[::1', /^A host wanted, by name, as 127\.0\.0\.1 or as \[::1\]/],
    ['Payments', 'Top-Up URL', 'http://localhost:99999', /a port from 1 to 65535/],
    ['Payments', 'Payment type name', 'ü'.repeat(40), /^At most 63 bytes/],
    ['Payments', 'Payment type name', 'Cash', /^The merchant has a payment type of this name already/],
    ['Register', 'Waits for a reply, seconds', '601', /from 1 to 600/],
    ['Register', 'Field names', '{"checkout":', /^This is not JSON/],
    ['Register', 'Field names', '{"checkout":1}', /^The whole: it has a part/],
  ]) {
    await cashier.page.getByRole('tab', { name: tab }).click();
    const field = cashier.page.getByLabel(label, { exact: true });
    await field.fill(value);
    await cashier.page.getByRole('tab', { name: tab === 'Details' ? 'Payments' : 'Details' }).click();
    await cashier.press('Save');
    await until(`${label} to have the focus`, () =>
      field.evaluate((node) => node === document.activeElement && node.getAttribute('aria-invalid') === 'true'),
    );
    assert.match(await cashier.page.locator('.problem').innerText(), sentence);
    assert.equal(await field.getAttribute('aria-describedby'), await cashier.page.locator('.problem').getAttribute('id'));
    if (label === 'Checkout URL') await cashier.isAccessible('a field with a problem');
    await cashier.press('Undo');
    await cashier.page.locator('.problem').waitFor({ state: 'detached' });
  }
  assert.equal(await cashier.page.locator('.toast').count(), 0);
  assert.equal((await own.call('GET', 'state')).config.needs_sync, false);
});

test('no field is sent as the register would refuse it: each says what is wrong, and the console is silent', async (t) => {
  const cashier = await Cashier.sit(t, register);
  const card = await shop.newCard('100.00');
  const problem = (text) => cashier.sees('.problem', text);
  await cashier.newSale('Latte');
  await cashier.go('checkout');
  await cashier.typeAmount('9900');
  await cashier.page.locator('.pay-type.partner').click();
  await cashier.sees('.toast.bad', 'Only $4.50 is due.');
  await cashier.press(/^All/);
  await cashier.payByCard(card);
  await cashier.said('Transaction successful');
  await cashier.press('Close', { exact: true });
  await cashier.go('sales');
  await cashier.page.getByRole('button', { name: /Refund 4\.50/ }).first().click();
  for (const [amount, sentence] of [
    ['4.51', 'Only $4.50 of it can be given back.'],
    ['0', 'An amount such as 10.00 is wanted.'],
  ]) {
    await cashier.page.locator('#refund-amount').fill(amount);
    await cashier.press(/^Give back/);
    await problem(sentence);
    assert.equal(await cashier.page.locator('#refund-amount').getAttribute('aria-invalid'), 'true');
  }
  await cashier.isAccessible('a refund with a problem');
  await cashier.press('Cancel');
  await cashier.go('gift-card');
  await cashier.page.locator('.pay-type').click();
  await cashier.press('Top-Up', { exact: true });
  await cashier.typeCard(card);
  await cashier.page.locator('#top-up-amount').fill('1e3');
  await cashier.press(/^Top up/);
  await problem('An amount such as 50.00 is wanted.');
  await cashier.go('customer');
  await cashier.page.locator('#keyword').fill('  ');
  await cashier.press(/^Search/);
  await cashier.page.locator('#keyword').fill('kent');
  await cashier.press(/^Search/);
  await cashier.page.locator('.member-row').first().click();
  await cashier.sees('.member .note', 'touch a product first');
  assert.ok(await cashier.page.locator('.reward').first().isDisabled(), 'the sale is paid: a reward has nowhere to go');
  await cashier.press('Edit and resend');
  for (const [field, text, sentence] of [
    ['url', 'not a url', 'An address that begins with'],
    ['headers', 'Bad name: x', 'is no header'],
  ]) {
    const before = await cashier.page.locator(`#resend-${field}`).inputValue();
    await cashier.page.locator(`#resend-${field}`).fill(text);
    await cashier.press('Resend', { exact: true });
    await problem(sentence);
    await cashier.page.locator(`#resend-${field}`).fill(before);
  }
  await cashier.press(/^Recording/);
  for (const [text, sentence] of [
    ['hello', 'no till’s recording'],
    ['{"tillsim_recording":1}\n', 'The recording is empty.'],
    ['{"tillsim_recording":1}\n{}\n', 'Line 2 is no exchange'],
    ['{"tillsim_recording":1}\n{"headers":[', 'Line 2 is cut off'],
    ['{"tillsim_recording":2}\n{"headers":[]}\n', 'The recording is of version 2'],
  ]) {
    const file = { name: 'a.jsonl', mimeType: 'application/json', buffer: Buffer.from(text) };
    await cashier.page.locator('#replay').setInputFiles(file);
    await cashier.sees('.toast.bad', sentence);
  }
});

// --- what goes wrong

test('a reply that is not JSON turns the till red, with the bytes; Restart brings it back', async (t) => {
  const partner = await startPartner(t, (res) => {
    res.writeHead(502, { 'Content-Type': 'text/html' });
    res.end('<h1>502 Bad Gateway</h1>\u0007<script>globalThis.hurt = true</script>');
  });
  const own = await shop.register();
  await own.call('PUT', 'config', { customer_search_url: `${partner}/search` });
  await own.call('POST', 'sync');
  const cashier = await Cashier.sit(t, own, { isOwn: true });
  await cashier.newSale('Latte');
  await cashier.go('customer');
  await cashier.page.locator('#keyword').fill('kent');
  await cashier.page.keyboard.press('Enter');
  await cashier.sees('.crash', 'The till has stopped');
  await cashier.sees('.crash .bytes', '<h1>502 Bad Gateway</h1>\\x07<script>');
  await cashier.isAccessible('the red screen');
  await cashier.picture('crash');
  await cashier.press('Restart');
  await cashier.page.locator('.crash').waitFor({ state: 'detached' });
  await cashier.sees('.lines', 'Latte');
  assert.equal(await cashier.page.evaluate(() => globalThis.hurt), undefined);
});

test('what a cashier touches is large enough for a finger, and a long sentence keeps its title and buttons', async (t) => {
  const long = `No. ${'x'.repeat(20_000)}`;
  const partner = await startPartner(t, (res) => {
    res.writeHead(200, { 'Content-Type': 'application/json' });
    res.end(JSON.stringify({ success: false, error: long }));
  });
  const own = await shop.register('--url', partner, '--without-grant');
  const cashier = await Cashier.sit(t, own, { isOwn: true, size: { width: 1180, height: 820 } });
  const { page } = cashier;
  await cashier.newSale('Latte');
  await cashier.go('checkout');
  await cashier.payByCard('6036280000010010');
  await cashier.said('Declined');
  await cashier.press('Close', { exact: true });
  const small = () =>
    page.evaluate(() =>
      [...document.querySelectorAll('.order a, .order button, .wire button, .work button')]
        .map((node) => [node, node.getBoundingClientRect()])
        .filter(([, { height }]) => height > 0 && height < 40)
        .map(([node, { height }]) => `${node.textContent} ${height}`),
    );
  assert.deepEqual(await small(), []);
  await page.getByRole('button', { name: /^The wire/ }).last().click();
  assert.deepEqual(await small(), []);
  await cashier.go('customer');
  const isCut = await page.locator('#keyword').evaluate((input) => {
    const style = getComputedStyle(input);
    const pen = document.createElement('canvas').getContext('2d');
    pen.font = `${style.fontSize} ${style.fontFamily}`;
    const room = input.clientWidth - Number.parseFloat(style.paddingLeft) - Number.parseFloat(style.paddingRight);
    return pen.measureText(input.placeholder).width > room;
  });
  assert.equal(isCut, false, 'the hint of the search field');

  await page.setViewportSize({ width: 360, height: 560 });
  await cashier.go('checkout');
  await cashier.payByCard('6036280000010010');
  await cashier.said('Declined');
  for (const part of ['.said h2', '.said .actions'])
    assert.ok(
      await page.locator(part).evaluate((node) => {
        const { top, bottom } = node.getBoundingClientRect();
        return top >= 0 && bottom <= window.innerHeight;
      }),
      part,
    );
  await cashier.isAccessible('a long sentence');
  await cashier.picture('long-sentence');
});

test('a partner that nobody can reach is told as no answer', async (t) => {
  const own = await shop.register();
  await own.call('PUT', 'config', { checkout_url: 'http://127.0.0.1:1/checkout' });
  await own.call('POST', 'sync');
  const cashier = await Cashier.sit(t, own, { isOwn: true });
  await cashier.newSale('Latte');
  await cashier.go('checkout');
  await cashier.payByCard('6036280000010010');
  await cashier.said('No answer');
  await cashier.sees('.exchange.is-open .failure', /./);
  await cashier.picture('no-answer');
});

test('the cloud goes down and the register goes away: both are said, and the page goes on by itself', async (t) => {
  const other = await Shop.open();
  let own = await other.register();
  const cashier = await Cashier.sit(t, own, { isOwn: true, forgives: NO_SERVER });
  await cashier.page.locator('.tiles').waitFor();
  await cashier.newSale('Latte');
  await other.close();
  await cashier.sees('.banner', 'The cloud is down');
  await cashier.sees('.order', 'No sale can be shown');
  assert.equal(await cashier.button('New sale').isDisabled(), true);
  for (const size of [{ width: 360, height: 740 }, PHONE, { width: 430, height: 932 }, { width: 820, height: 1180 }]) {
    await cashier.page.setViewportSize(size);
    await cashier.fitsItsWindow('the till without a cloud');
  }
  await cashier.page.setViewportSize(PHONE);
  await cashier.picture('cloud-down');
  await cashier.page.setViewportSize(LAPTOP);
  await cashier.picture('cloud-down');
  await cashier.isAccessible('the till without a cloud');
  const { port } = new URL(own.url);
  await own.stop();
  await cashier.sees('.banner', 'The register does not answer');
  await cashier.sees('.cloud.down', 'Register is gone');
  await cashier.sees('.work .empty-title', 'The register does not answer');
  await cashier.sees('.order', 'The register does not answer');
  assert.doesNotMatch(await cashier.page.locator('body').innerText(), /cloud/i);
  await cashier.picture('register-gone');
  own = await shop.register('--listen', `127.0.0.1:${port}`);
  t.after(() => own.stop());
  await cashier.page.locator('.tiles').waitFor();
  await cashier.page.locator('.banner').waitFor({ state: 'detached' });
});

// --- parts

test('amounts are whole cents: nothing is lost, nothing invented, and what is no amount is refused', async (t) => {
  const { page } = await Cashier.sit(t, register);
  const got = await page.evaluate(async () => {
    const { centsOf, textOf, shown, partOf, pressed, useCurrency } = await import('/money.js');
    const texts = ['0.1', '0.29', '-4.35', '90071992547409.93', '007', '1.005', '1e3', '.5', '1,5', 'NaN', '', '1.'];
    const sums = {
      cents: texts.map((text) => String(centsOf(text))),
      back: ['0.1', '0.29', '-4.35', '-0.05'].map((text) => textOf(centsOf(text))),
      shown: ['1234567.5', '-0.05', 'what?'].map((text) => shown(text)),
      thirds: String(partOf(1000n, 3n)),
      keys: String(['2', '5', '00', 'back'].reduce((cents, key) => pressed(cents, key), 0n)),
      full: String(pressed(999999999n, '1')),
    };
    useCurrency({ symbol: '¥', exponent: 0 });
    return { ...sums, yen: [String(centsOf('12.5')), textOf(1200n), shown('1200')] };
  });
  assert.deepEqual(got, {
    cents: ['10', '29', '-435', '9007199254740993', '700', 'null', 'null', 'null', 'null', 'null', 'null', '100'],
    back: ['0.10', '0.29', '-4.35', '-0.05'],
    shown: ['1,234,567.50', '−0.05', 'what?'],
    thirds: '334',
    keys: '250',
    full: '999999999',
    yen: ['null', '1200', '1,200'],
  });
});

test('bytes are shown as they came: numbers keep their digits, and what cannot be seen is written out', async (t) => {
  const { page } = await Cashier.sit(t, register);
  const got = await page.evaluate(async () => {
    const { hexOf, indented, visible } = await import('/bytes.js');
    return {
      visible: visible('a\u0000b\u202Ec\r\n\tü'),
      indented: indented('{"a":25.50,"b":[1e2,{}],"c":"x{,}\\"y"}'),
      hex: hexOf(btoa('GIF\u00ff')),
    };
  });
  assert.deepEqual(got, {
    visible: 'a\\x00b\\u202ec\\x0d\n\\x09ü',
    indented: '{\n  "a": 25.50,\n  "b": [\n    1e2,\n    {}\n  ],\n  "c": "x{,}\\"y"\n}',
    hex: '0000  47 49 46 ff' + ' '.repeat(36) + '  GIF.',
  });
});

test('what is typed, and where, outlives the page’s being brought up to date', async (t) => {
  const cashier = await Cashier.sit(t, register);
  await cashier.newSale('Tea');
  await cashier.go('customer');
  const field = cashier.page.locator('#keyword');
  await field.fill('dvid');
  await field.press('Home');
  await field.press('ArrowRight');
  await register.call('POST', 'lines', { product_id: 7301 });
  await cashier.sees('.lines', 'Espresso');
  await cashier.page.keyboard.type('a');
  assert.equal(await field.inputValue(), 'david');
});

// --- a hostile partner; last, for what it leaves in the cloud is no pleasure to look at

/** Long words without a space must not widen the page. */
async function fitsThePhone(cashier, what) {
  await cashier.page.setViewportSize(PHONE);
  await cashier.page.locator('.panes').waitFor();
  await cashier.fitsItsWindow(what);
  await cashier.page.setViewportSize(LAPTOP);
}

const MARKUP = '<img src=x onerror="globalThis.hurt=1"><script>globalThis.hurt=1</script>';

test('markup in a partner’s names, keys, sentences and pictures stays text', async (t) => {
  const member = {
    id: MARKUP,
    first_name: MARKUP,
    last_name: '\u202Egnaf',
    email_address: MARKUP,
    current_points: '500',
    points_label: MARKUP,
    icon_url: 'http://192.0.2.1/picture.png',
    intro_text: `javascript:${MARKUP}`,
    params: { [MARKUP]: MARKUP, onclick: 'globalThis.hurt=1' },
  };
  const partner = await startPartner(t, (res, url) => {
    res.setHeader('Content-Type', 'application/json');
    res.setHeader('X-Markup', MARKUP);
    const order = url.searchParams.get('order_id');
    const replies = {
      '/search': { members: { [MARKUP]: member } },
      '/rewards': {
        member: { ...member, current_points: 5 },
        rewards: [
          {
            id: MARKUP,
            title: MARKUP,
            terms: MARKUP,
            points_required: 1,
            redeem_url: `${partner}/redeem?a=${encodeURIComponent(MARKUP)}&order_id=${order}`,
          },
        ],
      },
    };
    res.end(JSON.stringify(replies[url.pathname] ?? { success: false, error: MARKUP }));
  });
  const own = await shop.register();
  await own.call('PUT', 'config', {
    customer_search_url: `${partner}/search`,
    reward_lookup_url: `${partner}/rewards`,
    checkout_url: `${partner}/checkout`,
    payment_name: MARKUP.slice(0, 60),
  });
  await own.call('POST', 'sync');
  const cashier = await Cashier.sit(t, own, { isOwn: true });
  await cashier.newSale('Latte');
  await cashier.go('customer');
  await cashier.page.locator('#keyword').fill(MARKUP);
  await cashier.page.keyboard.press('Enter');
  await cashier.page.locator('.member-row').click();
  await cashier.sees('.member', MARKUP);
  await cashier.page.locator('.reward').click();
  await cashier.said(/./);
  await cashier.sees('.said', MARKUP);
  await fitsThePhone(cashier, 'the refusal');
  await cashier.press('Close', { exact: true });
  await fitsThePhone(cashier, 'the member');
  await cashier.go('checkout');
  await cashier.payByCard(MARKUP, { type: '<img' });
  await cashier.sees('.said', MARKUP);
  await cashier.press('Close', { exact: true });
  await cashier.page.locator('.pay-type.partner').click();
  await cashier.press('Checked in');
  await fitsThePhone(cashier, 'who is checked in');
  await cashier.page.keyboard.press('Escape');
  for (const row of await cashier.page.locator('.exchange-row').all()) await row.click();
  await cashier.go('office');
  assert.equal(await cashier.page.locator('#page img, #page script, #page iframe').count(), 0);
  assert.equal(await cashier.page.evaluate(() => globalThis.hurt), undefined);
});
