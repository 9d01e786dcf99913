// The world of the lost-reply drill: shops at the fake cloud and their cards, and registers that lose replies.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { startCloud } from './cloud.mjs';
import { Service, freePort, rawRequest, request } from './support.mjs';

/** A connection that has been idle for so long is not used again: the other side is about to close it. */
const IDLE_MS = 4000;

/** mulberry32: every decision of the drill comes from its seed. */
export class Dice {
  constructor(seed) {
    this.state = seed >>> 0;
  }
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  /** A whole number, both ends included. */
  between(low, high) {
    return low + Math.floor(this.next() * (high - low + 1));
  }
  chance(share) {
    return this.next() < share;
  }
  of(list) {
    return list[this.between(0, list.length - 1)];
  }
}

export const money = (cents) => (cents / 100).toFixed(2);
export const cents = (amount) => Math.round(Number(amount) * 100);

// --- the cloud -----------------------------------------------------------------------------------

/** What registers do at the cloud, over few connections: tens of thousands of calls. */
export class Counter {
  constructor(cloud) {
    this.url = cloud.urls.control_url;
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 16, timeout: IDLE_MS });
  }

  async call(method, path, body) {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const reply = await request(this.url + path, {
      method,
      agent: this.agent,
      headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text ?? '') },
      body: text,
    });
    assert.ok(reply.status < 300, `${method} ${path} ${text}: ${reply.status} ${reply.text}`);
    return reply.json;
  }

  /** All orders of the cloud, whole. */
  async *orders() {
    for (let start = 1; ; ) {
      const page = await this.call('GET', `/orders?start=${start}`);
      yield* page;
      if (page.length === 0) return;
      start = page.at(-1).id + 1;
    }
  }
}

// --- a shop --------------------------------------------------------------------------------------

const FIRST_COMPANY = 70_001;
export const RICH = 10_000_000; // 100,000.00: no drill empties it
const POOR = [500, 2000, 6000];
const CARDS = { rich: 60, poor: 33, loaded: 20 };

/** A merchant with two sites of two registers each; some let their registers keep our reference, some do not. */
export class Shop {
  constructor(drill, index) {
    this.drill = drill;
    this.company = FIRST_COMPANY + index;
    this.keepsRef = index % 4 !== 3;
    this.registers = [];
    this.cards = { rich: [], poor: [], loaded: [], aside: [], own: [] };
    this.amounts = new Set();
  }

  async open() {
    const { counter, service, cloud } = this.drill;
    const post = (path, body) => counter.call('POST', path, body);
    const name = `Shop ${this.company}`;
    await post('/companies', { id: this.company, name, currency: 'AUD', timezone: 'Australia/Sydney' });
    for (const place of ['Front', 'Yard']) {
      const site = await post('/sites', { company_id: this.company, name: place });
      for (const till of ['A', 'B']) {
        const register = await post('/registers', { site_id: site.id, name: place + till, sale_prefix: till });
        this.registers.push({ id: register.id, site: site.id });
      }
    }
    this.cash = (await post('/payment_methods', { company_id: this.company, name: 'Cash' })).id;
    const ours = { company_id: this.company, name: 'Our Gift Card', client_id: cloud.clientId };
    this.ours = (await post('/payment_methods', ours)).id;
    this.product = (await post('/products', { company_id: this.company, name: 'Dish', price: 1, tax_rate: 0.1 })).id;
    this.tenant = await service.addTenant({ name, company: this.company, token: null });
    this.tenant.token = cloud.signatureToken; // the application's, for it has none of its own
    await this.tenant.set(
      ...['--replay-window', String(this.drill.windowS), '--payment-method', String(this.ours)],
      ...['--refund-max', '10000.00', '--refund-register-day-max', '1000000.00'],
    );
    await this.connect();
    await this.issue('rich', RICH, CARDS.rich);
    for (const amount of POOR) await this.issue('poor', amount, CARDS.poor);
    await this.issue('loaded', 100, CARDS.loaded);
  }

  async connect() {
    const { service, cloud } = this.drill;
    const { authorize_url } = await service.must(['oauth', 'start', '--tenant', String(this.tenant.id)]);
    const back = await cloud.consent(authorize_url, { company: this.company });
    const reply = await request(back.href, { method: 'GET' });
    assert.equal(reply.status, 200, reply.text);
  }

  async issue(kind, amount, count) {
    if (count === 0) return;
    const { cards } = await this.drill.service.must([
      ...['card', 'issue', '--tenant', String(this.tenant.id)],
      ...['--amount', money(amount), '--count', String(count)],
    ]);
    // expected: what the customer should have, if the ledger says what the registers show
    for (const { number } of cards) this.cards[kind].push({ number, expected: amount, shop: this });
  }

  /** An amount; where payments carry no reference, one that no other payment of the shop has. */
  amount(dice, low = 300, high = 6000) {
    for (;;) {
      const amount = dice.between(low, high);
      if (this.keepsRef || !this.amounts.has(amount)) {
        this.amounts.add(amount);
        return amount;
      }
      high += 100;
    }
  }
}

/** A service beside a cloud, and shops that are connected. */
export async function openShops(drill, { count, aside, env }) {
  const port = await freePort();
  drill.cloud = await startCloud(undefined, {
    seed: drill.seed,
    redirectUris: [`http://127.0.0.1:${port}/oauth/callback`],
  });
  drill.counter = new Counter(drill.cloud);
  await drill.cloud.settings({ rate_limit_bearer: 1_000_000, rate_limit_basic: 1_000_000 });
  drill.service = await Service.start({
    port,
    env: { ...drill.cloud.environment, COUNTERPART_LOG_LEVEL: 'warning', ...env },
  });
  drill.agent = new http.Agent({ keepAlive: true, maxSockets: 64, timeout: IDLE_MS });
  const { cloud, service } = drill;
  await service.must([
    ...['app', 'set', '--surface', 'oseries', '--client-id', cloud.clientId],
    ...['--client-secret', cloud.clientSecret, '--signature-token', cloud.signatureToken],
  ]);
  drill.shops = Array.from({ length: count }, (_, i) => new Shop(drill, i));
  for (const shop of drill.shops) await shop.open();
  await drill.shops[0].issue('aside', RICH, aside);
}

// --- a register ----------------------------------------------------------------------------------

const LOST = 0.2; // of all replies
const CUT = 0.25; // of those: even the request did not get through whole

/**
 * Sends an action and gives what the register has read: {success, amount, ref, error}, or undefined when the reply
 * was lost on the way. fate: 'answered' and 'lost' (after the whole request was sent) are certain; otherwise the dice
 * decide.
 */
export async function ask(drill, dice, order, action, fields, fate) {
  const till = order.shop.tenant.till({ site: order.register.site, register: order.register.id, agent: drill.agent });
  drill.count(`${action}s`);
  if (fate === 'answered' || (fate !== 'lost' && !dice.chance(LOST))) return read(await till.call(action, fields));
  drill.count(`${action} replies lost`);
  const bytes = rawRequest(`${order.shop.tenant.base}/${action}`, JSON.stringify(till.fields(action, fields)), {
    token: order.shop.tenant.token,
  });
  const isCut = fate !== 'lost' && dice.chance(CUT);
  await leave(drill.service.port, isCut ? bytes.subarray(0, dice.between(1, bytes.length - 1)) : bytes, {
    after: isCut ? 0 : dice.between(0, 12),
  });
  return undefined;
}

function read(reply) {
  const { json } = reply;
  assert.equal(typeof json?.success, 'boolean', `${reply.status} ${reply.text}`);
  return { success: json.success, amount: cents(json.amount ?? 0), ref: json.reference_id, error: json.error };
}

/** Sends bytes and is gone before anything is read. */
function leave(port, bytes, { after }) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.write(bytes, () => setTimeout(() => socket.destroy(), after));
    });
    socket.pause();
    socket.on('error', () => {
      /* it was cut off from the other side */
    });
    socket.once('close', resolve);
  });
}
