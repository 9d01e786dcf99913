// A tenant leaves a SQLite store for PostgreSQL: beside a service that serves, killed at any moment, never in two places.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Loyalty, connect, isRedeemed, startPair } from './loyal.mjs';
import { Postgres } from './postgres.mjs';
import { COUNTERPART, IS_SOAK, Service, Tenant, areIdentical, isApproved, isJsonReply, newOrder, newTenant, request,
  run, seededRandom, sleep, temporaryDirectory, until } from './support.mjs';

const ROUNDS = IS_SOAK ? 40 : 6;

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres.stop());

const moveArgs = (url, tenant = 1) => ['move', '--tenant', String(tenant), '--to', url];
const move = (service, url, tenant) => service.cli(moveArgs(url, tenant), { ms: 120_000 });

async function mustMove(service, url, tenant) {
  const { code, json, stdout, stderr } = await move(service, url, tenant);
  assert.equal(code, 0, `${stdout}${stderr}`);
  return { ...json, stderr };
}

async function mustNotMove(service, url, sentence, tenant) {
  const { code, stdout, stderr } = await move(service, url, tenant);
  assert.equal(code, 1, stdout);
  assert.match(stderr, sentence);
}

const database = (url) => url.slice(url.lastIndexOf('/') + 1);

/** The same tenant as another service serves it. */
const at = (service, shop) => new Tenant(service, shop.made, shop);

/** A service on the target, with the key of the source. */
const startTarget = (source, url, env = {}) =>
  Service.start({
    env: {
      ...source.env,
      COUNTERPART_MASTER_KEY: path.join(source.data, 'master.key'),
      COUNTERPART_DATABASE: url,
      ...env,
    },
  });

async function someSales(shop, count = 5) {
  const { number: card } = await shop.issue({ amount: '500.00' });
  const sales = [];
  for (let i = 0; i < count; i++) {
    const sale = { card, amount: `${i + 1}.00`, order: newOrder() };
    sales.push({ sale, answer: await shop.till().checkout(sale) });
    isApproved(sales.at(-1).answer);
  }
  return sales;
}

test('a tenant moves whole: retries get the same bytes, refunds find their sale, and the old store refuses', async () => {
  const service = await Service.start();
  const shop = await newTenant(service, { settings: ['--replay-window', '3600'] });
  await shop.addSite();
  const { number: withPin } = await shop.issue({ amount: '20.00', pin: '4711' });
  const sales = await someSales(shop);
  await service.stop();
  const url = await postgres.createDatabase();
  const told = await mustMove(service, url);
  assert.equal(told.moved, true);
  const rows = Object.fromEntries(told.tables.map(({ name, rows: count }) => [name, count]));
  assert.deepEqual([rows.tenant, rows.site, rows.card, rows.operation, rows.transfer], [1, 1, 2, 7, 7]);

  await service.restart();
  for (const reply of [await shop.till().checkout(sales[0].sale), await shop.till().checkBalance(sales[0].sale)]) {
    isJsonReply(reply);
    assert.equal(reply.status, 503);
    assert.match(reply.text, /This shop has moved to another server, nothing was done/);
  }
  const refused = await service.cli(['card', 'issue', '--tenant', '1', '--amount', '1.00']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /Tenant 1 has moved to another store/);
  await service.verifyIsClean();
  await service.stop();

  const target = await startTarget(service, url);
  const there = at(target, shop);
  for (const { sale, answer } of sales) areIdentical(await there.till().checkout(sale), answer);
  isApproved(await there.till().refund({ ...sales[0].sale }), { amount: '1.00', balance: '486.00' });
  isApproved(await there.till().checkout({ card: `${withPin}*4711`, amount: '1.00', order: newOrder() }));
  const next = await there.till().checkout({ card: sales[0].sale.card, amount: '1.00', order: newOrder() });
  assert.ok(Number(next.json.reference_id.split('-')[1]) > 7, next.text);
  await target.verifyIsClean();
  await target.stop();

  const again = await mustMove(service, url); // nothing is changed by a run after the end
  assert.deepEqual([again.moved, again.tables], [false, []]);
});

test('copied beside a service that serves, which is asked to stop only for the end', async () => {
  const service = await Service.start();
  const shop = await newTenant(service, { settings: ['--replay-window', '3600'] });
  const { number: card } = await shop.issue({ amount: '500.00' });
  const url = await postgres.createDatabase();
  const answered = [];
  let isOver = false;
  const till = shop.till();
  const load = (async () => {
    while (!isOver) {
      const sale = { card, amount: '0.01', order: newOrder() };
      const answer = await till.checkout(sale);
      isApproved(answer);
      answered.push({ sale, answer });
    }
  })();
  await until('sales', () => answered.length > 20);
  const moving = service.cli(moveArgs(url), { ms: 120_000 });
  const rows = () => postgres.sql('SELECT count(*) FROM operation', database(url)).catch(() => 0);
  await until('operations in the target while sales go on', async () => Number(await rows()) > 20, 60_000);
  const seen = answered.length;
  await until('more sales', () => answered.length > seen + 5);
  isOver = true;
  await load;
  await service.stop();
  const { code, stderr } = await moving;
  assert.equal(code, 0, stderr);
  assert.match(stderr, /Stop the service now/);

  const target = await startTarget(service, url);
  const there = at(target, shop);
  assert.equal((await there.show(card)).balance, (500 - answered.length / 100).toFixed(2));
  const random = seededRandom('retries after the move');
  for (let i = 0; i < 20; i++) {
    const { sale, answer } = answered[Math.floor(random() * answered.length)];
    areIdentical(await there.till().checkout(sale), answer);
  }
  await target.verifyIsClean();
  await target.stop();
});
