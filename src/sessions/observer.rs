//! Who is told what becomes of sessions.

use super::{Connection, EndReason, Session, Sessions};
use crate::auth::SaslFailure;
use crate::stream::StreamFault;
use std::fmt;
use std::sync::Arc;

/// Is told what becomes of sessions, as it happens.
///
/// Of one session it hears in this order: [`opened`](Self::opened), then
/// [`detached`](Self::detached) and [`resumed`](Self::resumed) in turns, as often as it may be, and
/// [`closed`](Self::closed) exactly once, whatever its end. One that comes back after a restart was
/// opened in the last process: here it begins detached. One that waits for the next process is not
/// closed in this one.
///
/// The calls come from the tasks of sessions and hold these up: they must be quick, must not block
/// and must not panic. They are made under no lock, so they may ask the session anything. Each
/// method does nothing unless it is written.
pub trait Observer: Send + Sync {
    /// It is bound, and its stream carries it. [`Session::connection`] and [`Session::admission`]
    /// are there; the client does not know of it yet.
    fn opened(&self, session: &Arc<Session>) {
        let _ = session;
    }

    /// Its stream is about to let go of it: the link is lost, or another stream wants it. From
    /// then on it can be resumed.
    fn detached(&self, session: &Arc<Session>) {
        let _ = session;
    }

    /// Another stream carries it, which [`Session::connection`] tells of.
    fn resumed(&self, session: &Arc<Session>) {
        let _ = session;
    }

    /// Its stream ends with a stream error. What becomes of the session is told after it.
    fn faulted(&self, session: &Arc<Session>, fault: &StreamFault) {
        let _ = (session, fault);
    }

    /// It is over and takes nothing more. What its client never got is yet to find its place.
    fn closed(&self, session: &Arc<Session>, reason: EndReason) {
        let _ = (session, reason);
    }

    /// A stanza found its mailbox full, so that it has to end: it is being told so.
    fn overflowed(&self, session: &Arc<Session>) {
        let _ = session;
    }

    /// Somebody did not get in. There is no session, and may be none yet over this link.
    fn login_refused(&self, connection: &Arc<Connection>, failure: &SaslFailure) {
        let _ = (connection, failure);
    }
}

/// All who are told.
#[derive(Default)]
pub(super) struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    fn tell(&self, tell: impl FnMut(&Arc<dyn Observer>)) {
        self.0.iter().for_each(tell);
    }

    pub(super) fn detached(&self, session: &Arc<Session>) {
        self.tell(|observer| observer.detached(session));
    }

    pub(super) fn overflowed(&self, session: &Arc<Session>) {
        self.tell(|observer| observer.overflowed(session));
    }

    pub(super) fn closed(&self, session: &Arc<Session>, reason: EndReason) {
        self.tell(|observer| observer.closed(session, reason));
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Observers({})", self.0.len())
    }
}

impl Sessions {
    /// One more who is told, after those that are there already. Before the registry is shared: no
    /// session is missed.
    pub fn add_observer(&mut self, observer: Arc<dyn Observer>) {
        self.observers.0.push(observer);
    }

    /// For the owner of its stream: a session that was just bound is carried over this link.
    pub fn opened(&self, session: &Arc<Session>, connection: Arc<Connection>) {
        session.set_connection(connection);
        self.observers.tell(|observer| observer.opened(session));
    }

    /// For the owner of its stream: a session that was [claimed](Sessions::claim) is carried over
    /// this link.
    pub fn resumed(&self, session: &Arc<Session>, connection: Arc<Connection>) {
        session.set_connection(connection);
        self.observers.tell(|observer| observer.resumed(session));
    }

    /// For the owner of its stream, which ends with a stream error.
    pub fn faulted(&self, session: &Arc<Session>, fault: &StreamFault) {
        self.observers
            .tell(|observer| observer.faulted(session, fault));
    }

    /// For the owner of a stream: somebody did not get in.
    pub fn login_refused(&self, connection: &Arc<Connection>, failure: &SaslFailure) {
        self.observers
            .tell(|observer| observer.login_refused(connection, failure));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Transport;
    use super::super::tests::{bind, sessions};
    use super::*;
    use crate::auth::ChannelBinding;
    use crate::stream::Sm;
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Heard {
        fn push(&self, what: &str, session: &Session) {
            let line = format!("{what} {}", session.jid());
            let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            heard.push(line);
        }

        fn take(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    impl Observer for Heard {
        fn opened(&self, session: &Arc<Session>) {
            assert!(session.connection().is_some());
            self.push("opened", session);
        }

        fn detached(&self, session: &Arc<Session>) {
            self.push("detached", session);
        }

        fn resumed(&self, session: &Arc<Session>) {
            assert!(session.is_attached());
            self.push("resumed", session);
        }

        fn closed(&self, session: &Arc<Session>, reason: EndReason) {
            assert!(!session.is_open());
            self.push(reason.as_str(), session);
        }
    }

    fn link() -> Arc<Connection> {
        Arc::new(Connection {
            transport: Transport::WebSocket,
            subprotocol: None,
            endpoint: "default".into(),
            path: "/ws".into(),
            query: "".into(),
            admission: None,
            address: [127, 0, 0, 1].into(),
            on_this_machine: true,
            private: true,
            binding: ChannelBinding::default(),
        })
    }

    fn observed() -> (Sessions, Arc<Heard>) {
        let mut sessions = sessions();
        let heard = Arc::new(Heard::default());
        sessions.add_observer(heard.clone());
        (sessions, heard)
    }

    fn sm() -> Box<Sm> {
        Box::new(Sm::new(0, Some(Duration::from_secs(60))))
    }

    /// X2
    #[tokio::test]
    async fn x2_of_a_session_is_heard_all_in_order_and_its_end_once() {
        let (sessions, heard) = observed();
        let session = bind(&sessions, "romeo@example.org/orchard");
        sessions.opened(&session, link());
        let now = crate::clock::now();
        assert!(sessions.hibernate(&session, sm(), now).is_empty());
        let previd = session.id().to_string();
        let claimed = sessions
            .claim(&previd, session.account(), None)
            .await
            .unwrap();
        sessions.resumed(&session, link());
        sessions.hibernate(&session, claimed.sm, now);
        assert!(sessions.end(&session, EndReason::Revoked).is_some());
        let expected = ["opened", "detached", "resumed", "detached", "revoked"];
        let expected = expected.map(|what| format!("{what} romeo@example.org/orchard"));
        assert_eq!(heard.take(), expected);
    }

    /// X2
    #[test]
    fn x2_an_end_is_told_once_even_if_it_is_asked_for_twice() {
        let (sessions, heard) = observed();
        let session = bind(&sessions, "romeo@example.org/orchard");
        sessions.close(&session, None, EndReason::Closed);
        sessions.close(&session, None, EndReason::LinkLost);
        assert!(sessions.end(&session, EndReason::Shutdown).is_none());
        assert_eq!(heard.take(), ["closed romeo@example.org/orchard"]);
    }

    /// X2
    #[test]
    fn x2_who_hibernates_too_many_hears_of_the_oldest_after_the_youngest_was_detached() {
        let (sessions, heard) = observed();
        for resource in ["a", "b", "c"] {
            let session = bind(&sessions, &format!("romeo@example.org/{resource}"));
            sessions.hibernate(&session, sm(), crate::clock::now());
        }
        let expected = [
            "detached romeo@example.org/a",
            "detached romeo@example.org/b",
            "detached romeo@example.org/c",
            "too-many-hibernating romeo@example.org/a",
        ];
        assert_eq!(heard.take(), expected);
    }
}
