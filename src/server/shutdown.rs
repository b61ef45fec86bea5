//! The end in good order.

use super::endings::Endings;
use crate::http::driver::Rooms;
use tokio::sync::watch;

/// Streams are told, and those that carry them waited for.
pub(super) async fn close_streams(stopping: &watch::Sender<bool>) {
    stopping.send_replace(true);
    // Every connection holds a receiver until it has dealt with its session.
    stopping.closed().await;
}

/// The sessions that hibernate end beside each other, so that what they hold goes where it is not
/// lost: to another resource or to offline storage. Waits for the store alone, never for a client.
pub(super) async fn end_hibernating(rooms: &Rooms) {
    Endings::of_hibernating(rooms).all_done().await;
}
