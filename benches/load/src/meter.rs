//! What the server's processes use: CPU time and memory, by their ids.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

pub struct Meter {
    pids: Vec<i32>,
    clocks: Vec<ClockId>,
}

#[derive(Clone, Copy)]
pub struct Reading {
    at: Instant,
    /// All threads, also those that ended, to the nanosecond.
    server: Duration,
    /// The same from /proc/PID/stat, in steps of 10 ms: a cross-check, and how it is divided.
    user: Duration,
    system: Duration,
    own: Duration,
}

/// What happened between two readings.
#[derive(Clone, Copy, Default)]
pub struct Spent {
    pub seconds: f64,
    pub server: Duration,
    pub user: Duration,
    pub system: Duration,
    pub own: Duration,
}

#[derive(Clone, Copy, Default)]
pub struct Memory {
    pub rss: u64,
    pub pss: u64,
    pub anonymous: u64,
}

impl Meter {
    pub fn new(pids: &[i32]) -> Result<Self> {
        let clocks = pids
            .iter()
            .map(|pid| clock_getcpuclockid(Pid::from_raw(*pid)).with_context(|| format!("{pid}")));
        Ok(Self {
            pids: pids.to_vec(),
            clocks: clocks.collect::<Result<_>>()?,
        })
    }

    pub fn read(&self) -> Result<Reading> {
        let mut reading = Reading {
            at: Instant::now(),
            server: Duration::ZERO,
            user: Duration::ZERO,
            system: Duration::ZERO,
            own: clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into(),
        };
        for clock in &self.clocks {
            reading.server += Duration::from(clock_gettime(*clock).context("the server is gone")?);
        }
        for pid in &self.pids {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
            let (user, system) = ticks(&stat).context("/proc/PID/stat")?;
            reading.user += user;
            reading.system += system;
        }
        Ok(reading)
    }

    pub fn memory(&self) -> Result<Memory> {
        let mut sum = Memory::default();
        for pid in &self.pids {
            let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
            sum.rss += kilobytes(&text, "Rss:");
            sum.pss += kilobytes(&text, "Pss:");
            sum.anonymous += kilobytes(&text, "Anonymous:");
        }
        Ok(sum)
    }
}

impl Reading {
    pub fn since(&self, before: &Reading) -> Spent {
        Spent {
            seconds: (self.at - before.at).as_secs_f64(),
            server: self.server - before.server,
            user: self.user - before.user,
            system: self.system - before.system,
            own: self.own - before.own,
        }
    }
}

/// User and system time; the name of the process before them may hold anything.
fn ticks(stat: &str) -> Option<(Duration, Duration)> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    // USER_HZ is 100 on every machine that this runs on.
    let mut next = || {
        Some(Duration::from_millis(
            10 * fields.next()?.parse::<u64>().ok()?,
        ))
    };
    Some((next()?, next()?))
}

fn kilobytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.trim().strip_suffix("kB"));
    number
        .and_then(|number| number.trim().parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_is_seen_to_work() {
        let meter = Meter::new(&[std::process::id() as i32]).unwrap();
        let before = meter.read().unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(50) {}
        let spent = meter.read().unwrap().since(&before);
        assert!(
            spent.server > Duration::from_millis(10),
            "{:?}",
            spent.server
        );
        assert!(meter.memory().unwrap().rss > 100_000);
    }

    #[test]
    fn the_times_are_found_behind_a_name_with_blanks_and_brackets() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 120 34 0 0";
        assert_eq!(
            ticks(stat),
            Some((Duration::from_millis(1200), Duration::from_millis(340)))
        );
    }
}
