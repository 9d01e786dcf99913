// The keypad for amounts, touched or typed.
import { h } from './dom.js';
import { pressed } from './money.js';
import { icon } from './view.js';

const KEYS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '00', '0', 'back'];

/** change gets the new amount in cents. The first key starts a new amount where isFresh. */
export function keypad({ cents, isFresh, change }) {
  const press = (key) => change(pressed(isFresh && key !== 'back' ? 0n : cents, key));
  return h(
    'div',
    { class: 'keypad', role: 'group', 'aria-label': 'Keypad' },
    KEYS.map((key) =>
      h(
        'button',
        {
          type: 'button',
          key,
          'aria-label': key === 'back' ? 'Delete the last digit' : key,
          onclick: () => press(key),
        },
        key === 'back' ? icon('erase') : key,
      ),
    ),
  );
}

/** The key of the keypad that a key of the keyboard stands for; undefined: none. */
export function keyOfKeyboard(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  if (event.target.closest('input, textarea, select, dialog')) return undefined;
  if (/^\d$/.test(event.key)) return event.key;
  return event.key === 'Backspace' ? 'back' : undefined;
}
