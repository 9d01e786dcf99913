// The order on the left: lines, discount, total, payments, what is due; and what can be done with it.
import { h } from './dom.js';
import { centsOf, priced, shown } from './money.js';
import { change, changeOnce, inTurn, isRunning, store } from './store.js';
import { closeDialog, empty, go, icon, iconButton, openDialog, runner, view } from './view.js';

const isZero = (amount) => (centsOf(amount) ?? 0n) === 0n;

/** Something is left to pay. */
export const isDue = (order) => Boolean(order) && (centsOf(order.due) ?? 0n) > 0n;

/** It takes lines and payments. */
export const isOpen = (order) =>
  Boolean(order) && order.status !== 'COMPLETE' && order.status !== 'DELETED' && !order.is_refund;

export const memberName = (member) => [member.first_name, member.last_name].filter(Boolean).join(' ');

const tidyQuantity = (quantity) =>
  String(quantity).includes('.') ? String(quantity).replace(/\.?0+$/, '') : String(quantity);

/** From what is on the line when its turn comes; by then it may be gone. */
async function setQuantityNow(number, by) {
  const row = store.state.order?.lines.find((line) => line.number === number);
  if (!row) return;
  const wanted = Number.parseInt(row.quantity, 10) + by;
  if (wanted < 1) await change('line', 'DELETE', `lines/${number}`);
  else await change('line', 'PUT', `lines/${number}`, { quantity: String(wanted) });
}

const setQuantity = (row, by) => inTurn(() => setQuantityNow(row.number, by));

const stepper = (row) =>
  h(
    'span',
    { class: 'stepper' },
    iconButton('minus', `One ${row.name} less`, { onclick: () => setQuantity(row, -1) }),
    iconButton('plus', `One ${row.name} more`, { onclick: () => setQuantity(row, 1) }),
  );

const line = (isChangeable) => (row) =>
  h(
    'li',
    { key: `line-${row.number}`, class: 'line' },
    h('span', { class: 'line-quantity' }, tidyQuantity(row.quantity)),
    h('span', { class: 'line-name' }, row.name, row.notes && h('small', {}, row.notes)),
    h('span', { class: 'line-price amount' }, shown(row.price)),
    isChangeable && stepper(row),
  );

const sum = (label, amount, kind = '') =>
  h(
    'div',
    { class: `sum ${kind}`, key: label },
    h('dt', {}, label),
    h('dd', { class: 'amount', key: amount }, shown(amount)),
  );

const payment = (paid) =>
  h(
    'div',
    { class: 'sum payment', key: `payment-${paid.number}` },
    h('dt', {}, icon('check'), h('span', {}, paid.method), paid.ref && h('span', { class: 'mono' }, paid.ref)),
    h('dd', { class: 'amount' }, shown(-(centsOf(paid.amount) ?? 0n))),
  );

function sums(order) {
  const hasPayments = order.payments.length > 0;
  return h(
    'dl',
    { class: 'sums' },
    !isZero(order.discount) && [sum('Subtotal', order.subtotal), sum('Discount', `-${order.discount}`, 'discount')],
    sum('Total', order.total, hasPayments ? '' : 'strong'),
    order.payments.map(payment),
    hasPayments && sum('Due', order.due, 'strong'),
  );
}

function person(order) {
  const name = order.customer?.name || (order.customer && `Customer ${order.customer.id}`);
  return h(
    'a',
    { class: `order-customer ${name ? 'is-set' : ''}`, href: '#customer' },
    icon('customer'),
    name || 'Add a customer',
  );
}

function askToDelete(order) {
  openDialog(() =>
    h(
      'dialog',
      { key: 'delete', class: 'sheet small', 'aria-labelledby': 'delete-title' },
      h('h2', { id: 'delete-title' }, `Delete sale ${order.sale_number}?`),
      h(
        'p',
        {},
        order.payments.length > 0
          ? 'The sale is taken off the till. What was paid is not given back.'
          : 'The sale is taken off the till.',
      ),
      h(
        'div',
        { class: 'actions' },
        h('button', { type: 'button', onclick: closeDialog, autofocus: true }, 'Keep it'),
        runner('delete', { class: 'danger', onclick: () => remove(order) }, 'Delete sale'),
      ),
    ),
  );
}

async function remove(order) {
  const state = await changeOnce('delete', 'POST', `orders/${order.id}/delete`);
  if (!state) return;
  closeDialog();
  go('sale');
}

export async function startSale() {
  const state = await changeOnce('new', 'POST', 'orders');
  if (state) go('sale');
}

/** Sales are in the cloud, which only the register reaches. */
const isReachable = () => !store.isGone && store.state.cloud.is_up;

const newSaleButton = () =>
  runner('new', { class: 'primary big', key: 'new', disabled: !isReachable(), onclick: startSale }, 'New sale');

function noSale() {
  if (isReachable()) return empty('sales', 'No sale is open', 'Touch a product, or start one here.');
  const why = store.isGone ? 'The register does not answer.' : 'The cloud keeps the sales, and it is down.';
  return empty('sales', 'No sale can be shown', `${why} One that was open is there again afterwards.`);
}

const nothing = () =>
  h(
    'section',
    { class: 'order', 'aria-label': 'Order' },
    h('div', { class: 'order-body' }, noSale()),
    h('div', { class: 'order-foot' }, newSaleButton()),
  );

function checkoutButton(order) {
  const isHere = view.screen === 'checkout' && view.pane !== 'order';
  return h(
    'button',
    {
      type: 'button',
      class: 'primary big',
      key: 'checkout',
      disabled: order.lines.length === 0 || isHere,
      onclick: () => go('checkout'),
    },
    h('span', {}, isHere ? 'Checking out' : 'Checkout'),
    h('span', { class: 'amount' }, priced(order.due)),
  );
}

const CLOSED = { DELETED: 'Deleted', COMPLETE: 'Paid in full' };

function foot(order) {
  if (isOpen(order) && (isDue(order) || order.lines.length === 0))
    return h('div', { class: 'order-foot' }, checkoutButton(order));
  return h(
    'div',
    { class: 'order-foot' },
    h('p', { class: 'paid' }, icon('check'), order.is_refund ? 'Refunded' : (CLOSED[order.status] ?? 'Nothing is due')),
    newSaleButton(),
  );
}

const head = (order) =>
  h(
    'header',
    { class: 'order-head' },
    h('div', {}, h('h2', {}, `${order.is_refund ? 'Refund' : 'Sale'} ${order.sale_number}`), person(order)),
    isRunning('line') && h('span', { class: 'spinner', 'aria-hidden': 'true' }),
    isOpen(order) && iconButton('trash', 'Delete this sale', { onclick: () => askToDelete(order) }),
  );

const body = (order) =>
  h(
    'div',
    { class: 'order-body' },
    order.lines.length === 0
      ? empty('sales', 'Nothing on this sale yet', 'Touch a product to add it.')
      : h('ol', { class: 'lines', 'aria-label': 'Lines' }, order.lines.map(line(isOpen(order)))),
  );

export function orderPanel() {
  const { order } = store.state;
  if (!order) return nothing();
  return h(
    'section',
    { class: 'order', 'aria-label': 'Order' },
    head(order),
    body(order),
    order.notes && h('p', { class: 'order-notes' }, order.notes),
    order.lines.length > 0 && sums(order),
    foot(order),
  );
}
