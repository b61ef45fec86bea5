//! Runs of seeds.

use super::world::{self, Outcome};
use std::cell::Cell;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

/// No seed takes as long, even where everything is slow. One that does goes round in circles
/// while its clock stands still.
const WATCH_TIME: Duration = Duration::from_secs(120);

thread_local! {
    /// A task of the server panicked; the runtime would hide it.
    static HAS_PANICKED: Cell<bool> = const { Cell::new(false) };
}

fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let former = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            HAS_PANICKED.set(true);
            former(info);
        }));
    });
}

/// Runs one seed on this thread.
pub(super) fn simulate(seed: u64, is_printed: bool) -> Outcome {
    note_panics();
    HAS_PANICKED.set(false);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let run = AssertUnwindSafe(|| runtime.block_on(world::run(seed, is_printed)));
    let mut outcome = std::panic::catch_unwind(run).unwrap_or_default();
    drop(runtime);
    if HAS_PANICKED.get() {
        outcome.failures.push("something panicked".to_owned());
    }
    outcome
}

pub(super) fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

/// What came of many seeds.
#[derive(Debug, Default)]
pub(super) struct Total {
    pub failed: Vec<u64>,
    pub sent: usize,
    pub owed: usize,
    pub seen: usize,
    /// What runs, since when.
    running: Vec<(u64, Instant)>,
}

/// Runs seeds on all cores.
pub(super) fn simulate_all(seeds: Range<u64>) -> Total {
    let next = AtomicU64::new(seeds.start);
    let total = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return;
                }
                lock(&total).running.push((seed, Instant::now()));
                let outcome = simulate(seed, false);
                lock(&total).add(seed, &outcome);
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        while !workers.iter().all(|worker| worker.is_finished()) {
            std::thread::sleep(Duration::from_millis(50));
            lock(&total).watch();
        }
    });
    total.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Total {
    fn add(&mut self, seed: u64, outcome: &Outcome) {
        let (sent, owed, seen) = outcome.figures;
        self.sent += sent;
        self.owed += owed;
        self.seen += seen;
        self.running.retain(|(other, _)| *other != seed);
        if !outcome.failures.is_empty() {
            eprintln!("STANZAD_SEED={seed}: {:?}", outcome.failures);
            self.failed.push(seed);
        }
    }

    fn watch(&self) {
        let stuck = |(_, since): &&(u64, Instant)| since.elapsed() > WATCH_TIME;
        if let Some((seed, _)) = self.running.iter().find(stuck) {
            eprintln!("STANZAD_SEED={seed}: it does not come to an end");
            std::process::abort();
        }
    }
}

fn lock(total: &Mutex<Total>) -> MutexGuard<'_, Total> {
    total.lock().unwrap_or_else(PoisonError::into_inner)
}
