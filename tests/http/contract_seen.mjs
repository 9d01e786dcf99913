// Which replies that docs/openapi.yaml documents has no test ever seen? Reads what the suites' processes wrote into a
// folder (COUNTERPART_SEEN) and ends with 1 when a success is among them.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { at, specOperations } from './contract.mjs';

const REFUSALS = ['PaymentRefusal', 'LoyaltyError', 'NotRedeemed'].map((name) => `#/components/schemas/${name}`);
const behind = (value) => (value?.$ref ? behind(at(value.$ref)) : value);

/** A 200 that may say no is two replies. */
const mayRefuse = (response) =>
  (response.content?.['application/json']?.schema?.oneOf ?? []).some(({ $ref }) => REFUSALS.includes($ref));

/** Every (operation, status) of the file: {pair, isSuccess}. */
export const documented = () => [
  { pair: 'unknown path 404', isSuccess: false },
  ...specOperations().flatMap(({ id, value }) =>
    Object.entries(value.responses).flatMap(([status, reference]) => {
      const response = behind(reference);
      const pair = `${id} ${status}${reference['x-head-only'] || response['x-head-only'] ? ' HEAD' : ''}`;
      return [
        { pair, isSuccess: status < '400' },
        ...(status === '200' && mayRefuse(response) ? [{ pair: `${pair} refused`, isSuccess: true }] : []),
      ];
    }),
  ),
];

/** {lines to print, isComplete} for the pairs that were seen. */
export function judgeSeen(seen) {
  const all = documented();
  const never = all.filter(({ pair }) => !seen.has(pair));
  const successes = never.filter(({ isSuccess }) => isSuccess);
  const byStatus = new Map();
  for (const { pair } of never.filter(({ isSuccess }) => !isSuccess)) {
    const [, id, status] = pair.match(/^(.*?) (\d.*)$/);
    byStatus.set(status, [...(byStatus.get(status) ?? []), id]);
  }
  return {
    isComplete: successes.length === 0,
    lines: [
      `docs/openapi.yaml documents ${all.length} replies, ${all.length - never.length} of them were seen`,
      ...[...byStatus].map(
        ([status, ids]) => `  never seen: ${status} of ${ids.length > 8 ? `${ids.length} operations` : ids.join(' ')}`,
      ),
      ...successes.map(({ pair }) => `  NEVER SEEN, and no refusal: ${pair}`),
    ],
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const folder = process.argv[2];
  const files = fs.readdirSync(folder).map((name) => fs.readFileSync(path.join(folder, name), 'utf8'));
  const { lines, isComplete } = judgeSeen(new Set(files.flatMap((text) => text.split('\n').filter(Boolean))));
  console.log(lines.join('\n'));
  process.exitCode = isComplete ? 0 : 1;
}
