//! What goes into a stream and what comes out of it.

use super::sent::Sent;
use super::{Copies, Receipt, Sm, StreamFault};
use crate::auth::{Mechanism, SaslFailure};
use crate::budget::Charge;
use crate::stanza::address::{BareJid, FullJid};
use crate::stanza::{ByteString, Kind, Stanza, StanzaError};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A stanza on its way to a client.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// The element, standing alone, as it goes to the client.
    pub text: ByteString,
    /// What a transcoder has made of it: this goes to the client in its place, each time it does.
    /// In a box, since hardly any stanza has one.
    pub wire: Option<Box<ByteString>>,
    /// What it is.
    pub kind: Kind,
    /// When this server got or made it: the stamp, if it comes late.
    pub at: SystemTime,
    /// The other sessions that it goes to.
    pub copies: Copies,
    /// Who wants to know when the client has it.
    pub receipt: Receipt,
    /// Its number in the mailbox of the session; 0 before it was there.
    pub number: u64,
    /// When it was last sent, where that is to be known.
    pub(super) sent: Sent,
    /// What it takes of `limits.memory`, from the mailbox on until it is gone.
    pub charge: Charge,
}

impl Outbound {
    /// A stanza for one session alone.
    pub fn new(text: ByteString, kind: Kind, at: SystemTime) -> Self {
        Self {
            text,
            wire: None,
            kind,
            at,
            copies: Copies::default(),
            receipt: Receipt::default(),
            number: 0,
            sent: Sent::default(),
            charge: Charge::default(),
        }
    }

    /// How many bytes are kept of it.
    pub fn size_bytes(&self) -> usize {
        self.text.len() + self.wire.as_ref().map_or(0, |wire| wire.len())
    }
}

/// How elements are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One element per message, `<open/>` and `<close/>` (RFC 7395).
    WebSocket,
    /// Inside `<body/>`; opened by [`on_open`](super::Stream::on_open), closed by [`on_close`](super::Stream::on_close) (XEP-0206).
    Bosh,
}

/// What the client wants when it opens or restarts a stream.
#[derive(Debug, Clone, Default)]
pub struct OpenRequest {
    /// The domain it speaks to.
    pub to: Option<String>,
    /// The version it speaks, such as `1.0`.
    pub version: Option<String>,
}

/// What goes to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transmit {
    /// The head of a stream: `<open/>`, or attributes of `<body/>`.
    Open {
        /// The domain that answers.
        from: Arc<str>,
        /// The stream id.
        id: String,
    },
    /// One element.
    Element(ByteString),
    /// One stanza as a transcoder has made it.
    Transcoded(ByteString),
    /// `<close see-other-uri='…'/>`: the end of the stream, which goes on elsewhere.
    Redirect(Arc<str>),
    /// `<stream:error/>`; a [`Transmit::Close`] follows.
    Error(ByteString),
    /// The link ends and the session does not: no `<close/>` (RFC 7395 §3.6), so that the client
    /// comes back for it.
    Leave,
    /// The end of the stream: `<close/>`, or `type='terminate'`; with the fault, if it is for one.
    Close(Option<StreamFault>),
}

/// What the backend is to do.
#[derive(Debug)]
pub enum Event {
    /// Begin an authentication. Answer: [`Reply::Challenge`] and so on.
    SaslBegin {
        /// One of those offered.
        mechanism: Mechanism,
        /// The initial response, if there was one.
        initial: Option<Vec<u8>>,
        /// The domain of the account.
        host: Arc<str>,
    },
    /// The next message of the client in it.
    SaslResponse(Vec<u8>),
    /// The client gave it up, or began anew: forget it. No answer.
    SaslAborted,
    /// Bind a resource. Answer: [`Reply::Bound`] or [`Reply::BindRefused`].
    Bind {
        /// Whose.
        account: BareJid,
        /// The one asked for; `None`: of our making.
        resource: Option<String>,
    },
    /// Claim a session. Answer: [`Reply::Resumed`] or [`Reply::ResumeFailed`].
    Resume {
        /// Who asks.
        account: BareJid,
        /// Which session.
        previd: String,
    },
    /// A request of a client that has not logged in, to make an account (XEP-0077); only if that
    /// is allowed. Answer: [`Reply::Registered`].
    Register {
        /// The domain of the account.
        host: Arc<str>,
        /// The iq.
        request: ByteString,
    },
    /// Route a stanza. Answer: [`Reply::Handled`].
    Route(Stanza),
    /// Put this into the session's own mailbox: an answer of the stream itself. No answer.
    Answer(Outbound),
    /// The client's user looks elsewhere, or back (XEP-0352). No answer.
    Inactive(bool),
    /// For the log. No answer.
    Notice(Notice),
}

/// Something the operator may want to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// An authentication failed.
    AuthenticationFailed(SaslFailure),
    /// Stream management is on; whether the session can be resumed.
    Managed {
        /// How long it would hibernate.
        resume: Option<Duration>,
    },
    /// The session was resumed.
    Resumed {
        /// So many stanzas were sent again.
        again: usize,
    },
    /// A resumption was refused.
    ResumeFailed,
    /// This side ends the stream.
    Fault(StreamFault),
}

/// What the backend says.
#[derive(Debug)]
pub enum Reply {
    /// The SASL mechanism goes on.
    Challenge(Vec<u8>),
    /// It succeeded.
    Authenticated {
        /// Who the client is.
        account: BareJid,
        /// The last word of the mechanism.
        data: Option<Vec<u8>>,
    },
    /// It failed.
    SaslFailed(SaslFailure),
    /// The answer to [`Event::Register`], an iq.
    Registered(ByteString),
    /// The resource is bound.
    Bound {
        /// The full address.
        jid: FullJid,
        /// The id by which the session can be resumed.
        previd: String,
    },
    /// It is not.
    BindRefused(StanzaError),
    /// The session goes on under this stream.
    Resumed {
        /// Its full address.
        jid: FullJid,
        /// Its id.
        previd: String,
        /// Its counters and unacked queue.
        sm: Box<Sm>,
        /// How many stanzas wait in its mailbox: these were sent while it hibernated.
        waiting: usize,
    },
    /// It does not.
    ResumeFailed {
        /// How many of the client's stanzas were handled, if that is known.
        h: Option<u32>,
    },
    /// The backend has taken responsibility for the stanza of [`Event::Route`].
    Handled,
}

/// What becomes of the session when its stream is over.
#[derive(Debug)]
pub enum Finish {
    /// There was none.
    Unbound,
    /// It waits to be resumed.
    Hibernate(Box<Sm>),
    /// It is over; with what it was, if stream management was on.
    End {
        /// Counters and unacked queue.
        sm: Option<Box<Sm>>,
        /// Whether the client said goodbye, rather than being told or lost.
        closed_by_client: bool,
        /// Whether this side ended it for a fault.
        fault: bool,
    },
}
