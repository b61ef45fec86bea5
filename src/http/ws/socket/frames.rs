//! Messages out of bytes and frames out of messages (RFC 6455 §5), without a connection.

use super::buffers::Inbox;
use super::{Incoming, SocketError};
use std::io::Cursor;
use std::ops::Range;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// The longest payload of a control frame (RFC 6455 §5.5).
const MAX_CONTROL_BYTES: u64 = 125;

/// The longest header there is (RFC 6455 §5.2).
const MAX_HEADER_BYTES: usize = 14;

/// What a client sent, put together.
#[derive(Debug)]
pub(super) struct FrameReader {
    /// The longest message that is accepted.
    max_message_bytes: usize,
    fragments: Option<Box<Fragments>>,
    /// A message that was put together of fragments; gone with the next step.
    message: Option<Box<Fragments>>,
}

/// The beginning of a message (RFC 6455 §5.4).
#[derive(Debug)]
struct Fragments {
    kind: Data,
    bytes: Vec<u8>,
}

/// A whole thing that came, and where its payload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Text(Payload),
    Binary,
    Ping(Range<usize>),
    Pong,
    Close(Range<usize>),
    /// A part of a message, which was put aside.
    Fragment,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Payload {
    /// In one frame: where it stands in the inbox.
    InPlace(Range<usize>),
    /// In several: with the reader.
    Assembled,
}

/// What came of a look at the inbox.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Found(Found),
    /// A fragment was put aside.
    Fragment,
    /// So many unread bytes there must be before the next look.
    Needs(usize),
}

impl FrameReader {
    pub fn new(max_message_bytes: usize) -> Self {
        Self {
            max_message_bytes,
            fragments: None,
            message: None,
        }
    }

    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        let both = [&self.fragments, &self.message].into_iter().flatten();
        both.map(|fragments| fragments.bytes.capacity()).sum()
    }

    /// A message that was read is not kept while the task sleeps.
    pub fn rest(&mut self) {
        self.message = None;
    }

    /// Another limit from the next frame on.
    pub fn set_max_message_bytes(&mut self, bytes: usize) {
        self.max_message_bytes = bytes;
    }

    /// The next step through what is unread.
    pub fn step(&mut self, inbox: &mut Inbox) -> Result<Step, SocketError> {
        self.message = None;
        let unread = inbox.unread();
        let mut cursor = Cursor::new(&*unread);
        let parsed = FrameHeader::parse(&mut cursor).map_err(fault_of)?;
        let Some((header, payload_bytes)) = parsed else {
            return Ok(Step::Needs(MAX_HEADER_BYTES.min(unread.len() + 1)));
        };
        let header_bytes = cursor.position() as usize;
        let mask = self.check(&header, payload_bytes)?;
        let payload_bytes = usize::try_from(payload_bytes).map_err(|_| SocketError::TooLarge)?;
        let needed_bytes = header_bytes.checked_add(payload_bytes);
        let needed_bytes = needed_bytes.ok_or(SocketError::TooLarge)?;
        let Some(payload) = unread.get_mut(header_bytes..needed_bytes) else {
            return Ok(Step::Needs(needed_bytes));
        };
        unmask(payload, mask);
        inbox.consume(header_bytes);
        let place = inbox.consume(payload_bytes);
        Ok(self.on_frame(&header, place, inbox))
    }

    /// Refuses a frame from its header alone. Returns its mask.
    fn check(&self, header: &FrameHeader, payload_bytes: u64) -> Result<[u8; 4], SocketError> {
        const BROKEN: SocketError = SocketError::Protocol(CloseCode::Protocol);
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(BROKEN); // §5.2: no extension gives them a meaning
        }
        let before_bytes = match (header.opcode, &self.fragments) {
            (OpCode::Control(_), _) => {
                let is_short = payload_bytes <= MAX_CONTROL_BYTES;
                if !header.is_final || !is_short {
                    return Err(BROKEN); // §5.5
                }
                0
            }
            (OpCode::Data(Data::Continue), Some(fragments)) => fragments.bytes.len(),
            (OpCode::Data(Data::Text | Data::Binary), None) => 0,
            (OpCode::Data(_), _) => return Err(BROKEN), // §5.4
        };
        let message_bytes = payload_bytes.saturating_add(before_bytes as u64);
        if message_bytes > self.max_message_bytes as u64 && matches!(header.opcode, OpCode::Data(_))
        {
            return Err(SocketError::TooLarge); // §10.4
        }
        header.mask.ok_or(BROKEN) // §5.1
    }

    /// A frame whose payload is at `place`.
    fn on_frame(&mut self, header: &FrameHeader, place: Range<usize>, inbox: &Inbox) -> Step {
        match header.opcode {
            OpCode::Control(Control::Ping) => Step::Found(Found::Ping(place)),
            OpCode::Control(Control::Pong) => Step::Found(Found::Pong),
            OpCode::Control(_) => Step::Found(Found::Close(place)),
            OpCode::Data(Data::Text) if header.is_final => {
                Step::Found(Found::Text(Payload::InPlace(place)))
            }
            OpCode::Data(Data::Binary) if header.is_final => Step::Found(Found::Binary),
            OpCode::Data(kind) => self.on_fragment(kind, header.is_final, inbox.at(place)),
        }
    }

    fn on_fragment(&mut self, kind: Data, is_final: bool, payload: &[u8]) -> Step {
        let fragments = self.fragments.get_or_insert_with(|| {
            Box::new(Fragments {
                kind,
                bytes: Vec::new(),
            })
        });
        fragments.bytes.extend_from_slice(payload);
        if !is_final {
            return Step::Fragment;
        }
        let is_text = fragments.kind == Data::Text;
        self.message = self.fragments.take();
        Step::Found(match is_text {
            true => Found::Text(Payload::Assembled),
            false => Found::Binary,
        })
    }

    /// The text that [`FrameReader::step`] found.
    pub fn text<'a>(
        &'a self,
        payload: &Payload,
        inbox: &'a Inbox,
    ) -> Result<Incoming<'a>, SocketError> {
        let bytes = match payload {
            Payload::InPlace(place) => inbox.at(place.clone()),
            Payload::Assembled => self
                .message
                .as_ref()
                .map_or(&[][..], |message| &message.bytes),
        };
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Incoming::Text(text)),
            Err(_) => Err(SocketError::Protocol(CloseCode::Invalid)), // §8.1
        }
    }
}

fn fault_of(error: Error) -> SocketError {
    match error {
        Error::Protocol(_) => SocketError::Protocol(CloseCode::Protocol), // a reserved opcode
        _ => SocketError::Lost,
    }
}

/// RFC 6455 §5.3.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    const WIDE: usize = 32;
    let mut wide_mask = [0; WIDE];
    for (byte, mask) in wide_mask.iter_mut().zip(mask.iter().cycle()) {
        *byte = *mask;
    }
    let mut chunks = payload.chunks_exact_mut(WIDE);
    for chunk in &mut chunks {
        for (byte, mask) in chunk.iter_mut().zip(wide_mask) {
            *byte ^= mask;
        }
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(wide_mask) {
        *byte ^= mask;
    }
}

/// The code that answers a Close frame with this payload (RFC 6455 §5.5.1, §7.4): its own, or what
/// is wrong with it.
pub(super) fn answer_to_close(payload: &[u8]) -> Result<Option<CloseCode>, SocketError> {
    const BROKEN: SocketError = SocketError::Protocol(CloseCode::Protocol);
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() {
            Ok(None)
        } else {
            Err(BROKEN)
        };
    };
    if std::str::from_utf8(reason).is_err() {
        return Err(SocketError::Protocol(CloseCode::Invalid));
    }
    let code = CloseCode::from(u16::from_be_bytes(*code));
    Ok(Some(match code.is_allowed() {
        true => code,
        false => CloseCode::Protocol,
    }))
}

/// Appends one frame of a server, which has no mask (RFC 6455 §5.1).
pub(super) fn write_frame(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8]) {
    let header = FrameHeader {
        opcode,
        ..FrameHeader::default()
    };
    // Writing into memory does not fail.
    let _ = header.format(payload.len() as u64, out);
    out.extend_from_slice(payload);
}
