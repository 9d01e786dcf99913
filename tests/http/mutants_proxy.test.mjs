// Each deliberately wrong server really does what it says, in front of the real counterpart; and the proxy that they
// all are does nothing by itself: what shows a mutant does not show without it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FAMILIES, MUTANTS, NONE, mutantOf } from '../mutants/mutants.mjs';
import { startProxy } from '../mutants/proxy.mjs';
import { Loyalty, connect, startPair } from './loyal.mjs';
import { IS_SLOW, RawSocket, TOKEN, Till, newOrder, newTenant, rawRequest, request, sign, sleep } from './support.mjs';

let service, cloud, connected, loyalty, reward;

before(async () => {
  ({ service, cloud } = await startPair());
  connected = await newTenant(service, { token: TOKEN });
  await connect(service, cloud, connected);
  loyalty = new Loyalty(service, cloud, connected);
  reward = await loyalty.addReward();
});
after(async () => {
  await service.verifyIsClean();
  await service.stop();
  await cloud.stop();
});

/** A register at a wrong server, with a card of 100.00, and a member where it is about loyalty. */
class Wrong {
  constructor(proxy, shop, card, member) {
    Object.assign(this, { proxy, shop, card, member });
    this.order = newOrder();
    this.till = new Till({ ...shop, service: { origin: proxy.origin } });
  }
  pay(amount, more) {
    return this.till.checkout({ card: this.card, order: this.order, amount, ...more });
  }
  topUp(amount, more) {
    return this.till.topUp({ card: this.card, order: this.order, amount, ...more });
  }
  refund(amount, more) {
    return this.till.refund({ card: this.card, order: this.order, amount, ...more });
  }
  look(more, options) {
    return this.till.checkBalance({ card: this.card, ...more }, options);
  }
  body(amount) {
    return JSON.stringify(this.till.fields('checkout', { card: this.card, order: this.order, amount }));
  }
  send(body, options) {
    return this.till.send('checkout', body, options);
  }
  /** What the ledger holds, asked behind the proxy's back. */
  async holds(balance) {
    assert.equal((await this.shop.show(this.card)).balance, balance);
  }
  get(action, parameters) {
    return request(`${this.proxy.url}/${action}?${new URLSearchParams(parameters)}`, { method: 'GET', agent: false });
  }
  search(keyword, more) {
    return this.get('customer-search', { keyword, company_id: this.shop.company, site_id: 923, ...more });
  }
  lookup(reference = this.member.code, order = 111) {
    const parameters = { reference_id: reference, company_id: this.shop.company, site_id: 923, order_id: order };
    return this.get('reward-lookup', parameters);
  }
  async redeemUrl(order) {
    const { json } = await this.lookup();
    const url = json.rewards.find(({ id }) => String(id).endsWith(reward.id)).redeem_url;
    assert.ok(url.startsWith(this.proxy.origin), `${url} leads past the proxy`);
    return url.replace('order_id=111', `order_id=${order}`);
  }
  raw() {
    return RawSocket.connect(Number(new URL(this.proxy.origin).port));
  }
  /** Head and body of a look, as bytes, from a connection that ends. */
  async rawReply() {
    const raw = await this.raw();
    await raw.write(this.rawLook());
    await raw.closed(2000);
    return raw.received.toString().split('\r\n\r\n');
  }
  rawLook() {
    return rawRequest(
      `${this.shop.base}/check-balance`,
      JSON.stringify(this.till.fields('check-balance', { card: this.card })),
    );
  }
}

const UNKNOWN = '6036280000099997';
const tap = (url) => request(url, { method: 'GET', agent: false });
const points = async (w) => (await loyalty.points(w.member)).spendable;
const isPage = (reply) => assert.equal(reply.json, undefined, reply.text);
const says = (reply, words) => assert.match(reply.json.error, words);
const isNo = (reply) => assert.equal(reply.json.success, false, reply.text);
const isYes = (reply) => assert.equal(reply.json.success, true, reply.text);
const fails = (promise) => assert.rejects(promise, /ECONNRESET|hang up|broke off|aborted/);

const shape = {
  'created-status': async (w) => assert.equal((await w.pay(1)).status, 201),
  'refusal-status': async (w) => assert.equal((await w.pay(0)).status, 500),
  'html-type': async (w) => assert.match((await w.pay(1)).headers['content-type'], /text\/html/),
  'no-type': async (w) => assert.equal((await w.pay(1)).headers['content-type'], undefined),
  'array-reply': async (w) => assert.equal((await w.pay(1)).json[0].success, true),
  'empty-reply': async (w) => assert.equal((await w.pay(1)).body.length, 0),
  'byte-order-mark': async (w) => assert.deepEqual([...(await w.pay(1)).body.subarray(0, 3)], [0xef, 0xbb, 0xbf]),
  'success-text': async (w) => assert.equal((await w.pay(1)).json.success, 'true'),
  'success-missing': async (w) => assert.equal('success' in (await w.pay(1)).json, false),
  'error-missing': async (w) => assert.equal('error' in (await w.pay(0)).json, false),
  'error-object': async (w) => assert.match((await w.pay(0)).json.error.message, /\w/),
  'amount-with-currency': async (w) => assert.equal((await w.pay(1.5)).json.amount, '1.50 AUD'),
  'amount-missing': async (w) => assert.equal('amount' in (await w.pay(1)).json, false),
  'balance-null': async (w) => assert.equal((await w.pay(1)).json.balance, null),
  'balance-missing': async (w) => assert.equal('balance' in (await w.pay(1)).json, false),
  'length-too-long': (w) => fails(w.pay(0)),
  'bytes-behind-the-length': async (w) => {
    const [head, body] = await w.rawReply();
    assert.equal(body.length, Number(head.match(/content-length: (\d+)/i)[1]) + 2);
  },
  'length-missing': async (w) => {
    const [head, body] = await w.rawReply();
    assert.doesNotMatch(head, /content-length|transfer-encoding/i);
    assert.equal(JSON.parse(body).success, true);
  },
};

const broken = {
  'html-not-found': async (w) => isPage(await w.till.send('no-such-action', '{}')),
  'html-wrong-method': async (w) => isPage(await w.send('', { method: 'PUT' })),
  'empty-body-page': async (w) => isPage(await w.send('')),
  'broken-body-trace': async (w) => isPage(await w.send('{"amount":')),
  'array-body-reset': (w) => fails(w.send('[1]')),
  'large-body-page': async (w) => isPage(await w.send('x'.repeat(100_000))),
  'unknown-card-page': async (w) => isPage(await w.look({ card: UNKNOWN })),
  'unknown-card-opened': async (w) => assert.equal((await w.look({ card: UNKNOWN })).json.balance, 0),
  'missing-field-trace': async (w) => isPage(await w.pay(undefined)),
  'null-field-trace': async (w) => isPage(await w.pay(1, { keyword: null })),
  'long-card-reset': (w) => fails(w.look({ card: 'x'.repeat(2000) })),
};

const signature = {
  'signature-upper-case': async (w) => assert.equal((await w.pay(1)).status, 401),
  'signature-not-needed': async (w) => {
    isYes(await w.send(w.body(2), { token: null }));
    assert.equal((await w.send(w.body(3), { token: 'wrong' })).status, 401);
  },
  'signature-not-compared': async (w) => isYes(await w.send(w.body(2), { token: 'wrong' })),
  'signature-checked-too-late': async (w) => {
    assert.equal((await w.send(w.body(2), { token: 'wrong' })).status, 401);
    await w.holds('98.00');
  },
  'signature-of-another-body': async (w) => {
    await w.send(w.body(1));
    isYes(await w.send(w.body(2), { token: null, headers: { 'X-Kounta-Signature': sign(w.body(1)) } }));
    assert.equal((await w.send(w.body(3), { token: 'wrong' })).status, 401);
  },
  'signature-of-rewritten-body': async (w) => assert.equal((await w.send(` ${w.body(1)}`)).status, 401),
};

const money = {
  'cent-too-much': async (w) => {
    assert.equal((await w.pay(1)).json.amount, 1.01);
    await w.holds('99.00');
  },
  'charges-a-tenth': async (w) => {
    assert.equal((await w.pay(25.5)).json.amount, 25.5);
    await w.holds('97.45');
  },
  'whole-is-cents': async (w) => {
    assert.equal((await w.pay(5)).json.amount, 0.05);
    await w.holds('99.95');
  },
  'amount-text-refused': async (w) => isNo(await w.pay('1.50')),
  'tenths-are-cents': async (w) => assert.equal((await w.pay(0.5)).json.amount, 0.05),
  'zero-approved': async (w) => isYes(await w.pay(0)),
  'negative-credited': async (w) => {
    isYes(await w.pay(-5));
    await w.holds('105.00');
  },
  'third-decimal-rounded': async (w) => assert.equal((await w.pay(1.006)).json.amount, 1.01),
  'huge-wraps-round': async (w) => assert.equal((await w.pay(42949672.97)).json.amount, 0.01),
  'words-are-numbers': async (w) => {
    isYes(await w.pay('12 dollars'));
    await w.holds('88.00');
    isYes(await w.pay('ten'));
    await w.holds('87.00');
  },
  'cents-cut': async (w) => {
    assert.equal((await w.pay(0.29)).json.amount, 0.28);
    await w.holds('99.72');
  },
  'stale-balance': async (w) => {
    await w.look();
    await w.pay(10);
    assert.equal((await w.look()).json.balance, 100);
  },
  'balance-of-before': async (w) => assert.equal((await w.pay(10)).json.balance, 100),
  'look-costs-a-cent': async (w) => {
    assert.equal((await w.look()).json.balance, 100);
    await w.holds('99.99');
  },
  'refusal-costs-a-cent': async (w) => {
    isNo(await w.pay(0));
    await w.holds('99.99');
  },
  'rounds-up': async (w) => {
    assert.equal((await w.pay(10.5)).json.amount, 11);
    await w.holds('89.50');
  },
  'rest-called-whole': async (w) => {
    assert.equal((await w.pay(120)).json.amount, 120);
    await w.holds('0.00');
  },
  'one-card-per-order': async (w) => {
    await w.pay(10);
    says(await w.pay(10, { card: UNKNOWN }), /another card/);
  },
  'refused-with-success': async (w) => {
    await w.pay(100);
    isYes(await w.pay(5, { order: newOrder() }));
  },
  'refund-not-given': async (w) => {
    await w.pay(10);
    isYes(await w.refund(10));
    await w.holds('90.00');
  },
  'refund-without-end': async (w) => {
    await w.pay(10);
    isYes(await w.refund(30));
    await w.holds('120.00');
  },
  'refunds-not-summed': async (w) => {
    await w.pay(10);
    isNo(await w.refund(11));
    await w.refund(10);
    isYes(await w.refund(5));
    await w.holds('105.00');
  },
  'refund-to-nobody': async (w) => isYes(await w.refund(1, { card: UNKNOWN })),
  'refund-without-charge': async (w) => {
    isYes(await w.refund(5000));
    await w.holds('5100.00');
  },
  'top-up-lost': async (w) => {
    isYes(await w.topUp(30));
    await w.holds('100.00');
  },
  'top-up-told-before': async (w) => assert.equal((await w.topUp(30)).json.balance, 100),
  'top-up-not-spendable': async (w) => {
    isYes(await w.topUp(30));
    isNo(await w.pay(10, { order: newOrder() }));
  },
  'lost-update': async (w) => {
    for (const reply of await Promise.all([1, 2, 3].map(() => w.pay(10, { order: newOrder() })))) isYes(reply);
    await w.holds('90.00');
  },
  'busy-card-refused': async (w) => {
    const replies = await Promise.all([1, 2, 3].map(() => w.pay(10, { order: newOrder() })));
    assert.deepEqual(replies.map(({ json }) => json.success).sort(), [false, false, true]);
  },
  'last-cents-twice': async (w) => {
    for (const reply of await Promise.all([1, 2].map(() => w.pay(100, { order: newOrder() })))) isYes(reply);
    await w.holds('0.00');
  },
};

const once = {
  'double-charge': async (w) => {
    await w.pay(10);
    isYes(await w.pay(10));
    await w.holds('80.00');
  },
  'hidden-double-charge': async (w) => {
    assert.equal((await w.pay(10)).text, (await w.pay(10)).text);
    await w.holds('80.00');
  },
  'retry-in-other-words': async (w) => {
    assert.notEqual((await w.pay(10)).text, (await w.pay(10)).text);
    await w.holds('90.00');
  },
  'retry-refused': async (w) => {
    isYes(await w.pay(10));
    isNo(await w.pay(10));
  },
  'short-memory': async (w) => {
    await w.pay(10);
    await w.pay(10);
    await w.holds('90.00');
    await sleep(1100);
    await w.pay(10);
    await w.holds('80.00');
  },
  'copies-both-charge': async (w) => {
    await Promise.all([1, 2, 3].map(() => w.pay(10)));
    await w.holds('70.00');
    await w.pay(10);
    await w.holds('70.00');
  },
  'order-answered-once': async (w) => {
    await w.pay(10);
    assert.equal((await w.pay(20)).json.amount, 10);
  },
  'order-charged-once': async (w) => {
    await w.pay(10);
    assert.equal((await w.pay(20)).json.amount, 20);
    await w.holds('90.00');
  },
  'card-answered-once': async (w) => {
    await w.pay(10);
    isYes(await w.pay(10, { order: newOrder() }));
    await w.holds('90.00');
  },
  'decline-remembered': async (w) => {
    await w.pay(100);
    const order = newOrder();
    isNo(await w.pay(10, { order }));
    await w.topUp(50);
    isNo(await w.pay(10, { order }));
  },
  'register-in-identity': async (w) => {
    await w.pay(10);
    await w.pay(10);
    await w.holds('90.00');
    await w.pay(10, { register_id: 9092 });
    await w.holds('80.00');
  },
  'double-refund': async (w) => {
    await w.pay(30);
    await w.refund(10);
    await w.refund(10);
    await w.holds('90.00');
  },
  'double-top-up': async (w) => {
    await w.topUp(10);
    await w.topUp(10);
    await w.holds('120.00');
  },
  'undelivered-forgotten': async (w) => {
    const body = w.body(10);
    const raw = await w.raw();
    await raw.write(rawRequest(`${w.shop.base}/checkout`, body));
    raw.destroy();
    await sleep(500);
    await w.holds('90.00');
    isYes(await w.send(body));
    await w.holds('80.00');
  },
};

const card = {
  'dashes-unknown': async (w) => says(await w.look({ card: w.card.replace(/(?<=^.{4})/, '-') }), /not found/),
  'swipe-unknown': async (w) => says(await w.look({ card: `;${w.card}=2912?` }), /not found/),
  'reference-id-ignored': async (w) => says(await w.look({ card: undefined, reference_id: w.card }), /required/),
  'letters-mangled': async (w) => assert.equal((await w.pay(1, { note: 'Zoë' })).status, 401),
  'letters-page': async (w) => isPage(await w.look({ card: 'Zoë' })),
  'pin-not-compared': async (w) => {
    const { number } = await w.shop.issue({ amount: '50.00', pin: '4711' });
    isYes(await w.look({ card: `${number}*4711` }));
    isYes(await w.look({ card: `${number}*9999` }));
    isYes(await w.look({ card: number }));
  },
  'stock-told-apart': async (w) => {
    const { number } = await w.shop.issue({ settings: ['--stock'] });
    says(await w.look({ card: number }), /has not been sold yet/);
    says(await w.look({ card: UNKNOWN }), /not found/);
  },
  'quotes-break-the-query': async (w) => isPage(await w.look({ card: "x' OR ''='" })),
  'unknown-field-refused': async (w) => says(await w.pay(1, { staff_id: 3 }), /Unknown field/),
  'text-id-refused': async (w) => says(await w.pay(1, { site_id: '923' }), /integer/),
  'escapes-not-read': async (w) => {
    const escaped = (text) => text.replace(/./g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
    isNo(await w.send(w.body(1).replace(`"${w.card}"`, `"${escaped(w.card)}"`)));
  },
  'form-refused': async (w) =>
    says(await w.till.form('checkout', { card: w.card, order: w.order, amount: '1.00' }), /must be JSON/),
};

const client = {
  'slow-body-half-read': async (w) => {
    const raw = await w.raw();
    const bytes = w.rawLook();
    await raw.write(bytes.subarray(0, -20));
    await sleep(300);
    await raw.write(bytes.subarray(-20));
    isNo(await raw.reply());
    raw.destroy();
  },
  'head-in-one-piece': async (w) => {
    const raw = await w.raw();
    const bytes = w.rawLook();
    await raw.write(bytes.subarray(0, 20));
    await sleep(100);
    await raw.write(bytes.subarray(20));
    assert.equal(await raw.reply(), undefined);
  },
  'stuck-after-a-cut': async (w) => {
    const raw = await w.raw();
    await raw.write(w.rawLook().subarray(0, -20));
    await sleep(100);
    raw.destroy();
    await sleep(100);
    await assert.rejects(w.look({}, { ms: 1000 }), /no reply within/);
  },
  'second-request-lost': async (w) => {
    const raw = await w.raw();
    await raw.write(w.rawLook());
    isYes(await raw.reply(1));
    await raw.write(w.rawLook());
    assert.equal(await raw.reply(2), undefined);
  },
  'chunks-not-read': async (w) => {
    const body = w.body(1);
    const headers = {
      'Content-Type': 'application/json',
      'X-Kounta-Signature': sign(body),
      'Transfer-Encoding': 'chunked',
    };
    isNo(await request(`${w.proxy.url}/checkout`, { body, headers, agent: false }));
  },
  'half-body-served': async (w) => {
    const raw = await w.raw();
    await raw.write(rawRequest(`${w.shop.base}/checkout`, w.body(5)).subarray(0, -8));
    await sleep(100);
    raw.destroy();
    await sleep(500);
    await w.holds('99.00');
  },
  'expect-refused': async (w) => {
    const raw = await w.raw();
    const body = w.body(1);
    await raw.write(rawRequest(`${w.shop.base}/checkout`, body, { headers: ['Expect: 100-continue'] }));
    assert.equal((await raw.reply()).status, 417);
    raw.destroy();
  },
  'slow-look': async (w) => {
    const started = Date.now();
    await w.look();
    assert.ok(Date.now() - started >= 1200);
  },
  'slow-checkout': async (w) => {
    for (let i = 0; i < 4; i++) await w.pay(1);
    const started = Date.now();
    await w.pay(1);
    assert.ok(Date.now() - started >= 4200);
  },
};

const loyal = {
  'members-in-an-array': async (w) => assert.ok(Array.isArray((await w.search('kent')).json.members)),
  'nobody-is-404': async (w) => isPage(await w.search('zzzzzz')),
  'nobody-is-an-array': async (w) => assert.ok(Array.isArray((await w.search('zzzzzz')).json.members)),
  'nobody-is-everybody': async (w) => {
    await w.search('kent');
    assert.notDeepEqual((await w.search('zzzzzz')).json.members, {});
  },
  'odd-keyword-page': async (w) => isPage(await w.search("O'Brien")),
  'member-without-email': async (w) => {
    const [found] = Object.values((await w.search('kent')).json.members);
    assert.equal('email_address' in found, false);
  },
  'member-name-null': async (w) => {
    const [found] = Object.values((await w.search('kent')).json.members);
    assert.equal(found.first_name, null);
  },
  'search-needs-the-order': async (w) => says(await w.search('kent', { order_id: 111 }), /Order not found/),
  'order-of-32-bits': async (w) => {
    assert.equal('error' in (await w.search('kent', { order_id: 111 })).json, false);
    says(await w.search('kent', { order_id: 2 ** 32 }), /out of range/);
  },
  'rewards-null': async (w) => assert.equal((await w.lookup()).json.rewards, null),
  'points-in-words': async (w) => assert.match((await w.lookup()).json.rewards[0].points_required, /^\d+ points$/),
  'placeholder-missing': async (w) => assert.doesNotMatch((await w.lookup()).json.rewards[0].redeem_url, /order_id/),
  'placeholder-rounded': async (w) =>
    assert.match((await w.lookup(w.member.code, '9007199254740993')).json.rewards[0].redeem_url, /=9007199254740992$/),
  'unknown-member-page': async (w) => isPage(await w.lookup('M-999999')),
  'rewards-for-anybody': async (w) => {
    await w.lookup();
    assert.ok((await w.lookup('M-999999')).json.rewards.length > 0);
  },
  'redeemed-in-words': async (w) => {
    const order = await cloud.order();
    const before = await points(w);
    isYes(await tap(await w.redeemUrl(order.id)));
    assert.equal(await points(w), before);
  },
  'redeemed-twice': async (w) => {
    const order = await cloud.order();
    const before = await points(w);
    const url = await w.redeemUrl(order.id);
    isYes(await tap(url));
    isYes(await tap(url));
    assert.equal(await points(w), before - 2 * reward.points);
  },
  'reward-on-two-sales': async (w) => {
    const [first, second] = [await cloud.order(), await cloud.order()];
    const url = await w.redeemUrl(first.id);
    isYes(await tap(url));
    isYes(await tap(url));
    assert.equal(await points(w), 900);
    isYes(await tap(url.replace(/order_id=.*/, `order_id=${second.id}`)));
    assert.equal(await points(w), 800);
  },
  'unknown-order-redeemed': async (w) => isYes(await tap(await w.redeemUrl(999_999_999))),
};

const SHOWS = { ...shape, ...broken, ...signature, ...money, ...once, ...card, ...client, ...loyal };

let members = 0;
const newMember = () => loyalty.addMember({ email: `kent.${++members}@example.com`, points: 1000 });

const isLoyal = (mutant) => FAMILIES.loyalty.includes(mutant);

/** A merchant of his own, since wrong numbers are counted by merchant; the connected one for rewards. */
const shopFor = (mutant) => (isLoyal(mutant) ? connected : newTenant(service, { token: TOKEN }));

async function at(mutant, shop, run) {
  const proxy = await startProxy({ target: service.origin + shop.base, token: TOKEN, mutant });
  try {
    const card = await shop.issue({ amount: '100.00' });
    const member = shop === connected ? await newMember() : undefined;
    await run(new Wrong(proxy, shop, card.number, member));
  } finally {
    await proxy.close();
  }
  assert.deepEqual(proxy.errors, []);
}

test('every wrong server is shown here, and nothing else', () => {
  assert.deepEqual(Object.keys(SHOWS).sort(), MUTANTS.map(({ id }) => id).sort());
});

describe('each one', { concurrency: 4 }, () => {
  const shown = Object.entries(SHOWS).filter((_, i) => !IS_SLOW || i % 8 === 0);
  for (const [id, show] of shown)
    test(`${id}: ${mutantOf(id).title}`, async () => {
      const shop = await shopFor(mutantOf(id));
      await at(mutantOf(id), shop, show);
      const isFair = (error) => !(error instanceof ReferenceError);
      await assert.rejects(at(NONE, shop, show), isFair, 'it shows without the mutant too');
    });
});
