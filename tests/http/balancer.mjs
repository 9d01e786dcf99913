// A real HAProxy with packaging/haproxy/haproxy.cfg, the file that compose.yaml gives it, in front of two addresses.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { ROOT, RawSocket, freePort, request, spawnHelper, until } from './support.mjs';

export const HAPROXY = '/usr/sbin/haproxy';
export const CONFIGURATION = path.join(ROOT, 'packaging/haproxy/haproxy.cfg');
export const ERRORS = path.join(ROOT, 'packaging/haproxy/errors');

/** The replies that it gives itself: {status: {head, body}}. */
export function errorReplies() {
  const replies = {};
  for (const name of fs.readdirSync(ERRORS)) {
    const [head, body] = fs.readFileSync(path.join(ERRORS, name), 'utf8').split('\r\n\r\n');
    replies[path.parse(name).name] = { head: head.split('\r\n'), body };
  }
  return replies;
}

export class Balancer {
  /** one and two: services. certificate: a PEM file; then it listens for TLS too. */
  static async start(one, two, { certificate } = {}) {
    const balancer = new Balancer();
    balancer.port = await freePort();
    balancer.tlsPort = certificate && (await freePort());
    const environment = [
      `BALANCER_LISTEN=127.0.0.1:${balancer.port}`,
      `BALANCER_ONE=127.0.0.1:${one.port}`,
      `BALANCER_TWO=127.0.0.1:${two.port}`,
      ...(certificate ? [`BALANCER_TLS_LISTEN=127.0.0.1:${balancer.tlsPort}`, `BALANCER_TLS_CERT=${certificate}`] : []),
    ];
    balancer.child = spawnHelper('env', [...environment, HAPROXY, '-db', '-f', CONFIGURATION]);
    balancer.log = '';
    balancer.child.stdout.on('data', (data) => {
      balancer.log += data;
    });
    balancer.child.stderr.resume(); // says all of it once more
    for (const handle of [balancer.child, ...balancer.child.stdio]) handle.unref();
    await until('the balancer to listen', async () => {
      assert.equal(balancer.child.exitCode, null, `haproxy ended:\n${balancer.log}`);
      try {
        (await RawSocket.connect(balancer.port)).destroy();
        return true;
      } catch {
        return false;
      }
    });
    return balancer;
  }

  get origin() {
    return `http://127.0.0.1:${this.port}`;
  }

  get(pathname, options = {}) {
    return request(this.origin + pathname, { method: 'GET', agent: false, ...options });
  }

  /** Runs `change`, and waits until it has noticed that the server is up or down. */
  async notices(server, state, change) {
    const before = this.#count(server, state);
    await change();
    await until(`the balancer to see ${server} ${state}`, () => this.#count(server, state) > before);
  }

  #count(server, state) {
    return this.log.split(`Server counterparts/${server} is ${state}`).length;
  }

  async stop() {
    const ended = new Promise((resolve) => {
      this.child.once('exit', resolve);
    });
    this.child.ref();
    this.child.kill('SIGTERM');
    await ended;
  }
}
