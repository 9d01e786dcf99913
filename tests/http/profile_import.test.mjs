// `counterpart profile import`: from a collection with quite other names to a tenant that speaks them, and what it asks
// and refuses on the way.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { startCloud } from './cloud.mjs';
import { outsideTheSpec } from './contract.mjs';
import { otherNames } from './other_names.mjs';
import { COUNTERPART, ROOT, Service, freePort, newOrder, request, run, seedDemo, sign, temporaryDirectory, until } from './support.mjs';

const newman = createRequire(import.meta.url)('newman');

const folder = temporaryDirectory();
let files = 0;

/** Imports a document (an object, or text as it is); gives {code, stdout, stderr, json}. */
function importing(document, args = []) {
  const file = path.join(folder, `import-${files++}.json`);
  fs.writeFileSync(file, typeof document === 'string' || Buffer.isBuffer(document) ? document : JSON.stringify(document));
  return run(COUNTERPART, ['profile', 'import', file, ...args]);
}

const copy = (value) => JSON.parse(JSON.stringify(value));
const found = (report, where) => report.fields.filter((field) => field.where === where).map(({ name }) => name);

/** A collection of one checkout with these request fields and saved replies. */
const oneCheckout = (fields, ...replies) => ({
  info: { name: 'One', schema: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json' },
  item: [
    {
      name: 'Checkout',
      request: { method: 'POST', url: 'https://example.com/checkout', body: { mode: 'raw', raw: JSON.stringify(fields) } },
      response: replies.map((reply, i) => ({ name: `Example ${i + 1}`, code: 200, body: JSON.stringify(reply) })),
    },
  ],
});
const IDS = { company_id: 5678, site_id: 923, register_id: 9091, order_id: 2802065908, keyword: '6036280000010010' };
const APPROVED = { success: true, amount: 25.5, balance: 74.5 };
const REFUSED = { success: false, error: 'Nothing on the card' };

// --- from end to end -----------------------------------------------------------------------------

const profiles = temporaryDirectory();
let service, cloud, demo, base;

before(async () => {
  const port = await freePort();
  cloud = await startCloud(undefined, { redirectUris: [`http://127.0.0.1:${port}/oauth/callback`] });
  service = await Service.start({ port, env: { ...cloud.environment, COUNTERPART_PROFILES: profiles } });
  demo = await seedDemo(service, cloud);
  base = demo.DEMO_URL;
  await service.must(['points', 'grant', '--tenant', '1', '--member', demo.DEMO_MEMBER, '--points', '5000', '--reason', 'tests']);
});
after(async () => {
  await service.verifyIsClean();
  await service.stop();
  await cloud.stop();
});

/** A signed payment under whatever names. */
function pay(action, fields) {
  const body = JSON.stringify(fields);
  return request(`${base}/${action}`, {
    body,
    headers: { 'Content-Type': 'application/json', 'X-Kounta-Signature': sign(body, demo.DEMO_TOKEN) },
  });
}
const ask = (action, parameters) => request(`${base}/${action}?${new URLSearchParams(parameters)}`, { method: 'GET' });
/** For the length of one test: what the tenant says has the imported names, not those of docs/openapi.yaml. */
const hasOtherNames = (t) =>
  t.after(outsideTheSpec({ key: new URL(base).pathname.split('/')[2] }, 'replies', 'the imported profile has other names'));
const place = (sale) => ({ firm: 5678, outlet: 923, till: 9091, ...(sale ? { sale } : {}) });

test('a collection with other names becomes a profile that the service takes, and the tenant speaks it', async () => {
  const { code, json } = await importing(otherNames(), ['--into', profiles]);
  assert.equal(code, 0, JSON.stringify(json));
  assert.deepEqual(json.questions, []);
  assert.equal(json.name, 'the-other-till-api');
  assert.equal(json.file, path.join(profiles, 'the-other-till-api.json'));
  assert.deepEqual(JSON.parse(fs.readFileSync(json.file)), json.profile);
  assert.deepEqual(json.profile.request.all, {
    company_id: ['firm'],
    site_id: ['outlet'],
    register_id: ['till'],
    order_id: ['sale'],
    keyword: ['card'],
  });
  assert.deepEqual(json.profile.request.checkout, { amount: ['sum'], refused: ['load'] });
  assert.deepEqual(json.profile.request.top_up, { amount: ['load'] });
  assert.deepEqual(json.profile.request.refund, { amount: ['giveBack'], refused: ['load'] });

  service.signal('SIGHUP');
  await until('the profiles to be loaded', () => service.events.some(({ event }) => event === 'profiles_loaded'));
  await service.must(['tenant', 'set', '--tenant', '1', '--profile', json.name]);
});

test('a profile that is not loaded cannot be set, and doctor says when one has gone', async () => {
  const set = (name) => service.cli(['tenant', 'set', '--tenant', '1', '--profile', name]);
  const refused = await set('nosuch');
  assert.notEqual(refused.code, 0);
  assert.match(refused.stdout + refused.stderr, /no profile 'nosuch'.*COUNTERPART_PROFILES.*SIGHUP/s);
  const line = async () => {
    const { json } = await service.cli(['doctor', '--tenant', '1']);
    return json.lines.find(({ id }) => id === 'profile');
  };
  assert.deepEqual([(await line()).state, (await line()).found], ['ok', 'Profile "the-other-till-api"']);

  const file = path.join(profiles, 'the-other-till-api.json');
  const away = path.join(temporaryDirectory(), 'kept');
  const reload = async (isThere) => {
    service.signal('SIGHUP');
    await until('the profiles to be read again', async () => ((await line()).state === 'ok') === isThere);
  };
  fs.copyFileSync(file, away);
  fs.rmSync(file);
  await reload(false);
  const gone = await line();
  assert.deepEqual([gone.state, gone.command], ['todo', 'counterpart tenant set --tenant 1 --profile default']);
  assert.match(gone.found, /"the-other-till-api" is not loaded: registers are spoken to in the default one/);
  assert.match(gone.todo, /the-other-till-api\.json .*COUNTERPART_PROFILES/);
  const touched = await service.must(['tenant', 'set', '--tenant', '1', '--amounts', 'number']);
  assert.match(touched.warning, /profile names one that is not loaded/);
  fs.copyFileSync(away, file);
  await reload(true);
});

test('what was answered for one reply counts for the same name in the others', async () => {
  const collection = oneCheckout(
    { ...IDS, amount: 12.5 },
    { approved: true, paid: 12.5, remaining_on_card: 87.5 },
    { approved: false, reason: 'Nothing on the card', remaining_on_card: 0 },
  );
  collection.item.push({
    name: 'Check balance',
    request: { method: 'POST', url: 'https://example.com/check-balance', body: { mode: 'raw', raw: JSON.stringify(IDS) } },
    response: [{ name: 'Example', code: 200, body: JSON.stringify({ approved: true, remaining_on_card: 87.5 }) }],
  });
  const asked = await importing(collection);
  assert.deepEqual(asked.json.questions.map(({ where }) => where), ['check_balance.reply.balance']);
  const { code, json } = await importing(collection, ['--field', 'check_balance.reply.balance=remaining_on_card']);
  assert.equal(code, 0, JSON.stringify(json));
  const { checkout, check_balance: look } = json.profile.reply;
  for (const list of [checkout.success, checkout.failure, look.success])
    assert.deepEqual(
      list.filter(({ value }) => value === 'balance'),
      [{ name: 'remaining_on_card', value: 'balance' }],
    );
  assert.doesNotMatch(JSON.stringify(json), /cannot fill/);
  // Who says that it is something else there, is believed.
  const none = ['--field', 'check_balance.reply.balance=remaining_on_card', '--field', 'checkout.reply.balance='];
  const other = await importing(collection, none);
  assert.deepEqual(other.json.profile.reply.checkout.success.map(({ value }) => value), ['success', 'amount']);
});

test('the import for people says where the profile is read, and how', async () => {
  const into = temporaryDirectory();
  const file = path.join(into, 'collection.txt');
  fs.writeFileSync(file, JSON.stringify(otherNames()));
  const command = `"${COUNTERPART}" profile import "${file}" --into "${into}"`;
  const { code, stdout } = await run('script', ['-qec', command, '/dev/null']); // on a terminal
  assert.equal(code, 0, stdout);
  assert.match(stdout.replaceAll(/\s+/g, ' '), /folder that COUNTERPART_PROFILES names.*SIGHUP.*--profile the-other-till-api/);
});

test('all four payments are asked and answered under the imported names', async (t) => {
  hasOtherNames(t);
  const card = demo.DEMO_CARD;
  const sale = newOrder();
  const before = await pay('check-balance', { ...place(), card });
  assert.deepEqual([before.status, before.json.ok, before.json.left], [200, true, 100], before.text);
  assert.deepEqual(Object.keys(before.json), ['ok', 'left', 'text']);

  const charged = await pay('checkout', { ...place(sale), card, sum: 25.5 });
  assert.deepEqual([charged.json.ok, charged.json.approved, charged.json.left], [true, 25.5, 74.5], charged.text);
  assert.deepEqual(Object.keys(charged.json), ['ok', 'approved', 'left', 'txn', 'text']);

  const refunded = await pay('refund', { ...place(sale), card, giveBack: 10 });
  assert.deepEqual([refunded.json.ok, refunded.json.returned, refunded.json.left], [true, 10, 84.5], refunded.text);

  const loaded = await pay('top-up', { ...place(newOrder()), card, load: 15.5 });
  assert.deepEqual([loaded.json.ok, loaded.json.loaded, loaded.json.left], [true, 15.5, 100], loaded.text);

  const unknown = await pay('checkout', { ...place(newOrder()), card: demo.DEMO_UNKNOWN ?? '6036280000099997', sum: 1 });
  assert.deepEqual([unknown.status, unknown.json.ok], [200, false]);
  assert.match(unknown.json.reason, /Card not found/);
  assert.equal('error' in unknown.json || 'success' in unknown.json, false, unknown.text);
});

test('a top-up sent to the checkout is refused, and the default names mean nothing any more', async (t) => {
  hasOtherNames(t);
  const wrong = await pay('checkout', { ...place(newOrder()), card: demo.DEMO_CARD, load: 5, sum: 5 });
  assert.equal(wrong.json.ok, false, wrong.text);
  const old = await pay('checkout', { company_id: 5678, order_id: newOrder(), keyword: demo.DEMO_CARD, amount: 5 });
  assert.equal(old.json.ok, false, old.text);
  assert.equal(typeof old.json.reason, 'string', old.text);
});

test('a member is found, shown and given a reward under the imported names', async (t) => {
  hasOtherNames(t);
  const { id } = await cloud.order({ site_id: 923 });
  const found = await ask('customer-search', { q: 'david kent', firm: 5678, outlet: 923, sale: 111 });
  const person = found.json.people[demo.DEMO_MEMBER];
  assert.equal(person.ref, demo.DEMO_MEMBER, found.text);
  assert.deepEqual([person.givenName, person.surname, person.mail], ['David', 'Kent', 'david.kent@example.com']);
  assert.equal(typeof person.score, 'number', 'the collection writes points as numbers');
  assert.equal(person.extra.Level, 'Gold');

  const shown = await ask('reward-lookup', { memberRef: demo.DEMO_MEMBER, firm: 5678, outlet: 923, sale: 111 });
  assert.equal(shown.json.person.ref, demo.DEMO_MEMBER, shown.text);
  const [offer] = shown.json.offers;
  assert.deepEqual(Object.keys(offer), ['code', 'name', 'rules', 'cost', 'link']);
  assert.match(offer.link, /[?&]sale=111$/);

  const redeemed = await request(offer.link.replace('sale=111', `sale=${id}`), { method: 'GET' });
  assert.deepEqual(redeemed.json, { ok: true });
  assert.match(JSON.stringify(await cloud.control('GET', `/orders/${id}`)), /CP-R\d+-[0-9a-f]{8}/);

  const refused = await request(offer.link.replace('sale=111', 'sale=112'), { method: 'GET' });
  assert.equal(refused.json.ok, false, refused.text);
  assert.equal(typeof refused.json.reason, 'string', refused.text);
  const nobody = await ask('reward-lookup', { memberRef: 'M-99', firm: 5678, outlet: 923, sale: 111 });
  assert.deepEqual(Object.keys(nobody.json), ['reason'], nobody.text);
});

test('Newman runs that very collection against the service, and its own tests pass', async () => {
  const sale = await cloud.order({ site_id: 923 });
  const values = { url: base, token: demo.DEMO_TOKEN, sale: String(newOrder()), openSale: String(sale.id) };
  const summary = await new Promise((resolve, reject) => {
    newman.run(
      { collection: otherNames(), envVar: Object.entries(values).map(([key, value]) => ({ key, value })), reporters: [] },
      (error, done) => (error ? reject(error) : resolve(done)),
    );
  });
  assert.deepEqual(
    summary.run.failures.map(({ source, error }) => `${source?.name}: ${error.test} ${error.message}`),
    [],
  );
  assert.equal(summary.run.stats.requests.total, 7);
  assert.equal(summary.run.stats.assertions.total, 7);
});

// --- what is found -------------------------------------------------------------------------------

test('every guess says how sure it is, why, and from which example it came', async () => {
  const { json, stdout } = await importing(otherNames());
  const finding = json.fields.find(({ where }) => where === 'checkout.reply.amount');
  assert.deepEqual(
    [finding.name, finding.sure, finding.example],
    ['approved', 'sure', 'Till / Gift cards / Pay with a card > Approved'],
  );
  for (const field of json.fields) assert.ok(field.why.length > 0 && field.example.length > 0, field.where);
  assert.equal(json.examples.checkout, 3);
  assert.doesNotMatch(stdout, /unused/, 'what is switched off in the collection is not there');
});

test('format 2.0, deep folders and a wrapper of the Postman API read the same', async () => {
  const expected = (await importing(otherNames())).json.profile;
  const older = copy(otherNames());
  older.info.schema = older.info.schema.replace('v2.1.0', 'v2.0.0');
  const flatten = (items) =>
    items.forEach((item) => {
      if (item.item) return flatten(item.item);
      item.request.url = item.request.url.raw;
      for (const saved of item.response) if (saved.originalRequest) saved.originalRequest.url = saved.originalRequest.url.raw;
    });
  flatten(older.item);
  for (let i = 0; i < 10; i++) older.item = [{ name: `Folder ${i}`, item: older.item }];
  assert.deepEqual((await importing(older)).json.profile, expected);
  assert.deepEqual((await importing({ collection: otherNames() })).json.profile, expected);
  assert.deepEqual((await importing(`\ufeff${JSON.stringify(otherNames())}`)).json.profile, expected);
});

test('our own collection says what the default says: no profile is needed', async () => {
  const own = fs.readFileSync(path.join(ROOT, 'mocks/postman/counterpart.postman_collection.json'), 'utf8');
  const { code, json } = await importing(own);
  assert.equal(code, 0, JSON.stringify(json));
  assert.deepEqual([json.is_default, json.profile, json.warnings], [true, {}, []]);
});

test('the name of a variable helps where the name of a field says nothing', async () => {
  const document = oneCheckout(IDS, APPROVED, REFUSED);
  document.item[0].request.body.raw =
    '{"company_id":{{company_id}}, // the merchant\n "keyword":"{{card_number}}", "x1": {{amount}}}';
  const { json } = await importing(document);
  assert.deepEqual(found(json, 'checkout.amount'), ['x1']);
  assert.equal(json.fields.find(({ where }) => where === 'checkout.amount').sure, 'sure');
});

test('what was asked tells the amount of the reply, and what is left to pay the due', async () => {
  const { json } = await importing(
    oneCheckout({ ...IDS, amount: 40 }, { yes: true, x: 40, remaining: 0, y: 1 }, { yes: true, x: 25, remaining: 15, y: 0 }),
  );
  assert.deepEqual(found(json, 'checkout.reply.amount'), ['x']);
  assert.deepEqual(found(json, 'checkout.reply.due'), ['remaining']);
  assert.deepEqual(found(json, 'checkout.reply.success'), ['yes']);
  const other = await importing(oneCheckout({ ...IDS, amount: 25.5 }, { ok: true, amount: 25.5, outstanding: 74.5 }));
  assert.deepEqual(found(other.json, 'checkout.reply.due'), [], 'more than was asked is not what is left of it');
});

test('amounts as text are pointed out, with the setting for it', async () => {
  const { json } = await importing(oneCheckout({ ...IDS, sum: '25.50' }, { success: true, paid: '25.50', balance: '74.50' }, REFUSED));
  assert.ok(json.warnings.some((warning) => warning.includes('--amounts string')), JSON.stringify(json.warnings));
});

test('a top-up whose amount is called as the charge is warned of', async () => {
  const document = oneCheckout({ ...IDS, sum: 5 }, { success: true, paid: 5, balance: 1 }, REFUSED);
  document.item.push({ ...copy(document.item[0]), name: 'Top-up' });
  document.item[1].request.url = 'https://example.com/top-up';
  const { json } = await importing(document);
  assert.ok(json.warnings.some((warning) => /top_up and checkout both call the amount 'sum'/.test(warning)));
});

// --- example JSON --------------------------------------------------------------------------------

test('example JSON: a pair, a bare reply and an object of actions', async () => {
  const pair = { request: { ...IDS, sum: 25.5 }, reply: { ok: true, paid: 25.5, balance: 74.5 } };
  const one = await importing(pair, ['--action', 'checkout']);
  assert.equal(one.code, 0, one.stdout);
  assert.deepEqual(one.json.profile.request.checkout.amount, ['sum']);
  const bare = await importing({ ok: true, left: 74.5 }, ['--action', 'check-balance']);
  assert.deepEqual(found(bare.json, 'check_balance.reply.balance'), ['left']);
  const both = await importing({ checkout: pair, check_balance: [{ ok: true, left: 74.5 }, { ok: false, reason: 'No' }] });
  assert.equal(both.code, 0, both.stdout);
  assert.equal(both.json.examples.check_balance, 2);
  const lost = await importing(pair);
  assert.equal(lost.code, 1);
  assert.match(lost.json.error, /--action checkout/);
});

test('what no example shows follows what is there: other actions, refusals', async () => {
  const pair = { request: { firm: 1, card: '6036', sum: 25.5 }, reply: { ok: true, paid: 25.5 } };
  const { json } = await importing(pair, ['--action', 'checkout']);
  assert.deepEqual(json.profile.request.all, { company_id: ['firm'], keyword: ['card'] });
  const named = [
    { name: 'ok', value: 'success' },
    { name: 'paid', value: 'amount' },
    { name: 'error', value: 'error' },
  ];
  assert.deepEqual(json.profile.reply.checkout.failure, named);
  assert.deepEqual(
    json.profile.reply.refusal.map(({ name }) => name),
    ['ok', 'error', 'code'],
  );
  assert.ok(json.warnings.some((warning) => warning.startsWith('checkout: no refusal is saved')));
});

test('a second import keeps what the file says already, and nothing is overwritten unasked', async () => {
  const target = path.join(folder, 'grown.json');
  const first = { request: { ...IDS, sum: 25.5 }, reply: { ok: true, paid: 25.5, balance: 74.5 } };
  assert.equal((await importing(first, ['--action', 'checkout', '--out', target])).code, 0);
  const second = { ok: true, left: 74.5 };
  const refused = await importing(second, ['--action', 'check_balance', '--out', target]);
  assert.equal(refused.code, 1);
  assert.match(refused.json.error, /is there already/);
  assert.equal((await importing(second, ['--action', 'check_balance', '--out', target, '--update'])).code, 0);
  const grown = JSON.parse(fs.readFileSync(target));
  assert.deepEqual(grown.request.checkout.amount, ['sum']);
  assert.ok(grown.reply.check_balance.success.some(({ name }) => name === 'left'));
  assert.equal((await importing(second, ['--action', 'check_balance', '--out', target, '--replace'])).code, 0);
  assert.equal(JSON.parse(fs.readFileSync(target)).request, undefined);
  assert.equal(fs.readdirSync(folder).some((name) => name.endsWith('.new')), false);
});

// --- questions -----------------------------------------------------------------------------------

test('an amount that has no telling name is asked for, and the option answers it', async () => {
  const document = oneCheckout({ ...IDS, x1: 25.5, x2: 3 }, APPROVED, REFUSED);
  const target = path.join(folder, 'asked.json');
  const open = await importing(document, ['--out', target]);
  assert.deepEqual([open.code, open.json.success, open.json.code], [1, false, 'ambiguous']);
  assert.equal(fs.existsSync(target), false);
  const [question] = open.json.questions;
  assert.equal(question.where, 'checkout.amount');
  assert.deepEqual(question.candidates, ['x1', 'x2']);
  assert.equal(question.option, '--field checkout.amount=x1');
  const answered = await importing(document, ['--out', target, ...question.option.split(' ')]);
  assert.equal(answered.code, 0, answered.stdout);
  assert.deepEqual(JSON.parse(fs.readFileSync(target)).request.checkout.amount, ['x1']);
  assert.equal(answered.json.fields.find(({ where }) => where === 'checkout.amount').sure, 'answered');
});

test('two fields that could both be the amount are a question, in requests and in replies', async () => {
  const asked = await importing(oneCheckout({ ...IDS, sum: 25.5, charge_amount_total: 25.5, requested_amount: 25.5 }, APPROVED));
  assert.deepEqual([asked.code, asked.json.questions[0].where], [1, 'checkout.amount']);
  const answered = await importing(oneCheckout({ ...IDS, sum: 1 }, { ok: true, paid: 1 }, { ok: true, value: 1 }));
  assert.equal(answered.code, 1);
  assert.ok(answered.json.questions.some(({ where }) => where === 'checkout.reply.amount'), answered.stdout);
});

test('a request that could be two actions is a question, and so is a list of members', async () => {
  const document = oneCheckout({ ...IDS, amount: 1 }, APPROVED);
  document.item[0].name = 'Refund a payment or charge';
  document.item[0].request.url = 'https://example.com/pay/refund';
  const open = await importing(document);
  assert.equal(open.code, 1);
  assert.match(open.json.questions[0].question, /refund|checkout/);
  assert.equal((await importing(document, ['--action', 'Refund a payment or charge=refund'])).code, 0);
  const list = await importing({ members: [{ id: 'M-1', first_name: 'A', email: 'a@example.com' }] }, ['--action', 'search']);
  assert.match(list.json.questions[0].question, /list/);
  assert.equal(list.json.questions[0].option, '--skip search');
});

test('a reply without a yes or no is asked for; an answer can say that there is none', async () => {
  const document = oneCheckout({ ...IDS, sum: 5 }, { status: 'APPROVED', amount: 5 });
  const open = await importing(document);
  assert.deepEqual([open.code, open.json.questions[0].where], [1, 'checkout.reply.success']);
  const none = await importing(document, ['--field', 'checkout.reply.success=']);
  assert.equal(none.code, 0, none.stdout);
});

test('fields that stand inside another object are not taken for what the service reads', async () => {
  const { code, json } = await importing(oneCheckout({ ...IDS, payment: { amount: 5 } }, APPROVED));
  assert.equal(code, 1);
  assert.equal(json.questions[0].where, 'checkout.amount');
  assert.ok(json.warnings.some((warning) => /inside another object/.test(warning)));
});

// --- what is refused -----------------------------------------------------------------------------

test('hostile and broken files get a clear error and exit 1, never a crash', async () => {
  const nested = (depth) => '['.repeat(depth) + ']'.repeat(depth);
  const cases = [
    ['', /not JSON/],
    ['{', /not JSON/],
    ['null', /Postman collection/],
    ['"text"', /Postman collection/],
    ['[]', /Postman collection/],
    ['{}', /no example/],
    ['{"item":[]}', /no example/],
    ['{"item":{}}', /Postman collection/],
    ['{"requests":[]}', /format 1/],
    ['{"a":1,"a":2}', /name twice/],
    [nested(1000), /deeper than 64/],
    [Buffer.from([0x7b, 0xff, 0x7d]), /not JSON/],
    [`{"item":[{"name":"x","request":"${'a'.repeat(4 * 1024 * 1024)}"}]}`, /4 MiB/],
    [JSON.stringify({ item: Array.from({ length: 3000 }, () => ({ name: 'Checkout', request: { url: '/checkout' } })) }), null],
    [JSON.stringify(oneCheckout(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`amount_${i}`, i])), APPROVED)), null],
    [JSON.stringify(oneCheckout({ ...IDS, amount: 5 }, { ['n'.repeat(5000)]: true, amount: 5 })), null],
    ['{"item":[{"name":null,"request":{"url":{"path":[1,null,{}],"query":[null,{"key":1}]},"body":{"mode":"raw","raw":7}}}]}', /no example/],
  ];
  for (const [document, sentence] of cases) {
    const { code, signal, stdout, stderr, json } = await importing(document);
    const context = `${String(document).slice(0, 60)}: ${stdout.slice(0, 300)}${stderr.slice(0, 2000)}`;
    assert.equal(signal, null, context);
    assert.ok(code === 1 || (sentence === null && code === 0), context);
    assert.doesNotMatch(stderr, /Sanitizer|CHECK failed|runtime error/, context);
    if (sentence) assert.match(json.error, sentence, context);
  }
});

test('where no body can be read nothing is concluded: the exit code is 1, and the limit is named', async () => {
  const deep = { ...IDS, amount: JSON.parse('['.repeat(20) + ']'.repeat(20)) };
  const target = path.join(folder, 'unread.json');
  const none = await importing(oneCheckout(deep, deep), ['--out', target]);
  assert.equal(none.code, 1, none.stdout);
  assert.match(none.json.error, /nothing could be read: Checkout: the body of the request nests deeper than 16 levels/);
  assert.doesNotMatch(none.stdout + none.stderr, /no profile is needed/);

  const some = await importing({ checkout: { request: { ...IDS, sum: 5 } }, refund: { reply: '<html>' } }, ['--out', target]);
  assert.deepEqual([some.code, some.json.code], [1, 'ambiguous'], some.stdout);
  assert.deepEqual(
    some.json.questions.map(({ where, option }) => [where, option]),
    [['refund.reply', '--skip refund']],
  );
  assert.equal(fs.existsSync(target), false);
});

test('what a person says wrong is told: actions, places, names, files', async () => {
  const document = oneCheckout({ ...IDS, amount: 5 }, APPROVED);
  for (const [args, sentence] of [
    [['--field', 'checkout.amount'], /PLACE=NAME/],
    [['--field', 'checkout.amount=nothere'], /no example has such a field/],
    [['--field', 'checkout.wrong=amount'], /no example has such a field/],
    [['--action', 'Checkout=sell'], /there is no action 'sell'/],
    [['--skip', 'everything'], /no action 'everything'/],
    [['--name', 'Not Good'], /a-z 0-9/],
    [['--out', '/nowhere/at/all.json', '--field', 'checkout.amount=amount', '--action', 'Checkout=refund'], /no example|nowhere/],
    [['--update'], /--update wants/],
    [['--out', 'a', '--into', 'b'], /one of them/],
  ]) {
    const { code, json } = await importing(document, args);
    assert.equal(code, 1, args.join(' '));
    assert.match(json.error, sentence);
  }
  assert.equal((await run(COUNTERPART, ['profile', 'import'])).code, 2);
  assert.equal((await run(COUNTERPART, ['profile', 'import', folder])).code, 1);
  assert.equal((await run(COUNTERPART, ['profile', 'import', path.join(folder, 'nothing')])).code, 1);
  const many = Array.from({ length: 50 }, () => ['--skip', 'redeem']).flat();
  assert.equal((await importing(document, many)).code, 2);
});

test('--out - gives the profile alone, and standard input is read', async () => {
  const { code, stdout, stderr } = await run(COUNTERPART, ['profile', 'import', '-', '--out', '-'], {
    input: JSON.stringify(otherNames()),
  });
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), (await importing(otherNames())).json.profile);
  assert.match(stderr, /checkout\.amount +sum +sure/);
});
