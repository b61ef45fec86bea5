//! Into mailboxes.

use super::Local;
use super::place::Place;
use crate::backend::Routed;
use crate::sessions::{Delivered, EndReason, Session};
use crate::stanza::{
    ByteString, Condition, IqType, Kind, MessageType, Stanza, StanzaError, error_kind, error_reply,
};
use crate::stream::Outbound;
use std::sync::Arc;

/// Some deliveries that are made together, and what has come of them.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    pressed: Option<Arc<Session>>,
    /// What reached a mailbox that takes no more.
    stranded: Vec<Stranded>,
}

/// A stanza that reached a mailbox which takes no more.
#[derive(Debug)]
struct Stranded {
    /// Whose mailbox.
    session: Arc<Session>,
    stanza: Outbound,
    place: Option<Place>,
}

impl Local {
    /// Puts a stanza into a mailbox and notes what came of it.
    pub(super) fn push(&self, session: &Arc<Session>, stanza: Outbound, so_far: &mut Deliveries) {
        match session.deliver(stanza) {
            Delivered::Queued => {}
            Delivered::Pressed => so_far.pressed = Some(session.clone()),
            Delivered::Full(stanza) => {
                self.strand(session, stanza, so_far);
                self.end_session(session, EndReason::Overflow);
            }
            Delivered::Gone(stanza) => self.strand(session, stanza, so_far),
        }
    }

    /// Copies, notices and answers vanish with the session they were for.
    fn strand(&self, session: &Arc<Session>, stanza: Outbound, so_far: &mut Deliveries) {
        let matters = matches!(
            stanza.kind,
            Kind::Message(MessageType::Chat | MessageType::Normal)
                | Kind::Iq(IqType::Get | IqType::Set)
        );
        if matters {
            let place = self.place_of_stray(&stanza);
            so_far.stranded.push(Stranded {
                session: session.clone(),
                stanza,
                place,
            });
        }
    }

    /// Ends a session; what it leaves behind is dealt with in a task of its own.
    pub(super) fn end_session(&self, session: &Arc<Session>, reason: EndReason) {
        if let Some(ending) = self.sessions.end(session, reason) {
            ending.log();
            tokio::spawn(self.deal_with_ending(ending));
        }
    }

    /// What [`crate::backend::Backend::route`] says of these deliveries.
    pub(super) fn routed(&self, deliveries: Deliveries) -> Routed {
        if deliveries.stranded.is_empty() {
            return deliveries.pressed.map_or(Routed::Done, Routed::Pressed);
        }
        self.later(async move |local| {
            for Stranded {
                session,
                stanza,
                place,
            } in deliveries.stranded
            {
                let (owner, except) = (session.account(), Some(&*session));
                local.redeliver(owner, except, stanza, place).await;
            }
            deliveries.pressed
        })
    }

    /// [`Local::routed`] for a place that may wait.
    pub(super) async fn settled(&self, deliveries: Deliveries) -> Option<Arc<Session>> {
        match self.routed(deliveries) {
            Routed::Done => None,
            Routed::Pressed(session) => Some(session),
            Routed::Later(later) => later.await,
        }
    }

    /// Answers a client. One that asks and does not read is read more slowly itself.
    pub(crate) fn answer(&self, session: &Arc<Session>, text: ByteString, kind: Kind) -> Routed {
        let mut deliveries = Deliveries::default();
        self.push(
            session,
            Outbound::new(text, kind, crate::clock::time_of_day()),
            &mut deliveries,
        );
        deliveries.pressed.map_or(Routed::Done, Routed::Pressed)
    }

    /// Answers a stanza with an error, if an error may answer it.
    pub(crate) fn refuse(
        &self,
        session: &Arc<Session>,
        stanza: &Stanza,
        error: impl Into<StanzaError>,
    ) -> Routed {
        self.forget_refused(session, stanza);
        match error_reply(stanza, &error.into()) {
            Some(text) => self.answer(session, text, error_kind(stanza.kind)),
            None => Routed::Done,
        }
    }

    /// Refuses what the store could not do, and tells the operator.
    pub(super) fn refuse_for_store(
        &self,
        session: &Arc<Session>,
        stanza: &Stanza,
        error: &crate::store::StoreError,
    ) {
        self.refuse(session, stanza, store_trouble(error));
    }
}

/// What a client hears when the store fails: come back later.
pub(super) fn store_trouble(error: &crate::store::StoreError) -> StanzaError {
    tracing::error!(%error, "the store failed");
    let broken = StanzaError::from(Condition::InternalServerError);
    broken.with_type(crate::stanza::ErrorType::Wait)
}
