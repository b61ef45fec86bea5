//! The one place that reads the clocks. Everything else takes time as an argument or asks here.

use std::time::{Instant, SystemTime};

/// The time that counts: that of the runtime, so that a test which holds the clock of the runtime
/// holds all of the server.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The time of day, for what people read.
pub(crate) fn time_of_day() -> SystemTime {
    #[cfg(test)]
    if let Some(time) = held::time_of_day() {
        return time;
    }
    SystemTime::now()
}

/// A time of day that goes with the clock of the runtime, for whoever holds that one.
#[cfg(test)]
pub(crate) mod held {
    use std::cell::Cell;
    use std::time::{Duration, SystemTime};

    thread_local! {
        /// When the clock was held, and what was read last.
        static HELD: Cell<Option<(tokio::time::Instant, SystemTime)>> = const { Cell::new(None) };
    }

    /// When it begins.
    const EPOCH: SystemTime = SystemTime::UNIX_EPOCH;
    const BEGINS_AT: Duration = Duration::from_secs(1_700_000_000);

    /// From now on, and on this thread, until the guard is dropped.
    pub(crate) fn hold() -> Guard {
        HELD.set(Some((tokio::time::Instant::now(), EPOCH + BEGINS_AT)));
        Guard
    }

    pub(crate) struct Guard;

    impl Drop for Guard {
        fn drop(&mut self) {
            HELD.set(None);
        }
    }

    /// No two readings are the same, as with a real clock: work takes time, also where that of the
    /// runtime stands still.
    pub(super) fn time_of_day() -> Option<SystemTime> {
        let (since, last) = HELD.get()?;
        let now = EPOCH + BEGINS_AT + since.elapsed();
        let now = now.max(last + Duration::from_micros(1));
        HELD.set(Some((since, now)));
        Some(now)
    }
}
