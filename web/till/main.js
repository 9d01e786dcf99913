// Puts the page together and keeps it up to date with the register.
import { checkoutScreen, forgetAmount, typeAmount } from './checkout.js';
import { crashScreen } from './crash.js';
import { customerScreen } from './customer.js';
import { show, h } from './dom.js';
import { armedChip } from './faults.js';
import { giftCardScreen, resetGiftCard } from './giftcard.js';
import { KEYS, openMenu } from './menu.js';
import { priced } from './money.js';
import { officePage } from './office.js';
import { isOpen, orderPanel } from './order.js';
import { productScreen } from './products.js';
import { salesScreen } from './sales.js';
import { changed, changeOnce, hush, refresh, store, subscribe, tell } from './store.js';
import { showUnsure } from './said.js';
import { arrive, closeDialog, go, icon, iconButton, openPane, plural, restoreFocus, runner, view } from './view.js';
import { followWire, showWireTab, wirePanel } from './wire.js';

const POLL_MS = 5000;
const WIDE = window.matchMedia('(min-width: 1100px)');

const DRAWN = {
  sale: productScreen,
  checkout: checkoutScreen,
  customer: customerScreen,
  'gift-card': giftCardScreen,
  sales: salesScreen,
  office: officePage,
};

// --- the bar at the top

async function sync() {
  const state = await changeOnce('sync', 'POST', 'sync');
  if (state) tell('Synced: the till has these settings now.');
}

function toggleWire() {
  view.isWireOpen = !view.isWireOpen;
  changed();
}

const syncButton = () =>
  store.state.config.needs_sync &&
  runner('sync', { class: 'chip sync-chip', onclick: sync, key: 'sync' }, icon('sync'), h('span', {}, 'Sync needed'));

function cloudMark() {
  const { cloud } = store.state;
  if (store.isGone) return h('span', { class: 'cloud down' }, 'Register is gone');
  return h(
    'span',
    { class: `cloud ${cloud.is_up ? 'up' : 'down'}`, title: cloud.is_up ? cloud.url : cloud.why },
    cloud.is_up ? 'Cloud is up' : 'Cloud is down',
  );
}

const link = (screen, iconName, label) =>
  h(
    'a',
    {
      class: 'bar-link',
      key: screen,
      href: `#${screen}`,
      'aria-current': view.screen === screen && view.pane === 'work' ? 'page' : undefined,
    },
    icon(iconName),
    h('span', {}, label),
  );

function bar() {
  return h(
    'header',
    { class: 'bar', key: 'bar' },
    iconButton('menu', 'Menu', { onclick: openMenu }),
    h('p', { class: 'brand' }, 'Counterpart ', h('span', {}, 'till')),
    cloudMark(),
    h('span', { class: 'bar-space' }),
    armedChip(() => showWireTab('faults')),
    syncButton(),
    h(
      'nav',
      { class: 'bar-links', 'aria-label': 'Screens' },
      link('customer', 'customer', 'Customer'),
      link('sales', 'sales', 'Sales'),
      link('gift-card', 'gift', 'Gift Card'),
      link('office', 'office', 'Back Office'),
    ),
    h(
      'button',
      {
        type: 'button',
        class: 'bar-link wire-button',
        id: 'wire-button',
        'aria-expanded': String(view.isWireOpen),
        'aria-controls': 'wire',
        onclick: toggleWire,
      },
      icon('wire'),
      h('span', {}, 'The wire'),
    ),
  );
}

// --- what does not work, above everything

function banner() {
  if (store.isGone)
    return h(
      'p',
      { class: 'banner bad', role: 'alert', key: 'gone' },
      icon('warning'),
      h('span', {}, h('strong', {}, 'The register does not answer. '), 'Is tillsim still running? Trying again…'),
    );
  if (!store.state.cloud.is_up)
    return h(
      'p',
      { class: 'banner', role: 'alert', key: 'cloud' },
      icon('warning'),
      h('span', {}, h('strong', {}, 'The cloud is down. '), store.state.cloud.why),
    );
  return null;
}

const toast = () =>
  store.toast &&
  h(
    'section',
    { class: `toast ${store.toast.kind}`, key: 'toast', 'aria-label': 'Message' },
    h('p', {}, store.toast.text),
    iconButton('close', 'Close this message', { onclick: hush }),
  );

// --- the phone's tabs

/** These have a link in the bar, which says that the cashier is there. */
const LINKED = new Set(['customer', 'sales', 'gift-card']);

/** A second touch goes back to the products. */
function touchPane(pane) {
  if (pane === 'work' && view.pane === 'work' && LINKED.has(view.screen)) go('sale');
  else openPane(pane);
}

function paneTab(pane, iconName, label) {
  const isHere = view.pane === pane && !(pane === 'work' && LINKED.has(view.screen));
  return h(
    'button',
    { type: 'button', key: pane, 'aria-pressed': String(isHere), onclick: () => touchPane(pane) },
    icon(iconName),
    h('span', {}, label),
  );
}

function panes() {
  const { order } = store.state;
  const due = order && isOpen(order) && order.lines.length > 0 ? `Order ${priced(order.due)}` : 'Order';
  return h(
    'nav',
    { class: 'panes', 'aria-label': 'Parts of the till', key: 'panes' },
    paneTab('work', view.screen === 'office' ? 'office' : 'grid', view.screen === 'office' ? 'Settings' : 'Till'),
    view.screen !== 'office' && paneTab('order', 'sales', due),
    paneTab('wire', 'wire', 'The wire'),
  );
}

function till() {
  const inert = Boolean(view.dialog);
  if (store.state.crash && view.screen !== 'office') return crashScreen();
  if (view.screen === 'office') return h('main', { class: 'work', key: 'office-main', inert }, officePage());
  return [
    h('div', { class: 'order-side', key: 'order-side', inert }, orderPanel()),
    h('main', { class: 'work', key: 'work', inert }, DRAWN[view.screen]()),
  ];
}

/** A touch beside the menu closes it; what asks the cashier something wants an answer. */
const closeMenu = (event) => {
  if (event.target === event.currentTarget && event.currentTarget.querySelector('.menu')) closeDialog();
};

const overlay = () => view.dialog && h('div', { class: 'overlay', key: 'overlay', onclick: closeMenu }, view.dialog());

function page() {
  const isCrashed = store.state.crash && view.screen !== 'office';
  const layout = [
    'frame',
    `pane-${view.pane}`,
    view.isWireOpen && 'with-wire',
    view.screen === 'office' && 'is-office',
    isCrashed && 'is-crashed',
  ];
  return [
    bar(),
    banner(),
    h('div', { class: layout.filter(Boolean).join(' '), key: 'frame' }, till(), overlay(), wirePanel(), toast()),
    panes(),
  ];
}

// --- drawing

const waiting = () =>
  h(
    'div',
    { class: 'starting', key: 'starting' },
    icon('warning'),
    h('p', {}, 'The register does not answer.'),
    h('p', {}, 'Start tillsim register; this page goes on by itself.'),
  );

let hadDialog = false;

/** A dialog gets the focus when it is drawn; when the last one is gone, the focus goes back. */
function settleDialog() {
  const dialog = document.querySelector('dialog');
  if (dialog && !dialog.open) dialog.show();
  if (hadDialog && !dialog) restoreFocus();
  hadDialog = Boolean(dialog);
}

function settleFocus() {
  if (!view.heading || view.dialog) return;
  const target =
    view.heading === 'member' ? document.getElementById('member-name') : document.querySelector('main h1, .crash h1');
  if (!target) return;
  view.heading = null;
  target.focus({ preventScroll: true });
}

let wasCrashed = false;

/** What had the focus is gone when the till stops, and when it is back. */
function noticeCrash() {
  const isCrashed = Boolean(store.state.crash);
  if (isCrashed !== wasCrashed) view.heading = 'crash';
  if (isCrashed && !wasCrashed) view.dialog = null;
  wasCrashed = isCrashed;
}

let announced = '';

/** For those who do not see it: the order's new total, or the message at the bottom. */
function announce() {
  const { order } = store.state;
  const text = store.toast?.text ?? (order ? `${plural(order.lines.length, 'line')}, ${priced(order.due)} due` : '');
  if (text !== announced) document.getElementById('live').textContent = text;
  announced = text;
}

function draw() {
  const root = document.getElementById('page');
  if (!store.state) {
    if (store.isGone) show(root, waiting());
    return;
  }
  noticeCrash();
  show(root, page());
  settleDialog();
  settleFocus();
  announce();
}

// --- from outside: keys, address, time

const screenOfAddress = () => location.hash.slice(1) || 'sale';

function onKey(event) {
  if (KEYS[event.key]) {
    event.preventDefault();
    if (event.key === 'F9') return WIDE.matches || window.innerWidth > 700 ? toggleWire() : openPane('wire');
    return go(KEYS[event.key]);
  }
  if (event.key === 'Escape') return view.dialog ? closeDialog() : go('sale');
  return typeAmount(event);
}

function onAddress() {
  const screen = screenOfAddress();
  if (screen === 'gift-card' && view.screen !== screen) resetGiftCard();
  if (screen !== 'checkout') forgetAmount();
  arrive(screen);
}

view.isWireOpen = WIDE.matches;
WIDE.addEventListener('change', () => {
  view.isWireOpen = WIDE.matches;
  changed();
});
subscribe(draw);
document.addEventListener('keydown', onKey);
window.addEventListener('hashchange', onAddress);
onAddress();
setInterval(() => {
  if (!document.hidden && !store.isGone) refresh();
}, POLL_MS);
await refresh();
showUnsure();
followWire();
