//! Code of the application, which may panic or hang and harms nobody else by it.

use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome<T> {
    /// This.
    Done(T),
    /// It panicked; the panic has been printed.
    Panicked,
    /// It was given up.
    TookTooLong,
}

/// Awaits what the application does, and not longer than `within`.
pub(super) async fn guarded<T>(within: Duration, work: impl Future<Output = T>) -> Outcome<T> {
    // What it owned is dropped, and what it shared with others is its own to keep whole.
    let work = AssertUnwindSafe(work).catch_unwind();
    match tokio::time::timeout(within, work).await {
        Ok(Ok(done)) => Outcome::Done(done),
        Ok(Err(_)) => Outcome::Panicked,
        Err(_) => Outcome::TookTooLong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_panics_or_hangs_is_told_apart_from_what_is_done() {
        let within = Duration::from_secs(1);
        assert_eq!(guarded(within, async { 7 }).await, Outcome::Done(7));
        let panics = async { panic!("of a test") };
        assert_eq!(guarded::<()>(within, panics).await, Outcome::Panicked);
        let hangs = std::future::pending::<()>();
        assert_eq!(guarded(within, hangs).await, Outcome::TookTooLong);
    }
}
