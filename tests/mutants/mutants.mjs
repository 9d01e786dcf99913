// All wrong servers: {id, title, caughtBy: [case ids of `tillsim check`], because: what the failure says, make()}.
// isSlow: whatever is asked of it takes seconds. make() gives what answers requests, with a state of its own:
// (request, next) => reply, where next(request) asks the real server; or {answer, onConnection(socket),
// onCut(request, next)}. docs/conformance/mutants.md says what each does to a shop.
import broken from './broken.mjs';
import card from './card.mjs';
import client from './client.mjs';
import loyalty from './loyalty.mjs';
import money from './money.mjs';
import once from './once.mjs';
import shape from './shape.mjs';
import signature from './signature.mjs';

/** Changes nothing: what it is found to do wrong is the proxy's own fault. */
export const NONE = { id: 'none', title: 'nothing', caughtBy: [], make: () => (request, next) => next(request) };

export const FAMILIES = { shape, broken, signature, money, once, card, client, loyalty };
export const MUTANTS = Object.values(FAMILIES).flat();

export function mutantOf(id) {
  const found = [NONE, ...MUTANTS].find((mutant) => mutant.id === id);
  if (!found) throw new Error(`no mutant is called ${id}`);
  return found;
}
