//! Tells connections that the server stops: at a pace, so that not all clients come back in the
//! same breath.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Begins the departure, and knows when the last one is gone.
#[derive(Debug, Clone)]
pub struct Departure(Arc<watch::Sender<Option<Arc<Schedule>>>>);

/// Held by everything that has to go before the server stops; clones belong to the same server.
#[derive(Debug, Clone)]
pub struct Stopping(watch::Receiver<Option<Arc<Schedule>>>);

/// What becomes of the sessions that can be resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// They go on with the next process: their links end without a word, so that clients come back.
    UntilLater,
    /// They end with this one.
    ForGood,
}

#[derive(Debug)]
struct Schedule {
    began_at: Instant,
    /// `None`: all at once.
    interval: Option<Duration>,
    next: AtomicU32,
    farewell: Farewell,
}

/// A departure that has not begun.
pub fn departure() -> (Departure, Stopping) {
    let (sender, receiver) = watch::channel(None);
    (Departure(Arc::new(sender)), Stopping(receiver))
}

impl Departure {
    /// For one more who has to go before the server stops. Ask it at once whether the stop
    /// [`has_begun`](Stopping::has_begun): nobody waits for those who came after it.
    pub fn stopping(&self) -> Stopping {
        Stopping(self.0.subscribe())
    }

    /// Lets go of so many a second; 0: of all at once.
    pub fn begin(&self, per_second: u32, farewell: Farewell) {
        let schedule = Schedule {
            began_at: Instant::now(),
            interval: Duration::from_secs(1).checked_div(per_second),
            next: AtomicU32::new(0),
            farewell,
        };
        self.0.send_replace(Some(Arc::new(schedule)));
    }

    /// Waits until every [`Stopping`] is dropped.
    pub async fn all_gone(&self) {
        self.0.closed().await;
    }

    /// How many hold a [`Stopping`].
    pub fn remaining(&self) -> usize {
        self.0.receiver_count()
    }
}

impl Stopping {
    /// Whether the server stops.
    pub fn has_begun(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until the server stops.
    pub async fn begun(mut self) {
        self.schedule().await;
    }

    /// Waits until the server stops and the holder is to go.
    pub async fn my_turn(&mut self) -> Farewell {
        let Some(schedule) = self.schedule().await else {
            return Farewell::ForGood;
        };
        if let Some(interval) = schedule.interval {
            let place = schedule.next.fetch_add(1, Ordering::Relaxed);
            // Boxed: every connection waits here all its life, and few for this.
            Box::pin(tokio::time::sleep_until(
                schedule.began_at + interval * place,
            ))
            .await;
        }
        schedule.farewell
    }

    /// `None`: the server is gone without a stop.
    async fn schedule(&mut self) -> Option<Arc<Schedule>> {
        let begun = self.0.wait_for(Option::is_some).await;
        begun.ok().and_then(|schedule| schedule.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn leave_in(count: usize, per_second: u32) -> Vec<Duration> {
        let (departure, stopping) = departure();
        let leaving: Vec<_> = (0..count)
            .map(|_| {
                let mut stopping = stopping.clone();
                tokio::spawn(async move {
                    stopping.my_turn().await;
                    Instant::now()
                })
            })
            .collect();
        drop(stopping);
        let began_at = Instant::now();
        departure.begin(per_second, Farewell::UntilLater);
        departure.all_gone().await;
        let mut left = Vec::new();
        for task in leaving {
            left.push(task.await.unwrap() - began_at);
        }
        left.sort();
        left
    }

    #[tokio::test(start_paused = true)]
    async fn connections_go_one_after_the_other_at_the_pace_that_is_set() {
        let left = leave_in(5, 2).await;
        let half = Duration::from_millis(500);
        let expected: Vec<_> = (0..5).map(|place| half * place).collect();
        // The clock of the runtime is good to a millisecond.
        let differs = |(a, b): (&Duration, &Duration)| a.abs_diff(*b) > Duration::from_millis(2);
        assert!(!left.iter().zip(&expected).any(differs), "{left:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_pace_all_go_at_once() {
        let left = leave_in(100, 0).await;
        assert!(left.iter().all(Duration::is_zero), "{left:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_goes_before_the_departure_begins() {
        let (departure, mut stopping) = departure();
        let turn = tokio::time::timeout(Duration::from_secs(3600), stopping.my_turn());
        assert!(turn.await.is_err());
        assert!(!stopping.has_begun());
        assert_eq!(departure.remaining(), 1);
    }
}
