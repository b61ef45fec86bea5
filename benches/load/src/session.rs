//! A session: stanzas in and out with stream management (XEP-0198) around them.

use std::ops::Range;

use anyhow::{Result, bail};

use crate::link::Link;
use crate::ws::{self, Frame};

pub const SM: &str = "urn:xmpp:sm:3";

pub struct Session {
    pub link: Link,
    pub jid: String,
    pub sm: Option<Sm>,
    /// After how many sent stanzas the server is asked for an ack; 0 never asks.
    pub ack_every: u32,
}

#[derive(Default, Clone)]
pub struct Sm {
    /// What came since `<enabled/>`, for the server's requests.
    pub handled: u32,
    pub sent: u32,
    pub acked: u32,
    pub unasked: u32,
    pub previd: Option<String>,
}

pub enum Event {
    Stanza(Range<usize>),
    Acked,
    Closed,
}

impl Session {
    pub fn text(&self, range: Range<usize>) -> &[u8] {
        &self.link.input.bytes[range]
    }

    pub fn send(&mut self, stanza: &[u8]) {
        ws::write_text(&mut self.link.output, stanza);
        let Some(sm) = &mut self.sm else { return };
        sm.sent = sm.sent.wrapping_add(1);
        sm.unasked += 1;
        if sm.unasked == self.ack_every {
            sm.unasked = 0;
            ws::write_text(&mut self.link.output, b"<r xmlns='urn:xmpp:sm:3'/>");
        }
    }

    /// What came next, as far as it is already here. Requests for acks are answered on the way.
    pub fn next(&mut self) -> Result<Option<Event>> {
        loop {
            let range = match self.link.next()? {
                Some(Frame::Text(range)) => range,
                Some(_) => return Ok(Some(Event::Closed)),
                None => return Ok(None),
            };
            match kind(&self.link.input.bytes[range.clone()]) {
                Kind::Stanza => {
                    if let Some(sm) = &mut self.sm {
                        sm.handled = sm.handled.wrapping_add(1);
                    }
                    return Ok(Some(Event::Stanza(range)));
                }
                Kind::Request => self.answer(),
                Kind::Ack => {
                    let h = crate::scan::attribute(&self.link.input.bytes[range], "h");
                    let h = h.and_then(|h| h.parse().ok());
                    if let (Some(sm), Some(h)) = (&mut self.sm, h) {
                        sm.acked = h;
                        return Ok(Some(Event::Acked));
                    }
                }
                Kind::Close => return Ok(Some(Event::Closed)),
                Kind::Error => {
                    bail!("{}", String::from_utf8_lossy(&self.link.input.bytes[range]))
                }
                Kind::Other => {}
            }
        }
    }

    /// Each request has its answer, even where one would do for several: all servers pay the same.
    fn answer(&mut self) {
        use std::io::Write;
        let Some(sm) = &self.sm else { return };
        let mut text = [0u8; 64];
        let mut rest = &mut text[..];
        let _ = write!(rest, "<a xmlns='{SM}' h='{}'/>", sm.handled);
        let length = 64 - rest.len();
        ws::write_text(&mut self.link.output, &text[..length]);
    }

    /// Waits until fewer than so many sent stanzas wait for an ack.
    pub async fn unacked_below(&mut self, bound: u32) -> Result<()> {
        let unacked = |it: &Self| {
            it.sm
                .as_ref()
                .map_or(0, |sm| sm.sent.wrapping_sub(sm.acked))
        };
        if unacked(self) < bound {
            return Ok(());
        }
        ws::write_text(&mut self.link.output, b"<r xmlns='urn:xmpp:sm:3'/>");
        while unacked(self) >= bound {
            self.link.flush().await?;
            if !self.link.fill().await? {
                bail!("the end while an ack was waited for");
            }
            while let Some(event) = self.next()? {
                match event {
                    Event::Stanza(range)
                        if crate::scan::has(self.text(range.clone()), "<error") =>
                    {
                        bail!("{}", String::from_utf8_lossy(self.text(range)))
                    }
                    Event::Closed => bail!("closed while an ack was waited for"),
                    Event::Stanza(_) | Event::Acked => {}
                }
            }
        }
        self.link.flush().await
    }

    /// Leaves as a client should, and waits for the server to agree, for a second.
    pub async fn leave(mut self) -> Result<()> {
        let close = b"<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";
        ws::write_text(&mut self.link.output, close);
        self.link.flush().await?;
        let end = async {
            loop {
                while let Some(event) = self.next()? {
                    if let Event::Closed = event {
                        ws::write_close(&mut self.link.output);
                        return self.link.flush().await;
                    }
                }
                if !self.link.fill().await? {
                    return Ok(());
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(1), end)
            .await
            .unwrap_or(Ok(()))
    }
}

enum Kind {
    Stanza,
    Request,
    Ack,
    Close,
    Error,
    Other,
}

/// By the name of the element; no server measured here puts a prefix before those of the client.
fn kind(text: &[u8]) -> Kind {
    let Some(name) = text.trim_ascii_start().strip_prefix(b"<") else {
        return Kind::Other;
    };
    let end = name.iter().position(|byte| b" />\t\r\n".contains(byte));
    match &name[..end.unwrap_or(name.len())] {
        b"message" | b"presence" | b"iq" => Kind::Stanza,
        b"r" => Kind::Request,
        b"a" => Kind::Ack,
        b"close" => Kind::Close,
        b"stream:error" | b"error" | b"failed" => Kind::Error,
        _ => Kind::Other,
    }
}
