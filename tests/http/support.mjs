// What the suites share: the real binary on a free port over a data directory of its own, the CLI,
// signed requests, raw sockets. Everything started here is ended when the test process ends.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import dgram from 'node:dgram';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { observe, observeCommand, observeTill } from './contract.mjs';
import { createStore, dropStores, eraseStore, lockStore, storeBytes, storeEnvironment, storeSql, tamperStore } from './store.mjs';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const BUILD = path.resolve(ROOT, process.env.COUNTERPART_BIN ?? 'build/dev');
export const COUNTERPART = path.join(BUILD, 'counterpart');
export const TILLSIM = path.join(BUILD, 'tillsim');

export const TOKEN = 'test-signature-token';
export const IS_SOAK = Boolean(process.env.COUNTERPART_SOAK);
/** Builds that run several times slower repeat less: what they look for shows in the first rounds. */
export const IS_SLOW = /tsan|cover/.test(process.env.COUNTERPART_BIN ?? '');

/** For tests that wait for slow clients to be cut off. */
export const SHORT_TIMEOUTS = { COUNTERPART_REQUEST_TIMEOUT_S: '2' };

// The service refuses COUNTERPART_ variables that it does not know, so ours stay here.
// What the leak detector was told to overlook is no news.
const ENVIRONMENT = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('COUNTERPART_'))),
  LSAN_OPTIONS: ['print_suppressions=0', process.env.LSAN_OPTIONS].filter(Boolean).join(':'),
};

const READY_MS = 20_000; // a sanitizer build on a busy machine
const STOP_MS = 15_000;
const REQUEST_MS = 15_000;

// --- random, with its seed printed ---------------------------------------------------------------

export function seededRandom(name) {
  let state = Number(process.env.COUNTERPART_SEED ?? crypto.randomInt(2 ** 31)) >>> 0;
  console.log(`# ${name}: COUNTERPART_SEED=${state}`);
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(what, condition, ms = READY_MS) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${ms} ms in vain for: ${what}`);
    await sleep(20);
  }
}

// --- what must not outlive the tests -------------------------------------------------------------

const children = new Set();
const directories = new Set();
const mounts = new Set();

function cleanUp() {
  for (const child of children) {
    try {
      child.kill('SIGKILL');
    } catch {
      /* gone already */
    }
  }
  dropStores();
  for (const mount of mounts) releaseDisk(mount);
  for (const directory of directories) fs.rmSync(directory, { recursive: true, force: true });
}
process.on('exit', cleanUp);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

export function temporaryDirectory() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'counterpart-test-'));
  directories.add(directory);
  return directory;
}

/** A disk of its own, so that a test can fill it; undefined where mounting is not allowed. */
export function smallDisk(bytes) {
  const directory = temporaryDirectory();
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'counterpart-test', directory]);
  if (status !== 0) return undefined;
  mounts.add(directory);
  return directory;
}

export function releaseDisk(directory) {
  spawnSync('umount', ['--lazy', directory]);
  mounts.delete(directory);
}

// Whoever is started behind this dies with the test process, even with one that was killed.
const LEASH = ['setpriv', '--pdeathsig', 'KILL', '--'];

function start(command, args, options) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** Runs a program to its end: {code, signal, stdout, stderr, json}. With the data folder of a service, in its store. */
export async function run(command, args, { env = {}, input = '', cwd = ROOT, ms = 60_000 } = {}) {
  const store = await storeEnvironment(env.COUNTERPART_DATA);
  return new Promise((resolve, reject) => {
    const child = start(command, args, { env: { ...ENVIRONMENT, ...store, ...env }, cwd });
    const out = [],
      err = [];
    const timer = setTimeout(() => child.kill('SIGKILL'), ms);
    child.stdout.on('data', (data) => out.push(data));
    child.stderr.on('data', (data) => err.push(data));
    child.stdin.on('error', () => {
      /* it may end without reading */
    });
    child.stdin.end(input);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const stdout = Buffer.concat(out).toString(),
        stderr = Buffer.concat(err).toString();
      let json;
      try {
        json = JSON.parse(stdout);
      } catch {
        /* not every command speaks JSON */
      }
      const problem = command === TILLSIM && observeTill(json, isServed);
      if (problem) reject(new Error(problem));
      else resolve({ code, signal, stdout, stderr, json });
    });
  });
}

/** A program that runs beside a test; ended with the tests at the latest. */
export const spawnHelper = (command, args) =>
  start(LEASH[0], [...LEASH.slice(1), command, ...args], { env: ENVIRONMENT });

/** Nobody else who asks for one is given this port while this process lives, whether it is in use or between two uses:
 *  its namesake of UDP, which nothing here needs, stays bound. */
const claimPort = (port) =>
  new Promise((resolve) => {
    const claim = dgram.createSocket('udp4');
    claim.once('error', () => claim.close(() => resolve(false)));
    claim.bind({ port, address: '127.0.0.1', exclusive: true }, () => {
      claim.unref();
      resolve(true);
    });
  });

const isPortFree = (port) =>
  new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

/** A port that is free, and stays ours; below the range that outgoing connections use. */
export async function freePort() {
  for (;;) {
    const port = crypto.randomInt(18_000, 32_000);
    if ((await claimPort(port)) && (await isPortFree(port))) return port;
  }
}

// --- HTTP ----------------------------------------------------------------------------------------

// The ports of the services under test: what goes to one of them is held against docs/openapi.yaml.
const served = new Set();
const isServed = (url) => served.has(Number(new URL(url).port));
const targetOf = (url) => `${new URL(url).pathname}${new URL(url).search}`;

/** One request: {status, headers, body (Buffer), text, json}. Rejects when no whole reply came. On a connection of its
 *  own, unless an agent is given: one that was kept may be closed at the moment of its next use. */
export function request(
  url,
  { method = 'POST', headers = {}, body, agent = false, client = http, ms = REQUEST_MS, ...rest } = {},
) {
  return new Promise((resolve, reject) => {
    const req = client.request(url, { method, headers, agent, ...rest }, (res) => {
      const parts = [];
      res.on('data', (part) => parts.push(part));
      res.once('error', reject);
      res.once('aborted', () => reject(new Error('reply broke off')));
      res.once('end', () => {
        const bytes = Buffer.concat(parts);
        const reply = { status: res.statusCode, headers: res.headers, body: bytes, text: bytes.toString() };
        try {
          reply.json = JSON.parse(reply.text);
        } catch {
          /* judged by the caller */
        }
        const problem = isServed(url) && observe({ method, target: targetOf(url), headers, body }, reply);
        if (problem) reject(new Error(problem));
        else resolve(reply);
      });
    });
    req.setTimeout(ms, () => req.destroy(new Error(`no reply within ${ms} ms`)));
    req.once('error', reject);
    req.end(body);
  });
}

export function sign(body, token = TOKEN) {
  return crypto.createHmac('sha256', token).update(body).digest('hex');
}

// --- raw sockets ---------------------------------------------------------------------------------

/** The HTTP/1.1 replies at the front of received bytes. */
export function parseReplies(bytes) {
  const replies = [];
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return replies;
    const [first, ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n');
    const headers = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const status = Number(first.split(' ')[1]);
    const length = Number(headers['content-length'] ?? 0);
    const body = rest.subarray(end + 4, end + 4 + length);
    if (body.length < length) return replies;
    rest = rest.subarray(end + 4 + length);
    if (status < 200) continue; // 100 Continue
    const reply = { status, headers, body, text: body.toString() };
    try {
      reply.json = JSON.parse(reply.text);
    } catch {
      /* judged by the caller */
    }
    replies.push(reply);
  }
}

const REQUEST_LINE_MAX = 4096;

/** A TCP connection that keeps everything it received. */
export class RawSocket {
  static connect(port, host = '127.0.0.1') {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ port, host, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        socket.unref(); // one that a failed test left open must not keep the test process
        resolve(new RawSocket(socket, port));
      });
    });
  }

  constructor(socket, port) {
    this.socket = socket;
    this.port = port;
    this.sent = Buffer.alloc(0); // until the first reply was looked at
    this.received = Buffer.alloc(0);
    this.isClosed = false;
    socket.setNoDelay(true);
    socket.on('data', (data) => {
      this.received = Buffer.concat([this.received, data]);
    });
    socket.on('error', () => {
      this.isClosed = true;
    });
    socket.on('end', () => {
      this.isClosed = true;
    });
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  write(bytes) {
    if (this.sent?.length < REQUEST_LINE_MAX) this.sent = Buffer.concat([this.sent, Buffer.from(bytes)]);
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()));
  }

  /** The first reply is to the first line that was sent, if that was one; later ones are anybody's guess. */
  #observe() {
    const [, method, target] = String(this.sent).match(/^([A-Z]+) (\/\S*) HTTP\/1\.[01]\r\n/) ?? [];
    this.sent = undefined;
    if (!target || !served.has(this.port)) return;
    const problem = observe({ method, target, isRaw: true }, this.replies[0]);
    if (problem) throw new Error(problem);
  }

  get replies() {
    return parseReplies(this.received);
  }

  /** The nth reply (from 1); undefined when the connection closed without it. */
  async reply(n = 1, ms = REQUEST_MS) {
    await until(`raw reply ${n}`, () => this.replies.length >= n || this.isClosed, ms);
    if (this.sent && this.replies.length > 0) this.#observe();
    return this.replies[n - 1];
  }

  closed(ms = REQUEST_MS) {
    return until('the connection to close', () => this.isClosed, ms);
  }

  destroy() {
    this.socket.destroy();
  }

  /** Cuts the connection with a TCP reset instead of a polite end. */
  reset() {
    if (this.socket.resetAndDestroy) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }
}

/** So many connections that the service has taken and answered on: none of these was turned away. */
export async function holdConnections({ port }, count) {
  const held = [];
  await until(`${count} connections`, async () => {
    const raw = await RawSocket.connect(port);
    await raw.write('GET /healthz HTTP/1.1\r\nHost: till.test\r\n\r\n');
    if ((await raw.reply())?.status === 200) held.push(raw);
    else raw.destroy(); // the end of an earlier one is not seen yet
    return held.length === count;
  });
  return held;
}

export function rawRequest(pathname, body, { method = 'POST', token = TOKEN, headers = [], length = true } = {}) {
  const bytes = Buffer.from(body);
  const lines = [`${method} ${pathname} HTTP/1.1`, 'Host: till.test', 'Content-Type: application/json'];
  if (token !== null) lines.push(`X-Kounta-Signature: ${sign(bytes, token)}`);
  if (length) lines.push(`Content-Length: ${bytes.length}`);
  return Buffer.concat([Buffer.from([...lines, ...headers, '', ''].join('\r\n'), 'latin1'), bytes]);
}

// --- the service ---------------------------------------------------------------------------------

const SANITIZER = /ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|CHECK failed:/;

export class Service {
  /** Starts `counterpart serve`; env adds to or replaces the defaults, undefined removes. */
  static async start({ env = {}, data, port, scheme = 'http', wrap, takesOver = false } = {}) {
    const service = new Service();
    service.data = data ?? path.join(temporaryDirectory(), 'var');
    service.port = port ?? (await freePort());
    service.scheme = scheme;
    service.wrap = wrap;
    service.takesOver = takesOver;
    service.env = { COUNTERPART_THREADS: '2', ...env };
    service.log = '';
    service.store = env.COUNTERPART_DATABASE ? {} : await createStore(service.data);
    await service.#launch();
    return service;
  }

  get origin() {
    return `${this.scheme}://127.0.0.1:${this.port}`;
  }
  get environment() {
    return {
      ...ENVIRONMENT,
      COUNTERPART_LISTEN: `${this.scheme === 'https' ? 'https://' : ''}127.0.0.1:${this.port}`,
      COUNTERPART_DATA: this.data,
      ...this.store,
      ...this.env,
    };
  }

  /** SQL of both databases; gives the rows of the one query in it, as objects. */
  sql(text) {
    return storeSql(this.data, text);
  }
  /** The same against what the schema forbids. */
  tamper(text) {
    return tamperStore(this.data, text);
  }
  /** All bytes that the store keeps: [{name, bytes}]. */
  storeBytes() {
    return storeBytes(this.data);
  }
  eraseStore() {
    return eraseStore(this.data);
  }
  /** Nobody else may write to it; gives what lets it go. */
  lockStore() {
    return lockStore(this.data);
  }

  #end;

  get #handles() {
    return [this.child, ...this.child.stdio];
  }

  /** How it ends: {code, signal}. */
  get ended() {
    for (const handle of this.#handles) handle.ref();
    return this.#end;
  }

  async #launch() {
    const flags = this.takesOver ? ['--take-over'] : [];
    const [command, ...args] = [...LEASH, ...(this.wrap ?? []), COUNTERPART, 'serve', ...flags];
    this.child = start(command, args, { env: this.environment, cwd: ROOT });
    served.add(this.port);
    this.pid = this.child.pid;
    this.#end = new Promise((resolve) => {
      this.child.once('close', (code, signal) => resolve({ code, signal }));
    });
    this.log = this.wholeLines; // one that was killed may have been at the middle of a line
    const past = this.log.length;
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        this.log += text;
      });
    // A test that failed and left it running must not keep the test process from its end.
    for (const handle of this.#handles) handle.unref();
    let end;
    this.#end.then((value) => {
      end = value;
      served.delete(this.port);
    });
    await until('the service to be ready', async () => {
      if (end) throw new Error(`the service ended at once (${end.code ?? end.signal}):\n${this.log}`);
      if (this.takesOver) return this.log.includes('"event":"listening"', past); // until then another answers
      return (await this.probe('/readyz')) === 200;
    });
    served.add(this.port); // the end of a predecessor has taken it off
  }

  /** A successor that has taken over from this one: the same data, addresses and settings, but for env. */
  async succeed({ env = {}, wrap } = {}) {
    const { data, port, scheme } = this;
    return Service.start({ data, port, scheme, wrap, env: { ...this.env, ...env }, takesOver: true });
  }

  /** Status of a GET, or 0 while nobody answers. */
  async probe(pathname) {
    try {
      return await new Promise((resolve, reject) => {
        const options = { host: '127.0.0.1', port: this.port };
        if (this.scheme === 'https') {
          const socket = net.connect(options, () => {
            socket.destroy();
            resolve(200);
          });
          socket.once('error', reject);
          return;
        }
        const req = http.get({ ...options, path: pathname, agent: false }, (res) => {
          res.resume();
          res.once('end', () => resolve(res.statusCode));
        });
        req.once('error', reject);
      });
    } catch {
      return 0;
    }
  }

  get(pathname, options = {}) {
    return request(this.origin + pathname, { method: 'GET', agent: false, ...options });
  }

  /** Of the last line perhaps only the beginning has come. */
  get wholeLines() {
    return this.log.slice(0, this.log.lastIndexOf('\n') + 1);
  }

  /** The log as objects; every line must be one. */
  get events() {
    return this.wholeLines
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => JSON.parse(line));
  }

  async cli(args, options = {}) {
    const ended = await run(COUNTERPART, args, {
      ...options,
      env: {
        COUNTERPART_DATA: this.data,
        ...(this.env.COUNTERPART_MASTER_KEY ? { COUNTERPART_MASTER_KEY: this.env.COUNTERPART_MASTER_KEY } : {}),
        ...(this.env.COUNTERPART_DATABASE ? { COUNTERPART_DATABASE: this.env.COUNTERPART_DATABASE } : {}),
        ...options.env,
      },
    });
    const problem = observeCommand(args, ended);
    if (problem) throw new Error(problem);
    return ended;
  }

  /** A command that must work; gives its JSON. */
  async must(args, options) {
    const { code, json, stdout, stderr } = await this.cli(args, options);
    assert.equal(code, 0, `counterpart ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
    assert.ok(json !== undefined, `counterpart ${args.join(' ')} printed no JSON:\n${stdout}`);
    return json;
  }

  async verifyIsClean() {
    const { code, stdout, stderr } = await this.cli(['verify']);
    assert.equal(code, 0, `verify found something:\n${stdout}${stderr}`);
  }

  async addTenant({
    name = 'Test Coffee',
    currency = 'AUD',
    timezone = 'Australia/Sydney',
    company = 5678,
    token = TOKEN,
    settings = [],
  } = {}) {
    const made = await this.must([
      'tenant',
      'add',
      '--name',
      name,
      '--currency',
      currency,
      '--timezone',
      timezone,
      ...(company === null ? [] : ['--oseries-company', String(company)]),
      ...(token === null ? [] : ['--signature-token', token]),
      ...settings,
    ]);
    return new Tenant(this, made, { company, token });
  }

  signal(name) {
    process.kill(this.child.pid, name);
  }

  #sanitizersAreSilent() {
    const at = this.log.search(SANITIZER);
    if (at >= 0) assert.fail(`a sanitizer or a CHECK spoke:\n${this.log.slice(Math.max(0, at - 200), at + 8000)}`);
  }

  /** Ends it as an operator would; a sanitizer's word or an exit code other than 0 is a failure. */
  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGTERM');
    let timer;
    const tooLate = new Promise((resolve) => {
      timer = setTimeout(resolve, STOP_MS);
    });
    const end = await Promise.race([this.ended, tooLate]);
    clearTimeout(timer);
    if (!end) this.child.kill('SIGKILL');
    assert.ok(end, `did not end within ${STOP_MS} ms of SIGTERM:\n${this.log.slice(-4000)}`);
    this.#sanitizersAreSilent();
    assert.equal(end.code, 0, `ended with ${end.code ?? end.signal}:\n${this.log.slice(-4000)}`);
    assert.equal(this.log, this.wholeLines, 'its last line is whole');
  }

  async kill() {
    this.child.kill('SIGKILL');
    await this.ended;
    this.#sanitizersAreSilent();
  }

  /** Starts again on the same data and the same port. */
  async restart(env = {}) {
    Object.assign(this.env, env);
    await this.#launch();
  }
}

let nextOrder = 2_802_000_000 + crypto.randomInt(100_000_000);
export const newOrder = () => nextOrder++;

/** A card number nobody has: Luhn-valid, 16 digits. */
export function cardNumber(prefix = '999') {
  let digits = prefix;
  while (digits.length < 15) digits += crypto.randomInt(10);
  let sum = 0;
  [...digits].reverse().forEach((digit, i) => {
    const doubled = Number(digit) * (i % 2 === 0 ? 2 : 1);
    sum += doubled > 9 ? doubled - 9 : doubled;
  });
  return digits + ((10 - (sum % 10)) % 10);
}

export class Tenant {
  constructor(service, made, { company, token }) {
    this.service = service;
    this.made = made;
    this.id = made.id;
    this.key = made.key;
    this.company = company;
    this.token = token;
    this.base = `/oseries/${made.key}`;
  }

  set(...settings) {
    return this.service.must(['tenant', 'set', '--tenant', String(this.id), ...settings]);
  }

  addSite({ name = 'Site', site = 923, settings = [] } = {}) {
    return this.service.must([
      'site',
      'add',
      '--tenant',
      String(this.id),
      '--name',
      name,
      '--oseries-site',
      String(site),
      ...settings,
    ]);
  }

  issue({ amount, number, pin, expires, settings = [] } = {}) {
    const options = { amount, number, pin, expires };
    return this.service.must([
      'card',
      'issue',
      '--tenant',
      String(this.id),
      ...Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, String(value)])),
      ...settings,
    ]);
  }

  show(number) {
    return this.service.must([
      'card',
      'show',
      '--tenant',
      String(this.id),
      '--number',
      String(number),
      '--limit',
      '200',
    ]);
  }

  till(options) {
    return new Till(this, options);
  }
}

const AMOUNT_FIELD = { checkout: 'amount', 'top-up': 'topup_amount', refund: 'amount' };

/** A register: knows its ids, signs what it sends. */
export class Till {
  constructor(tenant, { site = 923, register = 9091, agent } = {}) {
    this.tenant = tenant;
    this.site = site;
    this.register = register;
    this.agent = agent ?? false;
  }

  fields(action, { card, amount, order, ...more } = {}) {
    return {
      company_id: this.tenant.company,
      site_id: this.site,
      register_id: this.register,
      ...(order === undefined ? {} : { order_id: order }),
      ...(card === undefined ? {} : { keyword: card }),
      ...(amount === undefined ? {} : { [AMOUNT_FIELD[action]]: amount }),
      ...more,
    };
  }

  /** Sends these bytes, signed unless headers say otherwise. */
  send(action, body, { headers = {}, token = this.tenant.token, method = 'POST', ...rest } = {}) {
    const bytes = Buffer.from(body);
    return request(`${this.tenant.service.origin}${this.tenant.base}/${action}`, {
      method,
      body: bytes,
      agent: this.agent,
      ...rest,
      headers: {
        'Content-Type': 'application/json',
        'Content-Length': bytes.length,
        ...(token === null ? {} : { 'X-Kounta-Signature': sign(bytes, token) }),
        ...headers,
      },
    });
  }

  call(action, fields, options) {
    return this.send(action, JSON.stringify(this.fields(action, fields)), options);
  }
  form(action, fields) {
    return this.send(action, new URLSearchParams(this.fields(action, fields)).toString(), {
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    });
  }

  checkout(fields, options) {
    return this.call('checkout', fields, options);
  }
  checkBalance(fields, options) {
    return this.call('check-balance', fields, options);
  }
  topUp(fields, options) {
    return this.call('top-up', fields, options);
  }
  refund(fields, options) {
    return this.call('refund', fields, options);
  }
}

/** A certificate of its own for 127.0.0.1: the names of two files in folder. */
export async function certificate(folder, name) {
  const key = path.join(folder, `${name}.key`),
    cert = path.join(folder, `${name}.crt`);
  const made = await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${name}.test`,
    '-addext',
    'subjectAltName=IP:127.0.0.1',
    '-keyout',
    key,
    '-out',
    cert,
  ]);
  assert.equal(made.code, 0, made.stderr);
  return { key, cert };
}

// --- what replies must look like -----------------------------------------------------------------

/** Any reply of a register surface: JSON with a length, never cached. */
export function isJsonReply(reply, context = '') {
  assert.match(String(reply.headers['content-type']), /^application\/json\b/, `${context}: ${reply.text}`);
  assert.equal(Number(reply.headers['content-length']), reply.body.length, context);
  assert.ok(
    reply.json !== null && typeof reply.json === 'object' && !Array.isArray(reply.json),
    `${context}: not a JSON object: ${reply.text}`,
  );
}

export function isApproved(reply, { amount, balance } = {}) {
  isJsonReply(reply);
  assert.equal(reply.status, 200, reply.text);
  assert.equal(reply.json.success, true, reply.text);
  assert.equal('error' in reply.json, false, reply.text);
  if (amount !== undefined) assert.match(reply.text, fieldIs('amount', amount));
  if (balance !== undefined) assert.match(reply.text, fieldIs('balance', balance));
}

/** "amount":25.50 exactly as it stands in the text: 25.5 would be another text. */
function fieldIs(name, text) {
  return new RegExp(`"${name}":\\s*${String(text).replaceAll('.', '\\.')}[,}\\s]`);
}

export function isRefused(reply, sentence, { status = 200 } = {}) {
  isJsonReply(reply);
  assert.equal(reply.status, status, reply.text);
  assert.equal(reply.json.success, false, reply.text);
  assert.equal(typeof reply.json.error, 'string', reply.text);
  assert.ok(reply.json.error.length > 0 && reply.json.error.length <= 120, `a cashier reads this: ${reply.json.error}`);
  if ('amount' in reply.json) assert.equal(Number(reply.json.amount), 0, reply.text);
  if (sentence) assert.match(reply.json.error, sentence);
}

export function areIdentical(a, b) {
  assert.equal(a.status, b.status);
  assert.ok(a.body.equals(b.body), `replies differ:\n${a.text}\n${b.text}`);
}

// --- more than one suite needs these -------------------------------------------------------------

/** The demo tenant, through mocks/demo/seed.sh: {stdout, stderr, values of demo.env}. cloud: of cloud.mjs. */
export async function seedDemo(service, cloud) {
  const { code, stdout, stderr } = await run('sh', [path.join(ROOT, 'mocks/demo/seed.sh'), BUILD], {
    env: { COUNTERPART_DATA: service.data, ...(cloud && { DEMO_CLOUD: cloud.urls.url }) },
  });
  assert.equal(code, 0, stdout + stderr);
  const lines = fs.readFileSync(path.join(service.data, 'demo.env'), 'utf8').split('\n');
  const values = lines
    .map((line) => line.match(/^(\w+)='(.*)'$/))
    .filter(Boolean)
    .map(([, name, value]) => [name, value]);
  return { stdout, stderr, ...Object.fromEntries(values) };
}

let nextCompany = 5678;

/** A tenant with a company of its own: the first has the demo tenant's. */
export function newTenant(service, options = {}) {
  return service.addTenant({ company: nextCompany++, ...options });
}

/** The entries of `card show` in which money moved. */
export const movements = (shown) => shown.entries.filter((entry) => entry.result === 'ok' && Number(entry.amount) > 0);

/** Runs what must not see the local day or clock hour change: waits for the next one when less
 *  than `seconds` are left of this one. Gives the local date. */
export async function stillIn(period, timeZone, seconds, run) {
  const parts = () =>
    Object.fromEntries(
      new Intl.DateTimeFormat('en-CA', {
        timeZone,
        hourCycle: 'h23',
        year: 'numeric',
        month: '2-digit',
        day: '2-digit',
        hour: '2-digit',
        minute: '2-digit',
        second: '2-digit',
      })
        .formatToParts(new Date())
        .map(({ type, value }) => [type, value]),
    );
  const left = () => {
    const { hour, minute, second } = parts();
    const ofHour = 3600 - Number(minute) * 60 - Number(second);
    return period === 'hour' ? ofHour : ofHour + (23 - Number(hour)) * 3600;
  };
  if (left() < seconds) await sleep((left() + 1) * 1000);
  const { year, month, day } = parts();
  return run(`${year}-${month}-${day}`);
}

export const shellQuote = (word) => `'${word.replaceAll("'", "'\\''")}'`;
