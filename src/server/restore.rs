//! Sessions of the last process, given back.

use crate::http::driver::Rooms;
use crate::sessions::Reunion;
use crate::store::journal::{Record, STRAYS};
use crate::store::{SavedSessions, Store, StoreError};
use std::sync::Arc;

/// Brings back what the last process left in the store, before the first client comes.
pub(super) async fn sessions(rooms: &Rooms, store: &Arc<dyn Store>) -> Result<(), StoreError> {
    let saved = store.sessions().await?;
    let (count, strays) = (saved.sessions.len(), saved.strays.len());
    let taken = taken(&saved);
    bring_back(rooms, saved).await;
    if store.journal().is_none() {
        // From here on they live in memory: a sudden end must not bring back what they were.
        store.record(taken).await?;
    }
    if count + strays > 0 {
        tracing::info!(
            sessions = count,
            strays,
            "sessions of the last process are back"
        );
    }
    Ok(())
}

async fn bring_back(rooms: &Rooms, saved: SavedSessions) {
    let now = crate::clock::now();
    let stanzas = saved.sessions.iter().flat_map(|session| &session.stanzas);
    let reunion = Reunion::of(stanzas.chain(&saved.strays));
    let mut restored = Vec::with_capacity(saved.sessions.len());
    for session in saved.sessions {
        restored.push(rooms.sessions.restore(session, &reunion, now));
    }
    // All are there before one of them has something placed with another.
    for session in restored {
        rooms.backend.restore(session).await;
    }
    for stray in saved.strays {
        rooms.backend.place_stray(reunion.outbound(stray)).await;
    }
}

fn taken(saved: &SavedSessions) -> Vec<Record> {
    let sessions = saved.sessions.iter().map(|session| session.id);
    let all = sessions.chain(std::iter::once(STRAYS));
    all.map(|session| Record::Gone { session }).collect()
}
