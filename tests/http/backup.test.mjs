// Back-up, restore and upgrade, as an operator does them: copies made under load, started elsewhere.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import {
  COUNTERPART,
  IS_SLOW,
  ROOT,
  Service,
  areIdentical,
  isApproved,
  newOrder,
  newTenant,
  run,
  temporaryDirectory,
  until,
} from './support.mjs';

const CLIENTS = IS_SLOW ? 3 : 8;

let service, shop;
before(async () => {
  service = await Service.start();
  shop = await newTenant(service);
});
after(() => service.stop());

const newFolder = () => path.join(temporaryDirectory(), 'copy');
const restore = (from, to) => run(COUNTERPART, ['restore', '--from', from, '--to', to]);

async function backUp(to = newFolder()) {
  const { code, json, stderr } = await service.cli(['backup', '--to', to]);
  assert.equal(code, 0, stderr);
  return { folder: to, told: json, stderr };
}

/** A service on a restored copy; what it was told. */
async function startRestored(folder) {
  const data = newFolder();
  const { code, json, stderr } = await restore(folder, data);
  assert.equal(code, 0, stderr);
  return { restored: await Service.start({ data }), told: json };
}

const operationOf = ({ json }) => Number(json.reference_id.match(/^CP1-(\d+)$/)[1]);

const balanceOf = async (where, number) => {
  const shown = await where.must(['card', 'show', '--tenant', String(shop.id), '--number', number]);
  return Math.round(Number(shown.balance) * 100);
};

test('a back-up made under load holds all that was answered before it, and verifies once restored', async () => {
  const clients = [];
  for (let i = 0; i < CLIENTS; i++) clients.push({ ...(await shop.issue({ amount: '500.00' })), charges: 0 });
  let isOver = false;
  const load = Promise.all(
    clients.map(async (client) => {
      while (!isOver) {
        isApproved(await shop.till().checkout({ card: client.number, amount: '0.01', order: newOrder() }));
        client.charges++;
      }
    }),
  );
  await until('some charges', () => clients.every(({ charges }) => charges > 5));
  const answered = clients.map(({ charges }) => charges);
  const { folder, told } = await backUp();
  const atTheEnd = clients.map(({ charges }) => charges);
  assert.ok(told.last_operation > 0 && told.cards >= CLIENTS, JSON.stringify(told));
  await until('charges after the back-up', () => clients.every(({ charges }, i) => charges > atTheEnd[i] + 1));
  isOver = true;
  await load;
  const { restored } = await startRestored(folder);
  for (const [i, { number, charges }] of clients.entries()) {
    const inCopy = 50_000 - (await balanceOf(restored, number));
    assert.ok(inCopy >= answered[i], `${inCopy} charges in the copy, ${answered[i]} were answered before it`);
    assert.ok(inCopy <= atTheEnd[i] + 1, `${inCopy} charges in the copy, ${atTheEnd[i]} were answered at its end`);
    assert.equal(50_000 - (await balanceOf(service, number)), charges);
  }
  await restored.verifyIsClean();
  await restored.stop();
});

test('a restored service gives the answers of before, and references that nobody has had', async () => {
  const { number } = await shop.issue({ amount: '50.00' });
  const sent = { card: number, amount: '20.00', order: newOrder() };
  const first = await shop.till().checkout(sent);
  const { folder, told } = await backUp();
  const lost = await shop.till().checkout({ card: number, amount: '1.00', order: newOrder() });
  const { restored, told: toldAfter } = await startRestored(folder);
  assert.ok(operationOf(lost) > told.last_operation && operationOf(lost) < toldAfter.last_operation);
  shop.service = restored;
  areIdentical(await shop.till().checkout(sent), first);
  const next = await shop.till().checkout({ card: number, amount: '1.00', order: newOrder() });
  shop.service = service;
  isApproved(next, { balance: '29.00' });
  assert.ok(operationOf(next) > toldAfter.last_operation);
  const ref = first.json.reference_id;
  const explained = await restored.must(['explain', '--tenant', String(shop.id), '--operation', ref]);
  assert.equal(explained.operation.operation_id, operationOf(first));
  await restored.stop();
  const second = Math.floor(Date.now() / 1000);
  await until('the next second', () => Math.floor(Date.now() / 1000) > second);
  const again = await restore(folder, newFolder());
  assert.ok(again.json.last_operation > operationOf(next), 'two restores of one back-up give out the same references');
});

test('a restored service gives no member the number of one who was added after the back-up', async () => {
  const add = (at, name) =>
    at.must(['member', 'add', '--tenant', String(shop.id), '--first-name', name, '--last-name', 'Kent', '--email', `${name}@example.com`]);
  const kept = await add(service, 'Kim');
  const { folder } = await backUp();
  const lost = await add(service, 'Lou');
  const { restored } = await startRestored(folder);
  const next = await add(restored, 'Max');
  assert.notEqual(next.code, lost.code);
  assert.equal((await restored.must(['member', 'show', '--tenant', String(shop.id), '--member', kept.code])).first_name, 'Kim');
  await restored.stop();
});

test('what was signed before a restore opens nothing after it', async () => {
  const { folder } = await backUp();
  const data = newFolder();
  assert.equal((await restore(folder, data)).code, 0);
  const meta = (file) => {
    const { stdout } = spawnSync('sqlite3', [file, 'SELECT token_generation, hot_generation FROM meta']);
    return String(stdout).trim().split('|').map(Number);
  };
  const [token, hot] = meta(path.join(folder, 'counterpart.sqlite'));
  const [tokenAfter, hotAfter] = meta(path.join(data, 'counterpart.sqlite'));
  assert.ok(tokenAfter >= token + 2, 'tokens of the generation before are still good');
  assert.ok(hotAfter > hot, 'entries in Redis of the original would be believed');
});

test('a data folder that was copied by other means begins anew, and only when nobody serves it', async () => {
  const { number } = await shop.issue({ amount: '50.00' });
  const sent = { card: number, amount: '20.00', order: newOrder() };
  const first = await shop.till().checkout(sent);
  const served = await service.cli(['begin-anew']);
  assert.equal(served.code, 1);
  assert.match(served.stderr, /in use by another counterpart/);
  const { folder } = await backUp(); // a snapshot of a disk would do
  const lost = await shop.till().checkout({ card: number, amount: '1.00', order: newOrder() });
  const { code, json, stderr } = await run(COUNTERPART, ['begin-anew'], { env: { COUNTERPART_DATA: folder } });
  assert.equal(code, 0, stderr);
  assert.ok(json.last_operation > operationOf(lost), JSON.stringify(json));
  const copy = await Service.start({ data: folder });
  shop.service = copy;
  areIdentical(await shop.till().checkout(sent), first);
  const next = await shop.till().checkout({ card: number, amount: '1.00', order: newOrder() });
  shop.service = service;
  assert.ok(operationOf(next) > json.last_operation);
  await copy.stop();
});

test('a back-up has store, key and manifest, all for their owner alone, and warns of the key', async () => {
  const { folder, stderr } = await backUp();
  assert.deepEqual(fs.readdirSync(folder).sort(), ['counterpart.sqlite', 'manifest.json', 'master.key']);
  const modeOf = (file) => fs.statSync(file).mode & 0o777;
  for (const name of fs.readdirSync(folder)) assert.equal(modeOf(path.join(folder, name)), 0o600, name);
  assert.equal(modeOf(folder), 0o700);
  assert.match(stderr, /master\.key opens every card number/);
  const manifest = JSON.parse(fs.readFileSync(path.join(folder, 'manifest.json'), 'utf8'));
  for (const { name, bytes, sha256 } of manifest.files) {
    const content = fs.readFileSync(path.join(folder, name));
    assert.equal(content.length, bytes);
    assert.equal(crypto.createHash('sha256').update(content).digest('hex'), sha256, name);
  }
});

test('a back-up writes over nothing', async () => {
  const { folder } = await backUp();
  const { code, stderr } = await service.cli(['backup', '--to', folder]);
  assert.equal(code, 1);
  assert.match(stderr, /is not empty/);
});

test('a back-up is made without a running service too', async () => {
  const other = await Service.start();
  await newTenant(other);
  await other.stop();
  const to = newFolder();
  const { code, json, stderr } = await other.cli(['backup', '--to', to]);
  assert.equal(code, 0, stderr);
  assert.equal(json.tenants, 1);
});

test('a back-up where there is no store says so, and leaves nothing behind', async () => {
  const to = newFolder();
  const { code, stderr } = await run(COUNTERPART, ['backup', '--to', to], { env: { COUNTERPART_DATA: newFolder() } });
  assert.equal(code, 1);
  assert.match(stderr, /there is no store at .*COUNTERPART_DATABASE and COUNTERPART_MASTER_KEY/);
  assert.deepEqual(fs.readdirSync(to), []);
});

test('restore refuses a folder that has something in it', async () => {
  const { folder } = await backUp();
  const { code, stderr } = await restore(folder, service.data);
  assert.equal(code, 1);
  assert.match(stderr, /is not empty/);
});

test('restore refuses a back-up that was broken off, or of which one byte has changed', async () => {
  const { folder } = await backUp();
  const store = path.join(folder, 'counterpart.sqlite');
  const bytes = fs.readFileSync(store);
  bytes[bytes.length - 1] ^= 1;
  fs.writeFileSync(store, bytes);
  const to = newFolder();
  const changed = await restore(folder, to);
  assert.equal(changed.code, 1);
  assert.match(changed.stderr, /counterpart\.sqlite is not as it was/);
  fs.rmSync(path.join(folder, 'manifest.json'));
  const broken = await restore(folder, to);
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /no whole back-up/);
  assert.equal(fs.existsSync(to), false);
});

// --- older schemas: tests/store/version_*.sql, sealed with a key of bytes 7 ------------------------

function makeOld(version, folder) {
  fs.mkdirSync(folder, { mode: 0o700 });
  const sql = fs.readFileSync(path.join(ROOT, `tests/store/version_${version}.sql`));
  const made = spawnSync('sqlite3', [path.join(folder, 'counterpart.sqlite')], { input: sql });
  assert.equal(made.status, 0, String(made.stderr));
  fs.writeFileSync(path.join(folder, 'master.key'), `${'07'.repeat(32)}\n`, { mode: 0o600 });
  return folder;
}

async function isTheKiosk(upgraded) {
  await upgraded.verifyIsClean();
  const { tenants } = await upgraded.must(['tenant', 'list']);
  assert.equal(tenants[0].name, 'Harbour Kiosk');
  const shown = await upgraded.must(['card', 'show', '--tenant', '1', '--number', '6036280000010010']);
  assert.equal(shown.balance, '79.50');
}

test('a store of the first schema is upgraded by its first start, with every cent where it was', async () => {
  const upgraded = await Service.start({ data: makeOld(1, newFolder()) });
  await isTheKiosk(upgraded);
  await upgraded.stop();
});

test('a back-up of an older schema is restored in today\'s', async () => {
  const from = makeOld(1, newFolder());
  const files = ['counterpart.sqlite', 'master.key'].map((name) => {
    const content = fs.readFileSync(path.join(from, name));
    return { name, bytes: content.length, sha256: crypto.createHash('sha256').update(content).digest('hex') };
  });
  fs.writeFileSync(path.join(from, 'manifest.json'), JSON.stringify({ format: 1, files }));
  const { restored } = await startRestored(from);
  await isTheKiosk(restored);
  await restored.stop();
});
