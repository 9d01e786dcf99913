// Real Redis servers and sentinels for suites, and servers that only pretend to be one. All on free ports of this
// machine, without persistence, ended with the tests.
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

import { freePort, spawnHelper, temporaryDirectory, until } from './support.mjs';

/** One connection that sends commands and gives replies: strings, numbers, null, arrays; errors are thrown. */
export class RedisClient {
  static async connect(port, { password } = {}) {
    const client = new RedisClient();
    client.waiting = [];
    client.bytes = Buffer.alloc(0);
    client.socket = net.connect(port, '127.0.0.1');
    client.socket.on('data', (data) => client.#take(data));
    await new Promise((resolve, reject) => {
      client.socket.once('connect', resolve);
      client.socket.once('error', reject);
    });
    const end = () => {
      for (const { reject } of client.waiting.splice(0)) reject(new Error('the connection to redis ended'));
    };
    client.socket.on('error', end).on('close', end);
    if (password) await client.call('AUTH', password);
    return client;
  }

  call(...words) {
    const parts = words.map((word) => (Buffer.isBuffer(word) ? word : Buffer.from(String(word))));
    const bytes = [`*${parts.length}\r\n`];
    for (const part of parts) bytes.push(`$${part.length}\r\n`, part, '\r\n');
    this.socket.write(Buffer.concat(bytes.map((piece) => Buffer.from(piece))));
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  close() {
    this.socket.destroy();
  }

  #take(data) {
    this.bytes = Buffer.concat([this.bytes, data]);
    for (;;) {
      const parsed = this.#parse(0);
      if (!parsed) return;
      this.bytes = this.bytes.subarray(parsed.end);
      const { resolve, reject } = this.waiting.shift();
      if (parsed.value instanceof Error) reject(parsed.value);
      else resolve(parsed.value);
    }
  }

  /** Strings come as buffers. */
  #parse(at) {
    const stop = this.bytes.indexOf('\r\n', at);
    if (stop < 0) return undefined;
    const line = this.bytes.subarray(at + 1, stop).toString();
    let end = stop + 2;
    switch (String.fromCharCode(this.bytes[at])) {
      case '+':
        return { value: Buffer.from(line), end };
      case '-':
        return { value: new Error(line), end };
      case ':':
        return { value: Number(line), end };
      case '$':
        if (line === '-1') return { value: null, end };
        if (this.bytes.length < end + Number(line) + 2) return undefined;
        return { value: this.bytes.subarray(end, end + Number(line)), end: end + Number(line) + 2 };
      default: {
        const value = [];
        for (let i = 0; i < Number(line); i++) {
          const item = this.#parse(end);
          if (!item) return undefined;
          value.push(item.value);
          ({ end } = item);
        }
        return { value, end };
      }
    }
  }
}

export class RedisServer {
  /** settings: "--name", "value", ... */
  static async start({ port, settings = [], password, sentinel } = {}) {
    const server = new RedisServer();
    server.port = port ?? (await freePort());
    server.settings = settings;
    server.password = password;
    server.sentinel = sentinel;
    await server.launch();
    return server;
  }

  /** Sentinels that watch the primary on this port under a name; they agree fast. */
  static startSentinel(primaryPort, name, quorum) {
    return RedisServer.start({ sentinel: { primaryPort, name, quorum } });
  }

  async launch() {
    const folder = temporaryDirectory();
    const file = path.join(folder, 'redis.conf');
    const lines = [`port ${this.port}`, 'bind 127.0.0.1', `dir ${folder}`, 'protected-mode no'];
    if (this.sentinel) {
      const { primaryPort, name, quorum } = this.sentinel;
      lines.push(
        `sentinel monitor ${name} 127.0.0.1 ${primaryPort} ${quorum}`,
        `sentinel down-after-milliseconds ${name} 1000`,
        `sentinel failover-timeout ${name} 3000`,
      );
    } else {
      lines.push('save ""', 'appendonly no');
      if (this.password) lines.push(`requirepass ${this.password}`, `masterauth ${this.password}`);
    }
    fs.writeFileSync(file, `${lines.join('\n')}\n`);
    const args = [file, ...this.settings, ...(this.sentinel ? ['--sentinel'] : [])];
    this.child = spawnHelper('redis-server', args);
    this.log = '';
    this.child.stdout.on('data', (data) => {
      this.log += data;
    });
    for (const handle of [this.child, ...this.child.stdio]) handle.unref();
    await until(`redis on port ${this.port}`, async () => {
      if (this.child.exitCode !== null) throw new Error(`redis-server ended:\n${this.log}`);
      try {
        await this.call('PING');
        return true;
      } catch {
        return false;
      }
    });
  }

  /** One command on a connection of its own. */
  async call(...words) {
    const client = await RedisClient.connect(this.port, { password: this.password });
    try {
      return await client.call(...words);
    } finally {
      client.close();
    }
  }

  get url() {
    return `redis://${this.password ? `:${this.password}@` : ''}127.0.0.1:${this.port}`;
  }

  stop() {
    return this.end('SIGKILL');
  }

  pause() {
    this.child.kill('SIGSTOP');
  }

  resume() {
    this.child.kill('SIGCONT');
  }

  async end(signal) {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => {
      this.child.once('exit', resolve);
    });
    this.child.ref();
    this.child.kill('SIGCONT');
    this.child.kill(signal);
    await ended;
  }
}

/** A TCP server that answers what `answer(bytes, socket)` says, which may be nothing. */
export async function startPretender(answer) {
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {
      /* it hung up on us: fine */
    });
    socket.on('data', (bytes) => answer(bytes, socket));
  });
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  server.unref();
  return {
    port: server.address().port,
    url: `redis://127.0.0.1:${server.address().port}`,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
