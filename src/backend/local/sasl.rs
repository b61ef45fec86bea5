//! Logging in: the exchange of [`crate::auth`] with accounts, a throttle and a clock.

use super::{Local, LocalOptions, OptionsError};
use crate::auth::{
    Admission, Credentials, Exchange, LinkSecurity, Mechanism, Offer, Realm, Refusal, SaslFailure,
    Secret, Step, Token, VerifyBearer,
};
use crate::backend::{BoxFuture, Connection, SaslExchange, SaslReply};
use crate::stanza::address::BareJid;
use jid::DomainPart;
use std::sync::Arc;

/// How the names of temporary accounts begin. No account that is kept may be called so.
const TEMPORARY: &str = "anonymous-";

/// Whether an account ends with its session (XEP-0175).
pub(super) fn is_temporary(account: &BareJid) -> bool {
    account
        .node()
        .is_some_and(|node| node.as_str().starts_with(TEMPORARY))
}

pub(super) fn realms(
    options: &LocalOptions,
    secret: &Secret,
) -> Result<Vec<Arc<Realm>>, OptionsError> {
    if options.hosts.is_empty() {
        return Err(OptionsError::NoHost);
    }
    let realm = |host: &Arc<str>| {
        let domain = DomainPart::new(host).map_err(|_| OptionsError::Host(host.to_string()))?;
        let realm = Realm::new(
            domain.into_owned(),
            secret.clone(),
            options.scram_iterations,
        )?;
        Ok(Arc::new(realm))
    };
    options.hosts.iter().map(realm).collect()
}

impl Local {
    pub(super) fn make_offer(&self, connection: &Connection) -> Offer {
        let options = self.options.load();
        let enabled = Mechanism::ALL
            .into_iter()
            .filter(|mechanism| match mechanism {
                Mechanism::Plain => options.plain,
                Mechanism::Anonymous => options.anonymous,
                Mechanism::External => admitted(connection)
                    .is_some_and(|account| options.serves(account.domain().as_str())),
                Mechanism::OAuthBearer => self.verifier.load().is_some(),
                _ => self.passwords.get().is_none(), // SCRAM needs the keys of a store
            });
        let bindings = connection.binding.types().count();
        let link = match connection.private {
            true if bindings > 0 => LinkSecurity::Tls(connection.binding.clone()),
            true => LinkSecurity::Confidential,
            false => LinkSecurity::Clear,
        };
        let offer = Offer::new(enabled, &link);
        match options.external_beside_others {
            true => offer,
            false => offer.announcing_only(Mechanism::External),
        }
    }

    fn realm(&self, host: &str) -> Option<Arc<Realm>> {
        self.realms
            .load()
            .iter()
            .find(|realm| realm.domain() == host)
            .cloned()
    }
}

/// The account that the link was admitted for: no other one may be logged into on it.
fn admitted(connection: &Connection) -> Option<&BareJid> {
    connection.admission.as_ref()?.jid.as_ref()
}

/// One authentication with an account of this server.
pub(super) struct LocalSasl {
    inner: Arc<Inner>,
}

struct Inner {
    local: Option<Arc<Local>>,
    connection: Arc<Connection>,
    host: Arc<str>,
    verifier: Option<Arc<dyn VerifyBearer>>,
    progress: tokio::sync::Mutex<Progress>,
}

struct Progress {
    /// `Err`: it could not even begin.
    exchange: Result<Option<Exchange>, SaslFailure>,
    /// Whose password is being guessed at.
    account: Option<BareJid>,
    /// What the token of the login says.
    admission: Option<Arc<Admission>>,
}

impl LocalSasl {
    pub(super) fn new(
        local: &Local,
        connection: &Arc<Connection>,
        host: &Arc<str>,
        mechanism: Mechanism,
    ) -> Self {
        let offer = Arc::new(local.make_offer(connection));
        let unknown_host = || SaslFailure::TemporaryAuthFailure {
            reason: format!("{host} is not served"),
        };
        let exchange = local
            .realm(host)
            .ok_or_else(unknown_host)
            .and_then(|realm| Exchange::new(mechanism, realm, offer, connection.binding.clone()))
            .map(|exchange| match own_localpart(admitted(connection), host) {
                Some(localpart) => exchange.with_admitted(localpart),
                None => exchange,
            })
            .map(Some);
        let progress = tokio::sync::Mutex::new(Progress {
            exchange,
            account: None,
            admission: None,
        });
        let (connection, host) = (connection.clone(), host.clone());
        Self {
            inner: Arc::new(Inner {
                local: local.arc(),
                connection,
                host,
                verifier: local.verifier.load().as_ref().clone(),
                progress,
            }),
        }
    }
}

impl SaslExchange for LocalSasl {
    fn on_message(&mut self, message: Option<Vec<u8>>) -> BoxFuture<SaslReply> {
        let inner = self.inner.clone();
        Box::pin(async move {
            let Some(local) = &inner.local else {
                return SaslReply::Failure(out_of_turn());
            };
            let mut progress = inner.progress.lock().await;
            let step = inner.step(local, &mut progress, message).await;
            inner.reply(local, &mut progress, step)
        })
    }
}

impl Inner {
    async fn step(&self, local: &Local, progress: &mut Progress, message: Option<Vec<u8>>) -> Step {
        let exchange = match &mut progress.exchange {
            Ok(Some(exchange)) => exchange,
            Ok(None) => return Step::Failure(out_of_turn()),
            Err(failure) => return Step::Failure(failure.clone()),
        };
        let asks_for_password = exchange.mechanism().asks_for_password();
        let mut step = exchange.on_message(message.as_deref());
        if let Step::Verify { token } = step {
            let verified = self.verify(token).await;
            step = exchange.on_verified(verified.map(|(localpart, admission)| {
                progress.admission = Some(admission);
                localpart
            }));
        }
        let username = match step {
            Step::LookUp { username } => username,
            step => return step,
        };
        let account = match BareJid::new(&format!("{username}@{}", self.host)) {
            Ok(account) => account,
            Err(_) => return Step::Failure(Refusal::ImpossibleName.into()),
        };
        if !self.may_be(&account) {
            return Step::Failure(Refusal::OtherAccount.into());
        }
        if asks_for_password {
            progress.account = Some(account.clone());
            // Guesses wait, right or wrong, before they are looked at (RFC 6120 §6.4.5).
            local
                .hold_back(account.as_str(), self.connection.address)
                .await;
        }
        if let Err(failure) = self.check_elsewhere(local, progress, &account).await {
            return Step::Failure(failure);
        }
        let credentials = match self.credentials(local, &account).await {
            Ok(credentials) => credentials,
            Err(failure) => return Step::Failure(failure),
        };
        let Ok(exchange) = &mut progress.exchange else {
            return Step::Failure(out_of_turn());
        };
        with_credentials(local, exchange, credentials).await
    }

    /// Has the password checked by somebody else, if the store does not.
    async fn check_elsewhere(
        &self,
        local: &Local,
        progress: &mut Progress,
        account: &BareJid,
    ) -> Result<(), SaslFailure> {
        let Some(passwords) = local.passwords.get() else {
            return Ok(());
        };
        let exchange = progress.exchange.as_mut();
        let exchange = exchange.ok().and_then(Option::as_mut);
        let Some(password) = exchange.and_then(Exchange::take_password) else {
            return Ok(());
        };
        if is_temporary(account) {
            return Err(Refusal::UnknownAccount.into()); // no account is made under such a name
        }
        passwords.check(account.clone(), password).await?;
        local.welcome(account).await
    }

    /// Whether the link lets this account in.
    fn may_be(&self, account: &BareJid) -> bool {
        admitted(&self.connection).is_none_or(|admitted| admitted == account)
    }

    /// The localpart of the account that a token is for, and what else it says.
    async fn verify(&self, token: Token) -> Result<(String, Arc<Admission>), SaslFailure> {
        let address = self.connection.address;
        let Some(verifier) = &self.verifier else {
            return Err(SaslFailure::InvalidMechanism);
        };
        let admission = verifier.verify(token).await.map_err(|error| {
            tracing::info!(%address, reason = %error, "token refused");
            match error.is_temporary() {
                true => SaslFailure::TemporaryAuthFailure {
                    reason: error.to_string(),
                },
                false => Refusal::InvalidToken.into(),
            }
        })?;
        let Some(localpart) = own_localpart(admission.jid.as_ref(), &self.host) else {
            let jid = admission.jid.as_ref().map(|jid| jid.as_str());
            tracing::info!(%address, jid, host = &*self.host, "the token is for no account here");
            return Err(Refusal::InvalidToken.into());
        };
        match &admission.jid {
            Some(account) if !self.may_be(account) => Err(Refusal::OtherAccount.into()),
            _ => Ok((localpart, Arc::new(admission))),
        }
    }

    async fn credentials(
        &self,
        local: &Local,
        account: &BareJid,
    ) -> Result<Option<Credentials>, SaslFailure> {
        let stored = local.store.credentials(account).await.map_err(|error| {
            tracing::error!(%error, "credentials could not be looked up");
            SaslFailure::TemporaryAuthFailure {
                reason: error.to_string(),
            }
        })?;
        // Looked up all the same: the time it takes tells nothing.
        let from_afar = !self.connection.on_this_machine;
        if from_afar && local.options.load().demo.contains(account) {
            tracing::warn!(%account, address = %self.connection.address, "demo accounts are for loopback only");
            return Ok(None);
        }
        Ok(stored)
    }

    fn reply(&self, local: &Local, progress: &mut Progress, step: Step) -> SaslReply {
        match step {
            Step::Challenge(data) => SaslReply::Challenge(data),
            Step::Success { username, data } => self.success(local, progress, &username, data),
            Step::Anonymous => self.anonymous(),
            Step::LookUp { .. } | Step::Verify { .. } => SaslReply::Failure(out_of_turn()),
            Step::Failure(failure) => {
                self.note(local, progress, &failure);
                SaslReply::Failure(failure)
            }
        }
    }

    fn success(
        &self,
        local: &Local,
        progress: &mut Progress,
        username: &str,
        data: Option<Vec<u8>>,
    ) -> SaslReply {
        match BareJid::new(&format!("{username}@{}", self.host)) {
            Ok(account) => {
                // No guess was made where no password was asked for, and none is forgotten for it.
                if progress.account.take().is_some() {
                    local.attempt_succeeded(account.as_str(), self.connection.address);
                }
                SaslReply::Success {
                    account,
                    data,
                    admission: progress.admission.take(),
                }
            }
            Err(_) => SaslReply::Failure(Refusal::ImpossibleName.into()),
        }
    }

    fn anonymous(&self) -> SaslReply {
        let trouble =
            |reason: String| SaslReply::Failure(SaslFailure::TemporaryAuthFailure { reason });
        if admitted(&self.connection).is_some() {
            return SaslReply::Failure(Refusal::OtherAccount.into());
        }
        let mut bytes = [0; 10];
        if let Err(error) = getrandom::fill(&mut bytes) {
            return trouble(error.to_string());
        }
        let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match BareJid::new(&format!("{TEMPORARY}{name}@{}", self.host)) {
            Ok(account) => SaslReply::Success {
                account,
                data: None,
                admission: None,
            },
            Err(error) => trouble(error.to_string()),
        }
    }

    fn note(&self, local: &Local, progress: &mut Progress, failure: &SaslFailure) {
        let address = self.connection.address;
        // Taken, so that one attempt is settled once. A guess has been counted since it began.
        let account = progress.account.take();
        let account = account.as_ref().map(|account| account.as_str());
        if let (false, Some(account)) = (failure.is_guess(), account) {
            local.attempt_came_to_nothing(account, address);
        }
        tracing::info!(account, %address, %failure, "login refused");
    }
}

/// Goes on with the keys; where that derives a password, on a thread for such work.
async fn with_credentials(
    local: &Local,
    exchange: &mut Option<Exchange>,
    credentials: Option<Credentials>,
) -> Step {
    let Some(mut taken) = exchange.take() else {
        return Step::Failure(out_of_turn());
    };
    if !taken.is_costly() {
        let step = taken.on_credentials(credentials);
        *exchange = Some(taken);
        return step;
    }
    let _turn = local.costly.acquire().await;
    let work = move || (taken.on_credentials(credentials), taken);
    match tokio::task::spawn_blocking(work).await {
        Ok((step, taken)) => {
            *exchange = Some(taken);
            step
        }
        Err(error) => Step::Failure(SaslFailure::TemporaryAuthFailure {
            reason: error.to_string(),
        }),
    }
}

/// The localpart, if the account is of this domain.
fn own_localpart(account: Option<&BareJid>, host: &str) -> Option<String> {
    let account = account.filter(|account| account.domain().as_str() == host)?;
    Some(account.node()?.as_str().to_owned())
}

fn out_of_turn() -> SaslFailure {
    crate::auth::Malformed::OutOfTurn.into()
}
