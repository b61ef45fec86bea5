// The raw composer: sends what an operator typed, and says beforehand what it is.

import { $, make } from './dom.js';
import { isStanza, parse } from './xml.js';

const SAMPLES = {
  Ping: "<iq xmlns='jabber:client' type='get' id='ping-1'>\n  <ping xmlns='urn:xmpp:ping'/>\n</iq>",
  'Service discovery':
    "<iq xmlns='jabber:client' type='get' id='disco-1' to='DOMAIN'>\n  <query xmlns='http://jabber.org/protocol/disco#info'/>\n</iq>",
  'Server version':
    "<iq xmlns='jabber:client' type='get' id='version-1' to='DOMAIN'>\n  <query xmlns='jabber:iq:version'/>\n</iq>",
  'Presence: away': "<presence xmlns='jabber:client'>\n  <show>away</show>\n  <status>back soon</status>\n</presence>",
  'Headline to yourself': "<message xmlns='jabber:client' type='headline' to='OWN'>\n  <body>Hello</body>\n</message>",
  'Ack request': "<r xmlns='urn:xmpp:sm:3'/>",
  'Unknown iq': "<iq xmlns='jabber:client' type='get' id='odd-1' to='DOMAIN'>\n  <odd xmlns='urn:example:odd'/>\n</iq>",
};

export class RawComposer {
  #stream = null;

  constructor() {
    $('sample').append(
      make('option', { value: '' }, 'a sample…'),
      ...Object.keys(SAMPLES).map((name) => make('option', { value: name }, name)),
    );
    $('sample').addEventListener('change', () => this.#useSample());
    $('xml').addEventListener('input', () => this.#judge());
    $('raw').addEventListener('submit', (event) => this.#submit(event));
  }

  attach(stream) {
    this.#stream = stream;
    stream.addEventListener('state', () => this.#judge());
  }

  #useSample() {
    const sample = SAMPLES[$('sample').value];
    if (!sample) return;
    const own = (this.#stream?.jid ?? 'you@localhost').split('/')[0];
    $('xml').value = sample.replace('DOMAIN', own.split('@')[1]).replace('OWN', own);
    this.#judge();
  }

  #judge() {
    const text = $('xml').value.trim();
    const [tone, words, button] = text ? verdict(text) : ['', '', 'Send'];
    $('raw-verdict').dataset.tone = tone;
    $('raw-verdict').textContent = words;
    $('raw-send').textContent = button;
    $('raw-send').disabled = !text || !['online', 'hibernating'].includes(this.#stream?.state);
  }

  #submit(event) {
    event.preventDefault();
    const text = $('xml').value.trim();
    if (!text || $('raw-send').disabled) return;
    try {
      this.#stream.sendRaw(text);
    } catch (error) {
      $('raw-verdict').dataset.tone = 'bad';
      $('raw-verdict').textContent = error.message;
    }
  }
}

function verdict(text) {
  let root;
  try {
    root = parse(text);
  } catch (error) {
    return ['bad', `Not well-formed: ${error.message}. The server will end the stream.`, 'Send it anyway'];
  }
  if (isStanza(root)) return ['good', 'A stanza: it counts for h and waits in the unacked queue.', 'Send'];
  if (['message', 'presence', 'iq'].includes(root.localName)) {
    return [
      'bad',
      "Without xmlns='jabber:client' this is no stanza: each frame stands alone (RFC 7395 §3.3.3).",
      'Send it anyway',
    ];
  }
  return ['plain', 'Not a stanza: it does not count for h.', 'Send'];
}
