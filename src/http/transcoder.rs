//! Other words for XMPP on a WebSocket: a [`Transcoder`] for each further subprotocol.

use crate::sessions::Connection;
use crate::stanza::ByteString;
use crate::stream::StreamFault;
use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The subprotocol of RFC 7395, which is always spoken and never transcoded.
pub const XMPP: &str = "xmpp";

/// Speaks with clients that offer its subprotocol, in the place of XML.
///
/// It stands between the WebSocket and the stream, and outside stream management (XEP-0198): a
/// text frame of the client goes through [`inbound`](Self::inbound) before it is read, and each
/// element for the client through [`outbound`](Self::outbound) before it is counted. So what it
/// swallows is in no count of either side, and what a client has to get once more after it has
/// resumed its session is sent as it was sent before, byte for byte, without another call.
///
/// All of the stream passes: `<open/>` and `<close/>` (RFC 7395), features, SASL, stream management,
/// stanzas, stream errors. One frame is one element, and one element one frame.
///
/// The limits of frames count for what came and for what it became. A session is resumed over the
/// subprotocol that it began with, and not past the end of the process: what it holds then goes
/// where that of any session goes which is over.
///
/// It is called from the tasks of connections, of many at the same time: it must be quick and must
/// not block. One that panics ends the stream and the session in hand with `internal-server-error`,
/// and no other.
pub trait Transcoder: Send + Sync + 'static {
    /// What the client means, in XML: one element, standing alone. `None`: nothing, the frame is
    /// dropped. It counts to `limits.user_stanzas_per_second` all the same.
    ///
    /// # Errors
    ///
    /// The stream ends with `not-well-formed`, and the session with it.
    fn inbound<'f>(
        &self,
        connection: &Connection,
        frame: &'f str,
    ) -> Result<Option<Cow<'f, str>>, TranscodeError>;

    /// How an element is said to the client. `None`: not at all. A stanza that is dropped so has
    /// found its end: it is not counted, not kept and not sent to anybody else instead, and
    /// [`Delivery::acked`](crate::server::Delivery::acked) does not count it.
    ///
    /// # Errors
    ///
    /// The stream ends with `internal-server-error`, and the session with it. The stanza goes where
    /// the others go that its client never got: to another session of the account or to the store.
    fn outbound<'f>(
        &self,
        connection: &Connection,
        element: &'f str,
    ) -> Result<Option<Cow<'f, str>>, TranscodeError>;
}

/// Why something cannot be said in the other words. The operator reads it in the log; the client
/// hears only that the stream ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TranscodeError(String);

impl TranscodeError {
    /// With these words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

/// A transcoder with its subprotocol.
pub struct Transcoding {
    subprotocol: Arc<str>,
    transcoder: Box<dyn Transcoder>,
}

impl Transcoding {
    /// What [`Transcoder::inbound`] says.
    pub(crate) fn inbound<'f>(
        &self,
        connection: &Connection,
        frame: &'f str,
    ) -> Result<Option<Cow<'f, str>>, StreamFault> {
        guarded(|| self.transcoder.inbound(connection, frame))?
            .map_err(|error| StreamFault::Untranscodable(error.0))
    }

    /// What [`Transcoder::outbound`] says.
    pub(crate) fn outbound<'f>(
        &self,
        connection: &Connection,
        element: &'f str,
    ) -> Result<Option<Cow<'f, str>>, StreamFault> {
        guarded(|| self.transcoder.outbound(connection, element))?
            .map_err(|error| StreamFault::Transcoder(error.0))
    }

    /// The same for a stanza, which is kept as it is said.
    pub(crate) fn stanza(
        &self,
        connection: &Connection,
        text: &ByteString,
    ) -> Result<Option<ByteString>, StreamFault> {
        let wire = self.outbound(connection, text)?;
        Ok(wire.map(|wire| match wire {
            Cow::Borrowed(same) if same == &**text => text.clone(),
            other => other.into_owned().into(),
        }))
    }
}

impl fmt::Debug for Transcoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transcoding({})", self.subprotocol)
    }
}

/// A panic has been printed by the time that it is caught.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, StreamFault> {
    // What it shares among connections is its own to keep whole.
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let words = words_of(&*panic);
        StreamFault::Transcoder(format!("it panicked: {words}"))
    })
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    let fixed = panic.downcast_ref::<&str>().copied();
    let made = || panic.downcast_ref::<String>().map(String::as_str);
    fixed.or_else(made).unwrap_or("without a word")
}

/// The transcoders of a server by their subprotocols. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Transcoders(Arc<BTreeMap<Arc<str>, Arc<Transcoding>>>);

/// A subprotocol that cannot have a transcoder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubprotocolError {
    /// It stands for itself.
    #[error("the subprotocol \"xmpp\" is spoken as it is, and has no transcoder")]
    Xmpp,
    /// Browsers and HTTP take a token alone (RFC 6455 §4.1).
    #[error("{0:?} is no name of a subprotocol: it has to be a token of RFC 9110")]
    NoToken(String),
    /// Which of the two is meant?
    #[error("the subprotocol {0:?} has two transcoders")]
    Twice(String),
}

impl Transcoders {
    /// These, each with its subprotocol.
    ///
    /// # Errors
    ///
    /// [`SubprotocolError`]
    pub fn of(
        all: impl IntoIterator<Item = (String, Box<dyn Transcoder>)>,
    ) -> Result<Self, SubprotocolError> {
        let mut transcoders = BTreeMap::new();
        for (name, transcoder) in all {
            if name == XMPP {
                return Err(SubprotocolError::Xmpp);
            }
            if name.is_empty() || !name.bytes().all(is_token_byte) {
                return Err(SubprotocolError::NoToken(name));
            }
            let subprotocol: Arc<str> = name.as_str().into();
            let transcoding = Arc::new(Transcoding {
                subprotocol: subprotocol.clone(),
                transcoder,
            });
            if transcoders.insert(subprotocol, transcoding).is_some() {
                return Err(SubprotocolError::Twice(name));
            }
        }
        Ok(Self(Arc::new(transcoders)))
    }

    /// The first of an offer that is spoken here; `None` if none is.
    pub fn choose<'o>(&self, offer: impl IntoIterator<Item = &'o str>) -> Option<Subprotocol> {
        offer.into_iter().find_map(|name| match name {
            XMPP => Some(Subprotocol::Xmpp),
            name => self.0.get(name).cloned().map(Subprotocol::Transcoded),
        })
    }
}

/// RFC 9110 §5.6.2
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The subprotocol that a handshake has come to.
#[derive(Debug, Clone, Default)]
pub enum Subprotocol {
    /// RFC 7395
    #[default]
    Xmpp,
    /// The same in other words.
    Transcoded(Arc<Transcoding>),
}

impl Subprotocol {
    /// Its name in the handshake.
    pub fn name(&self) -> &str {
        match self {
            Self::Xmpp => XMPP,
            Self::Transcoded(transcoding) => &transcoding.subprotocol,
        }
    }

    /// Its transcoder, unless it is `xmpp`.
    pub fn transcoding(&self) -> Option<&Arc<Transcoding>> {
        match self {
            Self::Xmpp => None,
            Self::Transcoded(transcoding) => Some(transcoding),
        }
    }

    /// As a [`Connection`] has it.
    pub(crate) fn shared_name(&self) -> Option<Arc<str>> {
        self.transcoding()
            .map(|transcoding| transcoding.subprotocol.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Same;

    impl Transcoder for Same {
        fn inbound<'f>(
            &self,
            _: &Connection,
            frame: &'f str,
        ) -> Result<Option<Cow<'f, str>>, TranscodeError> {
            Ok(Some(frame.into()))
        }

        fn outbound<'f>(
            &self,
            _: &Connection,
            element: &'f str,
        ) -> Result<Option<Cow<'f, str>>, TranscodeError> {
            Ok(Some(element.into()))
        }
    }

    fn with(names: &[&str]) -> Result<Transcoders, SubprotocolError> {
        let same = |name: &&str| ((*name).to_owned(), Box::new(Same) as Box<dyn Transcoder>);
        Transcoders::of(names.iter().map(same))
    }

    fn chosen(transcoders: &Transcoders, offer: &[&str]) -> Option<String> {
        let chosen = transcoders.choose(offer.iter().copied());
        chosen.map(|subprotocol| subprotocol.name().to_owned())
    }

    /// E2
    #[test]
    fn e2_of_an_offer_the_first_that_is_spoken_is_chosen() {
        let some = with(&["a", "b"]).unwrap();
        assert_eq!(chosen(&some, &["x", "b", "xmpp", "a"]).unwrap(), "b");
        assert_eq!(chosen(&some, &["v1.foo", "xmpp", "a"]).unwrap(), "xmpp");
        assert_eq!(chosen(&some, &["A", "XMPP", ""]), None);
        let none = Transcoders::default();
        assert_eq!(chosen(&none, &["a", "xmpp"]).unwrap(), "xmpp");
        assert_eq!(chosen(&none, &["a"]), None);
    }

    #[test]
    fn a_name_that_no_client_could_offer_is_refused() {
        for name in ["", "a b", "a,b", "ä", "a\"", "a/b"] {
            let refused = with(&[name]).unwrap_err();
            assert_eq!(refused, SubprotocolError::NoToken(name.to_owned()));
        }
        assert_eq!(with(&["xmpp"]).unwrap_err(), SubprotocolError::Xmpp);
        let twice = SubprotocolError::Twice("a".to_owned());
        assert_eq!(with(&["a", "a"]).unwrap_err(), twice);
    }
}
