//! Numbered migrations.

use crate::store::StoreError;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

/// The tables of one part of the program, as a list of migrations.
///
/// The first migration is number 1. One that was released never changes; what must change comes
/// as a further one. A service that keeps tables of its own brings a schema of its own, so that
/// it can be added and taken out without touching the core.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// Names it in the database; never changes.
    pub name: &'static str,
    /// SQL texts, oldest first.
    pub migrations: &'static [&'static str],
}

/// Accounts, rosters and offline messages.
pub(super) const CORE: Schema = Schema {
    name: "core",
    migrations: &[
        include_str!("001_core.sql"),
        include_str!("002_sessions.sql"),
        include_str!("003_admission.sql"),
    ],
};

/// Brings a schema up to date, in one transaction.
///
/// The core counts in `PRAGMA user_version`, which tools show; the others in a table.
pub(super) fn migrate(connection: &mut Connection, schema: &Schema) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (found, known) = (
        version(&transaction, schema)?,
        schema.migrations.len() as u32,
    );
    if found > known {
        return Err(StoreError::TooNew {
            schema: schema.name,
            found,
            known,
        });
    }
    if found == known {
        return Ok(());
    }
    for migration in schema.migrations.iter().skip(found as usize) {
        transaction.execute_batch(migration)?;
    }
    set_version(&transaction, schema, known)?;
    Ok(transaction.commit()?)
}

fn version(connection: &Connection, schema: &Schema) -> Result<u32, StoreError> {
    if schema.name == CORE.name {
        return Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?);
    }
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS service_schema (
             name TEXT PRIMARY KEY, version INTEGER NOT NULL
         ) STRICT, WITHOUT ROWID",
    )?;
    let sql = "SELECT version FROM service_schema WHERE name = ?1";
    let version = connection
        .query_row(sql, [schema.name], |row| row.get(0))
        .optional()?;
    Ok(version.unwrap_or(0))
}

fn set_version(connection: &Connection, schema: &Schema, version: u32) -> Result<(), StoreError> {
    if schema.name == CORE.name {
        return Ok(connection.pragma_update(None, "user_version", version)?);
    }
    let sql = "INSERT INTO service_schema (name, version) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET version = excluded.version";
    connection.execute(sql, (schema.name, version))?;
    Ok(())
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOMS: Schema = Schema {
        name: "rooms",
        migrations: &["CREATE TABLE room (jid TEXT) STRICT"],
    };

    #[test]
    fn a_migration_is_carried_out_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        for _ in 0..2 {
            migrate(&mut connection, &CORE).unwrap();
            migrate(&mut connection, &ROOMS).unwrap();
        }
        assert_eq!(version(&connection, &CORE), Ok(3));
        assert_eq!(version(&connection, &ROOMS), Ok(1));
    }

    #[test]
    fn a_database_of_a_later_version_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        for schema in [&CORE, &ROOMS] {
            set_version(&connection, schema, 7)
                .or_else(|_| migrate(&mut connection, schema))
                .unwrap();
            set_version(&connection, schema, 7).unwrap();
            let error = migrate(&mut connection, schema).unwrap_err();
            assert_eq!(
                error,
                StoreError::TooNew {
                    schema: schema.name,
                    found: 7,
                    known: schema.migrations.len() as u32
                }
            );
            assert!(error.to_string().contains("later stanzad"), "{error}");
        }
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_behind() {
        const BROKEN: Schema = Schema {
            name: "broken",
            migrations: &[
                "CREATE TABLE half (a TEXT) STRICT",
                "CREATE TABLE half (a TEXT) STRICT",
            ],
        };
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &BROKEN).unwrap_err();
        assert_eq!(version(&connection, &BROKEN), Ok(0));
        let tables: u32 = connection
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE name = 'half'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(tables, 0);
    }
}
