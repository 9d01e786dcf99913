// Amounts of money: texts such as "25.50" outside, whole minor units (BigInt cents) inside, never a binary fraction.

const EXACT = /^(-?)(\d{1,15})(?:\.(\d*))?$/;
const LONGEST = 9; // digits that the keypad takes

let currency = { symbol: '$', exponent: 2 };

/** What the register says of the company's money. */
export function useCurrency(given) {
  if (given) currency = given;
}

/** "25.5" -> 2550n; null for what is no amount of this currency. */
export function centsOf(text) {
  const match = EXACT.exec(String(text ?? '').trim());
  if (!match) return null;
  const [, sign, whole, fraction = ''] = match;
  if (fraction.length > currency.exponent) return null;
  const cents = BigInt(whole + fraction.padEnd(currency.exponent, '0'));
  return sign ? -cents : cents;
}

const sizeOf = (cents) => (cents < 0n ? -cents : cents);

function halves(cents) {
  const digits = sizeOf(cents)
    .toString()
    .padStart(currency.exponent + 1, '0');
  const at = digits.length - currency.exponent;
  return [digits.slice(0, at), digits.slice(at)];
}

const joined = ([whole, fraction]) => (fraction ? `${whole}.${fraction}` : whole);

/** 2550n -> "25.50", as the register wants it. */
export const textOf = (cents) => (cents < 0n ? '-' : '') + joined(halves(cents));

/** For people: a real minus sign, thousands apart. What is no amount is shown as it is. */
export function shown(amount) {
  const cents = typeof amount === 'bigint' ? amount : centsOf(amount);
  if (cents === null) return String(amount ?? '');
  const [whole, fraction] = halves(cents);
  return (cents < 0n ? '\u2212' : '') + joined([whole.replace(/\B(?=(\d{3})+$)/g, ','), fraction]);
}

/** With the currency's symbol, for amounts that stand alone. */
export function priced(amount) {
  const text = shown(amount);
  return text.startsWith('\u2212') ? `\u2212${currency.symbol}${text.slice(1)}` : currency.symbol + text;
}

/** So many whole dollars (euros, yen). */
export const wholes = (count) => BigInt(count) * 10n ** BigInt(currency.exponent);

/** A part of an amount, rounded up to the cent, so that the parts never leave a cent over. */
export const partOf = (cents, parts) => (cents + parts - 1n) / parts;

/** The digits of a keypad: "2", "25", "255" stand for 0.02, 0.25, 2.55. */
export function pressed(cents, key) {
  if (key === 'back') return cents / 10n;
  const next = key === '00' ? cents * 100n : cents * 10n + BigInt(key);
  return next.toString().length > LONGEST ? cents : next;
}
