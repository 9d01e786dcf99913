// A TCP proxy between the service and PostgreSQL that knows where messages begin and end (PostgreSQL's chapter 55,
// without TLS), and cuts a connection at the one that a test names.
import net from 'node:net';

import { freePort } from './support.mjs';

// Each session prepares them by these names (store/postgres.h).
const NAMED = { begin: 'BEGIN', commit: 'COMMIT' };

/** Whole messages out of a stream of bytes. The first one that a client sends has no letter. */
class Frames {
  constructor(hasGreeting) {
    this.rest = Buffer.alloc(0);
    this.hasGreeting = hasGreeting;
  }

  *take(bytes) {
    this.rest = Buffer.concat([this.rest, bytes]);
    for (;;) {
      const at = this.hasGreeting ? 0 : 1;
      if (this.rest.length < at + 4) return;
      const size = at + this.rest.readUInt32BE(at);
      if (this.rest.length < size) return;
      const frame = this.rest.subarray(0, size);
      this.rest = this.rest.subarray(size);
      const type = this.hasGreeting ? 'greeting' : String.fromCharCode(frame[0]);
      this.hasGreeting = false;
      yield { type, bytes: frame };
    }
  }
}

/** The text of a Parse message, and of a Bind to what has a name of its own; else nothing. */
function textOf({ type, bytes }) {
  if (type !== 'P' && type !== 'B') return '';
  const first = bytes.indexOf(0, 5);
  const second = bytes.toString('latin1', first + 1, bytes.indexOf(0, first + 1));
  return type === 'P' ? second : (NAMED[second] ?? '');
}

const isOf = (frame, text) => frame.type === 'B' && textOf(frame) === text;

/** What a message is, in words: the same for the same step of each checkout. */
function nameOf(side, frame) {
  const text = side === 'client' ? textOf(frame) : '';
  return text === '' ? frame.type : `${frame.type} ${text.slice(0, 40)}`;
}

class Connection {
  constructor(proxy, client, port) {
    this.proxy = proxy;
    this.client = client;
    this.server = net.connect({ port, host: '127.0.0.1' });
    this.frames = { client: new Frames(true), server: new Frames(false) };
    this.seen = undefined; // of the batch under way: how many messages went each way, and whether it ends with them
    this.isCut = false;
    client.setNoDelay(true);
    this.server.setNoDelay(true);
    client.on('data', (bytes) => this.#relay('client', bytes));
    this.server.on('data', (bytes) => this.#relay('server', bytes));
    for (const socket of [client, this.server]) {
      socket.on('error', () => this.#close());
      socket.on('close', () => this.#close());
    }
  }

  #close() {
    this.isCut = true;
    this.proxy.connections.delete(this);
    this.client.destroy();
    this.server.end(); // with what it was sent before
  }

  #relay(side, bytes) {
    for (const frame of this.frames[side].take(bytes)) {
      if (this.isCut) return;
      const how = this.#judge(side, frame);
      const to = side === 'client' ? this.server : this.client;
      if (how === 'half') to.write(frame.bytes.subarray(0, Math.ceil(frame.bytes.length / 2)));
      if (how === 'pass') to.write(frame.bytes);
      else this.#cut();
    }
  }

  #cut() {
    this.isCut = true;
    this.proxy.cuts++;
    this.client.end(); // what it was sent before is there, then the end
    this.server.end();
    this.proxy.connections.delete(this);
  }

  /** A batch of the committer is what begins with this, sent with others; everything else begins in its own way. */
  #judge(side, frame) {
    if (side === 'client' && isOf(frame, NAMED.begin)) this.seen = { client: 0, server: 0, isCommitting: false };
    if (this.seen === undefined) return 'pass';
    if (side === 'client' && isOf(frame, NAMED.commit)) this.seen.isCommitting = true;
    const at = this.seen[side]++;
    this.proxy.trace?.[side].push(nameOf(side, frame));
    if (this.seen.isCommitting && side === 'server' && frame.type === 'Z') this.seen = undefined;
    const [rule] = this.proxy.rules;
    if (rule === undefined || rule.side !== side || rule.at !== at) return 'pass';
    this.proxy.rules.shift();
    return rule.isHalf ? 'half' : 'cut';
  }
}

export class PostgresProxy {
  static async start(port) {
    const proxy = new PostgresProxy();
    proxy.port = await freePort();
    proxy.connections = new Set();
    proxy.rules = [];
    proxy.cuts = 0;
    proxy.server = net.createServer({ allowHalfOpen: true }, (client) => {
      if (proxy.isClosed) client.destroy();
      else proxy.connections.add(new Connection(proxy, client, port));
    });
    proxy.server.unref();
    await new Promise((resolve) => proxy.server.listen(proxy.port, '127.0.0.1', resolve));
    return proxy;
  }

  url(name) {
    return `postgresql://counterpart@127.0.0.1:${this.port}/${name}?sslmode=disable`;
  }

  /**
   * Cuts, one after the other: each in the next batch that gets so far. side: whose message it is; at: its number
   * since the batch began; it does not arrive, or half of it does.
   */
  arm(...rules) {
    this.rules = rules;
    this.cuts = 0;
  }

  /** What goes each way while this runs, message by message, from where a batch begins. */
  async record(run) {
    this.trace = { client: [], server: [] };
    await run();
    const { trace } = this;
    this.trace = undefined;
    return trace;
  }

  /** Nobody gets through until it is opened again; who is through is cut off. */
  close() {
    this.isClosed = true;
    for (const { client, server } of this.connections) {
      client.destroy();
      server.destroy();
    }
  }

  open() {
    this.isClosed = false;
  }

  stop() {
    this.close();
    this.server.close();
  }
}
