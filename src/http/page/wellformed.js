// Is this one element of XML, as XMPP restricts it (RFC 6120 §11.1)?
//
// The browser's parser knows too, but it answers a fault with a styled error document, which the
// content security policy of this page reports as an attack, and it lets comments pass.

const NAME = '[\\p{L}_][\\p{L}\\p{M}\\p{N}._\\-\\u00B7]*';
const START = new RegExp(`<((?:${NAME}:)?${NAME})`, 'uy');
const ATTRIBUTE = new RegExp(`\\s+((?:${NAME}:)?${NAME})\\s*=\\s*("[^"<]*"|'[^'<]*')`, 'uy');
const START_END = /\s*(\/?)>/y;
const END = new RegExp(`</((?:${NAME}:)?${NAME})\\s*>`, 'uy');
const TEXT = /[^<]+/y;
const CDATA = /<!\[CDATA\[[^]*?\]\]>/y;
const REFERENCE = /&(?:(?:amp|lt|gt|quot|apos)|#(\d{1,7})|#x([0-9A-Fa-f]{1,6}));|&/g;
const FORBIDDEN = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

const RESTRICTED = [
  ['<!--', 'comments are not allowed in XMPP'],
  ['<?', 'processing instructions are not allowed in XMPP'],
  ['<!DOCTYPE', 'a document type is not allowed in XMPP'],
];

/** The first fault as a sentence with its place, or null if the text is one well-formed element. */
export function fault(text) {
  const forbidden = FORBIDDEN.exec(text);
  if (forbidden) return place(text, forbidden.index, `U+${hex(forbidden[0])} is not allowed in XML`);
  const scan = { text, at: text.length - text.trimStart().length, open: [], scopes: [new Set(['xml'])], roots: 0 };
  while (scan.at < text.length) {
    const wrong = step(scan);
    if (wrong) return place(text, scan.at, wrong);
  }
  if (scan.open.length) return place(text, text.length, `<${scan.open.at(-1)}> is not closed`);
  return scan.roots ? null : 'there is no element';
}

function step(scan) {
  if (scan.text[scan.at] !== '<') return characters(scan);
  const cdata = take(scan, CDATA);
  if (cdata) return scan.open.length ? null : 'text outside the element';
  for (const [opening, words] of RESTRICTED) if (scan.text.startsWith(opening, scan.at)) return words;
  return scan.text[scan.at + 1] === '/' ? end(scan) : start(scan);
}

function characters(scan) {
  const [text] = take(scan, TEXT);
  if (!scan.open.length && text.trim()) return 'text outside the element';
  if (text.includes(']]>')) return ']]> must be written ]]&gt;';
  return references(text);
}

function references(text) {
  for (const [whole, decimal, hexadecimal] of text.matchAll(REFERENCE)) {
    if (whole === '&') return '& must be written &amp;';
    const code = decimal ? Number(decimal) : hexadecimal ? parseInt(hexadecimal, 16) : 0x20;
    if (code > 0x10ffff || FORBIDDEN.test(String.fromCodePoint(code))) return `${whole} is not a character of XML`;
  }
  return null;
}

function start(scan) {
  if (!scan.open.length && scan.roots) return 'a second element: a frame holds one';
  const tag = take(scan, START);
  if (!tag) return 'no element begins here';
  const attributes = new Map();
  for (let found; (found = take(scan, ATTRIBUTE));) {
    const [, name, quoted] = found;
    if (attributes.has(name)) return `the attribute ${name} stands twice`;
    attributes.set(name, quoted.slice(1, -1));
    const wrong = references(quoted);
    if (wrong) return wrong;
  }
  const close = take(scan, START_END);
  if (!close) return `the tag <${tag[1]}> does not end as one`;
  return element(scan, tag[1], attributes, close[1] === '/');
}

function element(scan, name, attributes, empty) {
  const scope = new Set(scan.scopes.at(-1));
  for (const [key, value] of attributes) {
    if (key.startsWith('xmlns:') && !value) return `${key} is empty`;
    if (key.startsWith('xmlns:')) scope.add(key.slice(6));
  }
  const used = [name, ...attributes.keys()].filter((n) => n.includes(':') && !n.startsWith('xmlns:'));
  const unbound = used.map((n) => n.split(':')[0]).find((prefix) => !scope.has(prefix));
  if (unbound) return `the prefix ${unbound} is bound to no namespace`;
  scan.roots++;
  if (empty) return null;
  scan.open.push(name);
  scan.scopes.push(scope);
  return null;
}

function end(scan) {
  const tag = take(scan, END);
  if (!tag) return 'no end tag, although it begins as one';
  if (tag[1] !== scan.open.at(-1))
    return `</${tag[1]}> closes nothing${scan.open.length ? `; <${scan.open.at(-1)}> is open` : ''}`;
  scan.open.pop();
  scan.scopes.pop();
  return null;
}

function take(scan, pattern) {
  pattern.lastIndex = scan.at;
  const match = pattern.exec(scan.text);
  if (match) scan.at += match[0].length;
  return match;
}

function place(text, at, words) {
  const lines = text.slice(0, at).split('\n');
  return `line ${lines.length}, column ${lines.at(-1).length + 1}: ${words}`;
}

function hex(character) {
  return character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0');
}
