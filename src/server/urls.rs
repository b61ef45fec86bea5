//! Where clients connect, and tickets for it.

use super::{Server, options};
use crate::auth::EntropyUnavailable;
use crate::config::{AuthMethod, Config, Endpoint};
use crate::http::presented::TICKET_PARAMETER;
use crate::stanza::address::BareJid;
use std::time::Duration;

/// Why there is no URL, or no ticket for it.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// No endpoint has this name, or it is not enabled.
    #[error("there is no endpoint {0:?}")]
    NoSuchEndpoint(String),
    /// The endpoint takes no tickets (`endpoint.auth`).
    #[error("endpoint {0:?} takes no tickets: \"ticket\" is not in its auth")]
    NoTickets(String),
    /// The account is of another domain.
    #[error("{0} is not of a domain that is served here")]
    NotServed(BareJid),
    /// The operating system has no random numbers.
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
}

impl Server {
    /// The URL of an endpoint, as clients reach it (`public_url`).
    ///
    /// # Errors
    ///
    /// [`UrlError::NoSuchEndpoint`]
    pub fn url(&self, endpoint: &str) -> Result<String, UrlError> {
        let config = self.config();
        let endpoint = find(&config, endpoint)?;
        Ok(config.public_ws_url(&endpoint.path))
    }

    /// The URL of an endpoint with a ticket: whoever has it connects once, within `ttl` (an hour at
    /// most; `None`: `auth.ticket.ttl`), and logs in as `account` without a password, by SASL
    /// EXTERNAL. It is a secret until then, and worth nothing after a restart.
    ///
    /// # Errors
    ///
    /// [`UrlError`]
    pub fn ticket(
        &self,
        endpoint: &str,
        account: &BareJid,
        ttl: Option<Duration>,
    ) -> Result<String, UrlError> {
        let config = self.config();
        let endpoint = find(&config, endpoint)?;
        if !endpoint.auth.contains(&AuthMethod::Ticket) {
            return Err(UrlError::NoTickets(endpoint.name.clone()));
        }
        let hosts = options::hosts(&config);
        if !hosts
            .iter()
            .any(|host| **host == *account.domain().as_str())
        {
            return Err(UrlError::NotServed(account.clone()));
        }
        let ttl = ttl.unwrap_or(config.auth.ticket.ttl);
        let tickets = self.keys().tickets();
        let ticket = tickets.mint(crate::clock::now(), &endpoint.name, account, ttl)?;
        let url = config.public_ws_url(&endpoint.path);
        Ok(format!("{url}?{TICKET_PARAMETER}={ticket}"))
    }
}

fn find<'c>(config: &'c Config, name: &str) -> Result<&'c Endpoint, UrlError> {
    let mut endpoints = config.endpoints.iter();
    let found = endpoints.find(|endpoint| endpoint.name == name && endpoint.enabled);
    found.ok_or_else(|| UrlError::NoSuchEndpoint(name.to_owned()))
}
