// The Postman collection, run by Newman against the real binary, and its examples against what the
// binary really answers.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { ROOT, Service, seedDemo } from './support.mjs';

const require = createRequire(import.meta.url);
const newman = require('newman');

const FOLDER = path.join(ROOT, 'mocks/postman');
const collection = JSON.parse(fs.readFileSync(path.join(FOLDER, 'counterpart.postman_collection.json')));
const environment = JSON.parse(fs.readFileSync(path.join(FOLDER, 'counterpart.postman_environment.json')));

let service, demo;

before(async () => {
  service = await Service.start();
  demo = await seedDemo(service);
});
after(async () => {
  await service.verifyIsClean();
  await service.stop();
});

const filled = () => ({
  ...environment,
  values: environment.values.map((value) => (value.key === 'url' ? { ...value, value: demo.DEMO_URL } : value)),
});

function newmanRun(options) {
  return new Promise((resolve, reject) => {
    newman.run({ collection, environment: filled(), reporters: [], ...options }, (error, summary) =>
      error ? reject(error) : resolve(summary),
    );
  });
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
  assert.equal(value('company_id'), demo.DEMO_COMPANY);
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
    assert.equal(summary.run.stats.requests.total, 13);
  }
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
  const wrong = filled();
  wrong.values = wrong.values.map((value) => (value.key === 'signature_token' ? { ...value, value: 'wrong' } : value));
  const summary = await newmanRun({ environment: wrong });
  assert.ok(summary.run.failures.length > 5);
});

test('every request has a fallback example, and every example answers JSON that passes as a reply', () => {
  for (const item of all.filter(({ folder }) => folder === 'Payments and gift cards')) {
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
  for (const wanted of ['approved', 'partial', 'declined', 'unknown card', 'expired', 'bad signature'])
    assert.ok(
      names.some((name) => name.startsWith(wanted)),
      wanted,
    );
  const cards = all
    .find(({ name }) => name === 'Check balance')
    .response.filter(({ name }) => /reference id/.test(name))
    .map((example) => JSON.parse(example.originalRequest.body.raw.replace(/\{\{\w+\}\}/g, '0')).reference_id);
  assert.equal(new Set(cards).size, 2);
});

test('the saved examples have the fields that the service really sends', async () => {
  const summary = await newmanRun({});
  const shapes = new Map();
  for (const { item, response } of summary.run.executions) {
    const action = item.request.url.path.at(-1);
    const reply = response.json();
    const kind = `${action} ${response.code} ${reply.success}`;
    shapes.set(kind, Object.keys(reply));
  }
  let compared = 0;
  for (const item of all)
    for (const example of item.response) {
      const reply = JSON.parse(example.body);
      const shape = shapes.get(`${item.request.url.path.at(-1)} ${example.code} ${reply.success}`);
      if (!shape) continue;
      assert.deepEqual(Object.keys(reply), shape, `${item.name}: ${example.name}`);
      compared++;
    }
  assert.ok(compared >= 10, `${compared} examples compared`);
});
