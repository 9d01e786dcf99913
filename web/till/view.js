// Where the cashier is: screen, open dialog, what is beside the till; and the small parts every screen is made of.
import { h } from './dom.js';
import { changed, isRunning } from './store.js';

export const SCREENS = ['sale', 'checkout', 'customer', 'gift-card', 'sales', 'office'];

export const view = {
  screen: 'sale',
  pane: 'work', // on a phone one of: work, order, wire
  dialog: null, // a function that describes it
  isWireOpen: true,
  heading: null, // gets the focus when it has been drawn
};

let opener; // had the focus before the dialog

export function go(screen) {
  if (location.hash !== `#${screen}`) location.hash = screen;
  arrive(screen);
}

/** The address has changed, by us or by the browser's buttons. */
export function arrive(screen) {
  const wanted = SCREENS.includes(screen) ? screen : 'sale';
  if (view.screen !== wanted) view.heading = wanted;
  view.screen = wanted;
  view.pane = 'work';
  view.dialog = null;
  changed();
}

export function openPane(pane) {
  view.pane = pane;
  changed();
}

/**
 * draw describes what is in it, each time anew; it stays until closeDialog. It covers the till alone: the wire beside
 * it can be read, and a fault armed, while the cashier is asked something.
 */
export function openDialog(draw) {
  if (!view.dialog) opener = document.activeElement;
  if (view.pane === 'wire') view.pane = 'work';
  view.dialog = draw;
  changed();
}

export function closeDialog() {
  view.dialog = null;
  changed();
}

/** Back to where the cashier was; if that is gone, to the screen's heading. */
export function restoreFocus() {
  if (opener?.isConnected && !opener.disabled) opener.focus();
  else document.querySelector('main h1')?.focus();
  opener = undefined;
}

const PATHS = {
  menu: 'M4 7h16M4 12h16M4 17h16',
  customer: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20a7.5 7.5 0 0 1 15 0',
  gift: 'M4 11h16v9H4zM3 7h18v4H3zM12 7v13M12 7S9 2.5 7.2 4.3 12 7 12 7zm0 0s3-4.5 4.8-2.7S12 7 12 7z',
  sales: 'M6 3h12v18l-3-2-3 2-3-2-3 2zM9 8h6M9 12h6',
  wire: 'M3 12h4l3-8 4 16 3-8h4',
  back: 'M15 5l-7 7 7 7',
  forward: 'M9 5l7 7-7 7',
  close: 'M6 6l12 12M18 6L6 18',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  erase: 'M9 5h11v14H9l-6-7zM12.5 9.5l5 5M17.5 9.5l-5 5',
  office: 'M4 21V5l8-2v18M12 8h8v13M4 21h17M8 8v.01M8 12v.01M8 16v.01M16 12v.01M16 16v.01',
  sync: 'M20 11a8 8 0 0 0-14.3-4L4 9M4 4v5h5M4 13a8 8 0 0 0 14.3 4L20 15M20 20v-5h-5',
  copy: 'M9 9h11v11H9zM15 9V4H4v11h5',
  edit: 'M4 20h4L19 9l-4-4L4 16zM13 7l4 4',
  trash: 'M5 7h14M10 4h4M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20.5 20.5L16 16',
  warning: 'M12 4L2.5 20h19zM12 10v5M12 17.5v.01',
  check: 'M4.5 12.5l5 5 10-11',
  cash: 'M3 6h18v12H3zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM6 9v.01M18 15v.01',
  card: 'M3 6h18v12H3zM3 10h18M6.5 14.5h4',
  scan: 'M4 8V5h3M17 5h3v3M20 16v3h-3M7 19H4v-3M8 9v6M11 9v6M13.5 9v6M16 9v6',
  keyboard: 'M3 7h18v10H3zM7 11v.01M11 11v.01M15 11v.01M8 14h8',
  download: 'M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14',
  play: 'M7 5l12 7-12 7z',
  grid: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z',
  undo: 'M9 14L4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3',
};

export const icon = (name) =>
  h(
    'svg',
    { viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': 'true', focusable: 'false' },
    h('path', { d: PATHS[name] }),
  );

/** A button that shows when what it started is under way; it can be pressed again, as a cashier does. */
export function runner(name, properties, ...children) {
  const busy = isRunning(name);
  return h(
    'button',
    { type: 'button', ...properties, 'aria-busy': busy ? 'true' : undefined },
    ...children,
    busy && h('span', { class: 'spinner', 'aria-hidden': 'true' }),
  );
}

export const iconButton = (name, label, properties) =>
  h(
    'button',
    {
      type: 'button',
      'aria-label': label,
      title: label,
      ...properties,
      class: `icon-button ${properties.class ?? ''}`,
    },
    icon(name),
  );

/** The head of a screen in the till's working area. */
export const screenHead = (title, ...more) =>
  h(
    'div',
    { class: 'screen-head' },
    h(
      'a',
      { class: 'icon-button', href: '#sale', 'aria-label': 'Back to the sale', title: 'Back to the sale (Esc)' },
      icon('back'),
    ),
    h('h1', { tabindex: '-1' }, title),
    h('div', { class: 'screen-head-more' }, ...more),
  );

export const empty = (iconName, title, text, ...more) =>
  h(
    'div',
    { class: 'empty' },
    icon(iconName),
    h('p', { class: 'empty-title' }, title),
    text && h('p', {}, text),
    ...more,
  );

/** One of several, as a row of buttons. options: [value, label] */
export const segments = (label, options, chosen, choose, more = {}) =>
  h(
    'div',
    { class: 'segments', role: 'group', 'aria-label': label, ...more },
    options.map(([value, text]) =>
      h(
        'button',
        { type: 'button', key: value, 'aria-pressed': String(value === chosen), onclick: () => choose(value) },
        text,
      ),
    ),
  );

/** A button's words while what it started is under way, and otherwise. */
export const isRunningText = (name, during, otherwise) => (isRunning(name) ? during : otherwise);

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
