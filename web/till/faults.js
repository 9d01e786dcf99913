// Faults at a tap: what goes wrong with the next request, or with all of them, or by chance.
import { h } from './dom.js';
import { change, store } from './store.js';
import { icon, segments } from './view.js';

const NAMES = {
  drop_reply: ['Drop the reply', 'Sent whole; the connection is closed before the answer is read.'],
  reset_mid_reply: ['Reset in mid-reply', 'A few bytes of the answer are read, then the connection is reset.'],
  wrong_signature: ['Wrong signature', 'Well formed, but of another body.'],
  unregistered_token: ['Unregistered token', 'As if no refresh token were registered. Holds until it is switched off.'],
};
const TWICE = [
  ['no', 'Once'],
  ['at_once', 'Twice, at once'],
  ['after_timeout', 'After time-out'],
  ['concurrent', 'Concurrently'],
];
const DELAYS = [
  [0, 'None'],
  [500, '0.5 s'],
  [2000, '2 s'],
  [5000, '5 s'],
];
const SKEWS = [
  [0, 'None'],
  [-300, '−5 min'],
  [300, '+5 min'],
  [86400, '+1 day'],
];
const CHANCES = {
  drop_reply: 'Drop the reply',
  send_at_once: 'Send twice, at once',
  send_after_timeout: 'Send again after time-out',
  send_concurrent: 'Send twice, concurrently',
  delay: 'Delay',
  reset_mid_reply: 'Reset in mid-reply',
  wrong_signature: 'Wrong signature',
};

/** Short words for what is armed; for the till's own bar too. */
export function armed() {
  const { next } = store.state.faults;
  const twice = TWICE.find(([value]) => value === next.send_twice && value !== 'no');
  const chances = Object.keys(CHANCES).some((name) => store.state.faults.chance[name] > 0);
  return [
    ...Object.keys(NAMES)
      .filter((name) => next[name])
      .map((name) => NAMES[name][0]),
    twice && `Sent ${twice[1].toLowerCase()}`,
    next.delay_ms > 0 && `Delay ${next.delay_ms} ms`,
    next.clock_skew_s !== 0 && 'Clock skew',
    chances && 'By chance',
  ].filter(Boolean);
}

/** What was touched shows at once; a refusal brings back what the register has. */
function arm(name, value) {
  store.state.faults.next[name] = value;
  return change('faults', 'PUT', 'faults', { next: store.state.faults.next });
}

function throwDice(values) {
  Object.assign(store.state.faults.chance, values);
  return change('faults', 'PUT', 'faults', { chance: store.state.faults.chance });
}

const disarm = () => change('faults', 'PUT', 'faults', { next: {}, always: false, chance: {} });

const flag = (name) =>
  h(
    'div',
    { class: 'fault', key: name },
    h(
      'label',
      { class: 'switch', for: `fault-${name}` },
      h('input', {
        id: `fault-${name}`,
        type: 'checkbox',
        role: 'switch',
        checked: store.state.faults.next[name],
        'aria-describedby': `fault-${name}-hint`,
        onchange: (event) => arm(name, event.target.checked),
      }),
      h('span', {}, NAMES[name][0]),
    ),
    h('p', { class: 'faint', id: `fault-${name}-hint` }, NAMES[name][1]),
  );

const pick = (name, label, options) =>
  h(
    'div',
    { class: 'fault', key: name },
    h('p', { class: 'fault-label' }, label),
    segments(label, options, store.state.faults.next[name], (value) => arm(name, value), {
      class: `segments wide ${name}`,
    }),
  );

/** Whole percents; what is no number becomes 0. */
const percentOf = (text) => Math.min(100, Math.max(0, Number.parseInt(text, 10) || 0));

const seedOf = (text) => Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Number.parseInt(text, 10) || 0));

const chance = ([name, label]) =>
  h(
    'label',
    { class: 'chance', key: name, for: `chance-${name}` },
    h('span', {}, label),
    h('input', {
      id: `chance-${name}`,
      type: 'number',
      min: '0',
      max: '100',
      inputmode: 'numeric',
      value: String(store.state.faults.chance[name] ?? 0),
      onchange: (event) => throwDice({ [name]: percentOf(event.target.value) }),
    }),
    h('span', { 'aria-hidden': 'true' }, '%'),
  );

function chances() {
  const { seed } = store.state.faults.chance;
  return h(
    'details',
    { class: 'part', key: 'chances' },
    h('summary', {}, 'By chance'),
    h('p', { class: 'faint' }, 'Percent of presses, thrown anew with the same seed each time something is set.'),
    Object.entries(CHANCES).map(chance),
    h(
      'label',
      { class: 'chance', for: 'chance-seed' },
      h('span', {}, 'Seed'),
      h('input', {
        id: 'chance-seed',
        type: 'number',
        min: '0',
        inputmode: 'numeric',
        value: String(seed),
        onchange: (event) => throwDice({ seed: seedOf(event.target.value) }),
      }),
    ),
  );
}

export const disarmButton = () =>
  (armed().length > 0 || store.state.faults.always) &&
  h('button', { type: 'button', class: 'quiet', onclick: disarm }, 'Clear all');

export function faultsTab() {
  const { faults } = store.state;
  return h(
    'div',
    { class: 'wire-body', key: 'faults' },
    segments(
      'For how long',
      [
        [false, 'Next request only'],
        [true, 'Always'],
      ],
      faults.always,
      (always) => change('faults', 'PUT', 'faults', { always }),
      { class: 'segments wide' },
    ),
    flag('drop_reply'),
    pick('send_twice', 'Send', TWICE),
    pick('delay_ms', 'Delay before sending', DELAYS),
    ['reset_mid_reply', 'wrong_signature', 'unregistered_token'].map(flag),
    pick('clock_skew_s', 'Clock of the till', SKEWS),
    chances(),
  );
}

/** What is armed, where the cashier sees it. */
export function armedChip(show) {
  const list = armed();
  if (list.length === 0) return null;
  const text = list.length === 1 ? list[0] : `${list.length} faults`;
  return h(
    'button',
    { type: 'button', class: 'chip fault-chip', onclick: show, title: list.join(', ') },
    icon('warning'),
    h('span', { class: 'hidden-text' }, store.state.faults.always ? 'Always: ' : 'Next request: '),
    h('span', { class: 'chip-text' }, text),
  );
}
