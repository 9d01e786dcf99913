// The till with a screen as the suites use it: the real `tillsim register` on a free port, over its /_till address.
import assert from 'node:assert/strict';
import http from 'node:http';
import { Service, TILLSIM, request, spawnHelper, until } from './support.mjs';
import { connect, startPair } from './loyal.mjs';

const SANITIZER = /ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|CHECK failed:/;
const STOP_MS = 15_000;

/** Starts a till; `t` (a test context, or undefined) ends it. args go to the command line. */
export async function startTill(t, args = []) {
  const till = new Till(args);
  await till.start();
  t?.after(() => till.stop());
  return till;
}

/** A service, a cloud and a connected tenant; env is the service's. */
export async function startShop({ env = {}, settings = [] } = {}) {
  const { service, cloud } = await startPair(undefined, { env });
  const tenant = await service.addTenant({ token: cloud.signatureToken, settings });
  await tenant.addSite();
  await connect(service, cloud, tenant);
  return { service, cloud, tenant, url: service.origin + tenant.base };
}

/** A cloud as this one, but for what it says of its products: change gets the list, and gives another. */
export async function startCloudWithProducts(t, cloud, change) {
  const server = http.createServer(async (req, res) => {
    let body = '';
    for await (const part of req) body += part;
    const headers = { 'Content-Type': 'application/json' };
    const reply = await request(cloud.urls.url + req.url, { method: req.method, headers, body: body || undefined });
    const isList = req.method === 'GET' && req.url === '/_cloud/products';
    res.writeHead(reply.status, headers);
    res.end(isList ? JSON.stringify(change(reply.json)) : reply.text);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** So many products more, before those that are there. */
export const manyMore = (count) => (products) => [
  ...Array.from({ length: count }, (_, i) => ({ ...products[0], id: 900_000 + i, name: `Part ${i}` })),
  ...products,
];

export class Till {
  constructor(args) {
    this.args = args;
    this.output = '';
    this.log = '';
  }

  async start() {
    this.child = spawnHelper(TILLSIM, ['register', '--listen', '127.0.0.1:0', ...this.args]);
    this.child.stdout.on('data', (data) => (this.output += data));
    this.child.stderr.on('data', (data) => (this.log += data));
    this.ended = new Promise((resolve) => this.child.once('close', (code, signal) => resolve({ code, signal })));
    let end;
    this.ended.then((value) => (end = value));
    await until('the till to be ready', () => {
      if (end) throw new Error(`the till ended at once (${end.code ?? end.signal}):\n${this.log}`);
      return this.output.includes('\n');
    });
    for (const handle of [this.child, ...this.child.stdio]) handle.unref();
    /** {url, till_url} */
    this.urls = JSON.parse(this.output.split('\n')[0]);
  }

  async stop() {
    for (const handle of [this.child, ...this.child.stdio]) handle.ref();
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGTERM');
    let timer;
    const tooLate = new Promise((resolve) => (timer = setTimeout(resolve, STOP_MS)));
    const end = await Promise.race([this.ended, tooLate]);
    clearTimeout(timer);
    if (!end) this.child.kill('SIGKILL');
    assert.doesNotMatch(this.log, SANITIZER);
    assert.ok(end, `the till did not end within ${STOP_MS} ms of SIGTERM`);
    assert.equal(end.code, 0, `the till ended with ${end.code ?? end.signal}:\n${this.log}`);
  }

  /** One request below /_till, whatever comes of it. */
  ask(method, path, body, options = {}) {
    return request(`${this.urls.till_url}/${path}`, {
      method,
      agent: false,
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
      ...options,
      headers: { ...(method === 'GET' ? {} : { 'Content-Type': 'application/json' }), ...options.headers },
    });
  }

  /** The JSON of a request that must work. */
  async must(method, path, body) {
    const reply = await this.ask(method, path, body);
    assert.equal(reply.status, 200, `${method} ${path}: ${reply.status} ${reply.text}`);
    assert.match(reply.headers['content-type'], /^application\/json/);
    return reply.json;
  }

  /** A request that must be refused like this. */
  async refuses(status, error, method, path, body) {
    const reply = await this.ask(method, path, body);
    assert.equal(reply.status, status, `${method} ${path}: ${reply.status} ${reply.text}`);
    assert.equal(reply.json.error, error, reply.text);
    assert.match(reply.json.message, /\S/);
    return reply.json.message;
  }

  state() {
    return this.must('GET', 'state');
  }
  post(path, body = {}) {
    return this.must('POST', path, body);
  }
  /** Into the draft, and synced. */
  async configure(config) {
    await this.must('PUT', 'config', config);
    return this.post('sync');
  }
  faults(next, more = {}) {
    return this.must('PUT', 'faults', { next, ...more });
  }
  async wire(after = 0) {
    return (await this.must('GET', `wire?after=${after}`)).exchanges;
  }
  /** The exchanges that `action` causes. */
  async during(action) {
    const { last_exchange: before } = await this.state();
    const result = await action();
    return { result, exchanges: await this.wire(before) };
  }
  /** A new order of these products. */
  async order(...products) {
    await this.post('orders');
    let state;
    for (const product_id of products.length > 0 ? products : [7308]) state = await this.post('lines', { product_id });
    return state;
  }
}

export { Service };
