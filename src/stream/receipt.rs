//! Whether clients have what was sent to them.

use atomic_waker::AtomicWaker;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// Counts the clients that have acknowledged their copy of a stanza (XEP-0198 §4). Nobody is
/// counted whose session has no stream management: it never says what it has.
#[derive(Debug, Default)]
pub struct Receipts {
    arrived: AtomicUsize,
    waker: AtomicWaker,
}

/// What one copy carries to be counted by; the default counts nowhere.
#[derive(Debug, Clone, Default)]
pub struct Receipt(Option<Arc<Receipts>>);

impl Receipt {
    /// Counts with these.
    pub fn of(receipts: &Arc<Receipts>) -> Self {
        Self(Some(receipts.clone()))
    }

    /// The client has acknowledged it. Once a copy.
    pub fn arrive(&self) {
        if let Some(receipts) = &self.0 {
            receipts.arrived.fetch_add(1, Ordering::Release);
            receipts.waker.wake();
        }
    }
}

impl Receipts {
    /// How many have arrived.
    pub fn arrived(&self) -> usize {
        self.arrived.load(Ordering::Acquire)
    }

    /// Ready when so many have arrived. For one who waits.
    pub fn poll_arrived(&self, cx: &mut Context<'_>, wanted: usize) -> Poll<()> {
        self.waker.register(cx.waker());
        match self.arrived() >= wanted {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}
