//! The end in good order.

use super::endings::Endings;
use crate::backend::local::Local;
use crate::http::driver::Rooms;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long a session that is on its way out is given before it is looked for again.
const PAUSE: Duration = Duration::from_millis(20);

/// Sessions that hibernate end at once, so that what they hold goes where it is not lost: to
/// another resource or to offline storage. Beside that streams are told, and those that carry them
/// waited for. Returns when no session is left and what they left behind is dealt with.
pub(super) async fn close_streams(
    rooms: &Rooms,
    local: &Local,
    stopping: Arc<watch::Sender<bool>>,
) {
    stopping.send_replace(true);
    // Every connection holds a receiver until it has dealt with its session.
    let hibernating = Endings::of_hibernating(rooms);
    tokio::join!(hibernating.all_done(), stopping.closed());
    // Links that were lost meanwhile left sessions behind that hibernate.
    loop {
        Endings::of_hibernating(rooms).all_done().await;
        if rooms.sessions.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    local.finished().await;
}
