// A plot of the last minutes, as SVG: one line for each name, the newest at the right.

import { make } from './dom.js';
import { round } from './rates.js';

const SVG = 'http://www.w3.org/2000/svg';
const POINTS = 120;
const WIDTH = POINTS - 1;
const HEIGHT = 100;

export class Plot {
  #points = [];
  #lines = {};
  #now = {};
  #svg;
  #top = make('span', { class: 'top' });
  #show;
  #title;

  /**
   * `lines`: what each is called, by its name. `show` writes a value; `least` is the lowest end of the axis; `bridges`:
   * a line goes on over seconds without a value.
   */
  constructor(title, lines, show, least, bridges = false) {
    this.bridges = bridges;
    this.#title = title;
    this.#show = show;
    this.least = least;
    this.#svg = element('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
    for (const part of [0.5, 1]) this.#svg.append(element('line', { class: 'grid', x2: WIDTH, y1: HEIGHT * part, y2: HEIGHT * part }));
    const keys = Object.entries(lines).map(([name, label], index) => {
      this.#lines[name] = element('path', { class: `series series-${index}` });
      this.#now[name] = make('output', { 'data-now': name }, '–');
      this.#svg.append(this.#lines[name]);
      return make('span', { class: 'key' }, make('i', { class: `swatch-${index}`, 'aria-hidden': 'true' }), `${label} `, this.#now[name]);
    });
    this.labels = lines;
    this.node = make(
      'figure',
      { class: 'card plot' },
      make('figcaption', {}, make('h2', {}, title), make('p', { class: 'keys' }, keys)),
      make('div', { class: 'chart' }, this.#top, this.#svg),
    );
  }

  /** One more value for each name; null: there is none. */
  add(values) {
    this.#points.push(values);
    if (this.#points.length > POINTS) this.#points.shift();
    const known = this.#points.flatMap((point) => Object.values(point)).filter((value) => value !== null);
    const end = round(Math.max(this.least, ...known));
    this.#top.textContent = this.#show(end);
    for (const [name, line] of Object.entries(this.#lines)) {
      line.setAttribute('d', path(this.#points.map((point) => point[name]), end, this.bridges));
      this.#now[name].textContent = values[name] === null ? '–' : this.#show(values[name]);
    }
    const said = Object.entries(this.labels).map(([name, label]) => `${label} ${this.#now[name].textContent}`);
    this.#svg.setAttribute('aria-label', `${this.#title} in the last ${POINTS} seconds; now: ${said.join(', ')}`);
  }
}

function element(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/** A line that is interrupted where a value is missing, unless it bridges that; a value that stands alone is a dot. */
function path(values, end, bridges) {
  const start = POINTS - values.length;
  let drawing = false;
  return values
    .map((value, index) => {
      if (value === null || value === undefined) {
        drawing &&= bridges;
        return '';
      }
      const y = (HEIGHT * (1 - Math.min(1, value / end))).toFixed(2);
      const step = `${drawing ? 'L' : 'M'}${start + index} ${y}${drawing ? '' : 'h.01'}`;
      drawing = true;
      return step;
    })
    .join('');
}
