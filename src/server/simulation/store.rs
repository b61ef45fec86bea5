//! A store that knows what a crash takes: what is queued is lost, what is committed stays.

use super::rng::Rng;
use super::tables::{Disk, Tables};
use crate::auth::{Credentials, Secret};
use crate::stanza::address::BareJid;
use crate::store::journal::{Journal, Record};
use crate::store::{
    Call, Kept, OfflineMessage, RosterChange, SavedSessions, Store, StoreError, StoredMessage,
    StoredRoster,
};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// A change that waits for the next commit; what comes of it is told after that.
type Change = Box<dyn FnOnce(&mut Tables) -> Told + Send>;

type Told = Box<dyn FnOnce() + Send>;

enum Order {
    Work(Change),
    /// The journal has something.
    Journal,
}

/// What one commit takes to disk.
struct Group {
    changes: Vec<Change>,
    records: Vec<Record>,
}

/// The store of one process.
pub(super) struct SimStore {
    disk: Disk,
    process: Mutex<Rng>,
    is_alive: Arc<AtomicBool>,
    /// `None`: closed.
    queue: Mutex<Option<mpsc::UnboundedSender<Order>>>,
    /// What the disk is writing at the moment.
    under_way: Arc<Mutex<Option<Group>>>,
    journal: Option<Arc<Journal>>,
    writer: JoinHandle<()>,
    is_written: Mutex<Option<oneshot::Receiver<()>>>,
}

impl SimStore {
    pub fn open(disk: &Disk, is_journaled: bool, mut rng: Rng) -> Arc<Self> {
        let (queue, orders) = mpsc::unbounded_channel();
        let (written, is_written) = oneshot::channel();
        let journal = is_journaled.then(|| journal(disk, &queue));
        let under_way = Arc::default();
        let writer = Writer {
            disk: disk.clone(),
            orders,
            journal: journal.clone(),
            under_way: Arc::clone(&under_way),
            rng: rng.fork(),
        };
        let writer = tokio::spawn(writer.run(written));
        Arc::new(Self {
            disk: disk.clone(),
            process: Mutex::new(rng),
            is_alive: Arc::new(AtomicBool::new(true)),
            queue: Mutex::new(Some(queue)),
            under_way,
            journal,
            writer,
            is_written: Mutex::new(Some(is_written)),
        })
    }

    /// The process is gone: what is queued is lost, and no call ever comes back. What the disk was
    /// writing is there or is not, and nobody is told.
    pub fn crash(&self) {
        if !self.is_alive.swap(false, Ordering::Relaxed) {
            return;
        }
        self.writer.abort();
        let under_way = lock(&self.under_way).take();
        if let Some(group) = under_way
            && lock(&self.process).percent(50)
        {
            drop(group.apply(&mut self.disk.lock()));
        }
    }

    fn pause(&self, most_ms: u64) -> Duration {
        let mut rng = lock(&self.process);
        match rng.percent(70) {
            true => Duration::ZERO,
            false => rng.millis(0, most_ms),
        }
    }

    fn look<T: Send + 'static>(&self, look: impl FnOnce(&Tables) -> T + Send + 'static) -> Call<T> {
        let (disk, is_alive, pause) = (self.disk.clone(), self.is_alive.clone(), self.pause(30));
        if lock(&self.queue).is_none() {
            return Box::pin(async { Err(StoreError::Closed) });
        }
        Box::pin(async move {
            tokio::time::sleep(pause).await;
            if !is_alive.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            let looked = look(&disk.lock());
            Ok(looked)
        })
    }

    /// Queued when the future is first polled, as [`Store`] says.
    fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Tables) -> T + Send + 'static,
    ) -> Call<T> {
        let queue = lock(&self.queue).clone();
        let is_alive = self.is_alive.clone();
        Box::pin(async move {
            let queue = queue.ok_or(StoreError::Closed)?;
            let (done, is_done) = oneshot::channel();
            let change: Change = Box::new(move |tables| {
                let value = change(tables);
                Box::new(move || {
                    let _ = done.send(value);
                })
            });
            let _ = queue.send(Order::Work(change)); // who is gone tells nobody
            drop(queue);
            match is_done.await {
                Ok(value) => Ok(value),
                Err(_) if !is_alive.load(Ordering::Relaxed) => std::future::pending().await,
                Err(_) => Err(StoreError::Closed),
            }
        })
    }
}

/// As that of the real store: the bell rings in the queue of the writer, and does not keep it open.
fn journal(disk: &Disk, queue: &mpsc::UnboundedSender<Order>) -> Arc<Journal> {
    let bell = queue.downgrade();
    let wake_writer = Box::new(move || {
        if let Some(queue) = bell.upgrade() {
            let _ = queue.send(Order::Journal);
        }
    });
    let first_number = disk.lock().next_number();
    Arc::new(Journal::new(first_number, wake_writer))
}

/// What came while the last commit ran is committed together.
struct Writer {
    disk: Disk,
    orders: mpsc::UnboundedReceiver<Order>,
    journal: Option<Arc<Journal>>,
    under_way: Arc<Mutex<Option<Group>>>,
    rng: Rng,
}

impl Writer {
    async fn run(mut self, _written: oneshot::Sender<()>) {
        while let Some(first) = self.orders.recv().await {
            let mut changes = Vec::new();
            let mut next = Some(first);
            while let Some(order) = next {
                match order {
                    Order::Work(change) => changes.push(change),
                    Order::Journal => {}
                }
                next = self.orders.try_recv().ok();
            }
            self.commit(changes).await;
        }
        self.commit(Vec::new()).await;
    }

    async fn commit(&mut self, changes: Vec<Change>) {
        let taken = self.journal.as_ref().map(|journal| journal.take());
        let (records, position) =
            taken.map_or((Vec::new(), 0), |taken| (taken.records, taken.position));
        if !changes.is_empty() || !records.is_empty() {
            *lock(&self.under_way) = Some(Group { changes, records });
            tokio::time::sleep(self.latency()).await;
            let Some(group) = lock(&self.under_way).take() else {
                return; // the process is gone
            };
            let told = group.apply(&mut self.disk.lock());
            told.into_iter().for_each(|tell| tell());
        }
        if let Some(journal) = &self.journal {
            journal.settle(position);
        }
    }

    fn latency(&mut self) -> Duration {
        match self.rng.weighted(&[60, 35, 5]) {
            0 => Duration::ZERO,
            1 => self.rng.millis(1, 20),
            _ => self.rng.millis(50, 1500),
        }
    }
}

impl Group {
    fn apply(self, tables: &mut Tables) -> Vec<Told> {
        tables.record(self.records);
        let changes = self.changes.into_iter();
        changes.map(|change| change(tables)).collect()
    }
}

impl Store for SimStore {
    fn secret(&self) -> Call<Secret> {
        Box::pin(async { Ok(Secret::from_bytes([7; Secret::SIZE_BYTES])) })
    }

    fn credentials(&self, _: &BareJid) -> Call<Option<Credentials>> {
        Box::pin(async { Ok(None) })
    }

    fn account_exists(&self, account: &BareJid) -> Call<bool> {
        let account = account.clone();
        self.look(move |tables| tables.accounts.contains_key(&account))
    }

    fn accounts(&self, after: Option<&BareJid>, limit: usize) -> Call<Vec<BareJid>> {
        let after = after.cloned();
        self.look(move |tables| {
            let all = tables.accounts.keys();
            let later = all.filter(|account| after.as_ref().is_none_or(|after| *account > after));
            later.take(limit).cloned().collect()
        })
    }

    fn create_account(&self, account: &BareJid, _: Credentials) -> Call<bool> {
        let account = account.clone();
        self.change(move |tables| {
            let is_new = !tables.accounts.contains_key(&account);
            tables.accounts.entry(account).or_default();
            is_new
        })
    }

    fn set_credentials(&self, account: &BareJid, _: Credentials) -> Call<bool> {
        self.account_exists(account)
    }

    fn import_accounts(&self, accounts: Vec<(BareJid, Credentials)>) -> Call<usize> {
        self.change(move |tables| {
            let before = tables.accounts.len();
            for (account, _) in accounts {
                tables.accounts.entry(account).or_default();
            }
            tables.accounts.len() - before
        })
    }

    fn delete_account(&self, account: &BareJid) -> Call<bool> {
        let account = account.clone();
        self.change(move |tables| tables.accounts.remove(&account).is_some())
    }

    fn roster(&self, account: &BareJid) -> Call<Option<StoredRoster>> {
        let account = account.clone();
        self.look(move |tables| tables.accounts.get(&account).map(|row| row.roster.clone()))
    }

    fn change_roster(&self, account: &BareJid, change: RosterChange) -> Call<String> {
        let account = account.clone();
        self.change(move |tables| {
            let row = tables.accounts.entry(account).or_default();
            row.apply(change);
            row.roster.version.clone()
        })
    }

    fn keep_offline(
        &self,
        account: &BareJid,
        message: OfflineMessage,
        limit: usize,
        along: Vec<Record>,
    ) -> Call<Call<Kept>> {
        let (account, pause) = (account.clone(), self.pause(200));
        let mut kept = self.change(move |tables| {
            let kept = tables.keep(&account, message, limit);
            if kept == Kept::Kept {
                tables.record(along);
            }
            kept
        });
        Box::pin(async move {
            // As if the queue were full.
            tokio::time::sleep(pause).await;
            // Polled once, it stands in the queue.
            let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(kept.as_mut().poll(cx)));
            let call: Call<Kept> = match polled.await {
                std::task::Poll::Ready(result) => Box::pin(async { result }),
                std::task::Poll::Pending => kept,
            };
            Ok(call)
        })
    }

    fn offline(&self, account: &BareJid, limit: usize) -> Call<Vec<StoredMessage>> {
        let account = account.clone();
        self.change(move |tables| tables.oldest(&account, limit))
    }

    fn forget_offline(&self, account: &BareJid, ids: Vec<i64>) -> Call<()> {
        let account = account.clone();
        self.change(move |tables| tables.forget(&account, &ids))
    }

    fn sessions(&self) -> Call<SavedSessions> {
        self.change(|tables| tables.sessions())
    }

    fn record(&self, records: Vec<Record>) -> Call<()> {
        self.change(move |tables| tables.record(records))
    }

    fn journal(&self) -> Option<Arc<Journal>> {
        self.journal.clone()
    }

    fn close(&self) -> Call<()> {
        drop(lock(&self.queue).take());
        let is_written = lock(&self.is_written).take();
        Box::pin(async move {
            let is_written = is_written.ok_or(StoreError::Closed)?;
            let _ = is_written.await; // an error says that the writer is done
            Ok(())
        })
    }
}

impl fmt::Debug for SimStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimStore").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
