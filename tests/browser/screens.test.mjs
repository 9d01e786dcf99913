// Every screen at every width: nothing wider than the window, nothing serious for axe, and a picture for people.
import { after, before, test } from 'node:test';
import { Cashier, SIZES, Shop, startBrowser, stopBrowser } from './till.mjs';

let shop, register;

before(async () => {
  [shop] = await Promise.all([Shop.open(), startBrowser()]);
  await shop.addPeople();
  register = await shop.register();
});
after(async () => {
  await register?.stop();
  await stopBrowser();
  await shop?.close();
});

const isPhone = (cashier) => cashier.page.viewportSize().width < 700;

async function openWire(cashier) {
  if (isPhone(cashier)) return cashier.press('The wire');
  if (!(await cashier.page.locator('.wire').isVisible())) await cashier.page.locator('#wire-button').click();
}

const openTab = (cashier, name) => cashier.page.getByRole('tab', { name }).click();

/** How each screen is come to from the one before it. */
const SCREENS = {
  async 'sale-none'(cashier) {
    await register.call('POST', 'orders/close');
    await cashier.page.reload();
    await cashier.page.locator('.tiles').waitFor();
  },
  async sale(cashier) {
    await cashier.newSale('Latte', 'Latte', 'Croissant', 'Avocado toast');
  },
  async order(cashier) {
    if (isPhone(cashier)) await cashier.press(/^Order/);
  },
  async menu(cashier) {
    await cashier.press('Menu');
  },
  async checkout(cashier) {
    await cashier.page.keyboard.press('Escape');
    await cashier.go('checkout');
    await cashier.sees('.amount-big', '$31.00');
  },
  async 'card-prompt'(cashier) {
    await cashier.page.locator('.pay-type.partner').click();
  },
  async 'card-checked-in'(cashier) {
    await cashier.press('Checked in');
  },
  async partial(cashier, card) {
    await cashier.press('Type');
    await cashier.typeCard(card);
    await cashier.press(/^Charge/);
    await cashier.said('Part of it is paid');
  },
  async refused(cashier) {
    await cashier.press('OK', { exact: true });
    await cashier.payByCard('6036280000099997');
    await cashier.said(/./);
  },
  async 'order-part-paid'(cashier) {
    await cashier.press('Close', { exact: true });
    if (isPhone(cashier)) await cashier.press(/^Order/);
    await cashier.sees('.sum.payment', '−20.00');
  },
  async 'customer-none'(cashier) {
    await register.call('POST', 'restart');
    await cashier.go('customer');
    await cashier.page.reload();
    await cashier.sees('.empty-title', 'Who is it?');
  },
  async 'customer-list'(cashier) {
    await cashier.page.locator('#keyword').fill('kent');
    await cashier.page.keyboard.press('Enter');
    await cashier.sees('.count', '2');
  },
  async member(cashier) {
    await cashier.page.locator('.member-row').first().click();
    await cashier.page.locator('.reward').first().waitFor();
  },
  async 'gift-card'(cashier) {
    await cashier.go('gift-card');
    await cashier.page.locator('.pay-type').waitFor();
  },
  async 'top-up'(cashier) {
    await cashier.page.locator('.pay-type').click();
    await cashier.press('Top-Up', { exact: true });
  },
  async sales(cashier) {
    await register.call('POST', 'pay', { type: 'Cash' });
    await cashier.go('sales');
    await cashier.sees('.closed-sale', 'Cash');
  },
  async refund(cashier) {
    await cashier.page
      .getByRole('button', { name: /^Refund/ })
      .first()
      .click();
  },
  async 'office-details'(cashier) {
    await cashier.go('office');
    await openTab(cashier, 'Details');
  },
  async 'office-loyalty'(cashier) {
    await openTab(cashier, 'Loyalty');
  },
  async 'office-payments'(cashier) {
    await openTab(cashier, 'Payments');
  },
  async 'office-problem'(cashier) {
    await cashier.page.getByLabel('Checkout URL').fill('not a url');
    await cashier.press('Save');
    await cashier.sees('.problem', 'An address');
  },
  async 'office-register'(cashier) {
    await cashier.press('Undo');
    await openTab(cashier, 'Register');
  },
  async 'sync-needed'(cashier) {
    await cashier.page.getByLabel('Waits for a reply, seconds').fill('14');
    await cashier.press('Save');
    await cashier.sees('.office-status', 'Sync needed');
  },
  async wire(cashier) {
    await cashier.press('Undo');
    await cashier.go('sale');
    await openWire(cashier);
    await cashier.page.locator('.exchange.is-open .detail').waitFor();
  },
  async resend(cashier) {
    await cashier.press('Edit and resend');
  },
  async faults(cashier) {
    await cashier.press('Cancel');
    await cashier.press(/^Faults/);
    await cashier.page.getByRole('switch', { name: 'Drop the reply' }).check();
    await cashier.page.locator('summary').click();
  },
  async recording(cashier) {
    await cashier.press('Clear all');
    await cashier.press(/^Recording/);
  },
};

for (const size of SIZES) {
  test(`every screen fits ${size.width} pixels, and axe finds nothing serious on it`, async (t) => {
    const cashier = await Cashier.sit(t, register, { size });
    const card = await shop.newCard('20.00');
    for (const [name, bring] of Object.entries(SCREENS)) {
      await bring(cashier, card);
      await cashier.fitsItsWindow(name);
      await cashier.isAccessible(name);
      await cashier.picture(name);
    }
  });
}

test('in the dark, too, everything can be read', async (t) => {
  const cashier = await Cashier.sit(t, register, { colorScheme: 'dark' });
  await cashier.newSale('Latte', 'Croissant');
  for (const screen of ['sale', 'checkout', 'customer', 'gift-card', 'sales', 'office']) {
    await cashier.go(screen);
    await cashier.page.locator('main h1').waitFor({ state: 'attached' });
    await cashier.isAccessible(`${screen}, dark`);
    await cashier.picture(`dark-${screen}`);
  }
});
