//! Many accounts at once.

use super::accounts::{AccountError, parse_account};
use crate::auth::Credentials;
use crate::stanza::address::BareJid;
use crate::store::{Store, StoreError};
use std::io::BufRead;

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Accounts that are new.
    pub new: usize,
    /// Accounts that were there and have another password now.
    pub changed: usize,
}

/// Accounts in one transaction of an import.
const IMPORT_BATCH: usize = 512;

/// Imports `jid password` lines: an address, white space, and the password, which is the rest of
/// the line. Empty lines and lines that begin with `#` are passed over. Accounts that exist get
/// the password.
///
/// Passwords are derived on all cores; what was committed before a line that is refused stays.
/// Blocks the thread that it runs on for the derivation: it is for the command line.
///
/// # Errors
///
/// [`AccountError::Line`] names the line and what is wrong with it; never the password.
pub async fn import(
    store: &dyn Store,
    lines: impl BufRead,
    iterations: u32,
) -> Result<Imported, AccountError> {
    let mut imported = Imported::default();
    let mut batch = Vec::with_capacity(IMPORT_BATCH);
    for (index, line) in lines.lines().enumerate() {
        let number = index + 1;
        let line = line.map_err(|error| at_line(number, &error))?;
        if let Some((account, password)) = parse_line(number, &line)? {
            batch.push(Row {
                number,
                account,
                password,
            });
        }
        if batch.len() == IMPORT_BATCH {
            commit(store, &batch, iterations, &mut imported).await?;
            batch.clear();
        }
    }
    commit(store, &batch, iterations, &mut imported).await?;
    Ok(imported)
}

struct Row {
    number: usize,
    account: BareJid,
    password: String,
}

fn at_line(line: usize, reason: &dyn std::fmt::Display) -> AccountError {
    AccountError::Line {
        line,
        reason: reason.to_string(),
    }
}

fn parse_line(number: usize, line: &str) -> Result<Option<(BareJid, String)>, AccountError> {
    let line = line.trim_end_matches(['\r', '\n']);
    if line.trim().is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (account, password) = line
        .split_once([' ', '\t'])
        .ok_or_else(|| at_line(number, &"an address and a password are wanted"))?;
    let account = parse_account(account).map_err(|error| at_line(number, &error))?;
    Ok(Some((
        account,
        password.trim_start_matches([' ', '\t']).to_owned(),
    )))
}

async fn commit(
    store: &dyn Store,
    rows: &[Row],
    iterations: u32,
    imported: &mut Imported,
) -> Result<(), AccountError> {
    if rows.is_empty() {
        return Ok(());
    }
    let accounts = derive_all(rows, iterations)?;
    let new = store.import_accounts(accounts).await?;
    imported.new += new;
    imported.changed += rows.len() - new;
    Ok(())
}

/// On all cores: a row costs milliseconds, whatever core it is on.
fn derive_all(rows: &[Row], iterations: u32) -> Result<Vec<(BareJid, Credentials)>, AccountError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = rows.len().div_ceil(cores).max(1);
    let derive = |rows: &[Row]| -> Result<Vec<_>, AccountError> {
        rows.iter().map(|row| derive_row(row, iterations)).collect()
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = rows
            .chunks(share)
            .map(|rows| scope.spawn(move || derive(rows)))
            .collect();
        let mut all = Vec::with_capacity(rows.len());
        for part in parts {
            let part = part.join().map_err(|_| StoreError::Corrupt("a thread"))?;
            all.extend(part?);
        }
        Ok(all)
    })
}

fn derive_row(row: &Row, iterations: u32) -> Result<(BareJid, Credentials), AccountError> {
    let credentials = Credentials::derive(&row.password, iterations);
    let credentials = credentials.map_err(|error| at_line(row.number, &error))?;
    Ok((row.account.clone(), credentials))
}
