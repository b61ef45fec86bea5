//! Demo accounts: two, with fresh passwords at each start, good on loopback only.
//!
//! The file `demo` in `state_dir` says which accounts a demo made: a line for each, the address and
//! the salt of its keys. The salt is drawn anew with each password, so an account of that name that
//! somebody made or gave a password for real is told from one of the demo, and is left alone.

use super::start::StartError;
use crate::auth::{Credentials, ITERATIONS_MIN};
use crate::stanza::address::BareJid;
use crate::store::Store;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
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

/// The name of the file in `state_dir`.
const FILE: &str = "demo";

/// Makes the accounts, or gives those of an earlier demo new passwords.
///
/// # Errors
///
/// [`StartError::DemoAccount`] if one of them was not made by a demo; [`StartError::Store`],
/// [`StartError::StateDir`]
pub(super) async fn prepare(
    store: &Arc<dyn Store>,
    state_dir: &Path,
    domain: &str,
) -> Result<Vec<DemoAccount>, StartError> {
    let mut made = Made::read(state_dir)?;
    let addresses = NAMES.iter().map(|name| format!("{name}@{domain}").parse());
    let mut accounts = Vec::new();
    let mut derived = Vec::new();
    for jid in addresses.flatten() {
        let jid: BareJid = jid;
        if let Some(stored) = store.credentials(&jid).await?
            && !made.has(&jid, &stored)
        {
            return Err(StartError::DemoAccount(jid));
        }
        let password = password();
        // A generated password of 60 random bits needs no stretching.
        if let Ok(credentials) = Credentials::derive(&password, ITERATIONS_MIN) {
            derived.push((jid.clone(), credentials));
        }
        accounts.push(DemoAccount { jid, password });
    }
    // Written first: an account that is made is on the list, whatever happens in between.
    made.lines.extend(derived.iter().map(line));
    made.write()?;
    store.import_accounts(derived.clone()).await?;
    made.replace(&derived);
    made.write()?;
    Ok(accounts)
}

/// A start without a demo: deletes what an earlier demo made.
///
/// # Errors
///
/// [`StartError::Store`], [`StartError::StateDir`]
pub(super) async fn clear(store: &Arc<dyn Store>, state_dir: &Path) -> Result<(), StartError> {
    let made = Made::read(state_dir)?;
    for jid in made.addresses() {
        let stored = store.credentials(&jid).await?;
        if stored.is_some_and(|stored| made.has(&jid, &stored)) {
            store.delete_account(&jid).await?;
            tracing::info!(account = %jid, "demo account deleted");
        }
    }
    made.delete()
}

/// The accounts that demos made.
struct Made {
    path: PathBuf,
    lines: Vec<String>,
}

impl Made {
    fn read(state_dir: &Path) -> Result<Self, StartError> {
        let path = state_dir.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(source) => return Err(StartError::StateDir { path, source }),
        };
        let lines = text.lines().map(str::to_owned).collect();
        Ok(Self { path, lines })
    }

    /// Whether these are keys that a demo derived for this account.
    fn has(&self, jid: &BareJid, stored: &Credentials) -> bool {
        let wanted = line(&(jid.clone(), stored.clone()));
        self.lines.contains(&wanted)
    }

    /// These accounts have these keys now. Those of another domain stay on the list.
    fn replace(&mut self, made_now: &[(BareJid, Credentials)]) {
        self.lines.retain(|line| {
            let made_before = line.split(' ').next().unwrap_or_default();
            made_now.iter().all(|(jid, _)| jid.as_str() != made_before)
        });
        self.lines.extend(made_now.iter().map(line));
    }

    fn addresses(&self) -> impl Iterator<Item = BareJid> {
        let words = self.lines.iter().filter_map(|line| line.split(' ').next());
        words.filter_map(|jid| jid.parse().ok())
    }

    fn write(&self) -> Result<(), StartError> {
        let mut text = String::new();
        for line in &self.lines {
            let _ = writeln!(text, "{line}"); // writing to a String does not fail
        }
        std::fs::write(&self.path, text).map_err(|source| self.trouble(source))
    }

    fn delete(&self) -> Result<(), StartError> {
        match std::fs::remove_file(&self.path) {
            Err(source) if source.kind() != ErrorKind::NotFound => Err(self.trouble(source)),
            _ => Ok(()),
        }
    }

    fn trouble(&self, source: std::io::Error) -> StartError {
        StartError::StateDir {
            path: self.path.clone(),
            source,
        }
    }
}

fn line((jid, credentials): &(BareJid, Credentials)) -> String {
    let salt = credentials.strongest().map(|keys| keys.salt());
    format!("{jid} {}", URL_SAFE_NO_PAD.encode(salt.unwrap_or_default()))
}

/// 60 random bits, easy to copy.
fn password() -> String {
    let mut bytes = [0; 9];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    let text = URL_SAFE_NO_PAD.encode(bytes);
    text.replace(['-', '_'], "x").chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Sqlite;

    fn jid(name: &str) -> BareJid {
        format!("{name}@example.org").parse().unwrap()
    }

    fn keys() -> Credentials {
        Credentials::derive("secret", ITERATIONS_MIN).unwrap()
    }

    fn open() -> (tempfile::TempDir, Arc<dyn Store>) {
        let directory = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&directory.path().join("stanzad.sqlite")).unwrap();
        (directory, Arc::new(store))
    }

    async fn accounts(store: &Arc<dyn Store>) -> Vec<BareJid> {
        store.accounts(None, 10).await.unwrap()
    }

    #[tokio::test]
    async fn a_demo_gives_the_accounts_of_an_earlier_one_new_passwords() {
        let (directory, store) = open();
        let first = prepare(&store, directory.path(), "example.org").await;
        let second = prepare(&store, directory.path(), "example.org").await;
        assert_ne!(first.unwrap()[0].password, second.unwrap()[0].password);
        assert_eq!(accounts(&store).await, [jid("juliet"), jid("romeo")]);
    }

    #[tokio::test]
    async fn accounts_of_a_demo_at_another_domain_are_deleted_with_the_others() {
        let (directory, store) = open();
        for domain in ["example.org", "example.net"] {
            let made = prepare(&store, directory.path(), domain).await;
            assert_eq!(made.unwrap().len(), 2);
        }
        assert_eq!(accounts(&store).await.len(), 4);
        clear(&store, directory.path()).await.unwrap();
        assert!(accounts(&store).await.is_empty());
    }

    #[tokio::test]
    async fn a_demo_does_not_start_over_an_account_that_it_did_not_make() {
        let (directory, store) = open();
        let real = keys();
        let juliet = jid("juliet");
        store.create_account(&juliet, real.clone()).await.unwrap();
        let refused = prepare(&store, directory.path(), "example.org").await;
        assert!(matches!(refused, Err(StartError::DemoAccount(jid)) if jid == juliet));
        assert_eq!(store.credentials(&juliet).await.unwrap(), Some(real));
        assert_eq!(accounts(&store).await, [juliet]);
    }

    #[tokio::test]
    async fn a_start_without_a_demo_deletes_what_demos_made_and_nothing_else() {
        let (directory, store) = open();
        store.create_account(&jid("nurse"), keys()).await.unwrap();
        let made = prepare(&store, directory.path(), "example.org").await;
        assert_eq!(made.unwrap().len(), 2);
        // Somebody made it an account of their own.
        store.set_credentials(&jid("juliet"), keys()).await.unwrap();
        clear(&store, directory.path()).await.unwrap();
        assert_eq!(accounts(&store).await, [jid("juliet"), jid("nurse")]);
        assert!(!directory.path().join(FILE).exists());
        clear(&store, directory.path()).await.unwrap();
        assert_eq!(accounts(&store).await.len(), 2);
    }
}
