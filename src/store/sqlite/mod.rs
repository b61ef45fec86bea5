//! The store over SQLite: one writer, a few readers, write-ahead log.

mod accounts;
mod migrations;
mod offline;
mod readers;
mod roster;
mod sessions;
mod writer;

#[cfg(test)]
mod tests;

pub use migrations::Schema;

use super::journal::Journal;
use super::{Call, StoreError};
use readers::Readers;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use writer::Writer;

/// How many connections read.
const READERS: usize = 2;

/// How long a statement waits for another process, such as `stanzad user add`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A store in one SQLite file.
///
/// WAL with `synchronous=NORMAL`: a commit survives a crash of the process, and a crash of the
/// machine may cost the last ones, never the integrity of the file. With a journal it is
/// `synchronous=FULL`: a commit survives both. The log carries checksums; what a crash left half
/// written at its end is not taken for a commit.
#[derive(Debug, Clone)]
pub struct Sqlite {
    writer: Writer,
    readers: Readers,
    journal: Option<Arc<Journal>>,
    closed: Arc<AtomicBool>,
}

/// What is to be on disk when a session is told so (`sm.durability`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Journaling {
    /// Sessions are saved by a clean stop, if at all.
    #[default]
    Off,
    /// All that happens to sessions goes to disk as it happens.
    On,
}

impl Sqlite {
    /// Opens the database, makes it if it is not there, and brings it up to date.
    ///
    /// Blocks: call it at start, or from a thread for such things.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooNew`] for a database of a later version; [`StoreError::Database`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, &[], Journaling::Off)
    }

    /// [`Sqlite::open`], with the tables of services that keep some of their own.
    ///
    /// # Errors
    ///
    /// As [`Sqlite::open`].
    pub fn open_with(
        path: &Path,
        services: &[Schema],
        journaling: Journaling,
    ) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path)?;
        set_up(&connection)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let synchronous = match journaling {
            Journaling::Off => "NORMAL",
            Journaling::On => "FULL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        migrations::migrate(&mut connection, &migrations::CORE)?;
        for schema in services {
            migrations::migrate(&mut connection, schema)?;
        }
        let readers = (0..READERS)
            .map(|_| reader(path))
            .collect::<Result<_, _>>()?;
        let (writer, journal) = match journaling {
            Journaling::Off => (Writer::start(connection)?, None),
            Journaling::On => {
                let first_number = sessions::next_number(&connection)?;
                let (writer, journal) = Writer::start_journaled(connection, first_number)?;
                (writer, Some(journal))
            }
        };
        Ok(Self {
            writer,
            readers: Readers::start(readers)?,
            journal,
            closed: Arc::default(),
        })
    }

    /// Carries out `work` on the connection that writes, in a transaction that it may share with
    /// others. Done after the commit. For services with tables of their own.
    ///
    /// If `work` fails, what it did is undone.
    pub fn write<T, F>(&self, work: F) -> Call<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let writer = self.writer.clone();
        Box::pin(async move {
            let outcome = writer.hand_over(work).await?;
            outcome.await.map_err(|_| StoreError::Closed)?
        })
    }

    /// Carries out `work` on a connection that reads. It sees what was committed before.
    pub fn read<T, F>(&self, work: F) -> Call<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (readers, closed) = (self.readers.clone(), self.closed.clone());
        Box::pin(async move {
            if closed.load(Ordering::Acquire) {
                return Err(StoreError::Closed);
            }
            readers.read(work).await
        })
    }

    /// Hands `work` to the connection that writes; see [`super::Store::keep_offline`].
    fn hand_over<T, F>(&self, work: F) -> Call<Call<T>>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let writer = self.writer.clone();
        Box::pin(async move {
            let outcome = writer.hand_over(work).await?;
            let outcome: Call<T> =
                Box::pin(async move { outcome.await.map_err(|_| StoreError::Closed)? });
            Ok(outcome)
        })
    }

    fn stop(&self) -> Call<()> {
        let (writer, closed) = (self.writer.clone(), self.closed.clone());
        Box::pin(async move {
            closed.store(true, Ordering::Release);
            writer.stop().await
        })
    }
}

fn microseconds(at: SystemTime) -> i64 {
    let since = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn time(microseconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(microseconds).unwrap_or(0))
}

fn reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    set_up(&connection)?;
    Ok(connection)
}

fn set_up(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "foreign_keys", true)?;
    // One plan for a statement: else SQLite, as it is built here, prepares it anew for each value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}
