// Real PostgreSQL clusters for suites: a primary on a free port of this machine, and a replica that follows it and can
// take its place. They do not flush to the disk: what is killed here is the server, not the machine. Ended with the tests.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';

import { freePort, run, spawnHelper, temporaryDirectory, until } from './support.mjs';

const PROGRAMS = '/usr/lib/postgresql/15/bin';
const IS_ROOT = process.getuid() === 0;
/** PostgreSQL refuses to run as root. */
const ACCOUNT = IS_ROOT ? ['--reuid', 'postgres', '--regid', 'postgres', '--clear-groups'] : [];
const SETTINGS = `
listen_addresses = '127.0.0.1'
fsync = off
max_connections = 100
shared_buffers = 32MB
wal_log_hints = on
wal_keep_size = 256MB
`;

export class PostgresServer {
  /** A new cluster with a role and a database counterpart. */
  static async start() {
    const server = await PostgresServer.#prepare();
    await server.#program('initdb', '-D', server.data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync');
    fs.appendFileSync(path.join(server.data, 'postgresql.auto.conf'), SETTINGS);
    await server.launch();
    await server.sql('CREATE ROLE counterpart LOGIN', 'CREATE DATABASE counterpart OWNER counterpart');
    return server;
  }

  /** A replica of this one; no commit returns before it has it when isSynchronous. */
  async startReplica({ isSynchronous = true } = {}) {
    const replica = await PostgresServer.#prepare();
    await replica.#program('pg_basebackup', '-D', replica.data, '-d', this.#conninfo, '-R', '-c', 'fast', '--no-sync');
    replica.#follow(this);
    await replica.launch();
    await until('the replica to stream', () => this.isTrue("SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'"));
    if (!isSynchronous) return replica;
    await this.sql("ALTER SYSTEM SET synchronous_standby_names = 'replica'", 'SELECT pg_reload_conf()');
    await until('it to be waited for', () => this.isTrue("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'"));
    return replica;
  }

  static async #prepare() {
    const server = new PostgresServer();
    server.port = await freePort();
    server.folder = temporaryDirectory();
    server.data = path.join(server.folder, 'data');
    if (IS_ROOT) assert.equal(spawnSync('chown', ['postgres:postgres', server.folder]).status, 0);
    return server;
  }

  get #conninfo() {
    return `host=127.0.0.1 port=${this.port} user=postgres dbname=postgres gssencmode=disable`;
  }

  async #program(name, ...args) {
    const { code, stdout, stderr } = await run('setpriv', [...ACCOUNT, '--', path.join(PROGRAMS, name), ...args], { cwd: '/' });
    assert.equal(code, 0, `${name}: exit ${code}\n${stdout}${stderr}`);
  }

  #follow(primary) {
    const line = `primary_conninfo = '${primary.#conninfo} application_name=replica'\n`;
    fs.appendFileSync(path.join(this.data, 'postgresql.auto.conf'), line);
  }

  /** Starts it, or starts it again on the same port. */
  async launch() {
    const args = ['-D', this.data, '-k', this.folder, '-p', String(this.port)];
    const spawn = () => {
      this.child = spawnHelper('setpriv', [...ACCOUNT, '--pdeathsig', 'QUIT', '--', path.join(PROGRAMS, 'postgres'), ...args]);
      this.ended = new Promise((resolve) => this.child.once('exit', resolve));
      this.log = '';
      this.child.stderr.on('data', (data) => (this.log += data));
    };
    spawn();
    await until('postgresql to answer', async () => {
      // Those whom a killed one has left behind need a moment to go.
      if (this.child.exitCode !== null) spawn();
      return (await this.#psql('SELECT 1')).code === 0;
    }, 60_000);
  }

  async #end(signal) {
    this.child.kill(signal);
    await this.ended;
  }

  stop() {
    return this.#end('SIGINT');
  }

  kill() {
    return this.#end('SIGKILL');
  }

  /** The replica becomes a primary, on a timeline of its own; it waits for nobody. */
  async promote() {
    fs.appendFileSync(path.join(this.data, 'postgresql.auto.conf'), "synchronous_standby_names = ''\n");
    await this.#program('pg_ctl', 'promote', '-D', this.data, '-w');
    await until('it to take writes', () => this.isTrue('SELECT NOT pg_is_in_recovery()'));
    await this.sql('SELECT pg_reload_conf()');
  }

  /** One that was stopped and replaced becomes the replica of the one that replaced it. */
  async rewind(primary) {
    await this.#program('pg_rewind', '-D', this.data, '--source-server', primary.#conninfo, '--no-sync');
    fs.writeFileSync(path.join(this.data, 'standby.signal'), '');
    if (IS_ROOT) assert.equal(spawnSync('chown', ['postgres:postgres', path.join(this.data, 'standby.signal')]).status, 0);
    this.#follow(primary);
    await this.launch();
  }

  #psql(...statements) {
    const commands = statements.flatMap((statement) => ['-c', statement]);
    return run(path.join(PROGRAMS, 'psql'), ['-X', '-q', '-A', '-t', '-d', this.#conninfo, ...commands], { cwd: '/' });
  }

  /** Each in a transaction of its own, as the superuser in the database postgres; gives what the last one printed. */
  async sql(...statements) {
    const { code, stdout, stderr } = await this.#psql(...statements);
    assert.equal(code, 0, stderr);
    return stdout.trim();
  }

  async isTrue(statement) {
    return (await this.sql(statement)) === 't';
  }

  /** What COUNTERPART_DATABASE takes; others: more servers of the same cluster. */
  location(...others) {
    const hosts = [this, ...others].map(({ port }) => `127.0.0.1:${port}`);
    return `postgresql://counterpart@${hosts.join(',')}/counterpart`;
  }
}
