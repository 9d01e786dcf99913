// The products as tiles.
import { h } from './dom.js';
import { shown } from './money.js';
import { isOpen } from './order.js';
import { change, changed, inTurn, store } from './store.js';
import { empty, icon } from './view.js';

const TINTS = 6; // till.css has as many

function howMany(product) {
  const { order } = store.state;
  const lines = isOpen(order) ? order.lines.filter((line) => line.product_id === product.id) : [];
  return lines.reduce((count, line) => count + Number.parseInt(line.quantity, 10), 0);
}

/** A line of nothing but the product takes one more of it; what was changed by hand or came with modifiers does not. */
const lineFor = (product) =>
  isOpen(store.state.order) &&
  store.state.order.lines.find((line) => line.product_id === product.id && line.notes === '');

function addNow(product) {
  const line = lineFor(product);
  if (!line) return change('line', 'POST', 'lines', { product_id: product.id });
  return change('line', 'PUT', `lines/${line.number}`, { quantity: String(Number.parseInt(line.quantity, 10) + 1) });
}

const add = (product) => inTurn(() => addNow(product));

function tile(product, index) {
  const count = howMany(product);
  return h(
    'li',
    { key: `product-${product.id}` },
    h(
      'button',
      {
        type: 'button',
        class: `tile tint-${index % TINTS}`,
        disabled: product.is_sold_out,
        onclick: () => add(product),
      },
      h('span', { class: 'tile-name' }, product.name),
      h('span', { class: 'tile-price amount' }, product.is_sold_out ? 'Sold out' : shown(product.price)),
      count > 0 &&
        h('span', { class: 'tile-count' }, h('span', { class: 'hidden-text' }, 'on the sale: '), String(count)),
    ),
  );
}

function none() {
  if (store.isGone) return empty('warning', 'The register does not answer', 'This page goes on by itself.');
  return store.state.cloud.is_up
    ? empty('warning', 'No products', 'The cloud has none for this company.')
    : empty('warning', 'The cloud does not answer', store.state.cloud.why);
}

/** More tiles than that nobody looks through, and a browser takes long to lay them out. */
const TILES_MAX = 120;

let wanted = ''; // of the product that is looked for

function findField() {
  return h(
    'label',
    { class: 'field', key: 'find', for: 'find-product' },
    h('span', {}, 'Find a product'),
    h(
      'span',
      { class: 'with-icon' },
      icon('search'),
      h('input', {
        id: 'find-product',
        type: 'search',
        autocomplete: 'off',
        spellcheck: 'false',
        placeholder: 'A part of its name',
        value: wanted,
        oninput: (event) => {
          wanted = event.target.value;
          changed();
        },
      }),
    ),
  );
}

const isWanted = (product) => product.name.toLowerCase().includes(wanted.trim().toLowerCase());

function manyProducts(products) {
  const found = products.filter(isWanted);
  return [
    findField(),
    found.length === 0
      ? empty('search', 'No such product', `No name has “${wanted.trim()}” in it.`)
      : h('ul', { class: 'tiles' }, found.slice(0, TILES_MAX).map(tile)),
    found.length > TILES_MAX &&
      h('p', { class: 'note' }, `${TILES_MAX} of ${found.length} are shown: type a part of the name.`),
  ];
}

function some() {
  const { products } = store.state;
  if (products.length === 0) return none();
  return products.length > TILES_MAX ? manyProducts(products) : h('ul', { class: 'tiles' }, products.map(tile));
}

export const productScreen = () =>
  h(
    'section',
    { class: 'screen', key: 'sale' },
    h('h1', { tabindex: '-1', class: 'hidden-text' }, 'Products'),
    some(),
  );
