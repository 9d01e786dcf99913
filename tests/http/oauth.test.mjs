// Connecting a merchant and keeping it connected: the real service and the fake Lightspeed cloud
// over real HTTP, with tokens that live for a second, replies that never come, and kill -9.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { describe, test } from 'node:test';
import { APPLICATION, startCloud } from './cloud.mjs';
import { IS_SOAK, Service, cardNumber, freePort, newOrder, request, sign, sleep, until } from './support.mjs';

const BROWSER = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
const PROGRAM = { Accept: 'application/json' };
const TOKEN_PATH = { method: 'POST', path: '/v1/token' };

const WORLD = { currency: 'AUD', timezone: 'Australia/Sydney' };
let nextCompany = 70_000;

/** A service that knows its application, and a cloud that knows where to send people back to. */
async function startBoth(t, { env = {}, application = true, cloud: options = {} } = {}) {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const cloud = await startCloud(undefined, { redirectUris: [`${origin}/oauth/callback`], ...options });
  const service = await Service.start({
    port,
    env: {
      COUNTERPART_OSERIES_AUTHORIZE_URL: cloud.urls.authorize_url,
      COUNTERPART_OSERIES_TOKEN_URL: cloud.urls.token_url,
      COUNTERPART_OSERIES_API_URL: `${cloud.urls.api_url}/`, // people paste it with a slash
      ...env,
    },
  });
  const both = { cloud, service, secrets: new Set([APPLICATION.clientSecret]) };
  t.after(async () => {
    await noteSecrets(both);
    if (service.child.exitCode === null && service.child.signalCode === null) await service.stop();
    await cloud.stop();
    await assertNothingLeaked(both);
  });
  if (application) await setApp(service);
  return both;
}

const setApp = (service) =>
  service.must(['app', 'set', '--surface', 'oseries', '--client-id', APPLICATION.clientId, '--client-secret', '-'], {
    input: `${APPLICATION.clientSecret}\n`,
  });

/** What the cloud has given out most recently; call it before tokens are replaced. */
async function noteSecrets({ cloud, secrets }) {
  for (const grant of await cloud.control('GET', '/grants'))
    for (const token of [grant.access_token, grant.refresh_token]) if (token) secrets.add(token);
}

async function assertNothingLeaked({ service, secrets }) {
  for (const secret of secrets) assert.ok(!service.log.includes(secret), `a secret is in the log: ${secret.slice(0, 8)}...`);
  for (const { name, bytes } of await service.storeBytes())
    for (const secret of secrets) assert.ok(!bytes.includes(secret), `a secret is readable in ${name}: ${secret.slice(0, 8)}...`);
}

/** A tenant for a company that the cloud knows. company null: whatever consent is given for. */
async function addTenant({ cloud, service }, { company = nextCompany++, bound = true, settings = [] } = {}) {
  await cloud.control('POST', '/companies', { ...WORLD, id: company, name: `Shop ${company}` });
  const tenant = await service.addTenant({ name: `Tenant ${company}`, company: bound ? company : null, settings });
  tenant.consents = company;
  return tenant;
}

const follow = (service, address, headers = BROWSER) => service.get(address.pathname + address.search, { headers });

/** The whole way as a browser walks it: start link, consent page, callback. */
async function connect({ cloud, service }, tenant, { company = tenant.consents, headers = BROWSER } = {}) {
  const start = await service.get(`/oauth/start?key=${tenant.key}`, { headers });
  assert.equal(start.status, 302, start.text);
  const back = await cloud.consent(start.headers.location, { company });
  return follow(service, back, headers);
}

async function connected(both, options) {
  const tenant = await addTenant(both, options);
  const page = await connect(both, tenant);
  assert.equal(page.status, 200, page.text);
  return tenant;
}

const statusOf = async (service, tenant) =>
  (await service.must(['oauth', 'status', '--tenant', String(tenant.id)])).tenants[0];

/** Over the admin socket itself, as often and as parallel as one likes. */
function admin(service, pathname, body) {
  return request(`http://counterpart${pathname}`, {
    method: body === undefined ? 'GET' : 'POST',
    socketPath: path.join(service.data, 'admin.sock'),
    agent: false,
    body: body === undefined ? undefined : JSON.stringify(body),
    ms: 40_000,
  });
}

const allStatuses = async (service) => (await admin(service, '/admin/oauth/status')).json.tenants;
const refresh = (service, tenant) => admin(service, '/admin/oauth/refresh', { tenant: tenant.id });

async function metric(service, name) {
  const { text } = await service.get('/metrics');
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

const tokenRequests = async (cloud) => (await cloud.control('GET', '/requests')).filter((each) => each.path === '/v1/token');

/** Single-use refresh tokens that come with access tokens of so many seconds. */
const shortLives = (cloud, seconds = 1) =>
  cloud.settings({ access_token_ttl_s: seconds, refresh_returns_new: true, refresh_revokes_old: true });

// --- the key of our own tokens, as base/seal.c derives it, to forge what nobody else could ----------

function stateKey(service, generation) {
  const master = Buffer.from(fs.readFileSync(path.join(service.data, 'master.key'), 'utf8').trim(), 'hex');
  const root = crypto.hkdfSync('sha256', master, Buffer.alloc(0), 'counterpart labelled keys', 32);
  return crypto.createHmac('sha256', Buffer.from(root)).update(`token ${generation}\x01`).digest();
}

function forgeState(service, changes = {}, { generation = 1, key = stateKey(service, generation), header = {} } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: 'counterpart',
    aud: 'state',
    jti: crypto.randomBytes(16).toString('hex'),
    iat: now - 5,
    nbf: now - 5,
    exp: now + 600,
    tenant: 1,
    ...changes,
  };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'HS256', kid: String(generation), typ: 'JWT', ...header })}.${part(claims)}`;
  return `${text}.${crypto.createHmac('sha256', key).update(text).digest('base64url')}`;
}

const callback = (service, query, headers = BROWSER) =>
  service.get(`/oauth/callback?${new URLSearchParams(query)}`, { headers });

// --- the way in -----------------------------------------------------------------------------------

test('a browser that follows every redirect ends at a page that says which company is connected', async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  const tenant = await addTenant(both, { bound: false });
  assert.equal((await statusOf(service, tenant)).status, 'not_connected');

  const start = await service.get(`/oauth/start?key=${tenant.key}`, { headers: BROWSER });
  assert.equal(start.status, 302);
  const authorize = new URL(start.headers.location);
  assert.equal(authorize.origin + authorize.pathname, cloud.urls.authorize_url);
  assert.deepEqual(Object.fromEntries([...authorize.searchParams].filter(([name]) => name !== 'state')), {
    client_id: APPLICATION.clientId,
    redirect_uri: `${service.origin}/oauth/callback`,
    response_type: 'code',
  });
  assert.ok(!start.headers.location.includes(tenant.key), "the tenant's key goes nowhere");

  const back = await cloud.consent(start.headers.location, { company: tenant.consents });
  both.secrets.add(back.searchParams.get('code'));
  both.secrets.add(back.searchParams.get('state'));
  const page = await follow(service, back);
  assert.equal(page.status, 200, page.text);
  assert.match(page.headers['content-type'], /^text\/html/);
  assert.equal(page.headers['cache-control'], 'no-store');
  assert.match(page.headers['content-security-policy'], /^default-src 'none'; style-src 'nonce-[0-9a-f]{32}'; /);
  assert.equal(page.headers['referrer-policy'], 'no-referrer');
  assert.match(page.text, new RegExp(`Shop ${tenant.consents} \\(company ${tenant.consents}\\) is connected`));
  assert.match(page.text, /Sync/);
  assert.doesNotMatch(page.text, /<script|https?:|src=|href=|@import|url\(/i);
  for (const secret of back.searchParams.values()) assert.ok(!page.text.includes(secret));

  const status = await statusOf(service, tenant);
  assert.equal(status.status, 'connected');
  assert.equal(status.kind, 'oauth');
  assert.equal(status.company, tenant.consents);
  assert.ok(status.expires_in_s > 3500 && status.expires_in_s <= 3600, String(status.expires_in_s));
  assert.equal(status.alarm, false);
  const { text } = await service.get('/metrics');
  assert.match(text, /counterpart_requests_total\{surface="oauth",route="oauth.start",status="302"\} 1\n/);
  const tasks = Number(text.match(/^counterpart_task_commits_total (\d+)$/m)[1]);
  const timed = Number(text.match(/^counterpart_commit_duration_seconds_count (\d+)$/m)[1]);
  assert.ok(tasks > 0 && timed > 0, 'a slow disk shows where nobody pays');
  const again = await service.must(['oauth', 'start', '--tenant', String(tenant.id)]);
  assert.ok(again.next.includes(`--tenant ${tenant.id} --code -`), again.next);
  // Bound: registers of that company are served from now on, without a restart.
  const listed = (await service.must(['tenant', 'list'])).tenants.find((each) => each.id === tenant.id);
  assert.equal(listed.oseries_company, tenant.consents);
  const body = JSON.stringify({ company_id: tenant.consents, site_id: 1, register_id: 2, keyword: cardNumber() });
  const reply = await request(`${service.origin}${tenant.base}/check-balance`, { body, headers: { 'X-Kounta-Signature': sign(body) } });
  assert.match(reply.json.error, /not found/i, reply.text);
});

test('a program that asks for JSON gets the same as JSON', async (t) => {
  const both = await startBoth(t);
  const tenant = await addTenant(both);
  const page = await connect(both, tenant, { headers: PROGRAM });
  assert.equal(page.status, 200);
  assert.deepEqual(Object.keys(page.json), ['success', 'message']);
  assert.match(page.json.message, /is connected/);
  const again = await callback(both.service, { state: 'x', code: 'y' }, PROGRAM);
  assert.equal(again.status, 400);
  assert.equal(again.json.success, false);
  assert.equal(again.json.code, 'bad_token');
});

test('a link to start with that belongs to nobody is explained, and HEAD does nothing', async (t) => {
  const both = await startBoth(t);
  const tenant = await addTenant(both);
  for (const query of ['', '?key=', `?key=${'0'.repeat(32)}`, '?key=%zz', `?key=${tenant.key}&key=${tenant.key}`, `?k=${tenant.key}`, `?key=${'a'.repeat(9000)}`]) {
    const reply = await both.service.get(`/oauth/start${query}`, { headers: BROWSER });
    assert.equal(reply.status, 404, query.slice(0, 60));
    assert.match(reply.text, /This link is not complete/);
  }
  const state = new URL((await both.service.get(`/oauth/start?key=${tenant.key}`)).headers.location).searchParams.get('state');
  const head = await both.service.get(`/oauth/callback?state=${state}&code=x`, { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.text, '');
  const post = await both.service.get(`/oauth/callback?state=${state}&code=x`, { method: 'POST' });
  assert.equal(post.status, 405);
  const denied = await callback(both.service, { state, error: 'access_denied' });
  assert.equal(denied.status, 403, 'the state was still good');
  assert.equal((await tokenRequests(both.cloud)).length, 0);
});

test('who refuses consent is told kindly, and nothing has changed', async (t) => {
  const both = await startBoth(t);
  const tenant = await addTenant(both);
  const start = await both.service.get(`/oauth/start?key=${tenant.key}`);
  const back = await both.cloud.consent(start.headers.location, { company: tenant.consents, decision: 'deny' });
  assert.equal(back.searchParams.get('error'), 'access_denied');
  const page = await follow(both.service, back);
  assert.equal(page.status, 403);
  assert.match(page.text, /You chose not to grant access/);
  assert.match(page.text, new RegExp(`<p>Tenant ${tenant.consents}</p>`), 'it names the merchant');
  await reasonIs(both.service, new RegExp(`"tenant_id":${tenant.id},"error":"refused","reason":"access_denied"`));
  const way = page.text.match(/<a href="([^"]+)">Connect again</)[1].replaceAll('&amp;', '&');
  const again = await both.cloud.consent(way, { company: tenant.consents, decision: 'deny' });
  assert.equal((await follow(both.service, again)).status, 403, 'its button leads all the way once more');
  const other = await callback(both.service, { state: forgeState(both.service, { tenant: tenant.id }), error: '<script>alert(1)</script>' });
  assert.equal(other.status, 400);
  assert.ok(!other.text.includes('alert'));
  const none = await callback(both.service, { state: forgeState(both.service, { tenant: tenant.id }) });
  assert.equal(none.status, 400);
  assert.match(none.text, /did not accept what your browser brought back/);
  await reasonIs(both.service, /Lightspeed sent no usable code/);
  assert.equal((await statusOf(both.service, tenant)).status, 'not_connected');
  assert.equal((await tokenRequests(both.cloud)).length, 0);
});

test('a state that is wrong, forged, expired or used is refused before anything is asked', async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  const tenant = await addTenant(both);
  const now = Math.floor(Date.now() / 1000);
  const good = forgeState(service, { tenant: tenant.id });
  const wrong = {
    'none at all': undefined,
    empty: '',
    nonsense: 'nonsense',
    cut: good.slice(0, -1),
    'of another key': forgeState(service, { tenant: tenant.id }, { key: crypto.randomBytes(32) }),
    'of the next generation': forgeState(service, { tenant: tenant.id }, { generation: 2 }),
    'alg none': `${forgeState(service, { tenant: tenant.id }, { header: { alg: 'none' } }).split('.').slice(0, 2).join('.')}.`,
    'alg HS512': forgeState(service, { tenant: tenant.id }, { header: { alg: 'HS512' } }),
    'a redeem token': forgeState(service, { aud: 'redeem', tenant: tenant.id, member: 1, reward: 1 }),
    'not yet valid': forgeState(service, { tenant: tenant.id, nbf: now + 300 }),
    huge: 'a.'.repeat(2000),
  };
  for (const [name, state] of Object.entries(wrong)) {
    const page = await callback(service, { code: 'x', ...(state === undefined ? {} : { state }) });
    assert.equal(page.status, 400, name);
    assert.match(page.text, /Please start once more/, name);
    assert.doesNotMatch(page.text, /<a /, name);
  }
  const expired = await callback(service, { code: 'x', state: forgeState(service, { tenant: tenant.id, exp: now - 1 }) });
  assert.equal(expired.status, 400);
  assert.match(expired.text, /there are ten minutes/);
  const twice = await service.get(`/oauth/callback?code=x&state=${good}&state=${good}`);
  assert.equal(twice.status, 400);
  assert.equal((await tokenRequests(cloud)).length, 0, 'Lightspeed was not asked');

  const start = await service.get(`/oauth/start?key=${tenant.key}`);
  const back = await cloud.consent(start.headers.location, { company: tenant.consents });
  assert.equal((await follow(service, back)).status, 200);
  const again = await follow(service, back);
  assert.equal(again.status, 200, 'reloading the page that said so says so again');
  assert.match(again.text, new RegExp(`Company ${tenant.consents} is connected`));
  await noteSecrets(both);
  await service.must(['oauth', 'revoke', '--tenant', String(tenant.id)]);
  const ended = await follow(service, back);
  assert.equal(ended.status, 409);
  assert.match(ended.text, /works only once/);
  assert.doesNotMatch(ended.text, /<a /, 'a used page gives nobody a new way in');
  const raced = forgeState(service, { tenant: tenant.id });
  const races = await Promise.all(Array.from({ length: 10 }, () => callback(service, { state: raced, error: 'access_denied' })));
  assert.deepEqual(races.map((each) => each.status).sort(), [403, ...Array(9).fill(409)]);
  assert.equal((await tokenRequests(cloud)).length, 1);
});

test("a company that is another tenant's, or not this tenant's, is not connected", async (t) => {
  const both = await startBoth(t);
  const { service } = both;
  const first = await connected(both);
  const second = await addTenant(both);
  const unbound = await addTenant(both, { bound: false });

  const wrong = await connect(both, second, { company: first.consents });
  assert.equal(wrong.status, 409);
  assert.match(wrong.text, new RegExp(`You granted access to Shop ${first.consents} \\(company ${first.consents}\\)`));
  assert.match(wrong.text, new RegExp(`choose company ${second.consents}\\.`));
  await reasonIs(service, new RegExp(`"tenant_id":${second.id},"company_id":${first.consents},"error":"already_exists"`));
  const taken = await connect(both, unbound, { company: first.consents });
  assert.equal(taken.status, 409);
  assert.match(taken.text, /another merchant of this service has connected/);
  for (const page of [wrong, taken]) assert.doesNotMatch(page.text, /tenant is|another tenant/);
  await noteSecrets(both);
  for (const tenant of [second, unbound]) assert.equal((await statusOf(service, tenant)).status, 'not_connected');
  assert.equal((await service.must(['tenant', 'list'])).tenants.find((each) => each.id === unbound.id).oseries_company, 0);
  assert.equal((await statusOf(service, first)).status, 'connected');

  assert.equal((await connect(both, unbound)).status, 200, 'its own company is fine');
  assert.equal((await connect(both, first)).status, 200, 'connecting again is fine');
});

/** Why the latest attempt to connect did not work, as the log says it. */
const reasonIs = (service, sentence) =>
  until(`the log says ${sentence}`, () => sentence.test(service.log.split('\n').findLast((line) => line.includes('"oauth_not_connected"')) ?? ''));

test('what the token endpoint says while connecting is explained, and nothing of it is kept', async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  const tenant = await addTenant(both);
  const marker = 'do-not-repeat-5f3a';
  const cases = [
    [{ action: 'html' }, 502, /without what a token reply has/],
    [{ action: 'status', status: 500 }, 502, /HTTP 500/],
    [{ action: 'status', status: 503, body: `<h1>${marker}</h1>`, content_type: 'text/html' }, 502, /HTTP 503/],
    [{ action: 'truncate' }, 502, /ended before its answer was whole/],
    [{ action: 'huge', size: 1024 * 1024 }, 502, /far too long/],
    [{ action: 'drop_before' }, 502, /ended before its answer was whole/],
    [{ action: 'status', status: 200, body: `{"access_token":"${marker}","expires_in":36` }, 502, /HTTP 200/],
    [{ action: 'status', status: 200, body: { access_token: `${marker}\r\n`, refresh_token: marker } }, 502, /HTTP 200/],
    [{ action: 'status', status: 200, body: { access_token: marker, expires_in: 'soon' } }, 502, /no refresh token/],
    [{ action: 'status', status: 200, body: { access_token: marker, expires_in: 3600 } }, 502, /no refresh token/],
    [{ action: 'status', status: 400, body: { error: 'invalid_client', error_description: marker } }, 400, /client id and secret/],
    [{ action: 'status', status: 400, body: { error: 'invalid_grant', error_description: marker } }, 400, /start again/],
    [{ action: 'status', status: 400, body: { error: 'redirect_uri_mismatch' } }, 400, /must be exactly http:\/\/127/],
    [{ action: 'rate_limit' }, 502, /HTTP 429/],
  ];
  both.secrets.add(marker);
  for (const [fault, status, sentence] of cases) {
    await cloud.control('DELETE', '/faults');
    await cloud.faults({ match: TOKEN_PATH, ...fault });
    const page = await connect(both, tenant);
    assert.equal(page.status, status, `${JSON.stringify(fault)}: ${page.text}`);
    assert.match(page.text, /Lightspeed did not (answer|confirm it)/);
    await reasonIs(service, sentence);
    const words = page.text.replace(/<style.*?<\/style>|<[^>]*>/gs, ' '); // addresses have letters of chance
    assert.doesNotMatch(words, /HTTP|token|URL|secret|endpoint/, 'the merchant gets a sentence for merchants');
    assert.ok(!page.text.includes(marker));
  }
  await cloud.control('DELETE', '/faults');
  for (const [fault, sentence] of [
    [{ action: 'status', status: 403 }, /refused \/companies\/me/],
    [{ action: 'html' }, /is not a company/],
    [{ action: 'drop_after' }, /ended before its answer was whole/],
  ]) {
    await cloud.faults({ match: { path: '/v1/companies/me.json' }, ...fault });
    const page = await connect(both, tenant);
    assert.ok([400, 502].includes(page.status), page.text);
    assert.match(page.text, /Lightspeed did not (answer|confirm it)/);
    await reasonIs(service, sentence);
    await noteSecrets(both);
    await cloud.control('DELETE', '/faults');
  }
  assert.equal((await statusOf(service, tenant)).status, 'not_connected');
  assert.equal((await connect(both, tenant)).status, 200);
});

test('without an application everybody is told what to do first', async (t) => {
  const both = await startBoth(t, { application: false });
  const { service } = both;
  const tenant = await addTenant(both);
  const page = await service.get(`/oauth/start?key=${tenant.key}`, { headers: BROWSER });
  assert.equal(page.status, 503);
  assert.match(page.text, /not set up for Lightspeed yet/);
  await until('the log says how', () => /"oauth_not_started".*counterpart app set/.test(service.log));
  for (const verb of ['start', 'basic', 'exchange']) {
    const end = await service.cli(['oauth', verb, '--tenant', String(tenant.id), ...(verb === 'exchange' ? ['--code', 'x'] : [])]);
    assert.equal(end.code, 1);
    assert.equal(end.json.code, 'no_app');
    assert.match(end.json.error, /counterpart app set/);
    assert.ok(end.json.error.includes(`${service.origin}/oauth/callback`), end.json.error);
  }
  assert.equal((await service.cli(['app', 'show'])).json.code, 'no_app');
  const half = await service.cli(['app', 'set', '--surface', 'oseries', '--client-id', 'c']);
  assert.equal(half.json.code, 'missing');
  assert.equal((await service.cli(['app', 'set', '--surface', 'kseries', '--client-id', 'c', '--client-secret', 's'])).json.code, 'bad_surface');
  const shown = await setApp(service);
  assert.equal(shown.redirect_uri, `${service.origin}/oauth/callback`);
  assert.equal(shown.client_secret_is_set, true);
  assert.equal(shown.signature_token_is_set, false);
  assert.ok(!JSON.stringify(await service.must(['app', 'show'])).includes(APPLICATION.clientSecret));
  assert.equal((await connect(both, tenant)).status, 200);
});

test("the application's signature tokens serve tenants that have none of their own", async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  await cloud.control('POST', '/companies', { ...WORLD, id: nextCompany, name: 'Plain' });
  const plain = await service.addTenant({ company: nextCompany++, token: null });
  const own = await service.addTenant({ company: nextCompany++, token: 'its-own-token' });
  const ask = async (tenant, token) => {
    const body = JSON.stringify({ company_id: tenant.company, site_id: 1, register_id: 2, order_id: newOrder(), keyword: cardNumber() });
    const reply = await request(`${service.origin}${tenant.base}/check-balance`, { body, headers: { 'X-Kounta-Signature': sign(body, token) } });
    return reply.status;
  };
  const set = (...more) => service.must(['app', 'set', '--surface', 'oseries', ...more], { input: 'app-token-2\napp-token-1\n' });
  const warned = (await service.must(['tenant', 'list'])).tenants.find((each) => each.id === plain.id);
  assert.match(warned.warning, /no signature token/);
  assert.equal(await ask(plain, 'app-token-1'), 401);
  await set('--signature-token', 'app-token-1');
  both.secrets.add('app-token-1').add('app-token-2');
  assert.equal((await service.must(['tenant', 'list'])).tenants.find((each) => each.id === plain.id).warning, undefined);
  assert.equal(await ask(plain, 'app-token-1'), 200);
  assert.equal(await ask(own, 'app-token-1'), 401, 'it belongs to another application');
  assert.equal(await ask(own, 'its-own-token'), 200);
  await set('--signature-token', '-', '--signature-token-previous', '-');
  assert.equal(await ask(plain, 'app-token-2'), 200);
  assert.equal(await ask(plain, 'app-token-1'), 200, 'still good during the rotation');
  await set('--signature-token-previous', '');
  assert.equal(await ask(plain, 'app-token-1'), 401);
  await service.kill();
  await service.restart();
  assert.equal(await ask(plain, 'app-token-2'), 200);
  assert.equal((await service.must(['app', 'show'])).client_id, APPLICATION.clientId, 'the rest stayed');
});

// --- by hand --------------------------------------------------------------------------------------

test('a code, or the address that the browser ended at, can be pasted', async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  const tenant = await addTenant(both);
  const other = await addTenant(both);
  const exchange = (text, { of = tenant, input } = {}) => service.cli(['oauth', 'exchange', '--tenant', String(of.id), '--code', text], { input });
  const begin = async (of = tenant) => {
    const start = await service.must(['oauth', 'start', '--tenant', String(of.id)]);
    assert.equal(start.redirect_uri, `${service.origin}/oauth/callback`);
    assert.equal(start.start_url, `${service.origin}/oauth/start?key=${of.key}`);
    return cloud.consent(start.authorize_url, { company: of.consents });
  };

  const alone = await exchange((await begin()).searchParams.get('code'));
  assert.equal(alone.code, 0, alone.stdout);
  assert.deepEqual(alone.json, { tenant: tenant.id, status: 'connected', company: tenant.consents, company_name: `Shop ${tenant.consents}` });
  const whole = await exchange('-', { input: `${await begin()}\n` });
  assert.equal(whole.code, 0, whole.stdout);
  const used = await begin();
  assert.equal((await exchange(` ${used}#fragment `)).code, 0);
  const again = await exchange(String(used));
  assert.equal(again.json.code, 'refused');
  assert.match(again.json.error, /good once/);

  const theirs = await begin(other);
  const mixed = await exchange(String(theirs));
  assert.equal(mixed.json.code, 'bad_token');
  assert.match(mixed.json.error, new RegExp(`connecting tenant ${other.id}`));
  const forged = new URL(theirs);
  forged.searchParams.set('state', 'x.y.z');
  assert.equal((await exchange(String(forged), { of: other })).json.code, 'bad_token');
  assert.equal((await exchange(`${service.origin}/oauth/callback?error=access_denied&state=x`)).json.code, 'refused');
  for (const text of [`${service.origin}/oauth/callback`, `${service.origin}/oauth/callback?code=`, `${service.origin}/?code=%zz`, 'x'.repeat(600), 'a\u0007b']) {
    const end = await exchange(text.includes('/oauth/callback') && !text.includes('?') ? `${text}?` : text);
    assert.equal(end.json.code, 'bad_code', text);
  }
  assert.equal((await service.cli(['oauth', 'exchange', '--tenant', '99', '--code', 'x'])).json.code, 'unknown_tenant');
  assert.equal((await statusOf(service, tenant)).status, 'connected');
});

test('client id and secret connect for development, and say so', async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  const tenant = await service.addTenant({ company: 5678 }); // the developer's own
  const end = await service.must(['oauth', 'basic', '--tenant', String(tenant.id)]);
  assert.match(end.note, /development only/);
  const status = await statusOf(service, tenant);
  assert.equal(status.kind, 'basic: development only');
  assert.equal(status.status, 'connected');
  assert.equal(status.expires_at, null);
  assert.equal(status.alarm, false);
  const refused = await service.cli(['oauth', 'refresh', '--tenant', String(tenant.id)]);
  assert.equal(refused.json.code, 'refused');
  assert.match(refused.json.error, /nothing to refresh/);
  const other = await addTenant(both);
  const wrong = await service.cli(['oauth', 'basic', '--tenant', String(other.id)]);
  assert.equal(wrong.json.code, 'already_exists');
  assert.match(wrong.json.error, /granted for company 5678/);
  assert.equal((await tokenRequests(cloud)).length, 0);
  tenant.consents = 5678;
  assert.equal((await connect(both, tenant)).status, 200, 'later, for real');
  assert.equal((await statusOf(service, tenant)).kind, 'oauth');
});

test('a revocation wipes the tokens and ends the refreshes', async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  await shortLives(cloud);
  const tenant = await connected(both);
  await until('a refresh', async () => (await statusOf(service, tenant)).refreshes > 0);
  const end = await service.must(['oauth', 'revoke', '--tenant', String(tenant.id)]);
  assert.equal(end.company, tenant.consents);
  const before = (await tokenRequests(cloud)).length;
  const status = await statusOf(service, tenant);
  assert.equal(status.status, 'revoked');
  assert.equal(status.alarm, false);
  await sleep(2000);
  assert.equal((await tokenRequests(cloud)).length, before);
  for (const verb of ['refresh', 'revoke']) assert.equal((await service.cli(['oauth', verb, '--tenant', String(tenant.id)])).json.code, 'not_connected');
  await service.kill();
  await service.restart();
  assert.equal((await statusOf(service, tenant)).status, 'revoked');
  assert.equal((await connect(both, tenant)).status, 200);
});

test('keys of our own tokens are rotated: one generation back is good, two are not', async (t) => {
  const both = await startBoth(t);
  const { service } = both;
  const tenant = await addTenant(both);
  const state = () => forgeState(service, { tenant: tenant.id });
  const denied = async (text) => (await callback(service, { state: text, error: 'access_denied' })).status;
  assert.equal((await service.must(['key', 'rotate'])).generation, 2);
  assert.equal(await denied(state()), 403);
  assert.equal(await denied(forgeState(service, { tenant: tenant.id }, { generation: 2 })), 403);
  await service.kill();
  await service.restart();
  assert.equal(await denied(state()), 403, 'the generation is in the store');
  assert.equal((await service.must(['key', 'rotate'])).generation, 3);
  assert.equal(await denied(state()), 400);
  assert.equal((await connect(both, tenant)).status, 200);
});

// --- keeping it -----------------------------------------------------------------------------------

const TENANTS = IS_SOAK ? 60 : 30;
const REFRESHES = IS_SOAK ? 6000 : 600;

test(`${REFRESHES} refreshes of one-second, single-use tokens under load lose no grant`, async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  const tenants = [];
  for (let i = 0; i < TENANTS; i++) tenants.push(await connected(both));
  await noteSecrets(both);
  await shortLives(cloud);
  // Slow enough that a second refresh of the same grant would overlap with the first.
  await cloud.faults({ match: TOKEN_PATH, action: 'hang', ms: 30 });

  let ended = false;
  const outcomes = {};
  /** Somebody who asks for a refresh, of whichever tenant. */
  const caller = async (seed) => {
    for (let i = seed; !ended; i += 7) {
      const reply = await refresh(service, tenants[i % tenants.length]);
      const outcome = reply.json?.status ?? reply.json?.code ?? String(reply.status);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      await sleep(50);
    }
  };
  /** Webhooks about orders that nobody has: each is looked up over there, with a token. */
  const hooker = async (seed) => {
    for (let i = seed; !ended; i += 11) {
      const tenant = tenants[i % tenants.length];
      const body = JSON.stringify({ id: newOrder(), status: 'COMPLETE' });
      const reply = await request(`${service.origin}${tenant.base}/webhooks/orders/completed`, { body, headers: { 'X-Kounta-Signature': sign(body) } });
      assert.equal(reply.status, 200, reply.text);
      await sleep(10);
    }
  };
  const lookUps = new Map();
  const watcher = async () => {
    while (!ended) {
      for (const each of await cloud.control('GET', '/requests')) if (each.path.includes('/orders/')) lookUps.set(each.number, each);
      await sleep(100);
    }
  };
  const workers = [...[0, 1].map(caller), ...[0, 1, 2].map(hooker), watcher()];
  const began = Date.now();
  await until('the refreshes', async () => {
    const grants = await cloud.control('GET', '/grants');
    return grants.reduce((sum, grant) => sum + grant.refreshes, 0) >= REFRESHES;
  }, 120_000 * (IS_SOAK ? 10 : 1));
  await noteSecrets(both);
  ended = true;
  await Promise.all(workers);
  await cloud.control('DELETE', '/faults');

  const grants = await cloud.control('GET', '/grants');
  assert.equal(grants.length, TENANTS);
  for (const grant of grants) {
    assert.equal(grant.refreshes_running_max, 1, `company ${grant.company_id}: never two in flight`);
    assert.equal(grant.refreshes_refused, 0, `company ${grant.company_id}: never with a spent token`);
    assert.ok(grant.refreshes > 0, `company ${grant.company_id}: the timer or somebody refreshed it`);
  }
  assert.deepEqual(Object.keys(outcomes), ['refreshed'], JSON.stringify(outcomes));
  // A token is not handed out in the last eighth of its life, so it arrives before its end; on a
  // machine that stands still for that long it is asked for once more.
  const tooLate = [...lookUps.values()].filter((each) => each.status === 401).length;
  assert.ok(lookUps.size > 50, `${lookUps.size} look-ups`);
  assert.ok(tooLate <= lookUps.size / 20, `${tooLate} of ${lookUps.size} look-ups came with a token that had ended`);
  const statuses = await allStatuses(service);
  assert.deepEqual([...new Set(statuses.map((each) => each.status))], ['connected']);
  assert.equal(statuses.reduce((sum, each) => sum + each.failures, 0), 0);
  assert.equal(await metric(service, 'counterpart_oauth_failures_total'), 0);
  const refreshes = grants.reduce((sum, grant) => sum + grant.refreshes, 0);
  assert.ok(Math.abs((await metric(service, 'counterpart_oauth_refreshes_total')) - refreshes) <= TENANTS);
  console.log(`# ${refreshes} refreshes of ${TENANTS} grants in ${Date.now() - began} ms, ${outcomes.refreshed} asked for, ${lookUps.size} look-ups of which ${tooLate} too late`);
});

test('without anybody asking, tokens are refreshed before they end', async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  await shortLives(cloud, 4);
  const began = Date.now();
  const tenant = await connected(both);
  let lowest = Infinity;
  await until('two refreshes', async () => {
    const status = (await allStatuses(service)).find((each) => each.tenant === tenant.id);
    lowest = Math.min(lowest, Date.parse(status.expires_at) - Date.now());
    return status.refreshes >= 2;
  });
  assert.ok(lowest > 0, `it was once over for ${-lowest} ms`);
  const took = Date.now() - began;
  const { refreshes } = await statusOf(service, tenant);
  assert.ok(took >= 5500 && refreshes <= 3, `every 3 s, and ${refreshes} after ${took} ms`);
});

test('a tenant may have its tokens refreshed more often than their life asks for', async (t) => {
  const both = await startBoth(t);
  const { service } = both;
  const tenant = await connected(both, { settings: ['--token-refresh', '1'] });
  await until('three refreshes', async () => (await statusOf(service, tenant)).refreshes >= 3, 10_000);
  assert.ok((await statusOf(service, tenant)).expires_in_s > 3500);
});

test('refresh replies without a refresh token leave the old one in use', async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  await cloud.settings({ access_token_ttl_s: 1, refresh_returns_new: false });
  const tenant = await connected(both);
  const { refresh_token: first } = (await cloud.control('GET', '/grants'))[0];
  await until('three refreshes', async () => (await statusOf(service, tenant)).refreshes >= 3);
  await service.kill();
  await service.restart();
  await until('another', async () => (await statusOf(service, tenant)).refreshes >= 1);
  const grant = (await cloud.control('GET', '/grants'))[0];
  assert.equal(grant.refresh_token, first);
  assert.equal(grant.refreshes_refused, 0);
});

// Each has a cloud and a service of its own and mostly waits, so they wait side by side.
describe('refreshes that fail', { concurrency: 8 }, () => {
  for (const [name, fault, reason] of [
    ['HTML', { action: 'html' }, /HTTP \d+ without/],
    ['500', { action: 'status', status: 500 }, /HTTP 500/],
    ['truncated JSON', { action: 'truncate', when: 'before' }, /ended before|HTTP 200/],
    ['a megabyte', { action: 'huge', size: 1024 * 1024 }, /far too long/],
    ['a closed connection', { action: 'drop_before' }, /ended before/],
    ['429', { action: 'rate_limit' }, /HTTP 429/],
    ['invalid_client', { action: 'status', status: 401, body: { error: 'invalid_client' } }, /client id and secret/],
  ]) {
    test(`a refresh answered with ${name} is tried again later, alarms before the token ends, and recovers`, async (t) => {
      const both = await startBoth(t);
      const { service, cloud } = both;
      await cloud.settings({ access_token_ttl_s: 24, refresh_returns_new: true, refresh_revokes_old: false });
      const tenant = await connected(both);
      const began = Date.now();
      await cloud.faults({ match: TOKEN_PATH, ...fault });
      const alarmed = await until('the alarm', async () => {
        const status = await statusOf(service, tenant);
        return status.alarm && status;
      });
      assert.equal(alarmed.status, 'connected');
      assert.ok(alarmed.failures > 0);
      assert.match(alarmed.reason, reason);
      assert.ok(alarmed.expires_in_s >= 0 && Date.now() - began < 24_000, 'before the token has ended');
      assert.equal(await metric(service, `counterpart_oauth_alarm{tenant="${tenant.id}"}`), 1);
      const ready = await service.get('/readyz');
      assert.equal(ready.status, 200, 'registers are served all the same');
      assert.equal(ready.json.oauth.ok, false);
      await until('the alarm in the log', () => service.events.some((each) => each.event === 'oauth_alarm' && each.level === 'error' && each.tenant_id === tenant.id));

      await sleep(3000);
      const failed = (await tokenRequests(cloud)).filter((each) => each.fault).length;
      assert.ok(failed >= 2 && failed <= 4, `after 1 s, 2 s, 4 s: ${failed}`);
      await cloud.control('DELETE', '/faults');
      await until('the recovery', async () => (await statusOf(service, tenant)).failures === 0);
      assert.equal((await statusOf(service, tenant)).alarm, false);
      assert.equal(await metric(service, `counterpart_oauth_alarm{tenant="${tenant.id}"}`), 0);
      await until('its end in the log', () => service.events.some((each) => each.event === 'oauth_alarm_over'));
      assert.equal((await service.get('/readyz')).json.oauth.ok, true);
    });
  }

  test('a token endpoint that hangs holds up nobody else, and counts as a failure', async (t) => {
    const both = await startBoth(t);
    const { service, cloud } = both;
    const slow = await connected(both);
    await cloud.faults({ match: TOKEN_PATH, action: 'hang', ms: 60_000, count: 1 });
    const hanging = refresh(service, slow);
    await until('the request', async () => (await cloud.control('GET', '/grants'))[0].refreshes_running > 0);
    const quick = await addTenant(both);
    assert.equal((await connect(both, quick)).status, 200);
    assert.equal((await refresh(service, quick)).json.status, 'refreshed');
    const end = await hanging;
    assert.equal(end.json.code, 'timed_out', end.text);
    assert.match(end.json.error, /did not answer in time/);
    // Its own next attempt, a second later, works: it has no failures in a row any more.
    assert.equal(await metric(service, 'counterpart_oauth_failures_total'), 1);
    assert.equal((await statusOf(service, slow)).alarm, false, 'there is time: the token lives for an hour');
    assert.equal((await refresh(service, slow)).json.status, 'refreshed', 'a person need not wait for the next attempt');
  });
});

test('a refresh token that was revoked needs one look, an alarm, and a person', async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  await shortLives(cloud, 2);
  const tenant = await connected(both);
  const other = await connected(both);
  await cloud.control('POST', '/tokens/revoke', { company_id: tenant.consents });
  const status = await until('reconnect required', async () => {
    const each = await statusOf(service, tenant);
    return each.status === 'reconnect_required' && each;
  });
  assert.equal(status.alarm, true);
  assert.match(status.reason, /counterpart oauth start/);
  assert.equal(await metric(service, `counterpart_oauth_alarm{tenant="${tenant.id}"}`), 1);
  assert.equal(await metric(service, `counterpart_oauth_alarm{tenant="${other.id}"}`), 0);
  await until('the alarm in the log', () => service.events.some((each) => each.event === 'oauth_alarm' && each.state === 'reconnect_required'));
  const refused = async () => (await cloud.control('GET', '/grants')).find((each) => each.company_id === tenant.consents).refreshes_refused;
  assert.equal(await refused(), 1);
  await sleep(3000);
  assert.equal(await refused(), 1, 'no more attempts');
  assert.equal((await statusOf(service, other)).status, 'connected');

  const byHand = await refresh(service, tenant);
  assert.equal(byHand.json.code, 'not_connected');
  assert.equal(await refused(), 2, 'a person may try');
  await service.kill();
  await service.restart();
  assert.equal((await statusOf(service, tenant)).status, 'reconnect_required');
  assert.equal((await statusOf(service, tenant)).alarm, true);
  await sleep(1500);
  assert.equal(await refused(), 2, 'nor after a restart');
  assert.equal((await connect(both, tenant)).status, 200);
  assert.equal((await statusOf(service, tenant)).alarm, false);
});

// --- kill -9 --------------------------------------------------------------------------------------

test('kill -9 after the pair was written loses nothing', async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  await cloud.settings({ access_token_ttl_s: 3600, refresh_returns_new: true, refresh_revokes_old: true });
  const tenants = [];
  for (let i = 0; i < 5; i++) tenants.push(await connected(both));
  for (let round = 0; round < 6; round++) {
    const tenant = tenants[round % tenants.length];
    assert.equal((await refresh(service, tenant)).json.status, 'refreshed');
    await service.kill(); // the answer has come, so the pair is on the disk
    await noteSecrets(both);
    await service.restart();
    assert.equal((await refresh(service, tenant)).json.status, 'refreshed', `round ${round}`);
  }
  for (const grant of await cloud.control('GET', '/grants')) assert.equal(grant.refreshes_refused, 0);
  assert.deepEqual([...new Set((await allStatuses(service)).map((each) => each.status))], ['connected']);
});

test('kill -9 before the pair was written shows as reconnect required within 5 s of the start', async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  await cloud.settings({ access_token_ttl_s: 3600, refresh_returns_new: true, refresh_revokes_old: true });
  const tenant = await connected(both);
  const other = await connected(both);
  // Lightspeed has rotated, and its reply does not arrive.
  await cloud.faults({ match: TOKEN_PATH, action: 'hang', when: 'after', ms: 8000, count: 1 });
  const lost = refresh(service, tenant).catch(() => undefined);
  await until('the rotation', async () => (await cloud.control('GET', '/grants')).find((each) => each.company_id === tenant.consents).refreshes > 0);
  await service.kill();
  await lost;
  await service.restart();
  const status = await until('reconnect required', async () => {
    const each = await statusOf(service, tenant);
    return each.status === 'reconnect_required' && each;
  });
  assert.equal(status.alarm, true);
  assert.equal(await metric(service, `counterpart_oauth_alarm{tenant="${tenant.id}"}`), 1);
  const alarm = await until('the alarm in the log', () =>
    service.events.find((each) => each.event === 'oauth_alarm' && each.tenant_id === tenant.id && each.state === 'reconnect_required'));
  const start = service.events.findLast((each) => each.event === 'listening');
  const tookMs = Date.parse(alarm.time) - Date.parse(start.time);
  assert.ok(tookMs < 5000, `${tookMs} ms`);
  assert.equal((await service.get('/readyz')).json.oauth.ok, false);
  assert.equal((await statusOf(service, other)).status, 'connected');
  assert.equal((await connect(both, tenant)).status, 200);
  assert.equal((await service.get('/readyz')).json.oauth.ok, true);
});

test('kill -9 while a refresh was asked that Lightspeed never saw goes on as if nothing was', async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  await cloud.settings({ access_token_ttl_s: 3600, refresh_returns_new: true, refresh_revokes_old: true });
  const tenant = await connected(both);
  await cloud.faults({ match: TOKEN_PATH, action: 'hang', ms: 8000, drop: true, count: 1 });
  const lost = refresh(service, tenant).catch(() => undefined);
  await until('the request', async () => (await cloud.control('GET', '/grants'))[0].refreshes_running > 0);
  await service.kill();
  await lost;
  await service.restart();
  // A lease was on it: it is refreshed at once, though its token lives for an hour.
  await until('a refresh', async () => (await statusOf(service, tenant)).refreshes === 1);
  assert.equal((await statusOf(service, tenant)).status, 'connected');
});

/** Pairs that the cloud gave and the service has not said that it wrote; while the service is dead. */
async function unwritten({ cloud, service }, tenants) {
  const grants = await until('the cloud to be quiet', async () => {
    const all = await cloud.control('GET', '/grants');
    return all.every((each) => each.refreshes_running === 0) && all;
  });
  const written = new Map();
  for (const { event, tenant_id: id } of service.events)
    if (event === 'oauth_refreshed') written.set(id, (written.get(id) ?? 0) + 1);
  return tenants.map((tenant) => grants.find((each) => each.company_id === tenant.consents).refreshes - (written.get(tenant.id) ?? 0));
}

test('kill -9 at any moment of one-second refreshes loses no pair that was written', async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  const tenants = [];
  for (let i = 0; i < 12; i++) tenants.push(await connected(both));
  await noteSecrets(both);
  await shortLives(cloud);
  let before = tenants.map(() => 0); // unwritten at the kill before this one
  const refused = tenants.map(() => 0);
  for (let round = 0; round < (IS_SOAK ? 40 : 5); round++) {
    await Promise.all(tenants.map((tenant) => refresh(service, tenant)));
    await sleep(crypto.randomInt(1200));
    await service.kill();
    const now = await unwritten(both, tenants);
    await service.restart();
    const statuses = await until('each pair to be used or known as lost', async () => {
      const all = await allStatuses(service);
      return all.every(({ status, refreshes }) => status !== 'connected' || refreshes > 0) && all;
    });
    const grants = await cloud.control('GET', '/grants');
    for (const [i, tenant] of tenants.entries()) {
      const status = statuses.find((each) => each.tenant === tenant.id);
      const grant = grants.find((each) => each.company_id === tenant.consents);
      if (status.status === 'connected') {
        assert.equal(status.failures, 0, JSON.stringify(status));
      } else {
        // Only what was in flight may be lost: rotated over there, not written here. It is known, not silent.
        assert.ok(now[i] > before[i], `round ${round}: every pair had been written: ${JSON.stringify(status)}`);
        assert.equal(status.status, 'reconnect_required');
        assert.equal(status.alarm, true);
        refused[i]++;
        assert.equal((await connect(both, tenant)).status, 200);
      }
      assert.equal(grant.refreshes_refused, refused[i], 'one look was enough');
      assert.equal(grant.refreshes_running_max, 1);
    }
    before = now;
  }
});

test('an orderly stop waits for a refresh that is under way', async (t) => {
  const both = await startBoth(t);
  const { service, cloud } = both;
  await cloud.settings({ access_token_ttl_s: 3600, refresh_returns_new: true, refresh_revokes_old: true });
  const tenant = await connected(both);
  await cloud.faults({ match: TOKEN_PATH, action: 'hang', when: 'after', ms: 1000, count: 1 });
  const asked = refresh(service, tenant).catch(() => undefined);
  await until('the rotation', async () => (await cloud.control('GET', '/grants'))[0].refreshes > 0);
  await service.stop();
  await asked;
  await service.restart();
  await sleep(300);
  assert.equal((await statusOf(service, tenant)).status, 'connected');
  assert.equal((await statusOf(service, tenant)).refreshes, 0, 'no lease was left');
  assert.equal((await refresh(service, tenant)).json.status, 'refreshed');
  assert.equal((await cloud.control('GET', '/grants'))[0].refreshes_refused, 0);
});

// Agents keep sockets; nothing here uses one.
http.globalAgent.destroy();
