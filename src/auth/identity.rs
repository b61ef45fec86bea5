//! Who a client says it is: the user name, and the identity that it asks to act as.

use jid::{BareJid, DomainPart, NodePart};

use super::{
    credentials::{CredentialsError, check_iterations},
    failure::{Malformed, Refusal, SaslFailure},
    secret::Secret,
};

/// The accounts of one domain, as far as an authentication needs to know them.
///
/// One for each domain, shared by its [`Exchange`](super::Exchange)s.
#[derive(Debug, Clone)]
pub struct Realm {
    domain: DomainPart,
    secret: Secret,
    iterations: u32,
}

impl Realm {
    /// A realm for `domain`.
    ///
    /// `secret` and `iterations` shape the answers for accounts that do not exist (RFC 5802 §9):
    /// give the iterations that accounts are made with. Accounts made with others can be told from
    /// those that do not exist until their passwords are set anew.
    ///
    /// # Errors
    ///
    /// [`CredentialsError::IterationsOutOfRange`].
    pub fn new(
        domain: DomainPart,
        secret: Secret,
        iterations: u32,
    ) -> Result<Self, CredentialsError> {
        check_iterations(iterations)?;
        Ok(Self {
            domain,
            secret,
            iterations,
        })
    }

    /// The domain of the accounts.
    pub fn domain(&self) -> &str {
        self.domain.as_str()
    }

    /// Iterations told for accounts that do not exist.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The localpart of the account that a user name means, after case mapping (RFC 7622 §3.3).
    ///
    /// Clients should send the bare name (RFC 6120 §6.3.7); some send their bare JID, which says
    /// the same thing where the domain is ours.
    pub(super) fn localpart(&self, username: &str) -> Result<String, SaslFailure> {
        if username.is_empty() {
            return Err(Malformed::EmptyUsername.into());
        }
        let name = match username.split_once('@') {
            Some((name, domain)) if self.is_own_domain(domain) => name,
            _ => username,
        };
        NodePart::new(name)
            .map(|localpart| localpart.as_str().to_owned())
            .map_err(|_| Refusal::ImpossibleName.into())
    }

    /// Allows the empty authorization identity, and the bare JID of the account itself.
    ///
    /// Nobody acts for somebody else here (RFC 6120 §6.3.8).
    pub(super) fn check_authzid(&self, authzid: &str, localpart: &str) -> Result<(), SaslFailure> {
        let own = |jid: BareJid| {
            jid.node().is_some_and(|node| node.as_str() == localpart)
                && jid.domain().as_str() == self.domain()
        };
        if authzid.is_empty() || BareJid::new(authzid).is_ok_and(own) {
            Ok(())
        } else {
            Err(SaslFailure::InvalidAuthzid {
                authzid: authzid.to_owned(),
            })
        }
    }

    fn is_own_domain(&self, domain: &str) -> bool {
        DomainPart::new(domain).is_ok_and(|domain| domain.as_str() == self.domain())
    }
}
