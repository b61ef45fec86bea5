// One message as it is shown: its text, its time, its fate.

import { humanTime, make } from './dom.js';

// Longer texts are folded, so that one of them does not push the conversation away.
const FOLD_CHARACTERS = 1200;

const FATES = {
  waiting: 'waiting for the server',
  stored: 'the server has it',
  unsure: 'the session ended before the server confirmed it',
  failed: 'came back',
};

/** The list item of one message; `again(text)` is called by the button of one that did not arrive. */
export function bubble(message, again) {
  const body = make('p', { class: 'body', dir: 'auto' }, message.text);
  const more = message.text.length > FOLD_CHARACTERS ? fold(body, message.text.length) : null;
  const marks = [make('time', { datetime: message.at.toISOString() }, humanTime(message.at))];
  if (message.delayed) marks.push(make('span', {}, 'delayed'));
  if (message.doubled) marks.push(make('span', { class: 'alarm' }, 'arrived twice'));
  marks.push(make('span', { class: 'fate' }));
  const who = make('span', { class: 'hidden' }, message.mine ? 'You: ' : `${message.with}: `);
  const node = make(
    'li',
    { class: message.mine ? 'mine' : 'theirs' },
    who,
    body,
    more,
    make('p', { class: 'marks' }, marks),
  );
  if (message.mine) drawFate(node, message, again);
  return node;
}

function fold(body, length) {
  body.classList.add('folded');
  const button = make(
    'button',
    { type: 'button', class: 'quiet', 'aria-expanded': 'false' },
    `Show all ${length} characters`,
  );
  button.addEventListener('click', () => {
    const folded = body.classList.toggle('folded');
    button.setAttribute('aria-expanded', String(!folded));
    button.textContent = folded ? `Show all ${length} characters` : 'Show less';
  });
  return button;
}

/** Says on a message of ours what became of it. */
export function drawFate(node, message, again) {
  const fate = node.querySelector('.fate');
  fate.dataset.fate = message.fate;
  const words = FATES[message.fate] + (message.why ? `: ${message.why}` : '');
  const sign = make(
    'span',
    { role: 'img', 'aria-label': words, title: words },
    { waiting: '○', stored: '✓', unsure: '?', failed: '✕' }[message.fate],
  );
  fate.replaceChildren(sign);
  if (['unsure', 'failed'].includes(message.fate)) {
    fate.append(
      ` ${words} `,
      make('button', { type: 'button', class: 'quiet', onclick: () => again(message.text) }, 'Send again'),
    );
  }
}
