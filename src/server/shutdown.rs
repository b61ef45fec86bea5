//! The end in good order.

use crate::http::driver::{Rooms, end};
use crate::sessions::EndReason;
use std::sync::Arc;
use tokio::sync::watch;

/// Streams are told, and those that carry them waited for; then the sessions that hibernate end,
/// so that what they hold goes where it is not lost: to another resource or to offline storage.
pub(super) async fn close_streams(rooms: &Rooms, stopping: Arc<watch::Sender<bool>>) {
    stopping.send_replace(true);
    // Every connection holds a receiver until it has dealt with its session.
    stopping.closed().await;
    for session in rooms.sessions.all() {
        if let Some(ending) = rooms
            .sessions
            .end_hibernating(&session, EndReason::Shutdown)
        {
            end(rooms, ending).await;
        }
    }
}
