// Customers who are checked in, as with their phone: the register sends their reference in place of a card number.
import { h } from './dom.js';
import { changeOnce, store } from './store.js';
import { empty, icon } from './view.js';

const toggle = (customer) =>
  customer.is_checked_in
    ? changeOnce('checkin', 'DELETE', `checkins/${customer.id}`)
    : changeOnce('checkin', 'POST', 'checkins', { customer_id: customer.id });

const row = (chosen, choose) => (customer) =>
  h(
    'li',
    { key: `customer-${customer.id}`, class: 'checkin' },
    h(
      'button',
      {
        type: 'button',
        class: 'checkin-name',
        disabled: !customer.is_checked_in,
        'aria-pressed': String(customer.is_checked_in && chosen === customer.reference_id),
        onclick: () => choose(customer.reference_id),
      },
      icon('customer'),
      h('span', {}, customer.name),
      h('span', { class: 'mono' }, customer.reference_id),
    ),
    h(
      'button',
      { type: 'button', class: 'quiet', onclick: () => toggle(customer) },
      customer.is_checked_in ? 'Check out' : 'Check in',
      h('span', { class: 'hidden-text' }, ` ${customer.name}`),
    ),
  );

/** The people whom the partner knows; those checked in can be chosen. choose gets the reference. */
export function checkinList(chosen, choose) {
  const known = store.state.customers.filter((customer) => customer.reference_id !== '');
  if (known.length === 0)
    return empty(
      'customer',
      'Nobody the partner knows',
      'A customer gets a reference when the add-on’s search has found them once.',
    );
  return h('ul', { class: 'checkins', 'aria-label': 'Customers' }, known.map(row(chosen, choose)));
}
