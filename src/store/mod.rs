//! What outlives the process: accounts, rosters, requests for subscription, offline messages.
//!
//! [`Store`] speaks of the domain, not of SQL. [`Sqlite`] is the one that is built in.
//!
//! Calls return futures that own what they need. A call that changes something is done when the
//! change is committed; the one exception is [`Store::keep_offline`], which a sender must not
//! wait for and which therefore has two stages.

pub mod journal;
mod sqlite;
mod types;

pub use sqlite::{Journaling, Schema, Sqlite};
pub use types::{
    Kept, OfflineMessage, PendingRequest, RosterChange, RosterItem, SavedSessions, StoreError,
    StoredMessage, StoredRoster, Subscription,
};

use crate::auth::{Credentials, Secret};
use crate::stanza::address::BareJid;
use futures_util::future::BoxFuture;
use journal::{Journal, Record};
use std::fmt::Debug;
use std::sync::Arc;

/// A call that runs.
pub type Call<T> = BoxFuture<'static, Result<T, StoreError>>;

/// What outlives the process.
///
/// Every call may fail with a [`StoreError`]. Calls that change something are carried out in the
/// order in which their futures were first polled to the hand-over; [`Store::offline`] stands in
/// the same queue, so it sees what was handed over before it.
pub trait Store: Debug + Send + Sync + 'static {
    /// The secret of this server; made at the first call and the same ever after.
    fn secret(&self) -> Call<Secret>;

    /// The keys of an account; `None` if there is no such account.
    fn credentials(&self, account: &BareJid) -> Call<Option<Credentials>>;

    /// Whether there is such an account.
    fn account_exists(&self, account: &BareJid) -> Call<bool>;

    /// At most `limit` accounts in the order of their addresses, those after `after`.
    fn accounts(&self, after: Option<&BareJid>, limit: usize) -> Call<Vec<BareJid>>;

    /// Makes an account. Returns `false`, and changes nothing, if it exists.
    fn create_account(&self, account: &BareJid, credentials: Credentials) -> Call<bool>;

    /// Replaces the keys of an account. Returns `false` if there is no such account.
    fn set_credentials(&self, account: &BareJid, credentials: Credentials) -> Call<bool>;

    /// Makes accounts, or replaces the keys of those that exist, all or none. Returns how many are
    /// new.
    fn import_accounts(&self, accounts: Vec<(BareJid, Credentials)>) -> Call<usize>;

    /// Deletes an account with all that is kept for it, and every subscription of others to it: who
    /// makes an account of that name later is somebody else. Returns `false` if there was none.
    fn delete_account(&self, account: &BareJid) -> Call<bool>;

    /// The roster of an account and who asks it for a subscription; `None`: no such account.
    fn roster(&self, account: &BareJid) -> Call<Option<StoredRoster>>;

    /// Carries out a change of a roster. Returns its new version, which is the old one where no
    /// item changes.
    fn change_roster(&self, account: &BareJid, change: RosterChange) -> Call<String>;

    /// Keeps a message for an account that is not there, if fewer than `limit` are kept.
    ///
    /// The future is done when the message stands in the queue of the writer, which a clean stop
    /// empties; it waits only while that queue is full. It yields a second future, done when the
    /// message is on disk or is refused. The second need not be awaited for the first to hold.
    ///
    /// `along` goes to disk together with the message, and not at all if that is not kept.
    fn keep_offline(
        &self,
        account: &BareJid,
        message: OfflineMessage,
        limit: usize,
        along: Vec<Record>,
    ) -> Call<Call<Kept>>;

    /// The oldest messages that are kept for an account, at most `limit`, in the order in which
    /// they were sent. They stay until [`Store::forget_offline`].
    fn offline(&self, account: &BareJid, limit: usize) -> Call<Vec<StoredMessage>>;

    /// Forgets kept messages: they were handed over.
    fn forget_offline(&self, account: &BareJid, ids: Vec<i64>) -> Call<()>;

    /// The sessions that outlived the last process. They stay until records say otherwise.
    fn sessions(&self) -> Call<SavedSessions>;

    /// Carries out records, all or none.
    fn record(&self, records: Vec<Record>) -> Call<()>;

    /// Where records go as things happen, if they do.
    fn journal(&self) -> Option<Arc<Journal>>;

    /// Carries out what is queued and closes. Later calls fail with [`StoreError::Closed`].
    fn close(&self) -> Call<()>;
}
