// The red screen: the till has stopped, why, and the bytes that did it.
import { visible, hexOf } from './bytes.js';
import { h } from './dom.js';
import { call, change, changed, store } from './store.js';
import { icon, openPane, runner } from './view.js';

const SHOWN_MAX = 4000;

let exchange = null; // of the crash that is shown
let wanted = 0;

async function fetchExchange(number) {
  wanted = number;
  exchange = null;
  try {
    exchange = await call('GET', `wire/${number}`);
  } catch {
    /* the wire was cleared: the screen says why without it */
  }
  changed();
}

function evidence() {
  if (!exchange) return null;
  const body = exchange.reply_body_base64
    ? hexOf(exchange.reply_body_base64)
    : visible(exchange.reply_body).slice(0, SHOWN_MAX);
  const type =
    exchange.reply_headers.find(({ name }) => name.toLowerCase() === 'content-type')?.value ?? 'no content type';
  return h(
    'figure',
    { class: 'evidence', key: 'evidence' },
    h('figcaption', {}, `${exchange.action}: status ${exchange.status}, ${visible(type)}`),
    h(
      'pre',
      { class: 'bytes', tabindex: '0', role: 'region', 'aria-label': 'The reply, as it came' },
      body || '(no bytes)',
    ),
  );
}

const restart = () => change('restart', 'POST', 'restart');

export function crashScreen() {
  const { crash } = store.state;
  if (wanted !== crash.exchange) fetchExchange(crash.exchange);
  return h(
    'main',
    { class: 'crash', key: 'crash' },
    h(
      'div',
      { class: 'crash-body' },
      icon('warning'),
      h('h1', { tabindex: '-1' }, 'The till has stopped'),
      h('p', { class: 'crash-why', role: 'alert' }, crash.why),
      evidence(),
      h('p', {}, 'Every reply on these addresses has to be JSON: errors, unknown paths and proxies included.'),
      h(
        'div',
        { class: 'actions' },
        h('button', { type: 'button', class: 'on-phone', onclick: () => openPane('wire') }, 'See the wire'),
        runner('restart', { class: 'primary big', onclick: restart, autofocus: true }, 'Restart'),
      ),
    ),
  );
}
