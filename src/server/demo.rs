//! Demo accounts: two, with fresh passwords at each start, good on loopback only.

use crate::auth::{Credentials, ITERATIONS_MIN};
use crate::stanza::address::BareJid;
use crate::store::{Store, StoreError};
use base64::Engine as _;
use std::sync::Arc;

/// An account that lives as long as the demo.
#[derive(Clone)]
pub struct DemoAccount {
    /// Its address.
    pub jid: BareJid,
    /// Its password, generated at this start.
    pub password: String,
}

impl std::fmt::Debug for DemoAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoAccount")
            .field("jid", &self.jid)
            .finish_non_exhaustive()
    }
}

const NAMES: [&str; 2] = ["romeo", "juliet"];

/// Makes the accounts, or gives them new passwords. An account of that name that somebody made
/// for real would lose its password, so a demo wants a state directory of its own.
pub(super) async fn prepare(
    store: &Arc<dyn Store>,
    domain: &str,
) -> Result<Vec<DemoAccount>, StoreError> {
    let accounts: Vec<_> = NAMES
        .iter()
        .filter_map(|name| format!("{name}@{domain}").parse().ok())
        .map(|jid| DemoAccount {
            jid,
            password: password(),
        })
        .collect();
    let derived = accounts.iter().filter_map(|account| {
        // A generated password of 60 random bits needs no stretching.
        let credentials = Credentials::derive(&account.password, ITERATIONS_MIN).ok()?;
        Some((account.jid.clone(), credentials))
    });
    store.import_accounts(derived.collect()).await?;
    Ok(accounts)
}

/// 60 random bits, easy to copy.
fn password() -> String {
    let mut bytes = [0; 9];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    text.replace(['-', '_'], "x").chars().take(10).collect()
}
