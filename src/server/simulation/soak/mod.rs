//! A week in minutes: sessions come, go, hibernate, expire, are resumed, replaced and restored by
//! the hundred thousand, from tens of thousands of addresses, while the clock runs ahead.
//!
//! Each day ends with a quiet time in which the last guest leaves and the last session expires.
//! Then nothing that belongs to somebody may be left in any table, and of what is remembered no
//! more than its bound: a table that only grows is found, whatever its rows weigh.
//!
//! `STANZAD_SOAK=week cargo test --release --lib simulation::soak -- --nocapture` is the week;
//! `STANZAD_SOAK=day` one day of it. Without, three short days.

mod guest;
mod house;
mod link;
mod town;

use super::rng::Rng;
use crate::census::Count;
use crate::sessions::Session;
use guest::Guest;
use house::{House, Remains};
use std::fmt::Write;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};
use town::Town;

/// How it is run.
struct Plan {
    days: usize,
    /// From one quiet time to the end of the next.
    day: Duration,
    /// How many guests come on a day.
    guests: u32,
    /// On every third day the server is stopped and started that often. Before the first of these
    /// days one process has the time to fill every table that has a bound.
    restarts: u32,
    accounts: usize,
    addresses: u64,
}

/// The end of a day, without new guests: as long as the last guest stays away, its session waits,
/// and the server remembers what it sent.
const QUIET: Duration = Duration::from_secs(150 * 60);

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A table that lost nothing may need that much more than on the first day: its parts lie elsewhere.
const RSS_TOLERANCE_KIB: usize = 8 * 1024;

impl Plan {
    const SHORT: Self = Self {
        days: 3,
        day: Duration::from_secs(4 * 60 * 60),
        guests: 300,
        restarts: 2,
        accounts: 60,
        addresses: 300,
    };

    const WEEK: Self = Self {
        days: 7,
        day: Duration::from_secs(24 * 60 * 60),
        guests: 40_000,
        restarts: 6,
        accounts: 3_000,
        addresses: 80_000,
    };
}

/// One of these runs.
struct Soak {
    town: Arc<Town>,
    plan: Plan,
    rng: Rng,
    /// Sessions that were here at some time: none may outlive its place in the registry.
    seen: Vec<Weak<Session>>,
    stopped: Vec<Remains>,
    processes: u32,
    began: std::time::Instant,
    /// After each day.
    rss_kib: Vec<usize>,
}

impl Soak {
    async fn new(plan: Plan) -> Self {
        let town = Town::new(plan.accounts, plan.addresses);
        let mut soak = Self {
            town,
            plan,
            rng: Rng::new(1),
            seen: Vec::new(),
            stopped: Vec::new(),
            processes: 0,
            began: std::time::Instant::now(),
            rss_kib: Vec::new(),
        };
        soak.open().await;
        soak
    }

    /// Every other process writes a journal.
    async fn open(&mut self) {
        self.processes += 1;
        let is_journaled = self.processes.is_multiple_of(2);
        let house = House::open(&self.town, is_journaled, self.rng.fork()).await;
        self.town.set_house(house);
    }

    async fn stop(&mut self) {
        let house = self.town.take_house().expect("a process");
        self.stopped.push(house.stop().await);
    }

    async fn run(mut self) {
        for day in 1..=self.plan.days {
            let ends = Instant::now() + self.plan.day;
            self.busy_time(day, ends - QUIET).await;
            sleep_until(ends).await;
            self.check_rest(&format!("day {day}"));
            self.rss_kib.push(rss_kib());
        }
        self.let_go().await;
        self.check_memory();
    }

    /// Guests come, and now and then the server is stopped and started under them.
    async fn busy_time(&mut self, day: usize, until: Instant) {
        let time = until - Instant::now();
        let pause = time / self.plan.guests;
        let restarts = match day.is_multiple_of(3) {
            true => self.plan.restarts,
            false => 0,
        };
        let between_restarts = time / (restarts + 1);
        let noon = Instant::now() + time / 2;
        let mut restart = Instant::now() + between_restarts;
        let mut has_looked = false;
        while Instant::now() < until {
            sleep(pause.mul_f64(self.rng.between(0, 200) as f64 / 100.0)).await;
            tokio::spawn(Guest::new(&self.town, self.rng.fork()).visit());
            if self.rng.percent(2) {
                self.watch_sessions();
            }
            if !has_looked && Instant::now() > noon {
                has_looked = true;
                self.report(&format!("noon {day}"));
            }
            if Instant::now() > restart && until > restart {
                restart += between_restarts;
                self.stop().await;
                sleep(self.rng.millis(0, 20_000)).await;
                self.open().await;
            }
        }
    }

    /// Some sessions of this moment are looked for later.
    fn watch_sessions(&mut self) {
        let sessions = self.town.with_house(|house| house.sessions().all());
        let sessions = sessions.expect("a process");
        self.seen.retain(|session| session.strong_count() > 0);
        self.seen
            .extend(sessions.iter().take(100).map(Arc::downgrade));
    }

    fn census(&self) -> Vec<Count> {
        let mut all = self.town.with_house(House::census).unwrap_or_default();
        let (sessions, stanzas) = self.town.disk.sessions();
        let seen = self
            .seen
            .iter()
            .filter(|session| session.strong_count() > 0);
        let remains = self.stopped.iter().filter(|remains| !remains.is_nothing());
        // One for the plan, one to sweep, one to write, and a little time to end.
        let tasks = tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks();
        all.extend([
            Count::live("guests", self.town.figures().guests),
            Count::live("stored sessions", sessions),
            Count::live("stored stanzas of sessions", stanzas),
            Count::live("sessions that somebody holds", seen.count()),
            Count::live("processes that were stopped", remains.count()),
            Count::memory("tasks", tasks, 3),
            Count::memory(
                "stored messages",
                self.town.stored_messages(),
                self.plan.accounts * self.town.config.limits.offline_messages,
            ),
        ]);
        all
    }

    /// Prints what happened so far and what there is.
    fn report(&self, when: &str) -> Vec<Count> {
        let census = self.census();
        let figures = self.town.figures().clone();
        let mut line = format!(
            "{when} ({:.0?}, RSS {} KiB)\n  so far: {} links ({} turned away), {} sessions, {} resumed \
             ({} by the other transport, {} refused), {} wrong passwords, {} messages sent, {} received\n  ended:",
            self.began.elapsed(),
            rss_kib(),
            figures.links,
            figures.turned_away,
            figures.sessions,
            figures.resumed,
            figures.resumed_by_other_transport,
            figures.not_resumed,
            figures.wrong_passwords,
            figures.messages_sent,
            figures.messages_received,
        );
        for (reason, count) in &figures.ended {
            let _ = write!(line, " {reason} {count}");
        }
        line.push_str("; stream errors:");
        for (condition, count) in &figures.errors {
            let _ = write!(line, " {condition} {count}");
        }
        line.push_str("\n  there are:");
        for Count { what, count, .. } in census.iter().filter(|count| count.count > 0) {
            let _ = write!(line, " {what} {count};");
        }
        eprintln!("{line}");
        census
    }

    /// Nobody is here: every table is empty, or within its bound.
    fn check_rest(&self, when: &str) {
        let census = self.report(when);
        let too_many = census.iter().filter(|count| count.count > count.at_rest);
        let too_many: Vec<_> = too_many.collect();
        assert!(too_many.is_empty(), "{when}: {too_many:?}");
    }

    /// Everybody takes what is stored for them; then the server stops.
    async fn let_go(&mut self) {
        for account in 0..self.plan.accounts {
            let collector = |rng| Guest::collector(&self.town, account, rng);
            let mut tries = 0;
            while !collector(self.rng.fork()).collect().await {
                tries += 1;
                assert!(tries < 5, "{account} cannot come");
                sleep(Duration::from_secs(20)).await;
            }
        }
        sleep(2 * HOUR).await;
        self.check_rest("everything is let go");
        assert_eq!(self.town.stored_messages(), 0);
        self.stop().await;
        sleep(HOUR).await;
        self.check_rest("the server is stopped");
    }

    /// What the process takes at the end is what it took after the first day, in which the tables
    /// that remember may not have reached their bounds.
    fn check_memory(&self) {
        let (first, last) = (self.rss_kib[0], self.rss_kib[self.rss_kib.len() - 1]);
        eprintln!("RSS after each day, in KiB: {:?}", self.rss_kib);
        assert!(
            last <= first + RSS_TOLERANCE_KIB,
            "RSS grows: {:?}",
            self.rss_kib
        );
    }
}

/// What the process takes; 0 where nobody tells.
fn rss_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number.map_or(0, |number| number.trim().parse().expect("a number"))
}

/// Pain list 1, 8, 20 and 29: whatever becomes of sessions, nothing of them stays.
#[test]
fn days_go_by_and_every_table_is_empty_when_all_have_left() {
    let plan = match std::env::var("STANZAD_SOAK").as_deref() {
        Ok("week") => Plan::WEEK,
        Ok("day") => Plan {
            days: 1,
            ..Plan::WEEK
        },
        _ => Plan::SHORT,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let _clock = crate::clock::held::hold();
        let _names = crate::random::seeded::seed(1);
        Soak::new(plan).await.run().await;
    });
}
