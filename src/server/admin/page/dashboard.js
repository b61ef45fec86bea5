// The operator's page: figures each second, sessions every two, and nothing while nobody looks.

import { Problem, ask, token } from './api.js';
import { $, make } from './dom.js';
import { Plot } from './plot.js';
import { between, quantile, rate, size } from './rates.js';
import { Table, cameBy, standing } from './table.js';

const FIGURES_MS = 1000;
const SESSIONS_MS = 2000;
const PAGE = 50;

const perSecond = (value) => `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)}/s`;
const milliseconds = (seconds) => {
  const ms = seconds * 1000;
  if (ms >= 1000) return `${Number(seconds.toFixed(1))} s`;
  return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
};
const count = (value) => String(Math.round(value));

const plots = {
  throughput: new Plot('Stanzas', { in: 'from clients', out: 'to clients' }, perSecond, 1),
  acks: new Plot('Ack latency', { p50: 'median', p95: '95 of 100' }, milliseconds, 0.01, true),
  sessions: new Plot('Who is here', { attached: 'attached', hibernating: 'hibernating' }, count, 1),
};
$('plots').append(...Object.values(plots).map((plot) => plot.node));

const FIGURES = [
  ['attached', 'Attached', (f) => f.sessions.attached],
  ['hibernating', 'Hibernating', (f) => f.sessions.hibernating],
  ['websocket', 'WebSocket', (f) => f.sessions.websocket],
  ['bosh', 'BOSH', (f) => f.sessions.bosh],
  ['groups', 'Groups', (f) => f.groups],
  ['waiting', 'Stanzas waiting', (f) => f.waiting],
  ['unacked', 'Unacked', (f) => f.unacked],
  ['held', 'Held for sessions', (f) => held(f)],
];
const shown = Object.fromEntries(FIGURES.map(([name]) => [name, make('dd', { 'data-figure': name }, '–')]));
$('figures').append(...FIGURES.map(([name, label]) => make('div', {}, make('dt', {}, label), shown[name])));

function held({ held_bytes, held_bytes_max }) {
  return held_bytes_max ? `${size(held_bytes)} of ${size(held_bytes_max)}` : size(held_bytes);
}

// What the server says as a whole

let last = null;

function show(figures) {
  $('version').textContent = figures.version;
  $('about').textContent = `${figures.domain}, up ${age(figures.uptime)}`;
  state(figures.stopping ? 'hibernating' : 'online', figures.stopping ? 'Stopping' : 'Serving');
  for (const [name, , of] of FIGURES) shown[name].textContent = of(figures) ?? '–';
  const seconds = last ? figures.time - last.time : 0;
  const acks = between(last?.acks, figures.acks);
  plots.throughput.add({
    in: rate(last?.stanzas?.in, figures.stanzas?.in, seconds),
    out: rate(last?.stanzas?.out, figures.stanzas?.out, seconds),
  });
  plots.acks.add({ p50: quantile(acks, 0.5), p95: quantile(acks, 0.95) });
  plots.sessions.add({ attached: figures.sessions.attached, hibernating: figures.sessions.hibernating });
  last = figures;
}

function state(name, text) {
  $('state').dataset.state = name;
  // A status that is written anew is read aloud anew.
  if ($('state-text').textContent !== text) $('state-text').textContent = text;
}

function age(seconds) {
  for (const [unit, size] of [['day', 86_400], ['hour', 3600], ['minute', 60]]) {
    const whole = Math.floor(seconds / size);
    if (whole) return `${whole} ${unit}${whole > 1 ? 's' : ''}`;
  }
  return 'less than a minute';
}

// The list

const table = new Table((id) => open(id));
let domain = '';
let user = '';
let after = '';
let next = null;

async function list() {
  const wanted = { user, after };
  const page = await ask('GET', '/v1/sessions', { user, after, limit: PAGE });
  if (wanted.user !== user || wanted.after !== after) return; // somebody asked for something else meanwhile
  table.show(page.sessions);
  next = page.next;
  $('next').disabled = !next;
  $('first').disabled = !after;
  $('pages').hidden = !next && !after;
  $('nobody').hidden = page.sessions.length > 0;
  $('nobody').textContent = user ? `No session of ${user} is here.` : 'Nobody is here.';
  const text = page.total > page.sessions.length ? `${page.sessions.length} of ${page.total}` : `${page.total}`;
  if ($('sessions-count').textContent !== text) $('sessions-count').textContent = text;
}

function turn(to) {
  after = to;
  void again(list);
}

$('first').addEventListener('click', () => turn(''));
$('next').addEventListener('click', () => next && turn(next));

$('search').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('user').value.trim();
  user = !text || text.includes('@') ? text : `${text}@${domain}`;
  $('search-error').textContent = '';
  turn('');
});
$('user').addEventListener('input', () => {
  if ($('user').value === '' && user) $('search').requestSubmit(); // the cross of the field was pressed
});

// One session

let looked = null;

function open(id) {
  looked = id;
  $('one-title').textContent = '';
  $('one-facts').replaceChildren();
  $('one-gone').textContent = '';
  sure(false);
  void again(look);
  $('one').showModal();
}

const FACTS = [
  ['State', (s) => standing(s)],
  ['Came by', (s) => cameBy(s)],
  ['Path', (s) => (s.path === null ? null : s.path + (s.query ? `?${s.query}` : ''))],
  ['Login', (s) => s.login],
  ['Groups', (s) => s.groups.join(', ')],
  ['Data', (s) => Object.entries(s.data).map(([name, value]) => `${name} = ${value}`).join(', ')],
  ['Waiting', (s) => s.waiting],
  ['Held', (s) => size(s.held_bytes)],
  ['Unacked', (s) => s.counters?.unacked],
  ['Oldest unacked', (s) => (s.counters?.oldest_unacked ? milliseconds(s.counters.oldest_unacked) : null)],
  ['From the client', (s) => s.counters && traffic(s.counters.stanzas_in, s.counters.bytes_in)],
  ['To the client', (s) => s.counters && traffic(s.counters.stanzas_out, s.counters.bytes_out)],
  ['Here for', (s) => s.counters && age(s.counters.seconds)],
  ['Id', (s) => s.id],
];
const traffic = (stanzas, bytes) => `${stanzas} stanzas, ${size(bytes)}`;

async function look() {
  const id = looked;
  if (!id) return;
  let session;
  try {
    session = await ask('GET', `/v1/sessions/${id}`);
  } catch (problem) {
    if (problem.status !== 404) throw problem;
    if (id !== looked) return;
    looked = null;
    $('one-gone').textContent = 'This session is over.';
    $('one-close').disabled = true;
    sure(false);
    return;
  }
  if (id !== looked) return;
  $('one-close').disabled = false;
  $('one-title').textContent = session.jid;
  for (const [label, of] of FACTS) fact(label, of(session));
}

/** Written in place: whoever selects a text may copy it. */
function fact(label, value) {
  const known = value !== null && value !== undefined && value !== '';
  let row = [...$('one-facts').children].find((node) => node.dataset.fact === label);
  if (!row) {
    row = make('div', { 'data-fact': label }, make('dt', {}, label), make('dd'));
    $('one-facts').append(row);
  }
  row.hidden = !known;
  if (known && row.lastChild.textContent !== String(value)) row.lastChild.textContent = value;
}

function sure(asked) {
  $('one-sure').hidden = !asked;
  $('one-close').hidden = asked;
}

$('one-close').addEventListener('click', () => {
  sure(true);
  $('one-no').focus();
});
$('one-no').addEventListener('click', () => {
  sure(false);
  $('one-close').focus();
});
$('one-yes').addEventListener('click', async () => {
  await again(() => ask('DELETE', '/v1/sessions', { id: looked }));
  await again(look);
  void again(list);
});
$('one-done').addEventListener('click', () => $('one').close());
$('one').addEventListener('close', () => (looked = null));

// The token

/** Does something, and shows what comes in between. Returns whether it was done. */
async function again(what) {
  try {
    await what();
    return true;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (problem.status === 401) lock();
    else if (problem.status === 400) $('search-error').textContent = problem.message;
    else state('offline', problem.status === 0 ? 'No answer' : `Status ${problem.status}`);
    return false;
  }
}

function lock() {
  const wrong = token.get() !== null;
  token.forget();
  $('one').close();
  $('main').hidden = true;
  $('forget').hidden = true;
  state('offline', 'Locked');
  if ($('ask').hidden || wrong) $('token-error').textContent = wrong ? 'This is not the token.' : '';
  if (!$('ask').hidden) return;
  $('ask').hidden = false;
  $('token').focus();
}

function unlock() {
  $('forget').hidden = token.get() === null;
  if (!$('main').hidden) return;
  const asked = !$('ask').hidden;
  $('ask').hidden = true;
  $('main').hidden = false;
  $('token').value = '';
  if (asked) $('main').focus();
}

$('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('token').value.trim();
  if (!/^[!-~]+$/.test(text)) {
    $('token-error').textContent = 'A token has no spaces and no letters but those of ASCII.';
    return;
  }
  token.set(text);
  void begin();
});

$('forget').addEventListener('click', () => {
  token.forget();
  lock();
});

// Again and again

async function figures() {
  const said = await ask('GET', '/v1/figures');
  domain = said.domain;
  unlock();
  show(said);
}

async function begin() {
  if (await again(figures)) await again(list);
}

async function every(ms, what) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    if (!document.hidden && !($('main').hidden && !$('ask').hidden)) await again(what);
  }
}

await begin();
void every(FIGURES_MS, figures);
void every(SESSIONS_MS, list);
void every(FIGURES_MS, look);
