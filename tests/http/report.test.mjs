// What people read: `counterpart reconcile`, `explain` and `tail`, against the real service. What registers showed is
// written into its store by hand here, row by row, so that each state and reason is there; the scan that would make
// such rows itself finds nothing new, because its cursor stands behind all operations.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { connect, startPair } from './loyal.mjs';
import {
  COUNTERPART,
  isApproved,
  isRefused,
  newOrder,
  run,
  shellQuote,
  sleep,
  temporaryDirectory,
  until,
} from './support.mjs';
import { blobLiteral } from './store.mjs';

const HOSTILE = '<script>alert(1)</script> & "Söhne\'s"';
const DAY = 86_400_000_000;
const ACTION = { charge: 2, top_up: 3, refund: 4 };
const STATE = { open: 1, confirmed: 2, reversed: 3, listed: 4 };
const REASON = { none: 0, no_order: 2, unreadable: 3, order_open: 4, seen_missing: 5, card_empty: 11 };

let service, cloud;

after(async () => {
  await service.stop();
  await cloud.stop();
});

const sql = (text, of = service) => of.sql(text);

/** What a person sees: the command on a pseudo-terminal that is so wide. */
async function onTerminal(args, columns = 200) {
  const command = `stty cols ${columns}; ${[COUNTERPART, ...args].map(shellQuote).join(' ')}`;
  const end = await run('script', ['-qec', command, '/dev/null'], { env: { COUNTERPART_DATA: service.data } });
  return { code: end.code, text: end.stdout.replaceAll('\r', '') };
}

const of = (tenant) => ['--tenant', String(tenant.id)];
const minor = (amount) => Math.round(Number(amount) * 100);

let nextCompany = 1001;

/** A merchant who is not connected. */
const newStranger = (options = {}) => service.addTenant({ company: nextCompany++, ...options });

/** The cloud has two companies, so there are two of these: 5678 and 6789. */
async function connected(options) {
  const tenant = await service.addTenant({ token: null, ...options });
  tenant.token = cloud.signatureToken;
  await connect(service, cloud, tenant);
  return tenant;
}

/** A charge that went through: its operation, as `card show` has it. */
async function charge(tenant, card, amount, { order = newOrder(), site, register } = {}) {
  isApproved(await tenant.till({ site, register }).checkout({ card: card.number, amount, order }));
  return { ...(await tenant.show(card.number)).entries[0], card_id: card.card_id };
}

const localDate = (at, timeZone = 'Australia/Sydney') =>
  new Intl.DateTimeFormat('sv-SE', { timeZone }).format(new Date(at));
const dayNumber = (date) => Date.parse(`${date}T00:00:00Z`) / 86_400_000;

/** The row that reconciliation keeps of an operation. shown: what the register shows of it. */
function prove(tenant, operation, state, reason, { shown = 0, ledger, days = 0, suspect = 0, missing = 0 } = {}) {
  const sign = operation.action === 'refund' ? -1 : operation.action === 'charge' ? 1 : 0;
  const booked = sign * minor(operation.amount);
  const at = Date.parse(operation.at) * 1000;
  const values = [
    operation.operation_id,
    tenant.id,
    operation.order_id,
    operation.card_id,
    operation.site_id,
    operation.register_id,
    ACTION[operation.action],
    booked,
    dayNumber(localDate(operation.at)) - days,
    STATE[state],
    REASON[reason],
    suspect,
    shown ? operation.order_id : 0,
    shown ? 1 : 0,
    missing,
    at,
    at + 60_000_000,
    ledger ?? booked,
    shown,
    ...[0, 0, 0], // never confirmed before
  ];
  return `INSERT INTO proof VALUES (${values.join(', ')});`;
}

/** A payment of ours on an order that nobody claims. */
const stray = (tenant, { order, number = 1, site = 923, amount, ref = '', date }) =>
  `INSERT INTO register_payment VALUES (${tenant.id}, ${order}, ${number}, ${site}, 9091, 11, ${amount}, ` +
  `'${ref.replaceAll("'", "''")}', 0, ${dayNumber(date)}, ${Date.now() * 1000});`;

/** The work that looks at an order: open until it is due, or given up. */
function work(tenant, order, { due = 0, reason }) {
  const identity = blobLiteral(`${BigInt(order).toString(16).padStart(16, '0')}${'0'.repeat(48)}`);
  return (
    'INSERT INTO work (tenant_id, kind, subject_id, identity, state, attempts, due_at_us, created_at_us, ' +
    `ended_at_us, reason) VALUES (${tenant.id}, 4, ${order}, ${identity}, ${due ? 1 : 3}, 3, ${due}, 1, ` +
    `${due ? 0 : 1}, '${reason}');`
  );
}

// --- reconcile -----------------------------------------------------------------------------------

let shop, operations;

/** A connected merchant with one operation in each state, and two payments that nobody claims. */
before(async () => {
  ({ service, cloud } = await startPair());
  await sql('UPDATE meta SET proof_cursor = 1000000000');
  shop = await connected({ name: `Rosie ${HOSTILE}`, company: 5678 });
  await shop.addSite({ name: HOSTILE, site: 923 });
  await shop.addSite({ name: 'Harbour Street', site: 924 });
  const card = await shop.issue({ amount: '5000.00' });
  const confirmed = await charge(shop, card, '1200.50');
  const open = await charge(shop, card, '25.00', { site: 924, register: 77 });
  const listed = await charge(shop, card, '10.00', { site: 925 });
  const reversed = await charge(shop, card, '7.00');
  const changed = await charge(shop, card, '3.00');
  const suspect = await charge(shop, card, '2.00');
  const day = localDate(confirmed.at);
  await sql(
    [
      prove(shop, confirmed, 'confirmed', 'none', { shown: 120050 }),
      prove(shop, open, 'open', 'order_open'),
      prove(shop, listed, 'listed', 'unreadable'),
      prove(shop, reversed, 'reversed', 'none', { ledger: 0 }),
      prove(shop, changed, 'confirmed', 'none', { shown: 300, ledger: 0 }),
      prove(shop, suspect, 'listed', 'card_empty', { days: 1, suspect: 1, missing: Date.now() * 1000 - DAY }),
      stray(shop, { order: 4711, amount: 1150, ref: "<img src=x onerror='1'>\u202e", date: day }),
      stray(shop, { order: 4711, number: 2, amount: -150, site: 924, date: day }),
    ].join('\n'),
  );
  // A sweep makes open work due at its end: those of the start are to be over.
  const isSwept = async () => {
    const { text } = await service.get('/metrics');
    if (!/^counterpart_scheduled_runs_total\{task="sweep"\} [1-9]/m.test(text)) return false;
    const [{ n }] = await sql('SELECT count(*) AS n FROM work WHERE kind = 5 AND state = 1');
    return n === 0;
  };
  await until('the sweeps of the start to be over', isSwept, 30_000);
  const due = Date.now() * 1000 + DAY;
  await sql(work(shop, open.order_id, { due, reason: '<b>HTTP 503</b>' }));
  operations = { confirmed, open, listed, reversed, changed, suspect, day };
});

const reconcile = (...args) => service.cli(['reconcile', ...args]);

test('the totals, the counts, and every open item with its reason, add up to the difference', async () => {
  const { code, json } = await reconcile(...of(shop));
  assert.equal(code, 1, 'something is open');
  assert.equal(json.tenants.length, 1);
  const [told] = json.tenants;
  assert.equal(told.tenant, shop.id);
  assert.equal(told.connection, 'connected');
  assert.equal(told.currency, 'AUD');
  // Register: 1200.50 + 3.00 + 11.50 - 1.50; ledger: 1200.50 + 25 + 10 + 2.
  assert.deepEqual([told.register_total, told.ledger_total, told.difference], ['1213.50', '1237.50', '-24.00']);
  const counts = ['operations', 'confirmed', 'reversed', 'open', 'listed', 'changed', 'unclaimed_payments'];
  assert.deepEqual(
    counts.map((name) => told[name]),
    [6, 2, 1, 1, 2, 1, 2],
  );
  assert.equal(json.open_items, 6);
  assert.equal(told.items.length, 6);
  assert.equal(told.items_add_up, true);
  assert.equal(json.is_complete, true);
  const sum = told.items.reduce((total, item) => total + minor(item.difference), 0);
  assert.equal(sum, minor(told.difference));
});

test('an item of each kind has the same stable members', async () => {
  const { items } = (await reconcile(...of(shop))).json.tenants[0];
  const item = (operation) => items.find(({ operation_id }) => operation_id === operation.operation_id);
  const open = item(operations.open);
  assert.deepEqual(
    { ...open, at: 0, since: 0, next_look_at: 0 },
    {
      state: 'open',
      reason: 'order_open',
      sentence: 'The order is still open',
      difference: '-25.00',
      amount: '25.00',
      action: 'charge',
      operation_id: operations.open.operation_id,
      reference: `CP1-${operations.open.operation_id}`,
      order_id: operations.open.order_id,
      card_last4: open.card_last4,
      site_id: 924,
      site: 'Harbour Street',
      register_id: 77,
      at: 0,
      date: operations.day,
      since: 0,
      missing_since: null,
      is_suspect: false,
      reversed: '0.00',
      recharged: '0.00',
      next_look_at: 0,
      look_reason: '<b>HTTP 503</b>',
    },
  );
  assert.match(open.card_last4, /^\d{4}$/);
  assert.match(open.next_look_at, /^\d{4}-\d\d-\d\dT/);
  assert.equal(item(operations.listed).site, null, 'a site that nobody has mapped has no name');
  assert.equal(item(operations.suspect).is_suspect, true);
  assert.equal(item(operations.changed).state, 'changed');
  assert.equal(item(operations.changed).difference, '3.00');
  assert.equal(item(operations.confirmed), undefined);
  assert.equal(item(operations.reversed), undefined);
  const payments = items.filter(({ state }) => state === 'unclaimed');
  assert.deepEqual(
    payments.map(({ order_id, payment_number, difference }) => [order_id, payment_number, difference]),
    [
      [4711, 1, '11.50'],
      [4711, 2, '-1.50'],
    ],
  );
  assert.equal(payments[0].reason, 'payment_unknown');
});

test('a name that turns the direction of writing is refused', async () => {
  for (const name of ['x \u202eevil', '\u2066x']) {
    const { code, json } = await service.cli(['tenant', 'set', ...of(shop), '--name', name]);
    assert.notEqual(code, 0);
    assert.match(json.error, /control character|printable/);
  }
});

test('the page stands alone, and hostile names are text in it', async () => {
  const file = path.join(temporaryDirectory(), 'report.html');
  const end = await reconcile(...of(shop), '--html', file);
  assert.equal(end.code, 1);
  assert.deepEqual(end.json, { html: file, open_items: 6, unproved_tenants: 0 });
  const html = fs.readFileSync(file, 'utf8');
  assert.equal(fs.existsSync(`${file}.part`), false);
  standsAlone(html);
  assert.doesNotMatch(html, /<script|<b>HTTP|<img/i);
  assert.doesNotMatch(html, /\u202e/, 'what turns the direction of writing is no text');
  const text = readable(html);
  const { operation_id: id } = operations.listed;
  assert.match(text.replace(/\s+/g, ' '), new RegExp(`Operation ${id}, reference CP1-${id}\\b`));
  assert.match(text, /6 items are open 4 of them need a person/);
  assert.match(text, /Register total \$1,213\.50 .*Ledger total \$1,237\.50 .*Difference -\$24\.00/);
  assert.match(text, /<script>alert\(1\)<\/script> & "Söhne's"/);
  assert.match(text, /<img src=x onerror='1'>/);
  assert.match(text, /Latest look: <b>HTTP 503<\/b>/);
  for (const title of ['Somebody has to look at these (2)', 'Payments that no card has made (2)', 'Not proved yet (2)'])
    assert.ok(text.includes(title), title);
});

test('one day, or a period, has its own totals and items', async () => {
  const yesterday = new Date((dayNumber(operations.day) - 1) * 86_400_000).toISOString().slice(0, 10);
  const [day] = (await reconcile(...of(shop), '--day', yesterday)).json.tenants;
  assert.deepEqual([day.from, day.until, day.items.length], [yesterday, yesterday, 1]);
  assert.deepEqual([day.register_total, day.ledger_total, day.difference], ['0.00', '2.00', '-2.00']);
  const [since] = (await reconcile(...of(shop), '--from', operations.day)).json.tenants;
  assert.deepEqual([since.from, since.until, since.items.length], [operations.day, null, 5]);
  const [until_] = (await reconcile(...of(shop), '--until', yesterday)).json.tenants;
  assert.deepEqual([until_.from, until_.until, until_.items.length], [null, yesterday, 1]);
  const before_ = await reconcile(...of(shop), '--until', '2020-01-01');
  assert.equal(before_.code, 0, 'nothing is open in a time without operations');
  for (const [args, code] of [
    [['--day', '2026-02-30'], 'bad_date'],
    [['--day', yesterday, '--from', yesterday], 'bad_date'],
    [['--from', operations.day, '--until', yesterday], 'bad_date'],
    [['--tenant', '4242'], 'unknown_tenant'],
  ]) {
    const refused = await reconcile(...(args[0] === '--tenant' ? [] : of(shop)), ...args);
    assert.equal(refused.code, 2, 'nothing was told');
    if (refused.json) assert.deepEqual([refused.json.open_items, refused.json.is_complete], [null, false]);
    assert.match(refused.stderr, new RegExp(`\\(${code}\\)`));
    assert.equal(refused.json.is_complete, false);
  }
});

test('on a terminal the items stand in columns, with money, local times and site names', async () => {
  const { code, text } = await onTerminal(['reconcile', ...of(shop)]);
  assert.equal(code, 1);
  assert.match(text, /register total +\$1,213\.50\n {2}ledger total +\$1,237\.50\n {2}difference +-\$24\.00\n/);
  assert.match(text, /6 operations: 2 confirmed, 1 reversed, 2 listed, 1 not proved yet/);
  assert.match(text, /2 payments that nobody claims/);
  assert.doesNotMatch(text, /accounted for/);
  const lines = text.split('\n');
  const header = lines.find((line) => line.includes('difference') && line.includes('order'));
  const end = header.indexOf('difference') + 'difference'.length;
  const rows = lines.filter((line) => /^ +\d+ +\d{4}-\d\d-\d\d/.test(line));
  assert.equal(rows.length, 6);
  const group = lines.slice(lines.indexOf(header));
  for (const row of group.slice(1, group.indexOf('')).filter((line) => rows.includes(line))) {
    assert.equal([...row].length, end, `amounts end in one column:\n${header}\n${row}`);
    assert.match(row, /[+-]\$[\d,]+\.\d\d$/);
  }
  assert.match(
    text,
    /Harbour Street +77 +\.\.\.\d{4} +charge +\$25\.00 +-\$25\.00\n +The order is still open\. So since/,
  );
  assert.match(text, /The register may never have got the answer\. Missing since/);
  assert.match(text, /Latest look: <b>HTTP 503<\/b>\. Next look \d{4}-\d\d-\d\d \d\d:\d\d/);
  for (const { operation_id: id } of [operations.open, operations.listed])
    assert.match(text.replace(/\s+/g, ' '), new RegExp(`\\. Operation ${id}, reference CP1-${id} `));
  assert.match(text, /payment 1 <img src=x /);
  assert.doesNotMatch(text, /\u202e/, 'no line of a report is turned around');
  assert.doesNotMatch(text, /\x1b/);
});

test('narrow terminals get reasons in several lines', async () => {
  const { text } = await onTerminal(['reconcile', ...of(shop)], 60);
  const sentence = text.split('\n').filter((line) => /^ {8}\S/.test(line));
  assert.ok(sentence.length > 6);
  for (const line of sentence) assert.ok(line.length <= 60, line);
});

test('of a merchant who is not connected the figures of the ledger are told, and that nothing can be proved', async () => {
  const other = await newStranger({ name: 'Never Connected' });
  const idle = await reconcile(...of(other));
  assert.equal(idle.code, 0, 'there is nothing to prove');
  const card = await other.issue({ amount: '10.00' });
  const { at } = await charge(other, card, '4.00');
  const order = newOrder();
  await charge(other, card, '3.00', { order });
  const { code, json } = await reconcile(...of(other));
  assert.equal(code, 1, 'it cannot be proved');
  const [told] = json.tenants;
  assert.deepEqual([told.connection, told.operations, told.ledger_total, told.open], ['none', 2, '7.00', 0]);
  assert.deepEqual(told.not_looked_at, {
    operations: 2,
    charges: 2,
    charged: '7.00',
    refunds: 0,
    refunded: '0.00',
    top_ups: 0,
    difference: '-7.00',
    since: at,
  });
  assert.deepEqual([json.open_items, json.unproved_tenants, told.items_add_up], [0, 1, true]);
  const { text } = await onTerminal(['reconcile', ...of(other)]);
  assert.match(text, /not connected with Lightspeed, so no order can be read and nothing can be proved/);
  assert.match(text, new RegExp(`counterpart oauth start --tenant ${other.id}\n`));
  assert.match(text, /ledger total +\$7\.00\n {2}2 charges of \$7\.00 since \d{4}-\d\d-\d\d \d\d:\d\d: nobody/);
  assert.doesNotMatch(text, /register total|not proved yet/, 'zeroes would say that the register shows nothing');
  assert.doesNotMatch(text, /accounted for/);
  const page = await reconcile(...of(other), '--html', '-');
  assert.equal(page.code, 1);
  standsAlone(page.stdout);
  assert.match(readable(page.stdout), /Nothing can be proved.*2 charges of \$7\.00 since/);
  const before_ = await reconcile(...of(other), '--until', '2020-01-01');
  assert.equal(before_.code, 0, 'there was nothing to prove then');
});

test('without --tenant all of them are told, one after the other', async () => {
  const all = await reconcile();
  const tenants = (await service.must(['tenant', 'list'])).tenants.map(({ id }) => id);
  assert.deepEqual(
    all.json.tenants.map(({ tenant }) => tenant),
    tenants,
  );
  assert.equal(all.code, 1);
  const { text } = await onTerminal(['reconcile']);
  assert.ok(text.indexOf('Rosie') < text.indexOf('Never Connected'));
});

test('a long list comes whole, page by page, in each of its forms', async () => {
  const busy = await newStranger({ name: 'Busy', currency: 'JPY', timezone: 'Asia/Tokyo' });
  const card = await busy.issue({ amount: '1000' });
  const till = busy.till();
  const count = 450;
  for (let i = 0; i < count; i += 50)
    await Promise.all(
      Array.from({ length: 50 }, () => till.checkout({ card: card.number, amount: '1', order: newOrder() })),
    );
  const rows = await sql(
    `INSERT INTO proof SELECT id, tenant_id, order_id, card_id, site_id, register_id, action, amount_minor, ` +
      `19000 + id % 3, CASE id % 2 WHEN 0 THEN 1 ELSE 4 END, 3, 0, 0, 0, 0, created_at_us, created_at_us, ` +
      `amount_minor, 0, 0, 0, 0 FROM operation WHERE tenant_id = ${busy.id} AND action = 2 RETURNING operation_id`,
  );
  assert.equal(rows.length, count);
  const { json } = await reconcile(...of(busy));
  assert.deepEqual([json.open_items, json.tenants[0].items.length], [count, count]);
  assert.equal(new Set(json.tenants[0].items.map(({ operation_id }) => operation_id)).size, count);
  assert.equal(json.tenants[0].items_add_up, true);
  assert.equal(json.tenants[0].difference, '-450');
  const { text } = await onTerminal(['reconcile', ...of(busy)]);
  assert.equal(text.match(/The order cannot be read\. So since/g).length, count);
  assert.match(text, /difference +-¥450\n/);
  const page = await reconcile(...of(busy), '--html', '-');
  assert.equal(page.code, 1);
  assert.equal(tags(page.stdout).filter((tag) => tag.name === 'tr').length, count + 2, 'two tables');
});

// --- the page ------------------------------------------------------------------------------------

const VOID = new Set(['meta', 'path', 'circle']);

/** The page's tags in order; asserts that they are well-formed and close each other. */
function tags(html) {
  const open = [];
  const found = [];
  assert.ok(html.startsWith('<!doctype html>\n<html lang="en">'));
  const body = html.replace('<!doctype html>', '').replace(/<style>[\s\S]*?<\/style>/, '');
  for (const [whole, close, name, attributes] of body.matchAll(/<(\/?)([a-z][a-z0-9]*)((?:[^">]|"[^"]*")*)>/g)) {
    if (close) {
      assert.equal(open.pop(), name, `${whole} closes another tag`);
    } else {
      assert.match(attributes, /^( [a-zA-Z-]+="[^"<>]*")*\/?$/, whole);
      if (!VOID.has(name)) open.push(name);
      found.push({ name, attributes });
    }
  }
  const text = body.replace(/<\/?[a-z](?:[^">]|"[^"]*")*>/g, '');
  assert.doesNotMatch(text, /[<>"']/, 'data that was not escaped');
  assert.deepEqual(open, []);
  return found;
}

/** Nothing is loaded from anywhere, and nothing runs. */
function standsAlone(html) {
  for (const { name, attributes } of tags(html)) {
    assert.ok(
      !['script', 'link', 'img', 'iframe', 'object', 'embed', 'base', 'form', 'a', 'image', 'use'].includes(name),
      name,
    );
    assert.doesNotMatch(attributes, / (src|href|srcset|style|on[a-z]+|action|background)=/, name);
  }
  const [, style] = html.match(/<style>([\s\S]*?)<\/style>/);
  assert.doesNotMatch(style, /url\(|@import|expression|https?:|<\//);
  assert.doesNotMatch(html, /https?:\/\//);
  assert.match(
    html,
    /Content-Security-Policy" content="default-src &#39;none&#39;|Content-Security-Policy" content="default-src 'none'/,
  );
}

const readable = (html) =>
  html
    .replace(/<style>[\s\S]*?<\/style>/, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => ({ amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" })[name])
    .replace(/\s+/g, ' ');

test('when all is accounted for the page says so, and shows no table', async () => {
  const quiet = await connected({ name: 'Quiet', company: 6789 });
  const card = await quiet.issue({ amount: '10.00' });
  const none = await reconcile(...of(quiet), '--html', '-');
  assert.equal(none.code, 0);
  assert.match(readable(none.stdout), /There is nothing to account for/);
  const operation = await charge(quiet, card, '4.00');
  await sql(prove(quiet, operation, 'confirmed', 'none', { shown: 400 }));
  const { code, stdout } = await reconcile(...of(quiet), '--html', '-');
  assert.equal(code, 0);
  standsAlone(stdout);
  assert.match(readable(stdout), /Everything is accounted for/);
  assert.equal(
    tags(stdout).some(({ name }) => name === 'table'),
    false,
  );
  const { text } = await onTerminal(['reconcile', ...of(quiet)]);
  assert.match(text, /Everything is accounted for\n/);
});

test('the page of all merchants has an overview, and details of those of whom there is something to say', async () => {
  const { stdout } = await reconcile('--html', '-');
  standsAlone(stdout);
  const text = readable(stdout);
  assert.match(text, /Merchant State Register total Ledger total Difference Operations/);
  assert.match(text, /Quiet tenant \d+ accounted for/);
  assert.match(text, /Never Connected tenant \d+ not connected AUD \$7\.00/);
  assert.match(text, /Not everything can be proved/);
  assert.equal(text.split('Everything is accounted for').length, 1, 'no details of who is accounted for');
});

test('a page that cannot be written, or cannot be made, says so', async () => {
  const folder = temporaryDirectory();
  const nowhere = await reconcile(...of(shop), '--html', path.join(folder, 'none', 'report.html'));
  assert.equal(nowhere.code, 2);
  assert.match(nowhere.stderr, /cannot be written: No such file/);
  const file = path.join(folder, 'report.html');
  fs.writeFileSync(file, 'yesterday: everything is accounted for');
  const unknown = await reconcile('--tenant', '4242', '--html', file);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /unknown_tenant/);
  const html = fs.readFileSync(file, 'utf8');
  standsAlone(html);
  assert.match(readable(html), /This report could not be made/);
  const gone = await service.cli(['reconcile'], { env: { COUNTERPART_DATA: folder } });
  assert.equal(gone.code, 2);
  assert.match(gone.stderr, /the service is not running/);
});

test('what the scan has not reached is in the totals, and nothing is accounted for before', async (t) => {
  const pair = await startPair(t, { env: { COUNTERPART_RECONCILE_SCAN_S: '3600' } });
  const tenant = await pair.service.addTenant({ token: null, company: 5678 });
  tenant.token = pair.cloud.signatureToken;
  const none = await pair.service.cli(['reconcile', ...of(tenant)]);
  assert.equal(none.code, 0);
  await connect(pair.service, pair.cloud, tenant);
  const card = await tenant.issue({ amount: '100.00' });
  const order = newOrder();
  isApproved(await tenant.till().checkout({ card: card.number, amount: '25.50', order }));
  isApproved(await tenant.till().refund({ card: card.number, amount: '5.50', order }));
  const { code, json } = await pair.service.cli(['reconcile', ...of(tenant)]);
  assert.equal(code, 1);
  const [told] = json.tenants;
  assert.deepEqual([told.register_total, told.ledger_total, told.difference], ['0.00', '20.00', '-20.00']);
  assert.deepEqual([told.operations, told.not_looked_at.operations, told.items.length], [2, 2, 0]);
  assert.deepEqual([told.not_looked_at.charged, told.not_looked_at.refunded], ['25.50', '5.50']);
  assert.deepEqual([told.items_add_up, json.open_items, json.unproved_tenants], [true, 2, 0]);
  const today = localDate(new Date());
  const [day] = (await pair.service.cli(['reconcile', ...of(tenant), '--day', today])).json.tenants;
  assert.equal(day.not_looked_at.operations, 2);
  const earlier = await pair.service.cli(['reconcile', ...of(tenant), '--until', '2020-01-01']);
  assert.deepEqual([earlier.code, earlier.json.tenants[0].ledger_total], [0, '0.00']);
  const { stdout } = await pair.service.cli(['reconcile', ...of(tenant), '--html', '-']);
  assert.doesNotMatch(readable(stdout), /accounted for/);
  assert.match(readable(stdout), /1 charge of \$25\.50, 1 refund of \$5\.50 since .*: not looked at yet.*Not looked at 2/);
});

test('a connection that is broken is told beside the totals as they are known, and is no success', async (t) => {
  const pair = await startPair(t);
  const tenant = await pair.service.addTenant({ token: null, company: 5678 });
  tenant.token = pair.cloud.signatureToken;
  await connect(pair.service, pair.cloud, tenant);
  assert.equal((await pair.service.cli(['reconcile', ...of(tenant)])).code, 0);
  await pair.service.must(['oauth', 'revoke', ...of(tenant)]);
  const { code, json } = await pair.service.cli(['reconcile', ...of(tenant)]);
  assert.deepEqual([code, json.tenants[0].connection, json.unproved_tenants], [1, 'revoked', 1]);
  const { stdout } = await pair.service.cli(['reconcile', ...of(tenant), '--html', '-']);
  assert.match(readable(stdout), /The connection with Lightspeed was ended/);
});

// --- explain -------------------------------------------------------------------------------------

const explain = (tenant, ...args) => service.must(['explain', ...of(tenant), ...args]);

test('a card is explained from its first operation on: refusals, refunds and proofs included', async () => {
  const tenant = await newStranger({ name: 'Explained', settings: ['--partial', 'refuse'] });
  await tenant.addSite({ name: 'Main Street', site: 923 });
  const card = await tenant.issue({ amount: '30.00' });
  const order = newOrder();
  const paid = await charge(tenant, card, '25.50', { order });
  isRefused(await tenant.till().checkout({ card: card.number, amount: '100.00', order: newOrder() }));
  isApproved(await tenant.till().refund({ card: card.number, amount: '5.50', order }));
  await sql(prove(tenant, paid, 'confirmed', 'none', { shown: 2550 }));
  const told = await explain(tenant, '--card', card.number);
  assert.deepEqual(told.card.balance, '10.00');
  assert.deepEqual([told.brought_forward, told.previous], ['0.00', null]);
  assert.deepEqual(
    told.entries.map(({ action, result, moved, balance_after }) => [action, result, moved, balance_after]),
    [
      ['issue', 'ok', '30.00', '30.00'],
      ['charge', 'ok', '-25.50', '4.50'],
      ['charge', 'no_funds', '0.00', '4.50'],
      ['refund', 'ok', '5.50', '10.00'],
    ],
  );
  const sentences = told.entries.map(({ sentence }) => sentence);
  assert.equal(sentences[0], 'The merchant issued the card with $30.00 on it');
  assert.equal(sentences[1], `$25.50 was charged on order ${order} at Main Street, register 9091`);
  assert.match(
    sentences[2],
    /^A charge of \$100\.00 on order \d+ at Main Street, register 9091 was refused: the card had \$4\.50$/,
  );
  assert.equal(sentences[3], `$5.50 was refunded on order ${order} at Main Street, register 9091`);
  assert.deepEqual(
    told.entries.map(({ proof }) => proof?.state),
    [undefined, 'confirmed', undefined, undefined],
  );
  assert.equal(told.entries[1].proof.sentence, `Confirmed: order ${order} shows it as payment 1`);
  assert.equal(told.entries[3].transfers[0].answers_operation_id, paid.operation_id);
  assert.equal(told.entries[1].given_back, '5.50');
  // Moved and balances go hand in hand.
  told.entries.reduce((balance, entry) => {
    assert.equal(minor(entry.balance_after), balance + minor(entry.moved));
    return minor(entry.balance_after);
  }, 0);

  const { text } = await onTerminal(['explain', ...of(tenant), '--card', card.number]);
  assert.match(text, /^Card \.\.\.\d{4} of Explained: \$10\.00, active; times in Australia\/Sydney\n/);
  const rows = text.split('\n').filter((line) => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/.test(line));
  assert.equal(rows.length, 4);
  assert.equal(new Set(rows.map((row) => row.length)).size, 1, `aligned:\n${rows.join('\n')}`);
  assert.match(rows[1], /-\$25\.50 +\$4\.50$/);
  assert.match(text, new RegExp(`\\$5\\.50 of it answers operation ${paid.operation_id}\n`));
  assert.match(text, /Confirmed: order \d+ shows it as payment 1\n/);
});

test('an operation is explained with what answers it, its proof and its work', async () => {
  const tenant = await newStranger({ name: 'Operation' });
  const card = await tenant.issue({ amount: '30.00' });
  const order = newOrder();
  const paid = await charge(tenant, card, '20.00', { order });
  isApproved(await tenant.till().refund({ card: card.number, amount: '15.00', order }));
  isApproved(await tenant.till().refund({ card: card.number, amount: '5.00', order }));
  await sql(prove(tenant, paid, 'listed', 'seen_missing', { missing: Date.now() * 1000, suspect: 1 }));
  await sql(work(tenant, order, { reason: 'gone' }));
  await sql(
    `UPDATE proof SET was_order_id = order_id, was_payment_number = 3, was_confirmed_at_us = created_at_us + 2000` +
      ` WHERE operation_id = ${paid.operation_id}`,
  );
  const told = await explain(tenant, '--operation', String(paid.operation_id));
  assert.equal(told.operation.operation_id, paid.operation_id);
  assert.equal(told.operation.reference, `CP1-${paid.operation_id}`);
  const { operation: same } = await explain(tenant, '--operation', told.operation.reference);
  assert.deepEqual(same, told.operation);
  for (const wrong of ['CP', 'CP1', 'CP1-', 'CP1-0', 'CP01-1', `CP2-${paid.operation_id}`, `CP1-${'9'.repeat(80)}`])
    assert.match((await service.cli(['explain', ...of(tenant), '--operation', wrong])).stderr, /no reference of ours/);
  assert.equal(told.operation.proof.state, 'listed');
  assert.equal(told.answers_operation, null);
  assert.deepEqual(
    told.answers.map(({ action, moved }) => [action, moved]),
    [
      ['refund', '15.00'],
      ['refund', '5.00'],
    ],
  );
  assert.equal(told.operation.transfers.length, 1);
  assert.match(told.replay, /decided afresh: all of it was undone/);
  assert.deepEqual(
    told.work.map(({ kind, state, reason }) => [kind, state, reason]),
    [['prove_order', 'given_up', 'gone']],
  );
  const sentences = told.history.map(({ sentence }) => sentence);
  assert.equal(sentences.length, 6);
  assert.match(sentences[0], /^\$20\.00 was charged on order/);
  assert.match(sentences[1], /^Confirmed: order \d+ shows it as payment 3\. It does so no more$/);
  assert.ok(sentences.some((sentence) => /first read without it/.test(sentence)));
  assert.ok(sentences.some((sentence) => /refunded/.test(sentence)));
  assert.ok(sentences.some((sentence) => /^Somebody has to look at it/.test(sentence)));
  const times = told.history.map(({ at }) => at);
  assert.deepEqual(times, [...times].sort());
  const { text } = await onTerminal(['explain', ...of(tenant), '--operation', String(paid.operation_id)]);
  const note = /the latest finding is kept, and the latest confirmation before it: earlier ones are not here/;
  assert.match(told.history_note, note);
  assert.match(text.replace(/\s+/g, ' '), note);
  assert.match(text, /What is known of it, in order:/);
  assert.match(text, /prove_order \(work \d+\), given_up, ended at .*: gone/);

  const fresh = await charge(tenant, card, '1.00');
  const young = await explain(tenant, '--operation', String(fresh.operation_id));
  assert.match(young.replay, /within 90 s.*gets the same answer and moves nothing/);
  const other = await newStranger();
  const stranger = await service.cli(['explain', ...of(other), '--operation', String(fresh.operation_id)]);
  assert.equal(stranger.code, 1);
  assert.match(stranger.stderr, /This tenant has no such operation/);
  for (const args of [[], ['--card', card.number, '--operation', '1'], ['--card', '?']])
    assert.equal((await service.cli(['explain', ...of(tenant), ...args])).code, 1);
  assert.match((await service.cli(['explain', ...of(tenant)])).stderr, /Say which: 'card' or 'operation'/);
  const unknown = await service.cli(['explain', ...of(tenant), '--card', '9990000000000000']);
  assert.match(unknown.stderr, /There is no card with that number/);
});

test('a long history is told from its beginning, or its latest part with what was brought forward', async () => {
  const tenant = await newStranger({ name: 'Long' });
  const card = await tenant.issue({ amount: '500.00' });
  const count = 230;
  for (let i = 0; i < count; i++)
    isApproved(await tenant.till().checkout({ card: card.number, amount: '1.00', order: newOrder() }));
  const { entries, brought_forward, previous } = await explain(tenant, '--card', card.number);
  assert.equal(entries.length, count + 1);
  assert.deepEqual([brought_forward, previous], ['0.00', null]);
  assert.deepEqual(
    entries.map((entry) => entry.operation_id),
    entries.map((entry) => entry.operation_id).sort((a, b) => a - b),
  );
  const latest = await explain(tenant, '--card', card.number, '--limit', '10');
  assert.equal(latest.entries.length, 10);
  assert.equal(latest.brought_forward, '280.00');
  assert.equal(latest.previous, latest.entries[0].operation_id);
  const older = await explain(tenant, '--card', card.number, '--limit', '10', '--before', String(latest.previous));
  assert.equal(older.entries.at(-1).balance_after, latest.brought_forward);
  const { text } = await onTerminal(['explain', ...of(tenant), '--card', card.number, '--limit', '3']);
  assert.match(text, /Brought forward from earlier operations: \$273\.00\n/);
  const before_ = await onTerminal(['explain', ...of(tenant), '--card', card.number]);
  assert.doesNotMatch(before_.text, /Brought forward/);
});

test('a card that was issued and not used has one entry; its sealed number is never told', async () => {
  const tenant = await newStranger();
  const card = await tenant.issue({ amount: '0' });
  const told = await service.cli(['explain', ...of(tenant), '--card', card.number]);
  assert.equal(told.json.entries.length, 1);
  assert.ok(!told.stdout.includes(card.number));
});

test('what a register shows is in the report, and in the story of the card', async (t) => {
  const pair = await startPair(undefined, { env: { COUNTERPART_RECONCILE_SCAN_S: '0.2' } });
  t.after(() => pair.cloud.stop());
  t.after(() => pair.service.stop());
  const tenant = await pair.service.addTenant({ token: null });
  tenant.token = pair.cloud.signatureToken;
  await connect(pair.service, pair.cloud, tenant);
  const card = await tenant.issue({ amount: '50.00' });
  const order = await pair.cloud.order({ register_id: 9091 });
  const paid = await tenant.till().checkout({ card: card.number, amount: '3.50', order: order.id });
  isApproved(paid, { amount: '3.50' });
  await pair.cloud.control('POST', `/orders/${order.id}/payments`, {
    method: 'Our Gift Card',
    amount: 3.5,
    ref: paid.json.ref,
  });
  await pair.cloud.control('POST', `/orders/${order.id}/complete`, {});
  const told = await until('the order to confirm the charge', async () => {
    const { code, json } = await pair.service.cli(['reconcile', ...of(tenant)]);
    return json.tenants[0].confirmed === 1 && { code, ...json.tenants[0] };
  });
  assert.deepEqual([told.code, told.register_total, told.ledger_total, told.items], [0, '3.50', '3.50', []]);
  const { entries } = await pair.service.must(['explain', ...of(tenant), '--card', card.number]);
  assert.equal(entries.at(-1).proof.sentence, `Confirmed: order ${order.id} shows it as payment 1`);
});

// --- tail ----------------------------------------------------------------------------------------

/** `counterpart tail` under way: what it has printed so far, as lines. */
function tail(args, started = service) {
  const child = spawn(COUNTERPART, ['tail', ...args], {
    env: { PATH: process.env.PATH, COUNTERPART_DATA: started.data },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const told = { child, out: '', err: '' };
  const asked = () => started.events.filter(({ event, route }) => event === 'request' && route === 'admin.tail').length;
  const askedBefore = asked();
  /** It begins with what comes from now on. */
  told.begun = () => until('tail to ask for the first time', () => asked() > askedBefore);
  child.stdout.on('data', (data) => (told.out += data));
  child.stderr.on('data', (data) => (told.err += data));
  Object.defineProperty(told, 'objects', {
    get: () =>
      told.out
        .slice(0, told.out.lastIndexOf('\n') + 1) // of the last line perhaps only the beginning has come
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
  });
  told.end = () => {
    child.kill('SIGINT');
    return new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  };
  return told;
}

test('tail shows each operation as it comes, and no replay', async (t) => {
  const tenant = await newStranger({ name: 'Tailed', settings: ['--partial', 'refuse'] });
  await tenant.addSite({ name: 'Main Street', site: 923 });
  const card = await tenant.issue({ amount: '30.00' });
  const told = tail(of(tenant));
  t.after(() => told.child.kill('SIGKILL'));
  await told.begun();
  const order = newOrder();
  const paid = await charge(tenant, card, '5.00', { order });
  await until('the charge to be told', () => told.objects.length === 1);
  isApproved(await tenant.till().checkout({ card: card.number, amount: '5.00', order })); // the same again
  isRefused(await tenant.till().checkout({ card: card.number, amount: '50.00', order: newOrder() }));
  const stranger = await newStranger();
  await stranger.issue({ amount: '1.00' });
  await until('the refusal to be told', () => told.objects.length >= 2);
  await sleep(600);
  assert.deepEqual(
    told.objects.map(({ action, result, moved, balance_after }) => [action, result, moved, balance_after]),
    [
      ['charge', 'ok', '-5.00', '25.00'],
      ['charge', 'no_funds', '0.00', '25.00'],
    ],
  );
  const [first] = told.objects;
  assert.deepEqual(
    [first.tenant, first.operation_id, first.order_id, first.site, first.register_id, first.card_last4],
    [tenant.id, paid.operation_id, order, 'Main Street', 9091, card.last4],
  );
  assert.equal(await told.end(), 'SIGINT');
  assert.equal(told.err, '');

  const since = tail([...of(tenant), '--since', String(first.operation_id)]);
  t.after(() => since.child.kill('SIGKILL'));
  await until('what came after it', () => since.objects.length === 1);
  assert.equal(since.objects[0].result, 'no_funds');
  await since.end();
});

test('tail waits for a service that is restarted, says so, and misses nothing', async (t) => {
  const { service: own, cloud: ownCloud } = await startPair();
  t.after(() => ownCloud.stop());
  const tenant = await own.addTenant();
  const card = await tenant.issue({ amount: '30.00' });
  const told = tail([], own);
  t.after(() => told.child.kill('SIGKILL'));
  await told.begun();
  await charge(tenant, card, '1.00');
  await until('the first charge', () => told.objects.length === 1);
  await own.stop();
  await until('tail to say that it waits', () => /does not answer; waiting/.test(told.err));
  await own.restart();
  await charge(tenant, card, '2.00');
  await until('the second charge', () => told.objects.length === 2);
  assert.match(told.err, /answers again; going on after operation \d+\n/);
  assert.equal(told.err.trim().split('\n').length, 2, 'said once');
  assert.deepEqual(
    told.objects.map(({ moved }) => moved),
    ['-1.00', '-2.00'],
  );
  await told.end();
  await own.stop();
});

test('tail ends with a sentence where there is nothing to follow', async () => {
  const unknown = await service.cli(['tail', '--tenant', '4242']);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /unknown_tenant/);
  const gone = await service.cli(['tail'], { env: { COUNTERPART_DATA: temporaryDirectory() } });
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /the service is not running/);
});
