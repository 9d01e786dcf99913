// What the page knows: the register's state, what the cashier is doing, what is under way; and the way to the register.

import { useCurrency } from './money.js';

const BASE = '/_till/';
const RETRY_MS = 1500;

/** What the register said no to: {word, message}; its sentence is for the cashier. */
export class Refusal extends Error {
  constructor(status, word, message) {
    super(message);
    Object.assign(this, { status, word });
  }
}

/** The register process itself did not answer. */
export class Gone extends Error {}

export const store = {
  state: null, // the register's, as it last told it
  isGone: false,
  running: new Map(), // what is under way -> how many of it
  toast: null, // {text, kind}
};

const listeners = new Set();
let isScheduled = false;

export function subscribe(listener) {
  listeners.add(listener);
}

/** Something the page shows has changed; told once, soon. */
export function changed() {
  if (isScheduled) return;
  isScheduled = true;
  queueMicrotask(() => {
    isScheduled = false;
    for (const listener of listeners) listener();
  });
}

/** body: what becomes JSON, or a text that goes as it is. */
async function send(method, path, body, signal) {
  const hasBody = method !== 'GET' && method !== 'DELETE';
  try {
    return await fetch(BASE + path, {
      method,
      signal,
      cache: 'no-store',
      headers: method === 'GET' ? {} : { 'Content-Type': 'application/json' },
      body: hasBody ? (typeof body === 'string' ? body : JSON.stringify(body ?? {})) : undefined,
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Gone('The register does not answer.');
  }
}

/** The cloud's orders have amounts as numbers: as text they keep every digit. (Older browsers tell no source.) */
function keepDigits(key, value, context) {
  const isExact = typeof value !== 'number' || !context?.source || /^-?\d{1,15}$/.test(context.source);
  return isExact ? value : context.source;
}

async function readJson(response) {
  try {
    return JSON.parse(await response.text(), keepDigits);
  } catch {
    throw new Gone('The register broke off in the middle of its answer.');
  }
}

/** One request to the register; gives its JSON. Throws Refusal or Gone. */
export async function call(method, path, body, signal) {
  const response = await send(method, path, body, signal);
  const json = await readJson(response);
  if (!response.ok) throw new Refusal(response.status, json.error ?? 'error', json.message ?? 'The register refused.');
  return json;
}

let newest = 0;
let asked = 0;

/** The products are sent only when they are others than those we have. */
const withKnown = (path) => `${path}?products=${store.state?.products_version ?? 0}`;

/** A state that was asked for before the one we have is older than it. */
function take(state, number) {
  if (number < newest) return;
  newest = number;
  state.products ??= store.state.products;
  store.state = state;
  store.isGone = false;
  useCurrency(state.currency);
}

export async function refresh() {
  const number = ++asked;
  try {
    take(await call('GET', withKnown('state')), number);
  } catch (error) {
    if (!(error instanceof Gone)) throw error;
    lose();
  }
  changed();
}

let retry;
function lose() {
  store.isGone = true;
  clearTimeout(retry);
  retry = setTimeout(refresh, RETRY_MS);
}

const count = (name, by) => store.running.set(name, (store.running.get(name) ?? 0) + by);

export const isRunning = (name) => (store.running.get(name) ?? 0) > 0;

/**
 * A change at the register: its answer is the whole state. name: what is under way meanwhile. It may be started again
 * before the first is done, as a cashier may press twice. Gives the state, or null when it was refused (and said).
 */
export async function change(name, method, path, body) {
  count(name, 1);
  changed();
  try {
    const state = await call(method, withKnown(path), body);
    take(state, ++asked);
    return state;
  } catch (error) {
    complain(error);
    return null;
  } finally {
    count(name, -1);
    changed();
  }
}

/** The same for what a second touch must not do again. */
export const changeOnce = (name, ...more) => (isRunning(name) ? Promise.resolve(null) : change(name, ...more));

let queue = Promise.resolve();

/** Touches on the lines come faster than answers: each is done when the one before has left its state. */
export const inTurn = (work) => (queue = queue.then(work));

export function complain(error) {
  if (error instanceof Gone) lose();
  else if (!(error instanceof Refusal)) throw error;
  else {
    tell(error.message, 'bad');
    refresh();
  }
}

let toastTimer;
const TOAST_MS = { good: 3500, bad: 8000 };

/** A sentence that goes by itself. */
export function tell(text, kind = 'good') {
  store.toast = { text, kind };
  clearTimeout(toastTimer);
  toastTimer = setTimeout(hush, TOAST_MS[kind]);
  changed();
}

export function hush() {
  store.toast = null;
  changed();
}
