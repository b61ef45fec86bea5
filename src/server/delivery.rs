//! What has come of something that was sent to many.

use crate::stream::Receipts;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

/// What has come of a stanza that was sent to the sessions of a
/// [`Target`](crate::sessions::Target).
#[derive(Debug, Default)]
pub struct Delivery {
    /// Sessions with a link that it is on its way to.
    pub sent: usize,
    /// Hibernating sessions that it waits for.
    pub queued: usize,
    /// Sessions that had no room for it, and end for that, or that were over at that moment.
    pub dropped: usize,
    pub(super) receipts: Arc<Receipts>,
}

impl Delivery {
    /// Waits until the clients of all sessions that got it have acknowledged it, and not longer
    /// than `within`. Returns how many have: really, by an `<a/>` of stream management (XEP-0198
    /// §4). A client without stream management never says so and is not counted.
    pub async fn acked(&self, within: Duration) -> usize {
        let wanted = self.sent + self.queued;
        let all = poll_fn(|cx| self.receipts.poll_arrived(cx, wanted));
        let _ = tokio::time::timeout(within, all).await;
        self.receipts.arrived()
    }
}
