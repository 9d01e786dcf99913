// Customer: a keyword, the add-on's own search button, the list, the member's panel, a reward at a tap.
import { h } from './dom.js';
import { isOpen, memberName } from './order.js';
import { isNews, showSaid } from './said.js';
import { change, changed, isRunning, store } from './store.js';
import { empty, icon, plural, runner, screenHead, view } from './view.js';

const search = { keyword: '', asked: '' };

/** What did not work is said; what did is seen. */
function sayUnlessApproved(state, again) {
  if (state && isNews(state) && state.said.ending !== 'approved') showSaid({ again });
}

async function find() {
  const { keyword } = search;
  const state = await change('search', 'POST', 'search', { keyword });
  search.asked = keyword;
  sayUnlessApproved(state, find);
  changed();
}

async function pick(index) {
  view.heading = 'member';
  const state = await change('pick', 'POST', `members/${index}/pick`);
  if (!state?.member) view.heading = null;
  sayUnlessApproved(state, () => pick(index));
}

/** Points were spent: the member is picked again, and what could not be looked up the panel says. */
async function lookAgain({ members, member }) {
  const index = (members ?? []).findIndex(({ id }) => id === member?.id);
  if (index >= 0) await change('look again', 'POST', `members/${index}/pick`);
}

async function redeem(index) {
  const state = await change(`redeem ${index}`, 'POST', `rewards/${index}/redeem`);
  if (!state || !isNews(state)) return;
  showSaid({ again: () => redeem(index) });
  if (state.said.ending === 'approved') await lookAgain(state);
}

const leave = () => change('leave', 'POST', 'member/leave');

function searchForm() {
  const name = store.state.config.synced.payment_name;
  return h(
    'form',
    {
      class: 'search',
      role: 'search',
      key: 'search',
      onsubmit: (event) => {
        event.preventDefault();
        find();
      },
    },
    h('label', { class: 'hidden-text', for: 'keyword' }, 'Name, phone, email or member number'),
    h(
      'span',
      { class: 'with-icon' },
      icon('search'),
      h('input', {
        id: 'keyword',
        type: 'search',
        value: search.keyword,
        autocomplete: 'off',
        spellcheck: 'false',
        required: true,
        pattern: '.*\\S.*',
        title: 'A few letters or digits',
        maxlength: '4096',
        placeholder: 'Name, phone, email',
        oninput: (event) => {
          search.keyword = event.target.value;
          changed();
        },
      }),
    ),
    runner('search', { type: 'submit', class: 'primary' }, isRunning('search') ? 'Searching…' : `Search ${name}`),
  );
}

const initials = (member) =>
  [member.first_name, member.last_name].map((name) => [...String(name ?? '')][0] ?? '').join('');

/** Pictures of partners are on other hosts, and are not fetched. */
const face = (member) => h('span', { class: 'face', 'aria-hidden': 'true' }, initials(member).toUpperCase() || '?');

const points = (member) =>
  member.points !== '' && h('span', { class: 'points' }, h('strong', {}, member.points), ` ${member.points_label}`);

const row = (member, index) =>
  h(
    'li',
    { key: `member-${index}` },
    h(
      'button',
      { type: 'button', class: 'member-row', onclick: () => pick(index) },
      face(member),
      h('span', { class: 'member-text' }, h('strong', {}, memberName(member)), h('span', {}, member.email_address)),
      points(member),
      icon('forward'),
    ),
  );

function list() {
  const { members } = store.state;
  if (!members)
    return empty(
      'customer',
      'Who is it?',
      'Type a few letters of a name, a phone number or an email address, then search.',
    );
  if (members.length === 0)
    return empty('search', 'Nobody found', search.asked && `No member matches “${search.asked}”.`);
  return h(
    'div',
    { class: 'found', key: 'found' },
    h('h2', { class: 'count' }, plural(members.length, 'member')),
    h('ul', { class: 'members' }, members.map(row)),
  );
}

const details = (params) =>
  params.length > 0 &&
  h(
    'dl',
    { class: 'params' },
    params.map(({ name, value }, index) => h('div', { key: index }, h('dt', {}, name), h('dd', {}, value))),
  );

function reward(given, index) {
  const name = `redeem ${index}`;
  return h(
    'li',
    { key: `reward-${index}` },
    runner(
      name,
      { class: 'reward', disabled: !isOpen(store.state.order), onclick: () => redeem(index) },
      icon('gift'),
      h('span', { class: 'reward-text' }, h('strong', {}, given.title), h('span', {}, given.terms)),
      h(
        'span',
        { class: 'reward-points' },
        isRunning(name)
          ? 'Redeeming…'
          : [h('strong', {}, given.points_required), ` ${store.state.member.points_label}`],
      ),
    ),
  );
}

function rewards() {
  const given = store.state.rewards;
  if (given === null) return h('p', { class: 'note' }, 'The rewards could not be looked up.');
  if (given.length === 0) return empty('gift', 'No rewards', 'There is nothing this member can redeem now.');
  return [
    !isOpen(store.state.order) && h('p', { class: 'note' }, 'A reward goes on the open sale: touch a product first.'),
    h('ul', { class: 'rewards' }, given.map(reward)),
  ];
}

const panel = (member) =>
  h(
    'article',
    { class: 'member', 'aria-labelledby': 'member-name', key: 'member' },
    h(
      'header',
      {},
      face(member),
      h(
        'div',
        { class: 'member-text' },
        h('h2', { id: 'member-name', tabindex: '-1' }, memberName(member)),
        h('span', {}, member.email_address),
      ),
      points(member),
    ),
    member.intro_text && h('p', { class: 'intro' }, member.intro_text),
    details(member.params),
    h('h3', {}, 'Rewards'),
    rewards(),
  );

const otherButton = () =>
  h('button', { type: 'button', class: 'quiet', onclick: leave }, icon('back'), 'Back to the list');

export function customerScreen() {
  const { member, partner } = store.state;
  if (!partner.actions.includes('customer_search'))
    return h(
      'section',
      { class: 'screen', key: 'customer' },
      screenHead('Customer'),
      empty(
        'customer',
        'Integrated customers are off',
        partner.why || 'Switch Loyalty on in Back Office, save, then Sync this till.',
      ),
    );
  return h(
    'section',
    { class: 'screen', key: 'customer' },
    screenHead('Customer'),
    h('div', { class: 'narrow' }, searchForm(), member ? [otherButton(), panel(member)] : list()),
  );
}
