// What the browser suite stands on: the real service, cloud and register, one Chromium, and a cashier who touches the
// screen. A page that complains on its console, or asks another host for anything, fails its test.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { Loyalty, connect, startPair } from '../http/loyal.mjs';
import { startOwnServer } from '../http/own_server.mjs';
import { ROOT, until } from '../http/support.mjs';
import { Till } from '../http/till.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SCREENS = path.join(ROOT, 'build/screens');
const WAIT_MS = 15_000;
// What a machine without the fonts of base.css has; no common one is wider.
const WIDE_FONT = '"DejaVu Sans"';
const SETTLE_MS = 2_000;

export const LAPTOP = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };
export const SIZES = [PHONE, { width: 820, height: 1180 }, { width: 1180, height: 820 }, LAPTOP];

// --- programs

/** `tillsim register` with these options; .url is its page. */
export class Register extends Till {
  static async start(options) {
    const register = new Register(options);
    await register.start();
    return register;
  }

  get url() {
    return this.urls.url;
  }

  /** Its contract, where a test has to bring it into a state without touching the screen. */
  call(method, name, body = {}) {
    return this.must(method, name, method === 'GET' ? undefined : body);
  }
}

/** A shop: the service with a connected tenant, and the cloud. */
export class Shop {
  static async open() {
    const shop = new Shop();
    shop.nextCard = 6036280000020000n;
    Object.assign(shop, await startPair(undefined));
    shop.tenant = await shop.service.addTenant({ name: 'Demo Coffee', token: shop.cloud.signatureToken });
    await shop.tenant.addSite();
    await connect(shop.service, shop.cloud, shop.tenant);
    shop.loyalty = new Loyalty(shop.service, shop.cloud, shop.tenant);
    shop.base = shop.service.origin + shop.tenant.base;
    return shop;
  }

  register(...options) {
    return Register.start([
      '--cloud',
      this.cloud.urls.url,
      '--url',
      this.base,
      '--token',
      this.tenant.token,
      ...options,
    ]);
  }

  async newCard(amount) {
    const number = String((this.nextCard += 1n));
    await this.tenant.issue({ number, amount });
    return number;
  }

  /** Members to be found, and what they may have; gives the first, David Kent. */
  async addPeople() {
    const settings = ['--intro-text', 'A regular since 2021', '--tier', 'Gold'];
    const david = await this.loyalty.addMember({ points: 500, settings });
    await this.loyalty.addMember({ first: 'Davina', last: 'Kentwell', points: 80 });
    await this.loyalty.addReward();
    await this.loyalty.addReward({ title: '20 % off', points: 150, effect: 'percent_off:20' });
    return david;
  }

  /** {balance, entries} */
  card(number) {
    return this.tenant.show(number);
  }

  order(id) {
    return this.cloud.control('GET', `/orders/${id}`);
  }

  async close() {
    await this.service.stop();
    await this.cloud.stop();
  }
}

/** A partner that answers as a test wants; answer gets (response, url, body). */
export const startPartner = (t, answer) =>
  startOwnServer(t, (res, req, body) => answer(res, new URL(req.url, 'http://partner'), body));

// --- the browser

let browser;

export async function startBrowser() {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
}

export const stopBrowser = () => browser.close();

/** What a page may say on its console in a test that takes something away from it. */
export const NO_SERVER =
  /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED|ERR_SOCKET/;

/** Somebody in front of a page of ours. */
export class Reader {
  static async open(t, url, options = {}) {
    const reader = new Reader();
    await reader.begin(t, url, options);
    return reader;
  }

  async begin(t, url, { size = LAPTOP, forgives = null, colorScheme = 'light' }) {
    this.complaints = [];
    this.context = await browser.newContext({
      viewport: size,
      colorScheme,
      reducedMotion: 'reduce',
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    const page = (this.page = await this.context.newPage());
    page.setDefaultTimeout(WAIT_MS);
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()) && !forgives?.test(message.text()))
        this.complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.complaints.push(error.stack));
    page.on('dialog', (dialog) => this.complaints.push(`dialog: ${dialog.message()}`));
    await this.context.route('**', (route) => {
      const { host } = new URL(route.request().url());
      if (host === new URL(url).host) return route.continue();
      this.complaints.push(`asked ${route.request().url()}`);
      return route.abort();
    });
    t.after(() => this.leave());
    await page.goto(url);
  }

  async leave() {
    await this.context.close();
    assert.deepEqual(this.complaints, []);
  }

  /** Nothing serious or critical on what is on the screen now. */
  async isAccessible(what) {
    await this.page.evaluate(AXE); // not as a script element: the page's policy takes none
    const { violations } = await this.page.evaluate(() =>
      globalThis.axe.run(document, { resultTypes: ['violations'] }),
    );
    const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    const told = serious.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html}\n${failureSummary}`).join('\n')}`,
    );
    assert.deepEqual(told, [], `${what} at ${this.page.viewportSize().width}`);
  }

  /** A picture for people, in build/screens. */
  async picture(name, options = {}) {
    fs.mkdirSync(SCREENS, { recursive: true });
    const file = `${name}-${this.page.viewportSize().width}.png`;
    await this.page.screenshot({ path: path.join(SCREENS, file), ...options });
  }

  /** What is wider than the window. */
  tooWide() {
    return this.page.evaluate(() => {
      if (document.documentElement.scrollWidth <= window.innerWidth) return [];
      const isWide = (node) => node.getBoundingClientRect().right > window.innerWidth + 1;
      const name = (node) => `${node.tagName}.${node.getAttribute('class')}`;
      return [...document.querySelectorAll('body *')].filter(isWide).map(name);
    });
  }

  /** In this font from now on; in the page's own without one. */
  setFont(font = '') {
    return this.page.evaluate((value) => document.documentElement.style.setProperty('--sans', value), font);
  }

  /** Is nothing wider than the window, in a wide font either? After a change Chromium needs a moment to lay all of it
   *  out. */
  async fitsItsWindow(what) {
    for (const font of [WIDE_FONT, '']) {
      await this.setFont(font);
      const end = Date.now() + SETTLE_MS;
      let wide = await this.tooWide();
      while (wide.length > 0 && Date.now() < end) wide = await this.tooWide();
      assert.deepEqual(wide, [], `${what} at ${this.page.viewportSize().width} ${font}`);
    }
  }
}

/** A cashier in front of a register's screen. */
export class Cashier extends Reader {
  static async sit(t, register, { size = LAPTOP, forgives = null, colorScheme = 'light', isOwn = false } = {}) {
    const cashier = new Cashier();
    cashier.register = register;
    cashier.isOwn = isOwn;
    await cashier.begin(t, register.url, { size, forgives, colorScheme });
    await cashier.page.locator('.bar').waitFor();
    return cashier;
  }

  async leave() {
    await this.context.close();
    if (this.isOwn) await this.register.stop();
    assert.deepEqual(this.complaints, []);
  }

  button(name, options) {
    return this.page.getByRole('button', { name, ...options });
  }

  /** Touches a button by its words. */
  press(name, options) {
    return this.button(name, options).click();
  }

  async go(screen) {
    await this.page.goto(`${this.register.url}/#${screen}`);
  }

  state() {
    return this.register.call('GET', 'state');
  }

  async newSale(...products) {
    await this.press('Menu');
    await this.page.locator('.menu').getByRole('button', { name: 'New sale' }).click();
    await this.page
      .locator('.order .empty-title', { hasText: 'Nothing on this sale yet' })
      .waitFor({ state: 'attached' });
    for (const product of products) await this.press(new RegExp(`^${product}`));
    const { order } = await until('all lines', async () => {
      const state = await this.state();
      return state.order.lines.length === new Set(products).size && state;
    });
    return order.id;
  }

  /** Waits until the text is to be seen. */
  async sees(selector, text) {
    await this.page.locator(selector, { hasText: text }).first().waitFor();
  }

  async typeCard(card) {
    await this.page.locator('#card').fill(card);
  }

  /** On the checkout screen: the partner's button, a card, the dialogue that follows. */
  async payByCard(card, { type = 'Our Gift Card' } = {}) {
    await this.page.locator('.pay-type.partner', { hasText: type }).click();
    await this.typeCard(card);
    await this.press(/^Charge/);
  }

  /** The dialogue's title; waits for it. */
  async said(title) {
    const heading = this.page.locator('.said h2');
    await heading.filter({ hasText: title }).waitFor();
    return this.page.locator('.said').innerText();
  }

  async typeAmount(digits) {
    for (const digit of digits)
      await this.page.locator('.keypad').getByRole('button', { name: digit, exact: true }).click();
  }
}
