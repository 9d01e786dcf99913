// Members on the command line: adding, changing, switching, finding them, and importing them from CSV files.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { COUNTERPART, Service, newTenant, run, shellQuote, temporaryDirectory } from './support.mjs';

let service, shop;
const folder = temporaryDirectory();

before(async () => {
  service = await Service.start();
  shop = await newTenant(service);
});
after(async () => {
  await service.verifyIsClean();
  await service.stop();
});

const tenantFlag = (tenant = shop) => ['--tenant', String(tenant.id)];
const flagsOf = (fields) => Object.entries(fields).flatMap(([name, value]) => [`--${name}`, value]);

const ANN = { 'first-name': 'Ann', 'last-name': 'Lee', email: 'ann@example.com' };
const addArgs = (more = {}, tenant = shop) => ['member', 'add', ...tenantFlag(tenant), ...flagsOf({ ...ANN, ...more })];

async function refuses(args, code, sentence) {
  const end = await service.cli(args);
  assert.equal(end.code, 1, `${args.join(' ')}: ${end.stdout}${end.stderr}`);
  assert.equal(end.json?.success, false, end.stdout);
  assert.equal(end.json.code, code, end.stdout);
  assert.match(end.json.error, sentence);
}

async function found(keyword, tenant = shop) {
  const { members } = await service.must(['member', 'search', ...tenantFlag(tenant), '--keyword', keyword]);
  return members.map(({ code }) => code);
}

let files = 0;
function csvFile(text) {
  const name = path.join(folder, `members-${files++}.csv`);
  fs.writeFileSync(name, text);
  return name;
}
const importArgs = (file, flags = [], tenant = shop) => ['member', 'import', ...tenantFlag(tenant), ...flags, file];
const importText = (text, flags, tenant) => service.cli(importArgs(csvFile(text), flags, tenant));
/** An import that must work; its summary. */
async function imports(text, flags, tenant) {
  const end = await importText(text, flags, tenant);
  assert.equal(end.code, 0, `${end.stdout}${end.stderr}`);
  assert.equal(end.json.success, true);
  return end.json;
}

test('member add prints id and code, member show the rest', async () => {
  const added = await service.must(addArgs({ code: 'VIP-1', phone: '+61 400 000 123', points: '420', 'card-number': '6036-2800 ab',
    tier: 'Gold', 'icon-url': 'https://example.com/i.png', 'intro-text': 'Likes "flat white"' }));
  assert.ok(Number.isInteger(added.id));
  assert.equal(added.code, 'VIP-1');
  const shown = await service.must(['member', 'show', ...tenantFlag(), '--member', 'VIP-1']);
  const { entries, created_at: createdAt, ...rest } = shown;
  assert.deepEqual(rest, { id: added.id, code: 'VIP-1', first_name: 'Ann', last_name: 'Lee', email: 'ann@example.com',
    phone: '+61 400 000 123', card_number: '6036-2800 ab', tier: 'Gold', icon_url: 'https://example.com/i.png',
    intro_text: 'Likes "flat white"', points: 420, points_held: 0, status: 'active' });
  assert.ok(Math.abs(Date.parse(createdAt) - Date.now()) < 60_000, createdAt);
  assert.deepEqual(entries.map(({ cause, points, points_after: after_ }) => [cause, points, after_]), [['grant', 420, 420]]);
  const { entries: same } = await service.must(['points', 'show', ...tenantFlag(), '--member', 'VIP-1']);
  assert.deepEqual(entries, same); // one shape wherever points are shown
});

test('a member without code gets one, without points has none and no entry', async () => {
  const added = await service.must(addArgs());
  assert.equal(added.code, `M-${added.id}`);
  const shown = await service.must(['member', 'show', ...tenantFlag(), '--member', added.code]);
  assert.deepEqual([shown.points, shown.entries], [0, []]);
});

test('member add refuses what cannot be right, and adds nothing', async () => {
  const tenant = await newTenant(service);
  await service.must(addArgs({ code: 'TAKEN' }, tenant));
  const bad = [
    [{ code: 'TAKEN' }, 'already_exists', /member with that code/],
    [{ 'first-name': '' }, 'bad_member', /'first_name' must be 1 to 80/],
    [{ 'first-name': '   ' }, 'bad_member', /first_name/],
    [{ 'first-name': 'n'.repeat(81) }, 'bad_member', /first_name/],
    [{ 'last-name': 'red \u001b[31m' }, 'bad_member', /'last_name'.*control character/],
    [{ 'last-name': 'red \u009b31m' }, 'bad_member', /last_name/],
    ...['', 'ann', 'ann@', '@example.com', 'ann@example', 'ann@@example.com', 'a b@example.com', 'ann@-x.com', '.ann@x.com',
      'a..b@x.com', 'ann@x..com', 'ann@x.com.', '<ann@x.com>', `${'a'.repeat(65)}@x.com`, `a@${'b'.repeat(64)}.com`,
    ].map((email) => [{ email }, 'bad_member', /'email' must be an e-mail address/]),
    [{ phone: 'call me' }, 'bad_member', /phone number/],
    [{ phone: '12' }, 'bad_member', /3 to 32 digits/],
    [{ phone: '1'.repeat(33) }, 'bad_member', /phone/],
    [{ code: 'a b' }, 'bad_member', /'code' must be/],
    [{ code: 'c'.repeat(65) }, 'bad_member', /code/],
    [{ code: 'a/b' }, 'bad_member', /code/],
    [{ 'card-number': '123' }, 'bad_member', /card_number/],
    [{ tier: 't'.repeat(41) }, 'bad_member', /tier/],
    [{ 'icon-url': 'javascript:alert(1)' }, 'bad_member', /icon_url/],
    [{ 'icon-url': 'https://x/"onerror=' }, 'bad_member', /icon_url/],
    [{ 'intro-text': 'i'.repeat(201) }, 'bad_member', /intro_text/],
    [{ points: '-1' }, 'bad_number', /'points' must be a whole number from 0/],
    [{ points: '1.5' }, 'bad_number', /points/],
    [{ points: '1000000000001' }, 'bad_number', /points/],
  ];
  for (const [more, code, sentence] of bad) await refuses(addArgs(more, tenant), code, sentence);
  await refuses(addArgs({}, { id: 999_999 }), 'unknown_tenant', /999999/);
  const { members } = await service.must(['member', 'list', ...tenantFlag(tenant)]);
  assert.deepEqual(members.map(({ code }) => code), ['TAKEN']);
});

test('member set changes what it names, forgets what is emptied, and keeps the rest', async () => {
  await service.must(addArgs({ code: 'SET-1', phone: '0411 222 333', tier: 'Gold', points: '7' }));
  const changed = await service.must(['member', 'set', ...tenantFlag(), '--member', 'SET-1', '--last-name', 'Quill', '--tier', '']);
  assert.deepEqual([changed.first_name, changed.last_name, changed.phone, changed.tier, changed.points, changed.code],
    ['Ann', 'Quill', '0411 222 333', '', 7, 'SET-1']);
  assert.deepEqual(await found('quill ann'), ['SET-1']);
  const set = (...flags) => ['member', 'set', ...tenantFlag(), '--member', 'SET-1', ...flags];
  await refuses(set(), 'missing', /Nothing to change/);
  await refuses(set('--first-name', ''), 'bad_member', /first_name/);
  await refuses(set('--email', 'x'), 'bad_member', /email/);
  await refuses(['member', 'set', ...tenantFlag(), '--member', 'NOBODY', '--tier', 'x'], 'unknown_member', /no member/);
  await refuses(['member', 'show', ...tenantFlag(), '--member', 'n'.repeat(70)], 'unknown_member', /no member/);
});

test('a disabled member is not found until enabled again', async () => {
  await service.must(addArgs({ code: 'OFF-1', 'first-name': 'Zuleika' }));
  const off = await service.must(['member', 'disable', ...tenantFlag(), '--member', 'OFF-1']);
  assert.equal(off.status, 'disabled');
  assert.deepEqual(await found('zuleika'), []);
  const on = await service.must(['member', 'enable', ...tenantFlag(), '--member', 'OFF-1']);
  assert.equal(on.status, 'active');
  assert.deepEqual(await found('zuleika'), ['OFF-1']);
  await refuses(['member', 'disable', ...tenantFlag(), '--member', 'NOBODY'], 'unknown_member', /no member/);
});

test('member list goes page by page, and shows the own tenant only', async () => {
  const tenant = await newTenant(service);
  for (const code of ['a', 'b', 'c']) await service.must(addArgs({ code }, tenant));
  const page = async (...flags) => (await service.must(['member', 'list', ...tenantFlag(tenant), ...flags])).members;
  const [first, second] = await page('--limit', '2');
  assert.deepEqual([first.code, second.code], ['a', 'b']);
  assert.deepEqual((await page('--after', String(second.id))).map(({ code }) => code), ['c']);
  assert.deepEqual(await page('--after', String(second.id + 100)), []);
  await refuses(['member', 'list', ...tenantFlag(), '--limit', '201'], 'bad_number', /limit/);
});

test('member search finds by name, address, phone, code, card and with a typing error', async () => {
  const tenant = await newTenant(service);
  await service.must(addArgs({ code: 'K-1001', 'first-name': 'David', 'last-name': 'Kent', email: 'david.kent@example.com',
    phone: '+61 400 000 123', 'card-number': '603628000001' }, tenant));
  await service.must(addArgs({ code: 'K-1002', 'first-name': 'Zoë', 'last-name': "O'Brien-Smith" }, tenant));
  for (const keyword of ['david', 'DAVID k', 'kent, d', 'david.kent@ex', '0400 000', '+61400000', 'k1001', 'K-1001', '6036 28', 'dvaid', 'kemt'])
    assert.deepEqual(await found(keyword, tenant), ['K-1001'], keyword);
  for (const keyword of ['zoe', 'obrien', "o'brien smith z"]) assert.deepEqual(await found(keyword, tenant), ['K-1002'], keyword);
  for (const keyword of ['', ' ', '%', '_', "' OR 1=1 --", '<b>', '😀', 'zzzz', 'x'.repeat(10_000), '\u202e'])
    assert.deepEqual(await found(keyword, tenant), [], keyword);
});

test('import takes a file as spreadsheets write it', async () => {
  const tenant = await newTenant(service);
  const text = '\ufefffirst_name,last_name,email,phone,code,points,card_number,tier\r\n'
    + '"Kent, David",O\'Neil,d.kent@example.com,0400 000 123,I-1,420,60362800,Gold\r\n'
    + '\r\n'
    + 'Zoë,"Smith ""Zed""",,+61 400 000 124,I-2,,,\r\n'
    + ',,,,,,,\r\n'
    + 'Ann,Lee,ann@example.com,,I-3,0,,';
  const summary = await imports(text, [], tenant);
  assert.deepEqual([summary.rows, summary.added, summary.updated, summary.existing, summary.skipped], [3, 3, 0, 0, 0]);
  const shown = await service.must(['member', 'show', ...tenantFlag(tenant), '--member', 'I-1']);
  assert.deepEqual([shown.first_name, shown.points, shown.tier, shown.card_number], ['Kent, David', 420, 'Gold', '60362800']);
  assert.deepEqual(await found('smith zed', tenant), ['I-2']);
});

test('import goes by the names of the columns, in any order', async () => {
  const tenant = await newTenant(service);
  await imports('email, code ,first_name\nbo@example.com,B-1,Bo\n', [], tenant);
  assert.deepEqual(await found('bo@ex', tenant), ['B-1']);
});

test('import stops at the first bad row, says its line, and keeps what was before it', async () => {
  const tenant = await newTenant(service);
  const text = 'first_name,email,code\nAda,ada@example.com,S-1\nBea,"bea\n@example.com",S-2\nCid,cid@example.com,S-3\n';
  const end = await importText(text, [], tenant);
  assert.equal(end.code, 1);
  assert.deepEqual([end.json.success, end.json.code, end.json.added], [false, 'bad_row', 1]);
  assert.match(end.json.error, /^line 3: 'email' must be an e-mail address/);
  assert.equal(end.json.rows, 2, 'what comes after it was not looked at');
  const { members } = await service.must(['member', 'list', ...tenantFlag(tenant)]);
  assert.deepEqual(members.map(({ code }) => code), ['S-1']);
});

test('import with --skip-bad names every bad row and goes on', async () => {
  const tenant = await newTenant(service);
  const rows = ['first_name,last_name,email,points,code', 'Ada,,ada@example.com,1,K-1', ',,x@example.com,,K-2', 'Bea,,bea,,K-3',
    'Cid,,cid@example.com,many,K-4', 'Dan,Lee', 'E"ve,,eve@example.com,,K-5', 'Fay,,fay@example.com,,K 6', 'Gus,,gus@example.com,5,K-7'];
  const end = await importText(`${rows.join('\n')}\n`, ['--skip-bad'], tenant);
  assert.equal(end.code, 0, end.stderr);
  assert.deepEqual([end.json.rows, end.json.added, end.json.skipped], [8, 2, 6]);
  for (const sentence of [/^line 3: 'first_name' must be/m, /^line 4: 'email' must be/m, /^line 5: 'points' must be a whole number/m,
    /^line 6: 2 fields, but the header has 5/m, /^line 7: a quote inside a field/m, /^line 8: 'code' must be/m])
    assert.match(end.stderr, sentence);
  assert.deepEqual(await found('gus', tenant), ['K-7']);
  const lines = [...end.stderr.matchAll(/^line (\d+):/gm)].map(([, line]) => Number(line));
  assert.deepEqual(lines, [3, 4, 5, 6, 7, 8], 'in the order of the file, whoever found them');
});

test('a code that two people of a file share is told, and the first keeps it', async () => {
  const tenant = await newTenant(service);
  const end = await importText('first_name,last_name,code\nAda,Lee,T-1\nADA,,T-1\nBea,Lee,T-1\n', [], tenant);
  assert.equal(end.code, 0, end.stderr);
  assert.deepEqual([end.json.rows, end.json.added, end.json.existing, end.json.skipped], [3, 1, 2, 0]);
  assert.match(end.stderr, /^line 4: a member of another name has this code already/m);
  assert.doesNotMatch(end.stderr, /^line [23]:/m, 'the same person is no news');
  const shown = await service.must(['member', 'show', ...tenantFlag(tenant), '--member', 'T-1']);
  assert.equal(shown.first_name, 'Ada');
});

test('a member needs no last name, on the command line either', async () => {
  const tenant = await newTenant(service);
  const end = await service.must(['member', 'add', ...tenantFlag(tenant), '--first-name', 'Cher', '--email', 'cher@example.com']);
  assert.equal(end.first_name, 'Cher');
});

test('a file that is no text, or not in UTF-8, is refused by its line', async () => {
  const tenant = await newTenant(service);
  const latin1 = csvFile(Buffer.from('first_name,code\nAda,L-1\nZo\xeb,L-2\n', 'latin1'));
  const end = await service.cli(importArgs(latin1, [], tenant));
  assert.equal(end.code, 1);
  assert.match(end.json.error, /^line 3: not text in UTF-8/);
  assert.equal(end.json.added, 1);
  const utf16 = await service.cli(importArgs(csvFile(Buffer.from('\ufefffirst_name\nAda\n', 'utf16le')), [], tenant));
  assert.equal(utf16.code, 1);
  assert.equal(utf16.json.code, 'bad_header');
});

test('import refuses a header it does not understand, and imports nothing', async () => {
  const tenant = await newTenant(service);
  const bad = [
    ['first_name,shoe_size\nAda,9\n', /no column 'shoe_size'; there are first_name, last_name, email/],
    ['First name;Last name\nAda;Lee\n', /separated by commas, not by semicolons/],
    ['email\na@example.com\n', /column first_name is missing/],
    ['first_name,first_name\nA,B\n', /'first_name' is there twice/],
    ['', /no header line/],
    ['\n\n', /no header line/],
    ['"first_name\nAda\n', /line 1: a quote is never closed/],
  ];
  for (const [text, sentence] of bad) {
    const end = await importText(text, [], tenant);
    assert.equal(end.code, 1);
    assert.deepEqual([end.json.code, end.json.added], ['bad_header', 0], end.stdout);
    assert.match(end.json.error, sentence);
  }
});

test('import of the same file again adds nobody and grants no points twice', async () => {
  const tenant = await newTenant(service);
  const coded = 'first_name,code,points\nAda,R-1,100\nBea,R-2,50\n';
  await imports(coded, [], tenant);
  const again = await imports(coded, [], tenant);
  assert.deepEqual([again.added, again.existing], [0, 2]);
  const bare = 'first_name,last_name,email,phone,points\nCid,Lee,cid@example.com,,10\nDan,Lee,,0400 111 222,10\n';
  await imports(bare, [], tenant);
  const bareAgain = await imports(bare.replace('Cid,Lee', 'CID,Lee').replace('0400 111 222', '+61400111222'), [], tenant);
  assert.deepEqual([bareAgain.added, bareAgain.existing], [0, 2]);
  const { members } = await service.must(['member', 'list', ...tenantFlag(tenant)]);
  assert.deepEqual(members.map(({ points }) => points), [100, 50, 10, 10]);
});

test('import of the same file again does not bring back who was disabled since', async () => {
  const tenant = await newTenant(service);
  const text = 'first_name,last_name,email,points\nAnn,Lee,ann.lee@example.com,900\n';
  assert.equal((await imports(text, [], tenant)).added, 1);
  const [{ code }] = (await service.must(['member', 'list', ...tenantFlag(tenant)])).members;
  await service.must(['member', 'disable', ...tenantFlag(tenant), '--member', code]);
  for (const flags of [[], ['--update']]) {
    const { added, existing, updated } = await imports(text, flags, tenant);
    assert.deepEqual([added, existing, updated], flags.length === 0 ? [0, 1, 0] : [0, 0, 1]);
  }
  const { members } = await service.must(['member', 'list', ...tenantFlag(tenant)]);
  assert.deepEqual(members.map(({ status, points }) => [status, points]), [['disabled', 900]]);
  assert.deepEqual(await found('ann lee', tenant), []);
});

test('import tells people apart whose words are the same', async () => {
  const tenant = await newTenant(service);
  const text = ['first_name,last_name,email,phone', 'Ann,Lee,ann.lee@example.com,', 'Ann,Lee,lee@example.com,', 'Lee,Ann,ann.lee@example.com,', '']
    .join('\n');
  assert.deepEqual(await imports(text, ['--update'], tenant).then(({ added, updated }) => [added, updated]), [3, 0]);
  assert.deepEqual(await imports(text, ['--update'], tenant).then(({ added, updated }) => [added, updated]), [0, 3]);
});

test('import with --update changes who is there by what is not empty, and never the points', async () => {
  const tenant = await newTenant(service);
  await imports('first_name,last_name,phone,code,points\nAda,Lee,0400 000 001,U-1,100\n', [], tenant);
  const text = 'first_name,last_name,phone,code,points\nAdah,,0400 000 002,U-1,999\nBea,New,,U-2,5\n';
  const kept = await imports(text, [], tenant);
  assert.deepEqual([kept.added, kept.updated, kept.existing], [1, 0, 1]);
  const summary = await imports(text, ['--update'], tenant);
  assert.deepEqual([summary.added, summary.updated, summary.existing], [0, 2, 0]);
  const shown = await service.must(['member', 'show', ...tenantFlag(tenant), '--member', 'U-1']);
  assert.deepEqual([shown.first_name, shown.last_name, shown.phone, shown.points], ['Adah', 'Lee', '0400 000 002', 100]);
  assert.deepEqual(await found('adah', tenant), ['U-1']);
});

test('import reads standard input, and files of many batches, in order', async () => {
  const tenant = await newTenant(service);
  const wide = 'x'.repeat(180);
  const rows = Array.from({ length: 1800 }, (_, i) => `Member ${i},"${wide}",m${i}@example.com,B-${i},${i % 3}\n`);
  const end = await service.cli(importArgs('-', [], tenant), { input: `first_name,intro_text,email,code,points\n${rows.join('')}` });
  assert.equal(end.code, 0, end.stderr);
  assert.deepEqual([end.json.rows, end.json.added], [1800, 1800]);
  const list = await service.must(['member', 'list', ...tenantFlag(tenant), '--limit', '200']);
  assert.deepEqual(list.members.map(({ code }) => code), Array.from({ length: 200 }, (_, i) => `B-${i}`));
  const last = await service.must(['member', 'show', ...tenantFlag(tenant), '--member', 'B-1799']);
  assert.equal(last.points, 1799 % 3);
  rows[1500] = rows[1500].replace('m1500@', 'm1500');
  const stopped = await service.cli(importArgs('-', [], await newTenant(service)), { input: `first_name,intro_text,email,code,points\n${rows.join('')}` });
  assert.match(stopped.json.error, /^line 1502: 'email'/);
  assert.equal(stopped.json.added, 1500);
});

test('rows as long as a row may be go over the socket one by one', async () => {
  const tenant = await newTenant(service);
  const control = '\u0001'.repeat(4000);
  const rows = Array.from({ length: 40 }, (_, i) => `Ada,"${control}",W-${i}\n`);
  const end = await importText(`first_name,intro_text,code\n${rows.join('')}`, ['--skip-bad'], tenant);
  assert.equal(end.code, 0, end.stderr.slice(-500));
  assert.equal(end.json.skipped, 40);
  const long = await importText(`first_name,intro_text\nAda,${'y'.repeat(5000)}\n`, [], tenant);
  assert.match(long.json.error, /^line 2: longer than any member can be/);
});

test('import says what keeps it from beginning', async () => {
  for (const [file, sentence] of [['/nonexistent.csv', /nonexistent\.csv cannot be read: No such file/], [folder, /cannot be read/]]) {
    const end = await service.cli(importArgs(file));
    assert.equal(end.code, 1);
    assert.match(end.stderr, sentence);
  }
  const none = await service.cli(['member', 'import', ...tenantFlag()]);
  assert.equal(none.code, 2);
  assert.match(none.stderr, /FILE is missing/);
  const two = await service.cli(['member', 'import', ...tenantFlag(), 'a.csv', 'b.csv']);
  assert.equal(two.code, 2);
  assert.match(two.stderr, /'b\.csv' is no flag/);
  const unknown = await service.cli(importArgs(csvFile('first_name\nAda\n'), [], { id: 999_999 }));
  assert.equal(unknown.code, 1);
  assert.equal(unknown.json.code, 'unknown_tenant');
  const lonely = await run(COUNTERPART, importArgs(csvFile('first_name\nAda\n')), { env: { COUNTERPART_DATA: path.join(folder, 'nowhere') } });
  assert.equal(lonely.code, 1);
  assert.match(lonely.stderr, /no data folder/);
});

test('people see progress and a summary in words', async () => {
  const tenant = await newTenant(service);
  const file = csvFile(`first_name,email\n${Array.from({ length: 700 }, (_, i) => `Ada,a${i}@example.com\n`).join('')}`);
  const onTerminal = async (...flags) => {
    const command = [COUNTERPART, ...importArgs(file, flags, tenant)].map(shellQuote).join(' ');
    return run('script', ['-qec', command, '/dev/null'], { env: { COUNTERPART_DATA: service.data } });
  };
  const end = await onTerminal();
  assert.equal(end.code, 0);
  assert.match(end.stdout, /700 rows, \d+ rows\/s, 100 %\r?\n/);
  assert.match(end.stdout, /700 added, 0 changed, 0 already there, 0 skipped, in \d+\.\d s/);
  assert.match((await onTerminal()).stdout, /0 added, 0 changed, 700 already there/);
  assert.equal((await onTerminal('--json')).stdout.includes('"existing":700'), true);
});

test('nothing of a member stands in the log', async () => {
  assert.ok(!service.log.includes('david.kent@example.com'));
  assert.ok(!service.log.includes('0400 000'));
});
