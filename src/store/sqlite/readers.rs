//! Connections that only read, each on a thread of its own.

use crate::store::StoreError;
use rusqlite::Connection;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Reads that wait. At the bound whoever asks waits.
const QUEUE: usize = 1024;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The end of the queue that reads are put into; the threads end when the last clone is dropped.
#[derive(Debug, Clone)]
pub(super) struct Readers {
    queue: mpsc::Sender<Read>,
}

impl Readers {
    pub(super) fn start(connections: Vec<Connection>) -> Result<Self, StoreError> {
        let (queue, reads) = mpsc::channel(QUEUE);
        let reads = Arc::new(Mutex::new(reads));
        for connection in connections {
            let reads = reads.clone();
            let thread = std::thread::Builder::new().name("store-reader".to_owned());
            thread
                .spawn(move || run(&connection, &reads))
                .map_err(|error| StoreError::Database(error.to_string()))?;
        }
        Ok(Self { queue })
    }

    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (told, outcome) = oneshot::channel();
        let read = Box::new(move |connection: &Connection| {
            let _ = told.send(work(connection));
        });
        self.queue
            .send(read)
            .await
            .map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)?
    }
}

fn run(connection: &Connection, reads: &Mutex<mpsc::Receiver<Read>>) {
    loop {
        // The lock is held while waiting: the other threads wait for the lock instead.
        let read = reads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        match read {
            Some(read) => read(connection),
            None => return,
        }
    }
}
