//! The elements that a stream writes, byte for byte as shipped clients read them.

use super::{Framing, StreamFault, StreamOptions};
use crate::auth::{Offer, SaslFailure};
use crate::stanza::address::FullJid;
use crate::stanza::{ByteString, StanzaError};
use crate::xml::{escape_attribute, escape_text};
use std::time::Duration;

/// `<close/>` of RFC 7395 §3.6. Strophe knows a close by these bytes and no others.
pub const CLOSE: &str = r#"<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />"#;

/// `<close/>` with the address of another endpoint (RFC 7395 §3.6.1).
pub fn close_to(uri: &str) -> ByteString {
    format!(
        r#"<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" see-other-uri="{}" />"#,
        escape_attribute(uri)
    )
    .into()
}

/// `<r/>` (XEP-0198 §4).
pub(super) const ACK_REQUEST: &str = r#"<r xmlns="urn:xmpp:sm:3"/>"#;

/// `<open/>` (RFC 7395 §3.4). Strophe wants the first frame to begin with `<open `.
pub fn open(from: &str, id: &str) -> ByteString {
    format!(
        r#"<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" from="{}" id="{id}" version="1.0" xml:lang="en"/>"#,
        escape_attribute(from)
    )
    .into()
}

pub(super) fn features_before_auth(
    options: &StreamOptions,
    offer: &Offer,
    framing: Framing,
) -> String {
    let mut inner = String::from(r#"<mechanisms xmlns="urn:ietf:params:xml:ns:xmpp-sasl">"#);
    for mechanism in offer.mechanisms() {
        inner.push_str(&format!("<mechanism>{}</mechanism>", mechanism.name()));
    }
    inner.push_str("</mechanisms>");
    if !offer.binding_types().is_empty() {
        inner.push_str(r#"<sasl-channel-binding xmlns="urn:xmpp:sasl-cb:0">"#); // XEP-0440 §2
        for kind in offer.binding_types() {
            inner.push_str(&format!(r#"<channel-binding type="{}"/>"#, kind.name()));
        }
        inner.push_str("</sasl-channel-binding>");
    }
    if options.registration {
        inner.push_str(r#"<register xmlns="http://jabber.org/features/iq-register"/>"#); // XEP-0077 §8
    }
    inner.push_str(&limits(
        options,
        options.max_stanza_bytes_before_auth,
        framing,
    ));
    features(&inner)
}

/// No `<session/>`: Strophe would spend a round trip on it even if it is optional.
pub(super) fn features_after_auth(options: &StreamOptions, framing: Framing) -> String {
    let mut inner = String::from(r#"<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/>"#);
    if options.sm.enabled {
        inner.push_str(r#"<sm xmlns="urn:xmpp:sm:3"/>"#);
    }
    inner.push_str(r#"<ver xmlns="urn:xmpp:features:rosterver"/>"#); // RFC 6121 §2.6.1
    inner.push_str(r#"<sub xmlns="urn:xmpp:features:pre-approval"/>"#); // RFC 6121 §3.4
    inner.push_str(r#"<csi xmlns="urn:xmpp:csi:0"/>"#); // XEP-0352 §4.1
    inner.push_str(&limits(options, options.max_stanza_bytes, framing));
    features(&inner)
}

/// XEP-0478. A client that answers WebSocket pings is never idle, and one that keeps a BOSH request
/// open is not either; over BOSH the number is that of `inactivity` (XEP-0124 §10).
fn limits(options: &StreamOptions, max_bytes: usize, framing: Framing) -> String {
    let idle = match framing {
        Framing::WebSocket => options.ws_idle_timeout.as_secs(),
        Framing::Bosh => options.bosh_inactivity.as_secs(),
    };
    let idle = match idle {
        0 => String::new(),
        seconds => format!("<idle-seconds>{seconds}</idle-seconds>"),
    };
    format!(
        r#"<limits xmlns="urn:xmpp:stream-limits:0"><max-bytes>{max_bytes}</max-bytes>{idle}</limits>"#
    )
}

/// RFC 7395 §3.3.3: a message of its own, with every prefix declared.
fn features(inner: &str) -> String {
    format!(
        r#"<stream:features xmlns:stream="http://etherx.jabber.org/streams">{inner}</stream:features>"#
    )
}

pub(super) fn sasl(element: &str, data: &str) -> String {
    const NS: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
    if data.is_empty() {
        format!(r#"<{element} xmlns="{NS}"/>"#)
    } else {
        format!(r#"<{element} xmlns="{NS}">{data}</{element}>"#)
    }
}

pub(super) fn sasl_failure(failure: &SaslFailure) -> String {
    sasl("failure", &format!("<{}/>", failure.condition()))
}

pub(super) fn bind_result(id: &str, jid: &FullJid) -> String {
    format!(
        r#"<iq xmlns="jabber:client" type="result" id="{}"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"><jid>{}</jid></bind></iq>"#,
        escape_attribute(id),
        escape_text(jid.as_str())
    )
}

pub(super) fn bind_error(id: &str, error: &StanzaError) -> String {
    format!(
        r#"<iq xmlns="jabber:client" type="error" id="{}">{}</iq>"#,
        escape_attribute(id),
        error.to_xml()
    )
}

/// `resume`: the id of the session and for how long it would hibernate.
pub(super) fn enabled(resume: Option<(&str, Duration)>) -> String {
    match resume {
        None => r#"<enabled xmlns="urn:xmpp:sm:3"/>"#.to_owned(),
        Some((id, max)) => format!(
            r#"<enabled xmlns="urn:xmpp:sm:3" id="{}" resume="true" max="{}"/>"#,
            escape_attribute(id),
            max.as_secs()
        ),
    }
}

pub(super) fn resumed(previd: &str, h: u32) -> ByteString {
    let previd = escape_attribute(previd);
    format!(r#"<resumed xmlns="urn:xmpp:sm:3" previd="{previd}" h="{h}"/>"#).into()
}

pub(super) fn ack(h: u32) -> ByteString {
    format!(r#"<a xmlns="urn:xmpp:sm:3" h="{h}"/>"#).into()
}

/// XEP-0198 §3, §5: the condition is that of a stanza error.
pub(super) fn sm_failed(condition: &str, h: Option<u32>) -> String {
    let h = h.map(|h| format!(r#" h="{h}""#)).unwrap_or_default();
    format!(
        r#"<failed xmlns="urn:xmpp:sm:3"{h}><{condition} xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></failed>"#
    )
}

/// RFC 6120 §4.9.2, standing alone.
pub(super) fn stream_error(fault: &StreamFault) -> ByteString {
    const NS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
    let condition = fault.condition().as_str();
    let text = escape_text(&fault.to_string()).into_owned();
    let more = match fault {
        // XEP-0198 §6
        StreamFault::HandledCountTooHigh(count) => format!(
            r#"<handled-count-too-high xmlns="urn:xmpp:sm:3" h="{}" send-count="{}"/>"#,
            count.h, count.sent
        ),
        _ => String::new(),
    };
    format!(
        r#"<stream:error xmlns:stream="http://etherx.jabber.org/streams"><{condition} xmlns="{NS}"/><text xmlns="{NS}" xml:lang="en">{text}</text>{more}</stream:error>"#
    )
    .into()
}
