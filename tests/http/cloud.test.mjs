// The fake Lightspeed cloud: its OAuth server, its REST API, its webhooks and its faults, over real
// HTTP against the real binary.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { APPLICATION, COMPANY, Cloud, REDIRECT_URI, startCloud } from './cloud.mjs';
import { RawSocket, TILLSIM, request, run, seededRandom, sign, sleep, until } from './support.mjs';

const OTHER_COMPANY = 6789;
const SITE = 923;
const ORDERS = `/companies/${COMPANY}/orders`;
const UNLIMITED = { rate_limit_bearer: 1_000_000, rate_limit_basic: 1_000_000 };

// One cloud serves most tests: each makes its own orders. Who changes a setting starts another.
let cloud, token;
before(async () => {
  cloud = await startCloud();
  await cloud.settings(UNLIMITED);
  token = (await cloud.tokens()).access_token;
});
after(() => cloud.stop());

const api = (...args) => cloud.api(token, ...args);

function isError(reply, status, sentence) {
  assert.equal(reply.status, status, reply.text);
  assert.match(reply.headers['content-type'], /^application\/json/);
  assert.equal(typeof reply.json.error, 'string', reply.text);
  assert.equal(typeof reply.json.error_description, 'string', reply.text);
  if (sentence) assert.match(reply.json.error_description, sentence);
}

/** 201, the four bytes null, and the path of the Location below /v1. */
function created(reply) {
  assert.equal(reply.status, 201, reply.text);
  assert.equal(reply.text, 'null');
  assert.ok(reply.headers.location.startsWith(cloud.urls.api_url), reply.headers.location);
  return reply.headers.location.slice(cloud.urls.api_url.length);
}

function updated(reply) {
  assert.equal(reply.status, 200, reply.text);
}

async function read(path) {
  const reply = await api('GET', path);
  assert.equal(reply.status, 200, reply.text);
  return reply.json;
}

const pathOf = (order) => `${ORDERS}/${order.id}`;
/** An order that a client made over the API: its path. */
const createOrder = async (order) =>
  created(await api('POST', ORDERS, { site_id: SITE, status: 'PENDING', lines: [{ product_id: 7302 }], ...order }));

// --- the program ---------------------------------------------------------------------------------

test('one line of JSON says where it is, and SIGTERM and SIGINT end it cleanly', async () => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    const one = new Cloud();
    await one.start();
    assert.equal(one.output.split('\n').length, 2);
    const { url } = one.urls;
    assert.deepEqual(one.urls, {
      url,
      authorize_url: `${url}/authorize`,
      token_url: `${url}/v1/token`,
      api_url: `${url}/v1`,
      control_url: `${url}/_cloud`,
    });
    one.child.kill(signal);
    await one.stop();
  }
});

test('the control address serves programs, and no page of any site', async () => {
  const ask = (headers) => request(`${cloud.urls.control_url}/settings`, { headers });
  for (const headers of [
    { Host: 'evil.example' },
    { Host: 'evil.example:8090' },
    { Host: '127.0.0.1.evil.example' },
    { Origin: 'http://evil.example' },
    { Origin: cloud.urls.url },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-origin' },
  ])
    isError(await ask(headers), 403, /for programs/);
  const names = ['localhost', 'localhost:8090', '127.0.0.1', '192.168.0.7:80', '[::1]:8090', 'cloud:8090', 'host.docker.internal'];
  for (const Host of names) assert.notEqual((await ask({ Host })).status, 403, Host);
  assert.notEqual((await ask({ 'Sec-Fetch-Site': 'none' })).status, 403);
  const headers = { Origin: 'http://evil.example', 'Content-Type': 'text/plain' };
  isError(await request(`${cloud.urls.control_url}/orders`, { method: 'POST', body: '{}', headers }), 403);
});

test('it ends with connections open and requests held up', async () => {
  const one = await startCloud();
  await one.faults({ path: '/v1', action: 'hang', ms: 60_000 });
  const idle = await RawSocket.connect(new URL(one.urls.url).port);
  const held = one.api('x', 'GET', '/companies/me').catch((error) => error.message);
  await until('the request to be held up', async () => (await one.control('GET', '/faults'))[0].fired === 1);
  await one.stop();
  assert.match(await held, /hang up|ECONNRESET/);
  idle.destroy();
});

test('wrong command lines are refused with 2, help is printed with 0', async () => {
  for (const args of [
    ['--nonsense'],
    ['stray'],
    ['--seed', 'x'],
    ['--order-ids-from', 'x'],
    ['--order-ids-from', '0'],
    ['--order-ids-from', '9000000000000001'],
    ['--client-id', ''],
    ['--client-id', 'x'.repeat(200)],
    ['--listen', 'nonsense'],
    Array(9).fill(['--redirect-uri', 'http://example.com']).flat(),
  ]) {
    const { code, stderr } = await run(TILLSIM, ['cloud', ...args]);
    assert.equal(code, 2, args.join(' '));
    assert.notEqual(stderr, '');
  }
  const { code, stdout } = await run(TILLSIM, ['cloud', '--help']);
  assert.equal(code, 0);
  assert.match(stdout, /--redirect-uri/);
  const taken = await run(TILLSIM, ['cloud', '--listen', new URL(cloud.urls.url).host]);
  assert.equal(taken.code, 3);
  assert.match(taken.stderr, /in use/);
});

test('order ids begin where they are told to', async (t) => {
  const own = await startCloud(t, { orderIdsFrom: 179_500_000_000 });
  const orders = await own.control('GET', '/orders');
  assert.deepEqual(orders.map(({ id }) => id), [179_500_000_000, 179_500_000_001]);
});

// --- the consent page ----------------------------------------------------------------------------

test('the consent page names the application and its companies, and sends code and state back', async () => {
  const page = await request(cloud.authorizeUrl({ state: 'a&b <"state">' }), { method: 'GET' });
  assert.equal(page.status, 200);
  assert.match(page.headers['content-type'], /^text\/html/);
  for (const words of ['Counterpart Demo', 'Demo Coffee', 'Second Cup', 'Grant', 'Deny', '<html lang="en">'])
    assert.ok(page.text.includes(words), words);
  assert.ok(page.text.includes('value="a&amp;b &lt;&quot;state&quot;&gt;"'), page.text);
  const back = await cloud.consent(cloud.authorizeUrl({ state: 'a&b <"state">' }));
  assert.equal(back.href.split('?')[0], REDIRECT_URI);
  assert.match(back.searchParams.get('code'), /^[0-9a-f]{40}$/);
  assert.equal(back.searchParams.get('state'), 'a&b <"state">');
});

test('who denies sends access_denied back, with the state and without a code', async () => {
  const back = await cloud.consent(cloud.authorizeUrl({ state: 's1' }), { decision: 'deny' });
  assert.equal(back.searchParams.get('error'), 'access_denied');
  assert.equal(back.searchParams.get('state'), 's1');
  assert.equal(back.searchParams.get('code'), null);
});

test('a redirect_uri that is not registered is a bare 500, as with the real one', async () => {
  for (const redirectUri of ['http://127.0.0.1:8080/other', `${REDIRECT_URI}/`, '']) {
    const page = await request(cloud.authorizeUrl({ redirectUri }), { method: 'GET' });
    assert.equal(page.status, 500);
    assert.equal(page.text, '');
    assert.equal(page.headers.location, undefined);
  }
});

test('a missing state, another response_type and an unknown client are errors', async () => {
  const without = await request(cloud.authorizeUrl({ state: '' }), { method: 'GET' });
  assert.equal(without.status, 302);
  assert.equal(new URL(without.headers.location).searchParams.get('error'), 'invalid_request');
  const implicit = await request(cloud.authorizeUrl().replace('=code', '=token'), { method: 'GET' });
  assert.equal(new URL(implicit.headers.location).searchParams.get('error'), 'unsupported_response_type');
  isError(await request(cloud.authorizeUrl({ clientId: 'nobody' }), { method: 'GET' }), 400, /client id/);
  isError(await request(cloud.urls.authorize_url, { method: 'GET' }), 400, /No client id/);
});

test('the form of the consent page is checked like the page itself', async () => {
  const form = { client_id: APPLICATION.clientId, redirect_uri: REDIRECT_URI, response_type: 'code', state: 's' };
  const post = (changes) =>
    request(cloud.urls.authorize_url, { body: new URLSearchParams({ ...form, decision: 'grant', ...changes }).toString() });
  isError(await post({ company_id: '1' }), 400, /company/);
  isError(await post({ company_id: 'x' }), 400, /company/);
  assert.equal((await post({ company_id: '5678', redirect_uri: 'http://example.com/' })).status, 500);
  assert.equal((await post({ company_id: '5678' })).status, 302);
});

// --- the token endpoint --------------------------------------------------------------------------

test('a code becomes a pair of tokens, by form and by JSON, with and without .json', async () => {
  for (const json of [false, true]) {
    const code = await cloud.grantCode();
    const reply = await cloud.token({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI }, { json });
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual(Object.keys(reply.json), ['access_token', 'expires_in', 'token_type', 'scope', 'refresh_token']);
    assert.match(reply.json.access_token, /^[0-9a-f]{40}$/);
    assert.match(reply.json.refresh_token, /^[0-9a-f]{40}$/);
    assert.equal(reply.json.expires_in, 3600);
    assert.equal(reply.json.token_type, 'Bearer');
    assert.equal(reply.json.scope, null);
    assert.equal(reply.headers['cache-control'], 'no-store');
    const me = await cloud.api(reply.json.access_token, 'GET', '/companies/me');
    assert.equal(me.json.id, COMPANY);
  }
  const body = new URLSearchParams({ grant_type: 'client_credentials' }).toString();
  const basic = `Basic ${Buffer.from('demo-client:demo-client-secret').toString('base64')}`;
  const reply = await request(`${cloud.urls.token_url}.json`, { headers: { Authorization: basic }, body });
  assert.equal(reply.status, 200, reply.text);
  assert.equal('refresh_token' in reply.json, false, 'client credentials are for development only');
});

test('a code works once, for its own client and redirect_uri only', async () => {
  await cloud.control('POST', '/applications', {
    client_id: 'second-client',
    client_secret: 'second-secret',
    signature_token: 'second-token',
    name: 'Second',
    redirect_uris: ['http://127.0.0.1:9/second'],
  });
  const exchange = (code, more) =>
    cloud.token({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, ...more });
  const code = await cloud.grantCode();
  isError(await exchange(code, { client_id: 'second-client', client_secret: 'second-secret' }), 400, /doesn't exist/);
  const mismatch = await exchange(code, { redirect_uri: 'http://127.0.0.1:9/second' });
  isError(mismatch, 400);
  assert.equal(mismatch.json.error, 'redirect_uri_mismatch');
  assert.equal((await exchange(code)).status, 200);
  const again = await exchange(code);
  isError(again, 400, /^Authorization code doesn't exist or is invalid for the client$/);
  assert.equal(again.json.error, 'invalid_grant');
});

test('consents under way at once keep each its own redirect_uri', async () => {
  const uris = ['http://127.0.0.1:9/one', 'http://127.0.0.1:9/two'];
  const clientId = 'client-of-two-uris';
  const application = { client_id: clientId, client_secret: 'two-secret', signature_token: 'two-token', redirect_uris: uris };
  await cloud.control('POST', '/applications', application);
  const exchange = (code, uri) =>
    cloud.token({ client_id: clientId, client_secret: 'two-secret', grant_type: 'authorization_code', code, redirect_uri: uri });
  const codes = [];
  for (const redirectUri of uris) codes.push(await cloud.grantCode({ clientId, redirectUri }));
  for (const i of [0, 1]) {
    assert.equal((await exchange(codes[i], uris[1 - i])).json.error, 'redirect_uri_mismatch');
    assert.equal((await exchange(codes[i], uris[i])).status, 200);
  }
});

test('the token endpoint refuses as the library does', async () => {
  const cases = [
    [{}, 400, 'invalid_request', /grant type was not specified/],
    [{ grant_type: 'password' }, 400, 'unsupported_grant_type', /password/],
    [{ grant_type: 'refresh_token' }, 400, 'invalid_request', /"refresh_token" is required/],
    [{ grant_type: 'authorization_code' }, 400, 'invalid_request', /"code" is required/],
    [{ grant_type: 'refresh_token', refresh_token: 'f'.repeat(40) }, 400, 'invalid_grant', /^Invalid refresh token$/],
    [{ grant_type: 'authorization_code', code: 'x' }, 400, 'invalid_grant', /doesn't exist/],
    [{ grant_type: 'refresh_token', client_secret: 'no' }, 400, 'invalid_client', /^The client credentials are invalid$/],
    [{ grant_type: 'refresh_token', client_id: 'no' }, 400, 'invalid_client', /are invalid/],
    [{ grant_type: 'refresh_token', client_id: undefined }, 400, 'invalid_client', /were not found/],
  ];
  for (const [parameters, status, error, sentence] of cases) {
    for (const json of [false, true]) {
      const reply = await cloud.token(parameters, { json });
      isError(reply, status, sentence);
      assert.equal(reply.json.error, error);
    }
  }
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const reply = await request(cloud.urls.token_url, { method });
    isError(reply, 405);
    assert.equal(reply.json.error, 'invalid_request');
    assert.equal(reply.headers.allow, 'POST, OPTIONS');
  }
  for (const body of ['{"grant_type"', '[]', '"x"', '%%%', 'grant_type=%zz', ''])
    for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain'])
      isError(await request(cloud.urls.token_url, { headers: { 'Content-Type': type }, body }), 400);
});

test('a refresh gives an access token alone, unless new refresh tokens are switched on', async (t) => {
  const own = await startCloud(t);
  const first = await own.tokens();
  const plain = await own.refresh(first.refresh_token);
  assert.equal(plain.status, 200);
  assert.equal('refresh_token' in plain.json, false);
  assert.notEqual(plain.json.access_token, first.access_token);
  assert.equal((await own.refresh(first.refresh_token, { json: true })).status, 200);

  await own.settings({ refresh_returns_new: true });
  const kept = await own.refresh(first.refresh_token);
  assert.match(kept.json.refresh_token, /^[0-9a-f]{40}$/);
  assert.equal((await own.refresh(first.refresh_token)).status, 200, 'the old one still works');

  await own.settings({ refresh_revokes_old: true });
  const next = await own.refresh(kept.json.refresh_token);
  assert.equal(next.status, 200);
  isError(await own.refresh(kept.json.refresh_token), 400, /^Invalid refresh token$/);
  assert.equal((await own.refresh(next.json.refresh_token)).status, 200);
  const grant = await own.grant();
  assert.equal(grant.refreshes_with_spent_token, 1);
  assert.equal(grant.refreshes_refused, 1);
  assert.equal(grant.refreshes, 6);
});

test('tokens and codes live as long as is set, down to one second', async (t) => {
  const own = await startCloud(t);
  await own.settings({ access_token_ttl_s: 1, refresh_token_ttl_s: 1, code_ttl_s: 1 });
  const tokens = await until('tokens to be used within their second', async () => {
    const given = await own.tokens();
    return (await own.api(given.access_token, 'GET', '/companies/me')).status === 200 && given;
  });
  const code = await own.grantCode();
  assert.equal(tokens.expires_in, 1);
  await sleep(1050);
  const expired = await own.api(tokens.access_token, 'GET', '/companies/me');
  isError(expired, 401, /^The access token provided has expired$/);
  assert.equal(expired.json.error, 'invalid_token');
  assert.match(expired.headers['www-authenticate'], /^Bearer realm="Service"/);
  isError(await own.refresh(tokens.refresh_token), 400, /^Refresh token has expired$/);
  const late = await own.token({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI });
  isError(late, 400, /^The authorization code has expired$/);
  await own.settings({ expired_token_error: 'expired_token' });
  assert.equal((await own.api(tokens.access_token, 'GET', '/companies/me')).json.error, 'expired_token');
});

test('tokens can be revoked or run out by company and client, each kind for itself', async (t) => {
  const own = await startCloud(t);
  const one = await own.tokens();
  const two = await own.tokens({ company: OTHER_COMPANY });
  const works = async ({ access_token: access }) => (await own.api(access, 'GET', '/companies/me')).status === 200;
  await own.control('POST', '/tokens/revoke', { company_id: COMPANY, refresh: false });
  assert.deepEqual([await works(one), await works(two)], [false, true]);
  isError(await own.api(one.access_token, 'GET', '/companies/me'), 401, /is invalid$/);
  assert.equal((await own.refresh(one.refresh_token)).status, 200, 'the refresh token was not meant');
  await own.control('POST', '/tokens/revoke', { client_id: own.clientId, access: false, expire: true });
  isError(await own.refresh(one.refresh_token), 400, /has expired/);
  isError(await own.refresh(two.refresh_token), 400, /has expired/);
  assert.equal(await works(two), true);
  isError(await own.tryControl('POST', '/tokens/revoke', { company: 1 }), 400, /company/);
});

test('refreshes of one grant that run at the same time are seen, also when they are held up', async (t) => {
  const own = await startCloud(t);
  const { refresh_token: refresh } = await own.tokens();
  for (let i = 0; i < 3; i++) await own.refresh(refresh);
  assert.equal((await own.grant()).refreshes_running_max, 1);
  await own.faults({ path: '/token', action: 'hang', ms: 200 });
  await Promise.all([1, 2, 3].map(() => own.refresh(refresh)));
  const grant = await own.grant();
  assert.equal(grant.refreshes_running_max, 3);
  assert.equal(grant.refreshes_running, 0);
});

test('a client that leaves while its refresh is held up does not count as running for ever', async (t) => {
  const own = await startCloud(t);
  const { refresh_token: refresh } = await own.tokens();
  await own.faults({ path: '/token', action: 'hang', ms: 300 });
  const body = `grant_type=refresh_token&refresh_token=${refresh}&client_id=demo-client&client_secret=demo-client-secret`;
  const socket = await RawSocket.connect(new URL(own.urls.url).port);
  await socket.write(`POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await until('the refresh to run', async () => (await own.grant()).refreshes_running === 1);
  socket.reset();
  await until('it to end', async () => (await own.grant()).refreshes_running === 0);
});

// --- callers and formats -------------------------------------------------------------------------

test('no token, a wrong one and a malformed header are told apart', async () => {
  const nobody = await cloud.api(undefined, 'GET', '/companies/me');
  assert.equal(nobody.status, 401);
  assert.equal(nobody.text, '{}');
  assert.equal(nobody.headers['www-authenticate'], 'Bearer realm="Service"');
  const wrong = await cloud.api('f'.repeat(40), 'GET', '/companies/me');
  isError(wrong, 401, /^The access token provided is invalid$/);
  assert.equal(wrong.json.error, 'invalid_token');
  isError(await cloud.api(undefined, 'GET', '/companies/me', undefined, { headers: { Authorization: 'Digest x' } }), 400, /Malformed/);
  for (const credentials of ['demo-client:wrong', 'nobody:x', 'no colon'])
    assert.equal((await cloud.api(undefined, 'GET', '/companies/me', undefined, basic(credentials))).status, 401);
});

const basic = (credentials) => ({ headers: { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` } });

test("Basic reaches the developer's own company and no other", async () => {
  const mine = basic('demo-client:demo-client-secret');
  assert.equal((await cloud.api(undefined, 'GET', '/companies/me', undefined, mine)).json.id, COMPANY);
  isError(await cloud.api(undefined, 'GET', `/companies/${OTHER_COMPANY}`, undefined, mine), 404);
});

test('a token sees its own company, and nothing of another one', async () => {
  const other = (await cloud.tokens({ company: OTHER_COMPANY })).access_token;
  const order = await cloud.order();
  assert.equal((await cloud.api(other, 'GET', '/companies/me')).json.id, OTHER_COMPANY);
  isError(await cloud.api(other, 'GET', pathOf(order)), 404);
  isError(await cloud.api(other, 'GET', `/companies/${OTHER_COMPANY}/orders/${order.id}`), 404);
  isError(await cloud.api(other, 'PUT', `/companies/${OTHER_COMPANY}/orders/${order.id}`, { notes: 'x' }), 404);
  isError(await cloud.api(other, 'GET', `/companies/${OTHER_COMPANY}/sites/${SITE}/orders`), 404);
  isError(await cloud.api(other, 'GET', `/companies/${OTHER_COMPANY}/customers/389427`), 404);
  assert.equal((await cloud.control('GET', `/orders/${order.id}`)).notes, '');
});

test('neither .json nor Accept is 406, another Content-Type is 400', async () => {
  const ask = (path, headers, method, body) => api(method ?? 'GET', path, body, { headers });
  isError(await ask('/companies/me', { Accept: undefined }), 406);
  isError(await ask('/companies/me', { Accept: 'text/html' }), 406);
  assert.equal((await ask('/companies/me.json', { Accept: undefined })).status, 200);
  assert.equal((await ask('/companies/me', { Accept: 'text/html, application/json;q=0.9' })).status, 200);
  const path = pathOf(await cloud.order());
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', undefined])
    isError(await ask(path, { 'Content-Type': type }, 'PUT', '{}'), 400, /Content-Type/);
  updated(await ask(path, { 'Content-Type': 'application/json; charset=utf-8' }, 'PUT', '{}'));
});

test('unknown resources are 404 and unknown methods 405, in JSON', async () => {
  for (const path of ['/', '/nothing', '/companies', '/companies/me/nothing', `${ORDERS}/0`, `${ORDERS}/99`, '/companies/me/sites/923/sites/x'])
    isError(await api('GET', path), 404);
  for (const [method, path] of [
    ['DELETE', '/companies/me'],
    ['PATCH', ORDERS],
    ['GET', `${ORDERS}/1/payments/1`],
    ['DELETE', `${ORDERS}/1/payments/1`],
  ])
    isError(await api(method, path), 405);
  isError(await request(`${cloud.urls.url}/elsewhere`, { method: 'GET' }), 404);
});

test('HEAD has the headers of GET and no body', async () => {
  const reply = await api('HEAD', '/companies/me');
  assert.equal(reply.status, 200);
  assert.equal(reply.text, '');
});

test('rate limits count per grant and per application, and say when they end', async (t) => {
  const own = await startCloud(t);
  const limits = { rate_limit_bearer: 3, rate_limit_basic: 2, rate_limit_window_s: 2 };
  assert.equal((await own.control('GET', '/settings')).rate_limit_bearer, 180);
  assert.equal((await own.control('GET', '/settings')).rate_limit_basic, 60);
  await own.settings(limits);
  const one = (await own.tokens()).access_token;
  const two = (await own.tokens({ company: OTHER_COMPANY })).access_token;
  const ask = (access) => own.api(access, 'GET', '/companies/me');
  for (let i = 0; i < 3; i++) {
    const reply = await ask(one);
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['x-ratelimit-limit'], '3');
    assert.equal(reply.headers['x-ratelimit-remaining'], String(2 - i));
  }
  const refused = await ask(one);
  isError(refused, 429);
  assert.equal(refused.headers['x-ratelimit-remaining'], '0');
  assert.equal(refused.headers['retry-after'], undefined);
  const reset_s = Number(refused.headers['x-ratelimit-reset']);
  assert.ok(reset_s > Date.now() / 1000 && reset_s < Date.now() / 1000 + 4);
  assert.equal((await ask(two)).status, 200, 'another grant has its own');
  const mine = basic('demo-client:demo-client-secret');
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await own.api(undefined, 'GET', '/companies/me', undefined, mine)).status);
  assert.deepEqual(statuses, [200, 200, 429]);
  await own.settings({ rate_limit_retry_after: true });
  assert.ok(Number((await ask(one)).headers['retry-after']) >= 1);
  await sleep(reset_s * 1000 - Date.now() + 20);
  assert.equal((await ask(one)).status, 200, 'the next window has begun');
});

test('an answer that says no has the headers of the rate limit too', async () => {
  const reply = await api('GET', `${ORDERS}/99`);
  assert.equal(reply.status, 404);
  assert.ok(Number(reply.headers['x-ratelimit-remaining']) > 0);
});

test('lists come 25 at a time, by page number and by following the next page', async (t) => {
  const own = await startCloud(t);
  const access = (await own.tokens()).access_token;
  for (let i = 0; i < 58; i++) await own.order({ notes: `n${i}` });
  const all = (await own.state()).orders.filter((order) => order.site_id === SITE).map((order) => order.id);
  assert.equal(all.length, 60);

  const byNumber = [];
  for (let page = 0; page < 3; page++) {
    const reply = await own.api(access, 'GET', ORDERS, undefined, { headers: { 'X-Page': String(page) } });
    assert.equal(reply.headers['x-pages'], '3');
    assert.equal(reply.headers['x-page'], String(page));
    assert.equal(reply.json.length, page < 2 ? 25 : 10);
    byNumber.push(...reply.json.map((order) => order.id));
  }
  assert.deepEqual(byNumber, all);
  const beyond = await own.api(access, 'GET', ORDERS, undefined, { headers: { 'X-Page': '9' } });
  assert.deepEqual(beyond.json, []);

  const followed = [];
  let next = `${own.urls.api_url}${ORDERS}.json?value_gte=1&created_gte=2020-01-01`;
  while (next) {
    const reply = await request(next, { method: 'GET', headers: { Authorization: `Bearer ${access}` } });
    followed.push(...reply.json.map((order) => order.id));
    next = reply.headers['x-next-page'];
    if (next) assert.match(next, /\.json\?start=\d+&value_gte=1&created_gte=2020-01-01$/);
  }
  assert.deepEqual(followed, all);
  isError(await own.api(access, 'GET', ORDERS, undefined, { headers: { 'X-Page': 'x' } }), 400);
  isError(await own.api(access, 'GET', `${ORDERS}?start=x`), 400);

  // Who follows is not told the number of pages; who asks for whole orders of the cloud gets a thousand at a time.
  const second = await own.api(access, 'GET', `${ORDERS}?start=${all[25]}`);
  assert.deepEqual(second.json.map((order) => order.id), all.slice(25, 50));
  assert.ok(!('x-pages' in second.headers));
  const whole = await own.control('GET', `/orders?start=${all[55]}`);
  assert.deepEqual(whole.map((order) => order.id), all.slice(55));
  isError(await own.tryControl('GET', '/orders?start=x'), 400);
});

// --- the merchant --------------------------------------------------------------------------------

test('companies, sites, registers and payment methods are as described', async () => {
  const me = await read('/companies/me.json');
  assert.deepEqual([me.id, me.name, me.currency, me.timezone.name], [COMPANY, 'Demo Coffee', 'AUD', 'Australia/Sydney']);
  assert.match(me.timezone.offset, /^\+1[01]:00$/);
  assert.deepEqual(await read(`/companies/${COMPANY}`), me);
  assert.equal(me.sites.count, 2);
  assert.deepEqual(Object.keys(me.registers), ['count', 'limit']);
  const sites = await read(`/companies/${COMPANY}/sites`);
  assert.deepEqual(sites.map((site) => site.id), [SITE, 924]);
  assert.equal((await read(`/companies/me/sites/${SITE}`)).code, 'HS');
  const registers = await read(`/companies/${COMPANY}/sites/${SITE}/registers`);
  assert.deepEqual(registers, [{ id: 9091, code: 'T1', name: 'Terminal 1', site_id: SITE }]);
  const register = await read(`/companies/${COMPANY}/registers/9091`);
  assert.deepEqual(register.site, { id: SITE, name: 'High Street' });
  assert.equal(register.assigned_to_device, true);
  assert.equal(register.company_id, COMPANY);
  isError(await api('GET', `/companies/${COMPANY}/sites/924/registers/9091`), 404);
  const methods = await read(`/companies/${COMPANY}/payment_methods.json`);
  assert.deepEqual(methods.find((method) => method.name === 'Our Gift Card').id, 88);
  const products = await read(`/companies/${COMPANY}/products`);
  assert.ok(products.length >= 10);
  assert.equal((await read(`/companies/${COMPANY}/products/7302`)).unit_price_inc_tax, 4.5);
});

test('a site says whether it is online, alone, in its company and among all', async () => {
  const { id } = await cloud.control('POST', '/sites', { company_id: COMPANY, name: 'Kiosk', online: false, pass_thru_printing_register: 9091 });
  const wanted = { site_id: id, status: 'offline', online_ordering: 'online', pass_thru_printing_register: 9091 };
  assert.deepEqual(await read(`/companies/${COMPANY}/sites/${id}/status`), wanted);
  for (const path of [`/companies/${COMPANY}/status`, '/sites_status'])
    assert.deepEqual((await read(path)).find((status) => status.site_id === id), wanted);
  updated(await api('PUT', `/companies/${COMPANY}/sites/${id}`, { name: 'Kiosk 2' }));
  assert.equal((await read(`/companies/${COMPANY}/sites/${id}`)).name, 'Kiosk 2');
  isError(await api('PUT', `/companies/${COMPANY}/sites/${id}`, { name: '' }), 400, /name/);
});

// --- customers -----------------------------------------------------------------------------------

const CUSTOMERS = `/companies/${COMPANY}/customers`;

test('customers are found by reference_id as a list, by e-mail and by name and phone with 302', async () => {
  const [david, ...more] = await read(`${CUSTOMERS}?reference_id=M-1`);
  assert.equal(more.length, 0);
  assert.deepEqual([david.id, david.first_name, david.last_name, david.reference_id], [389427, 'David', 'Kent', 'M-1']);
  assert.deepEqual(await read(`${CUSTOMERS}?reference_id=nobody`), []);
  assert.deepEqual(await read(`${CUSTOMERS}?reference_id=`), []);
  for (const query of ['email=david.kent%40example.com', 'first_name=David&last_name=Kent&phone=0400+000+000']) {
    const found = await api('GET', `${CUSTOMERS}.json?${query}`);
    assert.equal(found.status, 302);
    assert.equal(found.headers.location, `${cloud.urls.api_url}${CUSTOMERS}/389427.json`);
    isError(await api('GET', `${CUSTOMERS}?${query.replace(/=[dD]/, '=X')}`), 404);
  }
  const bare = await request(`${cloud.urls.api_url}${CUSTOMERS}/389427.json`, { method: 'GET' });
  assert.equal(bare.status, 401, 'who follows without Authorization is a stranger');
  const listed = await api('GET', `${CUSTOMERS}?first_name=David&last_name=Kent`);
  assert.equal(listed.status, 200, 'without a phone it is the list');
});

test('a customer needs a first name and e-mail or phone', async () => {
  isError(await api('POST', CUSTOMERS, { last_name: 'Example', email: 'a@example.com' }), 400, /first_name/);
  isError(await api('POST', CUSTOMERS, { first_name: 'Only' }), 400, /email or phone/);
  const path = created(await api('POST', CUSTOMERS, { first_name: 'Phone', phone: '0400 111 111', tags: ['Silver', 'ü'] }));
  const one = await read(path);
  assert.deepEqual(one.tags, ['Silver', 'ü']);
  assert.equal(one.reference_id, '');
  assert.equal(one.image, null);
  updated(await api('PUT', path, { email: 'phone@example.com', primary_address: { city: 'Perth' } }));
  const two = await read(path);
  assert.deepEqual([two.first_name, two.email, two.primary_email_address], ['Phone', 'phone@example.com', 'phone@example.com']);
  assert.deepEqual(two.primary_address, { city: 'Perth' });
  isError(await api('PUT', path, { first_name: '' }), 400, /first_name/);
  isError(await api('PUT', path, { tags: 'Gold' }), 400, /tags/);
  isError(await api('GET', `${CUSTOMERS}/1`), 404);
});

test('a reference_id is private to the application that set it', async () => {
  await cloud.control('POST', '/applications', {
    client_id: 'third-client',
    client_secret: 'third-secret',
    signature_token: 'third-token',
    redirect_uris: [REDIRECT_URI],
  });
  const code = await cloud.grantCode({ clientId: 'third-client' });
  const third = { client_id: 'third-client', client_secret: 'third-secret', redirect_uri: REDIRECT_URI };
  const { access_token: access } = (await cloud.token({ grant_type: 'authorization_code', code, ...third })).json;
  assert.equal((await cloud.api(access, 'GET', `${CUSTOMERS}/389427`)).json.reference_id, '');
  assert.deepEqual((await cloud.api(access, 'GET', `${CUSTOMERS}?reference_id=M-1`)).json, []);
  updated(await cloud.api(access, 'PUT', `${CUSTOMERS}/389427`, { reference_id: 'T-9' }));
  assert.equal((await cloud.api(access, 'GET', `${CUSTOMERS}?reference_id=T-9`)).json[0].id, 389427);
  assert.equal((await read(`${CUSTOMERS}/389427`)).reference_id, 'M-1');
});

test('one check-in per customer, from 5 to 180 minutes', async () => {
  const { id } = await cloud.control('POST', '/customers', { company_id: COMPANY, first_name: 'Check', phone: '0400 222 222' });
  const checkins = `/companies/${COMPANY}/sites/${SITE}/checkins`;
  isError(await api('GET', `${checkins}/${id}`), 404, /^This customer is not checked in\.$/);
  for (const duration of [4, 181, 'x']) isError(await api('POST', checkins, { customer_id: id, duration }), 400, /duration/);
  isError(await api('POST', checkins, { customer_id: 1 }), 400, /customer/);
  isError(await api('POST', checkins, {}), 400, /customer_id/);
  assert.equal(created(await api('POST', checkins, { customer_id: id })), `${checkins}/${id}`);
  const one = await read(`${checkins}/${id}`);
  assert.equal(one.duration, 120);
  assert.match(one.start_time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+1[01]:00$/);
  assert.deepEqual(await read(checkins), [one]);
  isError(await api('POST', checkins, { customer_id: id }), 400, /already/);
  isError(await api('POST', `/companies/${COMPANY}/sites/924/checkins`, { customer_id: id }), 400, /already/);
  assert.equal((await api('DELETE', `${checkins}/${id}`)).status, 204);
  isError(await api('DELETE', `${checkins}/${id}`), 404);
  isError(await api('GET', `/companies/${COMPANY}/checkins`), 404);
});

// --- orders --------------------------------------------------------------------------------------

test('an order has the fields of the protocol, with 64-bit ids and exact sums', async () => {
  const order = await cloud.order({ customer_id: 389427, lines: [{ product_id: 7302, quantity: 2 }], register_id: 9091 });
  const reply = await api('GET', `${pathOf(order)}.json`);
  const seen = reply.json;
  assert.ok(seen.id > 2 ** 31);
  assert.equal(seen.id_str, String(seen.id));
  const { line_id: lineId, ...line } = seen.lines[0];
  assert.match(lineId, /^\w{6}$/);
  assert.deepEqual(line, {
    number: 1,
    product: { id: 7302, name: 'Latte' },
    quantity: 2,
    price_variation: 1,
    price_fixed_variation: 0,
    modifiers: [],
    notes: '',
    unit_price: 4.0909,
    unit_tax: 0.4091,
    line_total_ex_tax: 8.18,
    line_total_tax: 0.82,
    taxes: [{ id: 1, name: 'GST', rate: 0.1 }],
    part_of_option_set: false,
  });
  assert.match(reply.text, /"total":9\.00,"total_tax":0\.82,"paid":0\.00,/);
  assert.deepEqual(seen.customer, { id: 389427, first_name: 'David', last_name: 'Kent', email: 'david.kent@example.com', image: null });
  assert.deepEqual([seen.status, seen.register_id, seen.site_id, seen.deleted], ['PENDING', 9091, SITE, false]);
  assert.match(seen.created_at, /\+1[01]:00$/);
  assert.equal((await read(`${ORDERS}/saleid/${seen.sale_number}`)).id, seen.id);
  isError(await api('GET', `${ORDERS}/saleid/none`), 404);
});

test('an order is created with lines and payments, and says null and where it is', async () => {
  const path = await createOrder({
    status: 'ON_HOLD',
    sale_number: '303005',
    order_type: 'Dine in',
    guests: 2,
    notes: 'Gold member',
    customer_id: 389427,
    lines: [
      { product_id: 7302, quantity: 6, notes: 'Extra hot', unit_price: 1.3636 },
      { product_id: 7305, quantity: 1, price_variation: 0.9, modifiers: [7390, -7304] },
    ],
    price_limit: 100,
    price_variation: 1.15,
    payments: [{ method_id: 1, amount: 5.5, ref: '9000768' }],
    callback_uri: 'http://127.0.0.1:9/cb?id=1',
    complete_when_paid: false,
    pass_thru_printing: false,
    lock: ['PAYMENTS'],
    placed_at: '2026-05-29T11:14:06+10:00',
    fulfil_at: '2026-05-29T13:00:00+10:00',
  });
  const order = await read(path);
  // 6 x 1.3636 with tax is 9.00; (5.50 + 0.70) x 0.9 is 5.58; 14.58 x 1.15 is 16.767
  assert.deepEqual([order.total, order.paid, order.price_variation], [16.77, 5.5, 1.15]);
  assert.deepEqual(order.lines[1].modifiers, [7390, -7304]);
  assert.deepEqual([order.sale_number, order.order_type, order.guests, order.notes], ['303005', 'Dine in', 2, 'Gold member']);
  assert.deepEqual(order.lock, ['PAYMENTS']);
  assert.equal(order.placed_at, '2026-05-29T11:14:06+10:00');
  assert.equal(order.payments[0].ref, '9000768');
  assert.deepEqual(order.payments[0].method, { id: 1, name: 'Cash' });
});

test('what cannot be an order is refused, and none is made', async () => {
  const before_ = (await cloud.state()).order_count;
  const good = { site_id: SITE, lines: [{ product_id: 7302 }] };
  for (const [order, sentence] of [
    [{ ...good, site_id: undefined }, /site_id/],
    [{ ...good, site_id: 1923 }, /site_id/],
    [{ ...good, register_id: 1 }, /register_id/],
    [{ ...good, customer_id: 489427 }, /customer_id/],
    [{ ...good, status: 'DONE' }, /status/],
    [{ ...good, status: 'COMPLETE' }, /not fully paid/],
    [{ ...good, price_limit: 4.49 }, /price_limit/],
    [{ ...good, price_variation: 0.9, price_fixed_variation: -1 }, /at the same time/],
    [{ ...good, price_variation: -0.1 }, /coefficient/],
    [{ ...good, lock: 'PAYMENTS' }, /lock/],
    [{ ...good, guests: 1.5 }, /guests/],
    [{ ...good, notes: 'x'.repeat(1024) }, /notes/],
    [{ ...good, lines: [{}] }, /product_id/],
    [{ ...good, lines: [7302] }, /lines/],
    [{ ...good, lines: [{ product_id: 8301 }] }, /product_id/],
    [{ ...good, lines: [{ product_id: 7302, quantity: 0 }] }, /quantity/],
    [{ ...good, lines: [{ product_id: 7302, quantity: -1 }] }, /quantity/],
    [{ ...good, lines: [{ product_id: 7302, unit_price: -1 }] }, /unit_price/],
    [{ ...good, lines: [{ product_id: 7302, unit_price: 1e7 }] }, /unit_price/],
    [{ ...good, lines: [{ product_id: 7302, unit_price: true }] }, /unit_price/],
    [{ ...good, lines: [{ product_id: 7302, modifiers: [1] }] }, /modifiers/],
    [{ ...good, lines: [{ product_id: 7302, modifiers: Array(17).fill(7390) }] }, /modifiers/],
    [{ ...good, lines: [{ product_id: 7302, modifiers: [7390], option_sets: [{ id: 1 }] }] }, /option_sets/],
    [{ ...good, lines: [{ product_id: 7302, option_sets: [{ id: 1 }], price_variation: 0.5 }] }, /option_sets/],
    [{ ...good, lines: Array(101).fill({ product_id: 7302 }) }, /100 lines/],
    [{ ...good, payments: [{ method_id: 7, amount: 1 }] }, /method_id/],
    [{ ...good, payments: [{ method_id: 1 }] }, /amount/],
  ])
    isError(await api('POST', ORDERS, order), 400, sentence);
  for (const body of ['', '[]', '{', 'null', '{"site_id":923,"site_id":924}', `${'['.repeat(50)}${']'.repeat(50)}`])
    isError(await api('POST', ORDERS, body), 400);
  assert.equal((await cloud.state()).order_count, before_);
});

test('lists are abridged, and filtered by path, status, time, value and scope', async (t) => {
  const own = await startCloud(t);
  const access = (await own.tokens()).access_token;
  const start = new Date(Date.now() - 1000).toISOString();
  const ids = async (path) => {
    const reply = await own.api(access, 'GET', `/companies/me${path}`);
    assert.equal(reply.status, 200, reply.text);
    return reply.json.map((order) => order.id);
  };
  const seeded = await ids('/orders');
  const a = await own.order({ register_id: 9091, lines: [{ product_id: 7301 }], staff_member_id: 77 }); // 4.00
  const b = await own.order({ register_id: 9092, lines: [{ product_id: 7305, price_variation: 0.5 }] }); // 2.75
  const c = await own.order({ register_id: 9091, customer_id: 389428, status: 'ON_HOLD', lines: [{ product_id: 7308 }] }); // 45.00
  const d = await own.order({ lines: [{ product_id: 7302 }], order_payment_type: 'account', customer_id: 389428 });
  const e = await own.order({ lines: [{ product_id: 7302 }] });
  await own.control('POST', `/orders/${a.id}/complete`);
  await own.control('POST', `/orders/${e.id}/delete`);
  assert.deepEqual(await ids('/orders'), [...seeded, a.id, b.id, c.id, d.id]);
  assert.deepEqual(await ids('/orders/complete'), [a.id]);
  assert.deepEqual(await ids('/orders?status=COMPLETE'), [a.id]);
  assert.deepEqual(await ids('/orders/on_hold'), [c.id]);
  assert.deepEqual(await ids('/orders/deleted'), [e.id]);
  assert.deepEqual(await ids('/orders/discounted'), [b.id]);
  assert.deepEqual(await ids('/orders/pending/accounts'), [d.id]);
  assert.deepEqual(await ids('/orders/linkedcustomer/on_hold'), [c.id]);
  assert.deepEqual(await ids('/customers/389428/orders'), [c.id, d.id]);
  assert.deepEqual(await ids('/sites/924/orders'), [b.id]);
  assert.deepEqual(await ids(`/sites/${SITE}/registers/9091/orders/complete`), [a.id]);
  assert.deepEqual(await ids('/staff/77/orders'), [a.id]);
  assert.deepEqual(await ids('/orders?value_lte=4&value_gt=2.75'), [a.id]);
  assert.deepEqual(await ids('/orders?value_lt=2.75'), []);
  assert.deepEqual(await ids(`/orders?created_gte=${start}&value_gte=45`), [...(await ids('/orders?value_gte=45'))]);
  assert.deepEqual(await ids('/orders?created_lt=2026-01-01'), []);
  const later = new Date(Date.now() + 3600_000).toISOString();
  assert.deepEqual(await ids(`/orders/complete?created_gt=${encodeURIComponent(later.replace('Z', '+00:00'))}`), []);
  for (const path of ['/orders?created_gte=yesterday', '/orders?value_gte=1e2', '/orders?status=none'])
    isError(await own.api(access, 'GET', `/companies/me${path}`), 400);
  isError(await own.api(access, 'GET', '/companies/me/orders/nonsense'), 404);
  const [record] = (await own.api(access, 'GET', '/companies/me/orders/complete')).json;
  for (const name of ['total_tax', 'paid', 'staff_id', 'order_type', 'is_refund', 'refunded_order_id']) assert.ok(name in record, name);
  for (const name of ['lines', 'payments', 'customer', 'price_variation']) assert.equal(name in record, false, name);
  assert.equal((await own.api(access, 'GET', `/companies/me/orders/${e.id}`)).json.deleted, true);
});

test('a new order is in no list before the visibility delay has passed, and can be read by id', async (t) => {
  const own = await startCloud(t);
  const access = (await own.tokens()).access_token;
  await own.settings({ visibility_delay_ms: 400 });
  const { id } = await own.order();
  const isListed = async () => (await own.api(access, 'GET', ORDERS)).json.some((order) => order.id === id);
  assert.equal(await isListed(), false);
  assert.equal((await own.api(access, 'GET', `${ORDERS}/${id}`)).status, 200);
  await until('the order to be listed', isListed);
});

test('an order-level percentage is rounded half up to the cent, and an amount comes off as it is', async () => {
  const order = await cloud.order({ lines: [{ product_id: 7301 }, { product_id: 7302 }, { product_id: 7304 }] }); // 12.70
  const put = async (changes) => {
    updated(await api('PUT', pathOf(order), changes));
    return read(pathOf(order));
  };
  assert.equal((await put({ price_variation: 0.85 })).total, 10.8); // 10.795
  assert.equal((await put({ price_variation: '0.8503' })).total, 10.8); // 10.79881
  assert.equal((await put({ price_variation: 0.333 })).total, 4.23); // 4.2291
  const money = await put({ price_fixed_variation: -10 });
  assert.deepEqual([money.total, money.price_variation, money.price_fixed_variation], [2.7, 1, -10]);
  assert.equal(money.total_tax, 0.24); // 1.15 of 12.70 in the share of 2.70
  assert.equal((await put({ price_fixed_variation: -20 })).total, 0, 'never below zero');
  assert.equal((await put({ price_fixed_variation: 0 })).total, 12.7);
  isError(await api('PUT', pathOf(order), { price_variation: 0.9, price_fixed_variation: -1 }), 400, /at the same time/);
  isError(await api('PUT', pathOf(order), { price_variation: 1, price_fixed_variation: 0 }), 400, /at the same time/);
  assert.equal((await read(pathOf(order))).total, 12.7);
  isError(await api('PUT', pathOf(order), { lines: [] }), 400, /resources of their own/);
});

test('sums agree with exact arithmetic for random orders', async () => {
  const random = seededRandom('cloud sums');
  const pick = (n) => Math.floor(random() * n);
  for (let i = 0; i < 40; i++) {
    const lines = Array.from({ length: 1 + pick(5) }, () => ({
      product_id: 7302,
      quantity: 1 + pick(9),
      unit_price_inc_tax: (pick(5000) / 100).toFixed(2),
      ...[{}, { price_variation: (pick(150) / 100).toFixed(2) }, { price_fixed_variation: (-pick(2000) / 100).toFixed(2) }][pick(3)],
    }));
    const variation = [{}, { price_variation: (pick(200) / 1000).toFixed(3) }, { price_fixed_variation: (-pick(9000) / 100).toFixed(2) }][pick(3)];
    const order = await read(await createOrder({ lines, ...variation }));
    assert.equal(Math.round(order.total * 100), Number(expectedTotal(lines, variation)), JSON.stringify({ lines, variation }));
  }
});

// In whole cents, with BigInt: value * coefficient, half up.
const cents = (text) => BigInt(Math.round(Number(text) * 100));
const times = (value, coefficient) => (value * BigInt(Math.round(Number(coefficient) * 1000)) + 500n) / 1000n;
const vary = (value, { price_variation: coefficient, price_fixed_variation: fixed }) => {
  if (coefficient !== undefined) return times(value, coefficient);
  const varied = value + (fixed === undefined ? 0n : cents(fixed));
  return varied < 0n ? 0n : varied;
};
const expectedTotal = (lines, variation) =>
  vary(
    lines.map((line) => vary(cents(line.unit_price_inc_tax) * BigInt(line.quantity), line)).reduce((a, b) => a + b, 0n),
    variation,
  );

test('a status moves along its table only', async () => {
  const path = await createOrder({ status: 'SUBMITTED' });
  const set = (status) => api('PUT', path, { status });
  isError(await set('nonsense'), 400, /status/);
  updated(await set('pending'));
  isError(await set('SUBMITTED'), 400, /cannot go from PENDING/);
  updated(await set('ACCEPTED'));
  isError(await set('REJECTED'), 400, /cannot go from ACCEPTED/);
  isError(await set('COMPLETE'), 400, /not fully paid/);
  assert.equal((await read(path)).status, 'ACCEPTED');
  created(await api('POST', `${path}/payments`, { method_id: 1, amount: 4.5 }));
  updated(await set('COMPLETE'));
  isError(await set('PENDING'), 400, /COMPLETE and cannot be changed/);
});

test('a register reopens and deletes, and a deleted order takes no change', async () => {
  const order = await cloud.order();
  await cloud.control('POST', `/orders/${order.id}/complete`, { pay_rest: 'Card' });
  const complete = await read(pathOf(order));
  assert.deepEqual([complete.status, complete.paid, complete.payments[0].method.name], ['COMPLETE', 45, 'Card']);
  isError(await api('PUT', pathOf(order), { price_fixed_variation: -1 }), 400, /cannot be changed/);
  assert.equal((await cloud.control('POST', `/orders/${order.id}/reopen`)).status, 'PENDING');
  updated(await api('PUT', pathOf(order), { price_fixed_variation: -1 }));
  await cloud.control('POST', `/orders/${order.id}/delete`);
  isError(await api('PUT', pathOf(order), { notes: 'x' }), 400, /deleted/);
  isError(await api('POST', `${pathOf(order)}/lines`, { product_id: 7302 }), 400, /deleted/);
  const unpaid = await cloud.order();
  isError(await cloud.tryControl('POST', `/orders/${unpaid.id}/complete`, { pay_rest: false }), 400, /not fully paid/);
});

// --- bills that move -----------------------------------------------------------------------------

const paidCents = (order) => order.payments.map((payment) => Math.round(payment.amount * 100));
const ids = (order) => order.payments.map((payment) => payment.id);
const names = (order) => order.lines.map((line) => line.product.id);
const pay = (order, amount, ref, method = 'Our Gift Card') =>
  cloud.control('POST', `/orders/${order.id}/payments`, { method, amount, ...(ref === undefined ? {} : { ref }) });
const split = (order, body) => cloud.control('POST', `/orders/${order.id}/split`, body);

/** A bill of three lines (4.50, 45.00, 4.50) and three payments. */
async function bill() {
  const order = await cloud.order({ lines: [{ product_id: 7302 }, { product_id: 7308 }, { product_id: 7302 }] });
  for (const [amount, ref] of [[1, 'a'], [2, 'b'], [3, 'c']]) await pay(order, amount, ref);
  return read(pathOf(order));
}

test('a bill is split: lines and payments move to a new order, with their ids and new numbers', async () => {
  const before = await bill();
  const made = await split(before, { lines: [3, 1], payments: [2] });
  const rest = await read(pathOf(before));
  assert.notEqual(made.id, before.id);
  assert.deepEqual([names(made), made.total, paidCents(made), made.paid], [[7302, 7302], 9, [200], 2]);
  assert.deepEqual([names(rest), rest.total, paidCents(rest), rest.paid], [[7308], 45, [100, 300], 4]);
  assert.deepEqual(ids(made), [ids(before)[1]]);
  assert.deepEqual(rest.payments.map(({ number, ref }) => [number, ref]), [[1, 'a'], [2, 'c']]);
  assert.deepEqual([made.payments[0].number, made.payments[0].ref], [1, 'b']);
  assert.deepEqual([made.status, made.register_id, made.site_id], ['PENDING', 9091, SITE]);
  assert.notEqual(made.sale_number, before.sale_number);
  assert.deepEqual(await read(pathOf(made)), made);
});

test('a split goes to another register where that is wanted, and its site goes with it', async () => {
  const before = await bill();
  const made = await split(before, { payments: [1, 2, 3], register_id: 9092 });
  assert.deepEqual([made.register_id, made.site_id, made.lines, paidCents(made)], [9092, 924, [], [100, 200, 300]]);
  assert.deepEqual((await read(pathOf(before))).payments, []);
});

test('what cannot be split is refused, and nothing moves', async () => {
  const before = await bill();
  const same = await cloud.control('GET', `/orders/${before.id}`);
  for (const [body, sentence] of [
    [{}, /lines or payments/],
    [{ lines: [], payments: [] }, /lines or payments/],
    [{ lines: [4] }, /lines: different numbers from 1 to 3/],
    [{ lines: [0] }, /lines/],
    [{ lines: [1, 1] }, /lines/],
    [{ lines: 1 }, /lines/],
    [{ payments: [4] }, /payments: different numbers from 1 to 3/],
    [{ payments: ['x'] }, /payments/],
    [{ lines: [1], register_id: 19091 }, /register_id/],
    [{ lines: [1], register_id: 'x' }, /register_id/],
  ])
    isError(await cloud.tryControl('POST', `/orders/${before.id}/split`, body), 400, sentence);
  isError(await cloud.tryControl('POST', '/orders/1/split', { lines: [1] }), 404);
  assert.deepEqual(await cloud.control('GET', `/orders/${before.id}`), same);
  await cloud.control('POST', `/orders/${before.id}/complete`, {});
  isError(await cloud.tryControl('POST', `/orders/${before.id}/split`, { lines: [1] }), 400, /COMPLETE/);
});

test('bills are put together: one has everything, the other is empty and deleted', async () => {
  const one = await bill();
  const two = await bill();
  const both = await cloud.control('POST', `/orders/${one.id}/merge`, { into: two.id });
  assert.equal(both.id, two.id);
  assert.deepEqual(ids(both), [...ids(two), ...ids(one)]);
  assert.deepEqual(both.payments.map(({ number }) => number), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual([both.lines.length, both.total, both.paid, both.status], [6, 108, 12, 'PENDING']);
  const gone = await read(pathOf(one));
  assert.deepEqual([gone.deleted, gone.lines, gone.payments, gone.total, gone.paid], [true, [], [], 0, 0]);
  assert.deepEqual(await read(pathOf(two)), both);
  const deleted = await read(`${ORDERS}/deleted?created_gte=2020-01-01`);
  assert.ok(deleted.some(({ id }) => id === one.id));
});

test('what cannot be put together is refused, and nothing moves', async () => {
  const one = await bill();
  const closed = await cloud.order();
  await cloud.control('POST', `/orders/${closed.id}/complete`, {});
  const foreign = await cloud.order({ register_id: 19091, lines: [{ product_id: 8301 }] });
  const full = await cloud.order({ lines: Array(98).fill({ product_id: 7302 }) });
  const merge = (order, into) => cloud.tryControl('POST', `/orders/${order.id}/merge`, { into });
  isError(await merge(one, one.id), 400, /into/);
  isError(await merge(one, 1), 400, /into/);
  isError(await merge(one, foreign.id), 400, /same company/);
  isError(await merge(one, closed.id), 400, /COMPLETE/);
  isError(await merge(closed, one.id), 400, /COMPLETE/);
  isError(await merge(one, full.id), 400, /100 lines/);
  isError(await cloud.tryControl('POST', `/orders/1/merge`, { into: one.id }), 404);
  assert.deepEqual(await read(pathOf(one)), one);
});

test('an order is opened again on another register, and only on one of its company', async () => {
  const order = await bill();
  await cloud.control('POST', `/orders/${order.id}/complete`, {});
  const reopen = (body) => cloud.tryControl('POST', `/orders/${order.id}/reopen`, body);
  isError(await reopen({ register_id: 19091 }), 400, /register_id/);
  isError(await reopen({ till: 9092 }), 400, /till/);
  assert.equal((await read(pathOf(order))).status, 'COMPLETE');
  const { json } = await reopen({ register_id: 9092 });
  assert.deepEqual([json.status, json.register_id, json.site_id], ['PENDING', 9092, 924]);
  assert.deepEqual(paidCents(json).slice(0, 3), [100, 200, 300]);
});

test('an order is deleted with its payments or without', async () => {
  const kept = await bill();
  const dropped = await bill();
  await cloud.control('POST', `/orders/${kept.id}/delete`);
  await cloud.control('POST', `/orders/${dropped.id}/delete`, { keep_payments: false });
  assert.deepEqual([(await read(pathOf(kept))).deleted, (await read(pathOf(kept))).paid], [true, 6]);
  assert.deepEqual([(await read(pathOf(dropped))).deleted, (await read(pathOf(dropped))).paid], [true, 0]);
});

test('a hidden order is found by no client, neither by id nor in lists, until it is shown', async () => {
  const order = await bill();
  const isListed = async () => {
    for (let start = order.id; ; ) {
      const reply = await api('GET', `${ORDERS}?start=${start}`);
      if (reply.json.some(({ id }) => id === order.id)) return true;
      if (!reply.headers['x-next-page']) return false;
      start = new URL(reply.headers['x-next-page']).searchParams.get('start');
    }
  };
  const isHidden = async (is) => {
    assert.equal((await api('GET', pathOf(order))).status, is ? 404 : 200);
    assert.equal((await api('GET', `${ORDERS}/saleid/${order.sale_number}`)).status, is ? 404 : 200);
    assert.equal((await api('POST', `${pathOf(order)}/lines`, { product_id: 7302 })).status, is ? 404 : 201);
    assert.equal((await api('PUT', pathOf(order), { notes: 'x' })).status, is ? 404 : 200);
    assert.equal(await isListed(), !is);
  };
  await isHidden(false);
  const hide = (body) => cloud.tryControl('POST', `/orders/${order.id}/hide`, body);
  isError(await hide({ for_ms: 0 }), 400, /for_ms/);
  await isHidden(false);
  assert.equal((await hide()).status, 200);
  await isHidden(true);
  assert.equal((await pay(order, 4)).paid, 10); // the register sees it
  await cloud.control('POST', `/orders/${order.id}/show`);
  await isHidden(false);
  await hide({ for_ms: 300 });
  await isHidden(true);
  await until('the order to show again', async () => (await api('GET', pathOf(order))).status === 200);
  await isHidden(false);
  const born = await cloud.order({ hidden: true });
  isError(await api('GET', pathOf(born)), 404);
});

test('with a read delay a new order is found neither by id nor in lists before it has passed', async (t) => {
  const own = await startCloud(t);
  const access = (await own.tokens()).access_token;
  await own.settings({ read_delay_ms: 400 });
  const order = await own.order({ lines: [{ product_id: 7302 }, { product_id: 7302 }] });
  const made = await own.control('POST', `/orders/${order.id}/split`, { lines: [1] });
  const finds = async ({ id }) => (await own.api(access, 'GET', `${ORDERS}/${id}`)).status;
  const lists = async ({ id }) => (await own.api(access, 'GET', ORDERS)).json.some((one) => one.id === id);
  for (const one of [order, made]) assert.deepEqual([await finds(one), await lists(one)], [404, false]);
  await until('both to be found', async () => (await finds(order)) === 200 && (await finds(made)) === 200);
  for (const one of [order, made]) assert.ok(await lists(one));
});

test('registers keep the reference of the partner with a payment, or drop it; a client keeps its own', async (t) => {
  const own = await startCloud(t);
  const access = (await own.tokens()).access_token;
  await own.settings({ may_pay_foreign_orders: { 'demo-client': true } });
  const order = await own.order();
  const refs = async () => (await own.control('GET', `/orders/${order.id}`)).payments.map(({ ref }) => ref);
  const take = (ref) => own.control('POST', `/orders/${order.id}/payments`, { method_id: 88, amount: 1, ref });
  await take('CP1-1');
  await own.settings({ registers_keep_ref: false });
  await take('CP1-2');
  const ours = await own.api(access, 'POST', `${ORDERS}/${order.id}/payments`, { amount: 1, ref: 'CP1-3' });
  assert.equal(ours.status, 201, ours.text);
  assert.deepEqual(await refs(), ['CP1-1', null, 'CP1-3']);
});

test('moves are told: the new order, the changed ones, the emptied one', async (t) => {
  const own = await startCloud(t);
  const access = (await own.tokens()).access_token;
  for (const topic of ['orders/created', 'orders/updated', 'orders/deleted'])
    await own.api(access, 'POST', `/companies/${COMPANY}/webhooks`, { topic, address: 'http://127.0.0.1:9/' });
  const told = async () => (await own.control('GET', '/deliveries')).map(({ topic, subject_id }) => `${topic} ${subject_id}`);
  const order = await own.order({ lines: [{ product_id: 7302 }, { product_id: 7302 }] });
  const before = (await told()).length;
  const made = await own.control('POST', `/orders/${order.id}/split`, { lines: [1] });
  await own.control('POST', `/orders/${made.id}/merge`, { into: order.id });
  assert.deepEqual((await told()).slice(before), [
    `orders/created ${made.id}`,
    `orders/updated ${order.id}`,
    `orders/updated ${order.id}`,
    `orders/deleted ${made.id}`,
  ]);
});

// --- lines ---------------------------------------------------------------------------------------

test('lines are added at a place or at the end, changed and taken away', async () => {
  const path = await createOrder({ lines: [{ product_id: 7301 }] });
  assert.equal(created(await api('POST', `${path}/lines`, { product_id: 7302, quantity: 2 })), `${path}/lines/2`);
  assert.equal(created(await api('POST', `${path}/lines`, { product_id: 7303, number: 1 })), `${path}/lines/1`);
  created(await api('POST', `${path}/lines`, [{ product_id: 7304 }, { product_id: 7305 }]));
  created(await api('POST', `${path}/lines`, { lines: [{ product_id: 7306 }] }));
  const products = async () => (await read(`${path}/lines`)).map((line) => line.product.id);
  assert.deepEqual(await products(), [7303, 7301, 7302, 7304, 7305, 7306]);
  assert.deepEqual((await read(path)).lines, await read(`${path}/lines`));
  assert.equal(new Set((await read(`${path}/lines`)).map((line) => line.line_id)).size, 6);

  updated(await api('PUT', `${path}/lines/3`, { price_variation: 0.5, notes: 'Reward' }));
  let line = (await read(`${path}/lines`))[2];
  assert.deepEqual([line.quantity, line.price_variation, line.notes], [2, 0.5, 'Reward']);
  assert.equal(line.line_total_ex_tax + line.line_total_tax, 4.5);
  updated(await api('PUT', `${path}/lines/3`, { price_fixed_variation: '-9.00' }));
  line = (await read(`${path}/lines`))[2];
  assert.deepEqual([line.price_variation, line.line_total_ex_tax, line.notes], [1, 0, 'Reward']);
  isError(await api('PUT', `${path}/lines/3`, { price_fixed_variation: -1, price_variation: 0.9 }), 400, /at the same time/);
  updated(await api('PUT', `${path}/lines/3`, { modifiers: [7390] }));
  assert.deepEqual((await read(`${path}/lines`))[2].modifiers, [7390]);

  assert.equal((await api('DELETE', `${path}/lines/2`)).status, 204);
  assert.deepEqual(await products(), [7303, 7302, 7304, 7305, 7306]);
  for (const method of ['PUT', 'DELETE']) isError(await api(method, `${path}/lines/6`, method === 'PUT' ? {} : undefined), 404);
});

test('a list of lines is taken whole or not at all', async () => {
  const path = await createOrder();
  isError(await api('POST', `${path}/lines`, [{ product_id: 7301 }, { product_id: 1 }]), 400);
  isError(await api('POST', `${path}/lines`, []), 400, /at least one/);
  assert.equal((await read(path)).lines.length, 1);
});

test('lines are locked once the order is accepted, complete or rejected', async () => {
  for (const status of ['ACCEPTED', 'REJECTED', 'COMPLETE']) {
    const path = await createOrder({ payments: [{ method_id: 1, amount: 4.5 }] });
    updated(await api('PUT', path, { status }));
    isError(await api('POST', `${path}/lines`, { product_id: 7301 }), 400, /locked/);
    isError(await api('PUT', `${path}/lines/1`, { notes: 'x' }), 400, /locked/);
    isError(await api('DELETE', `${path}/lines/1`), 400, /locked/);
    assert.equal((await read(path)).lines.length, 1);
  }
});

test('a register changes lines of an accepted order, but not what a client has locked', async () => {
  const accepted = await createOrder({ status: 'ACCEPTED' });
  const id = accepted.split('/').at(-1);
  assert.equal((await cloud.control('POST', `/orders/${id}/lines`, { product_id: 7301 })).lines.length, 2);
  assert.equal((await cloud.control('PUT', `/orders/${id}/lines/2`, { quantity: 3 })).lines[1].quantity, 3);
  assert.equal((await cloud.control('DELETE', `/orders/${id}/lines/2`)).lines.length, 1);
  const locked = (await createOrder({ lock: ['LINES', 'PAYMENTS'] })).split('/').at(-1);
  isError(await cloud.tryControl('POST', `/orders/${locked}/lines`, { product_id: 7301 }), 400, /locked/);
  isError(await cloud.tryControl('POST', `/orders/${locked}/payments`, { method: 'Cash', amount: 1 }), 400, /locked/);
});

test('what is out of stock is refused while the order is on hold or pending', async () => {
  const { id } = await cloud.control('POST', '/products', { company_id: COMPANY, name: 'Last one', price: 3, stock: 1 });
  for (const status of ['ON_HOLD', 'PENDING']) {
    const reply = await api('POST', ORDERS, { site_id: SITE, status, lines: [{ product_id: 7310 }] });
    isError(reply, 400);
    assert.equal(reply.json.error_description, 'Product (7310) is out of stock.');
  }
  created(await api('POST', ORDERS, { site_id: SITE, status: 'SUBMITTED', lines: [{ product_id: 7310 }] }));
  isError(await api('POST', ORDERS, { site_id: SITE, status: 'PENDING', lines: [{ product_id: id, quantity: 2 }] }), 400, /out of stock/);
  const order = await cloud.order({ lines: [{ product_id: id }] });
  await cloud.control('POST', `/orders/${order.id}/complete`);
  isError(await api('POST', ORDERS, { site_id: SITE, status: 'PENDING', lines: [{ product_id: id }] }), 400, /out of stock/);
});

// --- payments ------------------------------------------------------------------------------------

test("a payment without method_id is the application's own, and pays the order", async () => {
  const path = await createOrder({ complete_when_paid: true });
  assert.equal(created(await api('POST', `${path}/payments`, { amount: 2, ref: 'TX-1', tip: 0.5 })), `${path}/payments/1`);
  created(await api('POST', `${path}/payments`, { method_id: 1, amount: '2.50' }));
  const order = await read(path);
  assert.deepEqual([order.paid, order.tips, order.status], [4.5, 0.5, 'COMPLETE']);
  assert.deepEqual(order.payments[0].method, { id: 88, name: 'Our Gift Card' });
  assert.deepEqual(order.payments.map((payment) => payment.number), [1, 2]);
  isError(await api('POST', `${path}/payments`, { amount: 1 }), 400, /COMPLETE/);
});

test('a payment is refused when there is nothing to pay, or nothing to pay with', async () => {
  const path = await createOrder();
  const pay = (payment) => api('POST', `${path}/payments`, payment);
  isError(await pay({}), 400, /amount/);
  isError(await pay({ amount: 'x' }), 400, /amount/);
  isError(await pay({ amount: 1.005 }), 400, /amount/);
  isError(await pay({ amount: 1, method_id: 101 }), 400, /method_id/);
  isError(await pay({ amount: 1, tip: -1 }), 400, /tip/);
  isError(await pay({ amount: -1 }), 400, /refund/);
  created(await pay({ amount: 4.5 }));
  isError(await pay({ amount: 0.01 }), 400, /fully paid/);
  created(await pay({ amount: -1.5, ref: 'R' }));
  assert.equal((await read(path)).paid, 3);
  await cloud.control('PUT', '/payment_methods/88', { active: false });
  isError(await pay({ amount: 1 }), 400, /method_id/);
  await cloud.control('PUT', '/payment_methods/88', { active: true });
});

test('orders of others may be paid only with the flag, and changed without it', async () => {
  const order = await cloud.order();
  const pay = () => api('POST', `${pathOf(order)}/payments`, { amount: 10 });
  const refused = await pay();
  assert.equal(refused.status, 403);
  assert.deepEqual(refused.json, {
    error: 'forbidden',
    error_description: 'This application may not add payments to orders it did not create.',
  });
  updated(await api('PUT', pathOf(order), { price_fixed_variation: -5 }));
  await cloud.settings({ may_pay_foreign_orders: { [cloud.clientId]: true } });
  created(await pay());
  await cloud.settings({ may_pay_foreign_orders: { [cloud.clientId]: false } });
  assert.equal((await pay()).status, 403);
  isError(await cloud.tryControl('PUT', '/settings', { may_pay_foreign_orders: { nobody: true } }), 400);
});

test('a payment can be put: ref at once, a later tip as a further payment of nothing', async () => {
  const path = await createOrder();
  created(await api('POST', `${path}/payments`, { amount: 2, ref: 'A' }));
  updated(await api('PUT', `${path}/payments/1`, { ref: 'B', credit_card_surcharge: 0.1 }));
  updated(await api('PUT', `${path}/payments/1`, { tip: 1 }));
  const order = await read(path);
  assert.deepEqual([order.payments[0].ref, order.payments[0].tip, order.payments[0].credit_card_surcharge], ['B', 0, 0.1]);
  assert.deepEqual([order.payments[1].amount, order.payments[1].tip, order.tips, order.paid], [0, 1, 1, 2]);
  isError(await api('PUT', `${path}/payments/1`, { amount: 3 }), 400, /Only ref/);
  isError(await api('PUT', `${path}/payments/9`, { ref: 'x' }), 404);
});

test('payments share a service charge as in the examples', async () => {
  for (const [payment, left, tips] of [
    [{ amount: 5 }, 6, 0],
    [{ amount: 4, tip: 0.1 }, 6.9, 0],
    [{ amount: 4, tip: 2 }, 6, 1],
  ]) {
    const { id } = await cloud.order({ service_charge: 1, lines: [{ product_id: 7302, unit_price_inc_tax: 10 }] });
    const order = await cloud.control('POST', `/orders/${id}/payments`, { method: 'Cash', ...payment });
    assert.equal(order.tips, tips);
    assert.equal(order.payments[0].service_charge, { 5: 0.45, 4.1: 0.37, 6: 1 }[payment.amount + (payment.tip ?? 0)]);
    const rest = await cloud.control('POST', `/orders/${id}/complete`);
    assert.equal(rest.payments[1].amount, left);
  }
});

test('a refund is an order of its own with negative amounts', async () => {
  const sale = await cloud.order();
  await cloud.control('POST', `/orders/${sale.id}/complete`);
  const refund = await cloud.order({ is_refund: true, refunded_order_id: sale.id, lines: [{ product_id: 7308, quantity: -1 }] });
  assert.equal(refund.total, -45);
  const done = await cloud.control('POST', `/orders/${refund.id}/payments`, { method: 'Our Gift Card', amount: -45, ref: 'R-1' });
  assert.equal(done.paid, -45);
  await cloud.control('POST', `/orders/${refund.id}/complete`);
  const seen = await read(pathOf(refund));
  assert.deepEqual([seen.is_refund, seen.refunded_order_id, seen.status, seen.total_tax], [true, sale.id, 'COMPLETE', -4.09]);
});

// --- notifications -------------------------------------------------------------------------------

test('five notifications per order, each within its limits', async () => {
  const order = await cloud.order();
  const good = { broadcast_level: 'order', alert_colour: 'red', message: 'ü'.repeat(300), duration: 3 };
  const notify = (changes) => api('POST', `${pathOf(order)}/notifications`, { ...good, ...changes });
  for (const [changes, sentence] of [
    [{ broadcast_level: 'all' }, /broadcast_level/],
    [{ alert_colour: 'blue' }, /alert_colour/],
    [{ message: 'x'.repeat(301) }, /message/],
    [{ message: '' }, /message/],
    [{ duration: 2 }, /duration/],
    [{ duration: 61 }, /duration/],
    [{ register_ids: 'x' }, /register_ids/],
  ])
    isError(await notify(changes), 400, sentence);
  for (let i = 0; i < 5; i++) created(await notify({ register_ids: [9091], duration: 60 }));
  isError(await notify(), 400, /at most 5/);
  for (const notifications of [(await cloud.state()).notifications, await cloud.control('GET', '/notifications')]) {
    const kept = notifications.filter(({ order_id: of }) => of === order.id);
    assert.equal(kept.length, 5);
    assert.deepEqual(kept[4], { order_id: order.id, id: 5, ...good, duration: 60 });
  }
});

// --- webhooks ------------------------------------------------------------------------------------

const WEBHOOKS = `/companies/${COMPANY}/webhooks`;

/** A partner that keeps what it gets. */
async function listen(t) {
  const received = [];
  const partner = { received, status: 200 };
  const server = http.createServer((req, res) => {
    const parts = [];
    req.on('data', (part) => parts.push(part));
    req.on('end', () => {
      const body = Buffer.concat(parts).toString();
      received.push({ url: req.url, headers: req.headers, body, json: JSON.parse(body), at: Date.now() });
      res.writeHead(partner.status, { 'Content-Length': 2 }).end('{}');
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref(); // where a hook fails Node 18 runs no other
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  partner.url = `http://127.0.0.1:${server.address().port}`;
  partner.count = (n) => until(`${n} webhooks`, () => received.length >= n);
  return partner;
}

async function startWithWebhook(t, webhook = {}) {
  const own = await startCloud(t);
  await own.settings(UNLIMITED);
  const access = (await own.tokens()).access_token;
  const partner = await listen(t);
  const reply = await own.api(access, 'POST', WEBHOOKS, { topic: 'orders/completed', address: `${partner.url}/hook`, format: 'json', ...webhook });
  assert.equal(reply.status, 201, reply.text);
  const id = Number(reply.headers.location.split('/').at(-1));
  const complete = async (order) => {
    const { id: orderId } = await own.order(order);
    return own.control('POST', `/orders/${orderId}/complete`);
  };
  return { own, access, partner, id, complete };
}

test('a webhook carries the whole order, signed over its exact bytes, with topic and own headers', async (t) => {
  const headers = { Authorization: 'Bearer abc', 'X-Shop': 'one' };
  const { own, access, partner, complete } = await startWithWebhook(t, { headers });
  const order = await complete({ notes: 'é "quoted" / <x>' });
  await partner.count(1);
  const [hook] = partner.received;
  assert.equal(hook.url, '/hook');
  assert.equal(hook.headers['content-type'], 'application/json');
  assert.equal(hook.headers['x-kounta-signature'], sign(hook.body, own.signatureToken));
  assert.equal(hook.headers['x-kounta-topic'], 'orders/completed');
  assert.equal(hook.headers.authorization, 'Bearer abc');
  assert.equal(hook.headers['x-shop'], 'one');
  assert.deepEqual(hook.json, order);
  assert.deepEqual((await own.api(access, 'GET', `${ORDERS}/${order.id}`)).json, hook.json);
  await until('the delivery to be noted', async () => (await own.control('GET', '/deliveries'))[0]?.state === 'arrived');
  const [delivery] = await own.control('GET', '/deliveries');
  assert.deepEqual([delivery.subject_id, delivery.attempts[0].status, delivery.body], [order.id, 200, hook.body]);
});

test('webhooks are made, read, changed and deleted, and belong to one application', async () => {
  const good = { topic: 'orders/completed', address: 'http://127.0.0.1:9/hook', format: 'json' };
  for (const [changes, sentence] of [
    [{ topic: 'orders/nonsense' }, /topic/],
    [{ topic: undefined }, /topic/],
    [{ address: 'ftp://example.com' }, /address/],
    [{ address: undefined }, /address/],
    [{ format: 'yaml' }, /format/],
    [{ filter: { register_ids: [1] } }, /filter/],
    [{ filter: { site_ids: 923 } }, /filter/],
    [{ filter: [] }, /filter/],
    [{ headers: { 'X-Kounta-Signature': 'x' } }, /headers/],
    [{ headers: { 'x-kounta': 'x' } }, /headers/],
    [{ headers: { Cookie: 'x' } }, /headers/],
    [{ headers: { 'X-A: b\r\nX-C': 'x' } }, /headers/],
    [{ headers: { 'X-A': 'b\r\nX-C: d' } }, /headers/],
  ])
    isError(await api('POST', WEBHOOKS, { ...good, ...changes }), 400, sentence);
  const path = created(await api('POST', WEBHOOKS, { ...good, filter: { site_ids: [SITE] }, headers: { Authorization: 'a' } }));
  const one = await read(path);
  assert.deepEqual([one.topic, one.address, one.format], [good.topic, good.address, 'json']);
  assert.deepEqual(one.filter, { site_ids: [SITE] });
  assert.deepEqual(one.headers, { Authorization: 'a' });
  updated(await api('PUT', path, { address: 'http://127.0.0.1:9/other' }));
  assert.deepEqual((await read(path)).filter, { site_ids: [SITE] }, 'what is not given stays');
  updated(await api('PUT', path, { filter: { site_ids: [924] } }));
  assert.deepEqual((await read(path)).filter, { site_ids: [924] }, 'a filter is replaced whole');
  assert.ok((await read(WEBHOOKS)).some((webhook) => webhook.id === one.id));
  const other = (await cloud.tokens({ company: OTHER_COMPANY })).access_token;
  isError(await cloud.api(other, 'GET', `/companies/${OTHER_COMPANY}/webhooks/${one.id}`), 404);
  assert.equal((await api('DELETE', path)).status, 204);
  isError(await api('GET', path), 404);
});

test('a filter lets its sites through only, and each webhook of a topic gets its own copy', async (t) => {
  const { own, access, partner, complete } = await startWithWebhook(t, { filter: { site_ids: [SITE] } });
  const second = { topic: 'orders/completed', address: `${partner.url}/second` };
  await own.api(access, 'POST', WEBHOOKS, second);
  await complete({ register_id: 9092 });
  await complete({ register_id: 9091 });
  await partner.count(3);
  await sleep(100);
  assert.deepEqual(partner.received.map((hook) => [hook.url, hook.json.site_id]).sort(), [['/hook', SITE], ['/second', SITE], ['/second', 924]].sort());
});

test('created, updated, deleted and customers have topics of their own', async (t) => {
  const { own, access, partner } = await startWithWebhook(t, { topic: 'orders/created' });
  const topics = ['orders/updated', 'orders/deleted', 'customers/created', 'customers/updated', 'customers/deleted', 'sites/updated', 'registers/updated', 'registers/deleted'];
  for (const topic of topics) await own.api(access, 'POST', WEBHOOKS, { topic, address: `${partner.url}/${topic}` });
  const seen = async (url) => {
    await until(url, () => partner.received.some((hook) => hook.url === url));
    return partner.received.find((hook) => hook.url === url).json;
  };
  const order = await own.order();
  assert.equal((await seen('/hook')).id, order.id);
  await own.api(access, 'PUT', `${ORDERS}/${order.id}`, { notes: 'changed' });
  assert.equal((await seen('/orders/updated')).notes, 'changed');
  await own.control('POST', `/orders/${order.id}/delete`);
  assert.equal((await seen('/orders/deleted')).deleted, true);
  await own.api(access, 'POST', CUSTOMERS, { first_name: 'New', phone: '1', reference_id: 'N-1' });
  assert.equal((await seen('/customers/created')).reference_id, 'N-1');
  await own.api(access, 'PUT', `${CUSTOMERS}/389427`, { last_name: 'Kent' });
  assert.equal((await seen('/customers/updated')).id, 389427);
  await own.api(access, 'PUT', `/companies/me/sites/${SITE}`, { name: 'High Street 2' });
  assert.equal((await seen('/sites/updated')).name, 'High Street 2');
  await own.control('PUT', '/registers/9091', { name: 'Terminal X' });
  assert.equal((await seen('/registers/updated')).name, 'Terminal X');
  await own.control('PUT', `/orders/${(await own.order({ customer_id: 389428, lines: [{ product_id: 7309 }] })).id}`, {});
  for (const path of ['/customers/389428', '/registers/9092', '/products/7309']) await own.control('DELETE', path);
  assert.equal((await seen('/customers/deleted')).id, 389428);
  assert.equal((await seen('/registers/deleted')).id, 9092);
  const left = (await own.control('GET', '/orders')).at(-1);
  assert.deepEqual([left.customer, left.lines[0].product], [null, { id: 7309, name: '' }]);
});

test('deliveries can be dropped, duplicated, delayed and sent again', async (t) => {
  const { own, partner, id, complete } = await startWithWebhook(t);
  await own.settings({ webhooks: { drop: true } });
  const lost = await complete();
  await own.settings({ webhooks: { drop: false, duplicate: 100 } });
  await complete();
  await partner.count(2);
  assert.equal(partner.received[0].body, partner.received[1].body);
  await own.settings({ webhooks: { duplicate: 0, delay_ms: 300 } });
  const began = Date.now();
  await complete();
  await partner.count(3);
  assert.ok(partner.received[2].at - began >= 290);
  await until('the states to be noted', async () => {
    const states = (await own.control('GET', '/deliveries')).map((one) => one.state);
    return states.join() === 'dropped,arrived,arrived,arrived';
  });
  await own.settings({ webhooks: { delay_ms: 0 } });
  await own.control('POST', `/webhooks/${id}/send`, { order_id: lost.id });
  await partner.count(4);
  assert.equal(partner.received[3].json.id, lost.id);
  isError(await own.tryControl('POST', `/webhooks/${id}/send`, { order_id: 1 }), 400);
  isError(await own.tryControl('POST', '/webhooks/1/send', { order_id: lost.id }), 404);
});

test('deliveries change their order when that is switched on', async (t) => {
  const { own, partner, complete } = await startWithWebhook(t);
  await own.settings({ webhooks: { reorder: 100 } });
  const first = await complete();
  await own.settings({ webhooks: { reorder: 0 } });
  const second = await complete();
  await partner.count(2);
  assert.deepEqual(partner.received.map((hook) => hook.json.id), [second.id, first.id]);
  await own.settings({ webhooks: { reorder: 100 } });
  await complete();
  await partner.count(3); // alone it comes after a second
});

test('a delivery that fails is tried again as often as is set', async (t) => {
  const { own, partner, complete } = await startWithWebhook(t);
  await own.settings({ webhooks: { retries: 2, retry_delay_ms: 20 } });
  partner.status = 500;
  await complete();
  await partner.count(3);
  const failed = async () => (await own.control('GET', '/deliveries'))[0];
  await until('the delivery to fail', async () => (await failed()).state === 'failed');
  assert.deepEqual((await failed()).attempts.map((attempt) => attempt.status), [500, 500, 500]);
  partner.status = 200;
  await own.settings({ webhooks: { retries: 0 } });
  await complete();
  await partner.count(4);
  await sleep(100);
  assert.equal(partner.received.length, 4);
});

/** A partner that takes everything and never answers. */
async function startSilent(t) {
  const silent = http.createServer(() => silent.asked++);
  silent.asked = 0;
  await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve));
  silent.unref();
  t.after(() => silent.closeAllConnections() ?? silent.close());
  return silent;
}

test('a cloud that ends while a delivery is under way leaves nothing of it', async (t) => {
  const { own, access } = await startWithWebhook(t, { topic: 'orders/deleted' });
  const silent = await startSilent(t);
  const address = `http://127.0.0.1:${silent.address().port}/`;
  await own.api(access, 'POST', WEBHOOKS, { topic: 'orders/created', address });
  await own.order();
  await until('the delivery to be under way', () => silent.asked === 1);
  await own.stop(); // the leak detector would speak
});

test('a partner that is not there, or does not answer, is a failed delivery', async (t) => {
  const { own, access, partner } = await startWithWebhook(t, { topic: 'orders/deleted' });
  const silent = await startSilent(t);
  await own.settings({ webhooks: { timeout_ms: 200 } });
  for (const address of ['http://127.0.0.1:9/', `http://127.0.0.1:${silent.address().port}/`])
    await own.api(access, 'POST', WEBHOOKS, { topic: 'orders/created', address });
  await own.order();
  await until('both to fail', async () => {
    const deliveries = await own.control('GET', '/deliveries');
    return deliveries.length === 2 && deliveries.every((one) => one.state === 'failed' && one.attempts[0].error !== '');
  });
  assert.equal(partner.received.length, 0);
});

test('a change of status is told to the callback_uri of who made the order', async (t) => {
  const { own, access, partner } = await startWithWebhook(t);
  const order = { site_id: SITE, status: 'SUBMITTED', lines: [{ product_id: 7301 }], callback_uri: `${partner.url}/cb?id=1` };
  const { location } = (await own.api(access, 'POST', ORDERS, order)).headers;
  const id = location.split('/').at(-1);
  await own.control('PUT', `/orders/${id}`, { notes: 'no change of status' });
  await own.control('PUT', `/orders/${id}`, { status: 'ACCEPTED' });
  await partner.count(1);
  const [hook] = partner.received;
  assert.equal(hook.url, '/cb?id=1');
  assert.equal(hook.json.status, 'ACCEPTED');
  assert.equal(hook.headers['x-kounta-signature'], sign(hook.body, own.signatureToken));
});

// --- faults --------------------------------------------------------------------------------------

async function startWithOrder(t) {
  const own = await startCloud(t);
  await own.settings(UNLIMITED);
  const access = (await own.tokens()).access_token;
  const order = await own.order();
  const notes = async () => (await own.control('GET', `/orders/${order.id}`)).notes;
  const put = (text, ms) =>
    request(`${own.urls.api_url}${ORDERS}/${order.id}.json`, {
      method: 'PUT',
      headers: { Authorization: `Bearer ${access}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ notes: text }),
      ms,
    });
  const last = async () => (await own.control('GET', '/requests')).at(-1);
  return { own, access, order, notes, put, last };
}

test('a connection is dropped before or after the change is made', async (t) => {
  const { own, notes, put, last } = await startWithOrder(t);
  await own.faults({ match: { method: 'PUT', path: '/orders/' }, action: 'drop_before', count: 1 });
  await assert.rejects(put('one'), /hang up|ECONNRESET/);
  assert.equal(await notes(), '');
  assert.deepEqual([(await last()).status, (await last()).fault], [0, 'drop_before']);
  await own.faults({ match: { method: 'PUT', path: '/orders/' }, action: 'drop_after', count: 1 });
  await assert.rejects(put('two'), /hang up|ECONNRESET/);
  assert.equal(await notes(), 'two');
  updated(await put('three'));
});

test('a request hangs before the change, after it, and with or without it coming late', async (t) => {
  const { own, notes, put } = await startWithOrder(t);
  const fault = { method: 'PUT', action: 'hang', ms: 400, count: 1 };
  await own.faults(fault);
  const late = put('late', 150);
  await assert.rejects(late, /no reply/);
  assert.equal(await notes(), '', 'not yet');
  await until('the change to come late', async () => (await notes()) === 'late');
  await own.faults({ ...fault, drop: true });
  await assert.rejects(put('never'), /hang up|ECONNRESET/);
  assert.equal(await notes(), 'late');
  await own.faults({ ...fault, when: 'after' });
  const done = put('done', 150);
  await until('the change to be made', async () => (await notes()) === 'done', 300);
  await assert.rejects(done, /no reply/);
  await own.faults({ ...fault, ms: 100, when: 'after' });
  updated(await put('slow'));
});

test('statuses, HTML, huge and truncated replies are given as ordered', async (t) => {
  const { own, notes, put } = await startWithOrder(t);
  const order = async (rule) => {
    await own.control('DELETE', '/faults');
    await own.faults({ method: 'PUT', count: 1, ...rule });
  };
  await order({ action: 'status', status: 502, body: { oops: true }, retry_after: 3 });
  const bad = await put('x');
  assert.deepEqual([bad.status, bad.json, bad.headers['retry-after']], [502, { oops: true }, '3']);
  assert.equal(await notes(), '');
  await order({ action: 'status', status: 500, when: 'after' });
  isError(await put('a'), 500);
  assert.equal(await notes(), 'a');
  await order({ action: 'status', status: 503, body: 'try later', content_type: 'text/plain' });
  const plain = await put('x');
  assert.deepEqual([plain.status, plain.text, plain.headers['content-type']], [503, 'try later', 'text/plain']);
  await order({ action: 'html' });
  const html = await put('x');
  assert.equal(html.status, 200);
  assert.match(html.headers['content-type'], /html/);
  assert.equal(await notes(), 'a');
  await order({ action: 'huge', size: 3_000_000 });
  const huge = await put('x');
  assert.ok(Math.abs(huge.body.length - 3_000_000) < 100);
  assert.equal(huge.json.padding.length, huge.body.length - '{"padding":""}'.length);
  await order({ action: 'truncate' });
  await assert.rejects(put('b'), /broke off|aborted|ECONNRESET/);
  assert.equal(await notes(), 'b', 'it happened');
});

test('an expired token and a rate limit can be ordered, the latter with and without Retry-After', async (t) => {
  const { own, access } = await startWithOrder(t);
  const ask = () => own.api(access, 'GET', '/companies/me');
  await own.faults({ path: '/v1/', action: 'expired_token', count: 1 }, { path: '/v1/', action: 'rate_limit', count: 1 }, { path: '/v1/', action: 'rate_limit', retry_after: 2, count: 1 });
  isError(await ask(), 401, /has expired/);
  const bare = await ask();
  isError(bare, 429);
  assert.equal(bare.headers['retry-after'], undefined);
  assert.equal(bare.headers['x-ratelimit-remaining'], '0');
  assert.equal((await ask()).headers['retry-after'], '2');
  assert.equal((await ask()).status, 200);
  assert.deepEqual((await own.control('GET', '/faults')).map((fault) => fault.fired), [1, 1, 1]);
});

test('faults leave the control address alone, skip as told, and are the same for the same seed', async (t) => {
  const outcomes = async (seed) => {
    const own = await startCloud(t, { seed });
    await own.faults({ path: '/v1', action: 'status', status: 503, probability: 0.3 });
    const statuses = [];
    for (let i = 0; i < 60; i++) statuses.push((await own.api('x', 'GET', '/companies/me')).status);
    return statuses.join();
  };
  const [one, again, other] = [await outcomes(7), await outcomes(7), await outcomes(8)];
  assert.equal(one, again);
  assert.notEqual(one, other);
  const hits = one.split(',').filter((status) => status === '503').length;
  assert.ok(hits > 5 && hits < 35, `${hits} of 60`);

  const own = await startCloud(t);
  await own.faults({ action: 'status', status: 500, skip: 2, count: 2 });
  const statuses = [];
  for (let i = 0; i < 6; i++) statuses.push((await own.api('x', 'GET', '/companies/me')).status);
  assert.deepEqual(statuses, [401, 401, 500, 500, 401, 401]);
  await own.faults({ action: 'drop_before' });
  assert.equal((await own.control('GET', '/faults')).length, 2);
  await own.control('DELETE', '/faults');
  assert.equal((await own.api('x', 'GET', '/companies/me')).status, 401);
});

// --- the control address -------------------------------------------------------------------------

test('what the control address does not understand is refused, and nothing changes', async () => {
  const settings = await cloud.control('GET', '/settings');
  for (const [method, path, body, sentence] of [
    ['PUT', '/settings', { access_token_ttl_s: 0 }, /access_token_ttl_s/],
    ['PUT', '/settings', { acces_token_ttl_s: 5 }, /acces_token_ttl_s/],
    ['PUT', '/settings', { refresh_returns_new: 'yes' }, /refresh_returns_new/],
    ['PUT', '/settings', { code_ttl_s: 5, webhooks: { drop: 101 } }, /drop/],
    ['PUT', '/settings', { code_ttl_s: 5, webhooks: { drops: 1 } }, /drops/],
    ['PUT', '/settings', { registers_keep_ref: 1 }, /registers_keep_ref/],
    ['PUT', '/settings', { read_delay_ms: -1 }, /read_delay_ms/],
    ['POST', '/faults', { action: 'nonsense' }, /action/],
    ['POST', '/faults', {}, /action/],
    ['POST', '/faults', { rules: [{ action: 'html' }, { action: 'hang', ms: -1 }] }, /ms/],
    ['POST', '/faults', { action: 'html', when: 'never' }, /when/],
    ['POST', '/faults', { action: 'html', match: { url: 'x' } }, /url/],
    ['POST', '/faults', { rules: Array(65).fill({ action: 'html' }) }, /64/],
    ['POST', '/faults', { action: 'status', body: 'x'.repeat(5000) }, /body/],
    ['POST', '/orders', { company_id: 1 }, /company_id/],
    ['POST', '/orders', { lines: [{ product_id: 1 }] }, /product_id/],
    ['POST', '/companies', { name: 'X', currency: 'XXX' }, /currency/],
    ['POST', '/companies', { name: 'X', timezone: '../etc/passwd' }, /timezone/],
    ['POST', '/companies', { id: COMPANY, name: 'X' }, /taken/],
    ['POST', '/sites', { name: 'X', company_id: 1 }, /company_id/],
    ['POST', '/registers', { name: 'X', site_id: 1 }, /site_id/],
    ['POST', '/products', { name: 'X', company_id: COMPANY, price: -1 }, /price/],
    ['POST', '/customers', { company_id: COMPANY, first_name: 'X' }, /email or phone/],
    ['POST', '/customers', { company_id: COMPANY, first_name: 'X', phone: '1', reference_ids: { nobody: '1' } }, /reference_ids/],
    ['POST', '/applications', { client_id: 'demo-client', client_secret: 'x', signature_token: 'x' }, /taken/],
    ['POST', '/payment_methods', { company_id: COMPANY, name: 'X', client_id: 'nobody' }, /client_id/],
    ['PUT', '/customers/389427', { nonsense: 1 }, /nonsense/],
  ])
    isError(await cloud.tryControl(method, path, body), 400, sentence);
  for (const path of ['/nothing', '/orders/1', '/orders/1/complete', '/customers/1', '/sites/x', '/orders/1/2/3'])
    isError(await cloud.tryControl(path.endsWith('complete') ? 'POST' : 'GET', path), 404);
  for (const [method, path] of [['DELETE', '/settings'], ['PATCH', '/orders'], ['DELETE', '/sites/923'], ['DELETE', '/customers']])
    isError(await cloud.tryControl(method, path), 405);
  assert.deepEqual(await cloud.control('GET', '/settings'), settings);
  assert.deepEqual(await cloud.control('GET', '/faults'), []);
});

test('companies, sites, registers, products, customers and applications can be added', async () => {
  const company = await cloud.control('POST', '/companies', { id: 4242, name: 'Tea <&> Co', currency: 'JPY', timezone: 'Asia/Tokyo' });
  const site = await cloud.control('POST', '/sites', { company_id: company.id, name: 'Ginza' });
  const register = await cloud.control('POST', '/registers', { site_id: site.id, name: 'R1', sale_prefix: 'G-' });
  const product = await cloud.control('POST', '/products', { company_id: company.id, name: 'Sencha', price: 550 });
  await cloud.control('POST', '/payment_methods', { company_id: company.id, name: 'Ours', client_id: cloud.clientId });
  const customer = await cloud.control('POST', '/customers', { company_id: company.id, first_name: 'Yuki', phone: '1', reference_ids: { 'demo-client': 'Y-1' } });
  const page = await request(cloud.authorizeUrl(), { method: 'GET' });
  assert.ok(page.text.includes('Tea &lt;&amp;&gt; Co'));
  const access = (await cloud.tokens({ company: 4242 })).access_token;
  const order = await cloud.order({ register_id: register.id, customer_id: customer.id, lines: [{ product_id: product.id, quantity: 3 }] });
  const seen = await cloud.api(access, 'GET', `/companies/4242/orders/${order.id}`);
  assert.match(seen.text, /"total":1650,"total_tax":150,/);
  assert.match(seen.json.created_at, /\+09:00$/);
  assert.match(seen.json.sale_number, /^G-\d+$/);
  assert.equal((await cloud.api(access, 'GET', '/companies/me/customers?reference_id=Y-1')).json[0].id, customer.id);
  await cloud.control('PUT', `/applications/${cloud.clientId}`, { name: 'Renamed' });
  assert.ok((await request(cloud.authorizeUrl(), { method: 'GET' })).text.includes('Renamed'));
  assert.equal((await cloud.control('GET', '/companies/4242')).currency, 'JPY');
});

test('the state shows tokens, orders, deliveries and the last thousand requests', async (t) => {
  const own = await startCloud(t);
  await own.tokens();
  for (let i = 0; i < 1005; i += 1) await own.api('x', 'GET', `/companies/me?n=${i}`);
  const state = await own.state();
  assert.equal(state.requests.length, 1000);
  assert.equal(state.request_count, state.requests.at(-1).number);
  assert.deepEqual([state.requests.at(-1).method, state.requests.at(-1).path, state.requests.at(-1).status], ['GET', '/v1/companies/me?n=1004', 401]);
  assert.deepEqual(state.grants.map((grant) => [grant.client_id, grant.company_id, grant.codes_issued]), [['demo-client', COMPANY, 1]]);
  for (const name of ['settings', 'applications', 'companies', 'sites', 'registers', 'products', 'customers', 'orders', 'deliveries', 'faults']) assert.ok(name in state, name);
  await own.control('DELETE', '/requests');
  assert.deepEqual(await own.control('GET', '/requests'), []);
});

// --- hostile input -------------------------------------------------------------------------------

test('bad bytes on any path get JSON, or the end of the connection, and never a crash', async () => {
  const random = seededRandom('cloud hostile');
  const pick = (list) => list[Math.floor(random() * list.length)];
  const paths = ['/authorize', '/v1/token', `/v1${ORDERS}`, `/v1${ORDERS}/1/lines/1`, `/v1${CUSTOMERS}`, `/v1${WEBHOOKS}`, '/_cloud/orders', '/_cloud/faults', '/_cloud/settings', '/_cloud/customers', '/_cloud/applications/x', '/', '//', '/v1//companies', '/v1/companies/me/%00', '/%zz', `/${'a/'.repeat(30)}`, `/v1/${'x'.repeat(4000)}`, `/v1/companies/me?${'q'.repeat(9000)}`];
  const bodies = ['', '{', '[]', 'null', '{"a":1,"a":2}', '\u0000', '{"rules":{}}', '{"rules":[null]}', '{"match":[],"action":"html"}', '{"lines":{},"site_id":923}', '{"lines":[null],"site_id":923}', '{"id":-1,"name":1e999}', '{"notes":"\\u0000"}', `{"notes":"${'é'.repeat(5000)}"}`, '{"webhooks":[]}', '{"headers":{"X-A":{}}}', '{"modifiers":[{}],"product_id":7302}', '{"quantity":1e300,"product_id":7302}', `${'{"a":'.repeat(20)}1${'}'.repeat(20)}`];
  for (let i = 0; i < 300; i++) {
    const method = pick(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'BREW']);
    const path = pick(paths);
    const socket = await RawSocket.connect(new URL(cloud.urls.url).port);
    const body = Buffer.from(pick(bodies));
    const head = [`${method} ${path} HTTP/1.1`, 'Host: x', `Authorization: ${pick([`Bearer ${token}`, 'Bearer', 'Basic ====', 'x'])}`, 'Accept: application/json', `Content-Type: ${pick(['application/json', 'text/plain', 'application/x-www-form-urlencoded'])}`, `Content-Length: ${body.length}`, 'Connection: close', '', ''];
    await socket.write(Buffer.concat([Buffer.from(head.join('\r\n')), body]));
    const reply = await socket.reply();
    assert.ok(reply, `${method} ${path}: no reply`);
    if (reply.text !== '') assert.doesNotThrow(() => (reply.headers['content-type'].includes('html') ? 0 : JSON.parse(reply.text)), `${method} ${path}: ${reply.text}`);
    socket.destroy();
    // What it managed to switch on is switched off again.
    if ((await cloud.control('GET', '/faults')).length > 0) await cloud.control('DELETE', '/faults');
  }
  assert.equal((await api('GET', '/companies/me')).status, 200);
});

test('a body of more than 1 MiB is refused in JSON, and so is one of 9 MiB', async () => {
  for (const size of [2 ** 20 + 1, 9 * 2 ** 20]) {
    const reply = await api('POST', ORDERS, ' '.repeat(size)).catch((error) => error);
    if (!(reply instanceof Error)) isError(reply, 413);
  }
  assert.equal((await api('GET', '/companies/me')).status, 200);
});

test('a hundred clients at once are all answered', async () => {
  const order = await cloud.order();
  const replies = await Promise.all(Array.from({ length: 100 }, (_, i) => api('PUT', pathOf(order), { notes: `n${i}` })));
  assert.ok(replies.every((reply) => reply.status === 200));
  assert.match((await read(pathOf(order))).notes, /^n\d+$/);
});
