//! The embedded XMPP services: the core of RFC 6121 over the [`Store`].
//!
//! [`Local`] is the [`Backend`] of a server that has its accounts itself. A stanza is routed by
//! the rules of RFC 6120 §10 and RFC 6121 §8; what is addressed to the server or to an account is
//! answered by a [`Service`], of which each is a module of its own that can be taken out.
//!
//! The way of a message to somebody who is here takes no lock but the read side of two registry
//! shards, and no future: it is in the mailbox when [`Backend::route`] returns. Whatever needs the
//! store becomes [`Routed::Later`].

mod account;
pub mod accounts;
mod bind;
mod carbons;
mod delivery;
mod ending;
mod import;
mod iqs;
mod messages;
mod notices;
mod offline;
mod options;
mod passwords;
mod place;
mod presence;
mod register;
mod repeats;
mod restoring;
mod roster;
mod routing;
mod sasl;
pub mod services;
mod state;
mod subscribing;
mod subscriptions;
mod tap;
mod throttling;
mod unfinished;

#[cfg(test)]
mod tests;

pub use options::{ConflictPolicy, LocalOptions, OptionsError};
pub use passwords::Passwords;
pub use services::Service;
pub use tap::Tap;

use super::{Backend, BoxFuture, Connection, Routed, SaslExchange};
use crate::auth::{Mechanism, Offer, Realm, Secret, Throttle, ThrottleLimits, VerifyBearer};
use crate::sessions::{Ending, Session, Sessions};
use crate::stanza::address::BareJid;
use crate::stanza::{ByteString, Fingerprints, Stanza, StanzaError};
use crate::store::Store;
use crate::stream::Outbound;
use account::Accounts;
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use tokio::sync::{Notify, Semaphore};
use unfinished::Unfinished;

/// The embedded services.
pub struct Local {
    me: Weak<Local>,
    options: ArcSwap<LocalOptions>,
    realms: ArcSwap<Vec<Arc<Realm>>>,
    secret: Secret,
    fingerprints: Fingerprints,
    sessions: Arc<Sessions>,
    store: Arc<dyn Store>,
    accounts: Arc<Accounts>,
    throttle: Mutex<Throttle>,
    /// An attempt counts no longer: who is held back may look again.
    attempt_settled: Notify,
    /// How many passwords are derived at once.
    costly: Arc<Semaphore>,
    verifier: ArcSwap<Option<Arc<dyn VerifyBearer>>>,
    services: Vec<Box<dyn Service>>,
    unfinished: Unfinished,
    tap: OnceLock<Arc<dyn Tap>>,
    passwords: OnceLock<Arc<dyn Passwords>>,
}

impl Local {
    /// The services over a store. `secret` is that of [`Store::secret`]; `services` come after
    /// those of [`services::core`].
    ///
    /// # Errors
    ///
    /// [`OptionsError`]
    pub fn new(
        options: LocalOptions,
        secret: Secret,
        sessions: Arc<Sessions>,
        store: Arc<dyn Store>,
        services: Vec<Box<dyn Service>>,
    ) -> Result<Arc<Self>, OptionsError> {
        let realms = sasl::realms(&options, &secret)?;
        let fingerprints = Fingerprints::new(&secret.key("fingerprints of messages"));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let services = services::core().into_iter().chain(services).collect();
        Ok(Arc::new_cyclic(|me| Self {
            me: me.clone(),
            options: ArcSwap::from_pointee(options),
            realms: ArcSwap::from_pointee(realms),
            secret,
            fingerprints,
            sessions,
            store,
            accounts: Arc::default(),
            throttle: Mutex::new(Throttle::new(ThrottleLimits::default())),
            attempt_settled: Notify::new(),
            costly: Arc::new(Semaphore::new(cores)),
            verifier: ArcSwap::default(),
            services,
            unfinished: Unfinished::new(),
            tap: OnceLock::new(),
            passwords: OnceLock::new(),
        }))
    }

    /// Other options from now on. `hosts` stay what they are.
    ///
    /// # Errors
    ///
    /// [`OptionsError`]; the former options then stay in force.
    pub fn set_options(&self, options: LocalOptions) -> Result<(), OptionsError> {
        let options = LocalOptions {
            hosts: self.options.load().hosts.clone(),
            ..options
        };
        self.realms
            .store(Arc::new(sasl::realms(&options, &self.secret)?));
        self.options.store(Arc::new(options));
        Ok(())
    }

    /// Who says what bearer tokens are worth: OAUTHBEARER is offered on private links. `None`: it is
    /// not offered. Exchanges that have begun go on with the former one.
    pub fn set_verifier(&self, verifier: Option<Arc<dyn VerifyBearer>>) {
        self.verifier.store(Arc::new(verifier));
    }

    /// Who is here.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// What outlives the process.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Waits until no ending is being dealt with and no stored messages are being handed over. A
    /// stop waits for it before it closes the store; it comes when no session is left.
    pub async fn finished(&self) {
        self.unfinished.none_left().await;
    }

    /// What the soak counts.
    #[cfg(test)]
    pub(crate) fn census(&self) -> Vec<crate::census::Count> {
        use crate::census::Count;
        let most = ThrottleLimits::default().counters_max;
        vec![
            Count::live("accounts in use", self.accounts.len()),
            Count::live("unfinished work", self.unfinished.len()),
            Count::memory("failed logins", lock(&self.throttle).counters(), most),
        ]
    }

    /// For futures that outlive the call they are made in. `None` only while everything is
    /// dropped, when nobody calls any more.
    fn arc(&self) -> Option<Arc<Self>> {
        self.me.upgrade()
    }

    /// Work that goes on after the call, with this [`Local`] kept alive.
    fn later<F, W>(&self, work: F) -> Routed
    where
        F: FnOnce(Arc<Self>) -> W,
        W: Future<Output = Option<Arc<Session>>> + Send + 'static,
    {
        match self.arc() {
            Some(local) => Routed::Later(Box::pin(work(local))),
            None => Routed::Done,
        }
    }
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

impl Backend for Local {
    fn offer(&self, connection: &Connection) -> Arc<Offer> {
        Arc::new(self.make_offer(connection))
    }

    fn begin_sasl(
        &self,
        connection: &Arc<Connection>,
        host: &Arc<str>,
        mechanism: Mechanism,
    ) -> Box<dyn SaslExchange> {
        Box::new(sasl::LocalSasl::new(self, connection, host, mechanism))
    }

    fn register(
        &self,
        connection: &Arc<Connection>,
        host: &Arc<str>,
        request: ByteString,
    ) -> BoxFuture<ByteString> {
        self.register_stranger(connection.address, host.clone(), request)
    }

    fn bind(
        &self,
        _connection: &Arc<Connection>,
        account: &BareJid,
        resource: Option<String>,
    ) -> BoxFuture<Result<Arc<Session>, StanzaError>> {
        self.bind_resource(account.clone(), resource)
    }

    fn route(&self, session: &Arc<Session>, stanza: Stanza) -> Routed {
        self.route_stanza(session, stanza)
    }

    fn restore(&self, session: Arc<Session>) -> BoxFuture<()> {
        self.restore_session(session)
    }

    fn place_stray(&self, stray: Outbound) -> BoxFuture<()> {
        self.place_restored_stray(stray)
    }

    fn ended(&self, ending: Ending) -> BoxFuture<()> {
        self.deal_with_ending(ending)
    }
}

/// Nothing under these locks panics; a poisoned one would still guard a whole value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
