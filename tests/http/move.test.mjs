// A tenant leaves a SQLite store for PostgreSQL: beside a service that serves, killed at any moment, never in two places.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Loyalty, connect, isRedeemed, startPair } from './loyal.mjs';
import { Postgres } from './postgres.mjs';
import {
  COUNTERPART,
  IS_SOAK,
  Service,
  Tenant,
  areIdentical,
  isApproved,
  isJsonReply,
  newOrder,
  newTenant,
  run,
  seededRandom,
  sleep,
  spawnHelper,
  temporaryDirectory,
  until,
} from './support.mjs';

const ROUNDS = IS_SOAK ? 40 : 6;
const LOCK_MOVE = '0x436f756e74657234'; // store/postgres_move.c

let postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres.stop());

const moveArgs = (url, tenant = 1) => ['move', '--tenant', String(tenant), '--to', url];
/** Of this process without its own COUNTERPART_ variables, which the binary would refuse. */
const ownEnv = (service) => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('COUNTERPART_'))),
  COUNTERPART_DATA: service.data,
});
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
    assert.deepEqual([reply.status, reply.json.success, reply.json.code], [503, false, 'tenant_has_moved']);
    assert.match(reply.text, /This shop has moved to another server, nothing was done/);
  }
  const refused = await service.cli(['card', 'issue', '--tenant', '1', '--amount', '1.00']);
  assert.equal(refused.code, 1);
  assert.match(refused.stdout, /Tenant 1 has moved to another store/);
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

/** One cent after the other, until it is told to end; what was answered, and what was refused. */
function selling(shop, card) {
  const till = shop.till();
  const log = { approved: [], refused: [], isOver: false };
  log.end = (async () => {
    while (!log.isOver) {
      const sale = { card, amount: '0.01', order: newOrder() };
      const answer = await till.checkout(sale);
      isJsonReply(answer);
      (answer.json.success ? log.approved : log.refused).push({ sale, answer });
      if (!answer.json.success) await sleep(20);
    }
  })();
  return log;
}

test('one tenant moves beside a service that serves: it is closed for a moment, and the others go on', async () => {
  const service = await Service.start();
  const shop = await newTenant(service, { settings: ['--replay-window', '3600'] });
  const other = await newTenant(service, { name: 'Second', company: 777 });
  const { number: card } = await shop.issue({ amount: '500.00' });
  const { number: otherCard } = await other.issue({ amount: '500.00' });
  const url = await postgres.createDatabase();
  const moving = selling(shop, card);
  const staying = selling(other, otherCard);
  await until('sales', () => moving.approved.length > 20 && staying.approved.length > 20);
  const told = await mustMove(service, url);
  const sold = staying.approved.length;
  await until('more sales of the other tenant', () => staying.approved.length > sold + 5);
  moving.isOver = staying.isOver = true;
  await Promise.all([moving.end, staying.end]);

  assert.deepEqual(staying.refused, []);
  assert.ok(told.closed_ms > 0);
  const sentences = moving.refused.map(({ answer }) => [answer.status, answer.json.code]);
  const codes = new Set(sentences.map(([, code]) => code));
  assert.ok(sentences.every(([status]) => status === 503));
  assert.ok(codes.has('tenant_is_moving') && codes.has('tenant_has_moved'), [...codes].join());
  const closed = moving.refused.find(({ answer }) => answer.json.code === 'tenant_is_moving');
  assert.match(closed.answer.text, /being moved to another server, nothing was done. Try again in a minute/);

  const target = await startTarget(service, url);
  const there = at(target, shop);
  assert.equal((await there.show(card)).balance, (500 - moving.approved.length / 100).toFixed(2));
  const random = seededRandom('retries after the move');
  for (let i = 0; i < 20; i++) {
    const { sale, answer } = moving.approved[Math.floor(random() * moving.approved.length)];
    areIdentical(await there.till().checkout(sale), answer);
  }
  // What was refused moved nothing, and goes through where the tenant is now.
  isApproved(await there.till().checkout(moving.refused[0].sale));
  await target.verifyIsClean();
  await service.verifyIsClean();
  await target.stop();
  await service.stop();
});

test('a webhook of a tenant that has moved is to come again', async () => {
  const service = await Service.start();
  const shop = await newTenant(service);
  await someSales(shop, 1);
  const url = await postgres.createDatabase();
  await mustMove(service, url);
  const reply = await shop.till().send('webhooks/orders/completed', '{"id":5}');
  isJsonReply(reply);
  assert.deepEqual([reply.status, reply.headers['retry-after'], reply.json.code], [503, undefined, 'tenant_has_moved']);
  await service.stop();
});

/** Starts the command and kills it after so many ms; whether it ended by itself before. */
function killedMove(service, url, ms) {
  return new Promise((resolve) => {
    const env = ownEnv(service);
    const child = spawn(COUNTERPART, moveArgs(url), { stdio: 'ignore', env });
    const timer = setTimeout(() => child.kill('SIGKILL'), ms);
    child.once('exit', (code) => {
      clearTimeout(timer);
      resolve(code === 0);
    });
  });
}

const placeHere = async (service, shop) => {
  const reply = await at(service, shop).till().checkBalance({ card: '1' });
  return !/has moved|being moved/.test(reply.text);
};

test('killed at any moment and run again it ends right, and never do two stores serve the tenant', async () => {
  const random = seededRandom('kill -9 while a tenant moves');
  let killed = 0;
  // Each may come too late: then there are more, until one came in time.
  for (let round = 0; round < ROUNDS || (killed === 0 && round < 5 * ROUNDS); round++) {
    const service = await Service.start();
    const shop = await newTenant(service, { settings: ['--replay-window', '3600'] });
    const sales = await someSales(shop, 3);
    const url = await postgres.createDatabase();
    let isOver = false;
    let isThere = false;
    for (let attempt = 0; attempt < 4 && !isOver; attempt++) {
      const isBeside = random() < 0.5; // with a service it takes some seconds longer
      if (!isBeside) await service.stop();
      isOver = await killedMove(service, url, Math.floor(random() * (isBeside ? 6500 : 1200)));
      killed += isOver ? 0 : 1;
      if (!isBeside) await service.restart();
      const source = await placeHere(service, shop);
      const state = await postgres.sql(
        "SELECT CASE WHEN to_regclass('tenant') IS NULL THEN 0 ELSE 1 END",
        database(url),
      );
      const target = state === '1' && (await postgres.sql('SELECT place FROM tenant', database(url))) === '0';
      assert.ok(!(source && target), 'both stores serve the tenant');
      isThere = target; // killed when it had moved, and was being verified
      if (source) sales.push(...(await someSales(shop, 2))); // what was copied is old now
    }
    await service.stop();
    assert.equal((await mustMove(service, url)).moved, !isThere);
    const served = await startTarget(service, url);
    const there = at(served, shop);
    for (const { sale, answer } of sales) areIdentical(await there.till().checkout(sale), answer);
    await served.verifyIsClean();
    await served.stop();
  }
  assert.ok(killed > 0, 'it was never killed in time');
});

test('between the two commits nobody serves the tenant, and the next run ends it', async () => {
  const service = await Service.start();
  const shop = await newTenant(service, { settings: ['--replay-window', '3600'] });
  const sales = await someSales(shop, 3);
  await service.stop();
  const url = await postgres.createDatabase();
  // The commit of the target fails for certain: the source has the tenant back.
  await startTarget(service, url).then((target) => target.stop());
  await postgres.sql(
    `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
     CREATE CONSTRAINT TRIGGER fail AFTER UPDATE ON tenant DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
     WHEN (new.place = 0) EXECUTE FUNCTION fail()`,
    database(url),
  );
  await mustNotMove(service, url, /the target did not take the tenant .*; this store serves it as before/);
  await service.restart();
  areIdentical(await shop.till().checkout(sales[0].sale), sales[0].answer);
  await service.stop();

  // Killed while the target commits.
  await postgres.sql(
    `CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
     PERFORM pg_sleep(60); RETURN NULL; END $$`,
    database(url),
  );
  const child = spawn(COUNTERPART, moveArgs(url), {
    stdio: 'ignore',
    env: ownEnv(service),
  });
  const committing = "FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'";
  const isCommitting = async () => (await postgres.sql(`SELECT count(*) ${committing}`)) !== '0';
  await until('the target to commit', isCommitting, 60_000);
  child.kill('SIGKILL');
  await postgres.sql(`SELECT pg_terminate_backend(pid) ${committing}`);
  await service.restart();
  assert.equal(await placeHere(service, shop), false);
  await service.stop();
  const served = await startTarget(service, url);
  const waiting = await at(served, shop).till().checkout(sales[0].sale);
  isJsonReply(waiting);
  assert.deepEqual([waiting.status, waiting.json.code], [503, 'tenant_is_moving']);
  await postgres.sql('DROP FUNCTION fail CASCADE', database(url));
  assert.equal((await mustMove(service, url)).moved, true); // beside a service on the target
  await until('the target to serve it', async () => placeHere(served, shop));
  for (const { sale, answer } of sales) areIdentical(await at(served, shop).till().checkout(sale), answer);
  await served.verifyIsClean();
  await served.stop();
});

test('a target under another key, with tenants of its own or in use is refused, and left as it is', async () => {
  const service = await Service.start();
  const shop = await newTenant(service);
  await newTenant(service, { name: 'Second', company: 777 });
  await someSales(shop, 2);
  const other = await Service.start();
  const strangers = await postgres.createDatabase();
  const stranger = await Service.start({ env: { COUNTERPART_DATABASE: strangers } });
  await newTenant(stranger);
  await stranger.stop();
  await other.stop();
  await service.stop();
  await mustNotMove(service, strangers, /the target was made with another master key/);
  assert.equal(await postgres.sql('SELECT name FROM tenant', database(strangers)), 'Test Coffee');

  const own = await postgres.createDatabase();
  const owner = await startTarget(service, own);
  await newTenant(owner);
  await owner.stop();
  await mustNotMove(service, own, /the target has tenants of its own; ids are kept/);

  // One after the other, until somebody uses the target.
  const url = await postgres.createDatabase();
  assert.equal((await mustMove(service, url, 1)).moved, true);
  const copy = await postgres.createDatabase();
  await postgres.sql(`DROP DATABASE ${database(copy)}`);
  await postgres.sql(`CREATE DATABASE ${database(copy)} TEMPLATE ${database(url)} OWNER counterpart`);
  assert.equal((await mustMove(service, url, 2)).moved, true);
  const used = await startTarget(service, copy);
  await someSales(at(used, shop), 1);
  await used.stop();
  await service.restart();
  await service.stop();
  await mustNotMove(service, copy, /tenant 2 has moved from this store already/, 2);
  await mustNotMove(service, url, /there is no tenant 3/, 3);
  await mustNotMove(service, 'postgresql://counterpart@127.0.0.1:1/none', /the target cannot be opened/);
  await mustNotMove(service, 'sqlite', /--to must be a postgresql:\/\/ URL/);
  await mustNotMove(service, service.data, /never another SQLite file/);
  await mustNotMove(service, url, /--tenant must be the number of a tenant/, 'one');
});

test('a target that was used since, and a source that was restored, are refused', async () => {
  const service = await Service.start();
  const shop = await newTenant(service);
  const second = await newTenant(service, { name: 'Second', company: 777 });
  await someSales(shop, 2);
  const folder = path.join(temporaryDirectory(), 'copy');
  await service.must(['backup', '--to', folder]);
  await service.stop();
  const url = await postgres.createDatabase();
  assert.equal((await mustMove(service, url, 1)).moved, true);
  const used = await startTarget(service, url);
  await someSales(at(used, shop), 1);
  await used.stop();
  await mustNotMove(service, url, /the target has given out ids of its own since/, 2);
  await service.restart();
  assert.equal(await placeHere(service, second), true);
  assert.equal(await placeHere(service, shop), false);
  await service.stop();

  const data = path.join(temporaryDirectory(), 'data');
  const { code, stderr } = await run(COUNTERPART, ['restore', '--from', folder, '--to', data]);
  assert.equal(code, 0, stderr);
  const restored = await Service.start({ data });
  await restored.stop();
  const sold = await Service.start({ data: restored.data });
  await someSales(at(sold, shop), 1);
  await sold.stop();
  await mustNotMove(sold, url, /was restored since and has served it \(\d+ operations came after the move\)/);
});

const tableCounts = async (url) => {
  const rows = await postgres.sql(
    `SELECT (SELECT count(*) FROM tenant), (SELECT count(*) FROM card), (SELECT count(*) FROM operation),
     (SELECT count(*) FROM transfer), (SELECT count(*) FROM move_progress)`,
    database(url),
  );
  return rows.split('|').map(Number);
};

/** Where each tenant of the store is, by its id. */
const places = async (service) =>
  Object.fromEntries((await service.must(['tenant', 'list'])).tenants.map(({ id, place }) => [id, place]));

test('a first look writes nothing, and says what would be moved and what stands against it', async () => {
  const service = await Service.start();
  const shop = await newTenant(service);
  await someSales(shop, 2);
  const url = await postgres.createDatabase();
  const look = async (...more) => service.cli([...moveArgs(url), '--dry-run', ...more], { ms: 60_000 });
  const { code, json, stderr } = await look();
  assert.equal(code, 0, stderr);
  assert.equal(json.tenant, 1);
  assert.ok(json.rows >= 8 && json.copy_s > 0 && json.closed_s > 0);
  assert.deepEqual([json.begun, json.moved], [false, false]);
  assert.equal(await postgres.sql("SELECT to_regclass('tenant') IS NULL", database(url)), 't');
  const used = await postgres.createDatabase();
  const stranger = await startTarget(service, used);
  await newTenant(stranger);
  await stranger.stop();
  const refused = await service.cli([...moveArgs(used), '--dry-run']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /the target has tenants of its own/);
  const both = await look('--cancel');
  assert.match(both.stderr, /--cancel and --dry-run do not go together/);
  await service.stop();
});

test('all tenants of a store move one after the other, beside the service', async () => {
  const service = await Service.start();
  const shops = [await newTenant(service), await newTenant(service, { name: 'Second', company: 777 })];
  const sales = [await someSales(shops[0], 3), await someSales(shops[1], 4)];
  const url = await postgres.createDatabase();
  const { code, json, stderr } = await service.cli(['move', '--all', '--to', url], { ms: 120_000 });
  assert.equal(code, 0, stderr);
  assert.deepEqual(
    json.tenants.map(({ tenant, moved }) => [tenant, moved]),
    [
      [1, true],
      [2, true],
    ],
  );
  assert.deepEqual(await places(service), { 1: 'moved', 2: 'moved' });
  const neither = await service.cli(['move', '--to', url]);
  assert.match(neither.stderr, /either --tenant ID or --all must be given/);
  const target = await startTarget(service, url);
  for (const [i, shop] of shops.entries())
    for (const { sale, answer } of sales[i]) areIdentical(await at(target, shop).till().checkout(sale), answer);
  await target.verifyIsClean();
  await target.stop();
  await service.stop();
});

test('a move waits for the one before it, whose connection the server has not missed yet', async () => {
  const service = await Service.start();
  await newTenant(service);
  await service.stop();
  const url = await postgres.createDatabase();
  await startTarget(service, url).then((target) => target.stop());
  const before = spawnHelper('psql', ['-X', '-q', '-A', '-t', '-d', url]);
  let said = '';
  before.stdout.on('data', (data) => (said += data));
  before.stdin.write(`SELECT 'locked' FROM (SELECT pg_advisory_lock(${BigInt(LOCK_MOVE)})) AS taken;\n`);
  await until('the lock', () => said.includes('locked'));
  let ended;
  const moving = move(service, url).then((end) => (ended = end));
  const asking = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_try_advisory_lock%' AND datname = ";
  const isAsking = async () => ended || (await postgres.sql(`${asking} '${database(url)}'`)) !== '0';
  await until('the next one to ask for the lock', isAsking);
  before.stdin.end();
  const { code, stderr } = await moving;
  assert.equal(code, 0, stderr);
});

test('a move that was broken off is cancelled: the target is cleared, and the shop is open again', async () => {
  const service = await Service.start();
  const shop = await newTenant(service, { settings: ['--replay-window', '3600'] });
  await newTenant(service, { name: 'Second', company: 777 });
  const sales = await someSales(shop, 3);
  const url = await postgres.createDatabase();
  // Held up when it compares: a lock that somebody else has.
  await startTarget(service, url).then((target) => target.stop());
  await postgres.sql(
    `CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;
     CREATE TRIGGER hold AFTER UPDATE ON tenant FOR EACH ROW WHEN (new.place = 0) EXECUTE FUNCTION hold()`,
    database(url),
  );
  const child = spawn(COUNTERPART, moveArgs(url), {
    stdio: 'ignore',
    env: ownEnv(service),
  });
  const holding = "FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'UPDATE tenant SET place = 0%'";
  await until('the end of the move', async () => (await postgres.sql(`SELECT count(*) ${holding}`)) !== '0', 60_000);
  const closed = await shop.till().checkout(sales[0].sale);
  assert.deepEqual([closed.status, closed.json.code], [503, 'tenant_is_moving']);
  const early = await service.cli([...moveArgs(url), '--cancel']);
  assert.equal(early.code, 1);
  assert.match(early.stderr, /somebody else moves a tenant into the target just now/);
  child.kill('SIGKILL');
  await postgres.sql(`SELECT pg_terminate_backend(pid) ${holding}`);
  await postgres.sql('DROP FUNCTION hold CASCADE', database(url));

  await service.stop();
  await service.restart(); // it stays closed, whoever starts
  const still = await shop.till().checkout(sales[0].sale);
  assert.equal(still.json.code, 'tenant_is_moving');
  assert.deepEqual(await places(service), { 1: 'closed', 2: 'here' });
  const refused = await service.cli(['card', 'issue', '--tenant', '1', '--amount', '1.00']);
  assert.match(refused.stdout, /Tenant 1 is being moved to another store: try again in a minute/);
  const cancelled = await service.cli([...moveArgs(url), '--cancel'], { ms: 60_000 });
  assert.equal(cancelled.code, 0, cancelled.stderr);
  assert.equal(cancelled.json.cancelled, true);
  assert.deepEqual(await tableCounts(url), [0, 0, 0, 0, 0]);
  areIdentical(await shop.till().checkout(sales[0].sale), sales[0].answer);
  await someSales(shop, 2);
  await service.verifyIsClean();

  const target = await startTarget(service, url); // its laws are back
  await target.verifyIsClean();
  await target.stop();
  const told = await mustMove(service, url);
  assert.equal(told.moved, true);
  const late = await service.cli([...moveArgs(url), '--cancel']);
  assert.equal(late.code, 1);
  assert.match(late.stderr, /the target serves tenant 1: there is nothing that could be cancelled/);
  assert.deepEqual(await places(service), { 1: 'moved', 2: 'here' });
  await service.stop();
});

/** From the next move on the server ends the connection that gives the tenant its place there; what is returned ends that. */
async function loseTarget(service, url) {
  await startTarget(service, url).then((target) => target.stop());
  await postgres.sql(
    `CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
     PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
     CREATE TRIGGER lose AFTER UPDATE ON tenant FOR EACH ROW WHEN (new.place = 0) EXECUTE FUNCTION lose()`,
    database(url),
  );
  return () => postgres.sql('DROP FUNCTION lose CASCADE', database(url));
}

test('a target that is lost in the middle leaves the shop closed, says so, and the next run goes on', async () => {
  const service = await Service.start();
  const shop = await newTenant(service, { settings: ['--replay-window', '3600'] });
  const sales = await someSales(shop, 2);
  const url = await postgres.createDatabase();
  const find = await loseTarget(service, url);
  const { code, stderr } = await move(service, url);
  assert.equal(code, 1);
  assert.match(stderr, /tenant 1 stays closed: run the same command again.*or with --cancel/);
  assert.match(stderr, /the target broke off \(store_down\)/);
  assert.equal((await shop.till().checkout(sales[0].sale)).json.code, 'tenant_is_moving');
  await find();
  assert.equal((await mustMove(service, url)).moved, true);
  const target = await startTarget(service, url);
  for (const { sale, answer } of sales) areIdentical(await at(target, shop).till().checkout(sale), answer);
  await target.stop();
  await service.stop();
});

test('a shop that is closed is opened again also while the target cannot be reached', async () => {
  const service = await Service.start();
  const shop = await newTenant(service);
  await someSales(shop, 1);
  await service.stop();
  await run('sqlite3', [path.join(service.data, 'counterpart.sqlite'), 'UPDATE tenant SET place = 3']);
  await service.restart();
  assert.equal((await shop.till().checkBalance({ card: '1' })).json.code, 'tenant_is_moving');
  assert.deepEqual(await places(service), { 1: 'leaving' });
  const gone = 'postgresql://counterpart@127.0.0.1:1/none';
  const { code, stderr } = await service.cli([...moveArgs(gone), '--cancel']);
  assert.equal(code, 1);
  assert.match(stderr, /the target cannot be opened/);
  await someSales(shop, 1);
  await service.stop();
});

test('a target that was not verified to its end is verified when the move is run again, and not once more', async () => {
  const service = await Service.start();
  const shop = await newTenant(service);
  await someSales(shop, 1);
  await service.stop();
  const url = await postgres.createDatabase();
  await startTarget(service, url).then((target) => target.stop());
  const add = (amount) =>
    `SET session_replication_role = replica; UPDATE card SET balance_minor = balance_minor + ${amount}`;
  // Somebody breaks a row behind the back of the move, when all of them have been compared.
  await postgres.sql(
    `CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET session_replication_role = replica
     AS $$ BEGIN UPDATE card SET balance_minor = balance_minor + 1; RETURN NULL; END $$;
     CREATE TRIGGER break AFTER UPDATE ON tenant FOR EACH ROW WHEN (new.place = 0) EXECUTE FUNCTION break()`,
    database(url),
  );
  await mustNotMove(service, url, /the target breaks \d+ laws/);
  await postgres.sql('DROP FUNCTION break CASCADE', database(url));
  await mustNotMove(service, url, /was not verified to its end.*the target breaks \d+ laws/s);
  await postgres.sql(add(-1), database(url));
  assert.match((await mustMove(service, url)).stderr, /was not verified to its end/);
  await postgres.sql(add(1), database(url)); // what comes later is not the move's
  const last = await mustMove(service, url);
  assert.equal(last.moved, false);
  assert.doesNotMatch(last.stderr, /verified/);
});

test('a store that was restored from before the move lets go of the tenant when the move is run again', async () => {
  const service = await Service.start();
  const shop = await newTenant(service);
  await someSales(shop, 2);
  const folder = path.join(temporaryDirectory(), 'copy');
  await service.must(['backup', '--to', folder]);
  await someSales(shop, 1);
  const url = await postgres.createDatabase();
  await mustMove(service, url);
  await service.stop();
  const data = path.join(temporaryDirectory(), 'data');
  const { code, stderr } = await run(COUNTERPART, ['restore', '--from', folder, '--to', data]);
  assert.equal(code, 0, stderr);
  const restored = await Service.start({ data });
  assert.equal(await placeHere(restored, shop), true); // it cannot know
  assert.equal((await mustMove(restored, url)).moved, false);
  assert.equal(await placeHere(restored, shop), false);
  await restored.verifyIsClean();
  await restored.stop();
});

test('a connected merchant with members, a redemption, proofs and an approval moves with all of it', async (t) => {
  const { service, cloud } = await startPair(t, { env: { COUNTERPART_RECONCILE_SCAN_S: '0.2' } });
  const shop = await service.addTenant({ token: null });
  shop.token = cloud.signatureToken;
  await connect(service, cloud, shop);
  const loyalty = new Loyalty(service, cloud, shop);
  const member = await loyalty.addMember();
  await loyalty.addMember({ first: 'Zo\u00eb', last: 'M\u00fcller', email: 'zoe@example.com', points: 70 });
  const reward = await loyalty.addReward();
  const { id: order } = await cloud.order();
  isRedeemed(await loyalty.redeem(member, reward, order));
  const { number: card } = await shop.issue({ amount: '50.00' });
  const sale = { card, amount: '2.00', order };
  const answer = await shop.till().checkout(sale);
  isApproved(answer);
  await service.must(['foreign-orders', 'request', '--tenant', '1']);
  const who = ['--reference', 'LS-1', '--actor', 'ops@example.com'];
  for (const state of ['approved', 'revoked'])
    await service.must([
      ...['foreign-orders', 'record', '--tenant', '1', '--state', state, ...who],
      ...(state === 'approved' ? ['--payment-max', '0', '--day-max', '0', '--expires', 'never'] : []),
    ]);
  const reconcile = async (where) => (await where.cli(['reconcile', '--tenant', '1'])).json.tenants[0];
  await until('a proof', async () => (await reconcile(service)).not_looked_at.operations === 0);
  const before = await loyalty.points(member);
  const status = await service.must(['oauth', 'status']);
  const url = await postgres.createDatabase();
  const known = async () => (await service.must(['oauth', 'status'])).tenants.length;
  const find = await loseTarget(service, url);
  assert.equal((await move(service, url)).code, 1);
  await until('the service to let go of the tokens', async () => (await known()) === 0);
  await find();
  assert.equal((await service.cli([...moveArgs(url), '--cancel'], { ms: 60_000 })).code, 0);
  await until('the service to have them again', async () => (await known()) === 1);
  await service.must(['oauth', 'refresh', '--tenant', '1']);
  const told = await mustMove(service, url); // beside the service, which knows its tokens
  await until('the old service to forget its tokens', async () => (await known()) === 0);
  const refresh = await service.cli(['oauth', 'refresh', '--tenant', '1']);
  assert.match(refresh.stdout, /Tenant 1 has moved to another store/);
  await service.verifyIsClean();
  await service.stop();
  const rows = Object.fromEntries(told.tables.map(({ name, rows: count }) => [name, count]));
  assert.deepEqual([rows.member, rows.reward, rows.oauth_grant, rows.reservation], [2, 1, 1, 1]);
  assert.ok(rows.member_word > 4 && rows.proof === 1 && rows.foreign_change === 3 && rows.work > 0);

  await service.restart(); // it refreshes no token that is another's now, and does no work
  assert.deepEqual((await service.must(['oauth', 'status'])).tenants, []);
  assert.equal((await new Loyalty(service, cloud, shop).search('kent')).status, 503);
  await service.stop();
  const target = await startTarget(service, url);
  const there = new Loyalty(target, cloud, at(target, shop));
  assert.deepEqual(await there.points(member), before);
  assert.match((await there.search('mull')).text, /Zo\u00eb/);
  const [connection] = (await target.must(['oauth', 'status'])).tenants;
  assert.deepEqual(connection.status, status.tenants[0].status);
  areIdentical(await at(target, shop).till().checkout(sale), answer);
  await target.must(['oauth', 'refresh', '--tenant', '1']);
  await target.verifyIsClean();
  await target.stop();
});
