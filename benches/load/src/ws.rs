//! The client's side of RFC 6455 framing, as much of it as measuring needs.
//!
//! The mask is always zero: the protocol lets a client choose any, a server unmasks all the same,
//! and the generator spares the machine that it shares with the server one pass over each frame.

use std::ops::Range;

use anyhow::{Result, bail};

/// What a server may send in one message; more is a fault.
const LONGEST: usize = 1 << 20;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

pub fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    write_frame(out, TEXT, text);
}

pub fn write_pong(out: &mut Vec<u8>, payload: &[u8]) {
    write_frame(out, PONG, payload);
}

pub fn write_close(out: &mut Vec<u8>) {
    write_frame(out, CLOSE, &1000u16.to_be_bytes());
}

fn write_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    const FIN: u8 = 0x80;
    const MASKED: u8 = 0x80;
    out.push(FIN | opcode);
    match payload.len() {
        n @ 0..=125 => out.push(MASKED | n as u8),
        n @ 126..=65_535 => {
            out.push(MASKED | 126);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            out.push(MASKED | 127);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// Bytes that came, and how far they are read.
#[derive(Default)]
pub struct Input {
    pub bytes: Vec<u8>,
    at: usize,
    /// The beginning of a message that comes in several frames.
    parts: Vec<u8>,
}

#[derive(Debug, PartialEq)]
pub enum Frame {
    /// Where the text lies in `Input::bytes`; good until more bytes are put in.
    Text(Range<usize>),
    Ping(Range<usize>),
    Close,
}

struct Head {
    fin: bool,
    opcode: u8,
    payload: Range<usize>,
}

impl Input {
    pub fn put(&mut self, bytes: &[u8]) {
        if self.at == self.bytes.len() {
            self.bytes.clear();
        } else if self.at > 0 {
            self.bytes.drain(..self.at);
        }
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// What is not read yet, for the HTTP answer before the first frame.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    pub fn skip(&mut self, count: usize) {
        self.at += count;
    }

    /// Gives the buffer back, so that 50,000 idle connections cost the generator little.
    pub fn park(&mut self) {
        if self.is_empty() {
            self.bytes = Vec::new();
            self.at = 0;
        }
    }

    pub fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            let Some(head) = self.head()? else {
                return Ok(None);
            };
            self.at = head.payload.end;
            match head.opcode {
                CLOSE => return Ok(Some(Frame::Close)),
                PING => return Ok(Some(Frame::Ping(head.payload))),
                PONG => {}
                0 | TEXT if head.fin && self.parts.is_empty() => {
                    return Ok(Some(Frame::Text(head.payload)));
                }
                0 | TEXT => {
                    self.parts
                        .extend_from_slice(&self.bytes[head.payload.clone()]);
                    if head.fin {
                        return Ok(Some(Frame::Text(self.join(head.payload.end))));
                    }
                }
                other => bail!("a frame of kind {other}"),
            }
        }
    }

    /// Puts a message of several frames where its last frame stood.
    fn join(&mut self, end: usize) -> Range<usize> {
        let whole = std::mem::take(&mut self.parts);
        let length = whole.len();
        self.bytes.splice(..end, whole);
        self.at = length;
        0..length
    }

    fn head(&self) -> Result<Option<Head>> {
        let rest = self.rest();
        let [first, second, ..] = *rest else {
            return Ok(None);
        };
        if second & 0x80 != 0 || first & 0x70 != 0 {
            bail!("a frame that is masked, or with bits that nobody asked for");
        }
        let (length, size) = match second {
            126 if rest.len() < 4 => return Ok(None),
            126 => (usize::from(u16::from_be_bytes([rest[2], rest[3]])), 4),
            127 if rest.len() < 10 => return Ok(None),
            127 => (u64::from_be_bytes(rest[2..10].try_into()?) as usize, 10),
            n => (usize::from(n), 2),
        };
        if length > LONGEST {
            bail!("a frame of {length} bytes");
        }
        if rest.len() < size + length {
            return Ok(None);
        }
        let start = self.at + size;
        Ok(Some(Head {
            fin: first & 0x80 != 0,
            opcode: first & 0x0f,
            payload: start..start + length,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_frame(&mut out, first & 0x0f, payload);
        // What a server sends is not masked.
        out[0] = first;
        out[1] &= 0x7f;
        let mask = out.len() - payload.len() - 4;
        out.drain(mask..mask + 4);
        out
    }

    fn text(input: &mut Input) -> Option<Vec<u8>> {
        match input.next().unwrap()? {
            Frame::Text(range) => Some(input.bytes[range].to_vec()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn frames_of_every_length_are_read_back_byte_by_byte() {
        for length in [0, 1, 125, 126, 300, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut input = Input::default();
            let frame = server_frame(0x81, &payload);
            let (last, before) = frame.split_last().unwrap();
            let step = if length > 1000 { 1000 } else { 1 };
            for chunk in before.chunks(step) {
                input.put(chunk);
                assert_eq!(input.next().unwrap(), None);
            }
            input.put(&[*last]);
            assert_eq!(text(&mut input).unwrap(), payload);
            assert!(input.is_empty());
        }
    }

    #[test]
    fn a_client_frame_is_masked_with_zero() {
        let mut out = Vec::new();
        write_text(&mut out, b"<r/>");
        assert_eq!(out, b"\x81\x84\0\0\0\0<r/>");
    }

    #[test]
    fn two_frames_in_one_read_are_two() {
        let mut input = Input::default();
        let mut both = server_frame(0x81, b"one");
        both.extend(server_frame(0x81, b"two"));
        input.put(&both);
        assert_eq!(text(&mut input).unwrap(), b"one");
        assert_eq!(text(&mut input).unwrap(), b"two");
        assert_eq!(text(&mut input), None);
    }

    #[test]
    fn a_message_in_fragments_is_joined_across_a_ping() {
        let mut input = Input::default();
        let mut bytes = server_frame(0x01, b"<mess");
        bytes.extend(server_frame(0x89, b"p"));
        bytes.extend(server_frame(0x80, b"age/>"));
        bytes.extend(server_frame(0x81, b"next"));
        input.put(&bytes);
        assert!(matches!(input.next().unwrap(), Some(Frame::Ping(_))));
        assert_eq!(text(&mut input).unwrap(), b"<message/>");
        assert_eq!(text(&mut input).unwrap(), b"next");
    }

    #[test]
    fn a_close_and_a_frame_that_is_too_long_are_told() {
        let mut input = Input::default();
        input.put(&server_frame(0x88, &[3, 232]));
        assert_eq!(input.next().unwrap(), Some(Frame::Close));
        input.put(b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff");
        assert!(input.next().is_err());
    }
}
