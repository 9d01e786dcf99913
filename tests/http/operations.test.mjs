// What operators rely on: health, metrics, logs without secrets, reloads, limits, and clear refusals
// to start.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import path from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { outsideTheSpec } from './contract.mjs';
import {
  COUNTERPART,
  ROOT,
  RawSocket,
  Service,
  TOKEN,
  areIdentical,
  certificate,
  freePort,
  holdConnections,
  isApproved,
  isJsonReply,
  isRefused,
  movements,
  newOrder,
  newTenant,
  rawRequest,
  releaseDisk,
  request,
  run,
  sign,
  sleep,
  smallDisk,
  temporaryDirectory,
  until,
} from './support.mjs';
import { IS_POSTGRES, sqliteOnly } from './store.mjs';

/** Runs a service for one test and stops it whatever happens. */
async function withService(options, body) {
  const service = await Service.start(options);
  let isDone = false;
  try {
    await body(service);
    isDone = true;
  } finally {
    if (!isDone) service.child.kill('SIGKILL');
  }
  await service.stop();
}

/** A start that must fail: {code, stderr}. */
async function failsToStart(env) {
  const end = await run(COUNTERPART, ['serve'], {
    env: { COUNTERPART_LISTEN: `127.0.0.1:${await freePort()}`, ...env },
    ms: 20_000,
  });
  assert.notEqual(end.code, 0, end.stderr);
  assert.equal(end.signal, null, `it ended by ${end.signal}: ${end.stderr}`);
  assert.ok(end.stderr.length > 0, 'it says why');
  assert.doesNotMatch(end.stderr, /Sanitizer/);
  return end;
}

// --- secrets in memory ---------------------------------------------------------------------------

test('no core is written and no debugger let in, unless somebody asks for it', async () => {
  // The files of a process in /proc are its own group's while it may be dumped, else root's.
  const group = process.getuid() === 0 ? 4242 : process.getgid();
  assert.notEqual(group, 0);
  const wrap = ['prlimit', '--core=4096:4096'];
  if (process.getuid() === 0) wrap.push('setpriv', `--regid=${group}`, '--clear-groups');
  const isSanitized = fs.readFileSync(COUNTERPART).includes('__asan_init');
  const look = ({ pid }) => ({
    core: /^Max core file size +(\d+ +\d+)/m.exec(fs.readFileSync(`/proc/${pid}/limits`, 'utf8'))[1].replace(/ +/, ' '),
    isOpen: fs.statSync(`/proc/${pid}/environ`).gid === group,
  });
  const env = { ASAN_OPTIONS: 'disable_coredump=0', TSAN_OPTIONS: 'halt_on_error=1:disable_coredump=0' }; // else they do it
  await withService({ env, wrap }, async (service) => {
    assert.deepEqual(look(service), { core: '0 0', isOpen: isSanitized }); // a sanitizer is a debugger
    await until('its start in the log', () => service.events.some(({ event }) => event === 'listening'));
    assert.ok(!service.events.some(({ event }) => event === 'core_dumps_are_on'));
  });
  await withService({ env: { ...env, COUNTERPART_CORE_DUMPS: 'on' }, wrap }, async (service) => {
    assert.deepEqual(look(service), { core: '4096 4096', isOpen: true });
    const warning = ({ event, level }) => event === 'core_dumps_are_on' && level === 'warning';
    await until('the warning', () => service.events.some(warning));
  });
  assert.match((await failsToStart({ COUNTERPART_CORE_DUMPS: 'yes' })).stderr, /CORE_DUMPS must be on or off/);
  assert.match((await run(COUNTERPART, ['help', 'serve'])).stdout, /COUNTERPART_CORE_DUMPS .*master key.*\[off\]/);
});

// --- health and metrics --------------------------------------------------------------------------

test('healthz is alive, readyz names store and hot tier', () =>
  withService({}, async (service) => {
    const health = await service.get('/healthz');
    isJsonReply(health);
    assert.equal(health.status, 200);
    const ready = await service.get('/readyz');
    isJsonReply(ready);
    assert.equal(ready.status, 200);
    assert.equal(ready.json.ready, true);
    assert.equal(ready.json.store.name, IS_POSTGRES ? 'postgresql' : 'sqlite');
    // Other processes of the same store would not know what is in this one's memory.
    assert.deepEqual(ready.json.hot, { name: IS_POSTGRES ? 'none' : 'memory', ok: true, hit_rate: '0.0000' });
    const head = await service.get('/readyz', { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.body.length, 0);
  }));

/** Prometheus text exposition: Map of name -> {type, samples: [{labels, value}]}. Throws on what is
 *  not of the format. */
function parseMetrics(text) {
  const families = new Map();
  assert.ok(text.endsWith('\n'));
  for (const line of text.trimEnd().split('\n')) {
    const meta = line.match(/^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/);
    if (meta) {
      const family = families.get(meta[2]) ?? { samples: [] };
      if (meta[1] === 'TYPE') {
        assert.ok(['counter', 'gauge', 'histogram'].includes(meta[3]), line);
        assert.equal(family.type, undefined, `TYPE twice: ${line}`);
        family.type = meta[3];
      }
      families.set(meta[2], family);
      continue;
    }
    const sample = line.match(
      /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\]|\\.)*",?)*)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[+-]Inf|NaN)$/,
    );
    assert.ok(sample, `not Prometheus text: ${line}`);
    const name = families.has(sample[1]) ? sample[1] : sample[1].replace(/_(bucket|sum|count)$/, '');
    assert.ok(families.has(name), `no TYPE before: ${line}`);
    const labels = Object.fromEntries(
      [...(sample[2] ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
    );
    families.get(name).samples.push({ name: sample[1], labels, value: Number(sample[3].replace('Inf', 'Infinity')) });
  }
  return families;
}

function isHistogram(family, name) {
  assert.equal(family?.type, 'histogram', name);
  const series = new Map();
  for (const { name: sample, labels, value } of family.samples) {
    const { le, ...rest } = labels;
    const key = JSON.stringify(rest);
    const one = series.get(key) ?? { buckets: [] };
    if (sample.endsWith('_bucket')) one.buckets.push([Number(le.replace('Inf', 'Infinity')), value]);
    else one[sample.slice(name.length + 1)] = value;
    series.set(key, one);
  }
  for (const [key, { buckets, sum, count }] of series) {
    assert.ok(Number.isFinite(sum) && Number.isFinite(count), `${name}${key}`);
    for (let i = 1; i < buckets.length; i++) {
      assert.ok(buckets[i][0] > buckets[i - 1][0], `${name}${key}: bounds rise`);
      assert.ok(buckets[i][1] >= buckets[i - 1][1], `${name}${key}: buckets are cumulative`);
    }
    assert.equal(buckets.at(-1)[0], Infinity);
    assert.equal(buckets.at(-1)[1], count);
  }
}

test('metrics are Prometheus text with every promised series, and count what happened', () =>
  withService({}, async (service) => {
    const shop = await newTenant(service);
    const { number: card } = await shop.issue({ amount: '20.00' });
    const order = newOrder();
    for (let i = 0; i < 3; i++) await shop.till().checkout({ card, amount: 5, order });
    await shop.till().checkout({ card: '9999999999999999', amount: 5, order });
    await shop.till().checkout({ card, amount: 5, order }, { token: 'wrong' });
    await shop.till().checkBalance({ card });
    const reply = await service.get('/metrics');
    assert.match(reply.headers['content-type'], /^text\/plain; version=0\.0\.4/);
    assert.equal(Number(reply.headers['content-length']), reply.body.length);
    const families = parseMetrics(reply.text);
    isHistogram(families.get('counterpart_request_duration_seconds'), 'counterpart_request_duration_seconds');
    isHistogram(families.get('counterpart_commit_batch_size'), 'counterpart_commit_batch_size');
    isHistogram(families.get('counterpart_commit_duration_seconds'), 'counterpart_commit_duration_seconds');
    const value = (name, labels = {}) =>
      families
        .get(name)
        ?.samples.filter((sample) => Object.entries(labels).every(([key, one]) => sample.labels[key] === String(one)))
        .reduce((sum, sample) => sum + sample.value, 0);
    assert.equal(value('counterpart_commit_queue_depth'), 0);
    assert.equal(value('counterpart_outcomes_total', { action: 'charge', result: 'ok' }), 3);
    assert.equal(value('counterpart_outcomes_total', { action: 'charge', result: 'not_found' }), 1);
    assert.equal(value('counterpart_requests_total', { route: 'oseries.checkout', status: '200' }), 4);
    assert.equal(value('counterpart_requests_total', { route: 'oseries.checkout', status: '401' }), 1);
    assert.equal(value('counterpart_requests_total', { route: 'oseries.check_balance', status: '200' }), 1);
    assert.ok(value('counterpart_signatures_total') >= 6);
    for (const name of [
      'counterpart_budget_trips_total',
      'counterpart_connections',
      'counterpart_connections_refused_total',
      'counterpart_hot_hits_total',
      'counterpart_hot_misses_total',
      'counterpart_hot_skipped_total',
    ])
      assert.ok(families.has(name), name);
    for (const [name, type] of [
      ['counterpart_outbound_requests_total', 'counter'],
      ['counterpart_outbound_in_flight', 'gauge'],
      ['counterpart_outbound_waiting', 'gauge'],
      ['counterpart_api_calls_total', 'counter'],
      ['counterpart_api_failures_total', 'counter'],
      ['counterpart_api_renewals_total', 'counter'],
      ['counterpart_api_waited_total', 'counter'],
      ['counterpart_api_waiting', 'gauge'],
    ]) {
      assert.equal(families.get(name)?.type, type, name);
      assert.equal(value(name), 0, name);
    }
    assert.doesNotMatch(reply.text, new RegExp(`${card}|${shop.key}|${TOKEN}`));
  }));

test('what operators are told to watch is there', () =>
  withService({ env: { COUNTERPART_REDIS: 'redis://127.0.0.1:1' } }, async (service) => {
    const manual = fs.readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const names = new Set(manual.match(/counterpart_[a-z_]+/g));
    const families = parseMetrics((await service.get('/metrics')).text);
    assert.ok(names.size > 20, `${names.size} names`);
    for (const name of names) assert.ok(families.has(name), name);
  }));

// --- logs ----------------------------------------------------------------------------------------

test('a whole session leaves no card number, PIN, token, key or body in the logs', () =>
  withService({ env: { COUNTERPART_LOG_LEVEL: 'debug' } }, async (service) => {
    const secrets = {
      token: 'tok-5d0c1f77e2',
      pin: '918273645501',
      marker: 'body-marker-77aa',
      previous: 'tok-previous-11',
    };
    const shop = await newTenant(service, {
      token: secrets.token,
      settings: ['--signature-token-previous', secrets.previous, '--last4', 'on'],
    });
    const { number: card } = await shop.issue({ amount: '50.00', pin: secrets.pin });
    const { number: stock } = await shop.issue({ settings: ['--stock'] });
    const { number: expired } = await shop.issue({ amount: '5.00', expires: '2020-01-01' });
    const till = shop.till();
    const order = newOrder();
    const note = { note: secrets.marker, [secrets.marker]: 1 };
    for (const typed of [
      `${card}*${secrets.pin}`,
      `${card}*${secrets.pin}0`.slice(0, -2),
      card,
      stock,
      expired,
      `%B${card}^A/B^4912?;${card}=4912?`,
      card.slice(-4),
    ]) {
      await till.checkout({ card: typed, amount: 1, order, ...note });
      await till.checkBalance({ card: typed, ...note });
      await till.topUp({ card: typed, amount: 1, order: newOrder(), ...note });
      await till.refund({ card: typed, amount: 1, order, ...note });
      await till.form('checkout', { card: typed, amount: '1.00', order: newOrder(), ...note });
    }
    const text = JSON.stringify(till.fields('checkout', { card, amount: 1, order, ...note }));
    for (const broken of [text.slice(0, -3), `${text}${text}`, text.replaceAll('"', "'"), `${card} ${secrets.marker}`])
      await till.send('checkout', broken);
    await till.send('checkout', text, { token: 'wrong' });
    await till.send('checkout', text, { token: null });
    await till.checkout({ card, amount: 1, order, reference_id: stock, company_id: 1 });
    await service.get(`${shop.base}/${card}/${secrets.marker}?card=${card}`);
    await service.cli(['sign', '--tenant', String(shop.id)], { input: text });
    await shop.show(card);
    await shop.set('--signature-token', `${secrets.token}-2`);
    await service.cli(['card', 'issue', '--tenant', String(shop.id), '--number', card, '--amount', '1']);
    const master = fs.readFileSync(path.join(service.data, 'master.key'), 'utf8').trim();
    service.child.kill('SIGTERM');
    await service.ended;
    assert.ok(service.events.length > 20, 'the session was logged');
    for (const [name, secret] of Object.entries({ ...secrets, card, stock, expired, key: shop.key, master }))
      assert.ok(
        !service.log.includes(secret),
        `${name} is in the log: ${service.log.split('\n').find((line) => line.includes(secret))}`,
      );
    const operation = service.events.find((event) => event.event === 'operation');
    assert.ok(
      Number.isInteger(operation.request_id) &&
        Number.isInteger(operation.operation_id) &&
        Number.isInteger(operation.card_id),
    );
  }));

// --- one process, one key ------------------------------------------------------------------------

test('a second process on the same data directory is refused with a clear message', () =>
  withService({}, async (service) => {
    const { stderr } = await failsToStart({ COUNTERPART_DATA: service.data });
    assert.match(stderr, /in use by another counterpart/);
    assert.match(stderr, new RegExp(String(service.pid)));
    assert.equal((await service.get('/readyz')).status, 200);
    await service.verifyIsClean();
  }));

test('an address that is taken is refused with a clear message', () =>
  withService({}, async (service) => {
    const { stderr } = await failsToStart({
      COUNTERPART_DATA: path.join(temporaryDirectory(), 'var'),
      COUNTERPART_LISTEN: `127.0.0.1:${service.port}`,
    });
    assert.match(stderr, /cannot listen/);
  }));

test("key and socket are the owner's alone", () =>
  withService({}, async (service) => {
    for (const file of ['master.key', 'admin.sock'])
      assert.equal(fs.statSync(path.join(service.data, file)).mode & 0o077, 0, file);
    assert.equal(fs.statSync(service.data).mode & 0o077, 0, 'the data directory');
  }));

test('a wrong, a missing and a widely readable master key are refused, and the right one still works', async () => {
  const service = await Service.start();
  const shop = await newTenant(service);
  const { number: card } = await shop.issue({ amount: '10.00' });
  await service.stop();
  const file = path.join(service.data, 'master.key');
  const right = fs.readFileSync(file);
  const env = { COUNTERPART_DATA: service.data };
  const isKept = () => assert.ok(!fs.existsSync(file) || !fs.readFileSync(file).equals(Buffer.alloc(0)));

  fs.writeFileSync(file, `${'ab'.repeat(32)}\n`);
  assert.match((await failsToStart(env)).stderr, /key/i);
  fs.writeFileSync(file, 'too short\n');
  assert.match((await failsToStart(env)).stderr, /key/i);
  fs.rmSync(file);
  assert.match((await failsToStart(env)).stderr, /key/i);
  assert.ok(!fs.existsSync(file), 'no new key is made for a store that has one');
  isKept();
  fs.writeFileSync(file, right);
  fs.chmodSync(file, 0o644);
  assert.match((await failsToStart(env)).stderr, /key/i);
  fs.chmodSync(file, 0o600);
  await service.restart();
  isApproved(await shop.till().checkBalance({ card }), { balance: '10.00' });
  await service.stop();
});

test('a configuration that cannot be meant is refused by name', async () => {
  const data = path.join(temporaryDirectory(), 'var');
  for (const [name, value] of Object.entries({
    THREADS: '0',
    BATCH_MAX: '513',
    HTTP2: 'maybe',
    LISTEN: 'nowhere',
    LOG_LEVEL: 'loud',
    REQUEST_TIMEOUT_S: '-1',
    TRUSTED_PROXIES: '10.0.0.0/99',
    DATABASE: 'postgresql://till:se%zzcret@x/name',
    REDIS: 'rediss://x',
    TLS_CERT: '/nowhere',
    CONNEXIONS_MAX: '5',
    PROFILES: '/nowhere',
  })) {
    const { stderr } = await failsToStart({ COUNTERPART_DATA: data, [`COUNTERPART_${name}`]: value });
    assert.match(
      stderr,
      name === 'LISTEN' ? /listen/ : name === 'PROFILES' ? /nowhere/ : new RegExp(`COUNTERPART_${name}`),
      stderr,
    );
  }
});

// --- reloads -------------------------------------------------------------------------------------

test('TLS is served, and a new certificate is taken up on SIGHUP without dropping anyone', async () => {
  const folder = temporaryDirectory();
  const first = await certificate(folder, 'first'),
    second = await certificate(folder, 'second');
  const cert = path.join(folder, 'live.crt'),
    key = path.join(folder, 'live.key');
  const install = (pair) => {
    fs.copyFileSync(pair.cert, cert);
    fs.copyFileSync(pair.key, key);
  };
  install(first);
  await withService(
    { scheme: 'https', env: { COUNTERPART_TLS_CERT: cert, COUNTERPART_TLS_KEY: key } },
    async (service) => {
      const ca = [fs.readFileSync(first.cert), fs.readFileSync(second.cert)];
      const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca });
      const subject = (agentOf) =>
        new Promise((resolve, reject) => {
          https
            .get(`${service.origin}/healthz`, { agent: agentOf, ca }, (res) => {
              const { CN } = res.socket.getPeerCertificate().subject;
              res.resume().once('end', () => resolve(CN));
            })
            .once('error', reject);
        });
      const shop = await newTenant(service);
      const { number: card } = await shop.issue({ amount: '10.00' });
      isApproved(await shop.till().checkBalance({ card }, { client: https, ca, agent: false }), { balance: '10.00' });
      assert.equal(await subject(agent), 'first.test');
      install(second);
      service.signal('SIGHUP');
      await until('the second certificate', async () => (await subject(false)) === 'second.test');
      assert.equal(await subject(agent), 'first.test', 'the connection from before is still the same one');
      agent.destroy();
      // A file that cannot be used leaves the last good one in force.
      fs.writeFileSync(cert, 'rubbish');
      service.signal('SIGHUP');
      await sleep(300);
      assert.equal(await subject(false), 'second.test');
      await assert.rejects(
        request(`http://127.0.0.1:${service.port}/healthz`, { method: 'GET', agent: false, ms: 3000 }),
        'plain HTTP on a TLS port',
      );
      assert.equal(await subject(false), 'second.test');
    },
  );
});

test('over TLS HTTP/2 is chosen only where it is switched on', async () => {
  const pair = await certificate(temporaryDirectory(), 'h2');
  const env = { COUNTERPART_TLS_CERT: pair.cert, COUNTERPART_TLS_KEY: pair.key };
  const ca = fs.readFileSync(pair.cert);
  const chosen = (service) =>
    new Promise((resolve, reject) => {
      const socket = tls.connect(
        { host: '127.0.0.1', port: service.port, ca, ALPNProtocols: ['h2', 'http/1.1'] },
        () => {
          resolve(socket.alpnProtocol);
          socket.destroy();
        },
      );
      socket.once('error', reject);
    });
  await withService({ scheme: 'https', env }, async (service) => assert.notEqual(await chosen(service), 'h2'));
  await withService({ scheme: 'https', env: { ...env, COUNTERPART_HTTP2: 'on' } }, async (service) => {
    assert.equal(await chosen(service), 'h2');
    const shop = await newTenant(service);
    const { number: card } = await shop.issue({ amount: '10.00' });
    const session = http2.connect(service.origin, { ca });
    const text = JSON.stringify(shop.till().fields('checkout', { card, amount: 1, order: newOrder() }));
    const send = () =>
      new Promise((resolve, reject) => {
        const parts = [];
        const stream = session.request({
          ':method': 'POST',
          ':path': `${shop.base}/checkout`,
          'content-type': 'application/json',
          'x-kounta-signature': sign(text),
        });
        let headers;
        stream.once('response', (received) => {
          headers = received;
        });
        stream.on('data', (part) => parts.push(part));
        stream.once('error', reject);
        stream.once('end', () => {
          const body = Buffer.concat(parts);
          resolve({ status: headers[':status'], headers, body, text: body.toString(), json: JSON.parse(body) });
        });
        stream.end(text);
      });
    const [first, second] = await Promise.all([send(), send()]);
    isApproved(first, { amount: '1.00', balance: '9.00' });
    areIdentical(first, second);
    session.close();
  });
});

const BUILT_IN_PROFILE = JSON.parse(fs.readFileSync(new URL('../../handlers/profiles/default.json', import.meta.url)));

test('a profile renames every request and reply field on SIGHUP, without rebuilding', async () => {
  const folder = temporaryDirectory();
  const file = path.join(folder, 'dialect.json');
  const write = (profile) => fs.writeFileSync(file, typeof profile === 'string' ? profile : JSON.stringify(profile));
  write({});
  await withService({ env: { COUNTERPART_PROFILES: folder } }, async (service) => {
    const shop = await newTenant(service, { settings: ['--profile', 'dialect'] });
    const { number: card } = await shop.issue({ amount: '100.00' });
    isApproved(await shop.till().checkout({ card, amount: 10, order: newOrder() }), {
      amount: '10.00',
      balance: '90.00',
    });

    const rename = (name) => `x_${name}_x`;
    const renamed = JSON.parse(JSON.stringify(BUILT_IN_PROFILE));
    for (const fields of Object.values(renamed.request))
      for (const [field, names] of Object.entries(fields)) fields[field] = names.map(rename);
    const lists = [
      renamed.reply.refusal,
      ...Object.values(renamed.reply)
        .filter((one) => !Array.isArray(one))
        .flatMap((one) => [one.success, one.failure]),
    ];
    for (const list of lists) for (const pair of list) pair.name = rename(pair.name);
    write(renamed);
    const inside = outsideTheSpec(shop, 'replies', 'its profile has other names');
    service.signal('SIGHUP');
    const till = shop.till();
    const send = (action, fields) =>
      till.send(
        action,
        JSON.stringify(
          Object.fromEntries(Object.entries(till.fields(action, fields)).map(([name, value]) => [rename(name), value])),
        ),
      );
    const names = (reply) => Object.keys(reply.json);
    await until(
      'the new names',
      async () => names(await send('check-balance', { card })).includes(rename('balance')),
    );

    const order = newOrder();
    const paid = await send('checkout', { card, amount: 10, order });
    assert.equal(paid.status, 200, paid.text);
    assert.deepEqual(
      names(paid),
      BUILT_IN_PROFILE.reply.checkout.success.map(({ name }) => rename(name)),
    );
    assert.equal(paid.json[rename('balance')], 80);
    areIdentical(await send('checkout', { card, amount: 10, order }), paid);
    const loaded = await send('top-up', { card, amount: 5, order: newOrder() });
    assert.deepEqual(
      names(loaded),
      BUILT_IN_PROFILE.reply.top_up.success.map(({ name }) => rename(name)),
    );
    const given = await send('refund', { card, amount: 10, order });
    assert.deepEqual(
      names(given),
      BUILT_IN_PROFILE.reply.refund.success.map(({ name }) => rename(name)),
    );
    assert.equal(given.json[rename('balance')], 95);
    const looked = await send('check-balance', { card });
    assert.deepEqual(
      names(looked),
      BUILT_IN_PROFILE.reply.check_balance.success.map(({ name }) => rename(name)),
    );
    const refused = await send('checkout', { card: '0000111122223333', amount: 10, order });
    assert.deepEqual(
      names(refused),
      BUILT_IN_PROFILE.reply.checkout.failure.map(({ name }) => rename(name)),
    );
    const unreadable = await till.send('checkout', '{');
    assert.deepEqual(
      names(unreadable),
      BUILT_IN_PROFILE.reply.refusal.map(({ name }) => rename(name)),
    );
    // The old names mean nothing any more: no company, no card.
    const old = await till.checkout({ card, amount: 10, order });
    assert.equal(old.json[rename('success')], false, old.text);

    // A file that is no profile changes nothing.
    write('{"request": 5');
    service.signal('SIGHUP');
    await sleep(300);
    assert.equal((await send('check-balance', { card })).json[rename('balance')], 95);
    inside();
    await service.verifyIsClean();
  });
});

test('a change of a tenant holds for the next request', () =>
  withService({}, async (service) => {
    const shop = await newTenant(service);
    const { number: card } = await shop.issue({ amount: '10.00' });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const till = shop.till({ agent });
    isApproved(await till.checkBalance({ card }));
    for (let i = 0; i < 5; i++) {
      await shop.set('--check-balance', 'off');
      isRefused(await till.checkBalance({ card }), /switched off/);
      await shop.set('--check-balance', 'on');
      isApproved(await till.checkBalance({ card }));
    }
    agent.destroy();
  }));

// --- ending --------------------------------------------------------------------------------------

test('SIGTERM under load loses no accepted request', async () => {
  const service = await Service.start();
  const shop = await newTenant(service);
  const { number: card } = await shop.issue({ amount: '500.00' });
  let answered = 0;
  for (let round = 0; round < 6; round++) {
    const sockets = await Promise.all(Array.from({ length: 40 }, () => RawSocket.connect(service.port)));
    // Accepted for certain: each has had an answer already.
    await Promise.all(
      sockets.map(async (raw) => {
        await raw.write(
          rawRequest(`${shop.base}/check-balance`, JSON.stringify(shop.till().fields('check-balance', { card }))),
        );
        isApproved(await raw.reply(1));
      }),
    );
    const orders = sockets.map(() => newOrder());
    // Written is in the kernel's hands, and with that accepted: also where nobody has read it yet.
    sockets.forEach((raw, i) =>
      raw.write(
        rawRequest(
          `${shop.base}/checkout`,
          JSON.stringify(shop.till().fields('checkout', { card, amount: 1, order: orders[i] })),
        ),
      ),
    );
    if (round > 0) await sleep(round * 2);
    service.child.kill('SIGTERM');
    await Promise.all(sockets.map((raw) => raw.reply(2)));
    await service.stop();
    const results = sockets.map((raw) => raw.replies[1]);
    for (const raw of sockets) raw.destroy();
    await service.restart();
    await service.verifyIsClean();
    const recorded = new Map(
      (await shop.show(card)).entries
        .filter((entry) => entry.action === 'charge')
        .map((entry) => [entry.order_id, entry]),
    );
    results.forEach((reply, i) => {
      assert.ok(
        reply,
        `round ${round}: request ${i} got no answer, and ${recorded.has(orders[i]) ? 'was' : 'was not'} executed`,
      );
      isApproved(reply, { amount: '1.00' });
      assert.equal(recorded.get(orders[i])?.result, 'ok', 'answered and recorded');
      answered++;
    });
  }
  assert.equal(answered, 240);
  await service.stop();
});

test('an idle connection does not hold up the end', async () => {
  const service = await Service.start();
  const raw = await RawSocket.connect(service.port);
  await raw.write('GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n');
  await raw.reply(1);
  const start = Date.now();
  await service.stop();
  assert.ok(Date.now() - start < 8000, `it took ${Date.now() - start} ms`);
  raw.destroy();
  assert.equal(await service.probe('/readyz'), 0);
});

test('while draining, readyz is red and the door is closed; what is under way is finished, then it ends', async () => {
  const service = await Service.start();
  const shop = await newTenant(service);
  const { number: card } = await shop.issue({ amount: '10.00' });
  const bytes = rawRequest(
    `${shop.base}/checkout`,
    JSON.stringify(shop.till().fields('checkout', { card, amount: 1, order: newOrder() })),
  );
  const held = await RawSocket.connect(service.port);
  await held.write(bytes.subarray(0, bytes.length - 10));
  const kept = await RawSocket.connect(service.port);
  await kept.write('GET /readyz HTTP/1.1\r\nHost: t\r\n\r\n');
  const before = await kept.reply(1);
  assert.deepEqual([before.status, before.json.ready, before.json.draining], [200, true, false]);

  service.child.kill('SIGTERM');
  await until('the draining to begin', () => service.events.some((event) => event.event === 'draining'));
  await until('the door to close', async () => (await service.probe('/readyz')) === 0);
  await kept.write('GET /readyz HTTP/1.1\r\nHost: t\r\n\r\n');
  const during = await kept.reply(2);
  assert.ok(during, 'an answer on the connection that was kept');
  isJsonReply(during);
  assert.deepEqual([during.status, during.json.ready, during.json.draining], [503, false, true]);
  assert.match(during.headers.connection, /close/i);
  await kept.closed();
  kept.destroy();
  assert.equal(service.child.exitCode, null, 'it waits for the request under way');

  const start = Date.now();
  await held.write(bytes.subarray(bytes.length - 10));
  const last = await held.reply(1);
  isApproved(last, { amount: '1.00', balance: '9.00' });
  await service.stop();
  assert.ok(Date.now() - start < 5000, `it ended ${Date.now() - start} ms after its last answer`);
  held.destroy();
});

test('during the notice of a drain readyz is red and everything is served, on new connections too; then it ends', async () => {
  const service = await Service.start({ env: { COUNTERPART_DRAIN_NOTICE_S: '600' } });
  const shop = await newTenant(service);
  const { number: card } = await shop.issue({ amount: '10.00' });
  const kept = await RawSocket.connect(service.port);
  service.child.kill('SIGTERM');
  await until('a red readyz', async () => (await service.probe('/readyz')) === 503);
  await sleep(300); // far more than a process without notice stays
  const sent = { card, amount: '1.00', order: newOrder() };
  const reply = await shop.till().checkout(sent);
  isApproved(reply, { amount: '1.00' });
  assert.match(reply.headers.connection, /close/i);
  await kept.write(rawRequest(`${shop.base}/checkout`, JSON.stringify(shop.till().fields('checkout', sent))));
  const again = await kept.reply(1);
  areIdentical(again, reply);
  await kept.closed();
  kept.destroy();
  service.child.kill('SIGTERM'); // the second signal ends the notice
  await service.stop();
});

test('a data folder that others may enter is warned of at the start, a closed one is not', async () => {
  const warned = (service) => service.events.filter(({ event }) => event === 'data_folder_is_open');
  const data = path.join(temporaryDirectory(), 'var');
  fs.mkdirSync(data);
  fs.chmodSync(data, 0o755);
  const open = await Service.start({ data });
  await until('the warning', () => warned(open).length > 0);
  assert.deepEqual(
    warned(open).map(({ level, path: where, mode }) => [level, where, mode]),
    [['warning', data, '0755']],
  );
  await open.stop();
  fs.chmodSync(data, 0o700);
  const closed = await Service.start({ data });
  await closed.stop();
  assert.deepEqual(warned(closed), []);
});

test('SIGINT ends it as SIGTERM does', async () => {
  const service = await Service.start();
  service.child.kill('SIGINT');
  await service.stop();
});

// --- limits and proxies --------------------------------------------------------------------------

test('beyond the connection limit a client gets 503 in JSON, and a freed place is used again', () =>
  withService({ env: { COUNTERPART_CONNECTIONS_MAX: '20' } }, async (service) => {
    const shop = await newTenant(service);
    const { number: card } = await shop.issue({ amount: '10.00' });
    const held = await holdConnections(service, 20);
    const refused = await RawSocket.connect(service.port);
    await refused.write(
      rawRequest(`${shop.base}/check-balance`, JSON.stringify(shop.till().fields('check-balance', { card }))),
    );
    const reply = await refused.reply(1);
    assert.ok(reply, 'an answer, not just a closed door');
    isRefused(reply, null, { status: 503 });
    await refused.closed();
    refused.destroy();
    held.pop().destroy();
    await until(
      'the freed place',
      async () =>
        (
          await shop
            .till()
            .checkBalance({ card })
            .catch(() => ({}))
        ).status === 200,
    );
    for (const raw of held) raw.destroy();
    await until(
      'all places',
      async () =>
        /^counterpart_connections_refused_total [1-9]/m.test(
          (await service.get('/metrics').catch(() => ({ text: '' }))).text,
        ),
    );
  }));

test('X-Forwarded-For is believed from trusted proxies only, and only its last untrusted hop', async () => {
  const clientOf = async (service, forwarded) => {
    const shop = await newTenant(service);
    const before = service.events.length;
    await shop.till().checkBalance({ card: '1234' }, { token: 'wrong', headers: { 'X-Forwarded-For': forwarded } });
    return (
      await until('the log line', () => service.events.slice(before).find((event) => event.event === 'signature'))
    ).client;
  };
  await withService({ env: { COUNTERPART_TRUSTED_PROXIES: '127.0.0.0/8, 10.0.0.0/8' } }, async (service) => {
    assert.equal(await clientOf(service, '203.0.113.7'), '203.0.113.7');
    assert.equal(await clientOf(service, '198.51.100.9, 203.0.113.7'), '203.0.113.7');
    assert.equal(await clientOf(service, '203.0.113.7, 10.1.2.3'), '203.0.113.7');
    assert.equal(await clientOf(service, 'nonsense'), '127.0.0.1');
    // Many lines are one list (RFC 9110 section 5.3): what a caller invents stands in the first.
    assert.equal(await clientOf(service, ['198.51.100.9', '203.0.113.7']), '203.0.113.7');
    assert.equal(await clientOf(service, ['198.51.100.9', '203.0.113.7', '10.1.2.3']), '203.0.113.7');
    assert.equal(await clientOf(service, ['203.0.113.7', 'nonsense']), '127.0.0.1');
  });
  await withService({}, async (service) => assert.equal(await clientOf(service, '203.0.113.7'), '127.0.0.1'));
});

test('every reply carries a request id of its own, which the log knows', () =>
  withService({}, async (service) => {
    const shop = await newTenant(service);
    const { number: card } = await shop.issue({ amount: '10.00' });
    const one = await shop.till().checkout({ card, amount: 1, order: newOrder() });
    const two = await shop.till().checkout({ card, amount: 1, order: newOrder() });
    assert.notEqual(one.headers['x-request-id'], two.headers['x-request-id']);
    await until(
      'the log lines',
      () =>
        [one, two].every((reply) =>
          service.events.some(
            (event) => event.event === 'operation' && String(event.request_id) === reply.headers['x-request-id'],
          ),
        ),
      3000,
    );
  }));

// --- a store in trouble --------------------------------------------------------------------------

const DEADLINE_MS = 4000 + 1500; // the design's deadline, and a sanitizer build's slowness

async function isRefusedInTime(send) {
  const start = Date.now();
  const reply = await send();
  const took = Date.now() - start;
  isJsonReply(reply);
  assert.equal(reply.json.success, false, reply.text);
  assert.ok(took < DEADLINE_MS, `answered after ${took} ms`);
  return reply;
}

const ofDisk = sqliteOnly('the disk under the data folder is the database');

test('a full disk: nothing is charged and that is said, readyz is red all the time, room is enough to go on', ofDisk, async (t) => {
  const disk = smallDisk(16 * 1024 * 1024);
  if (!disk) {
    t.skip('A small disk cannot be mounted here: that needs root, and a container that allows mounting. NOT TESTED.');
    return;
  }
  await withService({ data: path.join(disk, 'var') }, async (service) => {
    const shop = await newTenant(service);
    const { number: card } = await shop.issue({ amount: '100.00' });
    const till = shop.till();
    let charged = 0;
    const charge = async (order) => {
      const reply = await till.checkout({ card, amount: '0.01', order });
      if (reply.json?.success) charged++;
      return reply;
    };
    const paid = newOrder();
    const approved = await charge(paid);
    assert.equal(charged, 1);

    const filler = path.join(disk, 'filler');
    const file = fs.openSync(filler, 'w');
    const fill = () => {
      try {
        for (;;) fs.writeSync(file, Buffer.alloc(4096));
      } catch (error) {
        assert.equal(error.code, 'ENOSPC');
      }
    };
    // The log has some room left inside; each time that it is emptied it gives some back.
    const refused = await until(
      'the first refusal',
      async () => {
        fill();
        const reply = await charge(newOrder());
        return reply.json?.success ? undefined : reply;
      },
      60_000,
    );
    assert.match(refused.json.error, /Nothing was charged/);
    await until('readyz to be red', async () => (await service.get('/readyz')).status === 503);

    const order = newOrder();
    const before = charged;
    const sentences = { checkout: /Nothing was charged/, topUp: /Nothing was loaded/, refund: /Nothing was refunded/ };
    const end = Date.now() + 4000; // some probes of the store, which come once a second
    let probes = 0;
    while (Date.now() < end) {
      for (const [action, sentence] of Object.entries(sentences)) {
        const reply = await isRefusedInTime(() => till[action]({ card, amount: '0.01', order }));
        isRefused(reply, sentence, { status: reply.status });
        // What writes nothing is answered as ever, and says nothing about the disk.
        areIdentical(await till.checkout({ card, amount: '0.01', order: paid }), approved);
        if (probes % 300 === 0 && probes < 1200) {
          const other = shop.till({ register: probes, site: probes }); // its budget of misses is its own
          isRefused(await other.checkout({ card: '0000111122223333', amount: 1, order }), /^Card not found/);
        }
        const { status, json } = await service.get('/readyz');
        assert.equal(status, 503, `readyz ${JSON.stringify(json)} after a refused ${action}, probe ${probes}`);
        probes++;
      }
    }
    // Nobody asks for anything but readiness: that makes no room either.
    for (let i = 0; i < 30; i++) {
      await sleep(100);
      assert.equal(
        (await service.get('/readyz')).status,
        503,
        `readyz beside a full disk and no traffic, ${i * 100} ms`,
      );
    }
    t.diagnostic(`${charged} charges until the disk was full, then ${probes} refusals`);
    assert.equal(charged, before);
    isApproved(await till.checkBalance({ card }), { balance: (100 - charged / 100).toFixed(2) });

    fs.closeSync(file);
    fs.rmSync(filler);
    await until('the same order to be charged', async () => (await charge(order)).json.success);
    await until('readyz to be green', async () => (await service.get('/readyz')).status === 200);
    isApproved(await till.checkBalance({ card }), { balance: (100 - charged / 100).toFixed(2) });
    await service.verifyIsClean();
  });
  releaseDisk(disk);
});

test('a failing disk is told in JSON within the deadline, and service resumes without a restart', ofDisk, async () => {
  // The kernel's file-size limit stands for it: writes fail, everything else works. Whether what was
  // written so far will count is then not known, and nothing else is decided before it is.
  const wrap = ['sh', '-c', 'trap "" XFSZ; exec "$0" "$@"'];
  await withService({ wrap }, async (service) => {
    const shop = await newTenant(service);
    const { number: card } = await shop.issue({ amount: '10.00' });
    const till = shop.till();
    const limit = async (value) => {
      const { code, stderr } = await run('prlimit', ['--pid', String(service.child.pid), `--fsize=${value}:`]);
      assert.equal(code, 0, stderr);
    };
    isApproved(await till.checkout({ card, amount: 1, order: newOrder() }), { balance: '9.00' });
    await limit('1024');
    const order = newOrder();
    isRefused(await isRefusedInTime(() => till.checkout({ card, amount: 1, order })), /^Not confirmed/);
    isRefused(await isRefusedInTime(() => till.topUp({ card, amount: 1, order: newOrder() })), /^Not done/);
    await until('readyz to be red', async () => (await service.get('/readyz')).status === 503);
    isApproved(await till.checkBalance({ card }), { balance: '9.00' });
    await limit('unlimited');
    await until(
      'the next checkout to work',
      async () => (await till.checkout({ card, amount: 1, order })).json.success,
    );
    await until('readyz to be green', async () => (await service.get('/readyz')).status === 200);
    isApproved(await till.checkBalance({ card }), { balance: '8.00' });
    await service.verifyIsClean();
  });
});

test('a locked database is told in JSON within the deadline, and what was told as not done is not done later', () =>
  withService({}, async (service) => {
    const shop = await newTenant(service);
    const { number: card } = await shop.issue({ amount: '10.00' });
    const till = shop.till();
    const unlock = await service.lockStore();
    const orders = Array.from({ length: 20 }, newOrder);
    // Some are taken by the committer, which waits for the lock; the others wait in its queue.
    const replies = await Promise.all(
      orders.map(async (order, i) => {
        await sleep(i * 100);
        return isRefusedInTime(() => till.checkout({ card, amount: '0.10', order }));
      }),
    );
    const notDone = orders.filter((_, i) => /^Not done|Nothing was charged/.test(replies[i].json.error));
    for (const reply of replies) assert.match(reply.json.error, /^Not done|Nothing was charged|^Not confirmed/);
    assert.ok(notDone.length > 0);
    isApproved(await till.checkBalance({ card }), { balance: '10.00' });
    unlock();
    const next = newOrder();
    await until(
      'the next checkout to work',
      async () => (await till.checkout({ card, amount: 1, order: next })).json.success,
    );
    const charged = movements(await shop.show(card)).map((entry) => entry.order_id);
    for (const order of notDone)
      assert.ok(!charged.includes(order), `order ${order} was told as not done and is charged`);
    for (const order of orders) isApproved(await till.checkout({ card, amount: '0.10', order }), { amount: '0.10' });
    isApproved(await till.checkBalance({ card }), { balance: '7.00' });
    await service.verifyIsClean();
  }));

/** Every event that the program logs, from its sources: {name: its levels, in order, as text}. */
function loggedEvents() {
  const order = ['debug', 'info', 'warning', 'error'];
  const levels = new Map();
  for (const folder of ['base', 'ledger', 'store', 'runtime', 'oauth', 'lightspeed', 'handlers', 'service', 'mocks'])
    for (const name of fs.readdirSync(path.join(ROOT, folder), { recursive: true })) {
      if (!name.endsWith('.c')) continue;
      const text = fs.readFileSync(path.join(ROOT, folder, name), 'utf8');
      const calls = text.matchAll(/\b(?:log_event\(|format_line\(&buffer, (?=LOG_))([^,;]*),([^,;]*)/g);
      for (const [call, level, event] of calls) {
        const names = [...event.matchAll(/"(\w+)"/g)];
        const found = [...level.matchAll(/\bLOG_(DEBUG|INFO|WARNING|ERROR)\b/g)].map(([, each]) => each.toLowerCase());
        assert.ok(names.length > 0 && found.length > 0, `${folder}/${name}: ${call}`);
        for (const [, each] of names) levels.set(each, new Set([...(levels.get(each) ?? []), ...found]));
      }
    }
  const inOrder = (set) => order.filter((level) => set.has(level)).join(', ');
  return Object.fromEntries([...levels].sort().map(([name, set]) => [name, inOrder(set)]));
}

test('every event of the log is in the manual with its levels, and nothing else is', () => {
  const manual = fs.readFileSync(path.join(ROOT, 'docs/operations.md'), 'utf8');
  const rows = manual.split('| event | level |')[1].split('\n').slice(2);
  const told = rows.slice(0, rows.findIndex((row) => !row.startsWith('|'))).flatMap((row) => {
    const [, names, level, meaning] = row.split(' | ').length === 3 ? /^\| (.*?) \| (.*?) \| (.*) \|$/.exec(row) : [];
    assert.ok(meaning, row);
    return [...names.matchAll(/`(\w+)`/g)].map(([, name]) => [name, level]);
  });
  const logged = loggedEvents();
  for (const event of ['duty_is_anothers', 'log_dropped', 'core_dumps_are_on', 'postgres_failed', 'work'])
    assert.ok(event in logged, event);
  assert.deepEqual(Object.fromEntries(told.sort()), logged);
  assert.equal(told.length, Object.keys(logged).length, 'each once');
});

test('signing through the CLI gives what a register sends', () =>
  withService({}, async (service) => {
    const shop = await newTenant(service);
    const text = '{"a":"caf\u00e9"}\n';
    const { stdout, code } = await service.cli(['sign', '--tenant', String(shop.id)], { input: text });
    assert.equal(code, 0);
    assert.ok(stdout.includes(sign(text)), stdout);
  }));
