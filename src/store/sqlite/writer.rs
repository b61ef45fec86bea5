//! The one connection that writes, on a thread of its own.
//!
//! It takes what is queued, up to a bound, carries it out in one transaction and then tells those
//! who wait: the price of a commit is shared by all that came while the last one ran.

use crate::store::StoreError;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

/// Jobs that wait for the writer. At the bound whoever hands over a job waits.
const QUEUE: usize = 4096;

/// Jobs in one transaction.
const BATCH: usize = 512;

/// A job for the writer.
pub(super) trait Job: Send {
    /// Does it, inside the transaction.
    fn run(&mut self, connection: &Connection);
    /// Tells who waits, after the transaction.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

enum Order {
    Work(Box<dyn Job>),
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
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        thread
            .spawn(move || run(connection, orders))
            .map_err(|error| StoreError::Database(error.to_string()))?;
        Ok(Self { queue })
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

fn run(connection: Connection, mut orders: mpsc::Receiver<Order>) {
    while let Some(first) = orders.blocking_recv() {
        let mut stop = None;
        let mut jobs = Vec::new();
        let mut next = Some(first);
        while let Some(order) = next {
            match order {
                Order::Work(job) => jobs.push(job),
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
        commit(&connection, jobs);
        if let Some(told) = stop {
            finish(connection, orders, told);
            return;
        }
    }
}

/// Empties the queue, which takes nothing any more, and folds the log into the database.
fn finish(connection: Connection, mut orders: mpsc::Receiver<Order>, told: oneshot::Sender<()>) {
    let mut rest = Vec::new();
    while let Some(order) = orders.blocking_recv() {
        if let Order::Work(job) = order {
            rest.push(job);
        }
    }
    commit(&connection, rest);
    if let Err(error) = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
        tracing::warn!(%error, "the write-ahead log was not folded in; the next start does it");
    }
    drop(connection);
    let _ = told.send(());
}

fn commit(connection: &Connection, mut jobs: Vec<Box<dyn Job>>) {
    if jobs.is_empty() {
        return;
    }
    let committed = transact(connection, &mut jobs);
    if let Err(error) = &committed {
        tracing::error!(%error, jobs = jobs.len(), "the database did not take a transaction");
    }
    for job in jobs {
        job.finish(committed.clone());
    }
}

fn transact(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    for job in jobs {
        job.run(connection);
    }
    let committed = connection.execute_batch("COMMIT");
    if committed.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    Ok(committed?)
}
