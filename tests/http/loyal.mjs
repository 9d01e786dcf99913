// A merchant with members and rewards, connected to the fake cloud: what the loyalty suites share.
import assert from 'node:assert/strict';
import { startCloud } from './cloud.mjs';
import { Service, freePort, isJsonReply, request } from './support.mjs';

const SETTLE_S = 1;
/** Above what any suite sends, so that no test waits for the API's rate. */
export const RATE_MAX = 1_000_000;

let nextToken = 1;

/** A service and a cloud that know each other; nobody is connected yet. */
export async function startPair(t, { env = {}, cloud: cloudOptions = {}, ...options } = {}) {
  const port = await freePort();
  const redirectUri = `http://127.0.0.1:${port}/oauth/callback`;
  const cloud = await startCloud(t, { redirectUris: [redirectUri], ...cloudOptions });
  await cloud.settings({ rate_limit_bearer: RATE_MAX });
  const service = await Service.start({
    port,
    env: {
      COUNTERPART_OSERIES_AUTHORIZE_URL: cloud.urls.authorize_url,
      COUNTERPART_OSERIES_TOKEN_URL: cloud.urls.token_url,
      COUNTERPART_OSERIES_API_URL: cloud.urls.api_url,
      COUNTERPART_REDEEM_SETTLE_S: String(SETTLE_S),
      COUNTERPART_LOG_LEVEL: 'debug',
      ...env,
    },
    ...options,
  });
  await service.must([
    ...['app', 'set', '--surface', 'oseries'],
    ...['--client-id', cloud.clientId, '--client-secret', cloud.clientSecret],
    ...['--signature-token', cloud.signatureToken],
  ]);
  return { service, cloud };
}

/** Through the consent page and back, as a merchant's browser would go. */
export async function connect(service, cloud, tenant) {
  const { authorize_url } = await service.must(['oauth', 'start', '--tenant', String(tenant.id)]);
  const back = await cloud.consent(authorize_url, { company: tenant.company });
  const reply = await request(back.href, { method: 'GET' });
  assert.equal(reply.status, 200, reply.text);
}

export class Loyalty {
  constructor(service, cloud, tenant) {
    Object.assign(this, { service, cloud, tenant });
  }

  async addMember({ first = 'David', last = 'Kent', email, points = 500, settings = [] } = {}) {
    const made = await this.service.must([
      ...['member', 'add', '--tenant', String(this.tenant.id), '--first-name', first, '--last-name', last],
      ...['--email', email ?? `${first}.${last}@example.com`.toLowerCase(), '--points', String(points), ...settings],
    ]);
    return { ...made, code: made.code ?? made.id };
  }

  addReward({ title = '$10 off', points = 100, effect = 'money_off:10.00', settings = [] } = {}) {
    return this.service.must([
      ...['reward', 'add', '--tenant', String(this.tenant.id), '--title', title],
      ...['--points', String(points), '--effect', effect, ...settings],
    ]);
  }

  points(member) {
    return this.service.must([
      ...['points', 'show', '--tenant', String(this.tenant.id), '--member', member.code],
      ...['--limit', '200'],
    ]);
  }

  url(action, parameters = {}) {
    const query = new URLSearchParams(parameters);
    return `${this.service.origin}${this.tenant.base}/${action}?${query}`;
  }

  get(action, parameters, options = {}) {
    return request(this.url(action, parameters), { method: 'GET', agent: false, ...options });
  }

  search(keyword, more = {}, options) {
    return this.get('customer-search', { keyword, company_id: this.tenant.company, site_id: 923, ...more }, options);
  }

  lookup(member, { order = 111, ...more } = {}, options) {
    const parameters = { reference_id: member.code, company_id: this.tenant.company, site_id: 923, order_id: order };
    return this.get('reward-lookup', { ...parameters, ...more }, options);
  }

  /** The redeem_url of a reward for a member, with its placeholder. */
  async redeemUrl(member, reward, order = nextToken++) {
    const reply = await this.lookup(member, { order });
    isJsonReply(reply);
    const found = reply.json.rewards?.find(({ id }) => id === `R${reward.id}` || id === reward.id);
    assert.ok(found, `reward ${reward.id} is not offered: ${reply.text}`);
    return { url: found.redeem_url, placeholder: `order_id=${order}` };
  }

  /** What the platform does when a cashier taps a reward. */
  async tap({ url, placeholder }, order, options = {}) {
    assert.equal(url.split(placeholder).length, 2, `${placeholder} stands once in ${url}`);
    return request(url.replaceAll(placeholder, `order_id=${order}`), { method: 'GET', agent: false, ...options });
  }

  async redeem(member, reward, order) {
    return this.tap(await this.redeemUrl(member, reward), order);
  }
}

export function isRedeemed(reply) {
  isJsonReply(reply);
  assert.equal(reply.status, 200, reply.text);
  assert.deepEqual(reply.json, { success: true });
}

export function isNotRedeemed(reply, sentence) {
  isJsonReply(reply);
  assert.equal(reply.status, 200, reply.text);
  assert.equal(reply.json.success, false, reply.text);
  assert.ok(reply.json.error.length > 0 && reply.json.error.length <= 120, reply.text);
  if (sentence) assert.match(reply.json.error, sentence);
}
