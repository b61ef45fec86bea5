//! The `<body/>` that goes to the client.

use std::sync::Arc;

use bytes::Bytes;

use super::body::{Body, Version};
use super::condition::Condition;
use super::options::Terms;
use crate::xml::escape_attribute;

pub(super) const NS_HTTPBIND: &str = "http://jabber.org/protocol/httpbind";
pub(super) const NS_XBOSH: &str = "urn:xmpp:xbosh";
pub(super) const NS_CLIENT: &str = "jabber:client";
const NS_STREAMS: &str = "http://etherx.jabber.org/streams";

/// The BOSH version that is spoken here.
const OUR_VERSION: Version = Version {
    major: 1,
    minor: 11,
};

/// An HTTP 200 answer with a `<body/>` in it.
///
/// Errors of the binding are answers too (XEP-0124 §17.2). The HTTP codes 400, 403 and 404 that §17.1
/// keeps for clients from before 2007 are not used: a client could not tell ours from a proxy's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The whole `<body/>`, UTF-8. Clones share it, so a repeated answer is the same to the byte.
    pub body: Bytes,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
}

impl Response {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }
}

/// The answer that refuses a request for which there is no session: an unknown `sid`, an unknown
/// host, a body that could not be read.
pub fn refusal(condition: Condition) -> Response {
    let body = Writer::new().terminate(Some(condition)).finish([]);
    Response {
        body,
        content_type: TEXT_XML,
    }
}

/// What a client gets that names no `content` (XEP-0124 §7.1).
pub(super) const TEXT_XML: &str = "text/xml; charset=utf-8";

/// The `Content-Type` for a client that asked for `content`.
///
/// Only types that a browser does not run as a page, and never the client's own words: those could
/// break out of the header (B-03, B-20).
pub(super) fn content_type(asked: Option<&str>) -> &'static str {
    let essence = asked
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if essence.eq_ignore_ascii_case("application/xml") {
        "application/xml; charset=utf-8"
    } else {
        TEXT_XML
    }
}

/// Writes one `<body/>`: attributes first, then the frames.
#[derive(Debug)]
pub(super) struct Writer {
    text: String,
    declares_stream: bool,
}

impl Writer {
    pub fn new() -> Self {
        let text = format!("<body xmlns='{NS_HTTPBIND}'");
        Self {
            text,
            declares_stream: false,
        }
    }

    pub fn attribute(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.text.push(' ');
        self.text.push_str(name);
        self.text.push_str("='");
        // B-21: what a client supplied comes back as the value it was.
        self.text.push_str(&escape_attribute(&value.to_string()));
        self.text.push('\'');
        self
    }

    pub fn terminate(self, condition: Option<Condition>) -> Self {
        let this = self.attribute("type", "terminate");
        match condition {
            Some(condition) => this.attribute("condition", condition.as_str()),
            None => this,
        }
    }

    /// The attributes of a creation answer (XEP-0124 §7.2, XEP-0206 §4).
    pub fn creation(self, sid: &str, from: &str, request: &Body, terms: &Terms) -> Self {
        let version = request
            .ver
            .map_or(OUR_VERSION, |theirs| theirs.min(OUR_VERSION));
        let mut this = self
            .attribute("sid", sid)
            .attribute("wait", terms.wait.as_secs())
            .attribute("requests", terms.requests)
            .attribute("hold", terms.hold)
            .attribute("inactivity", terms.inactivity.as_secs())
            .attribute("ver", version)
            .attribute("from", from);
        if !terms.polling.is_zero() {
            this = this.attribute("polling", terms.polling.as_secs());
        }
        if !terms.max_pause.is_zero() {
            this = this.attribute("maxpause", terms.max_pause.as_secs());
        }
        if terms.acks {
            this = this.attribute("ack", request.rid); // §9.1
        }
        this.attribute("xmlns:xmpp", NS_XBOSH)
            .attribute("xmpp:version", "1.0")
            .attribute("xmpp:restartlogic", "true")
            .declare_stream()
    }

    pub fn finish<'f>(mut self, frames: impl IntoIterator<Item = &'f Arc<str>>) -> Bytes {
        let frames: Vec<_> = frames.into_iter().collect();
        // XEP-0206 §2: a body with <stream:features/> or <stream:error/> MUST declare the prefix.
        if frames.iter().any(|frame| frame.starts_with("<stream:")) {
            self = self.declare_stream();
        }
        if frames.is_empty() {
            self.text.push_str("/>");
            return self.text.into();
        }
        self.text
            .reserve(frames.iter().map(|frame| frame.len()).sum::<usize>() + 8);
        self.text.push('>');
        frames.iter().for_each(|frame| self.text.push_str(frame));
        self.text.push_str("</body>");
        self.text.into()
    }

    fn declare_stream(mut self) -> Self {
        if !std::mem::replace(&mut self.declares_stream, true) {
            self = self.attribute("xmlns:stream", NS_STREAMS);
        }
        self
    }
}
