// The lost-reply drill: thousands of bills at registers that lose replies, beside a cloud that loses webhooks. What
// the registers have read they book, and nothing else. In the end every order is read, and the ledger must say what
// the registers show: in sum, card by card, and without an open item.
//
// Time is scaled: what takes a shop SCALE seconds takes the drill one. Retries come after 1 to 120 s of the shop's
// time, the replay window is its 90 s; how long reconciliation waits is scaled further (TIMES), for it only waits.
import path from 'node:path';
import assert from 'node:assert/strict';
import { Dice, RICH, ask, cents, money, openShops } from './drill_shop.mjs';
import { sleep } from './support.mjs';

export const SCALE = 45;
/** Seconds; the sweep's day and the reversal's 15 minutes are only waited for, so they are scaled further. */
const TIMES = {
  COUNTERPART_RECONCILE_SCAN_S: '1',
  COUNTERPART_RECONCILE_REREAD_S: '1',
  COUNTERPART_RECONCILE_REVERSE_AGE_S: '6',
  COUNTERPART_RECONCILE_SWEEP_S: '4',
};
const SHOPS = 8;
const BILLS_AT_ONCE = 240;
const WINDOW_S = 90 / SCALE;
const RETRY_S = [1, 120];
const RETRIED = 0.5; // of lost replies
const CHANGED = 0.15; // of retries: another amount
const HIDDEN_FOR_A_WHILE = 0.1; // of bills
const STUCK_MS = 40_000;
const SOON_MS = 45_000;
const CALM_MS = 2000; // nothing changes any more
const CARDS_OF_BILL = 2;
const SKEW_MS = 6500; // beyond what reconciliation takes for clocks that differ, in real time

// --- what happens to a bill ----------------------------------------------------------------------

class Order {
  constructor(drill, shop, register) {
    Object.assign(this, { drill, shop, register, ours: new Map() });
  }

  static async create(drill, shop, register, prices, more = {}) {
    const order = new Order(drill, shop, register);
    const sign = more.is_refund ? -1 : 1;
    const lines = prices.map((price) => ({
      product_id: shop.product,
      unit_price_inc_tax: money(price),
      quantity: sign,
    }));
    order.take(await drill.counter.call('POST', '/orders', { register_id: register.id, lines, ...more }));
    order.id = order.json.id;
    return order;
  }

  take(json) {
    this.json = json;
    this.due = cents(json.total) - cents(json.paid);
  }

  async call(path, body) {
    this.take(await this.drill.counter.call('POST', `/orders/${this.id}${path}`, body));
  }

  async book(card, amount, ref) {
    await this.call('/payments', {
      method_id: this.shop.ours,
      amount: money(amount),
      ...(this.shop.keepsRef ? { ref } : {}),
    });
    this.ours.set(this.json.payments.at(-1).id, { card, amount });
    card.expected -= amount;
  }

  /** The cashier tries again on another register of the shop. */
  async moveTo(register) {
    await this.call('/reopen', { register_id: register.id });
    this.register = register;
    this.drill.count('opened on another register');
  }

  addLine(price) {
    return this.call('/lines', { product_id: this.shop.product, unit_price_inc_tax: money(price) });
  }

  /** What is still due is paid in cash, or given back. */
  complete() {
    return this.call('/complete', {});
  }

  async split(lines, payments, register) {
    const made = new Order(this.drill, this.shop, register);
    made.take(
      await this.drill.counter.call('POST', `/orders/${this.id}/split`, { lines, payments, register_id: register.id }),
    );
    made.id = made.json.id;
    made.shareOf(this);
    this.take(await this.drill.counter.call('GET', `/orders/${this.id}`));
    return made;
  }

  shareOf(other) {
    for (const { id } of this.json.payments) {
      if (!other.ours.has(id)) continue;
      this.ours.set(id, other.ours.get(id));
      other.ours.delete(id);
    }
  }

  async mergeInto(other) {
    other.take(await this.drill.counter.call('POST', `/orders/${this.id}/merge`, { into: other.id }));
    other.shareOf(this);
  }

  /** Deleted, and what was paid is off the order. */
  async delete() {
    await this.call('/delete', { keep_payments: false });
    for (const { card, amount } of this.ours.values()) card.expected += amount;
    this.ours.clear();
  }
}

class Bill {
  constructor(drill, plan, dice) {
    Object.assign(this, { drill, dice, ...plan });
  }

  wait(low, high) {
    return sleep((this.dice.between(low * 1000, high * 1000) / SCALE) | 0);
  }

  otherRegister(than) {
    return this.dice.of(this.shop.registers.filter((register) => register !== than));
  }

  card(kind) {
    return this.dice.of(this.shop.cards[kind]);
  }

  /** Cards of the bill, all different: what each is asked for. */
  payers(count, kinds) {
    const cards = new Set();
    while (cards.size < count) {
      cards.add(this.card(this.dice.of(kinds)));
      // Two that are emptied by the same amount would be one, without a reference.
      if (!this.shop.keepsRef) kinds = ['rich'];
    }
    return [...cards].map((card) => ({ card, amount: this.shop.amount(this.dice) }));
  }

  async open(payers) {
    const prices = payers.map(({ amount }) => amount);
    if (this.dice.chance(0.5)) prices.push(this.dice.between(100, 900));
    const order = await Order.create(this.drill, this.shop, this.register, prices);
    if (this.dice.chance(HIDDEN_FOR_A_WHILE)) {
      await order.call('/hide', { for_ms: this.dice.between(50, 3000) });
      this.drill.count('hidden for a while');
    }
    return order;
  }

  /**
   * The cashier asks for a payment, tries again or does not, and books what the register has read. Gives the amount; 0
   * when there is none, which somebody else then pays.
   */
  async pay(order, { card, amount }, { retries = 3, fate } = {}) {
    for (let attempt = 0; ; attempt++) {
      const asked = { card: card.number, amount: money(amount), order: order.id };
      const answer = await ask(this.drill, this.dice, order, 'checkout', asked, fate);
      if (answer) return this.booked(order, card, amount, answer);
      if (attempt === retries || !this.dice.chance(RETRIED)) return 0;
      await this.wait(...RETRY_S);
      this.drill.count('checkouts tried again');
      if (this.kind === 'moved') await order.moveTo(this.otherRegister(order.register));
      if (this.dice.chance(CHANGED)) amount = await this.change(order, amount);
    }
  }

  async booked(order, card, amount, { success, amount: given, ref, error }) {
    if (!success) {
      this.drill.count('checkouts refused');
      assert.match(error, /./);
      return 0;
    }
    assert.ok(given > 0 && given <= amount, `asked for ${amount}, given ${given}`);
    if (given < amount) this.drill.count('approved in part');
    await order.book(card, given, ref);
    return given;
  }

  /** Another amount: something was added, or the customer pays the rest otherwise. */
  async change(order, amount) {
    this.drill.count('tried again with another amount');
    const other = this.shop.amount(this.dice, 300, amount + 500);
    if (other > order.due) await order.addLine(other - order.due);
    return other;
  }

  /** Each pays what it was to pay, or what is left of it; the latter is not done where amounts tell payments apart. */
  async payAll(order, payers, options) {
    for (const payer of payers) {
      const amount = this.shop.keepsRef ? Math.min(payer.amount, order.due) : payer.amount;
      if (amount > 0 && amount <= order.due) await this.pay(order, { ...payer, amount }, options);
    }
  }

  // --- the kinds of bills

  async plain() {
    const payers = this.payers(this.dice.between(1, 3), ['rich', 'poor']);
    const order = await this.open(payers);
    await this.payAll(order, payers);
    await this.wait(0, 20);
    await order.complete();
  }

  moved() {
    return this.plain();
  }

  /** Two sittings of one card: the second is no repetition of the first. */
  async again() {
    const [payer] = this.payers(1, ['rich']);
    const order = await this.open([payer, payer]);
    await this.pay(order, payer, { fate: 'answered' });
    await sleep(WINDOW_S * 1000 + 300);
    await this.payAll(order, [payer]);
    if (this.dice.chance(0.5)) await this.refund(order, payer.card, payer.amount);
    await order.complete();
  }

  /** Long after a lost reply the order is another one: the charge is made anew. */
  async late() {
    const [payer] = this.payers(1, ['rich']);
    const order = await this.open([payer]);
    if ((await this.pay(order, payer, { retries: 0 })) === 0) {
      await sleep(SKEW_MS);
      const other = await this.change(order, payer.amount);
      await this.payAll(order, [{ card: payer.card, amount: other }]);
    }
    await order.complete();
  }

  async split() {
    const payers = this.payers(this.dice.between(2, 4), ['rich']);
    const order = await this.open(payers);
    const [first, ...others] = payers;
    const early = others.splice(0, this.dice.between(1, others.length));
    const isLost = (await this.pay(order, first, { retries: 0 })) === 0;
    await this.payAll(order, early);
    const numbers = (list, share) => list.map((_, i) => i + 1).filter(() => this.dice.chance(share));
    const lines = numbers(order.json.lines.slice(1), 0.5);
    lines.push(order.json.lines.length);
    const made = await order.split(lines, numbers(order.json.payments, 0.5), this.dice.of(this.shop.registers));
    if (isLost) others.push(first);
    for (const payer of others) await this.payAll(this.dice.of([order, made]), [payer]);
    await this.wait(0, 40);
    await order.complete();
    await this.wait(0, 40);
    await made.complete();
  }

  async merged() {
    const payers = this.payers(this.dice.between(2, 4), ['rich']);
    const half = this.dice.between(1, payers.length - 1);
    const orders = [await this.open(payers.slice(0, half)), await this.open(payers.slice(half))];
    const [first] = payers;
    const isLost = (await this.pay(orders[0], first, { retries: 0 })) === 0;
    await this.payAll(orders[0], payers.slice(1, half));
    await this.payAll(orders[1], payers.slice(half, -1));
    await orders[0].mergeInto(orders[1]);
    await this.payAll(orders[1], [...payers.slice(-1), ...(isLost ? [first] : [])]);
    await this.wait(0, 60);
    await orders[1].complete();
  }

  async deleted() {
    const payers = this.payers(this.dice.between(1, 2), ['rich', 'poor']);
    const order = await this.open(payers);
    await this.payAll(order, payers);
    await this.wait(0, 20);
    await order.delete();
  }

  /**
   * Cards of its own: a refund whose order cannot be read in time answers the newest charges of the card, and where
   * one of another bill is lost, that is for people. Paid and complete, then given back by an order of its own,
   * or on the order itself.
   */
  async refunded() {
    const cards = this.cards.slice(0, this.dice.between(1, this.cards.length));
    const payers = cards.map((card) => ({ card, amount: this.shop.amount(this.dice) }));
    const order = await this.open(payers);
    await this.payAll(order, payers);
    const isSeparate = this.dice.chance(0.7);
    if (isSeparate) await order.complete();
    for (const { card, amount } of [...order.ours.values()]) {
      if (!this.dice.chance(0.8)) continue;
      const part = this.dice.chance(0.7) ? amount : Math.max(1, amount - this.dice.between(1, amount - 1));
      if (isSeparate) await this.refundApart(order, card, part);
      else await this.refund(order, card, part);
    }
    if (!isSeparate) await order.complete();
  }

  async refundApart(sale, card, amount) {
    const register = this.dice.of(this.shop.registers);
    const back = await Order.create(this.drill, this.shop, register, [amount], {
      is_refund: true,
      refunded_order_id: sale.id,
    });
    await this.refund(back, card, amount);
    await back.complete(); // in cash, what the card did not get
  }

  async refund(order, card, amount) {
    for (;;) {
      const asked = { card: card.number, amount: money(amount), order: order.id };
      const answer = await ask(this.drill, this.dice, order, 'refund', asked);
      if (answer?.success) return order.book(card, -answer.amount, answer.ref);
      if (answer) return this.drill.count('refunds refused');
      if (!this.dice.chance(RETRIED)) return this.drill.count('refunds given in cash instead');
      await this.wait(...RETRY_S);
      this.drill.count('refunds tried again');
    }
  }

  /** Complete, then opened again on another register for one more round. */
  async reopened() {
    const payers = this.payers(this.dice.between(1, 2), ['rich']);
    const order = await this.open(payers);
    await this.payAll(order, payers);
    await order.complete();
    await this.wait(0, 60);
    await order.moveTo(this.otherRegister(order.register));
    const [more] = this.payers(1, ['rich']);
    await order.addLine(more.amount);
    await this.payAll(order, [more]);
    await order.complete();
  }

  async loaded() {
    const order = await this.open([]);
    const card = this.card('loaded');
    const amount = this.dice.between(500, 5000);
    for (;;) {
      const asked = { card: card.number, amount: money(amount), order: order.id };
      const answer = await ask(this.drill, this.dice, order, 'top-up', asked);
      if (answer) {
        assert.ok(answer.success || /[Aa]lready loaded/.test(answer.error), answer.error);
        break;
      }
      await this.wait(...RETRY_S);
    }
    card.expected += amount;
    await order.complete();
  }

  /** Hidden for ever: nobody will know what became of its payment. */
  async hidden() {
    const card = this.shop.cards.aside.pop();
    const amount = this.shop.amount(this.dice);
    const order = await Order.create(this.drill, this.shop, this.register, [amount], { hidden: true });
    this.drill.hidden.add(order.id);
    if (this.dice.chance(0.5)) {
      await this.pay(order, { card, amount }, { fate: 'lost', retries: 0 });
      await this.wait(1, 30);
    }
    await this.pay(order, { card, amount }, { fate: 'answered' });
    await order.complete();
  }
}

// --- planning ------------------------------------------------------------------------------------

const KINDS = [
  ['plain', 44, 2],
  ['moved', 8, 2],
  ['again', 2, 2],
  ['late', 1, 1.5],
  ['split', 8, 3],
  ['merged', 8, 3],
  ['deleted', 8, 1.5],
  ['refunded', 12, 1.5],
  ['reopened', 6, 2.5],
  ['loaded', 3, 0],
];
/** Without our reference on a payment nobody can tell where it went, so there bills stay whole. */
const WANTS_REF = new Set(['split', 'merged']);
const WEIGHTS = KINDS.reduce((sum, [, weight]) => sum + weight, 0);

function chooseKind(dice) {
  let at = dice.next() * WEIGHTS;
  return KINDS.find(([, weight]) => (at -= weight) < 0) ?? KINDS[0];
}

/** Which bills there will be: fixed by the seed before anything runs. */
function makePlan(drill, checkouts, hidden) {
  const dice = new Dice(drill.seed);
  const plan = [];
  for (let sum = 0; sum < checkouts; ) {
    const shop = dice.of(drill.shops);
    const [kind, , expected] = chooseKind(dice);
    if (WANTS_REF.has(kind) && !shop.keepsRef) continue;
    plan.push({ kind, shop, register: dice.of(shop.registers) });
    sum += expected;
  }
  for (let i = 0; i < hidden; i++) {
    const shop = drill.shops[0];
    plan.splice(dice.between(0, plan.length), 0, { kind: 'hidden', shop, register: dice.of(shop.registers) });
  }
  return plan;
}

// --- the drill -----------------------------------------------------------------------------------

export class Drill {
  constructor(seed, say = () => {}) {
    Object.assign(this, { seed, say, windowS: WINDOW_S, counts: {}, hidden: new Set() });
  }

  count(what) {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  /** checkouts: about as many; hidden: so many orders that nobody can ever read. */
  async open({ checkouts, hidden = 0, env = {} }) {
    this.started = Date.now();
    await openShops(this, { count: SHOPS, aside: hidden, env: { ...TIMES, ...env } });
    this.plan = makePlan(this, checkouts, hidden);
    await this.giveCards();
  }

  /** Those of refunded bills have cards that nobody else has. */
  async giveCards() {
    for (const shop of this.shops) {
      const bills = this.plan.filter((plan) => plan.shop === shop && plan.kind === 'refunded');
      await shop.issue('own', RICH, bills.length * CARDS_OF_BILL);
      bills.forEach((bill, i) => {
        bill.cards = shop.cards.own.slice(i * CARDS_OF_BILL, (i + 1) * CARDS_OF_BILL);
      });
    }
  }

  async trade() {
    await this.cloud.settings({ webhooks: { drop: 10, duplicate: 20, reorder: 20, retries: 1 } });
    await this.cloud.faults(
      ...[
        { action: 'status', status: 503, probability: 0.01 },
        { action: 'drop_before', probability: 0.01 },
        { action: 'truncate', probability: 0.005 },
        { action: 'hang', ms: 300, probability: 0.005 },
      ].map((rule) => ({ match: { method: 'GET', path: '/orders' }, ...rule })),
    );
    let next = 0;
    const clerk = async () => {
      while (next < this.plan.length) {
        const index = next++;
        const { kind } = this.plan[index];
        const bill = new Bill(this, this.plan[index], new Dice(this.seed * 1_000_003 + index));
        this.count(`bills ${kind}`);
        await bill[kind]();
        if (index % 1000 === 999) this.say(`${index + 1} of ${this.plan.length} bills begun, ${this.seconds} s`);
      }
    };
    await Promise.all(Array.from({ length: BILLS_AT_ONCE }, clerk));
    await this.cloud.control('DELETE', '/faults');
    this.say(`all bills have ended, ${this.seconds} s`);
  }

  get seconds() {
    return ((Date.now() - this.started) / 1000).toFixed(1);
  }

  // --- what the two sides say

  /** Payments of ours that the cloud's orders show, by company. */
  async registerTotals() {
    const methods = new Map(this.shops.map((shop) => [shop.ours, shop]));
    const totals = new Map(this.shops.map((shop) => [shop, 0]));
    for await (const order of this.counter.orders())
      for (const { method, amount } of order.payments) {
        const shop = methods.get(method.id);
        if (shop) totals.set(shop, totals.get(shop) + cents(amount));
      }
    return totals;
  }

  sql(query) {
    return this.service.sql(query);
  }

  /** Charges and recharges less refunds and reversals, by shop, from the rows. */
  async ledgerTotals() {
    const rows = await this.sql(
      `SELECT tenant_id, sum(CASE WHEN action IN (2, 9) THEN amount_minor WHEN action IN (4, 8) THEN -amount_minor
       ELSE 0 END) AS total FROM operation WHERE result = 0 GROUP BY tenant_id`,
    );
    const byTenant = new Map(rows.map(({ tenant_id: id, total }) => [id, total]));
    return new Map(this.shops.map((shop) => [shop, byTenant.get(shop.tenant.id) ?? 0]));
  }

  /** What `counterpart reconcile` says of every shop; it exits with 1 while anything is open. */
  async reports() {
    const { code, json, stdout, stderr } = await this.service.cli(['reconcile', '--json']);
    assert.ok((code === 0 || code === 1) && json?.tenants, `reconcile: exit ${code}\n${stdout}${stderr}`);
    return this.shops.map((shop) => json.tenants.find(({ tenant }) => tenant === shop.tenant.id));
  }

  /** Operations that the ledger has and that somebody must have judged. */
  async provable() {
    const [{ n }] = await this.sql(
      'SELECT count(*) AS n FROM operation WHERE result = 0 AND action IN (2, 3, 4, 6)',
    );
    return n;
  }

  /** Every shop has been swept by a walk that began after this time: one that was under way may have missed orders. */
  async sweptSince(us) {
    const [{ n }] = await this.sql(`SELECT count(*) AS n FROM sweep WHERE begun_at_us > ${us}`);
    return n === this.shops.length;
  }

  /** Looks at orders that are still to be made, or made again soon; those at what is hidden for ever have no end. */
  async unread() {
    const soon = (Date.now() + SOON_MS) * 1000;
    const [{ n }] = await this.sql(
      `SELECT count(*) AS n FROM work WHERE state = 1 AND kind IN (1, 4) AND due_at_us < ${soon}
       AND subject_id NOT IN (${[0, ...this.hidden].join(',')})`,
    );
    return n;
  }

  /**
   * Time passes until every operation was judged, a sweep has begun after the last bill has ended, and no more is
   * open than must be; or until nothing has changed for STUCK_MS. Gives the last reports.
   */
  async settle() {
    const ended = Date.now();
    let before = '',
      since = Date.now();
    for (let turn = 0; ; turn++) {
      const reports = await this.reports();
      const sum = (name) => reports.reduce((total, report) => total + report[name], 0);
      const open = sum('open') + sum('listed') + sum('changed') + sum('unclaimed_payments');
      const isJudged = sum('operations') === (await this.provable());
      const isSwept = await this.sweptSince(ended * 1000);
      const unread = await this.unread();
      const now = JSON.stringify([open, unread, sum('confirmed'), sum('reversed')]);
      if (turn % 5 === 0)
        this.say(
          `${open} open, ${sum('confirmed')} confirmed, ${sum('reversed')} reversed, ` +
            `${unread} orders to be read, ${this.seconds} s`,
        );
      if (now !== before) since = Date.now();
      before = now;
      const isOver = isJudged && isSwept && unread === 0 && open === this.hidden.size;
      if (isOver && Date.now() - since > CALM_MS) return reports;
      if (Date.now() - since > STUCK_MS) return reports;
      await sleep(500);
    }
  }

  /** Cards that do not hold what their customers should have: [{number, expected, balance}]. */
  async wrongCards() {
    const wrong = [];
    for (const shop of this.shops) {
      const till = shop.tenant.till({ agent: this.agent });
      const { rich, poor, loaded, own } = shop.cards;
      const all = [...rich, ...poor, ...loaded, ...own];
      for (let i = 0; i < all.length; i += 32)
        await Promise.all(
          all.slice(i, i + 32).map(async ({ number, expected }) => {
            const { json, text } = await till.checkBalance({ card: number });
            assert.equal(json.success, true, text);
            if (cents(json.balance) !== expected)
              wrong.push({ tenant: shop.tenant.id, number, expected, balance: cents(json.balance) });
          }),
        );
    }
    return wrong;
  }

  /** Orders whose payments of ours reconciliation knows otherwise than the cloud does. */
  async misread() {
    const known = new Map();
    const rows = await this.sql('SELECT order_id, sum(amount_minor) AS sum FROM register_payment GROUP BY 1');
    for (const { order_id: id, sum } of rows) known.set(id, sum);
    const methods = new Map(this.shops.map((shop) => [shop.ours, shop]));
    const orders = [];
    for await (const order of this.counter.orders()) {
      const ours = order.payments.filter(({ method }) => methods.has(method.id));
      const shown = ours.reduce((sum, { amount }) => sum + cents(amount), 0);
      if (shown === (known.get(order.id) ?? 0) || this.hidden.has(order.id)) continue;
      const tenant = methods.get(ours[0]?.method.id)?.tenant.id;
      orders.push({ tenant, order_id: order.id, state: 'misread', reason: `known: ${known.get(order.id)}` });
    }
    return orders;
  }

  /** All that is known of an item that should not be there: for whoever reads a failed run. */
  async story(item) {
    const order = await this.cloud.control('GET', `/orders/${item.order_id}`);
    const payments = order.payments.map(({ amount, ref, method }) => `${amount} ${method.name} ${ref ?? '-'}`);
    const rows = await this.sql(
      `SELECT o.id, o.card_id AS card, o.order_id AS "order", o.action, o.result, o.answers_operation_id AS answers,
       o.amount_minor AS amount, o.given_back_minor AS back, p.state, p.reason, p.shown_order_id AS shown
       FROM operation o LEFT JOIN proof p ON p.operation_id = o.id
       WHERE o.order_id <> 0 AND o.card_id IN (SELECT card_id FROM operation WHERE order_id = ${Number(item.order_id)})
       ORDER BY o.card_id, o.id LIMIT 60`,
    );
    const id = Number(item.order_id);
    rows.push(
      ...(await this.sql(
        `SELECT kind, state, attempts, reason, created_at_us, due_at_us, ended_at_us
         FROM work WHERE subject_id = ${id}`,
      )),
      ...(await this.sql(`SELECT is_closed, updated_at, read_at_us FROM order_seen WHERE order_id = ${id}`)),
      { created_at: order.created_at, updated_at: order.updated_at, now_us: Date.now() * 1000 },
    );
    const head = `${item.state} ${item.reason} ${item.amount}, operation ${item.operation_id}, tenant ${item.tenant}`;
    const state = order.deleted ? 'deleted' : order.status;
    const sale = `order ${order.id} ${state} ${order.total}: ${payments.join(', ')}`;
    return [head, sale, ...rows.map((row) => JSON.stringify(row))].join('\n  ');
  }

  /** Lets go of what would keep the test process. */
  leave() {
    this.counter?.agent.destroy();
    this.agent?.destroy();
  }

  async close() {
    this.leave();
    await this.service?.stop();
    await this.cloud?.stop();
  }
}
