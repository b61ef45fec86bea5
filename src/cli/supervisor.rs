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
    tell(&[
        NotifyState::Stopping,
        NotifyState::ExtendTimeoutUsec(micros(longest)),
    ]);
}

/// How often the manager is asked for more time.
const EXTENSION_INTERVAL: Duration = Duration::from_secs(20);

/// How much more, counted from then: three times as long, for a machine that is busy.
const EXTENSION: Duration = Duration::from_secs(60);

/// For how long it is asked. From then on the manager decides about a stop that does not end.
const EXTENSION_MAX: Duration = Duration::from_secs(3600);

/// Asks for more time again and again: to store much takes what it takes. Inside a tokio runtime.
pub(super) fn stop_goes_on() {
    tokio::spawn(ask_for_time(|| {
        let longest = micros(EXTENSION);
        tell(&[NotifyState::ExtendTimeoutUsec(longest)]);
    }));
}

async fn ask_for_time(ask: impl Fn()) {
    let mut ticks = tokio::time::interval(EXTENSION_INTERVAL);
    ticks.tick().await; // at once: the manager was told when the stop began
    let times = EXTENSION_MAX.as_secs() / EXTENSION_INTERVAL.as_secs();
    for _ in 0..times {
        ticks.tick().await;
        ask();
    }
    tracing::warn!("the stop takes long: the service manager is asked for no more time");
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[tokio::test(start_paused = true)]
    async fn more_time_is_asked_for_while_a_stop_goes_on_and_not_for_ever() {
        let began = tokio::time::Instant::now();
        let asked = RefCell::new(Vec::new());
        ask_for_time(|| asked.borrow_mut().push(began.elapsed().as_secs())).await;
        let asked = asked.into_inner();
        assert_eq!(asked[..3], [20, 40, 60]);
        assert_eq!(asked.last(), Some(&3600));
    }
}
