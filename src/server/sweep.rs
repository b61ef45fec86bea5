//! What happens about once a second: sessions that hibernated long enough end.

use crate::http::driver::{Rooms, end};
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(1);

/// Runs until it is dropped.
pub(super) async fn run(rooms: Rooms) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for ending in rooms.sessions.expire(Instant::now()) {
            end(&rooms, ending).await;
        }
    }
}
