//! The store over SQLite: one writer, a few readers, write-ahead log.

mod accounts;
mod migrations;
mod offline;
mod readers;
mod roster;
mod writer;

#[cfg(test)]
mod tests;

pub use migrations::Schema;

use super::{Call, StoreError};
use readers::Readers;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use writer::Writer;

/// How many connections read.
const READERS: usize = 2;

/// How long a statement waits for another process, such as `stanzad user add`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A store in one SQLite file.
///
/// WAL with `synchronous=NORMAL`: a commit survives a crash of the process, and a crash of the
/// machine may cost the last ones, never the integrity of the file.
#[derive(Debug, Clone)]
pub struct Sqlite {
    writer: Writer,
    readers: Readers,
    closed: Arc<AtomicBool>,
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
        Self::open_with(path, &[])
    }

    /// [`Sqlite::open`], with the tables of services that keep some of their own.
    ///
    /// # Errors
    ///
    /// As [`Sqlite::open`].
    pub fn open_with(path: &Path, services: &[Schema]) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path)?;
        set_up(&connection)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        migrations::migrate(&mut connection, &migrations::CORE)?;
        for schema in services {
            migrations::migrate(&mut connection, schema)?;
        }
        let readers = (0..READERS)
            .map(|_| reader(path))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            writer: Writer::start(connection)?,
            readers: Readers::start(readers)?,
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
    Ok(())
}
