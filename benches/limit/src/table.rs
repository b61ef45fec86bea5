//! Who is there: mailboxes by full JID, and by bare JID for what goes to all of an account.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use atomic_waker::AtomicWaker;
use tokio_tungstenite::tungstenite::Utf8Bytes;

#[derive(Default)]
pub struct Mailbox {
    pub waker: AtomicWaker,
    queue: Mutex<VecDeque<Utf8Bytes>>,
}

impl Mailbox {
    pub fn put(&self, stanza: Utf8Bytes) {
        let first = {
            let mut queue = locked(&self.queue);
            queue.push_back(stanza);
            queue.len() == 1
        };
        // Whoever found it empty wakes; until it is drained the task is awake anyway.
        if first {
            self.waker.wake();
        }
    }

    pub fn take(&self) -> VecDeque<Utf8Bytes> {
        std::mem::take(&mut *locked(&self.queue))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Shard = RwLock<HashMap<String, Vec<Arc<Mailbox>>>>;

pub struct Table {
    hasher: RandomState,
    shards: [Shard; 64],
}

impl Default for Table {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Shard::default()),
        }
    }
}

impl Table {
    fn shard(&self, jid: &str) -> &Shard {
        &self.shards[self.hasher.hash_one(jid) as usize % 64]
    }

    pub fn add(&self, jid: &str, mailbox: &Arc<Mailbox>) {
        let mut shard = self
            .shard(jid)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        shard
            .entry(jid.to_owned())
            .or_default()
            .push(mailbox.clone());
    }

    pub fn remove(&self, jid: &str, mailbox: &Arc<Mailbox>) {
        let mut shard = self
            .shard(jid)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(all) = shard.get_mut(jid) {
            all.retain(|it| !Arc::ptr_eq(it, mailbox));
            if all.is_empty() {
                shard.remove(jid);
            }
        }
    }

    pub fn deliver(&self, to: &str, stanza: &Utf8Bytes) {
        let shard = self
            .shard(to)
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        for mailbox in shard.get(to).into_iter().flatten() {
            mailbox.put(stanza.clone());
        }
    }
}
