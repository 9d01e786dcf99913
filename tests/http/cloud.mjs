// The fake Lightspeed cloud as the suites use it: the real `tillsim cloud` on a free port, its
// control address, and the way through its consent page.
import assert from 'node:assert/strict';
import { Simulator } from './simulator.mjs';
import { request } from './support.mjs';

export const REDIRECT_URI = 'http://127.0.0.1:8080/oauth/callback';
export const APPLICATION = {
  clientId: 'demo-client',
  clientSecret: 'demo-client-secret',
  signatureToken: 'demo-signature-token',
};
export const COMPANY = 5678;

/**
 * Starts a cloud; `t` (a test context, or undefined) ends it. Options: clientId, clientSecret,
 * signatureToken, redirectUris, seed, listen, orderIdsFrom.
 */
export async function startCloud(t, options = {}) {
  const cloud = new Cloud(options);
  await cloud.start();
  t?.after(() => cloud.stop());
  return cloud;
}

export class Cloud extends Simulator {
  constructor({ redirectUris = [REDIRECT_URI], seed = 1, listen, orderIdsFrom, ...application } = {}) {
    super('the cloud');
    Object.assign(this, APPLICATION, application, { redirectUris, seed, listen, orderIdsFrom });
  }

  /** urls: {url, authorize_url, token_url, api_url, control_url} */
  start() {
    return this.run([
      'cloud',
      ...(this.listen ? ['--listen', this.listen] : []),
      ...['--client-id', this.clientId, '--client-secret', this.clientSecret],
      ...['--signature-token', this.signatureToken, '--seed', String(this.seed)],
      ...(this.orderIdsFrom ? ['--order-ids-from', String(this.orderIdsFrom)] : []),
      ...this.redirectUris.flatMap((uri) => ['--redirect-uri', uri]),
    ]);
  }

  /** The environment of a service that takes this cloud for Lightspeed. */
  get environment() {
    return {
      COUNTERPART_OSERIES_AUTHORIZE_URL: this.urls.authorize_url,
      COUNTERPART_OSERIES_TOKEN_URL: this.urls.token_url,
      COUNTERPART_OSERIES_API_URL: this.urls.api_url,
    };
  }

  // --- the control address

  /** Gives the JSON of the answer; anything but 2xx is an error. */
  async control(method, path, body) {
    const reply = await this.tryControl(method, path, body);
    assert.ok(reply.status >= 200 && reply.status < 300, `${method} ${path}: ${reply.status} ${reply.text}`);
    return reply.json;
  }

  tryControl(method, path, body) {
    return request(this.urls.control_url + path, {
      method,
      headers: { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  state() {
    return this.control('GET', '/state');
  }
  settings(changes) {
    return this.control('PUT', '/settings', changes);
  }
  /** One rule or several; see mocks/lightspeed/README.md. */
  faults(...rules) {
    return this.control('POST', '/faults', { rules });
  }
  async grant({ company = COMPANY, clientId = this.clientId } = {}) {
    const grants = await this.control('GET', '/grants');
    return grants.find((grant) => grant.company_id === company && grant.client_id === clientId);
  }
  /** An order that a register made. */
  order(order = {}) {
    return this.control('POST', '/orders', { lines: [{ product_id: 7308 }], ...order });
  }

  // --- OAuth, as a browser and a partner would

  authorizeUrl({ clientId = this.clientId, redirectUri = this.redirectUris[0], state = 'some-state' } = {}) {
    const query = new URLSearchParams({ client_id: clientId, redirect_uri: redirectUri, state, response_type: 'code' });
    return `${this.urls.authorize_url}?${query}`;
  }

  /** Presses a button of the consent page at an authorize URL: gives the address it sends back to. */
  async consent(authorizeUrl, { company = COMPANY, decision = 'grant' } = {}) {
    const page = await request(authorizeUrl, { method: 'GET' });
    assert.equal(page.status, 200, page.text);
    const form = new URLSearchParams({ company_id: String(company), decision });
    for (const [, name, value] of page.text.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g))
      form.set(name, unescapeHtml(value));
    const reply = await request(this.urls.authorize_url, {
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
    });
    assert.equal(reply.status, 302, reply.text);
    return new URL(reply.headers.location);
  }

  async grantCode({ company = COMPANY, ...options } = {}) {
    const back = await this.consent(this.authorizeUrl(options), { company });
    return back.searchParams.get('code');
  }

  /** The token endpoint, with a form or (json: true) with JSON. */
  token(parameters, { json = false, headers = {} } = {}) {
    const body = { client_id: this.clientId, client_secret: this.clientSecret, ...parameters };
    for (const name of Object.keys(body)) if (body[name] === undefined) delete body[name];
    return request(this.urls.token_url, {
      headers: { 'Content-Type': json ? 'application/json' : 'application/x-www-form-urlencoded', ...headers },
      body: json ? JSON.stringify(body) : new URLSearchParams(body).toString(),
    });
  }

  /** {access_token, refresh_token, ...} of a company. */
  async tokens({ company = COMPANY, redirectUri = this.redirectUris[0], ...options } = {}) {
    const code = await this.grantCode({ company, redirectUri, ...options });
    const reply = await this.token({ grant_type: 'authorization_code', code, redirect_uri: redirectUri });
    assert.equal(reply.status, 200, reply.text);
    return reply.json;
  }

  refresh(refreshToken, options) {
    return this.token({ grant_type: 'refresh_token', refresh_token: refreshToken }, options);
  }

  // --- the REST API

  /** path below /v1; body is an object, or text as it is. */
  api(accessToken, method, path, body, { headers = {} } = {}) {
    const given = { Accept: 'application/json', 'Content-Type': 'application/json' };
    if (accessToken) given.Authorization = `Bearer ${accessToken}`;
    return request(this.urls.api_url + path, {
      method,
      headers: Object.fromEntries(Object.entries({ ...given, ...headers }).filter(([, value]) => value !== undefined)),
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    });
  }
}

const unescapeHtml = (text) =>
  text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => ({ amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" })[name]);
