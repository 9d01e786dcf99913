// The Postman collection, run by Newman against the real binary beside the fake Lightspeed, and its examples against
// what the binary really answers.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { startCloud } from './cloud.mjs';
import { observe } from './contract.mjs';
import { ROOT, Service, freePort, request, seedDemo, sign } from './support.mjs';

const require = createRequire(import.meta.url);
const newman = require('newman');

const FOLDER = path.join(ROOT, 'mocks/postman');
const collection = JSON.parse(fs.readFileSync(path.join(FOLDER, 'counterpart.postman_collection.json')));
const environment = JSON.parse(fs.readFileSync(path.join(FOLDER, 'counterpart.postman_environment.json')));

let service, cloud, demo;

before(async () => {
  const port = await freePort();
  cloud = await startCloud(undefined, { redirectUris: [`http://127.0.0.1:${port}/oauth/callback`] });
  service = await Service.start({ port, env: cloud.environment });
  demo = await seedDemo(service, cloud);
  await service.must(['points', 'grant', '--tenant', '1', '--member', demo.DEMO_MEMBER, '--points', '5000', '--reason', 'tests']);
});
after(async () => {
  await service.verifyIsClean();
  await service.stop();
  await cloud.stop();
});

/** The environment as a person fills it in, with sales of its own for every run. */
async function filled() {
  const [sale, other] = [await cloud.order({ site_id: 923 }), await cloud.order({ site_id: 923 })];
  const known = { url: demo.DEMO_URL, cloud: cloud.urls.url, sale_id: String(sale.id), other_sale_id: String(other.id) };
  return {
    ...environment,
    values: environment.values.map((value) => ({ ...value, value: known[value.key] ?? value.value })),
  };
}

async function newmanRun(options) {
  const defaults = { collection, environment: await filled(), reporters: [] };
  return new Promise((resolve, reject) => {
    newman.run({ ...defaults, ...options }, (error, summary) => (error ? reject(error) : resolve(summary)));
  }).then(isDocumented);
}

/** What was asked of the service and what it said are in docs/openapi.yaml. */
function isDocumented(summary) {
  for (const { request, response } of summary.run.executions) {
    const { host, pathname, search } = new URL(request.url.toString());
    if (!response || host !== new URL(service.origin).host) continue;
    const headers = Object.fromEntries(response.headers.map(({ key, value }) => [key.toLowerCase(), value]));
    const asked = { method: request.method, target: pathname + search, headers: request.headers.toObject(), body: request.body?.toString() };
    const problem = observe(asked, { status: response.code, headers, text: response.text() });
    assert.equal(problem, undefined, problem);
  }
  return summary;
}

const failures = (summary) =>
  summary.run.failures.map(
    ({ source, error }) => `${source?.name}: ${error.name} ${error.test ?? ''} ${error.message}`,
  );

const requests = (items, folder) =>
  items.flatMap((item) => (item.item ? requests(item.item, item.name) : [{ ...item, folder }]));
const all = requests(collection.item);

test('the environment names every variable of the collection, and the demo tenant is behind its numbers', () => {
  const known = new Set([...environment.values, ...collection.variable].map(({ key }) => key));
  const used = new Set(
    [...JSON.stringify(all.map((item) => item.request)).matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name),
  );
  used.delete('anything'); // a mock server's wildcard: it must have no value
  for (const name of used) assert.ok(known.has(name), `{{${name}}} has no value`);
  const value = (key) => environment.values.find((one) => one.key === key).value;
  assert.equal(value('signature_token'), demo.DEMO_TOKEN);
  assert.equal(value('card_number'), demo.DEMO_CARD);
  assert.equal(value('second_card_number'), demo.DEMO_CARD_2);
  assert.equal(value('expired_card_number'), demo.DEMO_CARD_EXPIRED);
  assert.equal(value('empty_card_number'), demo.DEMO_CARD_EMPTY);
  assert.equal(value('disabled_card_number'), demo.DEMO_CARD_DISABLED);
  assert.equal(`${value('pin_card_number')}*${value('pin')}`, demo.DEMO_CARD_PIN);
  assert.equal(value('stock_card_number'), demo.DEMO_CARD_STOCK);
  assert.equal(value('unknown_card_number'), demo.DEMO_CARD_UNKNOWN);
  assert.equal(value('company_id'), demo.DEMO_COMPANY);
  assert.equal(value('member_id'), demo.DEMO_MEMBER);
  assert.equal(value('customer_id'), demo.DEMO_CUSTOMER);
  assert.equal(value('client_id'), cloud.clientId);
  assert.equal(value('client_secret'), cloud.clientSecret);
});

test('the collection has a default for every variable but the address, as an environment that Postman makes has no more', () => {
  const defaults = Object.fromEntries(collection.variable.map(({ key, value }) => [key, value]));
  assert.equal('url' in defaults, false);
  for (const { key, value } of environment.values.filter((one) => one.key !== 'url')) assert.equal(defaults[key], value, key);
});

test('the single requests pass as they are', async () => {
  const summary = await newmanRun({ folder: 'Payments and gift cards' });
  assert.deepEqual(failures(summary), []);
  assert.equal(summary.run.stats.requests.total, 5);
  assert.ok(summary.run.stats.assertions.total >= 4 * 4 + 3);
});

test('the walk-through passes from balance to refusals, twice', async () => {
  for (let round = 0; round < 2; round++) {
    const summary = await newmanRun({ folder: 'Walk-through' });
    assert.deepEqual(failures(summary), []);
    assert.equal(summary.run.stats.requests.total, 16);
  }
});

test('the single loyalty requests pass as they are, and the reward is on the sale', async () => {
  const summary = await newmanRun({ folder: 'Loyalty' });
  assert.deepEqual(failures(summary), []);
  assert.equal(summary.run.stats.requests.total, 5);
  const redeemed = summary.run.executions.find(({ item }) => item.name === 'Redeem');
  assert.deepEqual(redeemed.response.json(), { success: true });
  const sale = await cloud.control('GET', `/orders/${redeemed.request.url.query.get('order_id')}`);
  assert.match(JSON.stringify(sale), /CP-R\d+-[0-9a-f]{8}/);
});

test('the loyalty walk-through passes from the keyword to the refusals, twice', async () => {
  for (let round = 0; round < 2; round++) {
    const summary = await newmanRun({ folder: 'Loyalty walk-through' });
    assert.deepEqual(failures(summary), []);
    assert.equal(summary.run.stats.requests.total, 10);
  }
});

test('the webhooks and the operations pass as they are', async () => {
  const webhooks = await newmanRun({ folder: 'Webhooks' });
  assert.deepEqual(failures(webhooks), []);
  assert.equal(webhooks.run.stats.requests.total, 3);
  const operations = await newmanRun({ folder: 'Operations' });
  assert.deepEqual(failures(operations), []);
  assert.equal(operations.run.stats.requests.total, 3);
  assert.ok(operations.run.stats.assertions.total >= 7);
});

test('the OAuth folder passes from start to every error, and the service keeps its own grant', async () => {
  const summary = await newmanRun({ folder: 'OAuth' });
  assert.deepEqual(failures(summary), []);
  assert.ok(summary.run.stats.requests.total >= 13);
  const [tenant] = (await service.must(['oauth', 'status'])).tenants;
  assert.deepEqual([tenant.status, tenant.alarm], ['connected', false]);
});

test('an edited amount and body is signed as edited', async () => {
  const edited = JSON.parse(JSON.stringify(collection));
  const checkout = edited.item[0].item.find((item) => item.name === 'Checkout');
  checkout.request.body.raw = checkout.request.body.raw
    .replace('{{amount}}', ' 1.25,\n  "note": "caf\u00e9 {{company_id}} {{$guid}}"')
    .replace('{{order_id}}', '{{$timestamp}}');
  const summary = await newmanRun({ collection: edited, folder: 'Checkout' });
  assert.deepEqual(failures(summary), []);
  const [{ response, request }] = summary.run.executions;
  assert.equal(response.code, 200, response.text());
  assert.equal(response.json().success, true, response.text());
  assert.equal(response.json().amount, 1.25);
  assert.doesNotMatch(request.body.raw, /\{\{/);
});

test('the tests of the collection can fail', async () => {
  const wrong = await filled();
  wrong.values = wrong.values.map((value) => (value.key === 'signature_token' ? { ...value, value: 'wrong' } : value));
  const summary = await newmanRun({ environment: wrong });
  assert.ok(summary.run.failures.length > 5);
});

const folderItems = (name) => all.filter(({ folder }) => folder === name);

test('every payment has a fallback example, and every example answers JSON that passes as a reply', () => {
  for (const item of folderItems('Payments and gift cards')) {
    assert.ok(
      item.response.some(({ name }) => name.startsWith('Fallback')),
      item.name,
    );
    for (const example of item.response) {
      const reply = JSON.parse(example.body);
      assert.equal(typeof reply.success, 'boolean', `${item.name}: ${example.name}`);
      if (!reply.success) assert.ok(reply.error.length > 0 && reply.error.length <= 120, example.name);
      assert.match(example.header.find(({ key }) => key === 'Content-Type').value, /^application\/json/);
      assert.equal(example.originalRequest.method, item.request.method);
    }
  }
  const names = all.find(({ name }) => name === 'Checkout').response.map(({ name }) => name.toLowerCase());
  const outcomes = ['approved', 'partial', 'declined', 'unknown card', 'pin needed', 'pin wrong', 'expired', 'disabled'];
  for (const wanted of [...outcomes, 'bad signature', 'another company', 'busy'])
    assert.ok(
      names.some((name) => name.startsWith(wanted)),
      wanted,
    );
  const cards = all
    .find(({ name }) => name === 'Check balance')
    .response.filter(({ name }) => /reference id/.test(name))
    .map((example) => JSON.parse(example.originalRequest.body.raw).reference_id);
  assert.equal(new Set(cards).size, 2);
});

/** The references of operations count on from one example to the next; a test may have moved money before. */
const masked = (body) => body.replace(/CP1-\d+/g, 'CP1-N');

test('every saved example of a payment or a webhook is what the service answers, told from the top', async () => {
  const other = await Service.start({ env: cloud.environment });
  const seeded = await seedDemo(other);
  let sent = 0;
  for (const item of [...folderItems('Payments and gift cards'), ...folderItems('Webhooks')])
    for (const { name, originalRequest, code, body, header } of item.response) {
      if (/^(Fallback|Busy)/.test(name)) continue;
      const { raw } = originalRequest.body;
      JSON.parse(raw); // literal: a mock server compares it with what a register sends
      const given = originalRequest.header.find(({ key }) => key === 'X-Kounta-Signature')?.value;
      const reply = await request(`${seeded.DEMO_URL}/${originalRequest.url.path.join('/')}`, {
        body: raw,
        headers: { 'Content-Type': 'application/json', 'X-Kounta-Signature': given ?? sign(raw, seeded.DEMO_TOKEN) },
      });
      assert.deepEqual([reply.status, masked(reply.text)], [code, masked(body)], `${item.name}: ${name}`);
      for (const { key, value } of header) assert.equal(reply.headers[key.toLowerCase()], value, `${name}: ${key}`);
      sent++;
    }
  assert.ok(sent >= 55, `${sent} examples`);
  await other.verifyIsClean();
  await other.stop();
});

test('every webhook has a fallback example, and the operations have one for each state', () => {
  for (const item of folderItems('Webhooks'))
    assert.ok(
      item.response.some(({ name, body }) => name.startsWith('Fallback') && body === '{}'),
      item.name,
    );
  const ready = folderItems('Operations').find(({ name }) => name === 'Ready?').response;
  assert.deepEqual(
    ready.map(({ code, body }) => [code, JSON.parse(body).ready]),
    [
      [200, true],
      [503, false],
      [503, false],
    ],
  );
});

test('every loyalty request has a fallback example, and every example is JSON that the request itself would accept', () => {
  for (const item of folderItems('Loyalty')) {
    assert.ok(
      item.response.some(({ name }) => name.startsWith('Fallback')),
      item.name,
    );
    for (const example of item.response) {
      const reply = JSON.parse(example.body);
      const context = `${item.name}: ${example.name}`;
      assert.match(example.header.find(({ key }) => key === 'Content-Type').value, /^application\/json/);
      for (const member of Object.values(reply.members ?? (reply.member ? [reply.member] : [])))
        for (const field of ['id', 'first_name', 'email_address'])
          assert.ok(typeof member[field] === 'string' && member[field] !== '', `${context}: ${field}`);
      for (const { redeem_url: url } of reply.rewards ?? [])
        assert.match(url, /\/redeem\?t=[^&]+&order_id=\{\{\$queryParams 'order_id'\}\}$/, context);
      assert.ok('members' in reply || 'member' in reply || 'success' in reply || reply.error, context);
    }
  }
  const search = folderItems('Loyalty').find(({ name }) => name === 'Customer search').response;
  assert.equal(search[0].name, 'David Kent', "the vendor's guide has him as the default");
  assert.ok(search.some((example) => Object.keys(JSON.parse(example.body).members ?? {}).length > 1));
  assert.ok(search.some((example) => example.body === '{"members":{}}'));
});

test('every OAuth request has an example', () => {
  for (const item of folderItems('OAuth')) {
    assert.ok(item.response.length > 0, item.name);
    for (const { body, code } of item.response) if (code !== 302) JSON.parse(body);
  }
});

/** The names of a reply's fields at every depth; what is a list or keyed by ids is told by its first entry. */
function shapeOf(value, isKeyed = false) {
  if (value === null || typeof value !== 'object') return typeof value;
  if (Array.isArray(value)) return value.length > 0 ? [shapeOf(value[0])] : [];
  const entries = Object.entries(value).map(([key, inner]) => [key, shapeOf(inner, key === 'members')]);
  return isKeyed ? entries.slice(0, 1).map(([, shape]) => shape) : Object.fromEntries(entries);
}
const kindOf = (item, code, reply) =>
  `${item.request.url.path.at(-1)} ${code} ${reply.success ?? Object.keys(reply)[0]}`;

test('the saved examples have the fields that the service really sends', async () => {
  const summary = await newmanRun({});
  const shapes = new Map();
  for (const { item, response } of summary.run.executions) {
    if (!/json/.test(response.headers.get('Content-Type'))) continue;
    const reply = response.json();
    const known = all.find(({ name }) => name === item.name);
    const kind = kindOf(known, response.code, reply);
    if (!shapes.has(kind)) shapes.set(kind, shapeOf(reply));
  }
  const compared = new Set();
  for (const item of all)
    for (const example of item.response.filter(({ body, header }) => body !== '' && /json/.test(JSON.stringify(header)))) {
      const reply = JSON.parse(example.body);
      const kind = kindOf(item, example.code, reply);
      // A member may have less to tell than David Kent.
      const isPartial = /without a name|None|No rewards|no member|too few points|No refresh token/.test(example.name) || /companies/.test(item.request.url.raw);
      if (!shapes.has(kind) || isPartial) continue;
      assert.deepEqual(shapeOf(reply), shapes.get(kind), `${item.name}: ${example.name}`);
      compared.add(kind);
    }
  for (const wanted of ['customer-search 200 members', 'reward-lookup 200 member', 'redeem 200 true', 'redeem 200 false'])
    assert.ok(compared.has(wanted), `${wanted}: not compared`);
  assert.ok(compared.size >= 12, `${[...compared]}`);
});
