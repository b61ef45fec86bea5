// XML as the console needs it: build strings, read frames, print them for people.
//
// Nothing here touches the page. What the peer sent is data to the last character: it leaves this
// module as strings and elements, never as markup.

import { fault } from './wellformed.js';

export const NS = {
  client: 'jabber:client',
  framing: 'urn:ietf:params:xml:ns:xmpp-framing',
  streams: 'http://etherx.jabber.org/streams',
  sasl: 'urn:ietf:params:xml:ns:xmpp-sasl',
  bind: 'urn:ietf:params:xml:ns:xmpp-bind',
  stanzas: 'urn:ietf:params:xml:ns:xmpp-stanzas',
  sm: 'urn:xmpp:sm:3',
  roster: 'jabber:iq:roster',
  ping: 'urn:xmpp:ping',
  disco: 'http://jabber.org/protocol/disco#info',
  carbons: 'urn:xmpp:carbons:2',
  forward: 'urn:xmpp:forward:0',
  delay: 'urn:xmpp:delay',
};

// Everything outside the Char production of XML 1.0 §2.2, lone surrogates among it.
const FORBIDDEN = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;
const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;', '\r': '&#13;' };

/** Text made safe for content and attributes; characters that XML cannot carry become U+FFFD. */
export function escape(text) {
  return String(text)
    .replace(FORBIDDEN, '\uFFFD')
    .replace(/[&<>"'\r]/g, (c) => ESCAPES[c]);
}

class Markup {
  constructor(text) {
    this.text = text;
  }
  toString() {
    return this.text;
  }
}

/** One element; attributes that are null or undefined are left out, strings among the children are text. */
export function element(name, attributes = {}, ...children) {
  let start = `<${name}`;
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) start += ` ${key}="${escape(value).replace(/[\n\t]/g, ' ')}"`;
  }
  const inside = children.flat().map((child) => (child instanceof Markup ? child.text : escape(child)));
  return new Markup(inside.length ? `${start}>${inside.join('')}</${name}>` : `${start}/>`);
}

/** The root element of one frame; throws an Error that says what is wrong and where. */
export function parse(text) {
  const wrong = fault(text);
  if (wrong) throw new Error(wrong);
  const document = new DOMParser().parseFromString(text, 'application/xml');
  if (document.getElementsByTagName('parsererror').length) throw new Error('the browser cannot read this XML');
  return document.documentElement;
}

/** The first child element with this local name, and namespace if one is given. */
export function child(parent, name, namespace) {
  return children(parent, name, namespace)[0] ?? null;
}

export function children(parent, name, namespace) {
  return [...(parent?.children ?? [])].filter(
    (c) => (!name || c.localName === name) && (!namespace || c.namespaceURI === namespace),
  );
}

/** True for what XEP-0198 counts: message, presence and iq. */
export function isStanza(root) {
  return root.namespaceURI === NS.client && ['message', 'presence', 'iq'].includes(root.localName);
}

/** The condition of a stanza error, or undefined-condition (RFC 6120 §8.3.3). */
export function errorCondition(root) {
  const error = child(root, 'error');
  return children(error, null, NS.stanzas).find((c) => c.localName !== 'text')?.localName ?? 'undefined-condition';
}

/** What a frame is, for colour and filter: message, presence, iq, sm, stream, sasl, or broken. */
export function kindOf(root) {
  if (!root) return 'broken';
  if (root.namespaceURI === NS.sm) return 'sm';
  if (root.namespaceURI?.includes('sasl')) return 'sasl';
  if (['message', 'presence', 'iq'].includes(root.localName)) return root.localName;
  return 'stream';
}

/**
 * The frame without its secrets: the text of SASL elements and of every `<password/>`.
 *
 * A SCRAM exchange does not hold the password, but whoever copies a log into a ticket hands out
 * what an offline guess needs.
 */
export function redact(root, text) {
  if (!root)
    return text.includes('password') || text.includes('xmpp-sasl') ? '(not shown: it may hold a secret)' : text;
  const secret = (e) => e.localName === 'password' || (e.namespaceURI?.includes('sasl') && e.localName !== 'mechanism');
  if (!text.includes('password') && !text.includes('sasl')) return text;
  const copy = root.cloneNode(true);
  for (const node of [copy, ...copy.getElementsByTagName('*')]) if (secret(node)) hideText(node);
  return new XMLSerializer().serializeToString(copy);
}

function hideText(node) {
  for (const part of [...node.childNodes]) {
    if (part.nodeType === Node.ELEMENT_NODE || !part.data.trim()) continue;
    part.replaceWith(`[${part.data.length} characters hidden]`);
  }
}

/**
 * The frame in lines of tokens, indented by depth, ready to be coloured.
 *
 * A token is `[class, text]`; class is one of tag, name, value, text. Elements that hold text stay
 * on one line, so that no white space is invented inside a body.
 */
export function pretty(root) {
  const lines = [];
  layOut(root, 0, '', lines);
  return lines;
}

function layOut(node, depth, inherited, lines) {
  const indent = ['text', '  '.repeat(depth)];
  const start = startTag(node, inherited);
  const name = node.nodeName;
  const namespace = node.namespaceURI ?? '';
  if (!node.childNodes.length) return lines.push([indent, ...start, ['tag', '/>']]);
  const hasText = [...node.childNodes].some((c) => c.nodeType !== Node.ELEMENT_NODE && c.data?.trim());
  if (hasText) {
    const inside = [...node.childNodes].flatMap((c) => inline(c, namespace));
    return lines.push([indent, ...start, ['tag', '>'], ...inside, ['tag', `</${name}>`]]);
  }
  lines.push([indent, ...start, ['tag', '>']]);
  for (const c of node.children) layOut(c, depth + 1, namespace, lines);
  lines.push([indent, ['tag', `</${name}>`]]);
}

function inline(node, inherited) {
  if (node.nodeType !== Node.ELEMENT_NODE) return [['text', node.data ?? '']];
  const start = startTag(node, inherited);
  if (!node.childNodes.length) return [...start, ['tag', '/>']];
  const inside = [...node.childNodes].flatMap((c) => inline(c, node.namespaceURI ?? ''));
  return [...start, ['tag', '>'], ...inside, ['tag', `</${node.nodeName}>`]];
}

function startTag(node, inherited) {
  const tokens = [['tag', `<${node.nodeName}`]];
  for (const { name, value } of node.attributes) {
    if (name === 'xmlns' && value === inherited) continue;
    tokens.push(['name', ` ${name}=`], ['value', `"${value}"`]);
  }
  return tokens;
}
