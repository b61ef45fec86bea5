//! Who in the application is told what becomes of sessions, and of each stanza of a client.

use super::guarded::{Outcome, guarded};
use super::{Server, SessionHandle, WeakServer};
use crate::backend::BoxFuture;
use crate::backend::local::Tap;
use crate::sessions::{EndReason, Observer, Session};
use crate::stanza::Stanza;
use crate::stream::StreamFault;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// How long a listener may take for one event. Then it is given up, and the operator told.
const LISTENER_TIMEOUT: Duration = Duration::from_secs(5);

/// So many events of one session wait for slow listeners. At the bound `Detached`, `Resumed` and
/// `Error` are left out, and the operator told; a stanza waits anyway, and `Close` is never left out.
const EVENTS_MAX: usize = 64;

/// What becomes of a session.
#[derive(Debug, Clone)]
pub enum Event {
    /// It is bound. The first event of every session, unless the last process had it.
    Open,
    /// Its client sent this, which is about to go where it is for. Each stanza once, however often
    /// a client sends it again.
    Stanza(Stanza),
    /// Its link is lost. It waits to be resumed, and gets what is sent to it meanwhile.
    Detached,
    /// Its client is back. The first event of one that the last process had.
    Resumed,
    /// Its client broke the rules of the stream, or was told that the stream ends; what follows
    /// says what becomes of the session.
    Error(StreamFault),
    /// It is over: the last event, and exactly once. A session that waits for the next process is
    /// not over.
    Close(EndReason),
}

/// A part of the application that wants to know what becomes of sessions.
///
/// Of one session it hears one event after the other, in their order; of several sessions at the
/// same time. A client's next stanza waits until the listeners are done with the one before: who
/// is slow here slows that client and nobody else. One that panics, or takes longer than five
/// seconds, has missed that event; the operator is told, and everything goes on. Where 64 events of one
/// session wait, further `Detached`, `Resumed` and `Error` are left out.
///
/// [`Server::stop`] waits until the listeners are done with what has happened, five seconds at most.
/// A listener that keeps a [`Server`] or a [`SessionHandle`] keeps the server alive; it gets one with
/// each event.
pub trait Listener: Send + Sync + 'static {
    /// Something happened.
    fn on_event(&self, session: &SessionHandle, event: &Event) -> impl Future<Output = ()> + Send;
}

/// A [`Listener`] that can be put into a list.
trait AnyListener: Send + Sync {
    fn tell(self: Arc<Self>, session: SessionHandle, event: Event) -> BoxFuture<()>;
}

impl<L: Listener> AnyListener for L {
    fn tell(self: Arc<Self>, session: SessionHandle, event: Event) -> BoxFuture<()> {
        Box::pin(async move { self.on_event(&session, &event).await })
    }
}

/// All listeners, in the order in which they were given.
#[derive(Clone, Default)]
pub(super) struct Listeners {
    all: Vec<Arc<dyn AnyListener>>,
    server: WeakServer,
    /// How many sessions have events that somebody is being told of.
    busy: watch::Sender<usize>,
}

impl Listeners {
    pub fn new(server: WeakServer) -> Self {
        Self {
            server,
            ..Self::default()
        }
    }

    /// Waits until the listeners have heard all, and not longer than they may take for one event.
    pub async fn finish(&self) {
        let mut busy = self.busy.subscribe();
        let idle = busy.wait_for(|busy| *busy == 0);
        if tokio::time::timeout(LISTENER_TIMEOUT, idle).await.is_err() {
            tracing::error!("listeners have not heard all of what became of sessions");
        }
    }

    pub fn add(&mut self, listener: impl Listener) {
        self.all.push(Arc::new(listener));
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn push(&self, session: &Arc<Session>, event: Event, done: Option<oneshot::Sender<()>>) {
        let queue = session.get_or_put(EventQueue::default);
        if queue.push(Queued { event, done }) {
            let (listeners, session) = (self.clone(), session.clone());
            let busy = Busy::new(&self.busy);
            tokio::spawn(async move {
                listeners.drain(&queue, &session).await;
                drop(busy);
            });
        }
    }

    async fn drain(&self, queue: &EventQueue, session: &Arc<Session>) {
        while let Some(Queued { event, done }) = queue.next() {
            if let Some(server) = self.server.upgrade() {
                self.tell_all(&server, session, event).await;
            }
            if let Some(done) = done {
                let _ = done.send(()); // the stream may be gone meanwhile
            }
        }
    }

    async fn tell_all(&self, server: &Server, session: &Arc<Session>, event: Event) {
        for listener in &self.all {
            let handle = SessionHandle::new(server, session);
            let told = listener.clone().tell(handle, event.clone());
            let problem = match guarded(LISTENER_TIMEOUT, told).await {
                Outcome::Done(()) => continue,
                Outcome::Panicked => "panicked",
                Outcome::TookTooLong => "took too long",
            };
            let session = session.id().short();
            tracing::error!(session, problem, "a listener missed an event");
        }
    }
}

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listeners({})", self.all.len())
    }
}

impl Observer for Listeners {
    fn opened(&self, session: &Arc<Session>) {
        self.push(session, Event::Open, None);
    }

    fn detached(&self, session: &Arc<Session>) {
        self.push(session, Event::Detached, None);
    }

    fn resumed(&self, session: &Arc<Session>) {
        self.push(session, Event::Resumed, None);
    }

    fn faulted(&self, session: &Arc<Session>, fault: &StreamFault) {
        self.push(session, Event::Error(fault.clone()), None);
    }

    fn closed(&self, session: &Arc<Session>, reason: EndReason) {
        self.push(session, Event::Close(reason), None);
    }
}

impl Tap for Listeners {
    fn stanza(&self, session: &Arc<Session>, stanza: &Stanza) -> BoxFuture<()> {
        let (done, on_done) = oneshot::channel();
        self.push(session, Event::Stanza(stanza.clone()), Some(done));
        Box::pin(async move {
            let _ = on_done.await;
        })
    }
}

/// Counted as long as it is there.
struct Busy(watch::Sender<usize>);

impl Busy {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

struct Queued {
    event: Event,
    /// Who waits until the listeners are done with it.
    done: Option<oneshot::Sender<()>>,
}

/// The events of one session on their way to the listeners.
#[derive(Default)]
struct EventQueue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    events: VecDeque<Queued>,
    /// Somebody empties it.
    is_drained: bool,
}

impl EventQueue {
    /// Returns whether the caller has to see that it is emptied.
    fn push(&self, queued: Queued) -> bool {
        let mut waiting = self.lock();
        let can_wait = matches!(
            queued.event,
            Event::Detached | Event::Resumed | Event::Error(_)
        );
        if can_wait && waiting.events.len() >= EVENTS_MAX {
            tracing::warn!(
                bound = EVENTS_MAX,
                "listeners are too slow: an event is left out"
            );
            return false;
        }
        waiting.events.push_back(queued);
        !std::mem::replace(&mut waiting.is_drained, true)
    }

    fn next(&self) -> Option<Queued> {
        let mut waiting = self.lock();
        let next = waiting.events.pop_front();
        waiting.is_drained = next.is_some();
        next
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
