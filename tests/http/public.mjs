// The world outside, on this machine: a name that only a proxy knows, and behind it an https host that forwards to the
// service, as a tunnel does, with the mistakes that tunnels and proxies make.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import assert from 'node:assert/strict';
import { run, temporaryDirectory } from './support.mjs';

export const PUBLIC_NAME = 'gifts.example.test';
const PAGE = '<html><body><h1>404 Not Found</h1><hr>a proxy</body></html>';

async function openssl(...args) {
  const { code, stderr } = await run('openssl', args);
  assert.equal(code, 0, stderr);
}

/** An authority of our own. */
export class Authority {
  static async make() {
    const authority = new Authority();
    authority.directory = temporaryDirectory();
    authority.certificate = path.join(authority.directory, 'ca.pem');
    authority.key = path.join(authority.directory, 'ca.key');
    await openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '3650'],
      ...['-subj', '/CN=Test authority', '-keyout', authority.key, '-out', authority.certificate],
    );
    return authority;
  }

  /** {cert, key} for a host; days: how long it is good. */
  async issue(name, days) {
    const base = path.join(this.directory, `${name}-${days}`);
    const extensions = `${base}.ext`;
    fs.writeFileSync(extensions, `subjectAltName=DNS:${name}\n`);
    await openssl(
      ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`],
      ...['-keyout', `${base}.key`, '-out', `${base}.csr`],
    );
    await openssl(
      ...['x509', '-req', '-in', `${base}.csr`, '-CA', this.certificate, '-CAkey', this.key, '-CAcreateserial'],
      ...['-days', String(days), '-extfile', extensions, '-out', `${base}.pem`],
    );
    return { cert: fs.readFileSync(`${base}.pem`), key: fs.readFileSync(`${base}.key`) };
  }
}

const listen = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.unref().address().port)));

const readAll = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
};

/** Sends a request on to 127.0.0.1:port; gives {status, headers, body}. */
function forward(port, req, body) {
  const headers = { ...req.headers, 'content-length': body.length };
  delete headers['transfer-encoding'];
  return new Promise((resolve, reject) => {
    const out = http.request(
      { host: '127.0.0.1', port, method: req.method, path: req.url, headers, agent: false },
      async (res) => resolve({ status: res.statusCode, headers: res.headers, body: await readAll(res) }),
    );
    out.once('error', reject);
    out.end(body);
  });
}

const page = (res, status) => {
  res.writeHead(status, { 'Content-Type': 'text/html', 'Content-Length': PAGE.length });
  res.end(PAGE);
};

/** What the host at the public address does with a request; each is a mistake that is made in earnest. */
const MODES = {
  pages: (req, res) => page(res, 200),
  badGateway: (req, res) => page(res, 502),
  redirect: (req, res) => res.writeHead(301, { Location: `https://www.${PUBLIC_NAME}${req.url}` }).end(),
  silence: () => {}, // for ever
  smallBodies: (req, res, { body }) => (body.length > 1024 ? page(res, 413) : undefined),
  rewrite: (req, res, { body }) => {
    try {
      return { body: Buffer.from(JSON.stringify(JSON.parse(body))) };
    } catch {
      return undefined; // no JSON
    }
  },
  dropSignature: (req) => {
    delete req.headers['x-kounta-signature'];
  },
};

export class PublicHost {
  /** port: the service's. */
  static async start(t, authority, port) {
    const host = new PublicHost();
    Object.assign(host, { port, mode: null, waiting: new Set() });
    host.authority = authority;
    host.server = https.createServer({}, (req, res) => void host.#answer(req, res));
    await host.present(PUBLIC_NAME, 90);
    host.httpsPort = await listen(host.server);
    // Whoever wants any host gets this one: a name server would be no other.
    host.proxy = http.createServer().on('connect', (req, socket, head) => {
      const [name] = req.url.split(':');
      if (!name.endsWith(PUBLIC_NAME)) {
        socket.end('HTTP/1.1 502 no such host\r\n\r\n');
        return;
      }
      const to = net.connect(host.httpsPort, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 connected\r\n\r\n');
        to.write(head);
        to.pipe(socket).pipe(to);
      });
      for (const each of [to, socket])
        each.on('error', () => {
          to.destroy();
          socket.destroy();
        });
    });
    host.proxyPort = await listen(host.proxy);
    t?.after(() => host.stop());
    return host;
  }

  /** The certificate that it shows from now on. */
  async present(name, days, authority = this.authority) {
    const { cert, key } = await authority.issue(name, days);
    this.server.setSecureContext({ cert, key });
  }

  /** Of a service that is reached through it. */
  get environment() {
    return {
      COUNTERPART_PUBLIC_URL: `https://${PUBLIC_NAME}`,
      SSL_CERT_FILE: this.authority.certificate,
      https_proxy: `http://127.0.0.1:${this.proxyPort}`,
    };
  }

  async #answer(req, res) {
    const body = await readAll(req);
    this.waiting.add(req);
    const changed = MODES[this.mode]?.(req, res, { body });
    if (res.writableEnded || this.mode === 'silence') return;
    const reply = await forward(this.port, req, changed?.body ?? body).catch(() => null);
    if (reply === null) return page(res, 502); // as a proxy does when the service is away
    if (this.mode === 'ownErrors' && reply.status >= 400) return page(res, reply.status);
    res.writeHead(reply.status, reply.headers);
    res.end(reply.body);
  }

  stop() {
    for (const server of [this.server, this.proxy]) {
      server.close();
      server.closeAllConnections();
    }
  }
}

/** Stands before an HTTP server; its replies' Date is off by seconds. */
export async function skewedClock(t, port) {
  const skewed = { seconds: 0 };
  const server = http.createServer(async (req, res) => {
    const reply = await forward(port, req, await readAll(req)).catch(() => null);
    if (reply === null) return res.destroy();
    const date = new Date(Date.now() + skewed.seconds * 1000).toUTCString();
    res.writeHead(reply.status, { ...reply.headers, date });
    res.end(reply.body);
  });
  skewed.port = await listen(server);
  t?.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return skewed;
}
