//! When what was decided about a client ends (W7).

use crate::auth::Admission;
use std::time::{Duration, Instant, SystemTime};

/// The time of day can be set, and a machine can sleep: it is looked at least so often whether the
/// time has come.
const LOOK_INTERVAL: Duration = Duration::from_secs(300);

/// Knows when to look.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    /// Boxed: most clients come by nothing that ends.
    ends: Option<Box<(SystemTime, Instant)>>,
}

impl Expiry {
    pub(super) fn of(now: Instant, admission: Option<&Admission>) -> Self {
        let expires = admission.and_then(|admission| admission.expires);
        Self {
            ends: expires.map(|expires| Box::new((expires, look_at(now, expires)))),
        }
    }

    /// When to ask [`Expiry::has_come`].
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.ends.as_ref().map(|ends| ends.1)
    }

    /// Whether it has come; said once.
    pub(super) fn has_come(&mut self, now: Instant) -> bool {
        let Some((expires, due)) = self.ends.as_deref().copied() else {
            return false;
        };
        if due > now {
            return false;
        }
        let has_come = expires <= crate::clock::time_of_day();
        // A millisecond at least, lest two clocks that disagree keep each other busy.
        let next = look_at(now, expires).max(due + Duration::from_millis(1));
        self.ends = (!has_come).then(|| Box::new((expires, next)));
        has_come
    }
}

fn look_at(now: Instant, expires: SystemTime) -> Instant {
    let left = expires.duration_since(crate::clock::time_of_day());
    now + left.unwrap_or_default().min(LOOK_INTERVAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn ends_in(seconds: u64) -> Expiry {
        let admission = Admission {
            expires: Some(clock::time_of_day() + Duration::from_secs(seconds)),
            ..Admission::default()
        };
        Expiry::of(clock::now(), Some(&admission))
    }

    /// Sleeps until it wants to look; says how often until it has come.
    async fn looks_until_over(mut expiry: Expiry) -> usize {
        for looks in 1..1000 {
            let due = expiry.poll_timeout().expect("it has not come");
            tokio::time::sleep_until(due.into()).await;
            if expiry.has_come(clock::now()) {
                assert_eq!(expiry.poll_timeout(), None);
                return looks;
            }
        }
        panic!("it never comes")
    }

    #[tokio::test(start_paused = true)]
    async fn w7_the_end_comes_when_it_is_due_and_once() {
        let _held = clock::held::hold();
        let began_at = clock::now();
        assert!(looks_until_over(ends_in(5)).await <= 3);
        let passed = clock::now() - began_at;
        assert!(passed >= Duration::from_secs(5), "{passed:?}");
        assert!(passed < Duration::from_millis(5100), "{passed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn w7_an_end_that_is_far_away_is_looked_for_now_and_then() {
        let _held = clock::held::hold();
        let began_at = clock::now();
        let looks = looks_until_over(ends_in(3600)).await;
        assert!((12..=15).contains(&looks), "{looks}");
        assert!(clock::now() - began_at >= Duration::from_secs(3600));
    }

    #[tokio::test(start_paused = true)]
    async fn w7_without_an_end_nothing_is_looked_for() {
        let mut never = Expiry::of(clock::now(), Some(&Admission::default()));
        assert_eq!(never.poll_timeout(), None);
        assert!(!never.has_come(clock::now()));
        assert!(Expiry::of(clock::now(), None).poll_timeout().is_none());
        let far = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(i64::MAX as u64));
        let admission = Admission {
            expires: far,
            ..Admission::default()
        };
        let expiry = Expiry::of(clock::now(), Some(&admission));
        assert!(expiry.poll_timeout().is_some());
    }
}
