//! Tickets: one connection each, for whoever holds the URL.

use super::Admission;
use super::secret::{EntropyUnavailable, random_bytes};
use crate::stanza::address::BareJid;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a ticket may be good for; a longer time is shortened to it. So long is a ticket that
/// was used remembered at most.
pub const TICKET_TTL_MAX: Duration = Duration::from_secs(3600);

/// So many used tickets that have not expired are remembered. At the bound no ticket is taken
/// ([`TicketError::TooMany`]) until one expires, as one that is not remembered could be used twice.
pub const USED_TICKETS_MAX: usize = 100_000;

/// The longest text of a ticket, in bytes; a longer one is bad. The longest that is ever minted
/// has an address of 2,047 bytes and an endpoint of 255.
pub const TICKET_BYTES_MAX: usize = 4096;

/// The form of what is in a ticket.
const VERSION: u8 = 1;
const TIME_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 32;
/// The longest name of an endpoint that a ticket can hold.
const ENDPOINT_BYTES_MAX: usize = 255;

type Nonce = [u8; NONCE_BYTES];

/// Mints tickets and redeems them.
///
/// A ticket says for which endpoint and as whom, until when, and which it is, and is signed by
/// HMAC-SHA-256. It is good for one connection.
///
/// The key is made anew with each process and kept nowhere, and time is counted from that moment
/// by a clock that never goes back: a ticket outlives neither the process nor its time, so no
/// process has to know what another one has redeemed.
pub struct Tickets {
    key: [u8; TAG_BYTES],
    epoch: Instant,
    used: Mutex<BTreeSet<(u64, Nonce)>>,
    used_max: usize,
}

/// Why a ticket is refused. The peer hears no more than that it is; this is for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TicketError {
    /// Not minted by this process, or changed.
    #[error("the ticket was not minted here since the last start, or was changed")]
    Bad,
    /// Its time is over.
    #[error("the ticket has expired")]
    Expired,
    /// Somebody connected with it before.
    #[error("the ticket was used before")]
    Used,
    /// It is for another endpoint.
    #[error("the ticket is for another endpoint")]
    OtherEndpoint,
    /// [`USED_TICKETS_MAX`]: none is taken at present.
    #[error("too many tickets were used of late")]
    TooMany,
}

impl Tickets {
    /// A new key, under which nothing has been minted.
    ///
    /// # Errors
    ///
    /// [`EntropyUnavailable`]
    pub fn new(now: Instant) -> Result<Self, EntropyUnavailable> {
        Ok(Self {
            key: random_bytes()?,
            epoch: now,
            used: Mutex::default(),
            used_max: USED_TICKETS_MAX,
        })
    }

    /// A ticket with which one client can connect to `endpoint` as `jid` until `ttl` from now, at
    /// most [`TICKET_TTL_MAX`]. Letters, digits, `-` and `_` only: it stands in a URL as it is.
    ///
    /// The name of an endpoint is cut at 255 bytes, as no `[[endpoint]]` has a longer one.
    ///
    /// # Errors
    ///
    /// [`EntropyUnavailable`]
    pub fn mint(
        &self,
        now: Instant,
        endpoint: &str,
        jid: &BareJid,
        ttl: Duration,
    ) -> Result<String, EntropyUnavailable> {
        let expires = now.saturating_duration_since(self.epoch) + ttl.min(TICKET_TTL_MAX);
        let nonce: Nonce = random_bytes()?;
        let endpoint = cut(endpoint);
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&milliseconds(expires).to_be_bytes());
        bytes.extend_from_slice(&nonce);
        bytes.push(endpoint.len() as u8); // `cut` made it fit
        bytes.extend_from_slice(endpoint);
        bytes.extend_from_slice(jid.as_str().as_bytes());
        let tag = self.mac(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Takes a ticket: it is good no more. The admission names the account and nothing else.
    ///
    /// # Errors
    ///
    /// [`TicketError`]. A ticket that was shown to another endpoint can still be used.
    pub fn redeem(
        &self,
        now: Instant,
        endpoint: &str,
        text: &str,
    ) -> Result<Admission, TicketError> {
        if text.len() > TICKET_BYTES_MAX {
            return Err(TicketError::Bad);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TicketError::Bad)?;
        let ticket = self.verified(&bytes).ok_or(TicketError::Bad)?;
        let jid = ticket.jid.ok_or(TicketError::Bad)?;
        if ticket.endpoint != cut(endpoint) {
            return Err(TicketError::OtherEndpoint);
        }
        let now = milliseconds(now.saturating_duration_since(self.epoch));
        if ticket.expires <= now {
            return Err(TicketError::Expired);
        }
        self.use_up(now, (ticket.expires, ticket.nonce))?;
        Ok(Admission {
            jid: Some(jid),
            ..Admission::default()
        })
    }

    fn verified<'t>(&self, bytes: &'t [u8]) -> Option<Ticket<'t>> {
        let (signed, tag) = bytes.split_last_chunk::<TAG_BYTES>()?;
        // In constant time.
        self.mac(signed).verify_slice(tag).ok()?;
        Ticket::read(signed)
    }

    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(bytes);
        mac
    }

    fn use_up(&self, now: u64, ticket: (u64, Nonce)) -> Result<(), TicketError> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        while used.first().is_some_and(|(expires, _)| *expires <= now) {
            used.pop_first();
        }
        if used.contains(&ticket) {
            return Err(TicketError::Used);
        }
        if used.len() >= self.used_max {
            return Err(TicketError::TooMany);
        }
        used.insert(ticket);
        Ok(())
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets(..)")
    }
}

/// What is signed.
struct Ticket<'t> {
    /// Milliseconds since the epoch of the process.
    expires: u64,
    nonce: Nonce,
    endpoint: &'t [u8],
    jid: Option<BareJid>,
}

impl<'t> Ticket<'t> {
    fn read(bytes: &'t [u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (expires, rest) = rest.split_first_chunk::<TIME_BYTES>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let (length, rest) = rest.split_first()?;
        let (endpoint, jid) = rest.split_at_checked(usize::from(*length))?;
        let jid = std::str::from_utf8(jid).ok().map(BareJid::new);
        (*version == VERSION).then(|| Self {
            expires: u64::from_be_bytes(*expires),
            nonce: *nonce,
            endpoint,
            jid: jid.and_then(Result::ok),
        })
    }
}

fn cut(endpoint: &str) -> &[u8] {
    let bytes = endpoint.as_bytes();
    &bytes[..bytes.len().min(ENDPOINT_BYTES_MAX)]
}

/// A time that no process reaches is cut.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
