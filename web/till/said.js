// What the till says after an action, as a cashier sees it.
import { h } from './dom.js';
import { priced } from './money.js';
import { change, store } from './store.js';
import { isDue, startSale } from './order.js';
import { closeDialog, go, icon, openDialog } from './view.js';

const LOOKS = {
  approved: ['good', 'check'],
  info: ['good', 'check'],
  refused: ['bad', 'close'],
  dropped: ['unsure', 'warning'],
  no_reply: ['unsure', 'warning'],
  malformed: ['bad', 'warning'],
  crashed: ['bad', 'warning'],
};

/** Nobody knows whether the other side did it. */
const isUnsure = (ending) => ending === 'dropped' || ending === 'no_reply';
const isGood = (ending) => ending === 'approved' || ending === 'info';

/** Closed by hand: a page that is opened anew does not say it again. */
function dismiss() {
  closeDialog();
  change('dismiss', 'POST', 'said');
}

function afterSale() {
  closeDialog();
  startSale();
}

function toTheSale() {
  closeDialog();
  go('sale');
}

function buttons(said, { again, isSale }) {
  const isFirst = !isUnsure(said.ending);
  if (!isGood(said.ending))
    return [
      h('button', { type: 'button', autofocus: isFirst, onclick: dismiss }, 'Close'),
      again &&
        h(
          'button',
          { type: 'button', onclick: again, autofocus: !isFirst, class: isFirst ? '' : 'primary' },
          'Try again',
        ),
    ];
  if (isSale && store.state.order && !isDue(store.state.order))
    return [
      h('button', { type: 'button', onclick: toTheSale }, 'Close'),
      h('button', { type: 'button', class: 'primary', autofocus: true, onclick: afterSale }, 'New sale'),
    ];
  return h('button', { type: 'button', class: 'primary', autofocus: true, onclick: closeDialog }, 'OK');
}

const figure = (label, amount, kind) =>
  h('div', { class: kind }, h('dt', {}, label), h('dd', { class: 'amount' }, priced(amount)));

/** The amounts in large: what was done, what is on the card, what is still to pay. */
function figures(said, isSale) {
  if (!isGood(said.ending)) return null;
  const { order } = store.state;
  const isBalance = said.action === 'check-balance' || said.action === 'check_balance';
  const rows = [
    !isBalance && said.amount !== null && figure('Amount', said.amount),
    said.balance !== null && figure('Balance', said.balance, isBalance ? 'large' : ''),
    isSale && isDue(order) && figure('Remaining due', order.due, 'large'),
  ].filter(Boolean);
  return rows.length > 0 && h('dl', { class: 'figures' }, rows);
}

let last = 0; // the dialogue that was shown last

/** The state is of an action that has just ended; gives whether the register had something new to say. */
export const isNews = (state) => Boolean(state.said) && state.said.number > last && !state.crash;

const LONG = 300; // letters: beyond it the title and the buttons would leave a small phone's screen

const sentence = (text) =>
  text.length <= LONG
    ? h('p', { class: 'said-text' }, text)
    : h('p', { class: 'said-text is-long', tabindex: '0', role: 'region', 'aria-label': 'What was said' }, text);

/** Shows what the register said last. again: what "Try again" does; isSale: it was a payment of the open order. */
export function showSaid({ again, isSale = false } = {}) {
  const { said, crash } = store.state;
  if (!said || crash) return closeDialog();
  last = said.number;
  const [look, iconName] = LOOKS[said.ending] ?? LOOKS.malformed;
  return openDialog(() =>
    h(
      'dialog',
      { key: `said-${said.number}`, class: `sheet small said ${look}`, 'aria-labelledby': 'said-title' },
      h('span', { class: 'said-mark' }, icon(iconName)),
      h('h2', { id: 'said-title' }, said.title),
      said.text && sentence(said.text),
      figures(said, isSale),
      h('div', { class: 'actions' }, buttons(said, { again, isSale })),
    ),
  );
}

/** The page was opened anew, and the last press is one of which nobody knows how it ended. */
export function showUnsure() {
  const said = store.state?.said;
  if (said && isUnsure(said.ending)) showSaid();
}
