// What changed in an order: its leaves before and after, one row each.

const LEFT_OUT = new Set(['updated_at']);

/** {a: {b: 1}, lines: [{number: 2}]} -> a.b, lines 2 ...; entries of lists are told apart by their number. */
function leaves(value, path, into) {
  if (value === null || typeof value !== 'object') {
    into.set(path, value === null ? '' : String(value));
    return into;
  }
  for (const [key, inner] of Object.entries(value)) {
    if (LEFT_OUT.has(key)) continue;
    const name = Array.isArray(value) ? `[${inner?.number ?? inner?.id ?? key}]` : `${path && '.'}${key}`;
    leaves(inner, path + name, into);
  }
  return into;
}

/** Rows {path, before, after} of what differs; undefined where it was not there. */
export function changesOf(before, after) {
  const old = leaves(before ?? {}, '', new Map());
  const now = leaves(after ?? {}, '', new Map());
  const paths = [...new Set([...old.keys(), ...now.keys()])];
  return paths
    .map((path) => ({ path, before: old.get(path), after: now.get(path) }))
    .filter(
      (row) =>
        row.before !== row.after &&
        !(row.before === undefined && row.after === '') &&
        !(row.after === undefined && row.before === ''),
    );
}
