// A server that stands in front of the real one and does one thing wrong: reads each request whole, hands it to the
// mutant, which asks the real one (or does not) and changes what it likes, and writes what the mutant gives back.
import http from 'node:http';
import { Reply, Request } from './message.mjs';

/** Of one connection only; not passed on, in either direction. */
const HOP_HEADERS = ['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'expect', 'host', 'upgrade'];

const passedOn = (headers) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_HEADERS.includes(name)));

/** {bytes, took_ms, isCut}; isCut: the client left in the middle of it. */
function readBody(incoming) {
  const started = Date.now();
  const parts = [];
  return new Promise((resolve) => {
    const end = () =>
      resolve({ bytes: Buffer.concat(parts), took_ms: Date.now() - started, isCut: !incoming.complete });
    incoming.on('data', (part) => parts.push(part));
    incoming.once('end', end);
    incoming.once('error', end);
    incoming.once('close', end);
  });
}

/** Asks the real server. A connection that it ends without a reply ends ours as well. */
function ask(target, request) {
  const hasBody = request.body.length > 0 || request.method === 'POST';
  const headers = { ...request.headers, ...(hasBody && { 'content-length': request.body.length }) };
  return new Promise((resolve, reject) => {
    const req = http.request(target.origin + request.url, { method: request.method, headers, agent: false }, (res) => {
      const parts = [];
      res.on('data', (part) => parts.push(part));
      res.once('error', () => resolve(Reply.reset()));
      res.once('end', () => {
        const told = res.headers['content-length'];
        const length = request.method === 'HEAD' && told !== undefined && { 'content-length': told };
        const reply = { status: res.statusCode, headers: { ...passedOn(res.headers), ...length } };
        resolve(new Reply({ ...reply, body: Buffer.concat(parts) }));
      });
    });
    req.once('error', (error) => (error.code === 'ECONNRESET' ? resolve(Reply.reset()) : reject(error)));
    req.end(request.body);
  });
}

function write(res, reply) {
  if (reply.deliver) return reply.deliver(res, reply);
  res.sendDate = false;
  res.writeHead(reply.status, { 'content-length': reply.body.length, ...reply.headers });
  return res.end(reply.body);
}

class Proxy {
  /** What went wrong in the proxy itself: a mutant that breaks down proves nothing. */
  errors = [];

  constructor({ target, token, mutant }) {
    this.target = new URL(target);
    this.token = token;
    const made = mutant.make();
    this.mutant = typeof made === 'function' ? { answer: made } : made;
    this.server = http.createServer({ requestTimeout: 0, keepAliveTimeout: 30_000 });
    this.server.on('connection', (socket) => {
      socket.requests = 0;
      this.mutant.onConnection?.(socket);
    });
    this.server.on('request', (incoming, res) => this.#serve(incoming, res).catch((error) => this.#fail(res, error)));
    this.server.on('clientError', (_, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    });
  }

  get origin() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }
  /** Where the register is sent instead of the target. */
  get url() {
    return this.origin + this.target.pathname;
  }

  async #serve(incoming, res) {
    const { socket } = incoming;
    const { method, url, headers } = incoming;
    const wire = { nth: ++socket.requests, isChunked: 'transfer-encoding' in headers, isGone: false };
    wire.isExpecting = 'expect' in headers;
    res.once('close', () => (wire.isGone = !res.writableFinished));
    const { bytes, took_ms, isCut } = await readBody(incoming);
    Object.assign(wire, { took_ms });
    const request = new Request({ method, url, headers: passedOn(headers), body: bytes, token: this.token, wire });
    const next = (changed) => this.#ask(changed);
    if (isCut) await this.mutant.onCut?.(request, next);
    else write(res, await this.mutant.answer(request, next));
  }

  /** Addresses of the real server in a reply become our own, so that what is tapped comes here too. */
  async #ask(request) {
    const ours = this.origin,
      theirs = this.target.origin;
    const reply = await ask(this.target, request);
    return reply.text.includes(theirs) ? reply.withBody(reply.text.replaceAll(theirs, ours)) : reply;
  }

  #fail(res, error) {
    this.errors.push(error);
    res.socket?.destroy();
  }

  close() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

/** target: the tenant's URL at the real server, ".../oseries/KEY"; token: what the register signs with. */
export async function startProxy(options) {
  const proxy = new Proxy(options);
  await new Promise((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
  return proxy;
}
