//! How long the store takes.

use super::{Figures, Histogram};
use crate::auth::{Credentials, Secret};
use crate::clock;
use crate::stanza::address::BareJid;
use crate::store::journal::{Journal, Record};
use crate::store::{
    Call, Kept, OfflineMessage, RosterChange, SavedSessions, Store, StoredMessage, StoredRoster,
};
use std::sync::Arc;

/// A store that says how long each call took, from its beginning to its answer. Calls that stand in
/// the queue of the writer count as writes, also if they change nothing. What the journal hands over
/// beside calls is not measured: nobody waits for it in one.
#[derive(Debug)]
pub struct Measured {
    store: Arc<dyn Store>,
    reads: Histogram,
    writes: Histogram,
}

impl Measured {
    /// The times of this store go into these figures.
    pub fn new(store: Arc<dyn Store>, figures: &Figures) -> Self {
        let (reads, writes) = figures.store();
        Self {
            store,
            reads,
            writes,
        }
    }
}

fn timed<T: Send + 'static>(histogram: &Histogram, call: Call<T>) -> Call<T> {
    let histogram = histogram.clone();
    Box::pin(async move {
        let began = clock::now();
        let outcome = call.await;
        histogram.observe(clock::now().saturating_duration_since(began));
        outcome
    })
}

impl Store for Measured {
    fn secret(&self) -> Call<Secret> {
        timed(&self.writes, self.store.secret())
    }

    fn credentials(&self, account: &BareJid) -> Call<Option<Credentials>> {
        timed(&self.reads, self.store.credentials(account))
    }

    fn account_exists(&self, account: &BareJid) -> Call<bool> {
        timed(&self.reads, self.store.account_exists(account))
    }

    fn accounts(&self, after: Option<&BareJid>, limit: usize) -> Call<Vec<BareJid>> {
        timed(&self.reads, self.store.accounts(after, limit))
    }

    fn create_account(&self, account: &BareJid, credentials: Credentials) -> Call<bool> {
        timed(
            &self.writes,
            self.store.create_account(account, credentials),
        )
    }

    fn set_credentials(&self, account: &BareJid, credentials: Credentials) -> Call<bool> {
        timed(
            &self.writes,
            self.store.set_credentials(account, credentials),
        )
    }

    fn import_accounts(&self, accounts: Vec<(BareJid, Credentials)>) -> Call<usize> {
        timed(&self.writes, self.store.import_accounts(accounts))
    }

    fn delete_account(&self, account: &BareJid) -> Call<bool> {
        timed(&self.writes, self.store.delete_account(account))
    }

    fn roster(&self, account: &BareJid) -> Call<Option<StoredRoster>> {
        timed(&self.reads, self.store.roster(account))
    }

    fn change_roster(&self, account: &BareJid, change: RosterChange) -> Call<String> {
        timed(&self.writes, self.store.change_roster(account, change))
    }

    fn keep_offline(
        &self,
        account: &BareJid,
        message: OfflineMessage,
        limit: usize,
        along: Vec<Record>,
    ) -> Call<Call<Kept>> {
        let queued = self.store.keep_offline(account, message, limit, along);
        let writes = self.writes.clone();
        Box::pin(async move {
            let began = clock::now();
            let kept = queued.await?;
            let kept: Call<Kept> = Box::pin(async move {
                let outcome = kept.await;
                writes.observe(clock::now().saturating_duration_since(began));
                outcome
            });
            Ok(kept)
        })
    }

    fn offline(&self, account: &BareJid, limit: usize) -> Call<Vec<StoredMessage>> {
        timed(&self.writes, self.store.offline(account, limit))
    }

    fn forget_offline(&self, account: &BareJid, ids: Vec<i64>) -> Call<()> {
        timed(&self.writes, self.store.forget_offline(account, ids))
    }

    fn sessions(&self) -> Call<SavedSessions> {
        timed(&self.writes, self.store.sessions())
    }

    fn record(&self, records: Vec<Record>) -> Call<()> {
        timed(&self.writes, self.store.record(records))
    }

    fn journal(&self) -> Option<Arc<Journal>> {
        self.store.journal()
    }

    fn close(&self) -> Call<()> {
        self.store.close()
    }
}
