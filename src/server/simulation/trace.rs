//! What happened, for whoever looks into a failure; and its hash, which shows that it happens again.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use tokio::time::Instant;

/// More happens only where something goes round in circles.
const MOST: u64 = 1_000_000;

pub(super) struct Trace {
    began: Instant,
    hasher: DefaultHasher,
    is_printed: bool,
    pub events: u64,
}

impl Trace {
    pub fn new(is_printed: bool) -> Self {
        Self {
            began: Instant::now(),
            hasher: DefaultHasher::new(),
            is_printed,
            events: 0,
        }
    }

    pub fn note(&mut self, who: &str, what: fmt::Arguments<'_>) {
        let at = self.began.elapsed().as_millis();
        let line = format!("{at:>8} {who:<14} {what}");
        line.hash(&mut self.hasher);
        self.events += 1;
        assert!(self.events < MOST, "no end to it: {line}");
        if self.is_printed {
            eprintln!("{line}");
        }
    }

    pub fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}
