// Two processes on one PostgreSQL behind a real HAProxy with the configuration that we ship: nothing is sent twice,
// a drain refuses nobody, a kill costs no sale, and whatever the balancer says itself is JSON.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Balancer, CONFIGURATION, errorReplies } from './balancer.mjs';
import { startCloud } from './cloud.mjs';
import { misfit } from './contract.mjs';
import { connect } from './loyal.mjs';
import { Postgres } from './postgres.mjs';
import { RedisServer } from './redis_server.mjs';
import { RawSocket, Service, areIdentical, certificate, freePort, isApproved, isJsonReply, newOrder, rawRequest,
  request, sign, sleep, temporaryDirectory, until } from './support.mjs';

const CLIENTS = 6;
const AMOUNT = '0.10';
const ANSWER_MS = 10_000; // more than the balancer waits
const TROUBLES_MAX = 200; // of one client
const KEPT_MS = 1500; // unanswered so long is kept; a probe's patience is longer
const SENT_MS = 300; // for bytes to go from one process to the next

let cluster, redis, cloud, agent, balancer, database;
let services; // one and two, as the balancer calls them
let shop; // connected to Lightspeed; its tills talk to the balancer
let slow; // bodies that do not come, from the beginning on

const isAlive = ({ child }) => child.exitCode === null && child.signalCode === null;

/** A service's place, where requests go to the balancer. */
const behind = (front) => ({
  origin: front.origin,
  must: (...args) => services.find(isAlive).must(...args),
});

const refused = (reply, status, code) => {
  isJsonReply(reply);
  assert.deepEqual([reply.status, reply.json.code], [status, code], reply.text);
  assert.equal(misfit(reply.json, '#/components/schemas/Refusal'), undefined);
};
const checkoutBytes = (fields, options) =>
  rawRequest(`${shop.base}/checkout`, JSON.stringify(shop.till().fields('checkout', fields)), options);
const checkoutsAt = async (service) => {
  const { text } = await service.get('/metrics');
  const counts = text.matchAll(/^counterpart_requests_total\{[^}]*route="oseries.checkout"[^}]*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
};
/** Of each order: how often it was charged. */
async function readCharges() {
  const query = 'SELECT order_id, count(*) FROM operation WHERE action = 2 AND result = 0 GROUP BY 1';
  const text = await cluster.sql(query, database);
  return new Map(text.split('\n').filter(Boolean).map((line) => line.split('|').map(Number)));
}
const restart = (at) => balancer.notices(['one', 'two'][at], 'UP', () => services[at].restart());

before(async () => {
  agent = new http.Agent({ keepAlive: true });
  const port = await freePort();
  [cluster, redis, cloud] = await Promise.all([
    Postgres.start(),
    RedisServer.start(),
    startCloud(undefined, { redirectUris: [`http://127.0.0.1:${port}/oauth/callback`] }),
  ]);
  const location = await cluster.createDatabase('counterpart');
  database = 'counterpart';
  const env = {
    ...cloud.environment,
    COUNTERPART_DATABASE: location,
    COUNTERPART_REDIS: redis.url,
    COUNTERPART_COMMITTERS: '2',
    COUNTERPART_DRAIN_NOTICE_S: '3', // as in compose.yaml
    COUNTERPART_TRUSTED_PROXIES: '127.0.0.1',
  };
  const first = await Service.start({ port, env });
  const key = path.join(first.data, 'master.key');
  services = [first, await Service.start({ env: { ...env, COUNTERPART_MASTER_KEY: key } })];
  const made = await certificate(temporaryDirectory(), 'balancer');
  fs.appendFileSync(made.cert, fs.readFileSync(made.key));
  balancer = await Balancer.start(...services, { certificate: made.cert });
  slow = [await RawSocket.connect(balancer.port), await RawSocket.connect(balancer.port)];
  await first.must([
    ...['app', 'set', '--surface', 'oseries', '--client-id', cloud.clientId],
    ...['--client-secret', cloud.clientSecret, '--signature-token', cloud.signatureToken],
  ]);
  shop = await first.addTenant({ token: null });
  shop.token = cloud.signatureToken;
  await connect(first, cloud, shop);
  shop.service = behind(balancer);
  for (const [i, note] of ['', 'x'.repeat(50_000)].entries())
    await slow[i].write(checkoutBytes({ note }, { token: shop.token }).subarray(0, -5));
  await until('both to know the shop', async () => {
    const till = shop.till();
    const replies = await Promise.all([1, 2, 3, 4].map(() => till.checkBalance({ card: '1' })));
    return replies.every(({ status }) => status === 200);
  });
});
after(async () => {
  agent.destroy();
  for (const socket of slow ?? []) socket.destroy();
  await balancer?.stop();
  for (const service of services ?? []) {
    if (!isAlive(service)) continue;
    service.signal('SIGCONT'); // a test that failed may have left it frozen
    await service.stop();
  }
  await cloud?.stop();
  await redis?.stop();
  await cluster?.stop();
});

/** A till with one sale after the other, each sent until it is paid, until it is over. */
class Client {
  constructor(card, i) {
    Object.assign(this, { card, paid: [], troubles: [] });
    // Some keep their connection, some make a new one for each sale.
    this.till = shop.till({ register: 200 + i, agent: i % 3 > 0 ? agent : undefined });
  }

  async pay(order) {
    for (;;) {
      try {
        const reply = await this.till.checkout({ card: this.card, amount: AMOUNT, order }, { ms: ANSWER_MS });
        isJsonReply(reply);
        if (reply.json.success) return isApproved(reply, { amount: AMOUNT });
        this.troubles.push(reply.text);
      } catch (error) {
        this.troubles.push(`${error.code ?? ''} ${error.message}`);
      }
      assert.ok(this.troubles.length < TROUBLES_MAX, this.troubles.at(-1));
      await sleep(20);
    }
  }

  async run(isOver) {
    while (!isOver()) {
      const order = newOrder();
      await this.pay(order);
      this.paid.push(order);
      await sleep(5);
    }
  }
}

/** Clients pay while `work` is done; in the end each sale was charged once. Gives what went wrong on the way. */
async function underLoad(work) {
  const cards = await Promise.all(Array.from({ length: CLIENTS }, () => shop.issue({ amount: '9000.00' })));
  const clients = cards.map(({ number }, i) => new Client(number, i));
  let isOver = false;
  const load = Promise.all(clients.map((client) => client.run(() => isOver)));
  const everyoneHasPaid = async () => {
    const counts = clients.map(({ paid }) => paid.length);
    await until('every client to have paid', () => clients.every(({ paid }, i) => paid.length > counts[i] + 3));
  };
  load.catch(() => {}); // told below
  const drill = async () => {
    await everyoneHasPaid();
    await work(everyoneHasPaid);
    await everyoneHasPaid();
  };
  try {
    await Promise.race([drill(), load]);
  } finally {
    isOver = true;
  }
  await load;
  const charges = await readCharges();
  for (const order of clients.flatMap(({ paid }) => paid)) assert.equal(charges.get(order), 1, `order ${order}`);
  return clients.flatMap(({ troubles }) => troubles);
}

test('what is signed arrives byte for byte, in one piece, in chunks, and larger than the balancer holds', async () => {
  const { number: card } = await shop.issue({ amount: '50.00' });
  const note = 'ü\u20ac "\\/" \t '.repeat(3000); // 48 KiB
  for (const [i, more] of [{}, { odd: ' \u00e9  ' }, { note }].entries()) {
    const fields = shop.till().fields('checkout', { card, amount: '1.00', order: newOrder(), ...more });
    const body = Buffer.from(`  ${JSON.stringify(fields, undefined, i)}\n`);
    isApproved(await shop.till().send('checkout', body), { amount: '1.00', balance: `${49 - 2 * i}.00` });
    fields.order_id = newOrder();
    const chunks = Buffer.from(JSON.stringify(fields));
    const headers = ['Transfer-Encoding: chunked', `X-Kounta-Signature: ${sign(chunks, shop.token)}`];
    const socket = await RawSocket.connect(balancer.port);
    await socket.write(rawRequest(`${shop.base}/checkout`, '', { token: null, length: false, headers }));
    for (let at = 0; at < chunks.length; at += 7001) {
      const part = chunks.subarray(at, at + 7001);
      await socket.write(Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]));
    }
    await socket.write('0\r\n\r\n');
    isApproved(await socket.reply(1), { amount: '1.00', balance: `${48 - 2 * i}.00` });
    socket.destroy();
  }
  const fields = shop.till().fields('checkout', { card, amount: '1.00', order: newOrder() });
  const order = JSON.stringify({ id: newOrder(), status: 'COMPLETE', note: 'x'.repeat(200_000) });
  const signed = { 'X-Kounta-Signature': sign(order, shop.token) };
  const hook = `${balancer.origin}${shop.base}/webhooks/orders/completed`;
  assert.equal((await request(hook, { body: order, headers: signed })).status, 200);
  const flipped = Buffer.from(JSON.stringify(fields));
  const headers = { 'X-Kounta-Signature': sign(Buffer.concat([flipped, Buffer.from(' ')]), shop.token) };
  refused(await shop.till().send('checkout', flipped, { token: null, headers }), 401, 'unauthorized');
});

test('a retry over the balancer gets the first answer, whoever it comes to', async () => {
  const { number: card } = await shop.issue({ amount: '50.00' });
  const sent = { card, amount: '1.00', order: newOrder() };
  const before = await Promise.all(services.map(checkoutsAt));
  const replies = [];
  for (let i = 0; i < 4; i++) replies.push(await shop.till().checkout(sent));
  isApproved(replies[0], { amount: '1.00', balance: '49.00' });
  for (const reply of replies) areIdentical(reply, replies[0]);
  for (const [i, service] of services.entries())
    assert.equal(await checkoutsAt(service), before[i] + 2, 'each had two');
});

test("the client's address is the one that the balancer sees, whatever it claims to be", async () => {
  const marks = services.map((service) => service.events.length);
  const headers = { 'X-Forwarded-For': '203.0.113.7' };
  const options = { token: 'wrong', headers, localAddress: '127.0.0.9' };
  const { status } = await shop.till().checkBalance({ card: '1' }, options);
  assert.equal(status, 401);
  const events = () => services.flatMap((service, i) => service.events.slice(marks[i]));
  const noted = () => events().find(({ event }) => event === 'signature');
  assert.equal((await until('the log line', noted)).client, '127.0.0.9');
});

test('TLS ends at the balancer', async () => {
  const send = (action, fields) =>
    request(`https://127.0.0.1:${balancer.tlsPort}${shop.base}/${action}`, {
      client: https,
      agent: false,
      rejectUnauthorized: false,
      body: JSON.stringify(fields),
      headers: { 'X-Kounta-Signature': sign(JSON.stringify(fields), shop.token) },
    });
  const { number: card } = await shop.issue({ amount: '5.00' });
  isApproved(await send('checkout', shop.till().fields('checkout', { card, amount: '5.00', order: newOrder() })));
});

test('every reply of the balancer itself is JSON as docs/openapi.yaml has it, and in its configuration', () => {
  const configuration = fs.readFileSync(CONFIGURATION, 'utf8');
  const named = [...configuration.matchAll(/^ +errorfile (\d+) errors\/\1\.http$/gm)].map(([, status]) => status);
  const replies = errorReplies();
  assert.deepEqual(Object.keys(replies), named);
  for (const [status, { head, body }] of Object.entries(replies)) {
    assert.match(head[0], new RegExp(`^HTTP/1\\.1 ${status} [A-Z]`));
    assert.ok(head.includes('Content-Type: application/json; charset=utf-8'), head);
    assert.ok(head.includes(`Content-Length: ${Buffer.byteLength(body)}`), head);
    assert.ok(head.includes('Cache-Control: no-store'), head);
    assert.equal(misfit(JSON.parse(body), '#/components/schemas/Refusal'), undefined, body);
  }
});

test('what is not for registers, too large or no JSON is refused in JSON; what is no HTTP gets no page', async () => {
  for (const pathname of ['/metrics', '/readyz', '/', '/admin/tenant/list', '/OSERIES/x'])
    refused(await balancer.get(pathname), 404, 'not_found');
  assert.equal((await balancer.get('/healthz')).status, 200);
  refused(await shop.till().send('checkout', '{"broken'), 400, 'json_syntax');
  refused(await shop.till().send('checkout', 'x'.repeat(70_000)), 413, 'too_large');
  const huge = await RawSocket.connect(balancer.port);
  await huge.write(rawRequest(`${shop.base}/checkout`, '', { length: false, headers: ['Content-Length: 900000000'] }));
  refused(await huge.reply(1), 413, 'too_large');
  huge.destroy();
  const asked = (headers) => rawRequest(`${shop.base}/check-balance`, '{}', { token: shop.token, headers });
  for (const odd of [asked(['X-A: a\0b']), asked(['X-A: a\x01b']), asked(new Array(96).fill('X-A: a'))]) {
    const socket = await RawSocket.connect(balancer.port);
    await socket.write(odd);
    refused(await socket.reply(1), 400, 'bad_request'); // a counterpart's libh2o has said so, in text
    socket.destroy();
  }
  for (const bytes of [
    'GARBAGE\r\n\r\n',
    'GET / HTTP/1.1\r\nHo st: a\r\n\r\n',
    `GET / HTTP/1.1\r\nHost: a\r\nLong: ${'x'.repeat(100_000)}\r\n\r\n`,
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'POST /oseries/x/checkout HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: cow, chunked\r\n\r\n0\r\n\r\n',
  ]) {
    const socket = await RawSocket.connect(balancer.port);
    await socket.write(bytes);
    await socket.closed();
    assert.equal(socket.received.length, 0, socket.received.toString());
  }
});

test('a register that hangs up is noticed behind the balancer: its charge is a suspect', async () => {
  const suspects = () => services.flatMap(({ events }) => events).filter(({ event }) => event === 'suspect');
  // Where both come at once, an answer may leave before the end is read: such a charge is told by the order alone.
  await until('the suspect', async () => {
    const { number: card } = await shop.issue({ amount: '5.00' });
    await hangUp({ card, amount: '5.00', order: newOrder() });
    await until('the charge', async () => (await shop.show(card)).balance === '0.00');
    return suspects().length > 0;
  });
});

/** A checkout whose register is gone when a counterpart reads it. */
async function hangUp(sale) {
  const socket = await RawSocket.connect(balancer.port);
  for (const service of services) service.signal('SIGSTOP'); // shorter than a probe's patience
  await socket.write(checkoutBytes(sale, { token: shop.token }));
  await sleep(SENT_MS);
  socket.destroy();
  await sleep(SENT_MS);
  for (const service of services) service.signal('SIGCONT');
}

/** Sales until one comes to `frozen`, which stands still and keeps it: the reply to that, and what was sent. */
async function sendToFrozen(frozen, whileItWaits) {
  const { number: card } = await shop.issue({ amount: '5.00' });
  const other = services.find((service) => service !== frozen);
  const before = await checkoutsAt(other);
  frozen.signal('SIGSTOP');
  for (let answered = 0; ; answered++) {
    const sent = { card, amount: '1.00', order: newOrder() };
    const asked = shop.till().checkout(sent);
    const reply = await Promise.race([asked, sleep(KEPT_MS)]);
    if (reply) {
      isApproved(reply, { amount: '1.00' });
      continue;
    }
    await whileItWaits();
    const last = await asked;
    assert.equal(await checkoutsAt(other), before + answered, 'the other process has never seen it');
    return { card, reply: last, sent, left: `${4 - answered}.00` };
  }
}

test('a POST that was sent to a process which dies is not sent to the other one', async () => {
  const frozen = services[0];
  const kill = () => balancer.notices('one', 'DOWN', () => frozen.kill());
  const { card, reply, sent, left } = await sendToFrozen(frozen, kill);
  refused(reply, 502, 'unconfirmed');
  assert.equal((await readCharges()).get(sent.order), undefined);
  isApproved(await shop.till().checkout(sent), { amount: '1.00', balance: left }); // the register's own retry
  assert.equal((await shop.show(card)).balance, left);
  await restart(0);
});

test('a POST that a process keeps too long is answered in JSON, and its retry gets what became of it', async () => {
  const frozen = services[1];
  const { card, reply, sent, left } = await sendToFrozen(frozen, () => {});
  refused(reply, 504, 'unconfirmed');
  await balancer.notices('two', 'UP', () => frozen.signal('SIGCONT'));
  await until('the charge', async () => (await readCharges()).get(sent.order) === 1);
  isApproved(await shop.till().checkout(sent), { amount: '1.00', balance: left });
  assert.equal((await shop.show(card)).balance, left);
});

test('a process that is drained and started again under load refuses and loses nothing', async () => {
  const troubles = await underLoad(async (everyoneHasPaid) => {
    await balancer.notices('one', 'DOWN', () => services[0].stop());
    await everyoneHasPaid();
    await restart(0);
  });
  assert.deepEqual(troubles, []);
});

test('a process that is killed under load costs no sale, and charges none twice', async () => {
  const troubles = await underLoad(async (everyoneHasPaid) => {
    await balancer.notices('two', 'DOWN', () => services[1].kill());
    await everyoneHasPaid();
    await restart(1);
  });
  for (const trouble of troubles) assert.match(trouble, /"code":"unconfirmed"|^ECONNRESET|socket hang up/);
  await services[0].verifyIsClean();
});

test('a body that does not come, however much of it has, is answered in JSON when its time is over', async () => {
  for (const socket of slow) refused(await socket.reply(1), 408, 'timed_out');
});

// Last: it ends both.
test('with every process down the balancer says so in JSON', async () => {
  for (const [at, service] of services.entries())
    await balancer.notices(['one', 'two'][at], 'DOWN', () => service.kill());
  const { status, headers, ...reply } = await shop.till().checkBalance({ card: '1' });
  refused({ status, headers, ...reply }, 503, 'unavailable');
  assert.equal(headers['retry-after'], '1');
  refused(await balancer.get('/oauth/callback'), 503, 'unavailable');
});
