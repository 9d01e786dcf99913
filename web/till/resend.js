// Edit and resend: the request as it went out, changed by hand, signed anew or not.
import { h } from './dom.js';
import { marks, problemOf } from './fields.js';
import { change, changed, isRunning } from './store.js';
import { icon, runner } from './view.js';

/** Set by the register itself; showing them to be edited would promise too much. */
const OWN = /^(host|content-length|connection|transfer-encoding|x-kounta-signature)$/i;

let draft = null; // {number, url, headers, body, sign}
let problems = {}; // field -> sentence

export function startResend(exchange) {
  problems = {};
  draft = {
    number: exchange.number,
    url: exchange.url,
    body: exchange.body,
    sign: exchange.is_signed,
    headers: exchange.headers
      .filter(({ name }) => !OWN.test(name))
      .map(({ name, value }) => `${name}: ${value}`)
      .join('\n'),
  };
  changed();
  queueMicrotask(() => document.getElementById('resend-body')?.focus());
}

function stop() {
  draft = null;
  changed();
}

/** "Name: value" lines -> [{name, value}] */
const parseHeaders = (text) =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const colon = line.indexOf(':');
      return colon < 1
        ? { name: line.trim(), value: '' }
        : { name: line.slice(0, colon).trim(), value: line.slice(colon + 1).trim() };
    });

const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;
const CONTROL = /[\u0000-\u0008\u000a-\u001f]/;

/** What the register would refuse. */
function findProblems({ url, headers }) {
  const found = {};
    if (!/^https?:\/\/[^\u0000-\u0020\u007f]+$/.test(url))
    found.url = 'An address that begins with http:// or https://, without spaces, is wanted.';
  const bad = parseHeaders(headers).find(({ name, value }) => !TOKEN.test(name) || CONTROL.test(value));
  if (bad) found.headers = `“${bad.name}” is no header: each line is a name, a colon and a value.`;
  return found;
}

async function send(event) {
  event.preventDefault();
  problems = findProblems(draft);
  const [first] = Object.keys(problems);
  if (first) {
    changed();
    document.getElementById(`resend-${first}`)?.focus();
    return;
  }
  const state = await change('resend', 'POST', 'resend', { ...draft, headers: parseHeaders(draft.headers) });
  if (state) stop();
}

const set = (name) => (event) => {
  delete problems[name];
  draft[name] = event.target.type === 'checkbox' ? event.target.checked : event.target.value;
  changed();
};

const area = (name, label, rows) =>
  h(
    'div',
    { class: 'field' },
    h('label', { for: `resend-${name}` }, label),
    h('textarea', {
      id: `resend-${name}`,
      class: 'mono',
      rows: String(rows),
      spellcheck: 'false',
      value: draft[name],
      oninput: set(name),
      ...marks(`resend-${name}`, problems[name]),
    }),
    problemOf(`resend-${name}`, problems[name]),
  );

/** null: this exchange is not being edited. */
export function resendForm(exchange) {
  if (draft?.number !== exchange.number) return null;
  return h(
    'form',
    { class: 'resend', key: 'resend', onsubmit: send },
    h('h4', {}, `Resend ${exchange.method} of #${exchange.number}`),
    area('url', 'Address', 2),
    area('headers', 'Headers, but those of the connection', 3),
    exchange.method !== 'GET' && area('body', 'Body', 7),
    h(
      'label',
      { class: 'check', for: 'resend-sign' },
      h('input', { id: 'resend-sign', type: 'checkbox', checked: draft.sign, onchange: set('sign') }),
      'Sign these bytes anew',
    ),
    h('p', { class: 'faint' }, 'It books nothing on the sale: only the other side counts it.'),
    h(
      'div',
      { class: 'tools' },
      h('button', { type: 'button', onclick: stop }, 'Cancel'),
      runner('resend', { type: 'submit', class: 'primary' }, icon('play'), isRunning('resend') ? 'Sending…' : 'Resend'),
    ),
  );
}
