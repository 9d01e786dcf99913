// Sales: the open ones to go on with, the earlier ones to look at or refund.
import { h } from './dom.js';
import { amountField } from './fields.js';
import { centsOf, priced, shown, textOf } from './money.js';
import { startSale } from './order.js';
import { cardFields, cardThatPaid, hasCard, resetPrompt, useCard } from './reference.js';
import { showSaid } from './said.js';
import { change, changed, store } from './store.js';
import { closeDialog, empty, go, icon, isRunningText, openDialog, plural, runner, screenHead } from './view.js';

async function open(order) {
  const state = await change(`open ${order.id}`, 'POST', `orders/${order.id}/open`);
  if (state) go('sale');
}

const openSale = (order) =>
  h(
    'li',
    { key: `sale-${order.id}` },
    runner(
      `open ${order.id}`,
      {
        class: 'sale',
        'aria-current': order.id === store.state.order?.id ? 'true' : undefined,
        onclick: () => open(order),
      },
      h(
        'span',
        { class: 'sale-text' },
        h('strong', {}, order.sale_number),
        h('span', {}, order.customer || 'No customer'),
      ),
      h(
        'span',
        { class: 'sale-sums' },
        h('strong', { class: 'amount' }, priced(order.due)),
        h('span', {}, centsOf(order.paid) ? `due of ${shown(order.total)}` : 'due'),
      ),
      icon('forward'),
    ),
  );

const asksForCard = () => store.state.config.synced.requires_reference;

/** The money that is given back, while the dialog is open. */
const refund = { amount: '', problem: '' };

/** most: what is left of the payment. */
function problemWith(amount, most) {
  if (amount === null || amount <= 0n) return 'An amount such as 10.00 is wanted.';
  return amount > most ? `Only ${priced(most)} of it can be given back.` : '';
}

async function sendRefund(order, paid, card) {
  const amount = centsOf(refund.amount);
  refund.problem = problemWith(amount, leftOf(order, paid));
  if (refund.problem) {
    changed();
    document.getElementById('refund-amount')?.focus();
    return;
  }
  const body = { order_id: order.id, payment_number: paid.number, amount: textOf(amount), ...card };
  const state = await change('refund', 'POST', 'refund', body);
  if (state) showSaid({ again: () => sendRefund(order, paid, card) });
}

const refundAmount = () =>
  amountField({
    id: 'refund-amount',
    label: 'Amount',
    value: refund.amount,
    problem: refund.problem,
    set: (amount) => {
      Object.assign(refund, { amount, problem: '' });
      changed();
    },
  });

/** Why a card is asked for, and which one it is. */
function cardToRefund(known) {
  if (!asksForCard()) return null;
  const why = known
    ? 'This is the card that paid. Another one can be given.'
    : 'Ask for the card that paid: this screen has not read it.';
  return [h('p', { class: 'note' }, why), cardFields()];
}

function askRefund(order, paid) {
  const known = cardThatPaid(order.id, paid.ref);
  Object.assign(refund, { amount: textOf(leftOf(order, paid)), problem: '' });
  resetPrompt(known);
  openDialog(() =>
    h(
      'dialog',
      { key: 'refund', class: 'sheet', 'aria-labelledby': 'refund-title' },
      h(
        'form',
        {
          method: 'dialog',
          onsubmit: (event) => {
            event.preventDefault();
            sendRefund(order, paid, asksForCard() ? useCard() : {});
          },
        },
        h('h2', { id: 'refund-title' }, `Refund to ${paid.method}`),
        h(
          'p',
          { class: 'note' },
          `Sale ${order.sale_number}, ${priced(paid.amount)} paid`,
          paid.ref && ` as ${paid.ref}`,
        ),
        refundAmount(),
        cardToRefund(known),
        h(
          'div',
          { class: 'actions' },
          h('button', { type: 'button', onclick: closeDialog }, 'Cancel'),
          runner(
            'refund',
            { type: 'submit', class: 'primary', disabled: asksForCard() && !hasCard() },
            isRunningText('refund', 'Sending…', `Give back ${priced(refund.amount)}`),
          ),
        ),
      ),
    ),
  );
}

/** The sales that gave (part of) this one back. */
const refundsOf = (order) =>
  store.state.closed_orders.filter((each) => !each.is_deleted && each.refunded_order_id === order.id);

const sum = (amounts) => amounts.reduce((cents, amount) => cents + (centsOf(amount) ?? 0n), 0n);

const least = (one, other) => (one < other ? one : other);

/** What of a payment can still be given back. Refunds have negative payments, and do not say of which one they are. */
function leftOf(order, paid) {
  const moved = [order, ...refundsOf(order)].flatMap(({ payments }) => payments.filter(({ kind }) => kind === 'partner'));
  return least(centsOf(paid.amount) ?? 0n, sum(moved.map(({ amount }) => amount)));
}

const refunded = (order) =>
  refundsOf(order).map((given) =>
    h('p', { class: 'note', key: given.id }, `Refund ${priced(given.total)}: ${given.sale_number}`),
  );

function paidRow(order, paid) {
  const isOffered = store.state.partner.actions.includes('refund') && leftOf(order, paid) > 0n;
  const canRefund = paid.kind === 'partner' && !order.is_refund && isOffered;
  return h(
    'li',
    { key: paid.number },
    h('span', {}, paid.method, paid.ref && h('span', { class: 'mono' }, paid.ref)),
    canRefund &&
      h(
        'button',
        { type: 'button', class: 'quiet', onclick: () => askRefund(order, paid) },
        icon('undo'),
        'Refund',
        h('span', { class: 'hidden-text' }, ` ${shown(paid.amount)} of sale ${order.sale_number}`),
      ),
    h('span', { class: 'amount' }, shown(paid.amount)),
  );
}

const kindOf = (order) => (order.is_deleted ? 'Deleted' : order.is_refund ? 'Refund' : 'Complete');

const closedSale = (order) =>
  h(
    'li',
    { key: `closed-${order.id}`, class: 'closed-sale' },
    h(
      'div',
      { class: 'closed-head' },
      h('strong', {}, order.sale_number),
      h('span', { class: `tag ${kindOf(order).toLowerCase()}` }, kindOf(order)),
      h('strong', { class: 'amount' }, priced(order.total)),
    ),
    order.payments.length > 0 &&
      h(
        'ul',
        { class: 'closed-payments' },
        order.payments.map((paid) => paidRow(order, paid)),
      ),
    refunded(order),
  );

/** Those that were deleted stand beneath, folded: nothing can be done with them. */
function earlierSales(closed) {
  const deleted = closed.filter((order) => order.is_deleted);
  const others = closed.filter((order) => !order.is_deleted);
  return [
    others.length === 0
      ? empty('sales', 'No earlier sales', 'Sales that are paid stand here, to be refunded.')
      : h('ul', { class: 'closed-sales' }, others.map(closedSale)),
    deleted.length > 0 &&
      h(
        'details',
        { class: 'deleted-sales', key: 'deleted' },
        h('summary', {}, plural(deleted.length, 'deleted sale')),
        h('ul', { class: 'closed-sales' }, deleted.map(closedSale)),
      ),
  ];
}

const newSale = () => runner('new', { class: 'primary', onclick: startSale }, icon('plus'), 'New sale');

export function salesScreen() {
  const { orders, closed_orders: closed, cloud } = store.state;
  if (!cloud.is_up)
    return h(
      'section',
      { class: 'screen', key: 'sales' },
      screenHead('Sales'),
      empty('warning', 'The cloud does not answer', cloud.why),
    );
  return h(
    'section',
    { class: 'screen', key: 'sales' },
    screenHead('Sales', newSale()),
    h(
      'div',
      { class: 'two-lists' },
      h(
        'div',
        { key: 'open' },
        h('h2', {}, 'Open'),
        orders.length === 0
          ? empty('sales', 'No open sales', 'Start one with a product.')
          : h('ul', { class: 'sales' }, orders.map(openSale)),
      ),
      h(
        'div',
        { key: 'closed' },
        h('h2', {}, 'Earlier'),
        earlierSales(closed),
      ),
    ),
  );
}
