// counterpart doctor, with the real service, the fake cloud, and an https host between the two: what is wrong is one red
// line with the one thing to do, and when it is done, the line is green.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startCloud } from './cloud.mjs';
import { Authority, PUBLIC_NAME, PublicHost, skewedClock } from './public.mjs';
import { IS_POSTGRES } from './store.mjs';
import {
  COUNTERPART,
  Service,
  Tenant,
  cardNumber,
  freePort,
  isApproved,
  newOrder,
  request,
  run,
  shellQuote,
  sign,
  temporaryDirectory,
  until,
} from './support.mjs';

const COMPANY = 5678;
const SITE = 923;
const REDIRECT_URI = `https://${PUBLIC_NAME}/oauth/callback`;

let authority;
before(async () => {
  authority = await Authority.make();
});

class Report {
  constructor({ code, json, stdout, stderr }) {
    assert.ok(json, stdout + stderr);
    Object.assign(this, { code, json });
  }

  line(id) {
    const line = this.json.lines.find((each) => each.id === id);
    assert.ok(line, `there is no line ${id}`);
    return line;
  }

  /** {id: state} as asserted; what is said comes with a failure. */
  has(states) {
    for (const [id, state] of Object.entries(states)) {
      const line = this.line(id);
      assert.equal(line.state, state, `${id}: ${line.found} / ${line.todo}`);
    }
    return this;
  }

  get red() {
    return this.json.lines.filter(({ state }) => state === 'todo').map(({ id }) => id);
  }
}

/** A service behind a public host, and a cloud whose clock can be off. */
class Place {
  static async start(t, { isPublic = true } = {}) {
    const place = new Place();
    place.port = await freePort();
    place.host = await PublicHost.start(t, authority, place.port);
    place.cloud = await startCloud(t, {
      redirectUris: [REDIRECT_URI, `http://127.0.0.1:${place.port}/oauth/callback`],
    });
    place.clock = await skewedClock(t, Number(new URL(place.cloud.urls.url).port));
    place.service = await Service.start({
      port: place.port,
      env: {
        ...place.cloud.environment,
        COUNTERPART_OSERIES_API_URL: `http://127.0.0.1:${place.clock.port}/v1`,
        ...(isPublic ? place.host.environment : {}),
      },
    });
    t?.after(() => place.service.stop());
    return place;
  }

  /** Everything but what registers do. */
  async settle() {
    const { service, cloud } = this;
    await service.must([
      ...['app', 'set', '--surface', 'oseries', '--client-id', cloud.clientId, '--client-secret', cloud.clientSecret],
      ...['--signature-token', cloud.signatureToken],
    ]);
    const made = await service.must([
      ...['tenant', 'add', '--name', "Sam's Coffee", '--currency', 'AUD', '--timezone', 'Australia/Sydney'],
      ...['--oseries-company', String(COMPANY), '--payment-method', '88'],
    ]);
    this.tenant = new Tenant(service, made, { company: COMPANY, token: cloud.signatureToken });
    for (const site of [SITE, 924]) await this.tenant.addSite({ site, name: `Site ${site}` });
    await this.connect();
    return this;
  }

  async connect() {
    const { authorize_url } = await this.service.must(['oauth', 'start', '--tenant', '1']);
    const back = await this.cloud.consent(authorize_url, { company: COMPANY });
    // The browser comes through the public host; from there on it is the service's.
    const reply = await this.service.get(back.pathname + back.search);
    assert.equal(reply.status, 200, reply.text);
  }

  async doctor(...flags) {
    return new Report(await this.service.cli(['doctor', '--tenant', '1', ...flags]));
  }

  /** As somebody who copies the command out of the report. */
  async obey(line, { instead = {}, input = '' } = {}) {
    let command = line.command;
    assert.ok(command, `${line.id} has no command`);
    for (const [from, to] of Object.entries(instead)) command = command.replace(from, to);
    const { code, json, stdout, stderr } = await run('sh', ['-c', command], {
      input,
      env: { COUNTERPART_DATA: this.service.data, PATH: `${path.dirname(COUNTERPART)}:${process.env.PATH}` },
    });
    assert.equal(code, 0, `${command}\n${stdout}${stderr}`);
    return json;
  }

  /** A register's POST or GET to an address that was pasted: the public host stands between. */
  call(pasted, { body, token = this.tenant.token, query = '' } = {}) {
    const url = new URL(pasted);
    assert.equal(url.origin, `https://${PUBLIC_NAME}`);
    const bytes = body === undefined ? undefined : JSON.stringify(body);
    return request(`${this.service.origin}${url.pathname}${query}`, {
      method: bytes === undefined ? 'GET' : 'POST',
      body: bytes,
      headers: bytes && { 'Content-Type': 'application/json', 'X-Kounta-Signature': sign(bytes, token) },
    });
  }
}

const ids = { company_id: COMPANY, site_id: SITE, register_id: 9091 };

// --- the whole walk

test('without a service the one line says how to start it', async () => {
  const { code, json } = await run(COUNTERPART, ['doctor', '--tenant', '1'], {
    env: { COUNTERPART_DATA: temporaryDirectory() },
  });
  assert.equal(code, 1);
  assert.equal(json.is_green, false);
  assert.deepEqual(
    json.lines.map(({ id, state, command }) => [id, state, command]),
    [['service', 'todo', 'counterpart serve']],
  );
});

test('a fresh install is red, each line says the one thing, and at the end all is green', async (t) => {
  const place = await Place.start(t, { isPublic: false });
  const { service, cloud } = place;
  const made = await service.must([
    ...['tenant', 'add', '--name', "Sam's Coffee", '--currency', 'AUD', '--timezone', 'Australia/Sydney'],
    ...['--oseries-company', String(COMPANY)],
  ]);

  let report = await place.doctor();
  assert.equal(report.code, 1);
  assert.deepEqual(report.red, ['public_url', 'app', 'signature_token']);
  report.has({
    ...{ service: 'ok', data_folder: 'ok', master_key: 'ok', disk: 'ok', redis: 'off', clock: 'ok' },
    ...{ reachable: 'waits', certificate: 'waits', grant: 'waits', sites: 'waits', checkout: 'waits' },
  });

  await service.stop();
  await service.restart(place.host.environment);
  report = await place.doctor();
  report.has({ public_url: 'ok', reachable: 'ok', certificate: 'ok', json: 'ok', unchanged: 'ok', app: 'todo' });
  assert.equal(report.line('app').paste.text, REDIRECT_URI);

  await place.obey(report.line('app'), {
    instead: { 'client-id ID': `client-id ${cloud.clientId}` },
    input: `${cloud.clientSecret}\n`,
  });
  report = await place.doctor();
  report.has({ app: 'ok', signature_token: 'todo', grant: 'todo', company: 'waits' });

  await place.obey(report.line('signature_token'), { input: `${cloud.signatureToken}\n` });
  place.tenant = new Tenant(service, made, { company: COMPANY, token: cloud.signatureToken });
  const { authorize_url } = await place.obey(report.line('grant'));
  const back = await cloud.consent(authorize_url, { company: COMPANY });
  assert.equal(back.href.split('?')[0], REDIRECT_URI);
  assert.equal((await service.get(back.pathname + back.search)).status, 200);

  report = await place.doctor();
  report.has({ signature_token: 'ok', grant: 'ok', company: 'ok', sites: 'todo', payment_method: 'todo' });
  await place.obey(report.line('sites'));
  report = await place.doctor();
  report.has({ sites: 'todo' });
  await place.obey(report.line('sites'));
  await place.obey(report.line('payment_method'));

  report = await place.doctor();
  report.has({ sites: 'ok', payment_method: 'ok', foreign_orders: 'off' });
  assert.deepEqual(report.red, [
    ...['checkout', 'check_balance', 'top_up', 'refund', 'customer_search'],
    'webhook',
  ]);
  report.has({ signatures: 'waits', reward_lookup: 'waits', redeem: 'off' });

  await callAll(place, report);
  report = await place.doctor();
  assert.equal(report.code, 0, JSON.stringify(report.json.lines.filter(({ state }) => state !== 'ok'), null, 1));
  assert.equal(report.json.is_green, true);
  assert.match(report.line('checkout').found, /site 923, register 9091/);
  assert.match(report.line('signatures').found, /^\d+ right, 0 wrong/);

  // What leaves no rows is not known after a restart, and asks for nothing.
  await service.stop();
  await service.restart();
  report = await place.doctor();
  report.has({ checkout: 'ok', refund: 'ok', check_balance: 'unknown', customer_search: 'unknown', webhook: 'unknown' });
  assert.equal(report.code, 0);
});

/** Does on the register what the red lines ask for, with the addresses that they give. */
async function callAll(place, report) {
  const { service, cloud } = place;
  const pasted = (id) => report.line(id).paste.text;
  const { number } = await place.tenant.issue({ amount: '100.00' });
  const order = (await cloud.order({ site_id: SITE })).id;
  const checkout = { ...ids, order_id: order, keyword: number, amount: 25.5 };
  const reply = await place.call(pasted('checkout'), { body: checkout });
  isApproved(reply, { amount: '25.50' });
  isApproved(await place.call(pasted('check_balance'), { body: { ...ids, keyword: number } }));
  isApproved(await place.call(pasted('refund'), { body: { ...checkout, amount: 25.5 } }));
  const load = { ...ids, order_id: newOrder(), keyword: number, topup_amount: '50.00' };
  isApproved(await place.call(pasted('top_up'), { body: load }));
  await service.must([
    ...['member', 'add', '--tenant', '1', '--first-name', 'David', '--last-name', 'Kent'],
    ...['--email', 'david@example.com', '--code', 'M-7'],
  ]);
  const query = `?keyword=david&company_id=${COMPANY}&site_id=${SITE}`;
  assert.equal((await place.call(pasted('customer_search'), { query })).status, 200);
  const lookup = (await place.doctor()).has({ customer_search: 'ok', reward_lookup: 'todo' }).line('reward_lookup');
  const member = `?reference_id=M-7&company_id=${COMPANY}&site_id=${SITE}&order_id=${order}`;
  assert.equal((await place.call(lookup.paste.text, { query: member })).status, 200);
  const webhook = `https://${PUBLIC_NAME}${place.tenant.base}/webhooks/orders/completed`;
  assert.equal((await place.call(webhook, { body: { id: order } })).status, 200);
}

// --- the way in

test('who answers at the public address is told apart, and each proxy that spoils something is named', async (t) => {
  const place = await (await Place.start(t)).settle();
  const expectations = {
    pages: [{ reachable: 'todo', json: 'waits' }, 'reachable', /Somebody else answers there: status 200, text\/html/],
    badGateway: [{ reachable: 'todo' }, 'reachable', /answers 502: it finds no service behind it/],
    redirect: [{ reachable: 'todo' }, 'reachable', /sends visitors on to https:\/\/www\.gifts/],
    ownErrors: [{ reachable: 'ok', json: 'todo', unchanged: 'ok' }, 'json', /status 404 and text\/html/],
    smallBodies: [{ reachable: 'ok', json: 'ok', unchanged: 'todo' }, 'unchanged', /60 KiB is refused/],
    rewrite: [{ reachable: 'ok', unchanged: 'todo' }, 'unchanged', /changes bodies/],
    dropSignature: [{ reachable: 'ok', unchanged: 'todo' }, 'unchanged', /drops X-Kounta-Signature/],
  };
  for (const [mode, [states, id, sentence]] of Object.entries(expectations)) {
    place.host.mode = mode;
    const report = (await place.doctor()).has(states);
    assert.match(report.line(id).found, sentence, mode);
    assert.ok(report.line(id).todo, mode);
  }
  place.host.mode = null;
  (await place.doctor()).has({ reachable: 'ok', json: 'ok', unchanged: 'ok' });
});

test('a tunnel that ends at another counterpart is recognised, though all its answers look right', async (t) => {
  const place = await (await Place.start(t)).settle();
  const other = await Service.start();
  t.after(() => other.stop());
  place.host.port = other.port;
  const report = (await place.doctor()).has({ reachable: 'todo', json: 'waits', unchanged: 'waits' });
  assert.match(report.line('reachable').found, /Another service answers there, with JSON and status 200/);
});

test('a certificate is told when it ends soon, is for another name, or is nobody we trust', async (t) => {
  const place = await (await Place.start(t)).settle();
  await place.host.present(PUBLIC_NAME, 13);
  const report = (await place.doctor()).has({ reachable: 'ok', certificate: 'todo' });
  assert.match(report.line('certificate').found, /good for another 1[23] days/);

  await place.host.present(`other.${PUBLIC_NAME}`, 90);
  const named = (await place.doctor()).has({ reachable: 'todo', certificate: 'waits' });
  assert.match(named.line('reachable').todo, /certificate that everybody trusts, for this very name/);

  await place.host.present(PUBLIC_NAME, 90, await Authority.make());
  (await place.doctor()).has({ reachable: 'todo', certificate: 'waits' });

  await place.host.present(PUBLIC_NAME, 90);
  (await place.doctor()).has({ reachable: 'ok', certificate: 'ok' });
});

test('a public address that nobody serves is told, and one that never answers keeps no charge waiting', async (t) => {
  const place = await (await Place.start(t)).settle();
  const { number } = await place.tenant.issue({ amount: '100.00' });
  place.host.mode = 'silence';
  let isTold = false;
  const told = place.doctor().then((report) => {
    isTold = true;
    return report;
  });
  await until('the doctor to knock', () => place.host.waiting.size > 0);
  const till = place.tenant.till();
  isApproved(await till.checkout({ card: number, amount: 5, order: newOrder() }));
  assert.equal(isTold, false, 'the charge was answered while the doctor waited');
  const report = (await told).has({ reachable: 'todo', clock: 'ok', company: 'ok' });
  assert.match(report.line('reachable').found, /nothing came in time/);

  await place.service.stop();
  await place.service.restart({ COUNTERPART_PUBLIC_URL: 'https://nobody.invalid', https_proxy: undefined });
  const nowhere = (await place.doctor()).has({ public_url: 'ok', reachable: 'todo' });
  assert.match(nowhere.line('reachable').found, /resolve host/);
  assert.match(nowhere.line('reachable').todo, /DNS record/);
});

test('what asks for a presence without a nonce, or with a strange one, gets JSON and no proof', async (t) => {
  const service = await Service.start();
  t.after(() => service.stop());
  for (const query of ['', '?nonce=', '?nonce=xyz', `?nonce=${'a'.repeat(31)}`, `?nonce=${'a'.repeat(33)}`]) {
    const reply = await service.get(`/oseries/presence${query}`);
    assert.equal(reply.status, 400, query);
    assert.equal(reply.json.success, false, query);
  }
  const nonce = 'ab'.repeat(16);
  const first = await service.get(`/oseries/presence?nonce=${nonce}`);
  const second = await service.get(`/oseries/presence?nonce=${nonce}`);
  assert.equal(first.status, 200);
  assert.match(first.json.proof, /^[0-9a-f]{64}$/);
  assert.equal(first.json.proof, second.json.proof);
  await service.stop();
  await service.restart();
  const later = await service.get(`/oseries/presence?nonce=${nonce}`);
  // Of one process; where several serve one store, each answers for all of them.
  assert.equal(later.json.proof === first.json.proof, IS_POSTGRES);
});

test('a presence proves every byte of the body, the signature and the nonce', async (t) => {
  const service = await Service.start();
  t.after(() => service.stop());
  const nonce = 'ab'.repeat(16);
  const proof = async (body, signature, of = nonce) => {
    const headers = signature ? { 'X-Kounta-Signature': signature } : {};
    const reply = await request(`${service.origin}/oseries/presence?nonce=${of}`, { method: 'POST', headers, body });
    assert.deepEqual([reply.status, reply.json.alive], [200, true], reply.text);
    return reply.json.proof;
  };
  const body = '{"amount": 25.50}';
  const first = await proof(body, 'c'.repeat(64));
  assert.equal(await proof(body, 'c'.repeat(64)), first, 'the same bytes are proved alike');
  const others = [
    await proof('{"amount":25.50}', 'c'.repeat(64)),
    await proof(body, 'd'.repeat(64)),
    await proof(body),
    await proof(body, 'c'.repeat(64), 'cd'.repeat(16)),
    await proof('', 'c'.repeat(64)),
  ];
  assert.equal(new Set([first, ...others]).size, 6, 'what a proxy has rewritten or dropped shows');
});

// --- the register

test('a wrong signature token is told by what registers sign, and green with the first right one', async (t) => {
  const place = await (await Place.start(t)).settle();
  const till = place.tenant.till();
  const fields = { card: cardNumber(), amount: 5, order: newOrder() };
  assert.equal((await till.checkout(fields, { token: 'the client secret, say' })).status, 401);
  let report = (await place.doctor()).has({ signatures: 'todo', unchanged: 'ok', checkout: 'waits' });
  assert.match(report.line('signatures').found, /^0 right, 1 wrong/);
  assert.match(report.line('signatures').command, /^counterpart app set --surface oseries --signature-token -$/);

  await place.obey(report.line('signatures'), { input: 'the client secret, say\n' });
  assert.equal((await till.checkout(fields, { token: 'the client secret, say' })).status, 200);
  report = (await place.doctor()).has({ signatures: 'ok' });
  assert.match(report.line('signatures').found, /1 right, 1 wrong .*right since then/);

  assert.equal((await till.checkout(fields, { token: null })).status, 401);
  report = (await place.doctor()).has({ signatures: 'todo' });
  assert.match(report.line('signatures').todo, /had none/);
});

test('a search without a signature is no wrong one, for nobody says that it must have one', async (t) => {
  const place = await (await Place.start(t)).settle();
  const query = `?keyword=nobody&company_id=${COMPANY}&site_id=${SITE}`;
  assert.equal((await place.service.get(`${place.tenant.base}/customer-search${query}`)).status, 200);
  (await place.doctor()).has({ customer_search: 'ok', signatures: 'waits' });
});

test('calls are those of the tenant itself, however many others call', async (t) => {
  const place = await (await Place.start(t)).settle();
  const other = await place.service.addTenant({ company: 6789 });
  const { number } = await other.issue({ amount: '10.00' });
  isApproved(await other.till().checkout({ card: number, amount: 5, order: newOrder() }));
  isApproved(await other.till().checkBalance({ card: number }));
  (await place.doctor()).has({ checkout: 'todo', check_balance: 'todo', signatures: 'waits' });
});

test('a grant that was revoked at Lightspeed is red, and green when the merchant has consented again', async (t) => {
  const place = await (await Place.start(t)).settle();
  await place.cloud.control('POST', '/tokens/revoke', { company_id: COMPANY });
  const { code } = await place.service.cli(['oauth', 'refresh', '--tenant', '1']);
  assert.equal(code, 1);
  const report = (await place.doctor()).has({ grant: 'todo', company: 'waits', sites: 'waits' });
  assert.equal(report.line('grant').command, 'counterpart oauth start --tenant 1');
  await place.connect();
  (await place.doctor()).has({ grant: 'ok', company: 'ok', sites: 'ok' });
});

test('a site that was opened since, and a payment method that is gone, are told', async (t) => {
  const place = await (await Place.start(t)).settle();
  (await place.doctor()).has({ sites: 'ok', payment_method: 'ok' });
  await place.cloud.control('POST', '/sites', { id: 925, company_id: COMPANY, name: "O'Hara's; rm -rf /" });
  await place.tenant.set('--payment-method', '4711');
  const report = (await place.doctor()).has({ sites: 'todo', payment_method: 'todo' });
  assert.ok(report.line('sites').command.includes(shellQuote("O'Hara's; rm -rf /")), report.line('sites').command);
  await place.obey(report.line('sites'));
  await place.obey(report.line('payment_method'));
  (await place.doctor()).has({ sites: 'ok', payment_method: 'ok' });
});

test('a clock that differs from Lightspeed by more than half a minute is red, to either side', async (t) => {
  const place = await (await Place.start(t)).settle();
  for (const [seconds, state, sentence] of [
    [0, 'ok', /Shows what Lightspeed's does/],
    [20, 'ok', /Shows what Lightspeed's does/],
    [-3660, 'todo', /1 hour ahead of Lightspeed's/],
    [300, 'todo', /[45] minutes behind Lightspeed's/],
  ]) {
    place.clock.seconds = seconds;
    const report = (await place.doctor()).has({ clock: state });
    assert.match(report.line('clock').found, sentence);
  }
});

test('files that others may read are told, with the command that closes them', async (t) => {
  const place = await (await Place.start(t)).settle();
  fs.chmodSync(place.service.data, 0o755);
  fs.chmodSync(path.join(place.service.data, 'master.key'), 0o644);
  const report = (await place.doctor()).has({ data_folder: 'todo', master_key: 'todo' });
  await place.obey(report.line('data_folder'));
  await place.obey(report.line('master_key'));
  (await place.doctor()).has({ data_folder: 'ok', master_key: 'ok' });
});

test('a reward that pays wants an approval, and the line waits while Lightspeed thinks', async (t) => {
  const place = await (await Place.start(t)).settle();
  await place.service.must([
    ...['reward', 'add', '--tenant', '1', '--title', 'Pay', '--points', '10', '--effect', 'pay:5.00'],
  ]);
  let report = (await place.doctor()).has({ foreign_orders: 'todo' });
  await place.obey(report.line('foreign_orders'), { instead: { TEXT: 'asked', NAME: 'ops@example.com' } });
  (await place.doctor()).has({ foreign_orders: 'waits' });
  await place.service.must([
    ...['foreign-orders', 'record', '--tenant', '1', '--state', 'approved', '--reference', 'LS-1'],
    ...['--actor', 'ops@example.com', '--payment-max', '0', '--day-max', '0', '--expires', 'never'],
  ]);
  report = (await place.doctor()).has({ foreign_orders: 'ok' });
});

// --- how it is told

test('exit codes: 2 for a tenant that is not there, and for usage', async (t) => {
  const service = await Service.start();
  t.after(() => service.stop());
  assert.equal((await service.cli(['doctor', '--tenant', '4711'])).code, 2);
  assert.equal((await service.cli(['doctor'])).code, 2);
  assert.equal((await service.cli(['doctor', '--tenant', '1', '--nonsense'])).code, 2);
});

test('a terminal gets colours and signs, unless it wants none; the page stands alone', async (t) => {
  const place = await (await Place.start(t)).settle();
  await place.service.must(['tenant', 'set', '--tenant', '1', '--name', '<script>alert(1)</script>']);
  const env = { COUNTERPART_DATA: place.service.data, TERM: 'xterm' };
  const command = `${COUNTERPART} doctor --tenant 1`;
  const coloured = await run('script', ['-qec', command, '/dev/null'], { env });
  assert.equal(coloured.code, 1, coloured.stdout);
  assert.match(coloured.stdout, /\x1b\[32m.*✔ Data folder/);
  assert.match(coloured.stdout, /✘ Checkout: Never seen/);
  assert.match(coloured.stdout, new RegExp(`^ +https://${PUBLIC_NAME}${place.tenant.base}/checkout\\r$`, 'm'));
  const plain = await run('script', ['-qec', command, '/dev/null'], { env: { ...env, NO_COLOR: '1' } });
  assert.doesNotMatch(plain.stdout, /\x1b/);

  const file = path.join(temporaryDirectory(), 'doctor.html');
  const { code } = await place.service.cli(['doctor', '--tenant', '1', '--html', file]);
  assert.equal(code, 1);
  const page = fs.readFileSync(file, 'utf8');
  assert.match(page, /&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
  assert.doesNotMatch(page, /<script|src=|href=|@import|url\(/);
  assert.match(page, /Never seen/);
  const address = `https://${PUBLIC_NAME}${place.tenant.base}/refund`;
  assert.ok(page.includes(`The address: <code dir="auto">${address}</code>`), 'what is to be pasted stands alone');
  assert.ok(page.includes('<code dir="auto">counterpart tenant set --tenant 1 --refund off</code>'), 'and so does a command');
  assert.match(page, /<dt dir="auto">Payments, Checkout URL<\/dt><dd dir="auto">https:/);
  assert.match(page, /Made on 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d \(Australia\/Sydney\) by counterpart doctor\./);
  const told = await run('script', ['-qec', `${command} --html ${file}`, '/dev/null'], { env });
  assert.match(told.stdout, /doctor\.html: \d+ things to do/);
  assert.equal((await place.service.cli(['doctor', '--tenant', '1', '--html', '/nowhere/x.html'])).code, 2);
  const nobody = { env: { COUNTERPART_DATA: temporaryDirectory() } };
  assert.equal((await run(COUNTERPART, ['doctor', '--tenant', '1', '--html', file], nobody)).code, 1);
  assert.match(fs.readFileSync(file, 'utf8'), /It is not running[^]*Made by counterpart doctor\./);
});
