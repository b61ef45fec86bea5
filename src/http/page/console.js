// The built-in page of stanzad: joins the client to what is seen.

import { $, make } from './dom.js';
import { PAUSE_AFTER_CUT_MS, Stream } from './stream.js';
import { Session, bare } from './session.js';
import { Chat } from './chat.js';
import { LinkView } from './linkview.js';
import { RawComposer } from './raw.js';
import { Wire } from './wire.js';

// What a reload needs to resume, and no password: it is taken out at once, so that a duplicated tab
// does not resume the session of the first.
const STORAGE_KEY = 'stanzad.session';

const wire = new Wire();
const view = new LinkView();
const chat = new Chat();
const raw = new RawComposer();

let server = { domain: location.hostname, ws: '/ws/', accounts: [] };
let stream = null;
let session = null;
let saved = takeSaved();

start();

async function start() {
  wireControls();
  try {
    const answer = await fetch('/console.json', { headers: { accept: 'application/json' } });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    server = { ...server, ...(await answer.json()) };
  } catch (error) {
    view.event('bad', 'This page could not learn about its server', error.message);
  }
  $('version').textContent = server.version ?? '';
  $('endpoint').value = server.ws;
  $('jid').placeholder = `name@${server.domain}`;
  offerDemoAccounts();
  offerSaved();
}

// ---- signing in ------------------------------------------------------------------------------

function offerDemoAccounts() {
  const accounts = server.accounts ?? [];
  $('demo').hidden = accounts.length === 0;
  $('demo-accounts').replaceChildren(
    ...accounts.map(({ jid, password }) => {
      const [name, domain] = jid.split('@');
      const words = make('span', {}, make('b', {}, name), make('small', {}, `@${domain}`));
      return make(
        'button',
        { type: 'button', class: 'account', 'aria-label': `Sign in as ${jid}`, onclick: () => signIn(jid, password) },
        make('span', { class: 'letter', 'aria-hidden': 'true' }, name[0].toUpperCase()),
        words,
      );
    }),
  );
}

/** After a reload: a demo account goes on by itself, anybody else says the password once more. */
function offerSaved() {
  if (!saved) return;
  const jid = bare(saved.stream?.jid ?? saved.account);
  const account = (server.accounts ?? []).find((a) => bare(a.jid) === jid);
  $('jid').value = saved.account;
  if (!saved.stream) return;
  if (account) return signIn(account.jid, account.password);
  $('sign-in-waiting').hidden = false;
  $('sign-in-waiting').textContent = 'Your session waits on the server. Sign in to resume it.';
  $('password').focus();
}

function signIn(jid, password) {
  const [username, domain] = splitJid(jid);
  if (!username || !password)
    return complain(
      username ? 'Enter the password.' : 'Enter an address such as name@example.org.',
      username ? 'password' : 'jid',
    );
  const own = `${username}@${domain}`.toLowerCase();
  const mine = saved?.stream && bare(saved.stream.jid) === own ? saved : null;
  $('sign-in-error').textContent = '';
  $('jid').value = own;
  setBusy(true);
  stream = new Stream(
    { url: endpointUrl(), domain, username, password, resource: resourceName(), privateLink: isPrivateLink() },
    mine?.stream,
  );
  stream.resumesByItself = $('by-itself').checked;
  session = new Session(stream, mine?.session);
  listen(stream, session);
  chat.attach(
    stream,
    session,
    own,
    (server.accounts ?? []).map((a) => a.jid),
    mine?.chat,
  );
  raw.attach(stream);
  stream.connect();
}

function listen(theStream, theSession) {
  const on = (name, handle) => theStream.addEventListener(name, ({ detail }) => handle(detail));
  const redraw = () => view.figures(theStream, theSession);
  on('frame', ({ direction, text }) => wire.add(direction, text));
  on('state', ({ state, note }) => onState(theStream, state, note));
  on('figures', redraw);
  on('note', ({ tone, text }) => view.event(tone, text));
  on('resumed', (what) => view.event('good', 'Resumed', resumptionInWords(what)));
  on('end', ({ reason, fatal }) => onEnd(theStream, reason, fatal));
  theSession.addEventListener('note', ({ detail }) => view.event(detail.tone, detail.text));
  theSession.addEventListener('pong', ({ detail }) =>
    view.event('plain', 'Pong', `${detail.ms.toFixed(1)} ms there and back`),
  );
  theSession.addEventListener('message', redraw);
}

function onState(theStream, state, note) {
  if (state === 'hibernating')
    note = `${note}. ${theStream.resumesAt ? `Resuming in ${seconds(theStream.resumesAt - Date.now())}.` : 'Resume when you like.'}`;
  view.state(theStream, state, note);
  if (state !== 'online') return;
  saved = null;
  setBusy(false);
  $('welcome').hidden = true;
  $('talk').hidden = $('log-out').hidden = false;
  $('whoami').textContent = theStream.jid;
  const hadFocus = document.activeElement === document.body || $('welcome').contains(document.activeElement);
  if (hadFocus) ($('composer').hidden ? $('to') : $('text')).focus();
}

function onEnd(theStream, reason, fatal) {
  setBusy(false);
  if (!fatal) return showWelcome();
  if ($('welcome').hidden) return;
  saved = theStream.save() ? { ...saved, stream: theStream.save() } : saved;
  $('resume').disabled = true;
  complain(reason, 'password');
}

function showWelcome() {
  $('welcome').hidden = false;
  $('talk').hidden = $('log-out').hidden = true;
  $('whoami').textContent = '';
  $('password').value = '';
  $('resume').disabled = true;
  stream = null;
  chat.forget();
  sessionStorage.removeItem(STORAGE_KEY);
  ($('demo-accounts').querySelector('button') ?? $('jid')).focus();
}

function complain(text, field) {
  $('sign-in-error').textContent = text;
  $(field).focus();
}

function setBusy(busy) {
  $('sign-in-button').disabled = busy;
  $('sign-in-button').textContent = busy ? 'Signing in…' : 'Sign in';
  for (const button of $('demo-accounts').children) button.disabled = busy;
}

// ---- controls --------------------------------------------------------------------------------

function wireControls() {
  $('sign-in').addEventListener('submit', (event) => {
    event.preventDefault();
    signIn($('jid').value.trim(), $('password').value);
  });
  $('log-out').addEventListener('click', () => stream?.logOut());
  $('cut').addEventListener('click', () => stream?.cut());
  $('resume').addEventListener('click', () => stream?.connect());
  $('ask').addEventListener('click', () => stream?.askForAck());
  $('ping').addEventListener('click', ping);
  $('by-itself').addEventListener('change', () => stream && (stream.resumesByItself = $('by-itself').checked));
  for (const button of document.querySelectorAll('.views button'))
    button.addEventListener('click', () => showView(button.dataset.view));
  document.addEventListener('visibilitychange', () => document.hidden || chat.seen());
  addEventListener('online', () => stream?.state === 'hibernating' && stream.resumesByItself && stream.connect());
  addEventListener('pagehide', keep);
  addEventListener('pageshow', (event) => event.persisted && sessionStorage.removeItem(STORAGE_KEY));
}

async function ping() {
  try {
    await session.ping(stream.jid.split('@')[1].split('/')[0]);
  } catch (error) {
    view.event('bad', 'No pong', error.message);
  }
}

function showView(name) {
  $('main').dataset.view = name;
  for (const button of document.querySelectorAll('.views button')) {
    button.setAttribute('aria-pressed', String(button.dataset.view === name));
  }
}

// ---- across a reload -------------------------------------------------------------------------

function keep() {
  if (saved) return void sessionStorage.setItem(STORAGE_KEY, JSON.stringify(saved)); // nobody signed in since
  const account = stream?.jid ? bare(stream.jid) : $('jid').value.trim();
  if (!account) return;
  const state = stream?.save();
  const rest = state ? { stream: state, session: session.save(), chat: chat.save() } : {};
  try {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify({ account, ...rest }));
  } catch {
    // Storage is full or forbidden: the next login begins a new session, and the server keeps what was unread.
  }
}

function takeSaved() {
  try {
    const text = sessionStorage.getItem(STORAGE_KEY);
    sessionStorage.removeItem(STORAGE_KEY);
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// ---- words and addresses ---------------------------------------------------------------------

function resumptionInWords({ previd, h, confirmed, resent }) {
  const again = resent ? `${resent} sent again` : 'nothing to send again';
  return `previd ${previd}, the server had handled h=${h}: ${confirmed} confirmed, ${again}.`;
}

function splitJid(jid) {
  const [address] = jid.split('/', 1);
  const at = address.indexOf('@');
  return at < 0 ? [address, server.domain] : [address.slice(0, at), address.slice(at + 1)];
}

function endpointUrl() {
  const path = $('endpoint').value.trim() || server.ws;
  const url = new URL(path.startsWith('/') ? path : `/${path}`, location.href);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

// A resource of our own for each tab: two tabs of one account must not throw each other out.
function resourceName() {
  const random = crypto.getRandomValues(new Uint8Array(4));
  return `console-${[...random].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

function isPrivateLink() {
  return location.protocol === 'https:' || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(location.hostname);
}

function seconds(ms) {
  return ms > PAUSE_AFTER_CUT_MS / 2 ? `${Math.round(ms / 1000)} s` : `${Math.max(0, ms / 1000).toFixed(1)} s`;
}
