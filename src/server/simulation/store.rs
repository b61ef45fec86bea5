//! A store that knows what a crash takes: what is queued is lost, what is committed stays.

use super::rng::Rng;
use crate::auth::{Credentials, Secret};
use crate::stanza::address::BareJid;
use crate::store::{
    Call, Kept, OfflineMessage, RosterChange, Store, StoreError, StoredMessage, StoredRoster,
};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, oneshot};

/// What is committed; outlives every process.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Mutex<Tables>>);

#[derive(Default)]
struct Tables {
    accounts: BTreeMap<BareJid, Row>,
    last_id: i64,
}

#[derive(Default)]
struct Row {
    roster: StoredRoster,
    changes: u64,
    /// By time and id.
    offline: BTreeMap<(SystemTime, i64), OfflineMessage>,
}

/// A change that waits for the next commit.
type Change = Box<dyn FnOnce(&mut Tables) + Send>;

/// The store of one process.
pub(super) struct SimStore {
    disk: Disk,
    process: Arc<Mutex<Rng>>,
    is_alive: Arc<AtomicBool>,
    /// `None`: closed.
    queue: Mutex<Option<mpsc::UnboundedSender<Change>>>,
    is_written: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Disk {
    pub fn add_account(&self, account: BareJid) {
        self.lock().accounts.insert(account, Row::default());
    }

    /// How many messages are kept for an account.
    pub fn kept(&self, account: &BareJid) -> usize {
        let tables = self.lock();
        tables
            .accounts
            .get(account)
            .map_or(0, |row| row.offline.len())
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        lock(&self.0)
    }
}

impl SimStore {
    pub fn open(disk: &Disk, mut rng: Rng) -> Arc<Self> {
        let (queue, changes) = mpsc::unbounded_channel();
        let (written, is_written) = oneshot::channel();
        let is_alive = Arc::new(AtomicBool::new(true));
        let writer = write(disk.clone(), changes, is_alive.clone(), rng.fork(), written);
        tokio::spawn(writer);
        Arc::new(Self {
            disk: disk.clone(),
            process: Arc::new(Mutex::new(rng)),
            is_alive,
            queue: Mutex::new(Some(queue)),
            is_written: Mutex::new(Some(is_written)),
        })
    }

    /// The process is gone: what is queued is lost, and no call ever comes back.
    pub fn crash(&self) {
        self.is_alive.store(false, Ordering::Relaxed);
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
                let _ = done.send(change(tables));
            });
            let queued = queue.send(change).is_ok();
            drop(queue);
            match is_done.await {
                Ok(value) => Ok(value),
                Err(_) if queued && !is_alive.load(Ordering::Relaxed) => {
                    std::future::pending().await
                }
                Err(_) => Err(StoreError::Closed),
            }
        })
    }
}

/// The writer: what came since the last commit is committed together.
async fn write(
    disk: Disk,
    mut changes: mpsc::UnboundedReceiver<Change>,
    is_alive: Arc<AtomicBool>,
    mut rng: Rng,
    _written: oneshot::Sender<()>,
) {
    while let Some(first) = changes.recv().await {
        let latency = match rng.weighted(&[60, 35, 5]) {
            0 => Duration::ZERO,
            1 => rng.millis(1, 20),
            _ => rng.millis(50, 1500),
        };
        tokio::time::sleep(latency).await;
        if !is_alive.load(Ordering::Relaxed) {
            return;
        }
        let mut group = vec![first];
        while let Ok(change) = changes.try_recv() {
            group.push(change);
        }
        let mut tables = disk.lock();
        for change in group {
            change(&mut tables);
        }
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
    ) -> Call<Call<Kept>> {
        let (account, pause) = (account.clone(), self.pause(200));
        let mut kept = self.change(move |tables| tables.keep(&account, message, limit));
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
        self.change(move |tables| {
            if let Some(row) = tables.accounts.get_mut(&account) {
                row.offline.retain(|(_, id), _| !ids.contains(id));
            }
        })
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

impl Tables {
    fn keep(&mut self, account: &BareJid, message: OfflineMessage, limit: usize) -> Kept {
        let Some(row) = self.accounts.get_mut(account) else {
            return Kept::NoAccount;
        };
        if row.offline.len() >= limit {
            return Kept::Full;
        }
        let is_kept = row.offline.values().any(|kept| *kept == message);
        if !is_kept {
            self.last_id += 1;
            row.offline.insert((message.at, self.last_id), message);
        }
        Kept::Kept
    }

    fn oldest(&self, account: &BareJid, limit: usize) -> Vec<StoredMessage> {
        let Some(row) = self.accounts.get(account) else {
            return Vec::new();
        };
        let oldest = row.offline.iter().take(limit);
        oldest
            .map(|(&(_, id), message)| StoredMessage {
                id,
                message: message.clone(),
            })
            .collect()
    }
}

impl Row {
    fn apply(&mut self, change: RosterChange) {
        if change.touches_items() {
            self.changes += 1;
            self.roster.version = self.changes.to_string();
        }
        let roster = &mut self.roster;
        let is_replaced = |jid: &BareJid| {
            change.remove.contains(jid) || change.put.iter().any(|item| item.jid == *jid)
        };
        roster.items.retain(|item| !is_replaced(&item.jid));
        roster.items.extend(change.put);
        roster
            .pending
            .retain(|request| !change.settle.contains(&request.from));
        for request in change.ask {
            if roster
                .pending
                .iter()
                .all(|other| other.from != request.from)
            {
                roster.pending.push(request);
            }
        }
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
