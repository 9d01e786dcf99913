// The prompt for a card: typed, scanned, swiped, or of a customer who is checked in; with the cards used lately.
import { checkinList } from './checkin.js';
import { h } from './dom.js';
import { changed, isRunning } from './store.js';
import { icon, openDialog, runner, segments, closeDialog } from './view.js';

const KEPT = 'till.cards'; // in the browser's own storage
const KEPT_MAX = 6;

export function recentCards() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? '[]');
    return Array.isArray(kept) ? kept.filter((card) => typeof card === 'string').slice(0, KEPT_MAX) : [];
  } catch {
    return [];
  }
}

function remember(card) {
  const others = recentCards().filter((other) => other !== card);
  try {
    localStorage.setItem(KEPT, JSON.stringify([card, ...others].slice(0, KEPT_MAX)));
  } catch {
    /* no storage: nothing is remembered */
  }
}

/** Which card paid, by the sale and what the partner calls the payment: a register knows it of its own sales. */
const paid = new Map();
const PAID_MAX = 200;
const paidKey = (orderId, ref) => `${orderId} ${ref}`;

export function rememberPaid(orderId, ref, card) {
  paid.set(paidKey(orderId, ref), card);
  if (paid.size > PAID_MAX) paid.delete(paid.keys().next().value);
}

/** {reference, entry}, or undefined where this page did not take the payment. */
export const cardThatPaid = (orderId, ref) => paid.get(paidKey(orderId, ref));

const ENTRIES = [
  ['typed', 'Type'],
  ['scanned', 'Scan'],
  ['swiped', 'Swipe'],
  ['checked_in', 'Checked in'],
];

const WAYS = {
  typed: { label: 'Card number', iconName: 'keyboard', hint: 'As printed on the card, with its dashes or without.' },
  scanned: {
    label: 'Barcode',
    iconName: 'scan',
    hint: 'A scanner types the code and presses Enter. This field takes both: Enter sends at once.',
  },
  swiped: {
    label: 'Card number on the stripe',
    iconName: 'card',
    hint: 'Goes out as a reader sends it, between the marks of a magnetic stripe.',
  },
};

/** What the prompt holds; one at a time, kept while the dialog is open. */
const prompt = { entry: 'typed', card: '' };

export const promptValues = () => ({ reference: prompt.card.trim(), entry: prompt.entry });

function setEntry(entry) {
  if ((entry === 'checked_in') !== (prompt.entry === 'checked_in')) prompt.card = '';
  prompt.entry = entry;
  changed();
  queueMicrotask(() => document.getElementById('card')?.focus());
}

function setCard(card) {
  prompt.card = card;
  changed();
}

function recentList() {
  const cards = recentCards();
  return (
    cards.length > 0 &&
    h(
      'div',
      { class: 'recent' },
      h('h3', {}, 'Recently used'),
      h(
        'ul',
        { class: 'chips' },
        cards.map((card) =>
          h(
            'li',
            { key: card },
            h('button', { type: 'button', class: 'chip mono', onclick: () => setCard(card) }, card),
          ),
        ),
      ),
    )
  );
}

function numberField({ label, hint, iconName }) {
  return [
    h(
      'label',
      { class: 'field', for: 'card' },
      h('span', {}, label),
      h(
        'span',
        { class: 'with-icon' },
        icon(iconName),
        h('input', {
          id: 'card',
          name: 'card',
          class: 'mono',
          value: prompt.card,
          required: true,
          autocomplete: 'off',
          autofocus: true,
          autocapitalize: 'characters',
          spellcheck: 'false',
          maxlength: '4096',
          'aria-describedby': 'card-hint',
          oninput: (event) => setCard(event.target.value),
        }),
      ),
    ),
    h('p', { class: 'hint', id: 'card-hint' }, hint),
    recentList(),
  ];
}

/** The fields of the prompt, for a dialog or a screen. */
export const cardFields = () => [
  segments('How the card is read', ENTRIES, prompt.entry, setEntry, { class: 'segments wide' }),
  prompt.entry === 'checked_in' ? checkinList(prompt.card, setCard) : numberField(WAYS[prompt.entry]),
];

/** Enough is there to send. */
export const hasCard = () => prompt.card.trim() !== '';

/** Takes the card as used. */
export function useCard() {
  const values = promptValues();
  if (values.reference && values.entry !== 'checked_in') remember(values.reference);
  return values;
}

/** Empty, or with a card that is known already. */
export function resetPrompt({ reference = '', entry = 'typed' } = {}) {
  Object.assign(prompt, { entry, card: reference });
}

/** title, action: texts; name: what is under way; send gets {reference, entry}. It stays open and can be sent twice. */
export function askForCard({ title, note, action, name, send }) {
  resetPrompt();
  openDialog(() =>
    h(
      'dialog',
      { key: 'card', class: 'sheet', 'aria-labelledby': 'card-title' },
      h(
        'form',
        {
          method: 'dialog',
          onsubmit: (event) => {
            event.preventDefault();
            send(useCard());
          },
        },
        h('h2', { id: 'card-title' }, title),
        note && h('p', { class: 'note' }, note),
        cardFields(),
        h(
          'div',
          { class: 'actions' },
          h('button', { type: 'button', onclick: closeDialog }, 'Cancel'),
          runner(
            name,
            { type: 'submit', class: 'primary', disabled: !hasCard() },
            isRunning(name) ? 'Sending…' : action,
          ),
        ),
      ),
    ),
  );
}
