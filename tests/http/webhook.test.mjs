// Webhooks in, and what follows from them: the real service beside a fake Lightspeed cloud, connected the way a merchant
// connects. A webhook is a trigger and never evidence, so most tests send one that lies.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { COMPANY, startCloud } from './cloud.mjs';
import {
  Service,
  areIdentical,
  cardNumber,
  freePort,
  isApproved,
  isJsonReply,
  isRefused,
  request,
  sign,
  until,
} from './support.mjs';

const DAVID = 389427; // of the cloud's seed; our member M-1
const OTHER_COMPANY_PRODUCT = 8302;
const FOREVER = { method: 'GET', path: '*/orders/*' };

let cloud, service, tenant, till;

/** A service that is connected to a cloud, with David as its member M-1. */
async function startConnected() {
  const port = await freePort();
  const made = await startCloud(undefined, { redirectUris: [`http://127.0.0.1:${port}/oauth/callback`] });
  const started = await Service.start({
    port,
    env: {
      COUNTERPART_LOG_LEVEL: 'debug',
      COUNTERPART_OSERIES_AUTHORIZE_URL: made.urls.authorize_url,
      COUNTERPART_OSERIES_TOKEN_URL: made.urls.token_url,
      COUNTERPART_OSERIES_API_URL: made.urls.api_url,
    },
  });
  await started.must([
    ...['app', 'set', '--surface', 'oseries', '--client-id', made.clientId],
    ...['--client-secret', made.clientSecret, '--signature-token', made.signatureToken],
  ]);
  const merchant = await started.addTenant({ company: COMPANY, token: null });
  merchant.token = made.signatureToken; // the application's, for it has none of its own
  await started.must([
    ...['member', 'add', '--tenant', String(merchant.id), '--first-name', 'David', '--last-name', 'Kent'],
    ...['--email', 'david.kent@example.com'],
  ]);
  return { cloud: made, service: started, tenant: merchant };
}

async function connect(merchant = tenant) {
  const { authorize_url } = await merchant.service.must(['oauth', 'start', '--tenant', String(merchant.id)]);
  const back = await cloud.consent(authorize_url);
  const reply = await request(back.href, { method: 'GET' });
  assert.equal(reply.status, 200, reply.text);
}

before(async () => {
  ({ cloud, service, tenant } = await startConnected());
  await connect();
  till = tenant.till();
  await until('the webhooks to be registered', async () => (await registered()).length === 2);
});
after(async () => {
  await service?.verifyIsClean();
  await service?.stop();
  await cloud?.stop();
});

/** The webhooks that the cloud knows of our application and company. */
async function registered() {
  const { access_token } = await cloud.grant();
  const reply = await cloud.api(access_token, 'GET', `/companies/${COMPANY}/webhooks`);
  assert.equal(reply.status, 200, reply.text);
  return reply.json;
}

// --- what the tests do and look at ---------------------------------------------------------------

/** Sends a webhook as Lightspeed would, or as somebody who is not Lightspeed. */
function hook(topic, body, { token = tenant.token, key = tenant.key, headers = {}, method = 'POST' } = {}) {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return request(`${service.origin}/oseries/${key}/webhooks/${topic}`, {
    method,
    body: bytes,
    agent: false,
    headers: {
      'Content-Type': 'application/json',
      'Content-Length': bytes.length,
      ...(token === null ? {} : { 'X-Kounta-Signature': sign(bytes, token) }),
      ...headers,
    },
  });
}

const isTaken = (reply) => {
  isJsonReply(reply);
  assert.equal(reply.status, 200, reply.text);
  assert.deepEqual(reply.json, {});
};

async function points() {
  const shown = await service.must(['points', 'show', '--tenant', String(tenant.id), '--member', 'M-1']);
  return Number(shown.points);
}
const works = async () => (await service.must(['work', 'list', '--tenant', String(tenant.id)])).work;
/** Log lines of work on this order that has ended, in order. */
const ends = (order) =>
  service.events.filter((event) => event.event === 'work' && event.subject_id === order && event.state !== 'open');
const untilDone = (order, times = 1) =>
  until(`work on order ${order} to be done ${times} times`, () => ends(order).length >= times, 20_000);

const sale = (more = {}) => cloud.order({ customer_id: DAVID, ...more });
const complete = (order) => cloud.control('POST', `/orders/${order.id}/complete`, {});
const quiet = () => cloud.settings({ webhooks: { drop: 100 } });
const talkative = () => cloud.settings({ webhooks: { drop: 0 } });
/** Runs without a webhook of the cloud's own. */
async function quietly(run) {
  await quiet();
  try {
    return await run();
  } finally {
    await talkative();
  }
}
const balance = async (card) => (await tenant.show(card)).balance;

test('explore', async () => {
  const order = await sale();
  console.log(JSON.stringify(order));
  const done = await complete(order);
  console.log(JSON.stringify(done).slice(0, 300));
  await untilDone(order.id);
  console.log(await points(), ends(order.id));
  console.log(await cloud.control('GET', '/deliveries'));
  console.log(await registered());
});
