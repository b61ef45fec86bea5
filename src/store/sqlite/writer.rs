//! The one connection that writes, on a thread of its own.
//!
//! It takes what is queued, up to a bound, carries it out in one transaction and then tells those
//! who wait: the price of a commit is shared by all that came while the last one ran.

use super::sessions;
use crate::store::StoreError;
use crate::store::journal::{Journal, Record};
use rusqlite::Connection;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Jobs that wait for the writer. At the bound whoever hands over a job waits.
const QUEUE: usize = 4096;

/// Jobs in one transaction.
const BATCH: usize = 512;

/// How long a disk that refused is left alone before the journal is offered to it again.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// A job for the writer.
pub(super) trait Job: Send {
    /// Does it, inside the transaction.
    fn run(&mut self, connection: &Connection);
    /// Tells who waits, after the transaction.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

enum Order {
    Work(Box<dyn Job>),
    /// The journal has something.
    Journal,
    Stop(oneshot::Sender<()>),
}

/// The end of the queue that jobs are put into.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Order>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (queue, orders) = mpsc::channel(QUEUE);
        spawn(Desk::new(connection, None), orders)?;
        Ok(Self { queue })
    }

    /// A writer that takes the records of a journal along with its jobs.
    pub(super) fn start_journaled(
        connection: Connection,
        first_number: u64,
    ) -> Result<(Self, Arc<Journal>), StoreError> {
        let (queue, orders) = mpsc::channel(QUEUE);
        // A full queue wakes the writer as well; and it must not be kept open by the journal,
        // which those hold who wait for the writer to end.
        let bell = queue.downgrade();
        let wake_writer = Box::new(move || {
            if let Some(queue) = bell.upgrade() {
                let _ = queue.try_send(Order::Journal);
            }
        });
        let journal = Arc::new(Journal::new(first_number, wake_writer));
        spawn(Desk::new(connection, Some(journal.clone())), orders)?;
        Ok((Self { queue }, journal))
    }

    /// Hands a job over. Done when it stands in the queue; what it yields is told after its commit.
    pub(super) async fn hand_over<T, F>(
        &self,
        work: F,
    ) -> Result<oneshot::Receiver<Result<T, StoreError>>, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (told, outcome) = oneshot::channel();
        let job = Work {
            work: Some(work),
            outcome: Err(StoreError::Closed),
            told,
        };
        let order = Order::Work(Box::new(job));
        self.queue
            .send(order)
            .await
            .map_err(|_| StoreError::Closed)?;
        Ok(outcome)
    }

    /// Does what is queued and stops.
    pub(super) async fn stop(&self) -> Result<(), StoreError> {
        let (told, stopped) = oneshot::channel();
        self.queue
            .send(Order::Stop(told))
            .await
            .map_err(|_| StoreError::Closed)?;
        stopped.await.map_err(|_| StoreError::Closed)
    }
}

struct Work<T, F> {
    work: Option<F>,
    outcome: Result<T, StoreError>,
    told: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Work<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, connection: &Connection) {
        if let Some(work) = self.work.take() {
            self.outcome = in_savepoint(connection, work);
        }
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        // Nobody may be waiting any more: that is no concern of the store.
        let _ = self.told.send(committed.and(self.outcome));
    }
}

/// A job that fails is undone alone; the others in its transaction stand.
fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.prepare_cached("SAVEPOINT job")?.execute([])?;
    let outcome = work(connection);
    if outcome.is_err() {
        connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    connection.prepare_cached("RELEASE job")?.execute([])?;
    outcome
}

fn spawn(desk: Desk, orders: mpsc::Receiver<Order>) -> Result<(), StoreError> {
    let thread = std::thread::Builder::new().name("store-writer".to_owned());
    let spawned = thread.spawn(move || run(desk, orders));
    spawned
        .map(drop)
        .map_err(|error| StoreError::Database(error.to_string()))
}

/// What the writer works with.
struct Desk {
    connection: Connection,
    journal: Option<Arc<Journal>>,
    /// Records that a refusing disk left behind.
    backlog: Vec<Record>,
}

fn run(mut desk: Desk, mut orders: mpsc::Receiver<Order>) {
    while let Some(first) = orders.blocking_recv() {
        let mut stop = None;
        let mut jobs = Vec::new();
        let mut next = Some(first);
        while let Some(order) = next {
            match order {
                Order::Work(job) => jobs.push(job),
                Order::Journal => {}
                Order::Stop(told) => {
                    orders.close();
                    stop = Some(told);
                }
            }
            // What came before the order to stop stands before it; what slipped in behind it is
            // done as well.
            next = if jobs.len() < BATCH {
                orders.try_recv().ok()
            } else {
                None
            };
        }
        desk.commit(jobs);
        if let Some(told) = stop {
            finish(desk, orders, told);
            return;
        }
    }
}

/// Empties the queue, which takes nothing any more, and folds the log into the database.
fn finish(mut desk: Desk, mut orders: mpsc::Receiver<Order>, told: oneshot::Sender<()>) {
    let mut rest = Vec::new();
    while let Some(order) = orders.blocking_recv() {
        if let Order::Work(job) = order {
            rest.push(job);
        }
    }
    desk.commit(rest);
    let connection = desk.connection;
    if let Err(error) = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
        tracing::warn!(%error, "the write-ahead log was not folded in; the next start does it");
    }
    drop(connection);
    let _ = told.send(());
}

impl Desk {
    fn new(connection: Connection, journal: Option<Arc<Journal>>) -> Self {
        Self {
            connection,
            journal,
            backlog: Vec::new(),
        }
    }

    /// Carries out what is queued and what the journal has, in one transaction.
    fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        // Taken after the jobs: what was recorded before a job was handed over does not come
        // after it.
        let position = self.take_journal();
        if jobs.is_empty() && self.backlog.is_empty() {
            self.settle(position);
            return;
        }
        let committed = transact(&self.connection, &self.backlog, &mut jobs);
        if let Err(error) = &committed {
            tracing::error!(%error, jobs = jobs.len(), "the database did not take a transaction");
        }
        for job in jobs {
            job.finish(committed.clone());
        }
        match committed {
            Ok(()) => {
                self.backlog = Vec::new();
                self.settle(position);
            }
            Err(_) => self.try_again_later(),
        }
    }

    fn take_journal(&mut self) -> u64 {
        let Some(journal) = &self.journal else {
            return 0;
        };
        let taken = journal.take();
        self.backlog.extend(taken.records);
        taken.position
    }

    fn settle(&self, position: u64) {
        if let Some(journal) = &self.journal {
            journal.settle(position);
        }
    }

    /// Clients wait for the records, so they are offered until the disk takes them.
    fn try_again_later(&self) {
        if let Some(journal) = &self.journal
            && !self.backlog.is_empty()
        {
            std::thread::sleep(RETRY_INTERVAL);
            journal.wake_writer();
        }
    }
}

/// SQLite undoes a whole transaction when the disk is full or broken; what came after would stand
/// outside of one, and be told as failed although it is done.
fn run_jobs(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    for job in jobs {
        job.run(connection);
        if connection.is_autocommit() {
            let text = "the transaction was undone by the database";
            return Err(StoreError::Database(text.to_owned()));
        }
    }
    Ok(())
}

fn transact(
    connection: &Connection,
    records: &[Record],
    jobs: &mut [Box<dyn Job>],
) -> Result<(), StoreError> {
    if !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?; // what an earlier one could not
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let recorded = sessions::apply(connection, records).and_then(|()| run_jobs(connection, jobs));
    let committed = recorded.and_then(|()| Ok(connection.execute_batch("COMMIT")?));
    if committed.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    committed
}
