//! Frames of a client: good ones, and such as are nearly good.

use crate::input::Input;

/// What the client can put into its frames.
pub struct Known<'a> {
    /// The count of stanzas that it has read, as it would say it.
    pub honest_h: u32,
    /// A session that it had.
    pub previd: &'a str,
}

/// `\0juliet\0secret`
pub const AUTH: &str = r#"<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">AGp1bGlldABzZWNyZXQ=</auth>"#;
pub const OPEN: &str =
    r#"<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="example.org" version="1.0"/>"#;
pub const BIND: &str = r#"<iq xmlns="jabber:client" type="set" id="b"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>"#;
pub const ENABLE: &str = r#"<enable xmlns="urn:xmpp:sm:3" resume="true"/>"#;

#[rustfmt::skip]
const FIXED: &[&str] = &[
    OPEN,
    AUTH,
    BIND,
    ENABLE,
    r#"<r xmlns="urn:xmpp:sm:3"/>"#,
    r#"<message xmlns="jabber:client" to="romeo@example.net" type="chat"><body>hi</body></message>"#,
    r#"<message xmlns="jabber:client"/>"#,
    r#"<presence xmlns="jabber:client"/>"#,
    r#"<presence xmlns="jabber:client" to="romeo@example.net" type="subscribe"/>"#,
    r#"<presence xmlns="jabber:client" type="nonsense"/>"#,
    r#"<iq xmlns="jabber:client" type="get" id="p"><ping xmlns="urn:xmpp:ping"/></iq>"#,
    r#"<iq xmlns="jabber:client" type="result" id="p"/>"#,
    r#"<iq xmlns="jabber:client" type="get"/>"#,
    r#"<message xmlns="jabber:client" to="@@"/>"#,
    r#"<enable xmlns="urn:xmpp:sm:3"/>"#,
    r#"<enable xmlns="urn:xmpp:sm:3" resume="1" max="1"/>"#,
    r#"<inactive xmlns="urn:xmpp:csi:0"/>"#,
    r#"<active xmlns="urn:xmpp:csi:0"/>"#,
    r#"<close xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>"#,
    r#"<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="example.com" version="1.0"/>"#,
    r#"<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" version="0.9"/>"#,
    r#"<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN"/>"#,
    r#"<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">=</auth>"#,
    r#"<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="NONE">!</auth>"#,
    r#"<response xmlns="urn:ietf:params:xml:ns:xmpp-sasl">AGp1bGlldABzZWNyZXQ=</response>"#,
    r#"<response xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>"#,
    r#"<abort xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>"#,
    r#"<iq xmlns="jabber:client" type="set" id="b"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"><resource>taken</resource></bind></iq>"#,
    r#"<iq xmlns="jabber:client" type="get" id="b"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>"#,
    r#"<iq xmlns="jabber:client" type="set" id="r"><query xmlns="jabber:iq:register"><username>a</username></query></iq>"#,
    r#"<stream:error xmlns:stream="http://etherx.jabber.org/streams"><conflict xmlns="urn:ietf:params:xml:ns:xmpp-streams"/></stream:error>"#,
    r#"<c:message xmlns:c="jabber:client"/>"#,
    r#"<message xmlns="jabber:server"/>"#,
    r#"<r xmlns="urn:xmpp:sm:2"/>"#,
    " ",
    "",
];

const ANSWER: u8 = 0;
const RESUME: u8 = 1;

/// One of the frames above, or one that carries a count; sometimes with a place changed.
pub fn frame(input: &mut Input<'_>, known: &Known<'_>) -> String {
    let mut text = match input.below(4) {
        ANSWER => answer(h(input, known)),
        RESUME => resume(input, known),
        _ => {
            let which = usize::from(input.byte()) % FIXED.len();
            FIXED[which].to_owned()
        }
    };
    if input.once_in(16) {
        spoil(&mut text, input);
    }
    text
}

/// `<a/>` with a count.
pub fn answer(h: impl std::fmt::Display) -> String {
    format!(r#"<a xmlns="urn:xmpp:sm:3" h="{h}"/>"#)
}

/// `<resume/>` of a session.
pub fn resumption(previd: &str, h: impl std::fmt::Display) -> String {
    format!(r#"<resume xmlns="urn:xmpp:sm:3" previd="{previd}" h="{h}"/>"#)
}

fn resume(input: &mut Input<'_>, known: &Known<'_>) -> String {
    let h = h(input, known);
    let previd = if input.once_in(8) {
        "nobody's"
    } else {
        known.previd
    };
    resumption(previd, h)
}

/// A count: the true one, one near it, any, or none at all.
fn h(input: &mut Input<'_>, known: &Known<'_>) -> String {
    match input.below(8) {
        0..4 => known.honest_h.to_string(),
        4 | 5 => {
            let off = u32::from(input.byte()).wrapping_sub(128);
            known.honest_h.wrapping_add(off).to_string()
        }
        6 => input.word().to_string(),
        _ => ["", "-1", "x", "4294967296", "+1", "00"][usize::from(input.below(6))].to_owned(),
    }
}

/// Takes a few characters away and puts one in.
fn spoil(text: &mut String, input: &mut Input<'_>) {
    let from = text.floor_char_boundary(usize::from(input.short()) % (text.len() + 1));
    let to = text.floor_char_boundary((from + usize::from(input.below(8))).min(text.len()));
    let with = char::from(input.byte());
    text.replace_range(from..to, with.encode_utf8(&mut [0; 4]));
}
