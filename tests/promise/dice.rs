//! Chance that comes from one number, so that a run can be told to fall the same way again.

use std::time::Duration;

/// xorshift64*: no cryptography, only variety.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        dice.next(); // neighbours begin alike
        dice
    }

    /// Dice of its own for number `n` of something.
    pub fn fork(&self, n: u64) -> Self {
        Self::new(self.0.wrapping_add(n.wrapping_mul(0xd134_2543_de82_ef95)))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub fn below(&mut self, bound: usize) -> usize {
        match bound {
            0 => 0,
            bound => (self.next() % bound as u64) as usize,
        }
    }

    pub fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }

    /// So many milliseconds, at least `from` and less than `to`.
    pub fn millis(&mut self, (from, to): (u64, u64)) -> Duration {
        let span = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
        Duration::from_millis(from + self.below(span) as u64)
    }
}
