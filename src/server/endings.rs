//! Endings of sessions, each in a task of its own.

use crate::http::driver::{Rooms, end};
use crate::sessions::{EndReason, Ending};
use tokio::task::JoinSet;

/// Endings that are being dealt with. Await [`Endings::all_done`]: dropped, they are cut short.
#[derive(Debug, Default)]
pub(super) struct Endings(JoinSet<()>);

impl Endings {
    pub fn begin(&mut self, rooms: &Rooms, ending: Ending) {
        let rooms = rooms.clone();
        self.0.spawn(async move { end(&rooms, ending).await });
    }

    /// Ends the sessions that nobody carries, for the server stops.
    pub fn of_hibernating(rooms: &Rooms) -> Self {
        let mut endings = Self::default();
        for session in rooms.sessions.all() {
            let sessions = &rooms.sessions;
            if let Some(ending) = sessions.end_hibernating(&session, EndReason::Shutdown) {
                endings.begin(rooms, ending);
            }
        }
        endings
    }

    pub fn forget_finished(&mut self) {
        while self.0.try_join_next().is_some() {}
    }

    pub async fn all_done(mut self) {
        while self.0.join_next().await.is_some() {}
    }
}
