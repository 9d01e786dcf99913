// The till with a screen as the suites use it: the real `tillsim register` on a free port, over its /_till address.
import assert from 'node:assert/strict';
import { Simulator } from './simulator.mjs';
import { startOwnServer } from './own_server.mjs';
import { Service, request } from './support.mjs';
import { connect, startPair } from './loyal.mjs';

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
export const startCloudWithProducts = (t, cloud, change) =>
  startOwnServer(t, async (res, { method, url }, body) => {
    const headers = { 'Content-Type': 'application/json' };
    const reply = await request(cloud.urls.url + url, { method, headers, body: body || undefined });
    const isList = method === 'GET' && url === '/_cloud/products';
    res.writeHead(reply.status, headers);
    res.end(isList ? JSON.stringify(change(reply.json)) : reply.text);
  });

/** So many products more, before those that are there. */
export const manyMore = (count) => (products) => [
  ...Array.from({ length: count }, (_, i) => ({ ...products[0], id: 900_000 + i, name: `Part ${i}` })),
  ...products,
];

export class Till extends Simulator {
  constructor(args) {
    super('the till');
    this.args = args;
  }

  /** urls: {url, till_url} */
  start() {
    return this.run(['register', '--listen', '127.0.0.1:0', ...this.args]);
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
