//! Who sees each stanza of a client before it goes where it is for.

use super::Local;
use crate::backend::{BoxFuture, Routed};
use crate::sessions::Session;
use crate::stanza::Stanza;
use std::fmt::Debug;
use std::sync::Arc;

/// Sees what clients send: each stanza once, however often a client sends it again.
pub trait Tap: Debug + Send + Sync + 'static {
    /// The stanza goes on when the future is done, and the client's next one waits for it.
    fn stanza(&self, session: &Arc<Session>, stanza: &Stanza) -> BoxFuture<()>;
}

impl Local {
    /// Lets somebody see what clients send. Once, before the first client comes; returns whether
    /// it was.
    pub fn set_tap(&self, tap: Arc<dyn Tap>) -> bool {
        self.tap.set(tap).is_ok()
    }

    /// The stanza goes on after the tap has seen it.
    pub(super) fn tapped(&self, tap: &dyn Tap, session: &Arc<Session>, stanza: Stanza) -> Routed {
        let seen = tap.stanza(session, &stanza);
        let session = session.clone();
        self.later(async move |local| {
            seen.await;
            match local.route_on(&session, stanza) {
                Routed::Done => None,
                Routed::Pressed(session) => Some(session),
                Routed::Later(later) => later.await,
            }
        })
    }
}
