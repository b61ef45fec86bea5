//! What the service manager is told, if there is one (`NOTIFY_SOCKET`, `WATCHDOG_USEC`).

use sd_notify::NotifyState;
use std::time::Duration;

/// All ports are served.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Options are read again; [`ready`] ends it.
pub(super) fn reloading() {
    // Whoever waits for the end of a reload knows it by the time of its beginning.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no clock for the service manager"),
    }
}

/// The server stops and may take that long; the manager's own time-out may be shorter.
pub(super) fn stopping(longest: Duration) {
    let longest = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::Stopping,
        NotifyState::ExtendTimeoutUsec(longest),
    ]);
}

/// Tells the manager that the process lives, twice in each interval it has set, for as long as
/// the runtime turns. Inside a tokio runtime.
pub(super) fn watch() {
    let Some(interval) = sd_notify::watchdog_enabled() else {
        return;
    };
    // A millisecond, so that no setting makes it spin.
    let half = (interval / 2).max(Duration::from_millis(1));
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(half);
        loop {
            ticks.tick().await;
            tell(&[NotifyState::Watchdog]);
        }
    });
}

/// A manager that does not listen is no reason not to serve.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
