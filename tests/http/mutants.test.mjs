// `tillsim check` against every deliberately wrong server: each is caught by the case that is meant for it, for the
// reason that is meant, and the proxy that changes nothing is caught by none. With COUNTERPART_SOAK each one meets the
// whole suite of its surface. The table of who was caught by what is printed at the end.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FAMILIES, MUTANTS, NONE } from '../mutants/mutants.mjs';
import { checkAll, printTable } from '../mutants/table.mjs';
import { Workshop } from '../mutants/workshop.mjs';
import { IS_SLOW, IS_SOAK, ROOT, TILLSIM, run } from './support.mjs';

/** Cheap ones that are asked of everybody, to see who else notices. */
const OTHERS = {
  payments: [
    ...['shape-success', 'json-unknown-card', 'amount-exact'],
    ...['balance-after-charge', 'once-other-order', 'card-dashes'],
  ],
  loyalty: ['search-shape', 'search-nobody', 'lookup-shape', 'lookup-unknown'],
};
const LANES = 3;

/** It is the suite that is tested here, and that is the same in every build. */
const ASKED = IS_SLOW ? MUTANTS.filter((_, i) => i % 8 === 0) : MUTANTS;

let workshop;
const rows = [];

before(async () => {
  workshop = await Workshop.start();
});
after(async () => {
  printTable(rows.sort((a, b) => MUTANTS.indexOf(a.mutant) - MUTANTS.indexOf(b.mutant)));
  await workshop.stop();
});

function check(mutant) {
  if (IS_SOAK && !mutant.isSlow) return checkAll(workshop, mutant);
  const others = mutant.isSlow ? [] : OTHERS[FAMILIES.loyalty.includes(mutant) ? 'loyalty' : 'payments'];
  return workshop.check(mutant, { only: [...new Set([...mutant.caughtBy, ...others])] });
}

test('the proxy that changes nothing passes every case', async () => {
  const result = await workshop.check(NONE);
  const notPassed = [...result.cases.values()].filter(({ outcome }) => outcome !== 'passed');
  assert.deepEqual(notPassed, [], result.stdout);
  assert.equal(result.code, 0, result.stdout + result.stderr);
  assert.deepEqual(result.errors, []);
});

describe('caught', { concurrency: LANES }, () => {
  for (const mutant of ASKED)
    test(`${mutant.id} is caught by ${mutant.caughtBy.join(' and ')}: ${mutant.title}`, async () => {
      const result = await check(mutant);
      rows.push({ mutant, result });
      assert.equal(result.code, 1, result.stdout + result.stderr);
      for (const id of mutant.caughtBy) {
        const found = result.cases.get(id);
        assert.equal(found?.outcome, 'failed', `${id}: ${found?.why}\n${result.stdout}`);
        assert.match(found.why, mutant.because, `${id} failed for another reason`);
      }
      assert.deepEqual(result.errors, []);
    });
});

test('every case of the suite is meant for at least one wrong server', async () => {
  const { stdout } = await run(TILLSIM, ['check', '--list']);
  const cases = stdout.trim().split('\n').map((line) => line.split('\t')[0]);
  const meant = new Set(MUTANTS.flatMap(({ caughtBy }) => caughtBy));
  assert.deepEqual(cases.sort(), [...meant].sort());
});

test('the page about the wrong servers names each one, what it does and what catches it', () => {
  const page = fs.readFileSync(path.join(ROOT, 'docs/conformance/mutants.md'), 'utf8');
  const told = [...page.matchAll(/^\| `([\w-]+)` \| (.+?) \| (.+?) \| (.+?) \|$/gm)].map(([, id, title, , cases]) => ({
    ...{ id, title },
    caughtBy: [...cases.matchAll(/\[([\w-]+)\]\(\1\.md\)/g)].map(([, id_]) => id_),
  }));
  assert.deepEqual(
    told,
    MUTANTS.map(({ id, title, caughtBy }) => ({ id, title, caughtBy })),
  );
});
