// Payments onto orders that are not ours, with the real service and the fake cloud: without an approval nothing is
// sent; with one, the limits hold however many ask at once; and whatever the API says of a payment is kept.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Loyalty, connect, isNotRedeemed, isRedeemed, startPair } from './loyal.mjs';
import {
  IS_SOAK,
  areIdentical,
  isApproved,
  isRefused,
  sleep,
  temporaryDirectory,
  until,
} from './support.mjs';

const AT_ONCE = 50;
const SETTLE_MS = 90_000; // a charge's payment that may be on its way is waited for a minute

let service, cloud;
let shop; // one merchant goes through the states

before(async () => {
  ({ service, cloud } = await startPair());
  shop = await newShop();
});
after(async () => {
  await service.verifyIsClean();
  await service.stop();
  await cloud.stop();
});

/** Has Lightspeed's partnerships team switched the flag on? */
const flag = (isOn) => cloud.settings({ may_pay_foreign_orders: { [cloud.clientId]: isOn } });

/** An approval without limits and end has to say so. */
const OPEN_TERMS = [
  ['--reference', 'LS-1'],
  ['--actor', 'ops@example.com'],
  ['--payment-max', '0'],
  ['--day-max', '0'],
  ['--expires', 'never'],
];

class Shop extends Loyalty {
  orders(verb, ...flags) {
    return this.service.cli(['foreign-orders', verb, '--tenant', String(this.tenant.id), ...flags]);
  }

  async record(state, ...flags) {
    const { code, json, stdout, stderr } = await this.orders('record', '--state', state, ...flags);
    assert.equal(code, 0, stdout + stderr);
    return json;
  }

  async report(...flags) {
    const { code, json, stdout, stderr } = await this.orders('report', ...flags);
    assert.equal(code, 0, stdout + stderr);
    return json;
  }

  async approve(...flags) {
    assert.equal((await this.orders('request')).code, 0);
    return this.record('approved', ...OPEN_TERMS.filter(([flag]) => !flags.includes(flag)).flat(), ...flags);
  }

  /** An order at Lightspeed, made by a register. */
  async order() {
    return (await this.cloud.order({ site_id: this.site, lines: [{ product_id: this.product }] })).id;
  }

  lookup(member, more = {}, options) {
    return super.lookup(member, { site_id: this.site, ...more }, options);
  }

  async paid(order) {
    const { payments } = await this.cloud.control('GET', `/orders/${order}`);
    return payments.map(({ amount, ref }) => ({ amount, ref }));
  }

  async settled() {
    return until(
      'every attempt to have ended',
      async () => {
        const report = await this.report();
        return report.totals.open === 0 && report;
      },
      SETTLE_MS,
    );
  }
}

/** A merchant with a company, a site and a product of its own, whose payments are ours to add. */
async function newShop() {
  const make = async (what, body) => (await cloud.control('POST', `/${what}`, body)).id;
  const company = await make('companies', { name: 'Test Coffee', currency: 'AUD', timezone: 'Australia/Sydney' });
  const tenant = await service.addTenant({ company });
  const shop = new Shop(service, cloud, tenant);
  shop.site = await make('sites', { company_id: company, name: 'Kiosk' });
  await make('registers', { site_id: shop.site, name: 'Till' });
  await make('payment_methods', { company_id: company, name: 'Our Gift Card', client_id: cloud.clientId });
  shop.product = await make('products', { company_id: company, name: 'Beans', price: 45.6 });
  await connect(service, cloud, tenant);
  await tenant.set('--payment-booked-by', 'counterpart');
  shop.card = (await tenant.issue({ amount: '5000.00' })).number;
  shop.member = await shop.addMember({ points: 1_000_000 });
  shop.reward = await shop.addReward({ title: 'Ten paid', effect: 'pay:10.00' });
  return shop;
}

/** The two effects alike: pay 10.00 onto an order, and say whether it went well. */
const EFFECTS = {
  gift_card: {
    async pay(shop, order) {
      return shop.tenant.till({ site: shop.site }).checkout({ card: shop.card, amount: '10.00', order });
    },
    isPaid: (reply) => isApproved(reply, { amount: '10.00' }),
    isRefused: (reply, sentence) => isRefused(reply, sentence),
    sentences: {
      not_approved: /Lightspeed has not approved it/,
      over_payment_max: /At most \$9\.99 can be paid by gift card at once/,
      over_day_max: /Only \$5\.00 more can be paid by gift card today/,
    },
  },
  points: {
    pay: (shop, order) => shop.redeem(shop.member, shop.reward, order),
    isPaid: isRedeemed,
    isRefused: isNotRedeemed,
    sentences: {
      not_approved: /Lightspeed has not approved it/,
      over_payment_max: /more than Lightspeed has approved at once/,
      over_day_max: /more than Lightspeed has approved for today/,
    },
  },
};

/** What became of the newest attempt. */
const newest = async (shop) => (await shop.report()).list[0];

const BY = ['--actor', 'A'];
const FIRST = [
  ...['record', '--state', 'approved', '--payment-max', '9.99', '--day-max', '0', '--expires', 'never'],
  ...['--reference', 'LS-9', '--actor', 'B'],
];
const STATES = [
  { move: undefined, state: 'not_requested', verdict: 'not_approved' },
  { move: ['request', '--note', 'as in the letter'], state: 'requested', verdict: 'not_approved' },
  { move: ['record', '--state', 'under_review'], state: 'under_review', verdict: 'not_approved' },
  { move: FIRST, state: 'approved', verdict: 'over_payment_max' },
  { move: ['record', '--state', 'approved', ...BY, '--payment-max', '10'], state: 'approved', verdict: 'allowed' },
  { move: ['record', '--state', 'approved', ...BY, '--day-max', '25.00'], state: 'approved', verdict: 'over_day_max' },
  { move: ['record', '--state', 'approved', ...BY, '--day-max', '0'], state: 'approved', verdict: 'allowed' },
  { move: ['record', '--state', 'revoked'], state: 'revoked', verdict: 'not_approved' },
  { move: ['request'], state: 'requested', verdict: 'not_approved' },
  { move: ['record', '--state', 'refused'], state: 'refused', verdict: 'not_approved' },
];

for (const { move, state, verdict } of STATES)
  test(`${move ? move.slice(0, 6).join(' ') : 'nothing asked for'}: ${verdict} for both effects`, async () => {
    await flag(true);
    if (move) assert.equal((await shop.orders(...move)).code, 0);
    assert.equal((await shop.report()).approval.state, state);
    const { tenants } = await service.must(['tenant', 'list']);
    assert.equal(tenants.find(({ id }) => id === shop.tenant.id).foreign_orders.state, state);
    for (const [name, effect] of Object.entries(EFFECTS)) {
      const order = await shop.order();
      const reply = await effect.pay(shop, order);
      const attempt = await newest(shop);
      assert.equal(attempt.effect, name);
      assert.equal(attempt.order_id, order);
      assert.equal(attempt.amount, '10.00');
      assert.equal(attempt.verdict, verdict);
      if (verdict !== 'allowed') {
        effect.isRefused(reply, effect.sentences[verdict]);
        assert.equal(attempt.outcome, 'refused_by_us');
        assert.deepEqual(await shop.paid(order), [], 'no call was made');
        continue;
      }
      effect.isPaid(reply);
      const report = await shop.settled();
      assert.equal(report.list[0].outcome, 'paid');
      assert.deepEqual(
        (await shop.paid(order)).map(({ amount }) => amount),
        [10],
      );
    }
  });

test('an approval says who has approved what, and nothing is unlimited by omission', async () => {
  const merchant = await newShop();
  assert.equal((await merchant.orders('request')).code, 0);
  for (const left of OPEN_TERMS) {
    const flags = OPEN_TERMS.filter((term) => term !== left).flat();
    const { code, json } = await merchant.orders('record', '--state', 'approved', ...flags);
    assert.notEqual(code, 0, left[0]);
    assert.equal(json.code, 'missing_terms');
    assert.ok(json.error.includes(`needs '${left[0].slice(2).replace('-', '_')}'`), json.error);
  }
  assert.equal((await merchant.report()).approval.state, 'requested');
  await merchant.record('approved', ...OPEN_TERMS.flat());
});

test('the reference of an approval that stands stays like its limits, until another one is given', async () => {
  const merchant = await newShop();
  await merchant.approve('--reference', 'LS-4711', '--day-max', '30.00', '--expires', '2099-12-31');
  const nobody = await merchant.orders('record', '--state', 'approved', '--day-max', '100');
  assert.match(nobody.json.error, /needs 'actor'/);
  const changed = await merchant.record('approved', '--actor', 'A', '--day-max', '100.00');
  assert.equal(changed.reference, 'LS-4711');
  let report = await merchant.report();
  const { approval } = report;
  assert.deepEqual([report.reference, approval.day_max, approval.expires], ['LS-4711', '100.00', '2099-12-31']);
  await merchant.record('approved', '--actor', 'A', '--reference', 'LS-4712');
  report = await merchant.report();
  assert.deepEqual([report.reference, report.approval.day_max], ['LS-4712', '100.00']);
  assert.deepEqual(report.history.map(({ reference }) => reference), ['', 'LS-4711', 'LS-4711', 'LS-4712']);
});

test('states move along their table only, and their history cannot be lost', async () => {
  const moves = [
    [['record', '--state', 'approved'], /'refused', and can become requested next, not 'approved'/],
    [['record', '--state', 'revoked'], /can become requested/],
    [['record', '--state', 'requested'], /must be under_review, approved, refused or revoked/],
    [['record', '--state', 'refused', '--day-max', '5'], /belong to an approval only/],
    [['record', '--state', 'approved', '--expires', '2020-01-01'], /over already/],
    [['record', '--state', 'approved', '--payment-max', '-1'], /must be an amount/],
    [['record', '--state', 'approved', '--reference', 'x'.repeat(201)], /1 to 200 characters/],
  ];
  for (const [move, sentence] of moves) {
    const { code, json } = await shop.orders(...move);
    assert.notEqual(code, 0);
    assert.match(json.error, sentence);
  }
  const { history } = await shop.report();
  assert.deepEqual(
    history.map(({ from, to }) => `${from} -> ${to}`),
    [
      'not_requested -> requested',
      'requested -> under_review',
      'under_review -> approved',
      'approved -> approved',
      'approved -> approved',
      'approved -> approved',
      'approved -> revoked',
      'revoked -> requested',
      'requested -> refused',
    ],
  );
  assert.equal(history[0].note, 'as in the letter');
  assert.equal(history[4].approval.payment_max, '10.00', 'a limit that was not given stays');
  assert.equal(history[4].approval.day_max, '25.00');
  assert.equal(history[5].approval.day_max, null);
});

/** What was charged for nothing is on the card again. */
const isWhole = (merchant) =>
  until('the money to be back', async () => (await merchant.tenant.show(merchant.card)).balance === '5000.00');

const paymentCalls = async () =>
  (await cloud.control('GET', '/requests')).filter(({ method, path }) => method === 'POST' && /payments/.test(path))
    .length;

const ANSWERS = [
  { name: 'forbidden', rule: undefined, isFlagOn: false, outcome: 'refused_by_api', status: 403 },
  { name: 'unprocessable', rule: ['status', { status: 422 }], outcome: 'refused_by_api', status: 422 },
  { name: 'a failure after it was done', rule: ['status', { status: 502, when: 'after' }], outcome: 'paid', soak: true },
  { name: 'no reply after it was done', rule: ['drop_after'], outcome: 'paid', soak: true },
];

for (const { name, rule, isFlagOn = true, outcome, status, soak } of ANSWERS)
  test(`the API answers ${name}: ${outcome} for both effects`, async () => {
    const merchant = await newShop();
    await merchant.approve('--day-max', '10.00', '--reference', 'LS-4711');
    await flag(isFlagOn);
    for (const [which, effect] of Object.entries(EFFECTS)) {
      if (soak && which === 'gift_card' && !IS_SOAK) continue; // that takes a minute
      if (rule)
        await cloud.faults({ match: { method: 'POST', path: '/payments' }, action: rule[0], count: 1, ...rule[1] });
      const order = await merchant.order();
      const reply = await effect.pay(merchant, order);
      const { list, totals } = await merchant.settled();
      assert.equal(list[0].outcome, outcome);
      if (status) assert.equal(list[0].api_status, status);
      if (outcome === 'paid') {
        effect.isPaid(reply);
        assert.equal((await merchant.paid(order)).length, 1);
        break; // the day is full
      }
      assert.deepEqual(await merchant.paid(order), []);
      assert.equal(totals.paid, 0, 'what is refused does not use up the day');
      if (which === 'gift_card') await isWhole(merchant);
      if (status === 403) await merchant.record('approved', ...BY); // or the next one would not be sent
      if (which === 'points') {
        isNotRedeemed(reply, /Nothing was redeemed/);
        assert.equal((await merchant.points(merchant.member)).points, 1_000_000);
      }
    }
    await cloud.control('DELETE', '/faults');
  });

test('who sets payment_booked_by counterpart without an approval is told what follows', async () => {
  const merchant = await newShop();
  const set = (...flags) => service.must(['tenant', 'set', '--tenant', String(merchant.tenant.id), ...flags]);
  const refused = /no approval of Lightspeed's is recorded: every checkout is refused/;
  assert.match((await set('--name', 'Early')).warning, refused);
  assert.equal((await set('--payment-booked-by', 'register')).warning, undefined);
  assert.match((await set('--payment-booked-by', 'counterpart')).warning, /foreign-orders request, then record/);
  await merchant.approve();
  assert.equal((await set('--name', 'Late')).warning, undefined);
});

test('an approval that the API does not know is suspended until it is recorded again', async () => {
  const merchant = await newShop();
  await merchant.approve('--reference', 'LS-4711');
  await flag(false);
  isNotRedeemed(await EFFECTS.points.pay(merchant, await merchant.order()), /does not let points pay here/);
  let report = await merchant.report();
  assert.equal(report.approval.state, 'approved', 'what was recorded stays');
  assert.equal(report.reference, 'LS-4711');
  assert.equal(report.is_suspended, true);
  assert.equal(report.refused_by_api.api_status, 403);
  assert.match(report.refused_by_api.api_answer, /may not add payments to orders it did not create/);
  const calls = await paymentCalls();
  for (const effect of Object.values(EFFECTS)) {
    effect.isRefused(await effect.pay(merchant, await merchant.order()), /Lightspeed has refused it/);
    assert.equal((await newest(merchant)).verdict, 'suspended');
  }
  assert.equal(await paymentCalls(), calls, 'Lightspeed is not asked again');
  const { stdout } = await merchant.orders('report', '--html', '-');
  assert.match(stdout, /No payment is sent any more until the\s+approval is recorded again/);
  await flag(true);
  await merchant.record('approved', ...BY);
  isRedeemed(await EFFECTS.points.pay(merchant, await merchant.order()));
  report = await merchant.report();
  assert.deepEqual([report.refused_by_api, report.is_suspended], [null, false]);
});

test('a charge whose payment is forbidden goes back at once, staff are told, and the next one is refused', async () => {
  const merchant = await newShop();
  await merchant.approve();
  await flag(false);
  const order = await merchant.order();
  isApproved(await EFFECTS.gift_card.pay(merchant, order));
  await isWhole(merchant);
  await merchant.settled();
  EFFECTS.gift_card.isRefused(await EFFECTS.gift_card.pay(merchant, order), /Lightspeed has refused it/);
  const [notice] = await until('the screen to tell it', async () => {
    const notices = await cloud.control('GET', `/orders/${order}/notifications`);
    return notices.length > 0 && notices;
  });
  assert.match(notice.message, /\$10\.00 given back/);
  await until('its proof to end reversed', async () => {
    const { tenants } = await service.must(['reconcile', '--tenant', String(merchant.tenant.id)]).catch(() => ({}));
    return tenants?.[0].reversed > 0;
  });
  await flag(true);
});

test('points whose payment nothing can tell from another one stay held until people say what it was', async () => {
  const merchant = await newShop();
  const id = String(merchant.tenant.id);
  await merchant.approve();
  await flag(true);
  const settle = (reservation, as, tenant = id) =>
    service.cli([
      ...['points', 'settle', '--tenant', tenant, '--reservation', String(reservation)],
      ...['--as', as, '--reason', 'seen'],
    ]);
  const ways = [
    ['unpaid', 1_000_000, 'not_made'],
    ['paid', 999_900, 'paid'],
  ];
  for (const [as, points, outcome] of ways) {
    const order = await merchant.order();
    await cloud.faults({ match: { method: 'POST', path: '/payments' }, action: 'drop_before', count: 1 });
    isNotRedeemed(await EFFECTS.points.pay(merchant, order), /Not confirmed yet/);
    await cloud.control('POST', `/orders/${order}/payments`, { method: 'Our Gift Card', amount: 10 });
    await sleep(3_000); // three times what two reads are apart
    const { reservations, held } = await until('it to be known as unsure', async () => {
      const shown = await merchant.points(merchant.member);
      return (shown.reservations[0]?.is_unsure || shown.held === 0) && shown;
    });
    assert.equal(held, 100, 'nobody guesses');
    const { reservation_id: reservation } = reservations[0];
    assert.match((await settle(reservation, 'perhaps')).stdout, /must be paid or unpaid/);
    assert.match((await settle(reservation, as, String(shop.tenant.id))).stdout, /no such reservation at this tenant/);
    assert.equal((await settle(reservation, as)).code, 0);
    assert.match((await settle(reservation, as)).stdout, /Only points that were to pay/);
    const after = await merchant.points(merchant.member);
    assert.deepEqual([after.points, after.held], [points, 0]);
    assert.equal((await newest(merchant)).outcome, outcome);
  }
});

test('work that was given up is judged anew when it is retried', async () => {
  const merchant = await newShop();
  await merchant.approve('--day-max', '10.00');
  await flag(true);
  const order = await merchant.order();
  await cloud.faults({ match: { method: 'GET', path: `/orders/${order}` }, action: 'status', count: 1, status: 503 });
  isApproved(await EFFECTS.gift_card.pay(merchant, order));
  await merchant.record('revoked'); // before the order could be read
  await merchant.settled();
  const work = await until('the work to be given up', async () => {
    const { work: all } = await service.must(['work', 'list', '--tenant', String(merchant.tenant.id)]);
    return all.find(({ kind, state }) => kind === 'post_payment' && state === 'given_up');
  });
  assert.match(work.reason, /not sent, for want of Lightspeed's approval: not_approved/);
  const retry = () =>
    service.must(['work', 'retry', '--tenant', String(merchant.tenant.id), '--work', String(work.work_id)]);
  const attempts = async (count) =>
    until(`attempt ${count}`, async () => {
      const report = await merchant.report();
      return report.totals.attempts === count && report.totals.open === 0 && report;
    });
  await retry();
  assert.equal((await attempts(2)).list[0].verdict, 'not_approved');
  assert.deepEqual(await merchant.paid(order), []);
  await merchant.approve('--day-max', '10.00');
  await retry();
  assert.equal((await attempts(3)).list[0].outcome, 'paid');
  assert.equal((await merchant.paid(order)).length, 1);
});

test('a replay needs no approval, and is no attempt', async () => {
  const merchant = await newShop();
  await merchant.approve();
  await flag(true);
  const order = await merchant.order();
  const link = await merchant.redeemUrl(merchant.member, merchant.reward);
  const first = await EFFECTS.gift_card.pay(merchant, order);
  isRedeemed(await merchant.tap(link, order));
  await merchant.settled();
  await merchant.record('revoked');
  areIdentical(await EFFECTS.gift_card.pay(merchant, order), first);
  isRedeemed(await merchant.tap(link, order));
  assert.equal((await merchant.report()).totals.attempts, 2);
  assert.equal((await merchant.paid(order)).length, 2);
});

test('what the page says of an approval that is gone is true for its rows', async () => {
  const merchant = await newShop();
  const page = async () => (await merchant.orders('report', '--html', '-')).stdout.replace(/\s+/g, ' ');
  await flag(true);
  EFFECTS.gift_card.isRefused(
    await EFFECTS.gift_card.pay(merchant, await merchant.order()),
    EFFECTS.gift_card.sentences.not_approved,
  );
  assert.match(await page(), /Each one that was wanted is listed below, and was stopped here\./);
  await merchant.approve();
  isApproved(await EFFECTS.gift_card.pay(merchant, await merchant.order()));
  await merchant.settled();
  await flag(false);
  isApproved(await EFFECTS.gift_card.pay(merchant, await merchant.order()));
  await merchant.settled();
  await merchant.record('revoked');
  const text = await page();
  assert.doesNotMatch(text, /and was stopped here\./);
  assert.match(text, /From now on no payment is sent/);
  assert.match(text, /Under the earlier approval 1 payment was made, 1 was refused by Lightspeed&#39;s API; each other/);
  const earlier = await merchant.orders('report', '--until', '2020-01-01', '--html', '-');
  assert.doesNotMatch(earlier.stdout, /earlier approval|listed below/, 'none in that time');
});

test('a reward pays what is due, and nothing of more than that', async () => {
  const merchant = await newShop();
  await merchant.approve();
  await flag(true);
  const order = await merchant.order();
  const { total } = await cloud.control('GET', `/orders/${order}`);
  const much = await merchant.addReward({ title: 'Too much', effect: `pay:${(total + 0.01).toFixed(2)}` });
  isNotRedeemed(await merchant.redeem(merchant.member, much, order), /Less is left to pay/);
  assert.equal((await newest(merchant)).outcome, 'not_made');
  const all = await merchant.addReward({ title: 'All of it', effect: `pay:${total.toFixed(2)}` });
  isRedeemed(await merchant.redeem(merchant.member, all, order));
  const [{ amount, ref }] = await merchant.paid(order);
  assert.equal(amount, total);
  assert.match(ref, /^CP-R\d+-[0-9a-f]{8}$/);
});

test(`${AT_ONCE} at once near the day's limit: exactly as many as it has room for`, async () => {
  const merchant = await newShop();
  await merchant.approve('--day-max', '205.00');
  await flag(true);
  const members = await Promise.all(
    Array.from({ length: AT_ONCE / 2 }, (_, i) => merchant.addMember({ last: `Racer${i}`, points: 100 })),
  );
  const orders = await Promise.all(Array.from({ length: AT_ONCE }, () => merchant.order()));
  const links = await Promise.all(members.map((member) => merchant.redeemUrl(member, merchant.reward)));
  const replies = await Promise.all(
    orders.map((order, i) =>
      i % 2 === 0 ? EFFECTS.gift_card.pay(merchant, order) : merchant.tap(links[(i - 1) / 2], order),
    ),
  );
  assert.equal(replies.filter(({ json }) => json.success).length, 20);
  const { totals, days } = await merchant.settled();
  assert.equal(totals.attempts, AT_ONCE);
  assert.equal(totals.paid_amount, '200.00');
  assert.equal(totals.refused_by_us, AT_ONCE - 20);
  assert.equal(days.length, 1);
  const paid = (await Promise.all(orders.map((order) => merchant.paid(order)))).flat();
  assert.equal(paid.length, 20);
});

test('kill -9 in the middle: nothing is sent twice, nothing is forgotten, the limit holds', async () => {
  const merchant = await newShop();
  await merchant.approve('--day-max', '100.00');
  await flag(true);
  await cloud.faults({ match: { method: 'POST', path: '/payments' }, action: 'hang', ms: 150, when: 'after' });
  const orders = await Promise.all(Array.from({ length: 24 }, () => merchant.order()));
  const links = await Promise.all(orders.map(() => merchant.redeemUrl(merchant.member, merchant.reward)));
  const pay = (i) =>
    i % 4 === 0 ? EFFECTS.gift_card.pay(merchant, orders[i]) : merchant.tap(links[i], orders[i]);
  const underWay = orders.map((_, i) => pay(i).catch(() => undefined));
  await sleep(120);
  await service.kill();
  const before = await Promise.all(underWay);
  assert.ok(before.includes(undefined), 'the kill came in the middle');
  await cloud.control('DELETE', '/faults');
  await service.restart();
  await service.verifyIsClean();
  for (const [i, reply] of before.entries())
    if (reply?.json?.success) assert.ok((await pay(i)).json.success, 'what was told is told again');
  const isPoints = (attempt) => attempt.effect === 'points';
  const report = await until('what the kill left to be settled', async () => {
    const now = await merchant.report();
    const isOver = IS_SOAK ? now.totals.open === 0 : !now.list.some((each) => isPoints(each) && each.outcome === 'open');
    return isOver && now;
  }, SETTLE_MS);
  await service.verifyIsClean();
  assert.ok(Number(report.totals.paid_amount) <= 100);
  for (const order of orders) {
    const paid = await merchant.paid(order);
    const attempts = report.list.filter((each) => each.order_id === order && each.verdict === 'allowed');
    assert.ok(paid.length <= 1, 'never twice');
    const counted = attempts.filter(({ outcome }) => outcome === 'paid' || outcome === 'open').length;
    assert.ok(counted >= paid.length, 'each payment is of an attempt that counts');
  }
  assert.equal((await merchant.points(merchant.member)).held, 0);
});

test('the page stands alone, says what it is about, and cannot be broken into', async () => {
  const hostile = '<script>alert(1)</script>"\'&';
  const merchant = await newShop();
  const file = path.join(temporaryDirectory(), 'report.html');
  assert.equal((await merchant.orders('report', '--html', file)).code, 0);
  let page = fs.readFileSync(file, 'utf8');
  assert.match(page, /No approval was asked for yet/);
  assert.match(page, /Nobody has asked for an approval yet/);
  assert.equal((await merchant.orders('request', '--note', hostile, '--actor', hostile)).code, 0);
  await merchant.record('approved', ...OPEN_TERMS.slice(1, 2).flat(), '--payment-max', '50', '--day-max', '500',
    '--expires', 'never', '--reference', hostile);
  await merchant.addReward({ title: hostile, effect: 'pay:1.00' });
  await flag(true);
  isRedeemed(await EFFECTS.points.pay(merchant, await merchant.order()));
  // One that pays without a reply, and a charge: each with what it is found by at Lightspeed.
  await cloud.faults({ match: { method: 'POST', path: '/payments' }, action: 'drop_after', count: 1 });
  isRedeemed(await EFFECTS.points.pay(merchant, await merchant.order()));
  const order = await merchant.order();
  isApproved(await EFFECTS.gift_card.pay(merchant, order));
  const shown = await until('the charge to be confirmed', async () => {
    const [row] = (await merchant.report()).list;
    return row.payment_number === 1 && row;
  });
  assert.deepEqual([shown.reference, shown.shown_order_id], [`CP1-${shown.operation_id}`, order]);
  const { code, stdout } = await merchant.orders('report', '--html', '-');
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`>CP1-${shown.operation_id}<`));
  assert.match(stdout, /payment 1; site \d+/);
  assert.match(stdout, />CP-R\d+-[0-9a-f]{8}</);
  assert.match(stdout, /The connection ended without a reply; found on the order when it was read/);
  assert.doesNotMatch(stdout, /connection_lost/);
  assert.match(stdout, />\d\d:\d\d:\d\d</);
  assert.match(stdout, /Approved by Lightspeed/);
  assert.match(stdout, /at most \$50\.00 a payment and \$500\.00 a day, until revoked/);
  assert.match(stdout, /&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
  assert.doesNotMatch(stdout, /<script|https?:\/\/|src=|@import|url\(/);
  const { code: failed, stderr } = await merchant.orders('report', '--html', '/nowhere/report.html');
  assert.equal(failed, 1);
  assert.match(stderr, /\/nowhere\/report\.html cannot be written/);
  assert.equal((await merchant.orders('report', '--from', '2026-13-01')).code, 1);
  const backwards = await merchant.orders('report', '--from', '2026-12-01', '--until', '2026-01-01');
  assert.equal(backwards.code, 1);
  assert.match(backwards.stdout + backwards.stderr, /'from' is after 'until'/);
  const { totals } = await merchant.report('--until', '2020-01-01');
  assert.equal(totals.attempts, 0);
});
