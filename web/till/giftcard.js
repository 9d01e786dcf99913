// Menu > Add-Ons > Gift Card: choose the payment type, then ask for the balance or top a card up.
import { h } from './dom.js';
import { centsOf, priced, shown, textOf } from './money.js';
import { amountField } from './fields.js';
import { cardFields, hasCard, resetPrompt, useCard } from './reference.js';
import { showSaid } from './said.js';
import { change, changed, isRunning, store } from './store.js';
import { empty, icon, runner, screenHead, segments } from './view.js';

const START = { type: null, action: 'check-balance', amount: '50.00', problem: '' };
const card = { ...START };

const ACTIONS = [
  ['check-balance', 'Check Balance', 'check_balance'],
  ['top-up', 'Top-Up', 'top_up'],
];

const AMOUNTS = ['10.00', '20.00', '50.00', '100.00'];

/** The screen starts anew each time it is gone to. */
export function resetGiftCard() {
  Object.assign(card, START);
  resetPrompt();
}

const set = (values) => {
  Object.assign(card, values);
  changed();
};

async function send(values) {
  const body = card.action === 'top-up' ? { ...values, amount: textOf(centsOf(card.amount)) } : values;
  const state = await change(card.action, 'POST', card.action, body);
  if (state) showSaid({ again: () => send(values) });
}

function submit(event) {
  event.preventDefault();
  const cents = centsOf(card.amount);
  if (card.action === 'top-up' && (cents === null || cents <= 0n)) {
    set({ problem: 'An amount such as 50.00 is wanted.' });
    document.getElementById('top-up-amount')?.focus();
    return;
  }
  send(useCard());
}

function topUpFields() {
  return [
    amountField({
      id: 'top-up-amount',
      label: 'Amount to load',
      value: card.amount,
      problem: card.problem,
      set: (amount) => set({ amount, problem: '' }),
    }),
    h(
      'ul',
      { class: 'chips' },
      AMOUNTS.map((amount) =>
        h(
          'li',
          { key: amount },
          h(
            'button',
            {
              type: 'button',
              class: 'chip amount',
              'aria-pressed': String(amount === card.amount),
              onclick: () => set({ amount, problem: '' }),
            },
            shown(amount),
          ),
        ),
      ),
    ),
    h(
      'p',
      { class: 'hint' },
      'The partner loads the card; then the amount stands on the sale, and the till collects the money for it.',
    ),
  ];
}

const noAction = () => h('p', { class: 'note' }, 'Neither Check Balance nor Top-Up has an address in Back Office.');

function form() {
  const actions = ACTIONS.filter(([, , word]) => store.state.partner.actions.includes(word));
  if (actions.length === 0) return noAction();
  if (!actions.some(([action]) => action === card.action)) [[card.action]] = actions;
  const isTopUp = card.action === 'top-up';
  return h(
    'form',
    { class: 'card-form', key: 'card-form', onsubmit: submit },
    segments('What to do', actions, card.action, (action) => set({ action }), { class: 'segments wide strong' }),
    cardFields(),
    isTopUp && topUpFields(),
    h(
      'div',
      { class: 'actions' },
      runner(
        card.action,
        { type: 'submit', class: 'primary big', disabled: !hasCard() },
        isRunning(card.action) ? 'Waiting for the reply…' : isTopUp ? `Top up ${priced(card.amount)}` : 'Check Balance',
      ),
    ),
  );
}

const typeChoice = (type) =>
  h(
    'li',
    { key: type.name },
    h(
      'button',
      {
        type: 'button',
        class: 'pay-type partner',
        'aria-pressed': String(card.type === type.name),
        onclick: () => set({ type: type.name }),
      },
      icon('gift'),
      h('span', { class: 'pay-name' }, type.name),
    ),
  );

export function giftCardScreen() {
  const types = store.state.payment_types.filter((type) => type.kind === 'partner');
  if (types.length === 0)
    return h(
      'section',
      { class: 'screen', key: 'gift-card' },
      screenHead('Gift Card'),
      empty(
        'gift',
        'No gift card add-on',
        store.state.partner.why || 'Switch Payments on in Back Office, save, then Sync this till.',
      ),
    );
  const isChosen = types.some((type) => type.name === card.type);
  return h(
    'section',
    { class: 'screen', key: 'gift-card' },
    screenHead('Gift Card'),
    h(
      'div',
      { class: 'narrow' },
      h('h2', {}, isChosen ? 'Payment type' : 'Choose the payment type'),
      h('ul', { class: 'type-list' }, types.map(typeChoice)),
      isChosen && form(),
    ),
  );
}
