// Fields of a form, each with what is wrong with it beneath.
import { h } from './dom.js';

/** What a control says of its problem: it is read with the field. */
export const marks = (id, problem, describedBy) => ({
  'aria-invalid': problem ? 'true' : undefined,
  'aria-describedby': problem ? `${id}-problem` : describedBy,
});

export const problemOf = (id, problem) =>
  problem && h('p', { class: 'problem', id: `${id}-problem`, role: 'alert' }, problem);

/** problem: a sentence, or nothing; set gets the text. */
export const amountField = ({ id, label, value, problem, set }) =>
  h(
    'div',
    { class: 'field' },
    h('label', { for: id }, label),
    h('input', {
      id,
      class: 'amount',
      inputmode: 'decimal',
      autocomplete: 'off',
      required: true,
      value,
      oninput: (event) => set(event.target.value),
      ...marks(id, problem),
    }),
    problemOf(id, problem),
  );
