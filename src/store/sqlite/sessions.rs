//! Sessions that outlive the process: records in, sessions out.

use super::{microseconds, offline, time};
use crate::auth::Admission;
use crate::stanza::address::FullJid;
use crate::store::journal::{Record, SavedCopies, SavedSession, SavedSm, SavedStanza, SavedState};
use crate::store::{SavedSessions, StoreError};
use rusqlite::{Connection, Row};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// Carries out records in their order.
pub(super) fn apply(connection: &Connection, records: &[Record]) -> Result<(), StoreError> {
    records
        .iter()
        .try_for_each(|record| apply_one(connection, record))
}

fn apply_one(connection: &Connection, record: &Record) -> Result<(), StoreError> {
    match record {
        Record::Bound { session, jid } => {
            let sql = "INSERT OR IGNORE INTO session (id, jid) VALUES (?1, ?2)";
            run(connection, sql, (key(*session), jid.as_str()))
        }
        Record::Managed { session, sm } => {
            let sql = "UPDATE session SET managed = 1, handled = ?2, acked = ?3,
                       resume_seconds = ?4 WHERE id = ?1";
            let seconds = sm.resume_seconds.map(signed);
            run(
                connection,
                sql,
                (key(*session), sm.handled, sm.acked, seconds),
            )
        }
        Record::Queued { session, stanza } => queue(connection, *session, stanza),
        Record::Arrived {
            session,
            through,
            acked,
            has_copies,
        } => arrive(connection, *session, *through, *acked, *has_copies),
        Record::Handled { session, h } => {
            let sql = "UPDATE session SET handled = ?2 WHERE id = ?1";
            run(connection, sql, (key(*session), h))
        }
        Record::State { session, state } => keep_state(connection, *session, state),
        Record::Recent {
            session,
            fingerprints,
        } => {
            let bytes: Vec<u8> = fingerprints
                .iter()
                .flat_map(|one| one.to_be_bytes())
                .collect();
            let sql = "UPDATE session SET recent = ?2 WHERE id = ?1";
            run(connection, sql, (key(*session), bytes))
        }
        Record::Ended { session } => {
            let sql = "UPDATE session SET ended = 1 WHERE id = ?1";
            run(connection, sql, [key(*session)])
        }
        Record::Placed { session, number } => {
            let sql = "DELETE FROM session_stanza WHERE session = ?1 AND number = ?2";
            run(connection, sql, (key(*session), signed(*number)))
        }
        Record::Gone { session } => {
            let sql = "DELETE FROM session_stanza WHERE session = ?1";
            run(connection, sql, [key(*session)])?;
            run(
                connection,
                "DELETE FROM session WHERE id = ?1",
                [key(*session)],
            )
        }
        Record::HandedOver { account, ids } => offline::forget(connection, account, ids),
    }
}

fn queue(connection: &Connection, session: u128, stanza: &SavedStanza) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO session_stanza
               (session, number, at, stanza, copies, original, arrived)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let copies = stanza.copies.as_ref();
    let values = (
        key(session),
        signed(stanza.number),
        microseconds(stanza.at),
        &*stanza.text,
        copies.map(|copies| signed(copies.number)),
        copies.and_then(|copies| copies.original.as_deref()),
        copies.is_some_and(|copies| copies.arrived),
    );
    run(connection, sql, values)
}

fn arrive(
    connection: &Connection,
    session: u128,
    through: u64,
    acked: u32,
    has_copies: bool,
) -> Result<(), StoreError> {
    let (session, through) = (key(session), signed(through));
    if has_copies {
        let sql = "UPDATE session_stanza SET arrived = 1 WHERE copies IN (
                       SELECT copies FROM session_stanza
                       WHERE session = ?1 AND number <= ?2 AND copies IS NOT NULL)";
        run(connection, sql, (session, through))?;
    }
    let sql = "DELETE FROM session_stanza WHERE session = ?1 AND number <= ?2";
    run(connection, sql, (session, through))?;
    let sql = "UPDATE session SET acked = ?2 WHERE id = ?1";
    run(connection, sql, (session, acked))
}

fn keep_state(
    connection: &Connection,
    session: u128,
    state: &SavedState,
) -> Result<(), StoreError> {
    let sql = "UPDATE session SET priority = ?2, presence = ?3, presence_at = ?4, carbons = ?5,
               interested = ?6, inactive = ?7, notes = ?8, admission = ?9 WHERE id = ?1";
    let presence = state.presence.as_ref();
    let values = (
        key(session),
        presence.map(|(priority, ..)| *priority),
        presence.map(|(_, text, _)| &**text),
        presence.map(|(.., at)| microseconds(*at)),
        state.carbons,
        state.interested,
        state.inactive,
        &*state.notes,
        state.admission.as_ref().map(admission_json).transpose()?,
    );
    run(connection, sql, values)
}

/// All of them, in no order, and the stanzas that have no place.
pub(super) fn load(connection: &Connection) -> Result<SavedSessions, StoreError> {
    let mut stanzas = load_stanzas(connection)?;
    let sql = "SELECT id, jid, managed, handled, acked, resume_seconds, ended, priority, presence,
               presence_at, carbons, interested, inactive, notes, recent, admission FROM session ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, [u8; 16]>(0)?, session(row)?)))?;
    let mut saved = SavedSessions::default();
    for row in rows {
        let (id, session) = row?;
        let stanzas = stanzas.remove(&u128::from_be_bytes(id)).unwrap_or_default();
        match session {
            Some(session) => saved.sessions.push(SavedSession { stanzas, ..session }),
            // An address that this version does not take; what it held still has a place to go.
            None => saved.strays.extend(stanzas),
        }
    }
    saved.strays.extend(stanzas.into_values().flatten());
    saved.next_number = next_number(connection)?;
    Ok(saved)
}

fn load_stanzas(connection: &Connection) -> Result<BTreeMap<u128, Vec<SavedStanza>>, StoreError> {
    let sql = "SELECT session, number, at, stanza, copies, original, arrived
               FROM session_stanza ORDER BY session, number";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, [u8; 16]>(0)?, stanza(row)?)))?;
    let mut stanzas = BTreeMap::<u128, Vec<SavedStanza>>::new();
    for row in rows {
        let (session, stanza) = row?;
        let session = u128::from_be_bytes(session);
        stanzas.entry(session).or_default().push(stanza);
    }
    Ok(stanzas)
}

pub(super) fn next_number(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT max(coalesce(max(number), 0), coalesce(max(copies), 0)) FROM session_stanza";
    let last: i64 = connection
        .prepare_cached(sql)?
        .query_row([], |row| row.get(0))?;
    Ok(last.cast_unsigned() + 1)
}

fn session(row: &Row<'_>) -> Result<Option<SavedSession>, rusqlite::Error> {
    let id: [u8; 16] = row.get(0)?;
    let jid: String = row.get(1)?;
    let Ok(jid) = FullJid::new(&jid) else {
        return Ok(None);
    };
    let seconds: Option<i64> = row.get(5)?;
    let sm = SavedSm {
        handled: row.get(3)?,
        acked: row.get(4)?,
        resume_seconds: seconds.map(i64::cast_unsigned),
    };
    let presence: Option<(i8, String, i64)> = match row.get(7)? {
        Some(priority) => Some((priority, row.get(8)?, row.get(9)?)),
        None => None,
    };
    Ok(Some(SavedSession {
        id: u128::from_be_bytes(id),
        jid,
        sm: row.get::<_, bool>(2)?.then_some(sm),
        ended: row.get(6)?,
        state: SavedState {
            presence: presence.map(|(priority, text, at)| (priority, text.into(), time(at))),
            carbons: row.get(10)?,
            interested: row.get(11)?,
            inactive: row.get(12)?,
            notes: row.get(13)?,
            admission: row
                .get::<_, Option<String>>(15)?
                .map(|json| admission(&json)),
        },
        recent: fingerprints(&row.get::<_, Vec<u8>>(14)?),
        stanzas: Vec::new(),
    }))
}

fn admission_json(admission: &Admission) -> Result<String, StoreError> {
    serde_json::to_string(admission).map_err(|error| StoreError::Database(error.to_string()))
}

/// One that cannot be read is over: nobody is let in for longer than was said.
fn admission(json: &str) -> Admission {
    serde_json::from_str(json).unwrap_or_else(|error| {
        tracing::error!(%error, "what was decided about a session cannot be read: it ends");
        Admission {
            expires: Some(SystemTime::UNIX_EPOCH),
            ..Admission::default()
        }
    })
}

fn fingerprints(bytes: &[u8]) -> Vec<u64> {
    let (chunks, _) = bytes.as_chunks();
    chunks
        .iter()
        .map(|chunk| u64::from_be_bytes(*chunk))
        .collect()
}

fn stanza(row: &Row<'_>) -> Result<SavedStanza, rusqlite::Error> {
    let number: i64 = row.get(1)?;
    let text: String = row.get(3)?;
    let copies: Option<i64> = row.get(4)?;
    let original: Option<String> = row.get(5)?;
    let arrived = row.get(6)?;
    Ok(SavedStanza {
        number: number.cast_unsigned(),
        text: text.into(),
        at: time(row.get(2)?),
        copies: copies.map(|number| SavedCopies {
            number: number.cast_unsigned(),
            original: original.map(Into::into),
            arrived,
        }),
    })
}

fn key(session: u128) -> [u8; 16] {
    session.to_be_bytes()
}

/// SQLite counts in 64 bits with a sign, and no number here comes near it.
fn signed(number: u64) -> i64 {
    number.cast_signed()
}

fn run(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}
