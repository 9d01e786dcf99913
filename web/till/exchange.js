// One exchange of the wire, opened: verdicts, request, reply, the order before and after, copy and resend.
import { hexOf, indented, sizeOf, visible } from './bytes.js';
import { changesOf } from './diff.js';
import { h } from './dom.js';
import { resendForm, startResend } from './resend.js';
import { changed, tell } from './store.js';
import { icon, plural, segments } from './view.js';

const MARKS = { passed: ['✔', 'passed'], failed: ['✘', 'failed'], not_asked: ['–', 'not asked'] };

const looks = { body: 'indented' }; // or raw

const verdict = ({ rule, verdict: came }) =>
  h(
    'li',
    { class: `verdict ${came}`, key: rule },
    h('span', { 'aria-hidden': 'true' }, MARKS[came][0]),
    h('span', { class: 'hidden-text' }, `${MARKS[came][1]}: `),
    rule,
  );

const verdictList = (list) => list.length > 0 && h('ul', { class: 'verdicts' }, list.map(verdict));

/** What is kept is folded away: the bytes beneath are what one came for. */
function verdicts(list) {
  const came = (wanted) => list.filter(({ verdict: one }) => one === wanted);
  const [passed, failed, others] = ['passed', 'failed', 'not_asked'].map(came);
  if (list.length === 0) return null;
  const rest = others.length > 0 ? `, ${others.length} not asked` : '';
  return h(
    'section',
    { class: 'part' },
    h('h4', {}, 'Verdicts'),
    verdictList(failed),
    h(
      'details',
      { class: 'kept', key: 'kept' },
      h('summary', {}, `${plural(passed.length, 'rule')} kept${rest}`),
      verdictList(passed),
    ),
  );
}

const isSignature = (name) => /^x-kounta-signature$/i.test(name);

const header = ({ name, value }, index) =>
  h(
    'div',
    { key: `${index} ${name}`, class: isSignature(name) ? 'signature' : undefined },
    h('dt', {}, visible(name)),
    h('dd', {}, visible(value)),
  );

const headers = (list) => list.length > 0 && h('dl', { class: 'headers' }, list.map(header));

const isJson = (text) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

function body(label, text, base64) {
  if (base64) return [h('p', { class: 'faint' }, 'No UTF-8 text:'), pre(label, hexOf(base64))];
  if (text === '') return h('p', { class: 'faint' }, 'No body');
  return [
    pre(label, visible(looks.body === 'indented' && isJson(text) ? indented(text) : text)),
    h('p', { class: 'faint' }, plural(sizeOf(text), 'byte')),
  ];
}

const pre = (label, text) => h('pre', { class: 'bytes', tabindex: '0', role: 'region', 'aria-label': label }, text);

const lookChoice = () =>
  segments(
    'Bodies',
    [
      ['indented', 'Indented'],
      ['raw', 'Raw'],
    ],
    looks.body,
    (look) => {
      looks.body = look;
      changed();
    },
  );

const request = (exchange) =>
  h(
    'section',
    { class: 'part' },
    h(
      'div',
      { class: 'part-head' },
      h('h4', {}, 'Request', h('span', { class: 'tag' }, exchange.is_signed ? 'signed' : 'not signed')),
      lookChoice(),
    ),
    h('p', { class: 'url mono' }, h('strong', {}, exchange.method), ' ', visible(exchange.url)),
    headers(exchange.headers),
    exchange.method !== 'GET' && body(`Body of request ${exchange.number}`, exchange.body),
  );

function reply(exchange) {
  if (exchange.failure || exchange.status === 0)
    return h(
      'section',
      { class: 'part' },
      h('h4', {}, 'Reply'),
      h('p', { class: 'failure' }, exchange.failure ?? 'No reply'),
    );
  return h(
    'section',
    { class: 'part' },
    h('h4', {}, 'Reply', h('span', { class: 'tag' }, `status ${exchange.status}`)),
    headers(exchange.reply_headers),
    body(`Body of reply ${exchange.number}`, exchange.reply_body, exchange.reply_body_base64),
  );
}

const changeRow = (row) =>
  h(
    'tr',
    { key: row.path },
    h('th', { scope: 'row' }, row.path),
    h('td', { class: 'was' }, row.before ?? '—'),
    h('td', { class: 'is' }, row.after ?? '—'),
  );

const ROWS_MAX = 40;

function order(exchange) {
  if (!exchange.order_before && !exchange.order_after) return null;
  const rows = changesOf(exchange.order_before, exchange.order_after);
  const title = h('h4', {}, 'Order, before and after');
  if (rows.length === 0) return h('section', { class: 'part' }, title, h('p', { class: 'faint' }, 'Nothing changed.'));
  return h(
    'section',
    { class: 'part' },
    title,
    h(
      'div',
      { class: 'table', tabindex: '0', role: 'region', 'aria-label': 'Changes of the order' },
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ['Field', 'Before', 'After'].map((name) => h('th', { scope: 'col', key: name }, name)),
          ),
        ),
        h('tbody', {}, rows.slice(0, ROWS_MAX).map(changeRow)),
      ),
    ),
    rows.length > ROWS_MAX && h('p', { class: 'faint' }, `${rows.length - ROWS_MAX} more`),
  );
}

/** Also where the page is not served by a trustworthy origin, and has no clipboard. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.body.appendChild(h('textarea', { class: 'hidden-text', value: text }));
    field.select();
    document.execCommand('copy');
    field.remove();
  }
  tell('Copied.');
}

const tools = (exchange) =>
  h(
    'div',
    { class: 'tools' },
    h('button', { type: 'button', onclick: () => copy(exchange.curl) }, icon('copy'), 'Copy as curl'),
    h('button', { type: 'button', onclick: () => startResend(exchange) }, icon('edit'), 'Edit and resend'),
  );

export const exchangeDetail = (exchange) =>
  h(
    'div',
    { class: 'detail' },
    resendForm(exchange) ?? [
      tools(exchange),
      verdicts(exchange.verdicts),
      request(exchange),
      reply(exchange),
      order(exchange),
    ],
  );
