// The wire: every frame in both directions, as rows that open into indented XML.

import { $, atEnd, bytes, make, preciseTime } from './dom.js';
import { kindOf, parse, pretty, redact } from './xml.js';

const MAX_ROWS = 1500;
const MAX_HELD = 1500;
const SUMMARY_CHARACTERS = 240;
const MAX_PRETTY_CHARACTERS = 100_000;

const KINDS = {
  message: 'Messages',
  presence: 'Presence',
  iq: 'IQ',
  sm: 'SM',
  stream: 'Stream',
  sasl: 'SASL',
  broken: 'Broken',
};

const encoder = new TextEncoder();

export class Wire {
  #frames = []; // oldest first: { at, direction, size, kind, text, root, row }
  #held = []; // what arrived while paused
  #paused = false;
  #shown = new Set(Object.keys(KINDS));
  #dropped = 0;

  constructor() {
    $('filters').append(...Object.entries(KINDS).map(([kind, label]) => this.#filter(kind, label)));
    $('pause').addEventListener('click', () => this.#pause());
    $('clear').addEventListener('click', () => this.#clear());
    $('copy').addEventListener('click', () => this.#copy());
    $('save').addEventListener('click', () => this.#save());
    $('frames').addEventListener('keydown', (event) => this.#onKey(event));
    this.#tally();
  }

  /** Takes one frame, already on the wire or just off it. Secrets go here, before anything keeps them. */
  add(direction, text) {
    let root = null;
    try {
      root = parse(text);
    } catch {
      // Shown as it is, in the colour of broken things.
    }
    const frame = { at: new Date(), direction, size: encoder.encode(text).length, kind: kindOf(root) };
    frame.text = redact(root, text);
    if (!this.#paused) return this.#append([frame]);
    this.#held.push(frame);
    if (this.#held.length > MAX_HELD) this.#dropped += this.#held.splice(0, 1).length;
    this.#tally();
  }

  #append(frames) {
    const list = $('frames');
    const follow = atEnd(list);
    for (const frame of frames) list.append((frame.row = this.#row(frame)));
    this.#frames.push(...frames);
    const old = this.#frames.splice(0, Math.max(0, this.#frames.length - MAX_ROWS));
    old.forEach((frame) => frame.row.remove());
    this.#dropped += old.length;
    if (follow) list.scrollTop = list.scrollHeight;
    this.#tally();
  }

  #row(frame) {
    const way = frame.direction === 'out' ? 'sent' : 'received';
    const summary = frame.text.slice(0, SUMMARY_CHARACTERS).replace(/\s+/g, ' ');
    const button = make(
      'button',
      {
        type: 'button',
        class: 'frame',
        tabindex: '-1',
        'aria-expanded': 'false',
        'aria-label': `${way} ${frame.kind}, ${bytes(frame.size)}: ${summary.slice(0, 120)}`,
      },
      make('time', {}, preciseTime(frame.at)),
      make('span', { class: 'way' }, frame.direction === 'out' ? '↑' : '↓'),
      make('span', { class: 'size' }, bytes(frame.size)),
      make('span', { class: 'kind' }, frame.kind),
      make('span', { class: 'xml' }, summary),
    );
    const row = make('li', { 'data-kind': frame.kind, 'data-way': frame.direction }, button);
    row.hidden = !this.#shown.has(frame.kind);
    button.addEventListener('click', () => this.#toggle(frame, row, button));
    return row;
  }

  #toggle(frame, row, button) {
    const open = button.getAttribute('aria-expanded') === 'false';
    button.setAttribute('aria-expanded', String(open));
    if (open) {
      row.append(this.#printed(frame.text));
      row.scrollIntoView({ block: 'nearest' });
    } else row.querySelector('pre')?.remove();
  }

  #printed(text) {
    const block = make('pre', { tabindex: '0', 'aria-label': 'Frame' });
    let lines = null;
    try {
      lines = text.length <= MAX_PRETTY_CHARACTERS ? pretty(parse(text)) : null;
    } catch {
      // Not XML, so there is nothing to indent.
    }
    if (!lines) block.append(text);
    for (const line of lines ?? []) {
      block.append(
        ...line.map(([kind, part]) => (kind === 'text' ? part : make('span', { class: `t-${kind}` }, part))),
        '\n',
      );
    }
    return block;
  }

  /** One stop for Tab, arrows inside: a thousand rows must not stand between a keyboard and the rest. */
  #onKey(event) {
    const rows = this.#frames.filter((frame) => !frame.row.hidden).map((frame) => frame.row.firstElementChild);
    const at = rows.indexOf(event.target.closest('.frame'));
    const from = at < 0 ? rows.length : at;
    const goal = { ArrowUp: from - 1, ArrowDown: Math.min(from + 1, rows.length - 1), Home: 0, End: rows.length - 1 }[
      event.key
    ];
    if (goal === undefined || event.target.closest('pre')) return;
    event.preventDefault();
    rows[goal]?.focus();
  }

  // ---- tools -------------------------------------------------------------------------------

  #filter(kind, label) {
    const button = make(
      'button',
      { type: 'button', class: 'chip', 'data-kind': kind, 'aria-pressed': 'true' },
      make('i', { 'aria-hidden': 'true' }),
      label,
    );
    button.addEventListener('click', () => {
      const on = button.getAttribute('aria-pressed') === 'false';
      button.setAttribute('aria-pressed', String(on));
      this.#shown[on ? 'add' : 'delete'](kind);
      for (const frame of this.#frames) frame.row.hidden = !this.#shown.has(frame.kind);
      this.#tally();
    });
    return button;
  }

  #pause() {
    this.#paused = !this.#paused;
    $('pause').setAttribute('aria-pressed', String(this.#paused));
    $('pause').textContent = this.#paused ? 'Go on' : 'Pause';
    if (!this.#paused) this.#append(this.#held.splice(0));
    this.#tally();
  }

  #clear() {
    this.#frames = [];
    this.#held = [];
    this.#dropped = 0;
    $('frames').replaceChildren();
    this.#tally();
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#asText());
      $('spoken').textContent = 'Frames copied';
      flash($('copy'), 'Copied');
    } catch {
      flash($('copy'), 'Refused');
    }
  }

  #save() {
    const url = URL.createObjectURL(new Blob([this.#asText()], { type: 'text/plain' }));
    const stamp = new Date().toISOString().slice(0, 19).replace(/:/g, '');
    make('a', { href: url, download: `stanzad-wire-${stamp}.txt` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  #asText() {
    const shown = this.#frames.filter((frame) => this.#shown.has(frame.kind));
    return shown
      .map((f) => `${f.at.toISOString()} ${f.direction === 'out' ? '>>' : '<<'} ${f.size} ${f.text}\n`)
      .join('');
  }

  #tally() {
    const shown = this.#frames.filter((frame) => this.#shown.has(frame.kind)).length;
    const parts = [shown === this.#frames.length ? `${shown} frames` : `${shown} of ${this.#frames.length} frames`];
    if (this.#held.length) parts.push(`${this.#held.length} held back`);
    if (this.#dropped) parts.push(`${this.#dropped} older ones dropped`);
    $('wire-count').textContent = parts.join(', ');
    $('frames-empty').hidden = this.#frames.length > 0;
  }
}

function flash(button, text) {
  const before = button.textContent;
  button.textContent = text;
  setTimeout(() => (button.textContent = before), 1200);
}
