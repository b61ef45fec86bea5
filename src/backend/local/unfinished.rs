//! Work that a stop waits for.

use tokio::sync::watch;

/// Counts what goes on in tasks that nobody else waits for: endings of sessions, and hand-overs of
/// stored messages.
#[derive(Debug)]
pub(super) struct Unfinished(watch::Sender<usize>);

/// One piece of work. It is done when this is dropped.
#[derive(Debug)]
pub(super) struct Work(watch::Sender<usize>);

impl Unfinished {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    pub(super) fn begin(&self) -> Work {
        self.0.send_modify(|count| *count += 1);
        Work(self.0.clone())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        *self.0.borrow()
    }

    /// Waits until there is none.
    pub(super) async fn none_left(&self) {
        // An error would mean that there is no sender, and here is one.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
