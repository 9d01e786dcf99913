// Back Office: the add-on's settings as the guide shows them, and in a tab of its own what only this register has.
import { h } from './dom.js';
import { call, change, changed, complain, isRunning, store } from './store.js';
import { icon, runner } from './view.js';

const text = (name, label, hint, more = {}) => ({ kind: 'text', name, label, hint, ...more });
const address = (name, label, hint) => text(name, label, hint, { isMono: true, type: 'url', placeholder: 'https://…' });
const number = (name, label, hint, more = {}) => text(name, label, hint, { isNumber: true, ...more });
const toggle = (name, label, hint) => ({ kind: 'switch', name, label, hint });
const choice = (name, label, options, hint) => ({ kind: 'choice', name, label, options, hint });

const TABS = [
  [
    'details',
    'Details',
    'Who we are',
    [
      text('client_id', 'Client ID', 'The application that was made under Integrations.', { isMono: true }),
      text(
        'signature_token',
        'Signature Token',
        'Signs every payment request: X-Kounta-Signature. Empty: nothing is signed.',
        { isMono: true },
      ),
      number('company_id', 'Company'),
      number('site_id', 'Site'),
      number('register_id', 'Register'),
    ],
  ],
  [
    'loyalty',
    'Loyalty',
    'Integrated customers',
    [
      toggle('has_loyalty', 'Enable Integrated Customers', 'Customer search and rewards at the till.'),
      address(
        'customer_search_url',
        'Customer Search URL',
        'Asked with keyword, site_id, company_id and a placeholder order_id.',
      ),
      address('reward_lookup_url', 'Actions/Rewards URL', 'Asked when a member was picked.'),
    ],
  ],
  [
    'payments',
    'Payments',
    'Payment type and gift cards',
    [
      toggle('has_payments', 'Enable Payments', 'The payment type on the checkout screen, and the gift card add-on.'),
      text('payment_name', 'Payment type name', 'What stands on the button.'),
      address('checkout_url', 'Checkout URL'),
      toggle('requires_reference', 'Require Reference ID', 'The till asks for a card number. On, it is a gift card.'),
      address('check_balance_url', 'Check Balance URL'),
      address('top_up_url', 'Top-Up URL'),
      address('refund_url', 'Refund URL'),
    ],
  ],
  [
    'register',
    'Register',
    'What no Back Office has: how this simulator speaks and judges',
    [
      choice(
        'profile',
        'Replies are judged',
        [
          ['strict', 'Strictly'],
          ['lenient', 'Leniently'],
        ],
        'Lenient takes what the guide’s static mock would send: a missing success or amount is no fault.',
      ),
      choice('body_type', 'Body', [
        ['json', 'JSON'],
        ['form', 'Form'],
      ]),
      choice('amount_type', 'Amounts in JSON', [
        ['number', 'Numbers'],
        ['string', 'Strings'],
      ]),
      choice(
        'sign_get',
        'Of a GET is signed',
        [
          ['none', 'Nothing'],
          ['empty', 'Empty text'],
          ['query', 'Query'],
          ['path', 'Path'],
          ['url', 'URL'],
        ],
        'No public text says whether registers sign these.',
      ),
      choice('refund_names', 'A refund names', [
        ['refund', 'The refund order'],
        ['sale', 'The sale'],
      ]),
      number('timeout_s', 'Waits for a reply, seconds', '1 to 600.'),
      number('clock_skew_s', 'Clock is wrong by, seconds', 'Shows in the orders’ times and on the wire alone.', {
        isSigned: true,
      }),
      toggle(
        'needs_grant',
        'Needs a registered refresh token',
        'Payments and loyalty stay off until the add-on is connected, as on a real till.',
      ),
      { kind: 'json', name: 'names', label: 'Field names', hint: 'JSON of a profile; empty: the documented names.' },
    ],
  ],
];

const office = { tab: 'details', edits: {}, problems: {} };

/** As it stands in a field: names as JSON, numbers as typed. */
function valueOf(field) {
  if (field.name in office.edits) return office.edits[field.name];
  const saved = store.state.config.draft[field.name];
  if (field.kind === 'json') return saved === null || saved === undefined ? '' : JSON.stringify(saved, null, 2);
  return field.kind === 'text' ? String(saved ?? '') : saved;
}

function edit(field, value) {
  office.edits[field.name] = value;
  delete office.problems[field.name];
  changed();
}

/** What the register gets for a field, or a sentence in office.problems. */
function parse(field, value) {
  if (field.isNumber) {
    if ((field.isSigned ? /^-?\d{1,15}$/ : /^\d{1,15}$/).test(value.trim())) return Number(value);
    office.problems[field.name] = 'A whole number is wanted.';
  } else if (field.kind === 'json') {
    if (value.trim() === '') return null;
    try {
      return JSON.parse(value);
    } catch (error) {
      office.problems[field.name] = `This is not JSON: ${error.message}`;
    }
  }
  return value;
}

const FIELDS = TABS.flatMap(([tab, , , fields]) => fields.map((field) => ({ ...field, tab })));

/** The first field with a problem is brought into sight. */
function showProblems() {
  const bad = FIELDS.find((field) => office.problems[field.name]);
  if (bad) office.tab = bad.tab;
  changed();
  if (bad) queueMicrotask(() => document.getElementById(idOf(bad))?.focus());
  return !bad;
}

function collect() {
  office.problems = {};
  const wanted = {};
  for (const field of FIELDS)
    if (field.name in office.edits) wanted[field.name] = parse(field, office.edits[field.name]);
  return showProblems() ? wanted : null;
}

/** "timeout_s: a whole number ..." -> "A whole number ...": the field says which. */
const sentenceOf = (name, message) => {
  const text = message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
  return text.charAt(0).toUpperCase() + text.slice(1);
};

/** Would the register take it? Asked first, so that nothing is sent that it refuses. */
async function isTaken(wanted) {
  const { problems } = await call('POST', 'config/check', wanted);
  for (const [name, { message }] of Object.entries(problems)) office.problems[name] = sentenceOf(name, message);
  return showProblems();
}

async function save(event) {
  event.preventDefault();
  const wanted = collect();
  if (!wanted) return;
  try {
    if (!(await isTaken(wanted))) return;
  } catch (error) {
    complain(error);
    return;
  }
  const state = await change('save', 'PUT', 'config', wanted);
  if (state) office.edits = {};
  changed();
}

async function revert() {
  office.edits = {};
  office.problems = {};
  await change('revert', 'POST', 'config/revert');
}

async function insertNames(field) {
  try {
    edit(field, JSON.stringify(await call('GET', 'names'), null, 2));
  } catch (error) {
    complain(error);
  }
}

// --- fields

const idOf = (field) => `office-${field.name}`;

function under(field) {
  const problem = office.problems[field.name];
  if (problem) return h('p', { class: 'problem', id: `${idOf(field)}-hint`, role: 'alert' }, problem);
  return field.hint && h('p', { class: 'hint', id: `${idOf(field)}-hint` }, field.hint);
}

const common = (field) => ({
  id: idOf(field),
  name: field.name,
  'aria-describedby': field.hint || office.problems[field.name] ? `${idOf(field)}-hint` : undefined,
  'aria-invalid': office.problems[field.name] ? 'true' : undefined,
});

const CONTROLS = {
  text: (field) => [
    h('label', { for: idOf(field) }, field.label),
    h('input', {
      ...common(field),
      type: 'text',
      inputmode: field.isNumber ? 'numeric' : field.type,
      class: field.isMono ? 'mono' : undefined,
      placeholder: field.placeholder,
      autocomplete: 'off',
      spellcheck: 'false',
      value: valueOf(field),
      oninput: (event) => edit(field, event.target.value),
    }),
  ],
  switch: (field) =>
    h(
      'label',
      { class: 'switch', for: idOf(field) },
      h('input', {
        ...common(field),
        type: 'checkbox',
        role: 'switch',
        checked: Boolean(valueOf(field)),
        onchange: (event) => edit(field, event.target.checked),
      }),
      h('span', {}, field.label),
    ),
  choice: (field) => [
    h('label', { for: idOf(field) }, field.label),
    h(
      'select',
      {
        ...common(field),
        value: valueOf(field),
        onchange: (event) => edit(field, event.target.value),
      },
      field.options.map(([value, label]) => h('option', { value, key: value }, label)),
    ),
  ],
  json: (field) => [
    h('label', { for: idOf(field) }, field.label),
    h('textarea', {
      ...common(field),
      class: 'mono',
      rows: '8',
      spellcheck: 'false',
      value: valueOf(field),
      oninput: (event) => edit(field, event.target.value),
    }),
    h(
      'button',
      { type: 'button', class: 'quiet', onclick: () => insertNames(field) },
      icon('edit'),
      'Insert the documented names',
    ),
  ],
};

const row = (field) =>
  h('div', { class: `office-field kind-${field.kind}`, key: field.name }, CONTROLS[field.kind](field), under(field));

// --- the page

function moveTab(event, index) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const [tab] = TABS[(index + step + TABS.length) % TABS.length];
  office.tab = tab;
  changed();
  queueMicrotask(() => document.getElementById(`tab-${tab}`)?.focus());
}

const tabButton = ([tab, label], index) =>
  h(
    'button',
    {
      type: 'button',
      role: 'tab',
      id: `tab-${tab}`,
      key: tab,
      'aria-selected': String(tab === office.tab),
      'aria-controls': 'office-panel',
      tabindex: tab === office.tab ? '0' : '-1',
      onclick: () => {
        office.tab = tab;
        changed();
      },
      onkeydown: (event) => moveTab(event, index),
    },
    label,
  );

/** What stands between the settings and the till. */
function status(hasEdits) {
  if (hasEdits) return h('p', { class: 'office-status' }, 'Not saved yet.');
  if (store.state.config.needs_sync)
    return h(
      'p',
      { class: 'office-status needs-sync' },
      icon('sync'),
      h(
        'span',
        {},
        h('strong', {}, 'Sync needed. '),
        'Saved here, but the till still has the settings of its last Sync: press “Sync needed” in the till.',
      ),
    );
  return h('p', { class: 'office-status synced' }, icon('check'), 'The till has these settings.');
}

function bar(hasEdits) {
  return h(
    'div',
    { class: 'office-bar' },
    status(hasEdits),
    h(
      'div',
      { class: 'actions' },
      (hasEdits || store.state.config.needs_sync) && h('button', { type: 'button', onclick: revert }, 'Undo'),
      store.state.config.needs_sync && !hasEdits && h('a', { class: 'button', href: '#sale' }, 'To the till'),
      runner('save', { type: 'submit', class: 'primary', disabled: !hasEdits }, isRunning('save') ? 'Saving…' : 'Save'),
    ),
  );
}

export function officePage() {
  const [tab, , title, fields] = TABS.find(([name]) => name === office.tab);
  return h(
    'section',
    { class: 'office', key: 'office' },
    h(
      'header',
      { class: 'office-head' },
      h('p', { class: 'crumbs' }, 'Back Office / Integrations'),
      h('h1', { tabindex: '-1' }, store.state.config.draft.payment_name || 'Your add-on'),
      h('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Settings' }, TABS.map(tabButton)),
    ),
    h(
      'form',
      { class: 'office-form', onsubmit: save, novalidate: true },
      h(
        'div',
        { class: 'office-panel', id: 'office-panel', role: 'tabpanel', 'aria-labelledby': `tab-${tab}`, key: tab },
        h('h2', {}, title),
        fields.map(row),
      ),
      bar(Object.keys(office.edits).length > 0),
    ),
  );
}
