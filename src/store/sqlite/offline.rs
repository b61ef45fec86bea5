//! Messages for accounts that are not there.

use super::accounts::account_id;
use super::{microseconds, time};
use crate::stanza::address::BareJid;
use crate::store::{Kept, OfflineMessage, StoreError, StoredMessage};
use rusqlite::Connection;
use sha2::{Digest, Sha256};

/// So much of the hash tells apart what one account was sent in one microsecond.
const DIGEST_BYTES: usize = 12;

pub(super) fn keep(
    connection: &Connection,
    account: &BareJid,
    message: &OfflineMessage,
    limit: usize,
) -> Result<Kept, StoreError> {
    let Some(id) = account_id(connection, account)? else {
        return Ok(Kept::NoAccount);
    };
    let sql = "SELECT count(*) FROM offline_message WHERE account = ?1";
    let kept: i64 = connection
        .prepare_cached(sql)?
        .query_row([id], |row| row.get(0))?;
    if usize::try_from(kept).is_ok_and(|kept| kept >= limit) {
        return Ok(Kept::Full);
    }
    let digest = Sha256::digest(message.stanza.as_bytes());
    let sql = "INSERT OR IGNORE INTO offline_message (account, at, digest, stanza)
               VALUES (?1, ?2, ?3, ?4)";
    let at = microseconds(message.at);
    connection
        .prepare_cached(sql)?
        .execute((id, at, &digest[..DIGEST_BYTES], &*message.stanza))?;
    Ok(Kept::Kept)
}

pub(super) fn oldest(
    connection: &Connection,
    account: &BareJid,
    limit: usize,
) -> Result<Vec<StoredMessage>, StoreError> {
    let Some(id) = account_id(connection, account)? else {
        return Ok(Vec::new());
    };
    // By the time of sending, not of storing: what a session leaves behind comes here late.
    let sql = "SELECT id, at, stanza FROM offline_message WHERE account = ?1
               ORDER BY at, id LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map((id, limit), |row| {
        let stanza: String = row.get(2)?;
        let message = OfflineMessage {
            at: time(row.get(1)?),
            stanza: stanza.into(),
        };
        Ok(StoredMessage {
            id: row.get(0)?,
            message,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn forget(
    connection: &Connection,
    account: &BareJid,
    ids: &[i64],
) -> Result<(), StoreError> {
    let Some(account) = account_id(connection, account)? else {
        return Ok(());
    };
    let sql = "DELETE FROM offline_message WHERE id = ?1 AND account = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    for id in ids {
        statement.execute((id, account))?;
    }
    Ok(())
}
