//! What the embedded services are told by the operator.

use crate::auth::CredentialsError;
use crate::stanza::address::BareJid;
use std::collections::HashSet;
use std::sync::Arc;

/// Who wins when a client asks for a resource that is taken (RFC 6120 §7.7.2.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConflictPolicy {
    /// The new session; the old one ends with `conflict`. A client that lost its link without
    /// notice gets in again.
    #[default]
    Replace,
    /// The old session, as long as a stream carries it; the new one gets `conflict`.
    Refuse,
}

/// Options of the embedded services. All but `hosts` may change while they run.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// The domains that are served, in canonical form; at least one.
    pub hosts: Vec<Arc<str>>,
    /// `auth.scram_iterations`: rounds for passwords that are set from now on.
    pub scram_iterations: u32,
    /// `auth.plain`: whether PLAIN is offered on private links.
    pub plain: bool,
    /// `auth.anonymous`: whether ANONYMOUS is offered.
    pub anonymous: bool,
    /// Whether the other mechanisms are announced beside EXTERNAL, where the link was admitted for
    /// an account. If not, they can be asked for and are not announced: web clients built on Strophe
    /// choose SCRAM wherever it is announced, and have no password then.
    pub external_beside_others: bool,
    /// Accounts that may log in from this machine only.
    pub demo: HashSet<BareJid>,
    /// What happens when a resource is taken.
    pub conflict: ConflictPolicy,
    /// `limits.roster_items`: contacts in one roster, and requests that wait for one account.
    pub roster_items: usize,
    /// `limits.offline_messages`: messages that are kept for one account.
    pub offline_messages: usize,
    /// `registration.enabled`: whether strangers can make accounts (XEP-0077).
    pub registration: bool,
    /// Whether users can delete their accounts (XEP-0077 §3.2).
    pub cancellation: bool,
}

impl LocalOptions {
    /// The defaults for one domain.
    pub fn for_host(host: &str) -> Self {
        Self {
            hosts: vec![host.into()],
            scram_iterations: crate::auth::ITERATIONS_DEFAULT,
            plain: true,
            anonymous: false,
            external_beside_others: false,
            demo: HashSet::new(),
            conflict: ConflictPolicy::default(),
            roster_items: 1000,
            offline_messages: 1000,
            registration: false,
            cancellation: false,
        }
    }

    /// Whether a domain is served here.
    pub(super) fn serves(&self, domain: &str) -> bool {
        self.hosts.iter().any(|host| &**host == domain)
    }
}

/// Options that cannot be; the operator's doing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// No domain.
    #[error("no domain is configured")]
    NoHost,
    /// A domain that is none.
    #[error("{0:?} is no domain")]
    Host(String),
    /// `auth.scram_iterations` out of range.
    #[error(transparent)]
    Iterations(#[from] CredentialsError),
}
