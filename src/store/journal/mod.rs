//! What happens to sessions, on its way to disk (`sm.durability = "always"`).
//!
//! Whoever changes a session appends a [`Record`]. The writer of the store takes all that came
//! while its last commit ran and commits it at once: one fsync for many sessions. Nothing leaves
//! for a client before what was recorded up to then is on disk ([`Journal::poll_durable`]), so a
//! client never knows more than the disk does.
//!
//! What belongs together is appended within one [`Unit`] and is on disk as a whole or not at all:
//! that a stanza is handled, and the mailboxes that it went to.
//!
//! The writer waits until no unit is open, and who opens one waits for the writer. So a lock that
//! is taken within units is taken within units only, wherever something is appended under it.

mod record;

pub use record::{Record, SavedCopies, SavedSession, SavedSm, SavedStanza, SavedState};

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::task::{Context, Poll, Waker};

/// So much may wait for the disk. At the bound no stream reads on until the disk has caught up.
const MAX_BACKLOG_BYTES: usize = 64 * 1024 * 1024;

/// Records that wait for the writer, and who waits for them.
pub struct Journal {
    /// Read by those who append what belongs together, written by the one who takes it.
    units: RwLock<()>,
    backlog: Mutex<Backlog>,
    /// So many records, from the first, are on disk.
    durable: AtomicU64,
    waiting: Mutex<Vec<Waiting>>,
    /// Tells the writer that there is something to take.
    wake_writer: Box<dyn Fn() + Send + Sync>,
    next_number: AtomicU64,
}

#[derive(Default)]
struct Backlog {
    records: Vec<Record>,
    bytes: usize,
    /// Of records that the writer has taken and not yet settled.
    taken_bytes: usize,
    /// How many records were ever appended.
    position: u64,
}

struct Waiting {
    position: u64,
    waker: Waker,
}

/// What one commit takes to disk.
pub struct Taken {
    /// In the order in which they were appended.
    pub records: Vec<Record>,
    /// How many records are on disk when these are.
    pub position: u64,
}

thread_local! {
    /// How many units of this thread are open, one in another.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Whether a stray was appended in the outermost one.
    static HAS_STRAYS: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, what this thread appends goes to disk in one piece. It cannot be held across
/// an await. One within another is part of that.
pub struct Unit<'a> {
    _guard: Option<RwLockReadGuard<'a, ()>>,
}

impl Unit<'_> {
    /// Whether a stanza was appended that has no place yet: see [`Journal::append_stray`].
    pub fn has_strays(&self) -> bool {
        HAS_STRAYS.get()
    }
}

impl Drop for Unit<'_> {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

impl Journal {
    /// An empty one. `first_number`: above every [`Journal::number`] that the store has kept.
    pub fn new(first_number: u64, wake_writer: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            units: RwLock::default(),
            backlog: Mutex::default(),
            durable: AtomicU64::new(0),
            waiting: Mutex::default(),
            wake_writer,
            next_number: AtomicU64::new(first_number),
        }
    }

    /// Opens a unit.
    pub fn unit(&self) -> Unit<'_> {
        let depth = DEPTH.get();
        DEPTH.set(depth + 1);
        // A second read lock could wait for a writer that waits for the first one.
        let guard = (depth == 0).then(|| {
            HAS_STRAYS.set(false);
            self.units.read().unwrap_or_else(PoisonError::into_inner)
        });
        Unit { _guard: guard }
    }

    /// Appends a record.
    pub fn append(&self, record: Record) {
        let _unit = self.unit();
        let mut backlog = lock(&self.backlog);
        let was_empty = backlog.records.is_empty();
        backlog.bytes += record.size_bytes();
        backlog.position += 1;
        backlog.records.push(record);
        drop(backlog);
        if was_empty {
            (self.wake_writer)();
        }
    }

    /// Appends a stanza that this server has taken responsibility for and found no place for yet.
    /// Returns its number, for the [`Record::Placed`] that follows.
    pub fn append_stray(&self, stanza: SavedStanza) -> u64 {
        let number = self.number();
        HAS_STRAYS.set(true);
        self.append(Record::Queued {
            session: STRAYS,
            stanza: SavedStanza { number, ..stanza },
        });
        number
    }

    /// A number that no record of this store has had.
    pub fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// How many records were appended: what a client is told now must wait for these.
    pub fn position(&self) -> u64 {
        lock(&self.backlog).position
    }

    /// Ready when so many records are on disk.
    pub fn poll_durable(&self, cx: &mut Context<'_>, position: u64) -> Poll<()> {
        if self.is_durable(position) {
            return Poll::Ready(());
        }
        let mut waiting = lock(&self.waiting);
        // Looked at again under the lock, so that a commit in between is not missed.
        if self.is_durable(position) {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        waiting.push(Waiting { position, waker });
        Poll::Pending
    }

    /// How many records are on disk.
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    fn is_durable(&self, position: u64) -> bool {
        self.durable() >= position
    }

    /// Whether so much waits for the disk that nobody should be read.
    pub fn is_behind(&self) -> bool {
        let backlog = lock(&self.backlog);
        backlog.bytes + backlog.taken_bytes > MAX_BACKLOG_BYTES
    }

    /// For the writer: all that waits.
    pub fn take(&self) -> Taken {
        let _no_unit_is_open = self.units.write().unwrap_or_else(PoisonError::into_inner);
        let mut backlog = lock(&self.backlog);
        backlog.taken_bytes += std::mem::take(&mut backlog.bytes);
        Taken {
            records: std::mem::take(&mut backlog.records),
            position: backlog.position,
        }
    }

    /// What the soak counts.
    #[cfg(test)]
    pub(crate) fn census(&self) -> [crate::census::Count; 2] {
        use crate::census::Count;
        [
            Count::live("journal records", lock(&self.backlog).records.len()),
            Count::live("waiting for the disk", lock(&self.waiting).len()),
        ]
    }

    /// For the writer: rings its own bell, for what it has to do again.
    pub fn wake_writer(&self) {
        (self.wake_writer)();
    }

    /// For the writer: all that it has taken is on disk, so many records.
    pub fn settle(&self, position: u64) {
        lock(&self.backlog).taken_bytes = 0;
        let mut waiting = lock(&self.waiting);
        self.durable.store(position, Ordering::Release);
        let due: Vec<_> = waiting
            .extract_if(.., |waiting| waiting.position <= position)
            .collect();
        drop(waiting);
        for waiting in due {
            waiting.waker.wake();
        }
    }
}

/// The session that stanzas without a place are recorded under; no session has this id, which is
/// drawn from 2^128.
pub const STRAYS: u128 = 0;

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backlog = lock(&self.backlog);
        f.debug_struct("Journal")
            .field("position", &backlog.position)
            .field("backlog", &backlog.records.len())
            .finish_non_exhaustive()
    }
}

/// Nothing under these locks panics; a poisoned one would still guard a whole value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    fn journal() -> (Arc<Journal>, Arc<AtomicUsize>) {
        let woken = Arc::new(AtomicUsize::new(0));
        let count = woken.clone();
        let wake = Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        (Arc::new(Journal::new(1, wake)), woken)
    }

    fn gone(session: u128) -> Record {
        Record::Gone { session }
    }

    #[test]
    fn the_writer_is_woken_once_for_all_that_comes_until_it_takes_it() {
        let (journal, woken) = journal();
        journal.append(gone(1));
        journal.append(gone(2));
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        let taken = journal.take();
        assert_eq!((taken.records.len(), taken.position), (2, 2));
        journal.append(gone(3));
        assert_eq!(woken.load(Ordering::Relaxed), 2);
        assert_eq!(journal.take().position, 3);
    }

    #[test]
    fn who_waits_is_told_when_its_records_are_on_disk_and_not_before() {
        let (journal, _) = journal();
        journal.append(gone(1));
        journal.append(gone(2));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(journal.poll_durable(&mut cx, 2).is_pending());
        journal.settle(1);
        assert!(journal.poll_durable(&mut cx, 1).is_ready());
        assert!(journal.poll_durable(&mut cx, 2).is_pending());
        journal.settle(2);
        assert!(journal.poll_durable(&mut cx, 2).is_ready());
        assert!(lock(&journal.waiting).is_empty());
    }

    #[test]
    fn what_is_appended_within_a_unit_is_taken_in_one_piece() {
        let (journal, _) = journal();
        let unit = journal.unit();
        journal.append(gone(1));
        let writer = std::thread::spawn({
            let journal = journal.clone();
            move || journal.take().records.len()
        });
        // The writer stands at the door; whether it got there yet makes no difference.
        std::thread::sleep(Duration::from_millis(20));
        journal.append(gone(2));
        drop(unit);
        assert_eq!(writer.join().unwrap(), 2);
    }

    #[test]
    fn a_unit_within_another_is_part_of_it_and_knows_of_its_strays() {
        let (journal, _) = journal();
        {
            let outer = journal.unit();
            let inner = journal.unit();
            assert!(!outer.has_strays());
            journal.append_stray(SavedStanza::default());
            drop(inner);
            assert!(outer.has_strays());
        }
        assert!(!journal.unit().has_strays());
        assert_eq!(journal.take().records.len(), 1);
    }

    #[test]
    fn a_journal_whose_disk_does_not_keep_up_says_so() {
        let (journal, _) = journal();
        let text: crate::stanza::ByteString = "x".repeat(1024 * 1024).into();
        for number in 0..65 {
            journal.append(Record::Queued {
                session: 1,
                stanza: SavedStanza {
                    number,
                    text: text.clone(),
                    ..SavedStanza::default()
                },
            });
        }
        assert!(journal.is_behind());
        let taken = journal.take();
        assert!(journal.is_behind(), "the disk has not taken it yet");
        journal.settle(taken.position);
        assert!(!journal.is_behind());
    }
}
