//! The end in good order.

use super::endings::Endings;
use crate::http::driver::Rooms;
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// How long sessions may wait for the store when all clients are gone.
const LET_GO_TIMEOUT: Duration = Duration::from_secs(120);

const LET_GO_INTERVAL: Duration = Duration::from_millis(20);

/// How many clients are let go of in a second: as many as wanted, or as it takes to let all go in
/// half of the time there is.
pub(super) fn pace(wanted: u32, clients: usize, grace: Duration) -> u32 {
    if wanted == 0 {
        return 0;
    }
    let needed = clients as u128 * 2000 / grace.as_millis().max(1);
    wanted.max(u32::try_from(needed).unwrap_or(0))
}

/// The sessions that hibernate end beside each other, so that what they hold goes where it is not
/// lost: to another resource or to offline storage. Waits for the store alone, never for a client.
pub(super) async fn end_hibernating(rooms: &Rooms) {
    Endings::of_hibernating(rooms).all_done().await;
}

/// Waits until no stream carries a session: the grace is for clients, and a session whose stream
/// still waits for the store is not one of them.
pub(super) async fn all_let_go(rooms: &Rooms) {
    let attached = || {
        let sessions = rooms.sessions.all();
        sessions
            .iter()
            .filter(|session| session.is_attached())
            .count()
    };
    let deadline = tokio::time::Instant::now() + LET_GO_TIMEOUT;
    while attached() > 0 {
        if tokio::time::Instant::now() >= deadline {
            let sessions = attached();
            tracing::error!(
                sessions,
                "the store does not answer: sessions are lost that wait for it"
            );
            return;
        }
        tokio::time::sleep(LET_GO_INTERVAL).await;
    }
}

/// Hands the sessions that hibernate to the store. A journal has them there already.
pub(super) async fn save_sessions(rooms: &Rooms, store: &Arc<dyn Store>) -> Result<(), StoreError> {
    let sessions = rooms.sessions.hibernating();
    let records = match store.journal() {
        None => rooms.sessions.to_records(),
        Some(_) => rooms.sessions.recent_records(),
    };
    store.record(records).await?;
    tracing::info!(sessions, "sessions wait for the next process");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_raised_where_the_grace_would_not_suffice() {
        let grace = Duration::from_secs(10);
        assert_eq!(pace(1000, 100, grace), 1000);
        assert_eq!(pace(1000, 50_000, grace), 10_000);
        assert_eq!(pace(0, 50_000, grace), 0);
        assert_eq!(pace(1, 1, Duration::ZERO), 2000);
    }
}
