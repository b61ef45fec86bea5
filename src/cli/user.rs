//! `stanzad user`.

use super::{Failure, UserCommand};
use crate::auth::Credentials;
use crate::backend::local::accounts;
use crate::config::Config;
use crate::server::{StartError, open_store};
use crate::stanza::address::BareJid;
use crate::store::Store;
use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;

/// How many addresses are read at once for `list`.
const LIST_PAGE: usize = 1000;

/// Manages accounts in the store of `config`; a server may run on it meanwhile.
pub(super) fn run(config: Config, command: UserCommand) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let store = open_store(&config).map_err(failed)?;
    let users = Users { config, store };
    let done = runtime.block_on(users.carry_out(command));
    let closed = runtime.block_on(users.store.close()).map_err(failed);
    done.and(closed)
}

struct Users {
    config: Config,
    store: Arc<dyn Store>,
}

impl Users {
    async fn carry_out(&self, command: UserCommand) -> Result<(), Failure> {
        match command {
            UserCommand::Add(with) => self.add(&with.args.jid, with.args.password).await,
            UserCommand::Passwd(with) => self.passwd(&with.args.jid, with.args.password).await,
            UserCommand::Del(with) => self.del(&with.args.jid).await,
            UserCommand::List(with) => self.list(with.args.domain.as_deref()).await,
            UserCommand::Import(_) => self.import().await,
        }
    }

    async fn add(&self, jid: &str, password: Option<String>) -> Result<(), Failure> {
        let account = self.account(jid)?;
        let credentials = self.credentials(&account, password)?;
        accounts::create(&*self.store, &account, credentials)
            .await
            .map_err(failed)?;
        say(&format!("{account} added\n"));
        Ok(())
    }

    async fn passwd(&self, jid: &str, password: Option<String>) -> Result<(), Failure> {
        let account = self.account(jid)?;
        let credentials = self.credentials(&account, password)?;
        accounts::set_password(&*self.store, &account, credentials)
            .await
            .map_err(failed)?;
        say(&format!("{account} has a new password\n"));
        Ok(())
    }

    async fn del(&self, jid: &str) -> Result<(), Failure> {
        let account = accounts::parse_account(jid).map_err(usage)?;
        accounts::delete(&*self.store, &account)
            .await
            .map_err(failed)?;
        say(&format!("{account} deleted\n"));
        Ok(())
    }

    async fn list(&self, domain: Option<&str>) -> Result<(), Failure> {
        let mut last: Option<BareJid> = None;
        loop {
            let page = self
                .store
                .accounts(last.as_ref(), LIST_PAGE)
                .await
                .map_err(failed)?;
            let wanted = page
                .iter()
                .filter(|account| domain.is_none_or(|domain| account.domain().as_str() == domain));
            say(&wanted
                .map(|account| format!("{account}\n"))
                .collect::<String>());
            let is_last = page.len() < LIST_PAGE;
            last = page.last().cloned();
            if is_last {
                return Ok(());
            }
        }
    }

    async fn import(&self) -> Result<(), Failure> {
        let lines = std::io::stdin().lock();
        let iterations = self.config.auth.scram_iterations;
        let imported = accounts::import(&*self.store, lines, iterations)
            .await
            .map_err(failed)?;
        say(&format!(
            "{} added, {} changed\n",
            imported.new, imported.changed
        ));
        Ok(())
    }

    /// An account that nobody could log in to is most often a slip.
    fn account(&self, jid: &str) -> Result<BareJid, Failure> {
        let account = accounts::parse_account(jid).map_err(usage)?;
        let hosts = crate::server::hosts(&self.config);
        if hosts
            .iter()
            .any(|host| **host == *account.domain().as_str())
        {
            return Ok(account);
        }
        Err(Failure::Usage(format!(
            "{account}: this server serves {} (option domain)",
            hosts.join(", ")
        )))
    }

    fn credentials(
        &self,
        account: &BareJid,
        given: Option<String>,
    ) -> Result<Credentials, Failure> {
        let password = match given {
            Some(password) => password,
            None => first_line(account)?,
        };
        Credentials::derive(&password, self.config.auth.scram_iterations).map_err(usage)
    }
}

fn first_line(account: &BareJid) -> Result<String, Failure> {
    let input = std::io::stdin();
    if input.is_terminal() {
        eprint!("password of {account}: ");
    }
    let mut line = String::new();
    input.lock().read_line(&mut line).map_err(failed)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A reader that closes the pipe early has seen enough.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

fn usage(error: impl std::fmt::Display) -> Failure {
    Failure::Usage(error.to_string())
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        failed(error)
    }
}
