// Programs of three releases on one store: this one, the next, whose schema holds more, and the one after that, whose
// schema holds less. They take each other's place by packaging/upgrade.sh while tills pay, and nobody notices.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Postgres } from './postgres.mjs';
import { RedisServer } from './redis_server.mjs';
import { COUNTERPART, IS_SLOW, ROOT, Service, areIdentical, freePort, isApproved, newOrder, newTenant, run, spawnHelper,
  temporaryDirectory, until } from './support.mjs';

const CLIENTS = IS_SLOW ? 3 : 6;
const PATIENCE_MS = 30_000;
const UPGRADE = path.join(ROOT, 'packaging/upgrade.sh');
const NEXT = `${COUNTERPART}_later_1`; // adds to the schema
const AFTER_NEXT = `${COUNTERPART}_later_2`; // takes away what this program needs

const successors = new Set(); // process ids: they are children of ours no more
const living = new Set();
let cluster, redis, url;

const digestOf = (file) => crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex');
const sql = (text) => cluster.sql(text, url.split('/').at(-1));
const schema = async () => (await sql('SELECT schema_version, schema_oldest FROM meta')).split('|').map(Number);

/** A place for the program, and processes that were started from there. */
class Machine {
  constructor() {
    this.installed = path.join(temporaryDirectory(), 'counterpart');
    fs.copyFileSync(COUNTERPART, this.installed);
    this.processes = [];
  }

  async serve(env = {}) {
    const wrap = ['sh', '-c', 'exec "$0" serve', this.installed];
    const service = await Service.start({ wrap, env });
    living.add(service);
    service.process = service.pid;
    this.processes.push(service);
    return service;
  }

  async upgrade(options, ...services) {
    const folders = services.map(({ data }) => data);
    const script = ['bash', UPGRADE, ...options, '--installed', this.installed, ...folders];
    const ended = await run('timeout', [String(PATIENCE_MS / 1000), ...script]);
    const said = ended.stdout.split('\n').filter((line) => line.includes('"process"'));
    said.forEach((line, i) => this.#isNow(services[i], JSON.parse(line).process));
    return ended;
  }

  #isNow(service, id) {
    successors.delete(service.process);
    service.process = id;
    successors.add(id);
  }

  /** Which program is that process? */
  async runs(service, program) {
    assert.equal(digestOf(`/proc/${service.process}/exe`), digestOf(program));
    assert.equal(await service.probe('/readyz'), 200);
  }

  async stop() {
    for (const service of this.processes) {
      process.kill(service.process, 'SIGTERM');
      successors.delete(service.process);
      await service.ended; // whoever wrote to its log has gone
      living.delete(service);
      assert.doesNotMatch(service.log, /Sanitizer|CHECK failed/);
    }
  }
}

/** Tills that pay without a pause, at one process and at once again at another: whatever is no approval is kept. */
class Load {
  static async start(shop, services) {
    const load = Object.assign(new Load(), { isOver: false, shop, failures: [], clients: [] });
    for (let i = 0; i < CLIENTS; i++) load.clients.push({ ...(await shop.issue({ amount: '500.00' })), charges: 0 });
    load.work = Promise.all(load.clients.map((client, i) => load.#pay(client, i, services)));
    return load;
  }

  async #pay(client, i, services) {
    const agent = i % 2 > 0 && new http.Agent({ keepAlive: true, maxSockets: 1 });
    const till = (service) =>
      Object.assign(Object.create(Object.getPrototypeOf(this.shop)), this.shop, { service }).till({ agent });
    for (let round = i; !this.isOver; round++) {
      const fields = { card: client.number, amount: '0.01', order: newOrder() };
      const [one, other] = [services[round % services.length], services[(round + 1) % services.length]];
      try {
        const first = await till(one).checkout(fields);
        isApproved(first, { amount: '0.01' });
        client.charges++;
        areIdentical(await till(other).checkout(fields), first);
      } catch (error) {
        this.failures.push(`${error.code ?? ''} ${error.message}`);
      }
    }
    if (agent) agent.destroy();
  }

  /** Everybody has paid since. */
  async goesOn() {
    const seen = this.clients.map(({ charges }) => charges);
    await until('everybody to pay', () => this.clients.every(({ charges }, i) => charges > seen[i] + 2), PATIENCE_MS);
    assert.deepEqual(this.failures, []);
  }

  async end() {
    this.isOver = true;
    await this.work;
    assert.deepEqual(this.failures, []);
    for (const { number, charges } of this.clients)
      assert.equal(Math.round(Number((await this.shop.show(number)).balance) * 100), 50_000 - charges);
  }
}

const machine = new Machine();
let a, b, load;
before(async () => {
  [cluster, redis] = await Promise.all([Postgres.start(), RedisServer.start()]);
  url = await cluster.createDatabase();
  const env = { COUNTERPART_DATABASE: url, COUNTERPART_REDIS: redis.url };
  a = await machine.serve(env);
  b = await machine.serve({ ...env, COUNTERPART_MASTER_KEY: path.join(a.data, 'master.key') });
  const shop = await newTenant(a);
  const atB = Object.assign(Object.create(Object.getPrototypeOf(shop)), shop, { service: b });
  await until('B to know the shop', async () => (await atB.till().checkBalance({ card: '1' })).status === 200);
  load = await Load.start(shop, [a, b]);
});
after(async () => {
  for (const id of successors) process.kill(id, 'SIGKILL');
  for (const service of living) service.child.kill('SIGKILL');
  await redis?.stop();
  await cluster?.stop();
});

test('a migration that cannot have its lock soon lets the tills go by, and the old program serves on', async () => {
  const before = await sql('SELECT count(*) FROM operation');
  const report = spawnHelper('psql', ['-X', '-q', cluster.adminUrl.replace(/postgres$/, url.split('/').at(-1))]);
  report.stdin.write('BEGIN; SELECT count(*) FROM card;\n'); // and does not end
  await until('the report', async () => (await sql(held)) !== '0');
  const { code, stderr } = await machine.upgrade(['--program', NEXT], a);
  assert.equal(code, 1);
  assert.match(stderr, /nothing was changed/);
  await until('the reason in the log', () => a.log.includes('a long statement uses it'));
  assert.deepEqual(await schema(), [1, 1]);
  await machine.runs(a, COUNTERPART);
  await load.goesOn();
  assert.ok(Number(await sql('SELECT count(*) FROM operation')) > Number(before));
  report.stdin.end('ROLLBACK;\n');
  await until('the end of the report', async () => (await sql(held)) === '0');
});
const held = `SELECT count(*) FROM pg_locks WHERE relation = 'card'::regclass AND mode = 'AccessShareLock'
  AND pid IN (SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND application_name = 'psql')`;

test('the next program and this one serve side by side, and answer each other\'s retries alike', async () => {
  const { code, stderr } = await machine.upgrade(['--program', NEXT], a);
  assert.equal(code, 0, stderr);
  assert.deepEqual(await schema(), [2, 1]);
  await machine.runs(a, NEXT);
  await machine.runs(b, COUNTERPART);
  await load.goesOn();
  await b.verifyIsClean(); // by the program of before
});

test('a program of before starts on the later schema, and leaves it as it is', async () => {
  const env = { ...b.env, COUNTERPART_MASTER_KEY: path.join(a.data, 'master.key') };
  // On a busy machine the database may not answer in time: whoever looks after the program starts it again.
  const start = () => Service.start({ env }).catch(({ message }) => assert.match(message, /\(store_down\)/));
  const third = await until('it to start', start, PATIENCE_MS);
  await third.stop();
  assert.deepEqual(await schema(), [2, 1]);
});

test('all go back to the program of before without a refused request, and forward again', async () => {
  const back = await machine.upgrade(['--back'], a);
  assert.equal(back.code, 0, back.stderr);
  await machine.runs(a, COUNTERPART);
  await load.goesOn();
  const { code, stderr } = await machine.upgrade(['--program', NEXT], a);
  assert.equal(code, 0, stderr);
  await machine.runs(a, NEXT);
  await load.goesOn();
});

test('a schema that this program could not live with is not made while it serves anywhere', async () => {
  const { code, stderr } = await machine.upgrade(['--program', AFTER_NEXT], a);
  assert.equal(code, 1);
  assert.match(stderr, /nothing was changed/);
  await until('the reason in the log', () => a.log.includes('"event":"schema_is_in_use","by_programs_of":1,'));
  const sentence = "programs that could not live with this one's schema still use";
  await until('the sentence in the log', () => a.log.includes(sentence));
  assert.deepEqual(await schema(), [2, 1]);
  await machine.runs(a, NEXT);
  await load.goesOn();
  assert.equal(digestOf(`${machine.installed}.before`), digestOf(COUNTERPART), 'the way back is what it was');
});

test('once nobody needs what goes, the program after the next takes it away beside the next', async () => {
  assert.equal((await machine.upgrade(['--program', NEXT], b)).code, 0);
  await load.goesOn();
  const { code, stderr } = await machine.upgrade(['--program', AFTER_NEXT], a);
  assert.equal(code, 0, stderr);
  assert.deepEqual(await schema(), [3, 2]);
  await machine.runs(a, AFTER_NEXT);
  await machine.runs(b, NEXT);
  await load.goesOn();
});

test('a program that is too old for the store says so, and does nothing', async () => {
  const verified = await b.cli(['verify']);
  assert.equal(verified.code, 1);
  assert.match(verified.stderr, /a later program has changed the schema/);
  const env = { ...b.env, COUNTERPART_MASTER_KEY: path.join(a.data, 'master.key') };
  await assert.rejects(Service.start({ env }), /a later program has changed the schema/);
  await load.goesOn();
});

test('no till was refused in all that, every charge is in the ledger once, and all laws hold', async () => {
  await load.end();
  const { code, stdout } = await run(AFTER_NEXT, ['verify'], {
    env: { COUNTERPART_DATA: a.data, COUNTERPART_DATABASE: url },
  });
  assert.equal(code, 0, stdout);
  await machine.stop();
});

test('on SQLite the next program takes the place of this one under load, and this one cannot come back', async () => {
  const other = new Machine();
  const service = await other.serve({ COUNTERPART_DATABASE: undefined });
  const tills = await Load.start(await newTenant(service), [service]);
  const { code, stderr } = await other.upgrade(['--program', NEXT], service);
  assert.equal(code, 0, stderr);
  await other.runs(service, NEXT);
  await tills.goesOn();
  const back = await other.upgrade(['--back'], service);
  assert.equal(back.code, 1);
  assert.match(back.stderr, /nothing was changed/);
  assert.equal(digestOf(other.installed), digestOf(NEXT));
  await other.runs(service, NEXT);
  await tills.goesOn();
  await tills.end();
  const verified = await run(NEXT, ['verify'], { env: { COUNTERPART_DATA: service.data } });
  assert.equal(verified.code, 0, verified.stdout);
  await other.stop();
});
