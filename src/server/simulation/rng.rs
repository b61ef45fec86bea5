//! Chance that can be had again.

use crate::random::seeded::step;
use std::time::Duration;

/// A stream of numbers that a seed fixes.
#[derive(Debug, Clone)]
pub(super) struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        // Seeds that stand beside each other are not to begin alike.
        Self(step(seed ^ 0x5eed_5eed_5eed_5eed).0)
    }

    pub fn next(&mut self) -> u64 {
        let (number, state) = step(self.0);
        self.0 = state;
        number
    }

    /// Another stream: what is drawn from it changes nothing here.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// `low..=high`
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }

    pub fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.next() as usize % of.len()]
    }

    /// The index of one weight, drawn by weight.
    pub fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut left = self.next() % weights.iter().sum::<u64>();
        for (index, weight) in weights.iter().enumerate() {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return index,
            }
        }
        0
    }
}
