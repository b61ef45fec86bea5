//! Holds back who guesses passwords or makes many accounts.

use super::{Local, lock};
use std::net::IpAddr;

impl Local {
    /// Returns when an attempt may begin; it then counts as a failure until it succeeds. Attempts
    /// at one account from one address, and those from one address, begin one after the other.
    pub(crate) async fn hold_back(&self, account: &str, address: IpAddr) {
        // Of the runtime, so that it agrees with the sleep.
        let since = tokio::time::Instant::now();
        loop {
            let mut settled = std::pin::pin!(self.attempt_settled.notified());
            settled.as_mut().enable();
            let now = tokio::time::Instant::now();
            let begun = lock(&self.throttle).begin(now.into_std(), now - since, account, address);
            let Err(delay) = begun else { return };
            tracing::debug!(account, %address, ?delay, "an attempt is slowed down");
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                // It may have been what this one waits for.
                () = settled => {}
            }
        }
    }

    /// The password was right.
    pub(crate) fn attempt_succeeded(&self, account: &str, address: IpAddr) {
        lock(&self.throttle).on_success(account, address);
        self.attempt_settled.notify_waiters();
    }

    /// The attempt ended without a word on the password.
    pub(super) fn attempt_came_to_nothing(&self, account: &str, address: IpAddr) {
        lock(&self.throttle).take_back(account, address);
        self.attempt_settled.notify_waiters();
    }
}
