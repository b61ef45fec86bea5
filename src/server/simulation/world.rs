//! What everybody shares, and the plan of a run.

use super::client::{Client, Habits};
use super::oracle::Oracle;
use super::process::Process;
use super::rng::Rng;
use super::store::SimStore;
use super::tables::Disk;
use super::trace::Trace;
use crate::config::{Config, Durability, Sources};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// What everybody shares.
pub(super) struct World {
    pub config: Config,
    disk: Disk,
    process: Mutex<Option<Arc<Process>>>,
    oracle: Mutex<Oracle>,
    trace: Mutex<Trace>,
    is_calm: AtomicBool,
    /// Full addresses that clients made known, by account; some are out of date.
    addresses: Mutex<Vec<Vec<String>>>,
    /// Until then everything happens; from then on nothing breaks.
    pub rough_until: Instant,
    /// Then clients close their streams.
    pub calm_until: Instant,
}

/// What came of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub hash: u64,
    pub failures: Vec<String>,
    /// Messages sent, owed, and seen.
    pub figures: (usize, usize, usize),
}

/// How long it is calm before clients close: longer than any timer of a link.
const CALM: Duration = Duration::from_secs(180);

/// How much later than committed something may be that a crash undoes: the store is not slower.
const COMMIT_TIME: Duration = Duration::from_secs(5);

impl World {
    fn new(rng: &mut Rng, is_printed: bool) -> Arc<Self> {
        let config = config(rng);
        let now = Instant::now();
        let rough_until = now + rng.millis(20_000, 240_000);
        let accounts = rng.between(2, 4) as usize;
        let disk = Disk::default();
        let mut oracle = Oracle::default();
        for account in 0..accounts {
            disk.add_account(address(account).parse().expect("an address"));
            // The last one is of those who acknowledge nothing, at times.
            if account + 1 < accounts || rng.percent(50) {
                oracle.managed.insert(account);
            }
        }
        Arc::new(Self {
            config,
            disk,
            process: Mutex::default(),
            oracle: Mutex::new(oracle),
            trace: Mutex::new(Trace::new(is_printed)),
            is_calm: AtomicBool::new(false),
            addresses: Mutex::new(vec![Vec::new(); accounts]),
            rough_until,
            calm_until: rough_until + CALM,
        })
    }

    pub fn note(&self, who: &str, what: fmt::Arguments<'_>) {
        lock(&self.trace).note(who, what);
    }

    pub fn fail(&self, who: &str, failure: String) {
        self.note(who, format_args!("FAILURE {failure}"));
        self.oracle().fail(format!("{who}: {failure}"));
    }

    pub fn oracle(&self) -> MutexGuard<'_, Oracle> {
        lock(&self.oracle)
    }

    /// The process that answers, if one does.
    pub fn process(&self) -> Option<Arc<Process>> {
        let process = lock(&self.process).clone();
        process.filter(|process| process.is_up())
    }

    /// Whether nothing breaks any more.
    pub fn is_calm(&self) -> bool {
        self.is_calm.load(Ordering::Relaxed)
    }

    pub fn accounts(&self) -> usize {
        lock(&self.addresses).len()
    }

    pub fn publish(&self, account: usize, address: &str) {
        let mut addresses = lock(&self.addresses);
        let known = &mut addresses[account];
        if !known.iter().any(|other| other == address) {
            known.push(address.to_owned());
        }
    }

    /// One of the last addresses of an account.
    pub fn address_of(&self, account: usize, rng: &mut Rng) -> Option<String> {
        let addresses = lock(&self.addresses);
        let known = &addresses[account];
        let last = &known[known.len().saturating_sub(3)..];
        (!last.is_empty()).then(|| rng.pick(last).clone())
    }

    /// What was promised holds also where the process does not come to its end.
    fn survives_crashes(&self) -> bool {
        self.config.sm.durability == Durability::Always
    }

    /// Starts a process. Now and then it crashes while it brings the sessions back.
    async fn start(&self, rng: &mut Rng) {
        while !self.try_start(rng).await {
            sleep(rng.millis(0, 2_000)).await;
        }
    }

    async fn try_start(&self, rng: &mut Rng) -> bool {
        let store = SimStore::open(&self.disk, self.survives_crashes(), rng.fork());
        let start = Process::start(&self.config, &store);
        let patience = match rng.percent(15) {
            true => rng.millis(0, 60),
            false => Duration::MAX,
        };
        match timeout(patience, start).await {
            Ok(process) => {
                let sessions = process.sessions().len();
                self.note("server", format_args!("starts with {sessions} sessions"));
                *lock(&self.process) = Some(process);
                true
            }
            Err(_) => {
                store.crash();
                self.on_crash("while it starts");
                false
            }
        }
    }

    async fn stop(&self) {
        let Some(process) = self.process() else {
            return;
        };
        self.note("server", format_args!("stops"));
        let in_time = process.stop().await;
        let sessions = process.sessions();
        let (left, kept) = match self.config.sm.durability {
            Durability::Memory => (sessions.len(), 0),
            _ => (sessions.len() - sessions.hibernating(), sessions.len()),
        };
        self.note(
            "server",
            format_args!("stopped, in time: {in_time}, with {kept} sessions"),
        );
        if !in_time || left != 0 {
            self.fail(
                "server",
                format!("stopped in time: {in_time}; left: {left}"),
            );
        }
    }

    /// The process crashes before it has stopped.
    async fn stop_and_crash(&self, after: Duration) {
        if timeout(after, self.stop()).await.is_err() {
            self.crash("while it stops");
        }
    }

    fn crash(&self, when: &str) {
        if let Some(process) = self.process() {
            process.crash();
            self.on_crash(when);
        }
    }

    fn on_crash(&self, when: &str) {
        self.note("server", format_args!("crashes {when}"));
        if !self.survives_crashes() {
            let recent = Instant::now() - COMMIT_TIME;
            self.oracle().crash(recent);
        }
    }
}

/// Runs one seed.
pub(super) async fn run(seed: u64, is_printed: bool) -> Outcome {
    let _clock = crate::clock::held::hold();
    let _names = crate::random::seeded::seed(seed);
    let mut rng = Rng::new(seed);
    let world = World::new(&mut rng, is_printed);
    world.start(&mut rng).await;
    let fate = tokio::spawn(misfortune(world.clone(), rng.fork()));
    let clients: Vec<_> = habits(&world, &mut rng)
        .into_iter()
        .enumerate()
        .map(|(device, habits)| Client::new(&world, device, habits, rng.fork()))
        .map(|client| tokio::spawn(client.live()))
        .collect();
    sleep_until(world.rough_until).await;
    fate.await.expect("fate runs to its end");
    world.is_calm.store(true, Ordering::Relaxed);
    world.note("world", format_args!("is calm"));
    for client in clients {
        if client.await.is_err() {
            world.fail("world", "a client panicked".to_owned());
        }
    }
    finish(&world, &mut rng).await;
    let mut oracle = world.oracle();
    oracle.judge();
    Outcome {
        hash: lock(&world.trace).hash(),
        failures: oracle.failures.clone(),
        figures: oracle.figures(),
    }
}

/// Everybody is gone: what was left behind is collected, and the server must hold nothing.
async fn finish(world: &Arc<World>, rng: &mut Rng) {
    sleep(world.config.sm.resume_timeout + Duration::from_secs(200)).await;
    check_empty(world, "after everybody left");
    for account in 0..world.accounts() {
        let habits = Habits::of_collector(account);
        let collector = Client::new(world, 100 + account, habits, rng.fork());
        tokio::spawn(collector.collect())
            .await
            .expect("a collector");
        let kept = world
            .disk
            .kept(&address(account).parse().expect("an address"));
        if kept != 0 {
            world.fail(
                "world",
                format!("{kept} messages stay stored for {account}"),
            );
        }
    }
    sleep(Duration::from_secs(5)).await;
    check_empty(world, "at the end");
    world.stop().await;
    let (sessions, stanzas) = world.disk.sessions();
    if (sessions, stanzas) != (0, 0) {
        world.fail(
            "world",
            format!("{sessions} sessions and {stanzas} stanzas stay stored"),
        );
    }
}

fn check_empty(world: &World, when: &str) {
    let left = world
        .process()
        .map_or(0, |process| process.sessions().len());
    if left != 0 {
        world.fail("server", format!("{left} sessions {when}"));
    }
}

/// What befalls the process; at times again before it has dealt with what befell it.
async fn misfortune(world: Arc<World>, mut rng: Rng) {
    let times = rng.weighted(&[40, 30, 15, 15]);
    for _ in 0..times {
        let left = world.rough_until.saturating_duration_since(Instant::now());
        let pause = match rng.percent(30) {
            true => rng.millis(0, 3_000),
            false => left.mul_f64(rng.between(0, 100) as f64 / 100.0),
        };
        sleep(pause.min(left)).await;
        match rng.weighted(&[45, 10, 45]) {
            0 => world.stop().await,
            1 => world.stop_and_crash(rng.millis(0, 1_500)).await,
            _ => world.crash("at work"),
        }
        sleep(rng.millis(0, 5_000)).await;
        world.start(&mut rng).await;
    }
}

/// The address of an account.
pub(super) fn address(account: usize) -> String {
    format!("user{account}@example.org")
}

fn habits(world: &World, rng: &mut Rng) -> Vec<Habits> {
    let mut all = Vec::new();
    for account in 0..world.accounts() {
        let is_managed = world.oracle().managed.contains(&account);
        for _ in 0..rng.between(1, 3) {
            all.push(Habits::draw(account, is_managed, rng));
        }
    }
    all
}

fn config(rng: &mut Rng) -> Config {
    let mut pick = |key: &str, of: &[&str]| format!("{key}={}", rng.pick(of));
    let set = vec![
        "domain=example.org".to_owned(),
        pick("sm.unsolicited_ack_frequency", &["0", "0", "1", "3"]),
        pick("sm.ack_request_frequency", &["0", "1", "5"]),
        pick("sm.ack_request_delay", &["100ms", "250ms", "2s"]),
        pick("sm.ack_timeout", &["5s", "60s"]),
        pick(
            "sm.durability",
            &["memory", "restart", "restart", "always", "always", "always"],
        ),
        pick("sm.resume_timeout", &["3s", "20s", "60s", "600s"]),
        pick("sm.max_unacked", &["10", "20", "1000"]),
        pick("sm.max_hibernating_per_user", &["1", "2", "8"]),
        pick("sm.debug_first_h", &["0", "4294967285", "2147483640"]),
        pick("limits.send_queue", &["16", "16", "256"]),
        pick("limits.sessions_per_user", &["4", "20"]),
        pick("bosh.inactivity", &["5s", "60s"]),
        "ws.ping_interval=25s".to_owned(),
        "ws.idle_timeout=90s".to_owned(),
    ];
    let sources = Sources {
        set,
        ..Sources::default()
    };
    Config::load(&sources).expect("the options are good")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
