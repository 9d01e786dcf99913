// One process hands its place to another on the same machine: no request is refused or lost on the way.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import tls from 'node:tls';
import { after, test } from 'node:test';
import {
  IS_SLOW,
  IS_SOAK,
  RawSocket,
  Service,
  areIdentical,
  certificate,
  isApproved,
  newOrder,
  newTenant,
  rawRequest,
  sleep,
  temporaryDirectory,
  until,
} from './support.mjs';

const HAND_OVERS = IS_SOAK ? 40 : 4;
const CLIENTS = IS_SLOW ? 4 : 12;
const TICK_MS = 10;
const STILL_MS = 200; // service/loop.c waits for 250 ms

const living = new Set();
const orphans = new Set(); // process ids of what the service has started
const started = (service) => {
  living.add(service);
  return service;
};
const gone = async (service) => {
  const end = await service.ended;
  living.delete(service);
  assert.equal(end.code, 0, service.log.slice(-4000));
};
after(async () => {
  for (const id of orphans) process.kill(id, 'SIGKILL');
  for (const service of living) await service.kill();
});

/** The successor, once its predecessor has ended. */
async function handOver(service, options) {
  const successor = started(await service.succeed(options));
  await gone(service);
  return successor;
}

/** The bytes of a signed checkout. */
const checkout = (shop, card, amount) =>
  rawRequest(
    `${shop.base}/checkout`,
    JSON.stringify(shop.till().fields('checkout', { card, amount, order: newOrder() })),
  );

/** Charges 0.01 a time on a card of its own until it is over; whatever else happens is a failure of the test. */
class Client {
  constructor(shop, number, agent, options) {
    Object.assign(this, { number, till: shop.till({ agent }), options, charges: 0, failures: [] });
  }

  async run(isOver) {
    while (!isOver()) {
      try {
        const sent = { card: this.number, amount: '0.01', order: newOrder() };
        isApproved(await this.till.checkout(sent, this.options), { amount: '0.01' });
        this.charges++;
      } catch (error) {
        this.failures.push(`${error.code ?? ''} ${error.message}`);
      }
    }
  }
}

/** Every client charges while one process after the other takes over; then ledger and answers are compared. */
async function handOverUnderLoad(first, makeAgent, options) {
  let service = first;
  const shop = await newTenant(service);
  const clients = [];
  for (let i = 0; i < CLIENTS; i++) {
    const { number } = await shop.issue({ amount: '500.00' });
    clients.push(new Client(shop, number, makeAgent(i), options));
  }
  let isOver = false;
  const load = Promise.all(clients.map((client) => client.run(() => isOver)));
  for (let i = 0; i < HAND_OVERS; i++) {
    const before = clients.map(({ charges }) => charges);
    await until('every client to have charged', () => clients.every(({ charges }, at) => charges > before[at]));
    service = await handOver(service);
  }
  isOver = true;
  await load;
  for (const { till } of clients) if (till.agent) till.agent.destroy();
  assert.deepEqual(
    clients.flatMap(({ failures }) => failures),
    [],
  );
  for (const { number, charges } of clients) {
    const { balance } = await shop.show(number);
    assert.equal(Math.round(Number(balance) * 100), 50_000 - charges, `${charges} answered charges`);
  }
  await service.verifyIsClean();
  await service.stop();
  living.delete(service);
}

test('hand-overs under load refuse and reset no request, and every charge is in the ledger once', async () => {
  const service = started(await Service.start());
  await handOverUnderLoad(service, (i) => i % 3 > 0 && new http.Agent({ keepAlive: true, maxSockets: 1 }));
});

/** The longest that this process stood still while `run` ran. */
async function stillnessMs(run) {
  let at = Date.now();
  let longest = 0;
  const ticking = setInterval(() => {
    longest = Math.max(longest, Date.now() - at - TICK_MS);
    at = Date.now();
  }, TICK_MS);
  await run();
  clearInterval(ticking);
  return longest;
}

test('hand-overs under load refuse and reset no request over TLS', async () => {
  const { cert, key } = await certificate(temporaryDirectory(), 'till');
  const env = { COUNTERPART_TLS_CERT: cert, COUNTERPART_TLS_KEY: key };
  const ca = fs.readFileSync(cert);
  const kept = () => new https.Agent({ keepAlive: true, maxSockets: 1, ca });
  for (let attempt = 1; ; attempt++) {
    const service = started(await Service.start({ scheme: 'https', env }));
    let failure;
    const stoodStillMs = await stillnessMs(() =>
      handOverUnderLoad(service, (i) => i % 2 > 0 && kept(), { client: https, ca }).catch((error) => (failure = error)),
    );
    if (!failure) return;
    // No till waits so long before its next request, and nobody waits for one who does: that says nothing.
    if (stoodStillMs < STILL_MS || attempt === 3) throw failure;
  }
});

test('a retry that reaches the successor gets the answer of the predecessor byte for byte', async () => {
  const service = started(await Service.start());
  const shop = await newTenant(service);
  const { number } = await shop.issue({ amount: '50.00' });
  const sent = { card: number, amount: '20.00', order: newOrder() };
  const first = await shop.till().checkout(sent);
  isApproved(first, { amount: '20.00' });
  const successor = await handOver(service);
  areIdentical(await shop.till().checkout(sent), first);
  assert.equal((await shop.show(number)).balance, '30.00');
  await successor.stop();
  living.delete(successor);
});

test('a connection that was open and idle is served by the successor, and never closed', async () => {
  const service = started(await Service.start());
  const shop = await newTenant(service);
  const { number } = await shop.issue({ amount: '50.00' });
  const used = await RawSocket.connect(service.port);
  const fresh = await RawSocket.connect(service.port);
  await used.write(checkout(shop, number, '1.00'));
  assert.equal((await used.reply(1)).status, 200);
  const successor = await handOver(service);
  for (const [socket, nth] of [
    [used, 2],
    [fresh, 1],
  ]) {
    await socket.write(checkout(shop, number, '1.00'));
    const reply = await socket.reply(nth);
    assert.equal(reply?.json?.success, true, reply?.text ?? 'the connection was closed');
    socket.destroy();
  }
  assert.equal((await shop.show(number)).balance, '47.00');
  await successor.stop();
  living.delete(successor);
});

/** An open connection over TLS. */
const connectTls = (port, ca) =>
  new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port, ca }, () => resolve(new RawSocket(socket, port)));
    socket.once('error', reject);
  });

test('a request over TLS that came while the predecessor stood still is answered', async () => {
  const { cert, key } = await certificate(temporaryDirectory(), 'till');
  const ca = fs.readFileSync(cert);
  const env = { COUNTERPART_TLS_CERT: cert, COUNTERPART_TLS_KEY: key };
  let service = started(await Service.start({ scheme: 'https', env }));
  const shop = await newTenant(service);
  const { number } = await shop.issue({ amount: '50.00' });
  let answer;
  for (let i = 0; i < 5 && answer === undefined; i++) {
    const socket = await connectTls(service.port, ca);
    await socket.write(checkout(shop, number, '1.00'));
    assert.equal((await socket.reply(1)).status, 200);
    const pending = service.succeed();
    await until('the predecessor to hold', () => service.log.includes('"event":"handing_over"'));
    service.signal('SIGSTOP');
    await sleep(50);
    const isTooLate = socket.isClosed; // it has closed what was idle for so long
    if (!isTooLate) await socket.write(checkout(shop, number, '1.00'));
    await sleep(400); // more than it waits for who is between two requests
    service.signal('SIGCONT');
    const successor = started(await pending);
    if (!isTooLate) answer = (await socket.reply(2)) ?? 'the connection was closed';
    await gone(service);
    service = successor;
    socket.destroy();
  }
  assert.equal(answer?.json?.success, true, answer?.text ?? answer);
  await service.verifyIsClean();
  await service.stop();
  living.delete(service);
});

for (const [what, cut] of [
  ['the middle of its head', 30],
  ['the middle of its body', -20],
])
  test(`a request that the hand-over cuts in ${what} is served as one`, async () => {
    const service = started(await Service.start());
    const shop = await newTenant(service);
    const { number } = await shop.issue({ amount: '50.00' });
    const bytes = checkout(shop, number, '7.00');
    const socket = await RawSocket.connect(service.port);
    await socket.write(bytes.subarray(0, cut));
    await sleep(100); // the predecessor has read it
    const successor = await handOver(service);
    await socket.write(bytes.subarray(cut < 0 ? bytes.length + cut : cut));
    const reply = await socket.reply(1);
    assert.equal(reply?.json?.success, true, reply?.text ?? 'the connection was closed');
    socket.destroy();
    assert.equal((await shop.show(number)).balance, '43.00');
    await successor.stop();
    living.delete(successor);
  });

test('a successor that is to listen elsewhere is refused, and says why', async () => {
  const service = started(await Service.start());
  await assert.rejects(
    service.succeed({ env: { COUNTERPART_LISTEN: '127.0.0.1:1,127.0.0.1:2' } }),
    /COUNTERPART_LISTEN is not the successor's/,
  );
  assert.equal(await service.probe('/readyz'), 200);
  await service.stop();
  living.delete(service);
});

test('a successor that cannot read its profiles ends before anything was handed over', async () => {
  const service = started(await Service.start());
  await assert.rejects(service.succeed({ env: { COUNTERPART_PROFILES: '/nowhere' } }), /the profiles in/);
  await until('the predecessor to have noticed', () => service.log.includes('not_handed_over'));
  assert.equal(service.log.includes('"event":"handed_over"'), false);
  assert.equal(await service.probe('/readyz'), 200);
  await service.stop();
  living.delete(service);
});

test('a successor with another master key ends before anything was handed over', async () => {
  const service = started(await Service.start());
  const key = path.join(temporaryDirectory(), 'other.key');
  fs.writeFileSync(key, `${'5a'.repeat(32)}\n`, { mode: 0o600 });
  await assert.rejects(service.succeed({ env: { COUNTERPART_MASTER_KEY: key } }), /is not the master key/);
  await until('the predecessor to have noticed', () => service.log.includes('not_handed_over'));
  assert.equal(service.log.includes('"event":"handing_over"'), false);
  assert.equal(await service.probe('/readyz'), 200);
  await service.stop();
  living.delete(service);
});

// That sanitizer itself ends where it may write to no file.
const WRITES = { skip: /tsan/.test(process.env.COUNTERPART_BIN ?? '') && 'the thread sanitizer writes before we do' };

test('a predecessor takes everything back when its successor ends with the lock in its hands', WRITES, async () => {
  const service = started(await Service.start());
  const shop = await newTenant(service);
  const { number } = await shop.issue({ amount: '50.00' });
  const socket = await RawSocket.connect(service.port);
  const sent = { card: number, amount: '5.00', order: newOrder() };
  const first = await shop.till().checkout(sent);
  // It may write to no file, so it ends at the first one: the lock, which is its own by then.
  await assert.rejects(service.succeed({ wrap: ['prlimit', '--fsize=0', '--'] }), /ended at once/);
  await until('the predecessor to serve again', () => service.log.split('"event":"listening"').length === 3);
  areIdentical(await shop.till().checkout(sent), first);
  await socket.write(checkout(shop, number, '1.00'));
  assert.equal((await socket.reply(1))?.json?.success, true);
  socket.destroy();
  const successor = await handOver(service); // and the next one is welcome
  assert.equal((await shop.show(number)).balance, '44.00');
  await successor.verifyIsClean();
  await successor.stop();
  living.delete(successor);
});

test('a successor whose predecessor is killed on the way goes on with the lock of the dead', async () => {
  const service = started(await Service.start());
  const shop = await newTenant(service);
  const { number } = await shop.issue({ amount: '50.00' });
  // A body in chunks that stops coming cannot be handed over, so the predecessor holds for a second.
  const slow = await RawSocket.connect(service.port);
  await slow.write(rawRequest(`${shop.base}/checkout`, '', { length: false, headers: ['Transfer-Encoding: chunked'] }));
  await slow.write('5\r\n{"a":');
  const pending = service.succeed();
  const held = shop.till(); // who comes now waits in the kernel, or is served
  await until('the predecessor to hold', () => service.log.includes('"event":"handing_over"'));
  await service.kill();
  living.delete(service);
  const successor = started(await pending);
  isApproved(await held.checkout({ card: number, amount: '2.00', order: newOrder() }), { amount: '2.00' });
  await successor.verifyIsClean();
  await successor.stop();
  living.delete(successor);
  slow.destroy();
});

test('without anybody to take over from, the service starts as always', async () => {
  const service = started(await Service.start({ takesOver: true }));
  assert.equal(await service.probe('/readyz'), 200);
  await service.stop();
  living.delete(service);
});

test('counterpart hand-over starts the successor, and says which process serves now', async () => {
  const service = started(await Service.start());
  const shop = await newTenant(service);
  const { code, json, stderr } = await service.cli(['hand-over']);
  assert.equal(code, 0, stderr);
  orphans.add(json.process);
  await until('the predecessor to end', () => service.child.exitCode !== null); // its log lives on in the successor's
  living.delete(service);
  assert.equal(service.child.exitCode, 0, service.log);
  assert.notEqual(json.process, service.pid);
  assert.equal(await service.probe('/readyz'), 200);
  const { number } = await shop.issue({ amount: '5.00' });
  assert.equal((await shop.show(number)).balance, '5.00');
  process.kill(json.process, 'SIGTERM');
  orphans.delete(json.process);
  await service.ended; // nobody has its log any more
  assert.equal(await service.probe('/healthz'), 0);
});

test('counterpart hand-over says so where nobody serves', async () => {
  const service = await Service.start();
  await service.stop();
  const { code, stderr } = await service.cli(['hand-over']);
  assert.equal(code, 1);
  assert.match(stderr, /the service is not running/);
});
