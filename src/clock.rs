//! The one place that reads the clocks. Everything else takes time as an argument or asks here.

use std::time::{Instant, SystemTime};

/// The time that counts: that of the runtime, so that a test which holds the clock of the runtime
/// holds all of the server.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The time of day, for what people read.
pub(crate) fn time_of_day() -> SystemTime {
    SystemTime::now()
}
