//! Delay stamps (XEP-0203): when a stanza that comes late was sent.

use super::ByteString;
use crate::xml::escape_attribute;
use std::time::SystemTime;

/// The time as XEP-0082 writes it: UTC, milliseconds, `Z`.
pub fn stamp(at: SystemTime) -> String {
    let at = jiff::Timestamp::try_from(at).unwrap_or_default();
    format!("{at:.3}")
}

/// The stanza with `<delay/>` of `from` (a domain or an account) as its last child.
///
/// Only for messages and presences: an iq holds what its type allows and nothing else.
/// Cost: one copy of the text.
pub fn stamped(text: &str, from: &str, at: SystemTime) -> ByteString {
    let delay = format!(
        "<delay xmlns='urn:xmpp:delay' from='{}' stamp='{}'/>",
        escape_attribute(from),
        stamp(at)
    );
    let mut out = String::with_capacity(text.len() + delay.len() + 12);
    if let Some(open) = text.strip_suffix("/>") {
        let name = element_name(text);
        out.push_str(open);
        out.push('>');
        out.push_str(&delay);
        out.push_str("</");
        out.push_str(name);
        out.push('>');
    } else {
        let end_tag = text.rfind("</").unwrap_or(text.len());
        out.push_str(&text[..end_tag]);
        out.push_str(&delay);
        out.push_str(&text[end_tag..]);
    }
    out.into()
}

/// The name of the root element of a text that this server wrote.
fn element_name(text: &str) -> &str {
    let name = text.strip_prefix('<').unwrap_or(text);
    let end = name.find([' ', '/', '>']).unwrap_or(name.len());
    &name[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_stamp_is_utc_with_milliseconds() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_042);
        assert_eq!(stamp(at), "2023-11-14T22:13:20.042Z");
    }

    #[test]
    fn an_empty_element_is_opened_for_its_stamp() {
        let text = stamped(
            "<presence xmlns=\"jabber:client\"/>",
            "example.org",
            SystemTime::UNIX_EPOCH,
        );
        assert_eq!(
            text,
            "<presence xmlns=\"jabber:client\"><delay xmlns='urn:xmpp:delay' from='example.org' \
             stamp='1970-01-01T00:00:00.000Z'/></presence>"
        );
    }

    #[test]
    fn the_stamp_is_the_last_child() {
        let text = stamped(
            "<message><body>a</body></message>",
            "example.org",
            SystemTime::UNIX_EPOCH,
        );
        assert!(text.starts_with("<message><body>a</body><delay "), "{text}");
        assert!(text.ends_with("'/></message>"), "{text}");
    }
}
