//! The end in good order.

use super::endings::Endings;
use super::options;
use crate::backend::local::Local;
use crate::config::{Config, Durability};
use crate::http::departure::{Departure, Farewell};
use crate::http::driver::Rooms;
use crate::sessions::SessionsOptions;
use crate::store::{Store, StoreError};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long sessions may wait for the store when all clients are gone.
const LET_GO_TIMEOUT: Duration = Duration::from_secs(120);

const LET_GO_INTERVAL: Duration = Duration::from_millis(20);

/// What has come of a stop.
#[derive(Debug)]
pub struct Stopped {
    /// Whether all clients were gone within `shutdown_grace`.
    pub in_time: bool,
    /// Whether what the server does once a second came to its end in good order.
    pub swept: bool,
    /// Whether the store has all that it was given.
    pub stored: Result<(), StoreError>,
}

/// Lets go of every client, ends or saves the sessions, and closes the store. `sweep` has been told
/// to end; `ports`: when those are closed.
pub(super) async fn stop(
    config: &Config,
    rooms: &Rooms,
    local: &Local,
    store: &Arc<dyn Store>,
    departures: &[Departure],
    sweep: &mut JoinHandle<()>,
    ports: impl Future<Output = ()>,
) -> Stopped {
    let farewell = match config.sm.durability {
        Durability::Memory => Farewell::ForGood,
        Durability::Restart | Durability::Always => Farewell::UntilLater,
    };
    lift_hibernation_bound(config, rooms);
    let clients = tokio::time::timeout(config.shutdown_grace, async {
        tokio::join!(let_go(config, departures, farewell), ports);
    });
    // What clients were promised is stored however long it takes: the grace is for those who are
    // connected, and no slow one among them takes the others the time for it. The sweep is between
    // two rounds, or deals with what it ended.
    let (in_time, (), swept) = tokio::join!(clients, end_for_good(rooms, farewell), sweep);
    if let Err(error) = &swept {
        tracing::error!(%error, "the sweep did not come to its end");
    }
    let in_time = in_time.is_ok();
    if !in_time {
        let sessions = rooms.sessions.len();
        tracing::warn!(sessions, "shutdown_grace is over");
    }
    all_let_go(rooms).await;
    end_for_good(rooms, farewell).await; // those whose link was lost meanwhile
    local.finished().await;
    let saved = match farewell {
        Farewell::ForGood => Ok(()),
        Farewell::UntilLater => save_or_end(rooms, local, store).await,
    };
    let closed = store.close().await;
    if let Err(error) = &closed {
        tracing::error!(%error, "the store did not close in order");
    }
    Stopped {
        in_time,
        swept: swept.is_ok(),
        stored: saved.and(closed),
    }
}

async fn let_go(config: &Config, departures: &[Departure], farewell: Farewell) {
    let clients = departures.iter().map(Departure::remaining).sum();
    let pace = pace(config.shutdown.pace, clients, config.shutdown_grace);
    for departure in departures {
        departure.begin(pace, farewell);
    }
    join_all(departures.iter().map(Departure::all_gone)).await;
}

/// All sessions of a user hibernate when the server stops, however many they are.
fn lift_hibernation_bound(config: &Config, rooms: &Rooms) {
    rooms.sessions.set_options(SessionsOptions {
        max_hibernating_per_user: usize::MAX,
        ..options::sessions(config)
    });
}

async fn end_for_good(rooms: &Rooms, farewell: Farewell) {
    if farewell == Farewell::ForGood {
        end_hibernating(rooms).await;
    }
}

/// Sessions that the store does not take end, and what they hold is stored as messages.
async fn save_or_end(
    rooms: &Rooms,
    local: &Local,
    store: &Arc<dyn Store>,
) -> Result<(), StoreError> {
    let saved = save_sessions(rooms, store).await;
    if let Err(error) = &saved {
        tracing::error!(%error, "sessions could not be saved: they end, and what they hold is stored as messages");
        end_hibernating(rooms).await;
        local.finished().await;
    }
    saved
}

/// How many clients are let go of in a second: as many as wanted, or as it takes to let all go in
/// half of the time there is.
fn pace(wanted: u32, clients: usize, grace: Duration) -> u32 {
    if wanted == 0 {
        return 0;
    }
    let needed = clients as u128 * 2000 / grace.as_millis().max(1);
    wanted.max(u32::try_from(needed).unwrap_or(0))
}

/// The sessions that hibernate end beside each other, so that what they hold goes where it is not
/// lost: to another resource or to offline storage. Waits for the store alone, never for a client.
async fn end_hibernating(rooms: &Rooms) {
    Endings::of_hibernating(rooms).all_done().await;
}

/// Waits until no stream carries a session: the grace is for clients, and a session whose stream
/// still waits for the store is not one of them.
async fn all_let_go(rooms: &Rooms) {
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
async fn save_sessions(rooms: &Rooms, store: &Arc<dyn Store>) -> Result<(), StoreError> {
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
