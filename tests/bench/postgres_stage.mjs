// What ./dev bench measures on one PostgreSQL: the service in one process or several, and the baselines, each on a copy
// of a database that was filled once. Afterwards the money of each must be right.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Postgres } from '../http/postgres.mjs';
import { uniform, writeRequests, zipf } from './requests.mjs';

const here = dirname(fileURLToPath(import.meta.url));

export const CONNECTIONS = 64;
const LOAD_THREADS = 4; // as many as there are processes at most: each thread of wrk talks to one
const CHARGES_PER_S = 50_000; // requests prepared for one measurement: more than any of them can answer
const OPENING_MINOR = 10_000_000;

// Every commit is on the disk before it is answered. No checkpoint writes while something is measured: one is made
// before.
const SETTINGS = [
  ...[
    'fsync = on',
    'synchronous_commit = on',
    'full_page_writes = on',
    'shared_buffers = 1GB',
    'max_connections = 300',
  ],
  ...['max_wal_size = 16GB', 'checkpoint_timeout = 1h', 'wal_keep_size = 0', 'autovacuum_naptime = 60s'],
];

// The same numbers as cardNumber's, made by the server; popular ones all over the table.
const fillCards = (count) => `INSERT INTO card (number, balance_minor)
  SELECT digits || (10 - (
      SELECT sum(CASE WHEN at % 2 = 0 THEN digit ELSE digit * 2 - CASE WHEN digit > 4 THEN 9 ELSE 0 END END)
      FROM (SELECT at, substr(digits, at, 1)::INT AS digit FROM generate_series(1, 15) AS at) AS of
    ) % 10) % 10, ${OPENING_MINOR}
  FROM (SELECT '603628' || lpad(i::TEXT, 9, '0') AS digits FROM generate_series(0, ${count - 1}) AS i) AS card
  ORDER BY md5(digits)`;

// How many were charged; and what must be none, by name.
const CHECK_BASELINE = `SELECT json_build_object(
  'charged', (SELECT count(*) FROM operation WHERE is_charged),
  'cards whose balance is not what their transfers say', (
    SELECT count(*) FROM card LEFT JOIN (
        SELECT card_id, sum(amount_minor) AS charged, count(*) AS count FROM transfer GROUP BY card_id
      ) AS of ON of.card_id = card.id
    WHERE balance_minor <> ${OPENING_MINOR} - coalesce(charged, 0) OR version <> coalesce(of.count, 0)),
  'minor units too many or too few', (
    SELECT abs(count(*) * ${OPENING_MINOR} - sum(balance_minor)
      - (SELECT coalesce(sum(amount_minor), 0) FROM transfer)) FROM card),
  'orders charged twice', (SELECT count(*) - count(DISTINCT (order_id, card_id)) FROM operation WHERE is_charged),
  'operations without their transfer', (
    SELECT count(*) FROM operation LEFT JOIN transfer ON transfer.operation_id = operation.id
    WHERE is_charged <> (transfer.id IS NOT NULL)))`;

/** CPU time of a process and of those it started, ended ones included. One that ends meanwhile: once more. */
function familyUs(cpuUs, pid) {
  for (;;)
    try {
      const children = new Map();
      for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
        const parent = parentOf(id);
        children.set(parent, [...(children.get(parent) ?? []), Number(id)]);
      }
      const sum = (id) => (children.get(id) ?? []).reduce((total, child) => total + sum(child), cpuUs(id));
      return sum(pid);
    } catch (error) {
      if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error;
    }
}

/** Of a process of anybody's; 0: it has just ended. */
function parentOf(id) {
  try {
    return Number(
      readFileSync(`/proc/${id}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')[1],
    );
  } catch {
    return 0;
  }
}

/** What answers checkouts: one process or several on one database, and how far it has come in the prepared requests. */
class Subject {
  constructor(cluster, fields) {
    Object.assign(this, { cluster, next: { zipf: 0, uniform: 0 }, replies: 0 }, fields);
  }

  async measure(kind, tools, records, cores) {
    const count = tools.SECONDS * CHARGES_PER_S;
    const first = this.next[kind];
    this.next[kind] += count;
    if (this.next[kind] > records[kind].count) throw new Error('more measurements than prepared requests');
    let database = 0;
    const spent = () => {
      const before = database;
      database = familyUs(tools.cpuUs, this.cluster.primary.child.pid);
      this.databaseUs = database - before;
      return database + this.children.reduce((sum, { pid }) => sum + familyUs(tools.cpuUs, pid), 0);
    };
    const result = await tools.load(
      `http://127.0.0.1:${this.ports[0]}${this.path}`,
      this.children[0],
      CONNECTIONS,
      records[kind],
      first,
      count,
      { threads: LOAD_THREADS, cores, addresses: this.ports.map((port) => `127.0.0.1:${port}`).join(','), spent },
    );
    if (result.ranOut) throw new Error(`all ${count} prepared charges were sent: prepare more`);
    this.replies += result.requests;
    return { ...result, databaseCpu: this.databaseUs / result.requests };
  }

  /** Is the money right? Ends it, too. */
  async finish() {
    if (this.services) return this.#finishServices();
    this.children[0].kill('SIGTERM');
    await this.children[0].ended;
    const { charged, ...wrong } = JSON.parse(await this.cluster.sql(CHECK_BASELINE, this.database));
    const found = Object.entries(wrong).filter(([, count]) => count !== 0);
    if (found.length > 0) throw new Error(`${this.name}: ${JSON.stringify(Object.fromEntries(found))}`);
    if (charged < this.replies)
      throw new Error(`${this.name}: ${this.replies} replies, but only ${charged} charges moved money`);
  }

  async #finishServices() {
    const charged = await Promise.all(this.services.map((service) => service.charged()));
    const sum = charged.reduce((a, b) => a + b, 0);
    if (sum < this.replies)
      throw new Error(`${this.name}: ${this.replies} replies, but only ${sum} charges moved money`);
    if (!this.isLarge) await this.services[0].cli('verify');
    for (const service of this.services) await service.stop();
  }
}

/** A cluster with the stores of all that is measured, each filled once and copied for each subject. */
export class Stage {
  constructor(tools, label) {
    Object.assign(this, { tools, label, subjects: [], copies: 0, redisDatabases: 0 });
    // One core for the load; what is measured, PostgreSQL and Redis share the others as the scheduler likes.
    this.cores = { server: `0-${tools.CORES - 2}`, load: String(tools.CORES - 1) };
    this.serverCount = tools.IS_PINNED ? tools.CORES - 1 : tools.CORES;
  }

  async start(replica) {
    chmodSync(this.tools.work, 0o711); // the server runs as another account
    process.env.TMPDIR = this.tools.work; // the disk that SQLite is measured on
    this.cluster = await Postgres.start({ replica, settings: SETTINGS });
    if (!this.tools.IS_PINNED) return;
    for (const server of [this.cluster.primary, this.cluster.replica].filter(Boolean))
      for (const pid of [
        server.child.pid,
        ...execFileSync('pgrep', ['-P', String(server.child.pid)])
          .toString()
          .trim()
          .split('\n'),
      ])
        execFileSync('taskset', ['-apc', this.cores.server, String(pid)]);
  }

  /** A database with a tenant of the service and so many cards: {key, tenant, data, name}. */
  async fillStore(name, cards) {
    const { work, Service, cardNumber, note } = this.tools;
    const database = await this.cluster.createDatabase(name);
    const data = join(work, `data-${this.label}-${name}`);
    const service = await Service.start(data, 512, '', { COUNTERPART_DATABASE: database }, this.cores.server);
    await service.addTenant();
    const number = cardNumber(cards); // beyond those that are asked for
    await service.cli('card', 'issue', ...`--tenant ${service.tenant} --number ${number} --amount 100000.00`.split(' '));
    await service.stop();
    const begin = Date.now();
    await this.#setFsync('off'); // whoever loses the power now begins anew
    await this.#fillLike(name, data, service.tenant, cards);
    const tables = ['card', 'operation', 'transfer'];
    await Promise.all(tables.map((table) => this.#patiently(name, `VACUUM ANALYZE ${table}`)));
    execFileSync('sync');
    await this.#setFsync('on');
    note(`  ${cards} cards in ${((Date.now() - begin) / 1000).toFixed(1)} s`);
    return { key: service.key, data, name };
  }

  /** Each with an operation and a transfer, as issuing would leave them: like the one card that there is. */
  async #fillLike(name, data, tenant, cards) {
    const count = this.serverCount;
    const parts = Array.from({ length: count }, (_, part) => [
      Math.floor((cards * part) / count),
      Math.floor((cards * (part + 1)) / count),
    ]);
    const written = ['id', 'last_transfer_id', 'last_operation_id', 'number_index', 'last4', 'number_sealed'];
    const rest = await this.#columnsBut(name, 'card', written);
    const row = await this.cluster.sql(`COPY (SELECT ${rest} FROM card WHERE last_transfer_id = id) TO STDOUT`, name);
    const { note } = this.tools;
    await Promise.all(
      parts.map(async ([from, until], part) => {
        await this.#copyCards(name, `${written}, ${rest}`, [data, tenant, from, until, from + 2, row], part === 0);
        if (part === 0) note('  their cards; now their operations and transfers');
        await this.#insertLike(name, 'operation', { id: 'made', card_id: 'made' }, from + 2, until + 1);
        const changed = { operation_id: 'made', answers_operation_id: 'made', credit_account: 'credit_account + made - 1' };
        await this.#insertLike(name, 'transfer', { id: 'made', ...changed }, from + 2, until + 1);
      }),
    );
    await this.cluster.sql(`SELECT skip_ids(${cards + 1}, ${cards + 1}, ${cards + 1})`, name);
  }

  #columnsBut(database, table, names) {
    return this.cluster.sql(
      `SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '${table}'::regclass
        AND attnum > 0 AND NOT attisdropped AND attname <> ALL ('{${names}}')`,
      database,
    );
  }

  /** SQL of millions of rows: it may take minutes. made: what bench_cards makes of it comes in. */
  async #patiently(database, sql, made = null, isTold = false) {
    const psql = ['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', this.cluster.url(database, 'postgres'), '-c', sql];
    const child = made
      ? spawn('bash', ['-o', 'pipefail', '-c', `"\${@:${psql.length + 1}}" | "\${@:1:${psql.length}}"`, 'bash', ...psql, ...made], {
          stdio: ['ignore', 'ignore', isTold ? 'inherit' : 'ignore'],
        })
      : spawn(psql[0], psql.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] });
    const code = await new Promise((done) => child.once('exit', done));
    if (code !== 0) throw new Error(`${sql.slice(0, 60)} ...: psql ended with ${code}`);
  }

  #copyCards(database, columns, args, isTold) {
    const made = [join(this.tools.bin, 'bench_cards'), ...args.map(String)];
    return this.#patiently(database, `COPY card (${columns}) FROM STDIN`, made, isTold);
  }

  /** Rows like the first of a table, with ids from..until; what the triggers would look for is known to be there. */
  async #insertLike(database, table, changed, from, until) {
    const rest = await this.#columnsBut(database, table, Object.keys(changed));
    await this.#patiently(
      database,
      `SET session_replication_role = replica;
        INSERT INTO ${table} (${Object.keys(changed)}, ${rest}) SELECT ${Object.values(changed)}, ${rest}
        FROM ${table}, generate_series(${from}, ${until}) AS made WHERE id = 1`,
    );
  }

  async #setFsync(value) {
    await this.cluster.sql(`ALTER SYSTEM SET fsync = ${value}`);
    await this.cluster.sql('SELECT pg_reload_conf()');
    await this.cluster.primary.awaitTrue(`SELECT current_setting('fsync') = '${value}'`);
  }

  async fillBaseline(name) {
    await this.cluster.createDatabase(name);
    await this.cluster.sql(`SET ROLE counterpart; ${readFileSync(join(here, 'baseline.sql'), 'utf8')}`, name);
    await this.cluster.sql(fillCards(this.tools.CARDS), name);
    await this.cluster.sql('VACUUM ANALYZE', name);
  }

  async #copy(of) {
    const name = `${of}_${++this.copies}`;
    await this.cluster.sql(`CREATE DATABASE ${name} TEMPLATE ${of} OWNER counterpart`);
    // As the service's own sessions: what is known of a table that was empty a moment ago leads to no scans.
    await this.cluster.sql(`ALTER DATABASE ${name} SET enable_seqscan = off; ALTER DATABASE ${name} SET jit = off`);
    return name;
  }

  /** A database of its own in Redis: the subjects answer the same orders. */
  #redisUrl(redis) {
    return `${redis.url}/${++this.redisDatabases}`;
  }

  /** Processes of the service on a copy of a store, or on the store itself. */
  async addServices(name, store, { count = 1, redis, committers, isLarge = false } = {}) {
    const { work, Service, THREADS } = this.tools;
    const database = isLarge ? store.name : await this.#copy(store.name);
    const location = this.cluster.url(database);
    const redisUrl = redis ? this.#redisUrl(redis) : '';
    const services = [];
    for (let i = 0; i < count; i++) {
      const data = join(work, `data-${this.label}-${name.replaceAll(' ', '-')}-${i}`);
      mkdirSync(data, { mode: 0o700 });
      cpSync(join(store.data, 'master.key'), join(data, 'master.key'));
      services.push(
        await Service.start(
          data,
          512,
          redisUrl,
          {
            COUNTERPART_DATABASE: location,
            COUNTERPART_THREADS: String(THREADS),
            ...(committers && { COUNTERPART_COMMITTERS: String(committers) }),
          },
          this.cores.server,
        ),
      );
    }
    return this.#add(
      new Subject(this.cluster, {
        name,
        database,
        services,
        isLarge,
        children: services.map(({ child }) => child),
        ports: services.map(({ port }) => port),
        path: `/oseries/${store.key}/checkout`,
      }),
    );
  }

  addBaseline(name, form, connections) {
    const { bin, THREADS, TOKEN } = this.tools;
    return this.#addServer(name, join(bin, 'bench_baseline'), (port, url) => ({
      args: [port, THREADS, form, connections, url, TOKEN].map(String),
    }));
  }

  addNode(name, workers, redis) {
    const connections = Math.ceil(CONNECTIONS / workers);
    const env = {
      WORKERS: workers,
      CONNECTIONS: connections,
      REDIS_URL: this.#redisUrl(redis),
      SIGNATURE_TOKEN: this.tools.TOKEN,
      NODE_ENV: 'production',
    };
    return this.#addServer(name, process.execPath, (port, url) => ({
      args: [join(here, 'node/server.mjs')],
      env: Object.fromEntries(
        Object.entries({ ...env, PORT: port, DATABASE_URL: url }).map(([key, value]) => [key, String(value)]),
      ),
    }));
  }

  async #addServer(name, command, make) {
    const { start, ready, freePort } = this.tools;
    const database = await this.#copy('baseline');
    const port = await freePort();
    const { args, env } = make(port, `postgresql://counterpart@127.0.0.1:${this.cluster.primary.port}/${database}`);
    const child = start(command, args, env, this.cores.server);
    await ready(child, port, '/readyz');
    return this.#add(
      new Subject(this.cluster, { name, database, children: [child], ports: [port], path: '/checkout' }),
    );
  }

  #add(subject) {
    this.subjects.push(subject);
    return subject;
  }

  /** Requests that suit every subject: the baselines do not look at the path. */
  prepareRequests(name, key, cards, rounds, kinds = ['zipf', 'uniform']) {
    const { work, TOKEN, SECONDS, cardNumber, Records } = this.tools;
    const count = rounds * SECONDS * CHARGES_PER_S;
    const write = (kind, firstOrder, draw) => {
      const file = join(work, `${this.label}-${name}-${kind}.requests`);
      const bytes = writeRequests(
        file,
        count,
        { path: `/oseries/${key}/checkout`, token: TOKEN },
        (i) =>
          `{"company_id":5678,"site_id":923,"register_id":9091,"order_id":${firstOrder + i},` +
          `"keyword":"${cardNumber(draw())}","amount":0.01}`,
      );
      return new Records(file, bytes, count);
    };
    const draws = {
      zipf: () => write('zipf', 2_000_000_000, zipf(cards, 2)),
      uniform: () => write('uniform', 5_000_000_000, uniform(cards, 3)),
    };
    return Object.fromEntries(kinds.map((kind) => [kind, draws[kind]()]));
  }

  measure(subject, kind, records) {
    return subject.measure(kind, this.tools, records, this.cores.load);
  }

  /** In turns, so that a busy neighbour hits all of them; the first turn, which warms up, is not kept. */
  async measureAll(subjects, kinds, recordsOf) {
    const { note, keep, ROUNDS } = this.tools;
    await this.#patiently('postgres', 'CHECKPOINT');
    note('  warming up');
    for (const kind of kinds) for (const subject of subjects) await this.measure(subject, kind, recordsOf(subject));
    for (let round = 0; round < ROUNDS; round++)
      for (const kind of kinds)
        for (const subject of subjects)
          keep(
            `${this.label} ${subject.name}/${kind} ${CONNECTIONS}`,
            await this.measure(subject, kind, recordsOf(subject)),
          );
  }

  /** Ends all subjects, and their databases: what follows has the memory for itself. */
  async finishSubjects() {
    for (const subject of this.subjects.splice(0)) {
      await subject.finish();
      if (subject.database) await this.cluster.dropDatabase(subject.database);
    }
  }

  async finish() {
    await this.finishSubjects();
    await this.cluster.stop();
  }
}
