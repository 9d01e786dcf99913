// The menu, as a sheet from the left: sales, add-ons, Back Office, and the keys of the keyboard.
import { h } from './dom.js';
import { resetGiftCard } from './giftcard.js';
import { startSale } from './order.js';
import { store } from './store.js';
import { closeDialog, go, icon, iconButton, openDialog } from './view.js';

export const KEYS = { F2: 'customer', F4: 'checkout', F8: 'gift-card', F9: 'wire' };

function goTo(screen) {
  if (screen === 'gift-card') resetGiftCard();
  closeDialog();
  go(screen);
}

const entry = (iconName, label, action, key) =>
  h(
    'li',
    { key: label },
    h('button', { type: 'button', onclick: action }, icon(iconName), h('span', {}, label), key && h('kbd', {}, key)),
  );

function begin() {
  closeDialog();
  startSale();
}

export function openMenu() {
  openDialog(() =>
    h(
      'dialog',
      { key: 'menu', class: 'menu', 'aria-label': 'Menu' },
      h(
        'nav',
        {},
        h('header', {}, h('h2', {}, 'Menu'), iconButton('close', 'Close the menu', { onclick: closeDialog })),
        h(
          'ul',
          {},
          entry('plus', 'New sale', begin),
          entry('sales', 'Sales', () => goTo('sales')),
          entry('customer', 'Customer', () => goTo('customer'), 'F2'),
        ),
        h('h3', {}, 'Add-Ons'),
        h(
          'ul',
          {},
          entry('gift', 'Gift Card', () => goTo('gift-card'), 'F8'),
        ),
        h('h3', {}, 'Set-up'),
        h(
          'ul',
          {},
          entry('office', 'Back Office', () => goTo('office')),
        ),
        h(
          'p',
          { class: 'hint keys' },
          'F4 checkout, F9 the wire, Esc back. On the checkout screen digits go to the amount.',
        ),
        h(
          'p',
          { class: 'hint' },
          `Site ${store.state.config.synced.site_id}, register ${store.state.config.synced.register_id}`,
        ),
      ),
    ),
  );
}
