// ./dev bench: one table of ratios, all taken in one run on one machine.
//   bench.mjs [--quick] [--cards N] [--many N] [--members N] [--rounds N] [--seconds N] [--only payments|redis|growth|search|postgres]
// Compares the service with a bare libh2o that answers the same bytes (the floor), with itself committing one command
// at a time (COUNTERPART_BATCH_MAX=1), and with what the disk can flush. Measurements that are compared alternate, and
// the median of the rounds is told, so that a busy neighbour hits both sides.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { connect, createServer } from 'node:net';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { writeCsvFile } from './members.mjs';
import { SharedStore } from './postgres.mjs';
import { writeRequests, zipf } from './requests.mjs';
import { KINDS, MIX_CONNECTIONS, PACE_PER_S, Searches } from './search.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');
const bin = join(root, 'build/release');

const option = (name, value) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? value : Number(process.argv[at + 1]);
};
const IS_QUICK = process.argv.includes('--quick');
const CARDS = option('cards', 100_000);
const MANY = option('many', IS_QUICK ? 1_000_000 : 10_000_000); // cards of a store that has grown
const MEMBERS = option('members', IS_QUICK ? 100_000 : 1_000_000);
const ONLY = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : '';
const ROUNDS = option('rounds', IS_QUICK ? 1 : 3);
const SECONDS = option('seconds', IS_QUICK ? 2 : 4);
const THREADS = 2; // loop threads of the service and of the floor
const CORES = availableParallelism?.() ?? cpus().length;
const LOAD_THREADS = Math.max(1, Math.min(2, CORES - THREADS)); // wrk's share of the machine
// Where there are enough cores, what is measured and what measures it have cores of their own: else the scheduler's
// choice between the two is what a tail shows.
const IS_PINNED = CORES >= 2 * THREADS;
const SERVICE_CORES = `0-${(CORES >> 1) - 1}`, LOAD_CORES = `${CORES >> 1}-${CORES - 1}`;
const TOKEN = 'bench-signature-token';
const TICKS_PER_S = Number(execFileSync('getconf', ['CLK_TCK']).toString());
// Requests prepared for one measurement: more than the machine can send. A run that sends them all is thrown away.
const CHARGES_PER_S = { 1: 12_000, 8: 40_000, 64: 90_000, 1024: 90_000 };
const CONNECTIONS = [1, 64, 1024];
const BALANCES = 200_000;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const note = (text) => process.stderr.write(`${text}\n`);

// --- programs under measurement ----------------------------------------------------------------------------------

const children = new Set();
const started = [];
const work = mkdtempSync(join(process.env.BENCH_DIR ?? join(root, 'build'), 'bench-'));
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(work, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

const pinned = (cores, command, args) => (IS_PINNED ? ['taskset', ['-c', cores, command, ...args]] : [command, args]);
if (IS_PINNED) execFileSync('taskset', ['-apc', LOAD_CORES, String(process.pid)]); // searches are paced from here

function start(command, args, env = {}, cores = SERVICE_CORES) {
  const child = spawn(...pinned(cores, command, args), { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  children.add(child);
  started.push(child);
  child.log = '';
  child.stderr.on('data', (data) => { child.log = (child.log + data).slice(-4000); });
  child.ended = new Promise((done) => child.once('exit', (code) => { children.delete(child); done(code); }));
  return child;
}

function freePort() {
  return new Promise((done, fail) => {
    const server = createServer().once('error', fail);
    server.listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => done(port)); });
  });
}

function get(port, path) {
  return new Promise((done) => {
    const req = httpRequest({ host: '127.0.0.1', port, path, agent: false }, (res) => {
      const parts = [];
      res.on('data', (part) => parts.push(part)).on('end', () => done({ status: res.statusCode, text: Buffer.concat(parts).toString() }));
    });
    req.once('error', () => done({ status: 0, text: '' }));
    req.end();
  });
}

async function ready(child, port, path) {
  for (const end = Date.now() + 60_000; Date.now() < end && child.exitCode === null; await sleep(1))
    if ((await get(port, path)).status === 200) return;
  throw new Error(`${child.spawnfile} did not become ready:\n${child.log}`);
}

/** CPU time a process has used so far, all threads, and its children that have ended, in microseconds. */
function cpuUs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return (fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * 1e6) / TICKS_PER_S;
}
const residentMb = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

class Service {
  static async start(data, batchMax, redis = '', more = {}, cores = SERVICE_CORES) {
    const service = new Service();
    service.data = data;
    service.port = await freePort();
    service.batchMax = batchMax;
    const begin = process.hrtime.bigint();
    service.child = start(join(bin, 'counterpart'), ['serve'], { COUNTERPART_DATA: data, COUNTERPART_THREADS: String(THREADS),
      COUNTERPART_LISTEN: `127.0.0.1:${service.port}`, COUNTERPART_BATCH_MAX: String(batchMax),
      COUNTERPART_REDIS: redis, ...more }, cores);
    service.environment = { COUNTERPART_DATA: data, ...more };
    await ready(service.child, service.port, '/readyz');
    service.startMs = Number(process.hrtime.bigint() - begin) / 1e6;
    service.pid = service.child.pid;
    return service;
  }
  url(action) { return `http://127.0.0.1:${this.port}/oseries/${this.key}/${action}`; }
  async cli(...args) {
    const { stdout } = await promisify(execFile)(join(bin, 'counterpart'), args, { env: { ...process.env, ...this.environment }, maxBuffer: 1 << 28 });
    return JSON.parse(stdout);
  }
  async addTenant() {
    const tenant = await this.cli('tenant', 'add', '--name', 'Bench', '--currency', 'AUD', '--timezone', 'Australia/Sydney',
      '--oseries-company', '5678', '--signature-token', TOKEN);
    this.tenant = tenant.id;
    this.key = tenant.key;
  }
  async stop() {
    this.child.kill('SIGTERM');
    const code = await this.child.ended;
    if (code !== 0) throw new Error(`counterpart ended with ${code}:\n${this.child.log}`);
  }
  /** Charges that moved money so far, by the service's own count. */
  async charged() {
    const { text } = await get(this.port, '/metrics');
    const line = /^counterpart_outcomes_total\{action="charge",result="ok",replay="false"\} (\d+)/m.exec(text);
    return line ? Number(line[1]) : 0;
  }
}

// --- cards -------------------------------------------------------------------------------------------------------

/** Numbers without meaning but of the right form: 15 digits and the Luhn digit. */
function cardNumber(index) {
  const digits = `603628${String(index).padStart(9, '0')}`;
  let sum = 0;
  for (let i = 0; i < 15; i++) {
    const doubled = Number(digits[14 - i]) * (i % 2 === 0 ? 2 : 1);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return digits + ((10 - (sum % 10)) % 10);
}

/** Over the admin socket, many at once: group commit makes this fast. */
async function issueCards(service, count) {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const issue = (index) => new Promise((done, fail) => {
    const body = JSON.stringify({ tenant: service.tenant, number: cardNumber(index), amount: '100000.00' });
    const req = httpRequest({ socketPath: join(service.data, 'admin.sock'), path: '/admin/card/issue', method: 'POST', agent,
      headers: { 'Content-Type': 'application/json', 'Content-Length': body.length } }, (res) => {
      const parts = [];
      res.on('data', (part) => parts.push(part)).on('end', () => (res.statusCode === 200 ? done() : fail(new Error(Buffer.concat(parts).toString()))));
    });
    req.once('error', fail);
    req.end(body);
  });
  let next = 0;
  await Promise.all(Array.from({ length: 64 }, async () => {
    while (next < count) await issue(next++);
  }));
  agent.destroy();
}

// --- load --------------------------------------------------------------------------------------------------------

class Records {
  constructor(file, bytes, count) { Object.assign(this, { file, bytes, count, next: 0 }); }
  take(count) {
    const first = this.next;
    this.next += count;
    if (this.next > this.count) throw new Error('more measurements than prepared requests');
    return first;
  }
}

/** One wrk run: {rate, p50, p99, p999 (us), cpu (us a request), requests}. addresses: "host:port,..." that its threads
 *  take in turn instead of the URL's. */
async function load(url, child, connections, records, first, count, options = {}) {
  const { threads = Math.min(connections, LOAD_THREADS), cores = LOAD_CORES, addresses = '', spent = () => cpuUs(child.pid) } = options;
  const before = spent();
  const { stdout } = await promisify(execFile)(...pinned(cores, 'wrk', ['-t', threads, '-c', connections, '-d', `${SECONDS}s`,
    '--latency', '--timeout', '10s', '-s', join(here, 'load.lua'), url, '--', records.file, records.bytes, first,
    Math.floor(count / threads)].map(String)), { env: { ...process.env, BENCH_ADDRESSES: addresses } });
  if (child.exitCode !== null || child.signalCode !== null)
    throw new Error(`${child.spawnfile} ended under load (${child.exitCode ?? child.signalCode}):\n${child.log}`);
  const cpu = spent() - before;
  const line = /^RESULT (.*)$/m.exec(stdout);
  if (!line) throw new Error(`wrk said nothing:\n${stdout}`);
  const result = JSON.parse(line[1]);
  if (result.bad_status + result.broken > 0) throw new Error(`${url}: ${result.bad_status} bad statuses, ${result.broken} broken connections`);
  return { requests: result.requests, ranOut: result.ran_out > 0, rate: (result.requests * 1e6) / result.duration_us, cpu: cpu / result.requests,
    p50: result.p50_us, p99: result.p99_us, p999: result.p999_us };
}

const results = new Map();
function keep(name, result) {
  if (!results.has(name)) results.set(name, []);
  results.get(name).push(result);
  note(`  ${name.padEnd(28)} ${result.rate.toFixed(0).padStart(8)} /s   p50 ${result.p50} us   p99.9 ${result.p999} us   cpu ${result.cpu.toFixed(2)} us`);
}
const typical = (name, field) => median(results.get(name).map((result) => result[field]));

// --- the measurements --------------------------------------------------------------------------------------------

/** Look-ups by Zipf's law: {path, records, sample: the first as it is sent}. */
function prepareBalances(service) {
  const draw = zipf(CARDS);
  const path = `/oseries/${service.key}/check-balance`;
  const file = join(work, 'balance.requests');
  const bytes = writeRequests(file, BALANCES, { path, token: TOKEN }, () =>
    `{"company_id":5678,"site_id":923,"register_id":9091,"keyword":"${cardNumber(draw())}"}`);
  return { path, records: new Records(file, bytes, BALANCES), sample: execFileSync('head', ['-c', String(bytes), file]).toString() };
}

async function measureBalance(service) {
  const { path, records, sample } = prepareBalances(service);
  const reply = await exchange(service.port, sample);
  if (!JSON.parse(reply).success) throw new Error(`check-balance refused: ${reply}`);

  const port = await freePort();
  const floor = start(join(bin, 'bench_floor'), [String(port), String(THREADS), reply]);
  await ready(floor, port, '/');
  const url = `http://127.0.0.1:${port}${path}`;
  // The subject is the memory tier: the cards' first look-ups, which ask the store, are over before anything is measured.
  await load(service.url('check-balance'), service.child, 64, records, 0, BALANCES);
  for (let round = 0; round < ROUNDS; round++)
    for (const connections of CONNECTIONS) {
      keep(`floor ${connections}`, await load(url, floor, connections, records, 0, BALANCES));
      keep(`check-balance ${connections}`, await load(service.url('check-balance'), service.child, connections, records, 0, BALANCES));
    }
  floor.kill('SIGTERM');
}

// --- hot balances in Redis ---------------------------------------------------------------------------------------

class Redis {
  static async start() {
    const redis = new Redis();
    redis.port = await freePort();
    redis.child = start('redis-server', ['--port', redis.port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'].map(String));
    for (const end = Date.now() + 10_000; !(await redis.answers()); await sleep(10))
      if (Date.now() > end) throw new Error('redis-server did not start');
    return redis;
  }
  get url() { return `redis://127.0.0.1:${this.port}`; }
  answers() {
    return new Promise((done) => {
      const socket = connect(this.port, '127.0.0.1').once('connect', () => { socket.destroy(); done(true); }).once('error', () => done(false));
    });
  }
  send(...words) {
    return new Promise((done, fail) => {
      const socket = connect(this.port, '127.0.0.1').once('error', fail);
      socket.once('data', () => { socket.destroy(); done(); });
      socket.write(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`);
    });
  }
}

/** Balances against the floor; then what each trouble of Redis costs balances and checkouts. */
async function redisTier() {
  note(`a Redis, and ${CARDS} cards`);
  const redis = await Redis.start();
  const { key, tenant, data } = await prepareCards('redis', CARDS);
  const service = Object.assign(await Service.start(data, 512, redis.url), { key, tenant });
  const balances = prepareBalances(service);
  const port = await freePort();
  const floor = start(join(bin, 'bench_floor'), [String(port), String(THREADS), await exchange(service.port, balances.sample)]);
  await ready(floor, port, '/');
  const count = SECONDS * CHARGES_PER_S[8];
  const troubles = {
    up: async () => {},
    flushed: async () => { await redis.send('FLUSHALL'); },
    paused: async () => { redis.child.kill('SIGSTOP'); },
    killed: async () => { redis.child.kill('SIGCONT'); redis.child.kill('SIGKILL'); await redis.child.ended; },
  };
  const charges = prepareCharges(service, 'charges-redis', Object.keys(troubles).length * count);
  const look = (connections) => load(service.url('check-balance'), service.child, connections, balances.records, 0, BALANCES);
  await look(64); // what was never asked for is not what is measured
  for (let round = 0; round < ROUNDS; round++) {
    keep('floor/redis 64', await load(`http://127.0.0.1:${port}${balances.path}`, floor, 64, balances.records, 0, BALANCES));
    keep('check-balance/redis 64', await look(64));
  }
  for (const [trouble, begin] of Object.entries(troubles)) {
    await begin();
    const stop = trouble === 'flushed' ? setInterval(() => redis.send('FLUSHALL').catch(() => {}), 100) : undefined;
    keep(`check-balance/redis ${trouble} 8`, await look(8));
    keep(`checkout/redis ${trouble} 8`, await load(service.url('checkout'), service.child, 8, charges, charges.take(count), count));
    clearInterval(stop);
  }
  await service.cli('verify');
  await service.stop();
  floor.kill('SIGTERM');
  return Object.keys(troubles);
}

function redisTable(troubles) {
  console.log('');
  const reached = ratio('check-balance/redis 64', 'floor/redis 64', 'rate');
  row('check-balance with Redis over floor, requests/s, 64 connections', reached.toFixed(2), '>= 0.40', reached >= 0.4);
  for (const what of ['check-balance', 'checkout'])
    for (const trouble of troubles.filter((name) => name !== 'up')) {
      const cost = (field) => typical(`${what}/redis ${trouble} 8`, field) / typical(`${what}/redis up 8`, field);
      row(`${what}, Redis ${trouble} over up: p50, p99`, `${cost('p50').toFixed(2)}, ${cost('p99').toFixed(2)}`, 'shown', true);
    }
}

/** The body of the reply to raw request bytes. */
function exchange(port, raw) {
  const [head, body] = raw.split('\r\n\r\n');
  const [first, ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(lines.map((line) => line.split(': ')));
  return new Promise((done, fail) => {
    const req = httpRequest({ host: '127.0.0.1', port, path: first.split(' ')[1], method: 'POST', headers, agent: false }, (res) => {
      const parts = [];
      res.on('data', (part) => parts.push(part)).on('end', () => done(Buffer.concat(parts).toString()));
    });
    req.once('error', fail);
    req.end(body);
  });
}

function prepareCharges(service, name, count = ROUNDS * SECONDS * CONNECTIONS.reduce((sum, n) => sum + CHARGES_PER_S[n], 0), cards = CARDS) {
  const draw = zipf(cards, 2);
  const file = join(work, `${name}.requests`);
  const bytes = writeRequests(file, count, { path: `/oseries/${service.key}/checkout`, token: TOKEN }, (i) =>
    `{"company_id":5678,"site_id":923,"register_id":9091,"order_id":${2_000_000_000 + i},"keyword":"${cardNumber(draw())}","amount":0.01}`);
  return new Records(file, bytes, count);
}

async function measureCharges(services) {
  const charges = services.map((service) => prepareCharges(service, `charges-${service.batchMax}`));
  for (let round = 0; round < ROUNDS; round++)
    for (const connections of CONNECTIONS)
      for (const [i, service] of services.entries()) {
        const count = SECONDS * CHARGES_PER_S[connections];
        const before = await service.charged();
        const result = await load(service.url('checkout'), service.child, connections, charges[i], charges[i].take(count), count);
        const moved = (await service.charged()) - before;
        if (result.ranOut) throw new Error(`all ${count} prepared charges were sent: prepare more`);
        if (moved < result.requests) throw new Error(`${result.requests} replies, but only ${moved} charges moved money`);
        keep(`checkout/${service.batchMax} ${connections}`, result);
      }
}

// --- a store that has grown --------------------------------------------------------------------------------------

/** A stopped service whose store has this many cards. */
async function prepareCards(name, cards) {
  const made = await prepare(name);
  await made.stop();
  execFileSync(join(bin, 'bench_cards'), [made.data, made.tenant, cards].map(String), { stdio: ['ignore', 'ignore', 'inherit'] });
  return made;
}

async function grow(name, cards) {
  const { key, tenant, data } = await prepareCards(name, cards);
  return Object.assign(await Service.start(data, 512), { key, tenant, cards, name });
}

/** Reads a file through: some hypervisors take back what nobody has read for a minute. A store whose pages must come
 * from the disk is another measurement; the row of disk reads says how far it was so. */
function warm(file) {
  const chunk = Buffer.alloc(1 << 20);
  const from = openSync(file, 'r');
  while (readSync(from, chunk, 0, chunk.length, null) > 0);
  closeSync(from);
}

const bytesReadBy = (child) => Number(/^read_bytes: (\d+)$/m.exec(readFileSync(`/proc/${child.pid}/io`, 'utf8'))[1]);

/** Charges by Zipf's law among few cards and among many, in turns. */
async function growth() {
  note(`stores of ${CARDS} and ${MANY} cards`);
  const services = [await grow('few', CARDS), await grow('many', MANY)];
  execFileSync('sync');
  const count = SECONDS * CHARGES_PER_S[64];
  const charges = services.map((service) => prepareCharges(service, `charges-${service.name}`, (ROUNDS + 1) * count, service.cards));
  note('charges');
  const measure = async (i) => {
    const { child, data } = services[i];
    warm(join(data, 'counterpart.sqlite'));
    const before = bytesReadBy(child);
    const result = await load(services[i].url('checkout'), child, 64, charges[i], charges[i].take(count), count);
    return { ...result, readPerRequest: (bytesReadBy(child) - before) / result.requests };
  };
  for (const i of services.keys()) await measure(i); // the caches of the processes are filled from here on
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, service] of services.entries()) keep(`checkout/${service.name} 64`, await measure(i));
  for (const service of services) {
    if (service.name === 'few') await service.cli('verify');
    await service.stop();
  }
  return services[1].startMs;
}

function growthTable(startMs) {
  const kept = ratio('checkout/many 64', 'checkout/few 64', 'rate');
  console.log('');
  row(`checkout with ${MANY} cards over ${CARDS}, requests/s, 64 connections`, kept.toFixed(2), '>= 0.7', kept >= 0.7);
  const read = typical('checkout/many 64', 'readPerRequest');
  row(`disk reads a charge, ${MANY} cards`, `${read.toFixed(0)} bytes`, 'shown', true);
  row(`start to ready, ${MANY} cards`, `${startMs.toFixed(0)} ms`, '<= 500 ms', startMs <= 500);
}

// --- searches ----------------------------------------------------------------------------------------------------

const SEARCH_CARDS = 10_000; // for the checkouts beside searches

async function importMembers(service) {
  const file = join(work, 'members.csv');
  await writeCsvFile(file, MEMBERS);
  const begin = Date.now();
  const summary = await service.cli('member', 'import', '--tenant', String(service.tenant), file);
  if (summary.added !== MEMBERS) throw new Error(`imported ${JSON.stringify(summary)}`);
  rmSync(file);
  return (Date.now() - begin) / 1000;
}

/** Each kind alone, then the mix. What is served is the reply's promise: 200 and JSON, or load() throws. */
async function measureSearches(service, searches) {
  const url = service.url('customer-search');
  const kinds = searches.kinds();
  const mix = searches.records();
  await load(url, service.child, MIX_CONNECTIONS, mix, 0, mix.count); // the pages are in memory from here on
  for (let round = 0; round < ROUNDS; round++) {
    for (const [kind, records] of kinds) keep(`${kind}/search 1`, await load(url, service.child, 1, records, 0, records.count));
    keep(`mix/search ${MIX_CONNECTIONS}`, await load(url, service.child, MIX_CONNECTIONS, mix, 0, mix.count));
  }
}

/** Checkouts without searches, beside paced ones, and beside as many as eight connections can ask for, in turns. */
async function measureCheckoutsBesideSearches(service, searches) {
  const count = SECONDS * CHARGES_PER_S[8];
  const charges = prepareCharges(service, 'charges-search', 3 * ROUNDS * count, SEARCH_CARDS);
  const mix = searches.records();
  const checkouts = () => load(service.url('checkout'), service.child, 8, charges, charges.take(count), count);
  for (let round = 0; round < ROUNDS; round++) {
    keep('checkout/alone 8', await checkouts());
    const pace = searches.pace(service.port);
    keep('checkout/searches 8', await checkouts());
    const { sent, late, failed } = pace.stop();
    note(`  ${sent} searches beside them, ${late} later than 100 ms, ${failed} failed`);
    if (failed > 0) throw new Error(`${failed} searches failed`);
    const flood = load(service.url('customer-search'), service.child, MIX_CONNECTIONS, mix, 0, mix.count);
    keep('checkout/flood 8', await checkouts());
    keep(`mix/flood ${MIX_CONNECTIONS}`, await flood);
  }
}

async function searchMembers() {
  note(`importing ${MEMBERS} members`);
  const service = await prepare('search');
  const importS = await importMembers(service);
  note(`  in ${importS.toFixed(1)} s; issuing ${SEARCH_CARDS} cards`);
  await issueCards(service, SEARCH_CARDS);
  execFileSync('sync'); // what the import has written is not written back while others are measured
  const searches = new Searches({ work, key: service.key, count: MEMBERS, Records });
  note('searches');
  await measureSearches(service, searches);
  note('checkouts beside searches');
  await measureCheckoutsBesideSearches(service, searches);
  await service.cli('verify');
  await service.stop();
  return importS;
}

function searchTable(importS) {
  console.log(`\nSearches among ${MEMBERS} members; the mix: ${Object.entries(KINDS).map(([kind, [share]]) => `${kind} ${share} %`).join(', ')}\n`);
  const ms = (name) => typical(name, 'p99') / 1000;
  const prefixes = Object.keys(KINDS).filter((kind) => kind !== 'typing error');
  const slowest = prefixes.reduce((a, b) => (ms(`${a}/search 1`) > ms(`${b}/search 1`) ? a : b));
  row(`search p99, the slowest kind of prefix (${slowest})`, `${ms(`${slowest}/search 1`).toFixed(2)} ms`, '<= 10 ms', ms(`${slowest}/search 1`) <= 10);
  row('search p99, typing errors', `${ms('typing error/search 1').toFixed(2)} ms`, '<= 50 ms', ms('typing error/search 1') <= 50);
  row(`search p99, the mix, ${MIX_CONNECTIONS} connections`, `${ms(`mix/search ${MIX_CONNECTIONS}`).toFixed(2)} ms`, 'shown', true);
  const paced = ratio('checkout/searches 8', 'checkout/alone 8', 'p99'), flooded = ratio('checkout/flood 8', 'checkout/alone 8', 'p99');
  row(`checkout p99 beside ${PACE_PER_S} searches/s over alone, 8 connections`, paced.toFixed(2), '<= 2', paced <= 2);
  row(`checkout p99 beside searches of ${MIX_CONNECTIONS} connections over alone`, flooded.toFixed(2), 'shown', true);
  row(`import of ${MEMBERS} members`, `${importS.toFixed(0)} s`, 'shown', true);
}

function disk() {
  return JSON.parse(execFileSync(join(bin, 'bench_disk'), [work, '2']).toString());
}

// --- the table ---------------------------------------------------------------------------------------------------

let failures = 0;
function row(what, measured, wanted, isMet) {
  if (!isMet) failures++;
  console.log(`| ${what.padEnd(64)} | ${measured.padStart(12)} | ${wanted.padStart(10)} | ${isMet ? 'pass' : 'FAIL'} |`);
}
function rates() {
  console.log(`| ${'measurement'.padEnd(34)} | conn | ${'requests/s'.padStart(10)} | p50 ms | p99 ms | p99.9 ms | CPU us/request |`);
  for (const name of results.keys()) {
    const at = name.lastIndexOf(' ');
    const what = name.slice(0, at), connections = name.slice(at + 1);
    const ms = (field) => (typical(name, field) / 1000).toFixed(2);
    const label = what.replace(/checkout\/(?=\d)/, 'checkout, batch ').replace('/', ', ');
    console.log(`| ${label.padEnd(34)} | ${connections.padStart(4)} | ${typical(name, 'rate').toFixed(0).padStart(10)} | ${ms('p50').padStart(6)} `
      + `| ${ms('p99').padStart(6)} | ${ms('p999').padStart(8)} | ${typical(name, 'cpu').toFixed(2).padStart(14)} |`);
  }
}
/** Median over the rounds of a/b, each pair taken in the same round. */
const ratio = (a, b, field) => median(results.get(a).map((result, round) => result[field] / results.get(b)[round][field]));

function table(idleMb, startMs, flush) {
  const oneTill = typical('checkout/512 1', 'p50') / 1000;
  const bound = (2 * flush.p50_us) / 1000 + 0.3;
  console.log(`\ndisk alone: ${flush.per_s} flushes/s of 16 KiB, p50 ${(flush.p50_us / 1000).toFixed(2)} ms, p99 ${(flush.p99_us / 1000).toFixed(2)} ms;`
    + ` ${CORES} cores${IS_PINNED ? `, the service on ${SERVICE_CORES}, the load on ${LOAD_CORES}` : ''}, ${THREADS} loops, ${LOAD_THREADS} wrk threads, ${CARDS} cards, median of ${ROUNDS} x ${SECONDS} s\n`);
  const balance = ratio('check-balance 64', 'floor 64', 'rate'), balanceCpu = 1 / ratio('check-balance 64', 'floor 64', 'cpu');
  const batching = ratio('checkout/512 64', 'checkout/1 64', 'rate');
  const tail = typical('checkout/512 64', 'p999') / 1000;
  row('check-balance over floor, requests/s, 64 connections', balance.toFixed(2), '>= 0.70', balance >= 0.7);
  row('floor over check-balance, server CPU a request', balanceCpu.toFixed(2), '>= 0.70', balanceCpu >= 0.7);
  row('checkout over checkout one by one, requests/s, 64 connections', batching.toFixed(2), '>= 5', batching >= 5);
  row('checkout p99.9, 64 connections', `${tail.toFixed(1)} ms`, '<= 50 ms', tail <= 50);
  row('checkout p99.9, 1,024 connections', `${(typical('checkout/512 1024', 'p999') / 1000).toFixed(1)} ms`, 'shown', true);
  row('check-balance p99.9, 1,024 connections', `${(typical('check-balance 1024', 'p999') / 1000).toFixed(1)} ms`, 'shown', true);
  row('checkout over disk flushes/s, 64 connections', (typical('checkout/512 64', 'rate') / flush.per_s).toFixed(2), 'shown', true);
  row('checkout p50, one till (bound: 2 flushes + 0.3 ms)', `${oneTill.toFixed(2)} ms`, `<= ${bound.toFixed(2)} ms`, oneTill <= bound);
  row('resident memory, idle', `${idleMb.toFixed(0)} MB`, '<= 50 MB', idleMb <= 50);
  row(`start to ready, ${CARDS} cards`, `${startMs.toFixed(0)} ms`, '<= 500 ms', startMs <= 500);
}

async function prepare(batchMax = 512) {
  const data = join(work, `data-${batchMax}`);
  const service = await Service.start(data, batchMax === 1 ? 1 : 512);
  await service.addTenant();
  return service;
}

async function payments() {
  note(`preparing ${CARDS} cards twice`);
  let grouped = await prepare(512);
  await sleep(500);
  const idleMb = residentMb(grouped.pid);
  // Cards are issued in groups for both: only the measured charges are to be committed one by one.
  const begin = Date.now();
  await issueCards(grouped, CARDS);
  note(`  issued in ${((Date.now() - begin) / 1000).toFixed(1)} s`);
  await grouped.stop();
  execFileSync('cp', ['-a', grouped.data, join(work, 'data-1')]);
  const { key, tenant, data } = grouped;
  const again = async (folder, batchMax) => Object.assign(await Service.start(folder, batchMax), { key, tenant });
  grouped = await again(data, 512);
  const { startMs } = grouped;
  const single = await again(join(work, 'data-1'), 1);

  note('balances');
  await measureBalance(grouped);
  note('the disk');
  const flushes = [disk()];
  note('charges');
  await measureCharges([grouped, single]);
  flushes.push(disk());
  const flush = { per_s: median(flushes.map((f) => f.per_s)), p50_us: median(flushes.map((f) => f.p50_us)), p99_us: median(flushes.map((f) => f.p99_us)) };
  for (const service of [grouped, single]) {
    await service.cli('verify');
    await service.stop();
  }
  return { idleMb, startMs, flush };
}

async function main() {
  const wants = (part) => ONLY === '' || ONLY === part;
  const paid = wants('payments') ? await payments() : null;
  const troubles = wants('redis') ? await redisTier() : null;
  const manyMs = wants('growth') ? await growth() : null;
  const importS = wants('search') ? await searchMembers() : null;
  const shared = wants('postgres') ? new SharedStore({ root, bin, work, TOKEN, CARDS, MANY, ROUNDS, SECONDS, CORES, IS_PINNED, THREADS,
    note, start, ready, freePort, cpuUs, median, cardNumber, load, keep, results, typical, ratio, row, Service, Redis, Records }) : null;
  await shared?.measure();
  rates();
  if (paid) table(paid.idleMb, paid.startMs, paid.flush);
  if (troubles) redisTable(troubles);
  if (manyMs !== null) growthTable(manyMs);
  if (importS !== null) searchTable(importS);
  shared?.table();
  console.log(failures === 0 ? '\nall bounds are met, and verify finds both ledgers clean' : `\n${failures} bounds are not met`);
  process.exitCode = failures === 0 ? 0 : 1;
}

try {
  await main();
} catch (error) {
  await sleep(200);
  for (const child of started.filter((one) => one.exitCode !== null || one.signalCode !== null))
    note(`${child.spawnfile} ended with ${child.exitCode ?? child.signalCode}:\n${child.log}`);
  note(error.stack);
  process.exitCode = 1;
  process.exit();
}
