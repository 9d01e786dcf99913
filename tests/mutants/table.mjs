// Every wrong server against the whole suite of its surface, as a table: who is caught by what. With the name of one,
// that one's report. usage: node tests/mutants/table.mjs [MUTANT]
import { fileURLToPath } from 'node:url';
import { FAMILIES, MUTANTS, mutantOf } from './mutants.mjs';
import { Workshop, failedCases } from './workshop.mjs';

const LANES = 3;

/** Runs work for each item, some at once; gives the results in order. */
export async function inLanes(items, work, lanes = LANES) {
  const results = [];
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const at = next++;
      results[at] = await work(items[at]);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return results;
}

const surfaceOf = (mutant) => (FAMILIES.loyalty.includes(mutant) ? 'loyalty' : 'payments');

/** The whole suite of the mutant's surface. */
export const checkAll = (workshop, mutant) =>
  workshop.check(mutant, { more: ['--surface', surfaceOf(mutant), '--deadline', '600'] });

/** rows: [{mutant, result}] */
export function printTable(rows) {
  const width = (texts) => Math.max(...texts.map((text) => text.length));
  const ids = width(rows.map(({ mutant }) => mutant.id));
  const cases = width(rows.map(({ mutant }) => mutant.caughtBy.join(' ')));
  for (const { mutant, result } of rows) {
    const failed = failedCases(result);
    const isCaught = mutant.caughtBy.every((id) => failed.includes(id));
    const others = failed.filter((id) => !mutant.caughtBy.includes(id));
    const caught = `${isCaught ? '✔' : '✘'} ${mutant.caughtBy.join(' ').padEnd(cases)}`;
    const also = others.length > 0 ? `also ${others.join(' ')}` : '';
    console.log(`${mutant.id.padEnd(ids)}  ${caught}  ${also}`.trimEnd());
    console.log(`${' '.repeat(ids)}    ${mutant.title}`);
  }
}

async function main([id]) {
  const workshop = await Workshop.start();
  if (id) {
    const { stdout, stderr } = await checkAll(workshop, mutantOf(id));
    console.log(stdout + stderr);
  } else {
    let done = 0;
    const rows = await inLanes(MUTANTS, async (mutant) => {
      const result = await checkAll(workshop, mutant);
      console.error(`${++done} of ${MUTANTS.length}: ${mutant.id}`);
      return { mutant, result };
    });
    printTable(rows);
  }
  await workshop.stop();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
