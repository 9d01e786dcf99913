// A real PostgreSQL cluster for suites: a primary, and a synchronous replica where one is asked for. In a folder of
// its own, on free ports of this machine; ended and removed with the tests. PostgreSQL refuses to run as root: then it
// runs as the account that Debian's package makes.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { freePort, run, until } from './support.mjs';

const PROGRAMS = '/usr/lib/postgresql/15/bin';
const ACCOUNT = 'postgres';
const IS_ROOT = process.getuid() === 0;
const START_MS = 60_000; // a busy machine

const SETTINGS = [
  "listen_addresses = '127.0.0.1'",
  'fsync = off', // nobody cuts the power here; what is measured says otherwise
  'max_connections = 100',
  'shared_buffers = 32MB',
  'wal_log_hints = on',
  'wal_keep_size = 256MB',
  'max_wal_senders = 4',
  'hot_standby = on',
];

const become = IS_ROOT ? [`--reuid=${ACCOUNT}`, `--regid=${ACCOUNT}`, '--init-groups'] : [];
const program = (name, args) => [...become, '--', path.join(PROGRAMS, name), ...args];

/** A program, as the account that owns the servers: {code, stdout, stderr}. */
export const runAsOwner = (command, args, options) =>
  run('setpriv', [...become, '--', command, ...args], { cwd: '/', ms: START_MS, ...options });

async function must(name, args) {
  const { code, stdout, stderr } = await run('setpriv', program(name, args), { cwd: '/', ms: START_MS });
  assert.equal(code, 0, `${name} ${args.join(' ')}:\n${stdout}${stderr}`);
  return stdout.trimEnd();
}

const running = new Set();
const folders = new Set();
process.on('exit', () => {
  for (const server of running) server.endNow();
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

/** What nobody waits for any more, Z, has ended. */
function isAlive(pid) {
  try {
    return !/^\d+ \(.*\) Z/s.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** One server of a cluster. */
class PostgresServer {
  constructor(folder, port, name) {
    this.data = path.join(folder, name);
    this.folder = folder;
    this.port = port;
    this.logPath = path.join(folder, `${name}.log`);
  }

  get log() {
    return fs.existsSync(this.logPath) ? fs.readFileSync(this.logPath, 'utf8') : '';
  }

  /** A server that was killed leaves children that need a moment to notice: until then a new one ends at once. */
  async launch() {
    const end = Date.now() + START_MS;
    do {
      this.#spawn();
      await until(`PostgreSQL on port ${this.port}`, () => !this.isRunning || this.isAnswering(), START_MS);
    } while (!this.isRunning && Date.now() < end);
    assert.ok(this.isRunning, `PostgreSQL does not start:\n${this.log}`);
  }

  #spawn() {
    const log = fs.openSync(this.logPath, 'a');
    const args = program('postgres', ['-D', this.data, '-k', this.folder, '-p', String(this.port)]);
    // INT is its way of ending soon, whoever is connected.
    this.child = spawn('setpriv', ['--pdeathsig=INT', ...args], { stdio: ['ignore', log, log], cwd: '/' });
    fs.closeSync(log);
    this.child.unref();
    running.add(this);
    this.ended = new Promise((resolve) => {
      this.child.once('exit', resolve);
    });
    this.ended.then(() => running.delete(this));
  }

  get isRunning() {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  async isAnswering() {
    const args = ['-h', '127.0.0.1', '-p', String(this.port), '-q'];
    return (await run(path.join(PROGRAMS, 'pg_isready'), args)).code === 0;
  }

  /** What SQL gives, as text: a line for each row, | between columns. */
  async sql(text, database = 'postgres') {
    const args = ['-h', '127.0.0.1', '-p', String(this.port), '-U', 'postgres', '-d', database];
    const { code, stdout, stderr } = await run(path.join(PROGRAMS, 'psql'), [
      ...args,
      ...['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', text],
    ]);
    assert.equal(code, 0, `${text}:\n${stderr}`);
    return stdout.trimEnd();
  }

  awaitTrue(text) {
    return until(text, async () => (await this.sql(text)) === 't', START_MS);
  }

  write(...lines) {
    fs.appendFileSync(path.join(this.data, 'postgresql.auto.conf'), `${lines.join('\n')}\n`);
  }

  /** Its processes, the first one included. */
  get #pids() {
    const { pid } = this.child;
    const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return [pid, ...children.split(' ').filter(Boolean).map(Number)];
  }

  pause() {
    this.paused = this.#pids.filter((pid) => process.kill(pid, 'SIGSTOP'));
  }

  resume() {
    for (const pid of this.paused ?? []) process.kill(pid, 'SIGCONT');
    this.paused = undefined;
  }

  async end(signal) {
    if (!this.isRunning) return;
    this.resume();
    this.child.ref();
    const pids = this.#pids;
    this.child.kill(signal);
    await this.ended;
    // They outlive a postmaster that was killed until they next look for it, and might answer meanwhile.
    await until('the last backend', () => !pids.some(isAlive), START_MS);
  }

  /** For the end of the test process, which waits for nothing else. */
  endNow() {
    this.resume();
    const args = program('pg_ctl', ['stop', '-D', this.data, '-m', 'immediate', '-w', '-t', '10']);
    spawnSync('setpriv', args, { cwd: '/' });
  }
}

export class Postgres {
  /** replica: a second server that every commit waits for. settings: lines of postgresql.conf. */
  static async start({ replica = false, settings = [] } = {}) {
    const cluster = new Postgres();
    cluster.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'counterpart-postgres-'));
    folders.add(cluster.folder);
    if (IS_ROOT) assert.equal(spawnSync('chown', [`${ACCOUNT}:`, cluster.folder]).status, 0);
    cluster.databases = 0;
    cluster.primary = new PostgresServer(cluster.folder, await freePort(), 'first');
    const { data } = cluster.primary;
    await must('initdb', [
      ...['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions'],
    ]);
    cluster.primary.write(...SETTINGS, ...settings);
    await cluster.primary.launch();
    await cluster.primary.sql('CREATE ROLE counterpart LOGIN');
    if (replica) await cluster.#addReplica();
    return cluster;
  }

  async #addReplica() {
    this.replica = new PostgresServer(this.folder, await freePort(), 'second');
    const source = `host=127.0.0.1 port=${this.primary.port} user=postgres gssencmode=disable`;
    await must('pg_basebackup', ['-D', this.replica.data, '-d', source, '-R', '-c', 'fast', '--no-sync']);
    this.replica.write(`primary_conninfo = '${source} application_name=replica'`);
    await this.replica.launch();
    await this.#waitForReplica();
  }

  /** From now on every commit is on the replica, and so is what came before. */
  async #waitForReplica() {
    await this.primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'replica'");
    await this.primary.sql('SELECT pg_reload_conf()');
    await this.primary.awaitTrue("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'");
  }

  /** An empty database: its URL, which names every server of the cluster. */
  async createDatabase(name = `counterpart_${++this.databases}`) {
    await this.primary.sql(`CREATE DATABASE ${name} OWNER counterpart`);
    return this.url(name);
  }

  dropDatabase(name) {
    return this.primary.sql(`DROP DATABASE ${name} WITH (FORCE)`);
  }

  url(name, account = 'counterpart') {
    const hosts = [this.primary, this.replica].filter(Boolean).map(({ port }) => `127.0.0.1:${port}`);
    return `postgresql://${account}@${hosts.join(',')}/${name}`;
  }

  /** Of the cluster's owner, the primary first. */
  get adminUrl() {
    return this.url('postgres', 'postgres');
  }

  /** SQL on the primary; see PostgresServer. */
  sql(text, database) {
    return this.primary.sql(text, database);
  }

  /** As a machine that loses its power. */
  killPrimary() {
    return this.primary.end('SIGKILL');
  }

  /** The replica becomes the primary, and has no replica itself; `replaced` is the old one. */
  async promote() {
    await must('pg_ctl', ['promote', '-D', this.replica.data, '-w']);
    await this.replica.awaitTrue('SELECT NOT pg_is_in_recovery()');
    this.replaced = this.primary;
    this.primary = this.replica;
    this.replica = undefined;
  }

  /** The primary that was replaced comes back and knows of nothing; it waits for no replica. */
  async revive() {
    this.replaced.write("synchronous_standby_names = ''");
    await this.replaced.launch();
  }

  /** The primary that was replaced follows the new one, as its synchronous replica. */
  async rejoin() {
    const server = this.replaced;
    await server.end('SIGINT');
    const source = `host=127.0.0.1 port=${this.primary.port} user=postgres gssencmode=disable`;
    await this.primary.sql('CHECKPOINT'); // pg_rewind reads the timeline there
    await must('pg_rewind', ['-D', server.data, '--source-server', `${source} dbname=postgres`, '--no-sync']);
    server.write("synchronous_standby_names = ''", `primary_conninfo = '${source} application_name=replica'`);
    const signal = path.join(server.data, 'standby.signal');
    fs.writeFileSync(signal, '');
    if (IS_ROOT) assert.equal(spawnSync('chown', [`${ACCOUNT}:`, signal]).status, 0);
    this.replica = server;
    this.replaced = undefined;
    await server.launch();
    await this.#waitForReplica();
  }

  /** Another data folder, beside those of the cluster, takes the place of the primary at its address. */
  async replacePrimary(name) {
    await this.primary.end('SIGKILL');
    this.primary = new PostgresServer(this.folder, this.primary.port, name);
    await this.primary.launch();
  }

  /** The replica stands still: it takes what is sent and says nothing, and commits wait for it. */
  pauseReplica() {
    this.replica.pause();
  }

  resumeReplica() {
    this.replica.resume();
  }

  async stop() {
    for (const server of [this.replica, this.primary, this.replaced]) await server?.end('SIGINT');
    fs.rmSync(this.folder, { recursive: true, force: true });
    folders.delete(this.folder);
  }
}
