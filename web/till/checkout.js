// Checkout: how much, and with what; a sale can be paid in parts.
import { h } from './dom.js';
import { keyOfKeyboard, keypad } from './keypad.js';
import { centsOf, partOf, pressed, priced, shown, textOf, wholes } from './money.js';
import { isDue, isOpen, startSale } from './order.js';
import { askForCard, rememberPaid } from './reference.js';
import { showSaid } from './said.js';
import { change, changed, changeOnce, isRunning, store, tell } from './store.js';
import { empty, go, icon, runner, screenHead, view } from './view.js';

/** What the keypad was given; null: all that is due. */
let typed = null;

const due = () => centsOf(store.state.order?.due) ?? 0n;
const amount = () => typed ?? due();

function setAmount(cents) {
  typed = cents;
  changed();
}

export function forgetAmount() {
  typed = null;
}

/** The keyboard's digits are the keypad's. */
export function typeAmount(event) {
  const key = view.screen === 'checkout' ? keyOfKeyboard(event) : undefined;
  if (key === undefined || view.dialog) return;
  event.preventDefault();
  setAmount(pressed(typed === null && key !== 'back' ? 0n : amount(), key));
}

async function pay(type, cents, card) {
  const name = `pay ${type.name}`;
  const send = type.kind === 'partner' ? change : changeOnce; // a card may be pressed twice: the partner does it once
  const state = await send(name, 'POST', 'pay', { type: type.name, amount: textOf(cents), ...card });
  if (!state) return;
  const { said, order } = state;
  if (card.reference && said?.is_booked && said.reference) rememberPaid(order.id, said.reference, card);
  forgetAmount();
  showSaid({ isSale: true, again: () => pay(type, cents, card) });
}

function choose(type) {
  const cents = amount();
  const { synced } = store.state.config;
  if (type.kind === 'partner' && cents > due()) return tell(`Only ${priced(due())} is due.`, 'bad');
  if (type.kind !== 'partner' || !synced.requires_reference) return pay(type, cents, {});
  return askForCard({
    title: type.name,
    note: `${priced(cents)} to be charged`,
    action: `Charge ${priced(cents)}`,
    name: `pay ${type.name}`,
    send: (card) => pay(type, cents, card),
  });
}

const ICONS = { cash: 'cash', card: 'card' };

const typeButton = (type) =>
  h(
    'li',
    { key: type.name, class: type.kind },
    runner(
      `pay ${type.name}`,
      {
        class: `pay-type ${type.kind}`,
        disabled: amount() <= 0n,
        onclick: () => choose(type),
      },
      icon(type.kind === 'partner' ? 'gift' : (ICONS[type.name.toLowerCase()] ?? 'card')),
      h('span', { class: 'pay-name' }, type.name),
      isRunning(`pay ${type.name}`) && h('span', { class: 'pay-state' }, 'Waiting for the reply…'),
    ),
  );

const NOTES = [5, 10, 20, 50];

function quickAmounts() {
  const all = due();
  const notes = NOTES.map(wholes)
    .filter((note) => note < all)
    .slice(-3)
    .map((note) => [priced(note).split('.')[0], note]);
  return h(
    'div',
    { class: `quicks notes-${notes.length}`, role: 'group', 'aria-label': 'Quick amounts' },
    [
      ['All', all],
      ['Half', partOf(all, 2n)],
      ['A third', partOf(all, 3n)],
    ].map((part) => quickButton(part, 'part')),
    notes.map((note) => quickButton(note, 'note')),
  );
}

const quickButton = ([label, cents], kind) =>
  h(
    'button',
    {
      type: 'button',
      key: label,
      class: `quick ${kind}`,
      'aria-pressed': String(amount() === cents),
      onclick: () => setAmount(cents),
    },
    label,
    kind === 'part' && h('span', { class: 'amount' }, shown(cents)),
  );

function amountSide() {
  const isAll = amount() === due();
  return h(
    'div',
    { class: 'pay-amount', key: 'amount' },
    h(
      'div',
      { class: 'amount-box' },
      h('span', { class: 'amount-label', id: 'amount-label' }, isAll ? 'Amount' : `${amount() < due() ? 'Part of' : 'More than'} ${priced(due())}`),
      h('output', { class: 'amount amount-big', 'aria-labelledby': 'amount-label' }, priced(amount())),
    ),
    quickAmounts(),
  );
}

function typesSide() {
  const types = store.state.payment_types;
  return h(
    'div',
    { class: 'pay-types', key: 'types' },
    h('h2', {}, 'Pay with'),
    types.length === 0
      ? empty('card', 'No payment types', 'Back Office has none switched on, or the till was not synced since.')
      : h('ul', { class: 'type-list' }, types.map(typeButton)),
    !store.state.partner.is_active && h('p', { class: 'note' }, store.state.partner.why),
  );
}

export function checkoutScreen() {
  const { order } = store.state;
  if (!order || order.lines.length === 0)
    return h(
      'section',
      { class: 'screen', key: 'checkout' },
      screenHead('Checkout'),
      empty(
        'sales',
        'Nothing to pay',
        'Add a product to the sale first.',
        h('button', { type: 'button', class: 'primary', onclick: () => go('sale') }, 'To the products'),
      ),
    );
  if (!isDue(order) || !isOpen(order))
    return h(
      'section',
      { class: 'screen', key: 'checkout' },
      screenHead('Checkout'),
      empty(
        'check',
        'Paid in full',
        'Nothing is due on this sale.',
        runner('new', { class: 'primary', onclick: startSale }, 'New sale'),
      ),
    );
  return h(
    'section',
    { class: 'screen', key: 'checkout' },
    screenHead('Checkout'),
    h(
      'div',
      { class: 'pay' },
      amountSide(),
      typesSide(),
      keypad({ cents: amount(), isFresh: typed === null, change: setAmount }),
    ),
  );
}
