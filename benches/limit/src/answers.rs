//! The constant half of a login.

use memchr::memmem;

pub const OPEN: &str =
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='localhost' id='1' version='1.0'/>";
pub const BEFORE: &str = "<stream:features xmlns:stream='http://etherx.jabber.org/streams'>\
    <mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>\
    </stream:features>";
pub const AFTER: &str = "<stream:features xmlns:stream='http://etherx.jabber.org/streams'>\
    <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm xmlns='urn:xmpp:sm:3'/></stream:features>";
pub const SUCCESS: &str = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
pub const ENABLED: &str = "<enabled xmlns='urn:xmpp:sm:3' id='1' resume='true'/>";
pub const CLOSE: &str = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";

pub fn bound(jid: &str) -> String {
    format!(
        "<iq xmlns='jabber:client' type='result' id='bind'>\
         <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{jid}</jid></bind></iq>"
    )
}

/// The user of a PLAIN message; the yardstick does not ask for the password.
pub fn user(auth: &str) -> Option<String> {
    let bytes = decode(between(auth, ">", "<")?.as_bytes())?;
    let user = bytes.split(|byte| *byte == 0).nth(1)?;
    String::from_utf8(user.to_vec()).ok()
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut out) = (0u32, 0, Vec::new());
    for byte in text.iter().filter(|byte| **byte != b'=') {
        bits = bits << 6 | DIGITS.iter().position(|digit| digit == byte)? as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(out)
}

pub fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let from = memmem::find(text.as_bytes(), start.as_bytes())? + start.len();
    let length = memmem::find(&text.as_bytes()[from..], end.as_bytes())?;
    text.get(from..from + length)
}

/// The value of ` to=`; what the load generator writes has it near the start.
pub fn to(stanza: &str) -> Option<&str> {
    let from = memmem::find(stanza.as_bytes(), b" to=")? + 5;
    let quote = *stanza.as_bytes().get(from - 1)?;
    let length = memchr::memchr(quote, &stanza.as_bytes()[from..])?;
    stanza.get(from..from + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_read_from_plain() {
        assert_eq!(
            user("<auth mechanism='PLAIN'>AHVzZXIwAHBhc3M=</auth>").unwrap(),
            "user0"
        );
    }

    #[test]
    fn the_addressee_is_found_in_either_quotes() {
        assert_eq!(
            to("<message xmlns='x' to='a@b/c' type='chat'/>"),
            Some("a@b/c")
        );
        assert_eq!(to("<message to=\"a@b/c\"/>"), Some("a@b/c"));
        assert_eq!(to("<presence/>"), None);
    }
}
