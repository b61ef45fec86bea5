// From an open link to a bound resource: SASL, then binding (RFC 6120 §6, §7).

import { NS, child, children, element, errorCondition } from './xml.js';
import { SaslError, chooseMechanism } from './scram.js';
import { StreamFault } from './link.js';

/** Proves who we are, and has the server prove that it knows us. Rejects with SaslError. */
export async function authenticate(link, features, { username, password, privateLink }) {
  const offered = children(child(features, 'mechanisms', NS.sasl), 'mechanism').map((m) => m.textContent);
  const sasl = chooseMechanism(offered, username, password, privateLink);
  link.send(element('auth', { xmlns: NS.sasl, mechanism: sasl.mechanism }, sasl.first));
  for (;;) {
    const { root } = await link.next();
    if (root.localName === 'success') return sasl.done(root.textContent);
    if (root.localName !== 'challenge') throw refusal(root);
    link.send(element('response', { xmlns: NS.sasl }, await sasl.next(root.textContent)));
  }
}

/** Binds the resource, or another one if the server likes that better; resolves with the full JID. */
export async function bind(link, resource) {
  const payload = element('bind', { xmlns: NS.bind }, element('resource', {}, resource));
  link.send(element('iq', { xmlns: NS.client, type: 'set', id: 'bind' }, payload));
  const { root } = await link.next();
  const jid = child(child(root, 'bind', NS.bind), 'jid')?.textContent;
  if (root.getAttribute('type') === 'result' && jid) return jid;
  throw new StreamFault(errorCondition(root), 'no resource could be bound');
}

function refusal(root) {
  const condition = children(root).find((c) => c.localName !== 'text')?.localName ?? root.localName;
  const said = child(root, 'text')?.textContent;
  const wrong = condition === 'not-authorized';
  const ours = wrong ? 'Wrong address or password.' : `The server refused the login: ${condition}.`;
  return new SaslError(condition, said ? `${ours} ${said}` : ours);
}
