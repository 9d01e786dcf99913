// docs/openapi.yaml against the binary's own route table, against the lists of codes in the source, against the Postman
// collection, and its examples against the binary. That replies are as it says is seen to by support.mjs everywhere.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { startCloud } from './cloud.mjs';
import {
  at,
  findOperation,
  hasSucceeded,
  judgeReply,
  judgeRequest,
  misfit,
  observe,
  parametersOf,
  spec,
  specOperations,
} from './contract.mjs';
import { COUNTERPART, ROOT, RawSocket, Service, freePort, holdConnections, request, run, seedDemo,
  sign } from './support.mjs';

const require = createRequire(import.meta.url);
const read = (name) => fs.readFileSync(path.join(ROOT, name), 'utf8');
const escapePointer = (name) => name.replaceAll('~', '~0').replaceAll('/', '~1');

/** Calls visit(value, pointer) for everything in the document. */
function walk(visit, value = spec(), pointer = '#') {
  visit(value, pointer);
  if (value !== null && typeof value === 'object')
    for (const [name, inner] of Object.entries(value)) walk(visit, inner, `${pointer}/${escapePointer(name)}`);
}

const KEY = '3f9c1be0a4d27c6688e15a0b9d42f7c1'; // nobody's
const behind = (value) => (value?.$ref ? behind(at(value.$ref)) : value);

/** The examples of a media type or a parameter: {name: value}. */
const examplesOf = ({ example, examples = {} }) => ({
  ...(example === undefined ? {} : { example }),
  ...Object.fromEntries(Object.entries(examples).map(([name, one]) => [name, behind(one).value])),
});

// --- the file itself -----------------------------------------------------------------------------

test('the file is OpenAPI 3.1', async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(spec()));
  assert.ok(valid, JSON.stringify(errors, null, 1));
});

test('every $ref leads somewhere, and every component is used', () => {
  const used = new Set(['#/components/responses/UnknownPath']); // every path but ours; info says so
  walk((value, pointer) => {
    if (typeof value?.$ref !== 'string') return;
    assert.notEqual(at(value.$ref), undefined, `${pointer}: ${value.$ref}`);
    used.add(value.$ref.split('/').slice(0, 4).join('/'));
  });
  for (const kind of ['parameters', 'headers', 'requestBodies', 'responses', 'examples', 'schemas'])
    for (const name of Object.keys(spec().components[kind]))
      assert.ok(used.has(`#/components/${kind}/${name}`), `${kind}/${name} is used nowhere`);
});

test('no comma has cut a sentence in two', () => {
  walk((value, pointer) => assert.ok(value !== null || /\/(example|value|examples|enum)\b/.test(pointer), pointer));
});

test('every example fits its schema', () => {
  let count = 0;
  walk((value, pointer) => {
    if (value?.schema === undefined || !pointer.startsWith('#/')) return;
    for (const [name, example] of Object.entries(examplesOf(value))) {
      count++;
      assert.equal(misfit(example, `${pointer}/schema`), undefined, `${pointer}: ${name}`);
    }
  });
  assert.ok(count > 130, `${count} examples`);
});

test('every operation shows what is asked and what is told', () => {
  for (const { id, value } of specOperations()) {
    const { content = {} } = behind(value.requestBody) ?? {};
    for (const [type, media] of Object.entries(content))
      assert.ok(
        Object.keys(media.schema).length === 0 || Object.keys(examplesOf(media)).length > 0,
        `${id}: nothing shows what is asked as ${type}`,
      );
    const told = behind(value.responses['302'] ?? value.responses['200']).content;
    assert.ok(
      Object.values(told).some((media) => Object.keys(examplesOf(media)).length > 0),
      `${id}: nothing shows what is told`,
    );
  }
});

const EVIDENCE = ['documented by the vendor', 'our choice'];

test('operations and fields of the register surfaces say how sure they are', () => {
  const surfaces = specOperations().filter(({ value }) => ['payments', 'loyalty', 'webhooks'].includes(value.tags[0]));
  assert.equal(surfaces.length, 13);
  for (const operation of surfaces) {
    assert.ok(EVIDENCE.includes(operation.value['x-evidence']), operation.id);
    for (const [parameter] of parametersOf(operation))
      if (parameter.in === 'query' && operation.method === 'GET')
        assert.ok(EVIDENCE.includes(parameter['x-evidence']), `${operation.id}: ${parameter.name}`);
  }
  for (const name of [
    'PaymentRequest',
    'TopUpRequest',
    'MoneyMoved',
    'BalanceTold',
    'PaymentRefusal',
    'MemberTold',
    'RewardTold',
  ])
    for (const [field, schema] of Object.entries(spec().components.schemas[name].properties))
      assert.ok(EVIDENCE.includes(schema['x-evidence']), `${name}: ${field}`);
});

test('amounts are never integers of cents', () => {
  for (const name of ['Money', 'ToldAmount', 'AskedMoney'])
    assert.match(spec().components.schemas[name].description, /[Dd]ecimal currency units/);
  assert.equal(misfit('25.50', '#/components/schemas/Money'), undefined);
  assert.ok(misfit(2550, '#/components/schemas/Money'));
});

// --- the binary ----------------------------------------------------------------------------------

test('the binary and the file know the same routes, by the same names, for the same callers', async () => {
  const { code, json, stderr } = await run(COUNTERPART, ['routes', '--json']);
  assert.equal(code, 0, stderr);
  const ofBinary = json.routes.map(({ operation, method, path: pattern, is_public, is_local, auth }) =>
    [operation, method, pattern, is_public, is_local, auth === 'tenant_signed'].join(' '),
  );
  const ofFile = specOperations().map(({ id, method, path: template, isPublic, isLocal, value }) =>
    [id, method, template, isPublic, isLocal, JSON.stringify(value.security) === '[{"signature":[]}]'].join(' '),
  );
  assert.deepEqual(ofFile.sort(), ofBinary.sort());
  assert.equal(new Set(ofFile).size, ofFile.length);
});

/** The wire names in a list of X(SYMBOL, ..., "name", ...). */
const listed = (file, symbol) =>
  [
    ...read(file)
      .replaceAll('\\\n', ' ')
      .matchAll(new RegExp(`X\\(${symbol}_\\w+,[^"()]*"(\\w+)"`, 'g')),
  ].map(([, name]) => name);

// What speaks HTTP: the handlers, and the loop that may have too many connections.
const SOURCES = [
  ...fs.readdirSync(path.join(ROOT, 'handlers')).map((name) => `handlers/${name}`),
  'service/loop.c',
]
  .filter((name) => name.endsWith('.c'))
  .map(read);

/** The codes that handlers give by name. */
const given = () =>
  SOURCES.flatMap((text) => [
    ...text.matchAll(/\b(?:exchange|admin)_refuse\(\s*\w+,\s*[^,]+,\s*"(\w+)"/g),
    ...text.matchAll(/\btell_(?:failure|problem)\(\s*\w+,\s*"(\w+)"/g),
    ...text.matchAll(/\.code = (?:[^,\n]*\? )?"(\w+)"/g),
    ...text.matchAll(/\\"code\\":\\"(\w+)\\"/g),
    ...text.matchAll(/\breply\(exchange, job, "(\w+)"/g),
    ...text.matchAll(/TEXT\("code"\)\);\s*jwrite_text\(writer, TEXT\("(\w+)"\)/g),
  ]).map(([, code]) => code);

test('the codes are those of errors, of results and of the handlers, and no others', () => {
  const { ErrorCode, Result } = spec().components.schemas;
  const [errors, results, points] = [
    listed('base/error.h', 'ERR'),
    listed('ledger/operation.h', 'RESULT'),
    listed('ledger/points.h', 'POINTS'),
  ];
  assert.ok(errors.length > 40 && results.length > 25 && points.length > 10 && given().length > 50);
  const told = results.filter((name) => name !== 'look_first'); // never stored nor told
  assert.deepEqual([...Result.enum].sort(), [...told].sort());
  const known = new Set([...errors, ...told, ...points, ...given()]);
  known.delete('ok');
  for (const code of known) assert.ok(ErrorCode.enum.includes(code), `${code} is not in the file`);
  for (const code of ErrorCode.enum)
    assert.ok(known.has(code) || SOURCES.some((text) => text.includes(`"${code}"`)), `nothing gives ${code}`);
  assert.equal(new Set(ErrorCode.enum).size, ErrorCode.enum.length);
});

test('the reasons of open items are those of the store, the lines of the doctor those of the handlers', () => {
  assert.deepEqual(spec().components.schemas.ProofReason.enum, listed('store/proof.h', 'PROOF_REASON'));
  assert.deepEqual(spec().components.schemas.DoctorLineId.enum, listed('handlers/doctor.h', 'DOCTOR'));
});

// --- the examples, sent --------------------------------------------------------------------------

let service, cloud, demo;

before(async () => {
  const port = await freePort();
  cloud = await startCloud(undefined, { redirectUris: [`http://127.0.0.1:${port}/oauth/callback`] });
  service = await Service.start({ port, env: cloud.environment });
  demo = await seedDemo(service, cloud);
});
after(async () => {
  await service.verifyIsClean();
  await service.stop();
  await cloud.stop();
});

const operationOf = (id) => specOperations().find((one) => one.id === id);
const contentOf = (id) => behind(operationOf(id).value.requestBody).content;
const encode = (type, value) =>
  type === 'application/json' ? JSON.stringify(value) : new URLSearchParams(value).toString();

function send(action, type, body) {
  return request(`${demo.DEMO_URL}/${action}`, {
    headers: { 'Content-Type': type, 'X-Kounta-Signature': sign(body, demo.DEMO_TOKEN) },
    body,
  });
}

/** The reply that the file shows under the same name: its fields, and whether it says yes. */
function isAsShown(id, name, reply) {
  const shown = examplesOf(behind(operationOf(id).value.responses['200']).content['application/json'])[name];
  assert.ok(shown, `${id}: there is no reply '${name}'`);
  assert.deepEqual(Object.keys(reply.json), Object.keys(shown), `${id}: ${name}: ${reply.text}`);
  assert.equal(reply.json.success, shown.success, `${id}: ${name}: ${reply.text}`);
  return shown;
}

test('the examples of the four payments are answered as the file shows', async () => {
  for (const action of ['checkout', 'check-balance', 'top-up', 'refund']) {
    const id = `oseries.${action.replace('-', '_')}`;
    for (const [type, media] of Object.entries(contentOf(id)))
      for (const [name, value] of Object.entries(examplesOf(media))) {
        const reply = await send(action, type, encode(type, value));
        assert.equal(reply.status, 200, `${id}: ${name}: ${reply.text}`);
        const shown = isAsShown(id, name, reply);
        if (type === 'application/json' && action !== 'check-balance')
          assert.equal(reply.json.amount, shown.amount, `${id}: ${name}`);
        if (!shown.success)
          assert.equal(reply.json.error.replace(/\d{4}-\d\d-\d\d/, 'D'), shown.error.replace(/\d{4}-\d\d-\d\d/, 'D'));
      }
  }
});

const queryOf = (id, known = {}) =>
  new URLSearchParams(
    parametersOf(operationOf(id))
      .filter(([parameter]) => parameter.in === 'query')
      .map(([{ name, example }]) => [name, known[name] ?? example]),
  );

/** The token of a reward, as a register gets it. */
async function rewardToken(reward) {
  const reply = await service.get(
    `${new URL(demo.DEMO_URL).pathname}/reward-lookup?${queryOf('oseries.reward_lookup')}`,
  );
  isAsShown('oseries.reward_lookup', 'david', reply);
  return new URL(reply.json.rewards.find(({ id }) => id === reward).redeem_url).searchParams.get('t');
}

test('the examples of the three loyalty calls are answered as the file shows, by GET and by POST', async () => {
  const base = new URL(demo.DEMO_URL).pathname;
  isAsShown(
    'oseries.customer_search',
    'david',
    await service.get(`${base}/customer-search?${queryOf('oseries.customer_search')}`),
  );
  const query = queryOf('oseries.redeem', { t: await rewardToken('R1') });
  isAsShown('oseries.redeem', 'redeemed', await service.get(`${base}/redeem?${query}`));
  for (const action of ['customer-search', 'reward-lookup']) {
    const id = `oseries.${action.replace('-', '_')}.post`;
    for (const [type, media] of Object.entries(contentOf(id)))
      isAsShown(id, 'david', await send(action, type, encode(type, examplesOf(media).david)));
  }
  for (const [type, media] of Object.entries(contentOf('oseries.redeem.post'))) {
    const t = await rewardToken('R3');
    const order_id = (await cloud.order({ site_id: 923 })).id;
    isAsShown(
      'oseries.redeem.post',
      'redeemed',
      await send('redeem', type, encode(type, { ...examplesOf(media).redeem, t, order_id })),
    );
  }
});

test('the examples of the webhooks are noted', async () => {
  for (const [id, topic] of [
    ['webhook.order_completed', 'orders/completed'],
    ['webhook.order_deleted', 'orders/deleted'],
    ['webhook.other', 'sites/updated'],
  ])
    for (const value of Object.values(examplesOf(contentOf(id)['application/json']))) {
      const reply = await send(`webhooks/${topic}`, 'application/json', JSON.stringify(value));
      assert.deepEqual([reply.status, reply.text], [200, '{}'], id);
    }
});

/** Over the admin socket, held against the file. */
async function local(method, target, body, headers = {}, of = service) {
  const reply = await request(`http://counterpart${target}`, {
    method,
    headers: body ? { 'Content-Length': Buffer.byteLength(body), ...headers } : headers,
    body,
    socketPath: path.join(of.data, 'admin.sock'),
    agent: false,
  });
  const problem = observe({ method, target, body, headers, isLocal: true }, reply);
  assert.equal(problem, undefined, problem);
  return reply;
}

/** What the file cannot know: codes are good once. */
async function madeGood(id, value) {
  if (id !== 'admin.oauth_exchange') return value;
  return { ...value, code: await cloud.grantCode({ redirectUri: cloud.redirectUris[0] }) };
}

const LOCAL = () => specOperations().filter((one) => !one.isPublic);
const isTenantWanted = ({ value }) => value.parameters?.some((one) => behind(one).required);
const targetOf = (operation) => `${operation.path}${isTenantWanted(operation) ? '?tenant=1' : ''}`;

/** The example of what is asked: text or an object; undefined where nothing is. */
function exampleOf({ value }) {
  const { content } = behind(value.requestBody) ?? {};
  return Object.values(examplesOf(content?.['application/json'] ?? content?.['*/*'] ?? {}))[0];
}
const bytesOf = (example) => (typeof example === 'string' ? example : example && JSON.stringify(example));

/** There is nothing that was given up, and no reservation of which nothing was heard: their own suites have both. */
const NOT_AT_WILL = ['admin.work_retry', 'admin.points_settle'];

test('every example of the admin socket is answered as the file shows, and again in a way that it knows', async () => {
  for (const operation of LOCAL()) {
    const { id, method, value } = operation;
    if (NOT_AT_WILL.includes(id)) continue;
    const bytes = bytesOf(await madeGood(id, exampleOf(operation)));
    const reply = await local(method, targetOf(operation), bytes);
    assert.equal(reply.status, 200, `${id}: ${reply.text}`);
    const [shown] = Object.values(examplesOf(value.responses['200'].content['application/json']));
    assert.deepEqual(Object.keys(reply.json), Object.keys(shown), id);
    assert.ok([200, 409].includes((await local(method, targetOf(operation), bytes)).status), id);
  }
});

test('explain, reconcile, tail and the report are as the file says also for what has a history', async () => {
  const { json } = await local('POST', '/admin/tail', JSON.stringify({ since: 0, limit: 100 }));
  assert.ok(json.operations.length > 10);
  for (const { tenant, operation_id: operation } of json.operations)
    assert.equal((await local('POST', '/admin/explain', JSON.stringify({ tenant, operation }))).status, 200);
  for (const card of [demo.DEMO_CARD, demo.DEMO_CARD_2, demo.DEMO_CARD_STOCK])
    assert.equal((await local('POST', '/admin/explain', JSON.stringify({ tenant: 1, card }))).status, 200);
  assert.equal((await local('POST', '/admin/reconcile', JSON.stringify({ after_tenant: 0 }))).status, 200);
});

// --- the refusals, provoked ----------------------------------------------------------------------

/** An address of an operation on TCP, with the parameters of its examples. */
function publicTarget(operation, key = new URL(demo.DEMO_URL).pathname.split('/')[2]) {
  const pathname = operation.path.replace('{key}', key).replace('{topic}', 'sites/updated');
  return operation.method === 'GET' ? `${pathname}?${queryOf(operation.id)}` : pathname;
}

/** A signed request to an operation on TCP. */
const signed = (operation, body, { target = publicTarget(operation), headers = {} } = {}) =>
  request(service.origin + target, {
    method: operation.method,
    headers: {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'X-Kounta-Signature': sign(body, demo.DEMO_TOKEN),
      ...headers,
    },
    body,
    agent: false,
  });

test('what comes before routing is refused alike everywhere', async () => {
  for (const operation of specOperations()) {
    const ask = (body, headers) =>
      operation.isPublic
        ? signed(operation, body, { headers })
        : local(operation.method, operation.path, body, headers);
    const isWebhook = operation.value.tags[0] === 'webhooks';
    assert.equal((await ask('x'.repeat(isWebhook ? 300_000 : 70_000))).status, 413, operation.id);
    assert.equal((await ask('{}', { Expect: 'a-miracle' })).status, 417, operation.id);
    if (operation.isPublic) assert.equal((await twoLengths(operation)).status, 400, operation.id);
  }
});

/** Two Content-Length lines, of which a proxy and we might believe different ones. */
async function twoLengths(operation) {
  const socket = await RawSocket.connect(service.port);
  const lines = [`${operation.method} ${publicTarget(operation)} HTTP/1.1`, 'Host: till.test'];
  await socket.write([...lines, 'Content-Length: 2', 'Content-Length: 2', '', '{}'].join('\r\n'));
  const reply = await socket.reply();
  socket.destroy();
  return reply;
}

const METHODS_ASKED = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** The methods that the operations of a path know between them; HEAD is answered where GET is. */
const methodsOf = (ofPath) => METHODS_ASKED.filter((one) => ofPath.some(({ method }) => knows(method, one)));
const knows = (method, asked) => method === asked || (method === 'GET' && asked === 'HEAD');

/** Every operation of the path says how `reply` is answered, and the reply names the methods that there are. */
function isWrongMethod(ofPath, method, reply) {
  const context = `${method} ${ofPath[0].path}: ${reply.text}`;
  assert.deepEqual([reply.status, reply.headers.allow], [405, methodsOf(ofPath).join(', ')], context);
  for (const operation of ofPath) assert.equal(judgeReply(operation, method, reply), undefined, context);
}

test('every path that `counterpart routes` names refuses each method it does not have, as the file says', async () => {
  const { json } = await run(COUNTERPART, ['routes', '--json']);
  for (const template of new Set(json.routes.map((route) => route.path))) {
    const ofPath = specOperations().filter((one) => one.path === template);
    for (const method of METHODS_ASKED) {
      if (methodsOf(ofPath).includes(method)) continue;
      const target = publicTarget({ path: template });
      if (ofPath[0].isPublic) isWrongMethod(ofPath, method, await request(service.origin + target, { method }));
      if (ofPath[0].isLocal) isWrongMethod(ofPath, method, await local(method, target));
    }
  }
});

test('every operation says what may be told before anybody looks at what is asked', () => {
  for (const { id, value } of specOperations())
    for (const status of ['400', '405', '413', '417', '500', '503']) assert.ok(value.responses[status], `${id}: ${status}`);
});

test('a listener that holds no more connections says so on every path, as the file says', async (t) => {
  const full = await Service.start({ env: { COUNTERPART_CONNECTIONS_MAX: '5', COUNTERPART_REQUEST_TIMEOUT_S: '600' } });
  t.after(() => full.child.kill('SIGKILL')); // after a failure only: else it has ended
  const idle = await holdConnections(full, 5);
  for (const operation of specOperations().filter(({ isPublic }) => isPublic)) {
    const { method } = operation;
    const reply = await request(full.origin + publicTarget(operation), { method, agent: false });
    assert.deepEqual([reply.status, reply.json.code], [503, 'too_many_connections'], operation.id);
    assert.equal(judgeReply(operation, method, reply), undefined, operation.id);
  }
  for (const raw of idle) raw.destroy();
  await full.stop();
});

test('the refusals of the register surfaces are as the file says', async () => {
  const other = { company_id: 1, keyword: '1', amount: 1, topup_amount: 1, t: 'x', order_id: 5 };
  for (const operation of specOperations().filter(({ path: template }) => template.includes('{key}'))) {
    const { id, method, value } = operation;
    assert.equal((await signed(operation, '{}', { target: publicTarget(operation, KEY) })).status, 401, id);
    if (value.tags[0] === 'webhooks') continue;
    const ofStranger =
      method === 'GET' ? `${publicTarget(operation).replace(/company_id=\d+/, '')}&company_id=1` : undefined;
    assert.equal(
      (await signed(operation, method === 'GET' ? '' : JSON.stringify(other), { target: ofStranger })).status,
      403,
      id,
    );
    if (value.tags[0] === 'loyalty' && method === 'POST') {
      assert.equal((await signed(operation, '{')).status, id === 'oseries.redeem.post' ? 400 : 200, id);
      const refused = await signed(operation, id === 'oseries.redeem.post' ? '{"t":"x"}' : '{"site_id":"x"}');
      assert.deepEqual([refused.status, typeof refused.json.error], [200, 'string'], id);
    }
  }
  assert.equal((await service.get(publicTarget(operationOf('oseries.redeem')), { method: 'HEAD' })).status, 405);
  assert.equal((await service.get('/oauth/start', { method: 'HEAD' })).status, 200);
  assert.equal((await signed(operationOf('webhook.order_deleted'), '[]')).status, 400);
});

test('the refusals of the admin socket are as the file says', async () => {
  for (const operation of LOCAL()) {
    const { method, path: target, value } = operation;
    const example = exampleOf(operation);
    if (typeof example === 'object') {
      assert.equal((await local(method, target, '{')).status, 400, target);
      assert.equal((await local(method, target, '[]')).status, 400, target);
      assert.equal((await local(method, target, '{"nonsense":1}')).status, 400, target);
    }
    if (value.parameters) assert.equal((await local(method, `${target}?tenant=x`)).status, 400, target);
    if (value.responses['404'] && (value.parameters || example?.tenant))
      assert.equal(
        (await local(method, `${target}?tenant=404404`, bytesOf(example && { ...example, tenant: 404404 }))).status,
        404,
        target,
      );
  }
  assert.equal((await local('GET', '/admin/nothing')).status, 404);
});

test('what the admin socket cannot do as things are is a conflict as the file says', async () => {
  const isConflict = async (target, fields, code) => {
    const reply = await local('POST', `/admin/${target}`, fields && JSON.stringify({ tenant: 1, ...fields }));
    assert.deepEqual([reply.status, reply.json.code], [409, code], `${target}: ${reply.text}`);
  };
  const made = await local(
    'POST',
    '/admin/tenant/add',
    JSON.stringify({ name: 'B', currency: 'NZD', timezone: 'UTC' }),
  );
  const tenant = made.json.id;
  const { json: stock } = await local('POST', '/admin/card/issue', JSON.stringify({ tenant: 1, stock: true }));
  await isConflict('card/enable', { number: stock.number }, 'not_sold');
  await isConflict('card/disable', { number: stock.number }, 'not_sold');
  await isConflict('points/grant', { member: 'M-1', points: -1_000_000, reason: 'too many' }, 'not_enough');
  await isConflict('member/add', { first_name: 'A', email: 'a@example.com', code: 'M-1' }, 'already_exists');
  await isConflict('oauth/refresh', { tenant }, 'not_connected');
  await isConflict('foreign-orders/record', { tenant, state: 'revoked' }, 'wrong_state');
  for (let left = 100; left > 0; left--) {
    const { status } = await local(
      'POST',
      '/admin/reward/add',
      JSON.stringify({ tenant, title: 'T', points: 1, effect: 'pay:1.00' }),
    );
    assert.equal(status, 200);
  }
  await isConflict('reward/add', { tenant, title: 'T', points: 1, effect: 'pay:1.00' }, 'too_many_rewards');
});

test('without an application there is nothing to show, to start or to sign with', async () => {
  const bare = await Service.start();
  const ask = async (method, target, body) => {
    const reply = await local(method, target, body && JSON.stringify(body), {}, bare);
    return [reply.status, reply.json.code];
  };
  await bare.addTenant({ token: null });
  assert.deepEqual(await ask('GET', '/admin/app/show'), [404, 'no_app']);
  assert.deepEqual(await ask('POST', '/admin/sign?tenant=1', {}), [409, 'no_signature_token']);
  for (const what of ['start', 'basic', 'refresh'])
    assert.equal((await ask('POST', `/admin/oauth/${what}`, { tenant: 1 }))[0], 409, what);
  await bare.stop();
});

// --- the Postman collection ----------------------------------------------------------------------

const FOLDER = path.join(ROOT, 'mocks/postman');
const collection = JSON.parse(read('mocks/postman/counterpart.postman_collection.json'));
const environment = JSON.parse(read('mocks/postman/counterpart.postman_environment.json'));

/** Variables as somebody fills them in; what a script sets stands for a number or a word. */
const VALUES = {
  ...Object.fromEntries(collection.variable.map(({ key, value }) => [key, value || '2802065908'])),
  ...Object.fromEntries(environment.values.map(({ key, value }) => [key, value])),
  url: `http://service.test/oseries/${KEY}`,
  service: 'http://service.test',
  tenant_key: KEY,
  redeem_token: 'a.b.c',
  anything: 'anything',
};
const filled = (text) =>
  text.replace(/\{\{\$\w+ '[^']*'\}\}/g, VALUES.placeholder_order_id).replace(/\{\{\$?(\w+)\}\}/g, (all, name) => VALUES[name] ?? '2802065908');

const requestsIn = (items) => items.flatMap((item) => (item.item ? requestsIn(item.item) : [item]));
const OURS = requestsIn(collection.item).filter(({ request: { url } }) =>
  /^\{\{(url|service)\}\}/.test(url.raw ?? url),
);

/** A request of the collection as the judge has them; the collection's script signs it. */
function asked({ method, url, header = [], body }) {
  const { pathname, search } = new URL(filled(url.raw ?? url));
  const form = body?.urlencoded?.map(({ key, value }) => [key, filled(value)]);
  const text = body?.mode === 'urlencoded' ? new URLSearchParams(form).toString() : filled(body?.raw ?? '');
  const headers = Object.fromEntries((header ?? []).map(({ key, value }) => [key, filled(value)]));
  return { method, target: pathname + search, headers: { 'X-Kounta-Signature': sign(text), ...headers }, body: text };
}

test('the requests of the collection are such as the file documents', () => {
  assert.ok(OURS.length > 20, FOLDER);
  for (const { name, request: one } of OURS) {
    const operation = findOperation(one.method, asked(one).target);
    if (/\{\{anything\}\}/.test(one.url.raw)) continue; // a mock server's fallback: no path of ours
    assert.ok(operation.value, `${name}: ${operation.id}`);
    assert.equal(judgeRequest(operation, asked(one)), undefined, name);
  }
});

test('the saved examples of the collection are exchanges that the file documents', () => {
  let count = 0;
  for (const item of OURS)
    for (const example of item.response) {
      const one = asked(example.originalRequest ?? item.request);
      const operation = findOperation(one.method, one.target);
      const headers = Object.fromEntries(
        (example.header ?? []).map(({ key, value }) => [key.toLowerCase(), filled(value)]),
      );
      const reply = { status: example.code, headers, text: filled(example.body ?? ''), isPartial: true };
      const context = `${item.name}: ${example.name}`;
      if (example.code !== 302) assert.equal(judgeReply(operation, one.method, reply), undefined, context);
      else assert.ok(operation.value?.responses['302'], context);
      const isWildcard = example.name.startsWith('Fallback'); // for whatever a mock server is asked
      if (operation.value && hasSucceeded(reply) && !isWildcard)
        assert.equal(judgeRequest(operation, one), undefined, context);
      count++;
    }
  assert.ok(count > 30, `${count} examples`);
});

test('every path of the register surfaces has a request in the collection', () => {
  const found = new Set(OURS.map(({ request: one }) => findOperation(one.method, asked(one).target).path));
  for (const { path: template, value } of specOperations())
    if (['payments', 'loyalty', 'oauth', 'webhooks'].includes(value.tags[0]))
      assert.ok(found.has(template), `${template} has no request in the collection`);
});

// --- the judge -----------------------------------------------------------------------------------

test('the judge finds what the file does not document', () => {
  const checkout = operationOf('oseries.checkout');
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'x-request-id': '1',
  };
  const good = { success: true, amount: 25.5, balance: 1, reference_id: 'CP1-8', ref: 'CP1-8', message: 'Charged' };
  const judged = (json, more = {}) =>
    judgeReply(checkout, 'POST', { status: 200, headers, text: JSON.stringify(json), ...more });
  assert.equal(judged(good), undefined);
  assert.equal(judged({ success: false, amount: 0, error: 'No' }), undefined);
  assert.match(judged(good, { status: 201 }), /status 201 is not documented/);
  assert.match(judged(good, { headers: { ...headers, 'content-type': 'text/plain' } }), /content type/);
  assert.match(judged(good, { headers: { ...headers, 'cache-control': undefined } }), /Cache-Control is missing/);
  assert.match(judged(good, { headers: { ...headers, 'content-length': '3' } }), /Content-Length/);
  assert.match(judged(good, { text: 'Charged' }), /no JSON/);
  for (const wrong of [
    { amount: -1 },
    { balance: null },
    { ref: '8' },
    { extra: 1 },
    { message: '' },
    { success: 'true' },
  ])
    assert.ok(judged({ ...good, ...wrong }), JSON.stringify(wrong));
  assert.ok(judged({ success: false, amount: 25.5, error: 'No' }), 'a refusal that moves money');
  const unauthorized = { success: false, error: 'Not authorised', code: 'wrong_company' };
  assert.match(judged(unauthorized, { status: 401 }), /code/);

  const one = { method: 'POST', target: `/oseries/${KEY}/checkout`, headers: { 'x-kounta-signature': 'a'.repeat(64) } };
  const ask = (body, more = {}) => judgeRequest(checkout, { ...one, body: JSON.stringify(body), ...more });
  const fine = { company_id: 1, keyword: '1', amount: '1.00', more: [] };
  assert.equal(ask(fine), undefined);
  assert.match(ask(fine, { headers: {} }), /X-Kounta-Signature is missing/);
  assert.match(ask(fine, { target: '/oseries/key/checkout' }), /parameter key/);
  for (const wrong of [
    { amount: '1e2' },
    { company_id: undefined },
    { keyword: undefined },
    { topup_amount: 1 },
    { order_id: -1 },
  ])
    assert.ok(ask({ ...fine, ...wrong }), JSON.stringify(wrong));
  assert.equal(judgeRequest(checkout, { ...one, body: 'company_id=1&keyword=1&amount=1.00' }), undefined);

  assert.equal(findOperation('POST', `/oseries/${KEY}/webhooks/orders/completed`).id, 'webhook.order_completed');
  assert.equal(findOperation('POST', `/oseries/${KEY}/webhooks/a/b`).id, 'webhook.other');
  assert.equal(findOperation('HEAD', '/healthz').id, 'healthz');
  assert.equal(findOperation('PUT', '/healthz').id, 'wrong method');
  assert.equal(findOperation('GET', '/admin/tenant/list').id, 'unknown path');
  assert.equal(findOperation('GET', '/admin/tenant/list', true).id, 'admin.tenant_list');
});

test('YAML readers of other makes read the same', () => {
  assert.doesNotMatch(read('docs/openapi.yaml'), /^[^#"]*[:[,] [&*]\w/m, 'an anchor or alias');
  assert.equal(require('yaml').parseDocument(read('docs/openapi.yaml')).warnings.length, 0);
});
