// Back-up and restore of a PostgreSQL store by the scripts of packaging/postgres, as an operator does them: a copy of
// the server made beside two processes that pay, its archived log, and a new server as it was at a moment.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { COMPANY, startCloud } from './cloud.mjs';
import { RATE_MAX, connect } from './loyal.mjs';
import { Postgres, runAsOwner } from './postgres.mjs';
import { RedisServer } from './redis_server.mjs';
import { COUNTERPART, ROOT, Service, areIdentical, freePort, isApproved, newOrder, run, sleep, temporaryDirectory,
  until } from './support.mjs';
import { spyOnSync } from './sync_spy.mjs';

const PATIENCE_MS = 60_000;
const SCRIPTS = path.join(ROOT, 'packaging/postgres');
const OUR_METHOD = 88;
const CLIENTS = 4;
// Who owns the servers may not enter every folder that the tests are in: what it runs lies in the cluster's.
const here = (name) => path.join(cluster.folder, name);

let cluster, redis, cloud, url;
let a, b; // the processes
let shop, cards;
let lost, kept; // what was answered after the moment, and before it
let moment; // that a restore goes to
let lostPiece; // of the log: what was answered after the moment is in it
let operationLast; // given out by the original
let generations; // of its tokens and hot balances

const sql = (text) => cluster.sql(text, url.split('/').at(-1));
const readGenerations = async () =>
  (await sql('SELECT token_generation, hot_generation FROM meta')).split('|').map(Number);
const operationOf = ({ json }) => Number(json.ref.match(/^CP1-(\d+)$/)[1]);
const at = (service) => Object.assign(Object.create(Object.getPrototypeOf(shop)), shop, { service });
const charge = (service, fields) => at(service).till().checkout(fields);
/** A busy machine may say "try again". */
const balanceAt = (service, card) =>
  until('a balance', async () => {
    const { json } = await at(service).till().checkBalance({ card });
    return json.success && json.balance.toFixed(2);
  });
const backUp = (to, ...more) =>
  run('bash', [path.join(SCRIPTS, 'backup.sh'), '--url', cluster.adminUrl, '--to', to, ...more]);
/** Ends a piece of the log, with a transaction in it: its name, once it is in the archive. */
const archivePiece = async () => {
  await cluster.sql("SELECT pg_logical_emit_message(true, 'test', 'the end of a piece')");
  const piece = await cluster.sql('SELECT pg_walfile_name(pg_switch_wal())');
  await until('the log to be archived', () => fs.existsSync(path.join(here('archive'), `${piece}.gz`)), PATIENCE_MS);
  return piece;
};
const own = async (folder) => {
  if (process.getuid() === 0) assert.equal((await run('chown', ['-R', 'postgres:', folder])).code, 0);
};
const restore = (from, to, ...more) =>
  runAsOwner('env', [
    ...[`COUNTERPART=${here('counterpart')}`, 'bash', here('restore.sh')],
    ...['--from', from, '--to', to, '--url', url, ...more],
  ]);

before(async () => {
  const ports = [await freePort(), await freePort()];
  const redirectUris = ports.map((port) => `http://127.0.0.1:${port}/oauth/callback`);
  [cluster, redis, cloud] = await Promise.all([
    Postgres.start({ settings: ['archive_mode = on', 'archive_timeout = 60'] }),
    RedisServer.start(),
    startCloud(undefined, { redirectUris }),
  ]);
  await cloud.settings({ rate_limit_bearer: RATE_MAX });
  for (const file of [COUNTERPART, ...['archive.sh', 'fetch.sh', 'restore.sh'].map((name) => path.join(SCRIPTS, name))])
    fs.copyFileSync(file, here(path.basename(file)));
  fs.mkdirSync(here('archive'));
  await own(here('archive'));
  await cluster.sql(`ALTER SYSTEM SET archive_command = '${here('archive.sh')} ${here('archive')} %p %f'`);
  await cluster.sql('SELECT pg_reload_conf()');
  url = await cluster.createDatabase();
  const env = {
    ...cloud.environment,
    COUNTERPART_DATABASE: url,
    COUNTERPART_REDIS: redis.url,
    COUNTERPART_RECONCILE_SCAN_S: '0.1',
    COUNTERPART_RECONCILE_SWEEP_S: '2',
  };
  a = await Service.start({ port: ports[0], env });
  b = await Service.start({ port: ports[1], env: { ...env, COUNTERPART_MASTER_KEY: path.join(a.data, 'master.key') } });
  await a.must([
    ...['app', 'set', '--surface', 'oseries', '--client-id', cloud.clientId],
    ...['--client-secret', cloud.clientSecret, '--signature-token', cloud.signatureToken],
  ]);
  shop = await a.addTenant({ company: COMPANY, token: null });
  shop.token = cloud.signatureToken;
  await connect(a, cloud, shop);
  await shop.set('--payment-method', String(OUR_METHOD), '--replay-window', '3600');
  await until('B to know the shop', async () => (await charge(b, { card: '1', amount: '1.00' })).status === 200);
});
after(async () => {
  for (const service of [a, b]) await service?.stop();
  await cloud?.stop();
  await redis?.stop();
  await cluster?.stop();
});

test('a back-up of a PostgreSQL store is asked of the script, and the program says so', async () => {
  const { code, stderr } = await a.cli(['backup', '--to', here('none')]);
  assert.equal(code, 1);
  assert.match(stderr, /packaging\/postgres\/backup\.sh/);
});

test('a copy of the server is made beside processes that pay, with its key and digests of all of it', async () => {
  cards = await Promise.all(Array.from({ length: CLIENTS }, () => shop.issue({ amount: '500.00' })));
  let isOver = false;
  const load = cards.map(async ({ number: card }, i) => {
    while (!isOver) isApproved(await charge(i % 2 ? a : b, { card, amount: '0.01', order: newOrder() }));
  });
  const { code, stderr } = await backUp(here('backup'), '--key', path.join(a.data, 'master.key'));
  isOver = true;
  await Promise.all(load);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /master\.key opens every card number/);
  assert.deepEqual(fs.readdirSync(here('backup')).sort(), ['SHA256SUMS', 'base', 'master.key']);
  for (const name of ['backup', 'backup/master.key']) assert.equal(fs.statSync(here(name)).mode & 0o077, 0, name);
  const again = await backUp(here('backup'), '--without-key');
  assert.equal(again.code, 1);
  assert.match(again.stderr, /is not empty/);
});

test('a store is not told that it was restored while a process serves it', async () => {
  const before = await sql('SELECT max(id) FROM operation');
  const data = here('other');
  fs.mkdirSync(data, { mode: 0o700 });
  fs.copyFileSync(path.join(a.data, 'master.key'), path.join(data, 'master.key'));
  fs.chmodSync(path.join(data, 'master.key'), 0o600);
  const env = { COUNTERPART_DATA: data, COUNTERPART_DATABASE: url };
  const { code, stderr } = await run(COUNTERPART, ['begin-anew'], { env });
  assert.equal(code, 1);
  assert.match(stderr, /is in use: stop every process of the service/);
  assert.equal(await sql('SELECT max(id) FROM operation'), before);
  const served = await a.cli(['begin-anew']);
  assert.equal(served.code, 1);
  assert.match(served.stderr, /in use by another counterpart/);
});

test('what was answered after the moment is lost with it, and paid at Lightspeed all the same', async () => {
  const order = await cloud.order({});
  kept = { card: cards[0].number, amount: '20.00', order: newOrder() };
  kept.reply = await charge(a, kept);
  isApproved(kept.reply);
  await sleep(50);
  moment = await cluster.sql('SELECT clock_timestamp()');
  await sleep(50);
  await archivePiece();
  lost = { card: cards[1].number, amount: '45.00', order: order.id };
  lost.reply = await charge(b, lost);
  isApproved(lost.reply);
  operationLast = operationOf(lost.reply);
  lost.balance = await balanceAt(a, lost.card); // Redis has it now
  const payment = { method_id: OUR_METHOD, amount: 45, ref: lost.reply.json.ref };
  await cloud.control('POST', `/orders/${order.id}/payments`, payment);
  await cloud.control('POST', `/orders/${order.id}/complete`, {});
  lostPiece = await archivePiece();
  generations = await readGenerations();
  for (const service of [a, b]) await service.stop();
  await archivePiece();
  await own(here('backup'));
});

test('the log of before the oldest back-up can be removed, and nothing that it needs', async () => {
  const [label] = fs.readFileSync(here('backup/base/backup_label'), 'utf8').match(/[0-9A-F]{24}/);
  const pieces = () => fs.readdirSync(here('archive')).filter((name) => /^[0-9A-F]{24}\.gz$/.test(name)).sort();
  const kept = pieces().filter((name) => name >= label);
  assert.ok(kept.length > 0 && kept.length < pieces().length, `${label}: ${pieces()}`);
  const trim = ['--archive', here('archive'), '--oldest', here('backup')];
  const { code, stderr } = await run('bash', [path.join(SCRIPTS, 'trim.sh'), ...trim]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(pieces(), kept);
});

test('restore refuses a back-up of which a byte has changed, another key, and a folder that is not empty', async () => {
  const copy = here('changed');
  fs.cpSync(here('backup'), copy, { recursive: true });
  const file = path.join(copy, 'base/PG_VERSION');
  const tables = fs.readdirSync(path.join(copy, 'base/global')).filter((name) => /^\d+$/.test(name));
  const table = path.join(copy, 'base/global', tables[0]);
  const bytes = fs.readFileSync(table);
  bytes[bytes.length - 1] ^= 1;
  fs.writeFileSync(table, bytes);
  await own(copy);
  const changed = await restore(copy, here('target'));
  assert.notEqual(changed.code, 0);
  assert.match(changed.stderr, /is not as it was/);
  fs.rmSync(path.join(copy, 'SHA256SUMS'));
  assert.match((await restore(copy, here('target'))).stderr, /no whole back-up/);
  fs.writeFileSync(here('other.key'), '09'.repeat(32), { mode: 0o600 });
  await own(here('other.key'));
  const another = await restore(here('backup'), here('target'), '--key', here('other.key'));
  assert.notEqual(another.code, 0);
  assert.match(another.stderr, /is not the master key that/);
  const full = await restore(here('backup'), path.dirname(file));
  assert.match(full.stderr, /is not empty/);
  assert.deepEqual(fs.existsSync(here('target')) ? fs.readdirSync(here('target')) : [], []);
  assert.equal(fs.existsSync(here('target.unfinished')), false);
});

test('a restore goes to the end of the log, and says how far it got', async () => {
  const { code, stderr } = await restore(here('backup'), here('whole'), '--archive', here('archive'));
  assert.equal(code, 0, stderr);
  const [, time] = stderr.match(/its last transaction is of (.+)$/m);
  assert.equal(await cluster.sql(`SELECT '${time}'::timestamptz > '${moment}'::timestamptz + interval '50 ms'`), 't');
  fs.rmSync(here('whole'), { recursive: true });
});

test('a piece of the archive that is damaged or lost ends a restore: it says which, and how far it got', async () => {
  const copies = ['cut', 'nonsense', 'gap'].map((name) => here(`archive-${name}`));
  const piece = (copy) => path.join(copy, `${lostPiece}.gz`);
  for (const copy of copies) fs.cpSync(here('archive'), copy, { recursive: true });
  const [cut, nonsense, gap] = copies;
  fs.truncateSync(piece(cut), fs.statSync(piece(cut)).size >> 1);
  fs.writeFileSync(piece(nonsense), gzipSync(Buffer.alloc(16 << 20, 7))); // well compressed, and no log
  fs.rmSync(piece(gap));
  for (const copy of copies) await own(copy);
  const refuse = async (name, archive, reason, ...more) => {
    const { code, stdout, stderr } = await restore(here('backup'), here(name), '--archive', archive, ...more);
    assert.notEqual(code, 0, name);
    assert.equal(stdout, '');
    const breaks = `breaks off at ${lostPiece} \\(${reason}.*the archive goes on to [0-9A-F]{24}$`;
    assert.match(stderr, new RegExp(breaks, 'm'));
    assert.deepEqual(fs.readdirSync(here(name)), []);
    const [, time] = stderr.match(/--until '(.+)'/);
    assert.equal(await cluster.sql(`SELECT '${time}'::timestamptz > '${moment}'::timestamptz`), 't', stderr);
    return time;
  };
  const times = await Promise.all([
    refuse('of-cut', cut, `fetch.sh: ${lostPiece} is damaged in`),
    refuse('of-nonsense', nonsense, 'there is no whole log in it'),
    refuse('of-gap', gap, `fetch.sh: ${lostPiece} is not in`),
    refuse('beyond-gap', gap, `fetch.sh: ${lostPiece} is not in`, '--until', '2100-01-01 00:00:00+00'),
  ]);
  const [time] = times;
  assert.deepEqual(times, times.map(() => time));
  const chosen = await restore(here('backup'), here('of-cut'), '--archive', cut, '--until', time);
  assert.equal(chosen.code, 0, chosen.stderr);
  fs.rmSync(here('of-cut'), { recursive: true });
});

test('restored to a moment: all that was answered before it, nothing of after it, and every law holds', async () => {
  const { code, stdout, stderr } = await restore(
    here('backup'),
    here('restored'),
    ...['--archive', here('archive-cut'), '--until', moment], // on purpose: before the damage
  );
  assert.equal(code, 0, stderr);
  assert.match(stderr, /its last transaction is of \d{4}-/);
  const told = JSON.parse(stdout);
  assert.ok(told.cards === CLIENTS && told.last_operation > operationLast, stdout);
  await cluster.replacePrimary('restored');
  const countOf = (condition) => sql(`SELECT count(*) FROM operation WHERE ${condition}`);
  assert.equal(await countOf(`id = ${operationOf(kept.reply)}`), '1');
  assert.equal(await countOf(`order_id = ${lost.order}`), '0');
  const [token, hot] = await readGenerations();
  assert.ok(token >= generations[0] + 2, 'tokens of the generation before are still good');
  assert.ok(hot > generations[1], 'entries in Redis of the original would be believed');
});

test('a process that has met a later timeline is told that it is another server now', async () => {
  const file = path.join(a.data, 'timeline');
  const [identifier] = fs.readFileSync(file, 'utf8').split(' ');
  fs.writeFileSync(file, `${identifier} 9\n`, { mode: 0o600 }); // as after many failovers
  await assert.rejects(a.restart(), /postgres_is_an_old_primary/);
  for (const service of [a, b]) {
    fs.rmSync(path.join(service.data, 'timeline'));
    await service.restart();
  }
});

test('a repetition gets its first answer at each process, and no reference of before is given out again', async () => {
  for (const service of [a, b]) areIdentical(await charge(service, kept), kept.reply);
  const next = await charge(b, { card: cards[2].number, amount: '1.00', order: newOrder() });
  isApproved(next);
  assert.ok(operationOf(next) > operationLast, `${operationOf(next)} after ${operationLast}`);
});

test('no process tells a balance of after the moment, though Redis has it', async () => {
  for (const service of [a, b]) {
    await until('the hot tier', async () => (await service.get('/readyz')).json.hot.ok);
    const balance = await balanceAt(service, lost.card);
    assert.equal((Number(balance) - Number(lost.balance)).toFixed(2), '45.00');
  }
});

test('the payment that was lost is listed as one that nobody claims', async () => {
  const item = await until(
    'the item',
    async () => {
      const { json } = await a.cli(['reconcile', '--tenant', String(shop.id)]);
      return json.tenants[0].items.find(({ state, order_id: order }) => state === 'unclaimed' && order === lost.order);
    },
    PATIENCE_MS,
  );
  assert.equal(item.ref, lost.reply.json.ref);
  await b.verifyIsClean();
});

test('a piece that is archived already, and the same, is on the disk before archive.sh says so', async () => {
  const folder = temporaryDirectory();
  const spy = spyOnSync(folder);
  const file = path.join(folder, 'piece');
  fs.writeFileSync(file, 'of the log');
  const archive = () => run('bash', [path.join(SCRIPTS, 'archive.sh'), folder, file, 'A'], { env: spy.env });
  for (const count of [2, 1]) {
    const { code, stderr } = await archive();
    assert.equal(code, 0, stderr);
    const calls = spy.read();
    assert.equal(calls.length, count);
    assert.ok(calls.at(-1).words.includes(folder) && calls.at(-1).there.includes('A.gz'));
  }
  fs.writeFileSync(file, 'another');
  assert.equal((await archive()).code, 1);
});

test('a dump that was loaded elsewhere keeps every law, and begins anew', async () => {
  const other = await cluster.createDatabase();
  const load = `pg_dump --no-owner --dbname=${url} | psql -X -q -1 -v ON_ERROR_STOP=1 ${other}`;
  const loaded = await run('bash', ['-o', 'pipefail', '-c', load]);
  assert.equal(loaded.code, 0, loaded.stderr);
  await b.stop();
  const { code, json, stderr } = await b.cli(['begin-anew'], { env: { COUNTERPART_DATABASE: other } });
  assert.equal(code, 0, stderr);
  assert.ok(json.last_operation > operationLast && json.cards === CLIENTS);
  await b.restart({ COUNTERPART_DATABASE: other });
  areIdentical(await charge(b, kept), kept.reply);
});
