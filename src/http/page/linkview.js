// The link, drawn: two lanes with what each side has counted, figures, and a time line of states.

import { $, make, preciseTime, atEnd } from './dom.js';
import { distance } from './sm.js';

const MAX_PIPS = 24;
const MAX_EVENTS = 300;
const MAX_SPANS = 60;

const SAYS = {
  offline: 'Offline',
  connecting: 'Connecting',
  authenticating: 'Signing in',
  resuming: 'Resuming',
  online: 'Online',
  hibernating: 'Link lost, session waits',
  closing: 'Logging out',
};

export class LinkView {
  #lanes = { out: lane('out', '↑', 'You sent', 'Server handled'), in: lane('in', '↓', 'You handled', 'Server knows') };
  #figures = {};
  #spans = [];

  constructor() {
    $('lanes').append(this.#lanes.out.node, this.#lanes.in.node);
    for (const [key, label, hint] of FIGURES) {
      this.#figures[key] = make('dd', { 'data-figure': key }, '–');
      $('figures').append(make('div', { title: hint }, make('dt', {}, label), this.#figures[key]));
    }
    setInterval(() => this.#grow(), 1000);
  }

  /** Shows a state in the bar, in the time line and on the buttons. */
  state(stream, state, note) {
    $('state').dataset.state = state;
    $('state-text').textContent = SAYS[state];
    $('lanes').dataset.state = state;
    $('cut').disabled = $('ask').disabled = $('ping').disabled = state !== 'online';
    $('resume').disabled = !['hibernating', 'offline'].includes(state) || !stream;
    $('resume').textContent = state === 'offline' ? 'Connect again' : 'Resume now';
    this.event(state, SAYS[state], note);
    this.#span(state);
  }

  /** Adds a line to the time line. `tone` is a state, or good, bad, plain. */
  event(tone, title, note = null) {
    const list = $('timeline');
    const follow = atEnd(list);
    const words = [make('strong', {}, title), note ? make('span', {}, note) : null];
    list.append(make('li', { 'data-tone': tone }, make('time', {}, preciseTime(new Date())), make('p', {}, ...words)));
    if (list.children.length > MAX_EVENTS) list.firstElementChild.remove();
    if (follow) list.scrollTop = list.scrollHeight;
  }

  /** Redraws all numbers; cheap enough for every frame, as it only runs once per painted one. */
  figures(stream, session) {
    if (this.#due) return;
    this.#due = requestAnimationFrame(() => {
      this.#due = null;
      this.#draw(stream, session);
    });
  }
  #due = null;

  #draw({ sm, figures, state }, { doubled }) {
    this.#lanes.out.draw(sm.sent, sm.acked, sm.unacked.length, 'waiting');
    const untold = distance(sm.handled, sm.reported);
    this.#lanes.in.draw(sm.handled, sm.reported, untold, 'unreported');
    const values = {
      queue: sm.unacked.length,
      rtt:
        figures.rttMs === null
          ? '–'
          : `${figures.rttMs < 10 ? figures.rttMs.toFixed(1) : Math.round(figures.rttMs)} ms`,
      asked: `${figures.asked} / ${figures.answered}`,
      unsolicited: figures.unsolicited,
      theyAsked: `${figures.theyAsked} / ${figures.weAnswered}`,
      resumptions: figures.resumptions,
      resent: figures.resent,
      doubled,
    };
    for (const [key, value] of Object.entries(values)) this.#figures[key].textContent = value;
    this.#figures.doubled.classList.toggle('alarm', doubled > 0);
    const window = sm.max ? `, window ${sm.max} s` : '';
    $('session-id').textContent = sm.resumable
      ? `session ${sm.id.slice(0, 18)}${sm.id.length > 18 ? '…' : ''}${window}`
      : notManaged(sm, state);
  }

  #span(state) {
    this.#grow();
    const node = make('i', { 'data-state': state });
    this.#spans.push({ node, since: performance.now() });
    $('span').append(node);
    if (this.#spans.length > MAX_SPANS) this.#spans.shift().node.remove();
    this.#grow();
  }

  #grow() {
    const last = this.#spans.at(-1);
    if (last) last.node.style.flexGrow = Math.max(0.2, (performance.now() - last.since) / 1000).toFixed(1);
  }
}

const FIGURES = [
  ['queue', 'Unacked queue', 'Stanzas you sent that the server has not confirmed'],
  ['rtt', 'Ack round trip', 'From your last <r/> to its <a/>'],
  ['asked', 'You asked / got', '<r/> sent, <a/> received'],
  ['unsolicited', 'Unsolicited', '<a/> that came without an <r/>'],
  ['theyAsked', 'Server asked / got', '<r/> received, <a/> sent'],
  ['resumptions', 'Resumptions', 'Times this page came back to its session'],
  ['resent', 'Sent again', 'Stanzas that went out a second time after a resumption'],
  ['doubled', 'Doubled', 'Messages that arrived twice; this should stay 0'],
];

function notManaged(sm, state) {
  if (state === 'offline') return '';
  return sm.enabled ? 'not resumable' : 'no stream management yet';
}

/** One direction: what one side counted, what the other confirmed, and the difference as pips between. */
function lane(way, arrow, here, there) {
  const near = make('output', { 'data-h': `${way}-near` }, '0');
  const far = make('output', { 'data-h': `${way}-far` }, '0');
  const pips = make('div', { class: 'pips', 'aria-hidden': 'true' });
  const gap = make('p', { class: 'gap' }, 'in step');
  const line = make('div', { class: 'line' }, pips, gap);
  const end = (label, value) => make('p', { class: 'end' }, value, make('span', {}, label));
  const node = make(
    'div',
    { class: 'lane', 'data-way': way, role: 'group', 'aria-label': way === 'out' ? 'Outbound' : 'Inbound' },
    make('span', { class: 'arrow', 'aria-hidden': 'true' }, arrow),
    end(here, near),
    line,
    end(there, far),
  );
  const draw = (mine, theirs, open, words) => {
    near.textContent = mine;
    far.textContent = theirs;
    gap.textContent = open ? `${open} ${words}` : 'in step';
    const wanted = Math.min(open, MAX_PIPS);
    while (pips.children.length > wanted) pips.lastElementChild.remove();
    while (pips.children.length < wanted) pips.append(make('i'));
  };
  return { node, draw };
}
