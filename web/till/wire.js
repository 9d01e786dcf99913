// The wire beside the till: every exchange with the partner as it went over the network.
import { visible } from './bytes.js';
import { h } from './dom.js';
import { exchangeDetail } from './exchange.js';
import { armed, disarmButton, faultsTab } from './faults.js';
import { recordingTab } from './recording.js';
import { call, change, changed, complain, Gone, refresh, store } from './store.js';
import { empty, icon, iconButton, view } from './view.js';

const KEPT_MAX = 500; // as many as the register keeps
const WAIT_MS = 25000;
const RETRY_MS = 1500;

const UNREAD = { exchanges: [], last: 0, isBegun: false, hasOlder: false, open: 0, follows: true };
const wire = { ...UNREAD, isReadingBack: false, tab: 'exchanges' };

export function showWireTab(tab) {
  wire.tab = tab;
  view.isWireOpen = true;
  view.pane = 'wire';
  changed();
}

/** Behind a redemption the member is looked up again: what redeemed is still what one wants to see. */
const worthSeeing = ([newest, before]) =>
  newest.action === 'reward-lookup' && before?.action === 'redeem' ? before : newest;

/** The newest is opened, unless somebody reads an older one; what was made of that one by hand is, though. */
function take(exchanges) {
  if (exchanges.some((exchange) => exchange.resend_of !== null && exchange.resend_of === wire.open))
    wire.follows = true;
  wire.exchanges = [...exchanges.reverse(), ...wire.exchanges].slice(0, KEPT_MAX);
  if (wire.follows && wire.exchanges.length > 0) wire.open = worthSeeing(wire.exchanges).number;
}

/** A register that was started anew counts from 1 again. */
function startOver() {
  Object.assign(wire, UNREAD);
}

/** The newest first, whatever was before; from then on what is new. */
const ask = () => call('GET', wire.isBegun ? `wire?after=${wire.last}&wait_ms=${WAIT_MS}` : 'wire?before=0');

/** Waits for exchanges for as long as the page is there; each may have changed what the till shows. */
export async function followWire() {
  for (;;) {
    try {
      const { exchanges, last, has_older: hasOlder } = await ask();
      if (last < wire.last) startOver();
      else if (wire.isBegun) wire.last = last;
      else Object.assign(wire, { isBegun: true, hasOlder, last });
      if (exchanges.length > 0) {
        take(exchanges);
        refresh();
      }
      changed();
    } catch (error) {
      if (!(error instanceof Gone)) console.warn(error.message);
      refresh();
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** What lies before the oldest that is shown, at the end of the list. */
async function readBack() {
  if (wire.isReadingBack) return;
  wire.isReadingBack = true;
  try {
    const oldest = wire.exchanges.at(-1);
    const { exchanges, has_older: hasOlder } = await call('GET', `wire?before=${oldest.number}`);
    if (wire.exchanges.at(-1) !== oldest) return; // cleared meanwhile
    wire.exchanges.push(...exchanges.reverse());
    wire.hasOlder = hasOlder;
  } catch (error) {
    complain(error);
  } finally {
    wire.isReadingBack = false;
    changed();
  }
}

async function clear() {
  const state = await change('clear', 'DELETE', 'wire');
  if (!state) return;
  wire.exchanges = [];
  wire.hasOlder = false;
  wire.open = 0;
  changed();
}

function toggle(exchange) {
  const isNewest = exchange.number === wire.exchanges[0]?.number;
  wire.open = wire.open === exchange.number ? 0 : exchange.number;
  wire.follows = isNewest && wire.open !== 0;
  changed();
}

const ENDINGS = {
  approved: ['good', 'approved'],
  refused: ['bad', 'refused'],
  dropped: ['unsure', 'reply dropped'],
  no_reply: ['unsure', 'no reply'],
  malformed: ['bad', 'unusable'],
  crashed: ['bad', 'crashed'],
};

export const duration = (us) =>
  us >= 1_000_000 ? `${(us / 1_000_000).toFixed(2)} s` : `${(us / 1000).toFixed(us < 10_000 ? 2 : 1)} ms`;

const pathOf = (url) => {
  try {
    const { pathname, search } = new URL(url);
    return pathname + search;
  } catch {
    return url;
  }
};

const tags = (exchange) =>
  [
    exchange.sends > 1 && `${exchange.send} of ${exchange.sends}`,
    exchange.resend_of && `resend of #${exchange.resend_of}`,
    exchange.is_replay && 'replay',
    ...exchange.faults.map((fault) => fault.replaceAll('_', ' ')),
  ].filter(Boolean);

function row(exchange) {
  const [look, word] = ENDINGS[exchange.ending] ?? ['unsure', exchange.ending];
  const isOpen = wire.open === exchange.number;
  const failed = exchange.verdicts.filter(({ verdict }) => verdict === 'failed').length;
  return h(
    'li',
    { key: `exchange-${exchange.number}`, class: `exchange ${isOpen ? 'is-open' : ''}` },
    h(
      'h3',
      {},
      h(
        'button',
        { type: 'button', class: 'exchange-row', 'aria-expanded': String(isOpen), onclick: () => toggle(exchange) },
        h('span', { class: 'exchange-number' }, `#${exchange.number}`),
        h('span', { class: 'exchange-action' }, exchange.action),
        h('span', { class: `ending ${look}` }, word),
        h('span', { class: 'exchange-path mono' }, `${exchange.method} ${visible(pathOf(exchange.url))}`),
        h(
          'span',
          { class: 'exchange-time mono' },
          exchange.status ? `${exchange.status} · ` : '',
          duration(exchange.time_us),
        ),
        (tags(exchange).length > 0 || failed > 0) &&
          h(
            'span',
            { class: 'exchange-tags' },
            failed > 0 && h('span', { class: 'tag bad' }, `✘ ${failed}`),
            tags(exchange).map((tag) => h('span', { class: 'tag', key: tag }, tag)),
          ),
      ),
    ),
    isOpen && exchangeDetail(exchange),
  );
}

const exchangesTab = () =>
  h(
    'div',
    { class: 'wire-body', key: 'exchanges' },
    wire.exchanges.length === 0
      ? empty(
          'wire',
          'Nothing went over the wire yet',
          'Pay with the partner’s payment type, check a balance, or search a customer.',
        )
      : h('ol', { class: 'exchanges' }, wire.exchanges.map(row)),
    wire.hasOlder &&
      wire.exchanges.length > 0 &&
      h('button', { type: 'button', class: 'quiet older', onclick: readBack }, 'Show older ones'),
  );

const TABS = {
  exchanges: ['Exchanges', exchangesTab],
  faults: ['Faults', faultsTab],
  recording: ['Recording', recordingTab],
};

const MARKED = { faults: () => armed().length > 0, recording: () => store.state.recording.is_on };

function tab([name, [label]]) {
  const isMarked = MARKED[name]?.();
  return h(
    'button',
    {
      type: 'button',
      key: name,
      'aria-pressed': String(wire.tab === name),
      onclick: () => {
        wire.tab = name;
        changed();
      },
    },
    label,
    isMarked && h('span', { class: 'dot' }, h('span', { class: 'hidden-text' }, ' (on)')),
  );
}

function close() {
  view.isWireOpen = false;
  changed();
  document.getElementById('wire-button')?.focus();
}

export function wirePanel() {
  return h(
    'aside',
    { class: 'wire', 'aria-label': 'The wire', id: 'wire', key: 'wire' },
    h(
      'header',
      { class: 'wire-head' },
      icon('wire'),
      h('h2', {}, 'The wire'),
      wire.tab === 'exchanges' &&
        wire.exchanges.length > 0 &&
        h('button', { type: 'button', class: 'quiet', onclick: clear }, 'Clear'),
      wire.tab === 'faults' && disarmButton(),
      iconButton('close', 'Close the wire', { class: 'wire-close', onclick: close }),
    ),
    h(
      'div',
      { class: 'segments wide wire-tabs', role: 'group', 'aria-label': 'What of the wire' },
      Object.entries(TABS).map(tab),
    ),
    TABS[wire.tab][1](),
  );
}
