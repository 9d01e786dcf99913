// Rewards and points from the command line: what they print, for programs and for people, how they
// refuse, and that idle points expire while the service runs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { COUNTERPART, Service, newTenant, run, shellQuote, until } from './support.mjs';

let service, shop, yen;

before(async () => {
  service = await Service.start();
  shop = await newTenant(service);
  yen = await newTenant(service, { currency: 'JPY', timezone: 'Asia/Tokyo' });
});
after(async () => {
  await service.verifyIsClean();
  await service.stop();
});

const flags = (values) =>
  Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, String(value)]));
const of = (tenant, values = {}) => flags({ tenant: tenant.id, ...values });

let nextMember = 1;
const addMember = async (tenant, values = {}) =>
  (
    await service.must([
      'member',
      'add',
      ...of(tenant, { 'first-name': 'Ada', 'last-name': 'Tide', email: 'ada@example.com', code: `A-${nextMember++}`, ...values }),
    ])
  ).code;
const addReward = (tenant, values = {}) =>
  service.must(['reward', 'add', ...of(tenant, { title: 'Ten off', points: 20, effect: 'money_off:10.00', ...values })]);
const grant = (tenant, member, points, reason = 'goodwill') =>
  service.must(['points', 'grant', ...of(tenant, { member, points, reason })]);
const show = (tenant, member, values = {}) => service.must(['points', 'show', ...of(tenant, { member, ...values })]);

/** A refusal by the service: exit 1, one JSON object with sentence and code. */
async function refuses(args, code, sentence) {
  const end = await service.cli(args);
  assert.equal(end.code, 1, `${args.join(' ')}: ${end.stdout}${end.stderr}`);
  assert.equal(end.json?.success, false, end.stdout);
  assert.equal(end.json.code, code, end.stdout);
  assert.match(end.json.error, sentence);
}

/** A command line that cannot be meant: exit 2, nothing on stdout, a sentence on stderr. */
async function isUsage(args, sentence) {
  const end = await service.cli(args);
  assert.equal(end.code, 2, `${args.join(' ')}: ${end.stdout}${end.stderr}`);
  assert.equal(end.stdout, '');
  assert.match(end.stderr, sentence);
}

// --- rewards -------------------------------------------------------------------------------------

test('reward add prints the reward, whatever its effect', async () => {
  const money = await addReward(shop, { terms: 'One per visit' });
  assert.ok(Number.isInteger(money.id) && money.id > 0);
  assert.deepEqual(money, {
    id: money.id,
    title: 'Ten off',
    points: 20,
    effect: 'money_off:10.00',
    status: 'active',
    terms: 'One per visit',
  });
  const effects = {
    'money_off:10': 'money_off:10.00',
    'money_off:0.01': 'money_off:0.01',
    'percent_off:15': 'percent_off:15',
    'percent_off:12.5': 'percent_off:12.50',
    'percent_off:0.01': 'percent_off:0.01',
    'percent_off:100': 'percent_off:100',
    'product:7302': 'product:7302',
  };
  for (const [given, told] of Object.entries(effects)) assert.equal((await addReward(shop, { effect: given })).effect, told);
  assert.equal((await addReward(yen, { effect: 'money_off:500' })).effect, 'money_off:500');
  assert.equal((await addReward(shop, { title: 'Café 無料', terms: '' })).terms, '');
});

test('reward list has the tenant\'s rewards in order, and no one else\'s', async () => {
  const tenant = await newTenant(service);
  assert.deepEqual(await service.must(['reward', 'list', ...of(tenant)]), { rewards: [] });
  const first = await addReward(tenant);
  const second = await addReward(tenant, { title: 'Second', points: 1_000_000_000_000 });
  assert.deepEqual((await service.must(['reward', 'list', ...of(tenant)])).rewards, [first, second]);
});

test('a reward is disabled and enabled, and stays what it was', async () => {
  const reward = await addReward(shop, { effect: 'percent_off:33.33' });
  const which = of(shop, { reward: reward.id });
  assert.deepEqual(await service.must(['reward', 'disable', ...which]), { ...reward, status: 'disabled' });
  assert.equal((await service.must(['reward', 'disable', ...which])).status, 'disabled');
  const { rewards } = await service.must(['reward', 'list', ...of(shop)]);
  assert.equal(rewards.find(({ id }) => id === reward.id).status, 'disabled');
  assert.deepEqual(await service.must(['reward', 'enable', ...which]), reward);
});

test('a reward that is not there, or another tenant\'s, is refused', async () => {
  const reward = await addReward(shop);
  for (const verb of ['disable', 'enable']) {
    await refuses(['reward', verb, ...of(shop, { reward: 99999 })], 'unknown_reward', /no such reward/);
    await refuses(['reward', verb, ...of(yen, { reward: reward.id })], 'unknown_reward', /no such reward/);
    await refuses(['reward', verb, ...of(shop, { reward: 0 })], 'bad_number', /whole number from 1/);
  }
  const { rewards } = await service.must(['reward', 'list', ...of(shop)]);
  assert.equal(rewards.find(({ id }) => id === reward.id).status, 'active');
});

test('reward add says what is wrong', async () => {
  const bad = (values, code, sentence, tenant = shop) =>
    refuses(
      ['reward', 'add', ...of(tenant, { title: 'Ten off', points: 20, effect: 'money_off:10.00', ...values })],
      code,
      sentence,
    );
  const { rewards: before } = await service.must(['reward', 'list', ...of(shop)]);
  for (const points of ['0', '-5', '1.5', '20.0', '1e3', 'twenty', ' 20', '1000000000001', '99999999999999999999'])
    await bad({ points }, 'bad_number', /whole number from 1 to/);
  await bad({ points: '' }, 'missing', /'points' is missing/);
  for (const effect of ['', 'money', 'money_of:10', 'Money_Off:10', 'percent:15', '10.00', ':10', 'product 7302'])
    await bad({ effect }, 'bad_effect', /money_off:AMOUNT, percent_off:PERCENT, product:ID or pay:AMOUNT/);
  for (const value of ['', '0', '-1', '10.001', 'ten', '1e2', '1,50', '$5', '99999999999999999999'])
    await bad({ effect: `money_off:${value}` }, 'bad_effect', /amount above zero/);
  await bad({ effect: 'money_off:1.50' }, 'bad_effect', /amount above zero/, yen);
  for (const value of ['', '0', '-1', '100.01', '101', '15%', 'half', '0.001', '33.333'])
    await bad({ effect: `percent_off:${value}` }, 'bad_effect', /0\.01 to 100 percent/);
  for (const value of ['', '0', '-7', '7.5', 'latte', '99999999999999999999'])
    await bad({ effect: `product:${value}` }, 'bad_effect', /product's O-Series id/);
  for (const title of ['', 'Ten\u0007off', 'Ten\noff', 'Ten\u009boff', 'x'.repeat(81)])
    await bad({ title }, 'bad_text', /'title' must be 1 to 80 characters/);
  await bad({ terms: 'one\ttwo' }, 'bad_text', /'terms' must be 1 to 200 characters/);
  await refuses(
    ['reward', 'add', ...flags({ tenant: 9999, title: 'x', points: 1, effect: 'product:1' })],
    'unknown_tenant',
    /no tenant 9999/,
  );
  assert.deepEqual((await service.must(['reward', 'list', ...of(shop)])).rewards, before, 'nothing was added');
});

test('a tenant has at most a hundred rewards', async () => {
  const tenant = await newTenant(service);
  for (let i = 0; i < 100; i++) await addReward(tenant, { title: `Reward ${i}`, terms: '"'.repeat(200) });
  await refuses(
    ['reward', 'add', ...of(tenant, { title: 'One more', points: 1, effect: 'product:1' })],
    'too_many_rewards',
    /may have 100 rewards/,
  );
  assert.equal((await service.must(['reward', 'list', ...of(tenant)])).rewards.length, 100);
});

// --- points --------------------------------------------------------------------------------------

test('points are granted and taken, and every movement is shown', async () => {
  const member = await addMember(shop);
  const given = await grant(shop, member, 100, 'welcome');
  assert.deepEqual(given, { member, member_id: given.member_id, granted: 100, points: 100, held: 0, spendable: 100 });
  assert.equal((await grant(shop, member, -30, 'a mistake')).points, 70);
  const shown = await show(shop, member);
  assert.deepEqual(
    [shown.member, shown.first_name, shown.status, shown.points, shown.held, shown.spendable, shown.version],
    [member, 'Ada', 'active', 70, 0, 70, 2],
  );
  assert.deepEqual([shown.reservations, shown.open_reservations], [[], 0]);
  assert.deepEqual(
    shown.entries.map(({ cause, points, points_after, version, reason }) => ({ cause, points, points_after, version, reason })),
    [
      { cause: 'grant', points: -30, points_after: 70, version: 2, reason: 'a mistake' },
      { cause: 'grant', points: 100, points_after: 100, version: 1, reason: 'welcome' },
    ],
  );
  assert.ok(Math.abs(Date.parse(shown.entries[0].at) - Date.now()) < 60_000);
  assert.deepEqual((await show(shop, member, { limit: 1 })).entries.length, 1);
});

test('no more is taken than there is, and no more given than there may be', async () => {
  const member = await addMember(shop);
  await grant(shop, member, 10);
  await refuses(
    ['points', 'grant', ...of(shop, { member, points: -11, reason: 'too much' })],
    'not_enough',
    /more than can be taken: the member has 10 points/,
  );
  await refuses(
    ['points', 'grant', ...of(shop, { member, points: 1_000_000_000_000, reason: 'too much' })],
    'bad_amount',
    /more than the 1000000000000 points/,
  );
  assert.equal((await show(shop, member)).points, 10);
  assert.equal((await show(shop, member)).entries.length, 1);
});

test('granting says what is wrong', async () => {
  const member = await addMember(shop);
  const bad = (values, code, sentence, tenant = shop) =>
    refuses(['points', 'grant', ...of(tenant, { member, points: 5, reason: 'r', ...values })], code, sentence);
  for (const points of ['1.5', '5.0', 'five', '1e2', '+5', '--5', '1000000000001', '-1000000000001', '99999999999999999999'])
    await bad({ points }, 'bad_number', /whole number from -1000000000000 to 1000000000000/);
  await bad({ points: '0' }, 'bad_number', /must not be 0/);
  await bad({ points: '' }, 'missing', /'points' is missing/);
  for (const reason of ['', 'a\nb', '\u001b[31m', 'x'.repeat(121)])
    await bad({ reason }, 'bad_text', /'reason' must be 1 to 120 characters/);
  await bad({ member: 'nobody' }, 'unknown_member', /no member 'nobody' at this tenant/);
  await bad({ member: 'x'.repeat(65) }, 'bad_text', /'member' must be 1 to 64 characters/);
  await bad({}, 'unknown_member', /no member/, yen);
  await refuses(['points', 'show', ...of(yen, { member })], 'unknown_member', /no member/);
  await refuses(['points', 'show', ...of(shop, { member, limit: 201 })], 'bad_number', /from 1 to 200/);
  assert.deepEqual((await show(shop, member)).entries, []);
});

test('missing flags are named before anything is asked', async () => {
  await isUsage(['reward', 'add', ...of(shop, { title: 'x', points: 1 })], /--effect is missing/);
  await isUsage(['reward', 'disable', ...of(shop)], /--reward is missing/);
  await isUsage(['reward', 'list'], /--tenant is missing/);
  await isUsage(['points', 'grant', ...of(shop, { member: 'x', points: 1 })], /--reason is missing/);
  await isUsage(['points', 'show', ...of(shop)], /--member is missing/);
  await isUsage(['points', 'burn', ...of(shop)], /no subcommand|there is no/);
});

test('forty grants at once all count', async () => {
  const member = await addMember(shop);
  const ends = await Promise.all(Array.from({ length: 40 }, () => grant(shop, member, 5)));
  assert.deepEqual(
    ends.map(({ points }) => points).sort((a, b) => a - b),
    Array.from({ length: 40 }, (_, i) => 5 * (i + 1)),
    'each was told its own sum',
  );
  const shown = await show(shop, member, { limit: 200 });
  assert.deepEqual([shown.points, shown.version, shown.entries.length], [200, 40, 40]);
});

test('on a terminal, points and rewards are tables', async () => {
  const tenant = await newTenant(service);
  const member = await addMember(tenant);
  await addReward(tenant);
  await grant(tenant, member, 12);
  const onTerminal = async (args) => {
    const command = [COUNTERPART, ...args].map(shellQuote).join(' ');
    const end = await run('script', ['-qec', command, '/dev/null'], { env: { COUNTERPART_DATA: service.data } });
    assert.equal(end.code, 0, end.stdout);
    return end.stdout.replaceAll('\r', '');
  };
  const shown = await onTerminal(['points', 'show', ...of(tenant, { member })]);
  assert.match(shown, /^points +12$/m);
  assert.match(shown, /^reservations *\n +\(none\)$/m);
  assert.match(shown, /entry_id +cause +points +points_after/);
  assert.match(await onTerminal(['reward', 'list', ...of(tenant)]), /id +title +points +effect +status +terms *\n +\d+ +Ten off +20 +money_off:10\.00 +active/);
});

test('points survive kill -9', async (t) => {
  const own = await Service.start();
  t.after(() => own.child.kill('SIGKILL'));
  const tenant = await own.addTenant();
  const made = await own.must(['member', 'add', ...of(tenant, { 'first-name': 'B', 'last-name': 'C', email: 'b@example.com' })]);
  const which = { member: made.code, reason: 'r' };
  for (let i = 1; i <= 5; i++) {
    await own.must(['points', 'grant', ...of(tenant, { ...which, points: i })]);
    await own.kill();
    await own.restart();
  }
  const shown = await own.must(['points', 'show', ...of(tenant, { member: made.code })]);
  assert.deepEqual([shown.points, shown.version], [15, 5]);
  await own.verifyIsClean();
  await own.stop();
});

// --- expiry --------------------------------------------------------------------------------------

test('points of those who were long away expire while the service runs, and are counted', async (t) => {
  const own = await Service.start();
  t.after(() => own.child.kill('SIGKILL'));
  const days = (tenant, count) => tenant.set('--points-expire-days', String(count));
  const tenant = await own.addTenant({ company: 1 });
  const never = await own.addTenant({ company: 2 });
  await days(tenant, 10);
  const codes = {};
  for (const [name, where] of Object.entries({ idle: tenant, fresh: tenant, kept: never })) {
    const names = { 'first-name': name, 'last-name': 'X', email: 'x@example.com', points: 50 };
    codes[name] = (await own.must(['member', 'add', ...of(where, names)])).code;
  }
  await own.stop();
  const longAgo = (Date.now() - 11 * 86_400_000) * 1000;
  await own.sql(`UPDATE member SET active_at_us = ${longAgo} WHERE first_name <> 'fresh'`);
  await own.restart();
  const pointsOf = async (where, name) => (await own.must(['points', 'show', ...of(where, { member: codes[name] })])).points;
  await until('idle points to expire', async () => (await pointsOf(tenant, 'idle')) === 0);
  assert.equal(await pointsOf(tenant, 'fresh'), 50);
  assert.equal(await pointsOf(never, 'kept'), 50);
  const [newest] = (await own.must(['points', 'show', ...of(tenant, { member: codes.idle })])).entries;
  assert.deepEqual([newest.cause, newest.points, newest.points_after], ['expire', -50, 0]);
  await until('the run to be counted', async () =>
    /^counterpart_scheduled_runs_total\{task="points_expiry"\} 1$/m.test((await own.get('/metrics')).text),
  );
  assert.match((await own.get('/metrics')).text, /^counterpart_scheduled_failures_total\{task="points_expiry"\} 0$/m);
  await own.verifyIsClean();
  await own.stop();
});
