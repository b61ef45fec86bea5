//! Sessions of the last process, given back.

use crate::http::door::Door;
use crate::http::driver::Rooms;
use crate::sessions::Reunion;
use crate::store::journal::{Record, STRAYS, SavedSession};
use crate::store::{SavedSessions, Store, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    expect_back(&rooms.door, &saved, now);
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

/// Where the clients of these sessions are, nobody knows any more.
fn expect_back(door: &Door, saved: &SavedSessions, now: Instant) {
    let timeouts = saved
        .sessions
        .iter()
        .filter_map(SavedSession::resume_seconds);
    let (mut count, mut longest) = (0, 0);
    for seconds in timeouts {
        count += 1;
        longest = longest.max(seconds);
    }
    // What the store says may be anything; a clock has an end.
    if let Some(until) = now.checked_add(Duration::from_secs(longest)) {
        door.expect_anywhere(count, until);
    }
}

fn taken(saved: &SavedSessions) -> Vec<Record> {
    let sessions = saved.sessions.iter().map(|session| session.id);
    let all = sessions.chain(std::iter::once(STRAYS));
    all.map(|session| Record::Gone { session }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::door::{DoorOptions, Newcomer};
    use crate::rate::Rate;
    use crate::stanza::address::FullJid;
    use crate::store::journal::{SavedSm, SavedState};

    fn session(id: u128, ended: bool, resume_seconds: Option<u64>) -> SavedSession {
        SavedSession {
            id,
            jid: FullJid::new("romeo@example.org/orchard").unwrap(),
            sm: Some(SavedSm {
                resume_seconds,
                ..SavedSm::default()
            }),
            ended,
            state: SavedState::default(),
            recent: Vec::new(),
            stanzas: Vec::new(),
        }
    }

    /// How many come in at once behind a proxy that names no client, where ten strangers may.
    fn admitted(door: &Door, now: Instant) -> usize {
        let crowd = Newcomer::unnamed([192, 0, 2, 1].into());
        (0..100).filter(|_| door.admit(now, crowd).is_ok()).count()
    }

    #[test]
    fn after_a_restart_those_are_expected_whose_sessions_can_be_resumed() {
        let now = crate::clock::now();
        let saved = SavedSessions {
            sessions: vec![
                session(1, false, Some(60)),
                session(2, false, Some(600)),
                session(3, false, None),
                session(4, true, Some(600)),
            ],
            ..SavedSessions::default()
        };
        let connections = Rate {
            per_second: 1,
            burst: 20,
        };
        for (seconds, count) in [(0, 12), (599, 12), (600, 10)] {
            let door = Door::new(DoorOptions {
                connections,
                ..DoorOptions::UNLIMITED
            });
            expect_back(&door, &saved, now);
            assert_eq!(admitted(&door, now + Duration::from_secs(seconds)), count);
        }
    }
}
