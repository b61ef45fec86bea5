//! What the server holds for clients, in bytes, and how much that may be (`limits.memory`).
//!
//! Whatever is held carries a [`Charge`], which is given back when it goes, wherever it goes. So
//! nothing is counted twice, and nothing is forgotten. There is no lock: one counter for the whole
//! server and one for each session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// What a stanza takes beside its text: its place in a queue that may be half empty, the head of
/// the text, and what the allocator adds.
const STANZA_OVERHEAD: usize = 256;

/// What a stanza with a text of so many bytes is charged with.
pub fn stanza_bytes(text: usize) -> usize {
    text.saturating_add(STANZA_OVERHEAD)
}

/// How near the bound is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// There is room.
    Free,
    /// Three quarters are taken: who sends to a client with unread mail is slowed.
    Tight,
    /// All is taken: the sessions that hold most end, and every sender is slowed until then.
    Full,
}

/// The bound, and what is held.
#[derive(Debug)]
pub struct Budget {
    held: AtomicUsize,
    limit: AtomicUsize,
    reached: Notify,
}

impl Budget {
    /// One without a bound.
    pub fn unlimited() -> Arc<Self> {
        Arc::new(Self {
            held: AtomicUsize::new(0),
            limit: AtomicUsize::new(usize::MAX),
            reached: Notify::new(),
        })
    }

    /// `limits.memory`, from now on.
    pub fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// The bound.
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// How much is held.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// How near the bound is.
    pub fn level(&self) -> Level {
        let (held, limit) = (self.held(), self.limit());
        if held >= limit {
            Level::Full
        } else if held >= limit / 4 * 3 {
            Level::Tight
        } else {
            Level::Free
        }
    }

    /// What the sessions may hold together when some had to end: below the bound, so that not the
    /// next stanza ends one more.
    pub fn relief(&self) -> usize {
        self.limit() / 8 * 7
    }

    /// Ready when the bound was reached since this was last ready.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    fn add(&self, bytes: usize) {
        let before = self.held.fetch_add(bytes, Ordering::Relaxed);
        let limit = self.limit();
        if before < limit && before.saturating_add(bytes) >= limit {
            self.reached.notify_one();
        }
    }

    fn remove(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What one holder has of the budget.
#[derive(Debug)]
pub struct Ledger {
    budget: Arc<Budget>,
    held: AtomicUsize,
}

impl Ledger {
    /// For one who holds nothing yet.
    pub fn new(budget: &Arc<Budget>) -> Arc<Self> {
        Arc::new(Self {
            budget: budget.clone(),
            held: AtomicUsize::new(0),
        })
    }

    /// How much it holds.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Of what this is a part.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// It holds so much more, until the charge goes.
    pub fn charge(self: &Arc<Self>, bytes: usize) -> Charge {
        self.add(bytes);
        Charge {
            ledger: Some(self.clone()),
            bytes,
        }
    }

    fn add(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        self.budget.add(bytes);
    }

    fn remove(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
        self.budget.remove(bytes);
    }
}

/// So many bytes are held while this lives. The default is nothing, of nobody.
#[derive(Debug, Default)]
pub struct Charge {
    ledger: Option<Arc<Ledger>>,
    bytes: usize,
}

impl Charge {
    /// It is so many bytes from now on.
    pub fn resize(&mut self, ledger: &Arc<Ledger>, bytes: usize) {
        if bytes != self.bytes {
            *self = Self::default(); // given back first, so that it never counts twice
            *self = ledger.charge(bytes);
        }
    }
}

/// Each copy is charged, also where copies share their bytes: one of them may outlive the others.
impl Clone for Charge {
    fn clone(&self) -> Self {
        let ledger = self.ledger.as_ref();
        ledger.map_or_else(Self::default, |ledger| ledger.charge(self.bytes))
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if let Some(ledger) = &self.ledger {
            ledger.remove(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_charged_is_given_back_when_the_last_copy_goes() {
        let budget = Budget::unlimited();
        let ledger = Ledger::new(&budget);
        let charge = ledger.charge(100);
        let copy = charge.clone();
        assert_eq!((ledger.held(), budget.held()), (200, 200));
        drop(charge);
        assert_eq!((ledger.held(), budget.held()), (100, 100));
        drop(copy);
        assert_eq!((ledger.held(), budget.held()), (0, 0));
    }

    #[test]
    fn a_charge_that_changes_its_size_counts_once() {
        let budget = Budget::unlimited();
        let ledger = Ledger::new(&budget);
        let mut charge = Charge::default();
        for bytes in [10, 300, 0, 7] {
            charge.resize(&ledger, bytes);
            assert_eq!(budget.held(), bytes);
        }
    }

    #[test]
    fn it_is_tight_from_three_quarters_on_and_full_at_the_bound() {
        let budget = Budget::unlimited();
        let ledger = Ledger::new(&budget);
        budget.set_limit(400);
        let mut charge = ledger.charge(299);
        assert_eq!(budget.level(), Level::Free);
        charge.resize(&ledger, 300);
        assert_eq!(budget.level(), Level::Tight);
        charge.resize(&ledger, 400);
        assert_eq!(budget.level(), Level::Full);
    }

    #[tokio::test(start_paused = true)]
    async fn that_the_bound_is_reached_is_told_once_each_time() {
        let budget = Budget::unlimited();
        let ledger = Ledger::new(&budget);
        budget.set_limit(100);
        let is_told = async || {
            let wait = std::time::Duration::from_secs(1);
            tokio::time::timeout(wait, budget.reached()).await.is_ok()
        };
        let charges = [ledger.charge(99), ledger.charge(1), ledger.charge(1)];
        assert!(is_told().await);
        assert!(!is_told().await);
        drop(charges);
        let _again = ledger.charge(100);
        assert!(is_told().await);
    }
}
