//! The client's side of a WebSocket (RFC 6455), as little as a client needs.

use super::network::{Cable, End};
use super::wire::Heard;
use crate::xml::Element;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const OPEN: &str =
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' version='1.0'/>";

pub(super) struct WebSocket {
    end: End,
    pub cable: Cable,
    unread: Vec<u8>,
    unwritten: Vec<u8>,
}

/// RFC 6455 §5.2: opcodes with FIN.
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

impl WebSocket {
    pub fn new(end: End, cable: Cable) -> Self {
        Self {
            end,
            cable,
            unread: Vec::new(),
            unwritten: Vec::new(),
        }
    }

    pub fn open(&mut self) {
        self.say(OPEN);
    }

    pub fn say(&mut self, text: &str) {
        self.frame(TEXT, text.as_bytes());
    }

    /// Masked by zero, which changes nothing.
    fn frame(&mut self, opcode: u8, payload: &[u8]) {
        const MASKED: u8 = 0x80;
        self.unwritten.push(opcode);
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(short @ ..=125), _) => self.unwritten.push(MASKED | short),
            (_, Ok(medium)) => {
                self.unwritten.push(MASKED | 126);
                self.unwritten.extend(medium.to_be_bytes());
            }
            _ => {
                self.unwritten.push(MASKED | 127);
                self.unwritten.extend((payload.len() as u64).to_be_bytes());
            }
        }
        self.unwritten.extend([0; 4]);
        self.unwritten.extend(payload);
    }

    pub fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        while !self.unwritten.is_empty() {
            let written = ready!(Pin::new(&mut self.end).poll_write(cx, &self.unwritten))?;
            self.unwritten.drain(..written);
        }
        Poll::Ready(Ok(()))
    }

    pub fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        loop {
            if let Poll::Ready(Err(_)) = self.poll_write(cx) {
                // What came before the end is still read.
                self.unwritten.clear();
            }
            while let Some((opcode, payload)) = self.take_frame() {
                match opcode {
                    TEXT => {
                        let text = String::from_utf8(payload).expect("text is UTF-8");
                        let element = Element::parse(&text).expect("a frame is an element");
                        return Poll::Ready(Heard::Element(element));
                    }
                    PING => self.frame(PONG, &payload),
                    CLOSE => return Poll::Ready(Heard::Lost),
                    _ => {}
                }
            }
            let mut bytes = [0; 2048];
            let mut buffer = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.end).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.unread.extend(buffer.filled()),
                _ => return Poll::Ready(Heard::Lost),
            }
        }
    }

    /// A whole frame, if one is there; the server's are not masked.
    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (&opcode, &length) = (self.unread.first()?, self.unread.get(1)?);
        let (header, length) = match length {
            126 => (4, self.unread.get(2..4)?.iter().fold(0, in_network_order)),
            127 => (10, self.unread.get(2..10)?.iter().fold(0, in_network_order)),
            short => (2, usize::from(short)),
        };
        let payload = self.unread.get(header..header + length)?.to_vec();
        self.unread.drain(..header + length);
        Some((opcode, payload))
    }
}

fn in_network_order(number: usize, byte: &u8) -> usize {
    number << 8 | usize::from(*byte)
}
