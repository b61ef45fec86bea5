//! Rosters and requests for subscription.

use super::accounts::{account_id, address};
use crate::stanza::address::BareJid;
use crate::store::{
    PendingRequest, RosterChange, RosterItem, StoreError, StoredRoster, Subscription,
};
use rusqlite::{Connection, Row};

pub(super) fn load(
    connection: &Connection,
    account: &BareJid,
) -> Result<Option<StoredRoster>, StoreError> {
    // One transaction: version, items and requests belong together.
    let snapshot = connection.unchecked_transaction()?;
    let Some(id) = account_id(&snapshot, account)? else {
        return Ok(None);
    };
    Ok(Some(StoredRoster {
        version: version(&snapshot, id)?,
        items: items(&snapshot, id)?,
        pending: pending(&snapshot, id)?,
    }))
}

fn version(connection: &Connection, id: i64) -> Result<String, StoreError> {
    let sql = "SELECT roster_epoch, roster_version FROM account WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let (epoch, version): (i64, i64) =
        statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(format!("{epoch:x}-{version}"))
}

fn items(connection: &Connection, id: i64) -> Result<Vec<RosterItem>, StoreError> {
    let sql =
        "SELECT jid, name, groups, subscription, ask, approved FROM contact WHERE account = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(item(row)?);
    }
    Ok(items)
}

fn item(row: &Row<'_>) -> Result<RosterItem, StoreError> {
    let (jid, groups): (String, String) = (row.get(0)?, row.get(2)?);
    let subscription: String = row.get(3)?;
    Ok(RosterItem {
        jid: address(&jid)?,
        name: row.get(1)?,
        groups: serde_json::from_str(&groups).map_err(|_| StoreError::Corrupt("groups"))?,
        subscription: Subscription::parse(&subscription)
            .ok_or(StoreError::Corrupt("a subscription"))?,
        ask: row.get(4)?,
        approved: row.get(5)?,
    })
}

fn pending(connection: &Connection, id: i64) -> Result<Vec<PendingRequest>, StoreError> {
    let sql = "SELECT sender, stanza FROM pending_request WHERE account = ?1 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    let mut pending = Vec::new();
    while let Some(row) = rows.next()? {
        let (sender, stanza): (String, String) = (row.get(0)?, row.get(1)?);
        pending.push(PendingRequest {
            from: address(&sender)?,
            stanza: stanza.into(),
        });
    }
    Ok(pending)
}

pub(super) fn change(
    connection: &Connection,
    account: &BareJid,
    change: &RosterChange,
) -> Result<String, StoreError> {
    let gone = || StoreError::Database(format!("{account} was deleted meanwhile"));
    let id = account_id(connection, account)?.ok_or_else(gone)?;
    for contact in &change.remove {
        let sql = "DELETE FROM contact WHERE account = ?1 AND jid = ?2";
        connection
            .prepare_cached(sql)?
            .execute((id, contact.as_str()))?;
    }
    for item in &change.put {
        put(connection, id, item)?;
    }
    for sender in &change.settle {
        let sql = "DELETE FROM pending_request WHERE account = ?1 AND sender = ?2";
        connection
            .prepare_cached(sql)?
            .execute((id, sender.as_str()))?;
    }
    for request in &change.ask {
        let sql =
            "INSERT OR IGNORE INTO pending_request (account, sender, stanza) VALUES (?1, ?2, ?3)";
        connection
            .prepare_cached(sql)?
            .execute((id, request.from.as_str(), &*request.stanza))?;
    }
    if change.touches_items() {
        let sql = "UPDATE account SET roster_version = roster_version + 1 WHERE id = ?1";
        connection.prepare_cached(sql)?.execute([id])?;
    }
    version(connection, id)
}

fn put(connection: &Connection, id: i64, item: &RosterItem) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO contact
                   (account, jid, name, groups, subscription, ask, approved)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let groups = serde_json::json!(item.groups).to_string();
    let subscription = item.subscription.as_str();
    connection.prepare_cached(sql)?.execute((
        id,
        item.jid.as_str(),
        item.name.as_deref(),
        groups,
        subscription,
        item.ask,
        item.approved,
    ))?;
    Ok(())
}

/// Takes a contact that is deleted out of every subscription.
pub(super) fn forget_everywhere(
    connection: &Connection,
    contact: &BareJid,
) -> Result<(), StoreError> {
    let sql = "UPDATE account SET roster_version = roster_version + 1
               WHERE id IN (SELECT account FROM contact WHERE jid = ?1)";
    connection
        .prepare_cached(sql)?
        .execute([contact.as_str()])?;
    let sql = "UPDATE contact SET subscription = 'none', ask = 0, approved = 0 WHERE jid = ?1";
    connection
        .prepare_cached(sql)?
        .execute([contact.as_str()])?;
    let sql = "DELETE FROM pending_request WHERE sender = ?1";
    connection
        .prepare_cached(sql)?
        .execute([contact.as_str()])?;
    Ok(())
}
