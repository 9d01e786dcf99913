// docs/settings.md and the program name the same settings with the same defaults, and every open question of the protocol
// has a setting or an entry of the profile.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT, Service } from './support.mjs';

const OPEN_QUESTIONS = 15;
const page = fs.readFileSync(path.join(ROOT, 'docs/settings.md'), 'utf8');
const [settingsPart, questionsPart] = page.split('## What nobody has told us');
const profile = JSON.parse(fs.readFileSync(path.join(ROOT, 'handlers/profiles/default.json'), 'utf8'));

/** The cells of a Markdown table's rows, without head and rule. */
const rowsOf = (text) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));

const unquote = (cell) => cell.replaceAll('`', '');

let service, settings;
before(async () => {
  service = await Service.start();
  const added = await service.must(
    'tenant add --name Shop --currency AUD --timezone Australia/Sydney --oseries-company 5678'.split(' '),
  );
  const listed = await service.must(['tenant', 'list']);
  settings = listed.tenants.find((tenant) => tenant.id === added.id).settings;
});
after(() => service.stop());

test('the page lists every setting with its default, and no other', () => {
  const listed = Object.fromEntries(rowsOf(settingsPart).map(([name, initial]) => [unquote(name), unquote(initial)]));
  const real = Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]));
  assert.deepEqual(listed, { ...real, name: '' });
});

test('every open question has a setting or an entry of the profile', () => {
  const rows = rowsOf(questionsPart);
  assert.deepEqual(
    rows.map(([number]) => Number(number)),
    Array.from({ length: OPEN_QUESTIONS }, (_, i) => i + 1),
  );
  for (const [number, , where] of rows) {
    const names = [...where.matchAll(/`([^`]+)`/g)].map((match) => match[1]);
    assert.ok(names.length > 0, `question ${number} names nothing`);
    for (const name of names)
      assert.ok(where.startsWith('profile') ? name in profile : name in settings, `question ${number}: ${name}`);
  }
});
