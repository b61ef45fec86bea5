// The list of sessions. Rows are kept while their session is listed, so that focus stays where it is.

import { $, make } from './dom.js';
import { size } from './rates.js';

export class Table {
  #rows = new Map();
  #body = $('sessions').tBodies[0];
  #open;

  /** `open` is told which session somebody wants to look at. */
  constructor(open) {
    this.#open = open;
  }

  show(sessions) {
    const listed = new Set(sessions.map(({ id }) => id));
    for (const [id, { node }] of this.#rows) {
      if (listed.has(id)) continue;
      node.remove();
      this.#rows.delete(id);
    }
    for (const session of sessions) {
      const row = this.#rows.get(session.id) ?? this.#make(session);
      row.draw(session);
      if (!row.node.parentNode) this.#insert(row.node, session.id);
    }
  }

  #make({ id, jid }) {
    const state = make('td');
    const way = make('td');
    const waiting = make('td', { class: 'number', 'data-label': 'waiting' });
    const held = make('td', { class: 'number', 'data-label': 'held' });
    const name = make('button', { type: 'button', class: 'quiet', onclick: () => this.#open(id) }, jid);
    const node = make('tr', { 'data-id': id }, make('th', { scope: 'row' }, name), state, way, waiting, held);
    const draw = (session) => {
      state.textContent = standing(session);
      node.dataset.state = session.attached ? 'online' : 'hibernating';
      way.textContent = cameBy(session);
      waiting.textContent = session.waiting;
      held.textContent = size(session.held_bytes);
    };
    const row = { node, draw };
    this.#rows.set(id, row);
    return row;
  }

  /** The list is in the order of ids. */
  #insert(node, id) {
    const later = [...this.#body.rows].find((row) => row.dataset.id > id);
    this.#body.insertBefore(node, later ?? null);
  }
}

export const standing = ({ attached }) => (attached ? 'Attached' : 'Hibernating');

/** In a few words how a client came in; one that did so before a restart is not known. */
export function cameBy({ endpoint, transport, address }) {
  if (!endpoint) return 'before the restart';
  return [endpoint === transport ? null : endpoint, transport, address].filter(Boolean).join(' · ');
}
