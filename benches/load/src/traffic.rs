//! What scenarios with pairs share: the clockwork of warm-up, window and end, and the books.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::ledger::{Faults, Ledger};
use crate::login::Env;
use crate::meter::{Meter, Spent};
use crate::report::{Latency, Report};
use crate::scan::{Mark, Scanner};

#[derive(Clone, Copy, PartialEq)]
pub enum Phase {
    Warmup,
    Window,
    /// Nobody sends any more; what is on the way may arrive.
    End,
}

#[derive(Default)]
pub struct Flow {
    pub ledger: RefCell<Ledger>,
    /// There is room for the sender again.
    pub room: Notify,
    /// What a steady rate allows to be sent.
    pub tokens: Cell<u64>,
}

pub struct Traffic {
    pub env: Rc<Env>,
    pub flows: Vec<Flow>,
    pub scanner: Scanner,
    phase: Cell<Phase>,
    latency: RefCell<Latency>,
    dropped: Cell<u64>,
    arrived: Cell<u64>,
    stirred: Cell<Option<Instant>>,
    over: watch::Sender<bool>,
}

pub struct Outcome {
    pub units: u64,
    pub spent: Spent,
    pub latency: Latency,
    pub faults: Faults,
}

impl Traffic {
    pub fn new(env: &Rc<Env>, flows: usize) -> Rc<Self> {
        Rc::new(Self {
            env: env.clone(),
            flows: (0..flows).map(|_| Flow::default()).collect(),
            scanner: Scanner::new(),
            phase: Cell::new(Phase::Warmup),
            latency: RefCell::default(),
            dropped: Cell::new(0),
            arrived: Cell::new(0),
            stirred: Cell::new(None),
            over: watch::Sender::new(false),
        })
    }

    pub fn ended(&self) -> bool {
        self.phase.get() == Phase::End
    }

    /// Books a stanza of that flow; `None` if it is none of it.
    pub fn book(&self, flow: usize, stanza: &[u8]) -> Option<Mark> {
        let mark = self
            .scanner
            .mark(stanza)
            .filter(|mark| mark.flow as usize == flow)?;
        self.arrive(flow, &mark);
        Some(mark)
    }

    /// Books what one of many receivers got of the one flow that goes to all.
    pub fn book_copy(&self, receiver: usize, stanza: &[u8]) -> Option<Mark> {
        let mark = self.scanner.mark(stanza)?;
        self.arrive(receiver, &mark);
        Some(mark)
    }

    pub fn arrive(&self, flow: usize, mark: &Mark) {
        if self.flows[flow].ledger.borrow_mut().book(mark.number) {
            self.arrived.set(self.arrived.get() + 1);
        }
    }

    /// How many stanzas came, of all flows, each counted once.
    pub fn arrived(&self) -> u64 {
        self.arrived.get()
    }

    /// Something came that is not counted.
    pub fn stir(&self) {
        self.stirred.set(Some(Instant::now()));
    }

    /// Waits until nothing came for so long.
    pub async fn quiet(&self, time: Duration) {
        while self.stirred.get().is_some_and(|at| at.elapsed() < time) {
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// All is measured: whoever is still there may leave.
    pub fn close(&self) {
        self.over.send_replace(true);
    }

    pub async fn closed(&self) {
        // The sender of this channel lives as long as this.
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }

    pub fn time(&self, micros: u64) {
        if self.phase.get() == Phase::Window {
            self.latency.borrow_mut().book(micros);
        }
    }

    /// Runs one end of a pair; if it fails, a connection was dropped.
    pub fn run(
        self: &Rc<Self>,
        tasks: &mut JoinSet<()>,
        part: impl Future<Output = Result<()>> + 'static,
    ) {
        let traffic = self.clone();
        tasks.spawn_local(async move {
            if let Err(error) = part.await {
                traffic.env.complain(&error);
                traffic.dropped.set(traffic.dropped.get() + 1);
            }
        });
    }

    pub fn in_flight(&self) -> u64 {
        self.flows
            .iter()
            .map(|flow| flow.ledger.borrow().in_flight())
            .sum()
    }

    /// [`Traffic::measure`], then the end: what still comes is waited for.
    pub async fn finish(&self, env: &Env, tasks: JoinSet<()>) -> Result<Outcome> {
        let outcome = self.measure().await?;
        self.close();
        let _ = tokio::time::timeout(env.args.timeout, tasks.join_all()).await;
        Ok(outcome)
    }

    /// Warm-up, window, end: counts what was delivered and what it cost in the window alone.
    pub async fn measure(&self) -> Result<Outcome> {
        let meter = Meter::new(&self.env.args.pid)?;
        sleep(self.env.args.warmup).await;
        self.phase.set(Phase::Window);
        let (before, first) = (meter.read()?, self.arrived());
        sleep(self.env.args.seconds).await;
        let (after, last) = (meter.read()?, self.arrived());
        self.phase.set(Phase::End);
        self.flows.iter().for_each(|flow| flow.room.notify_one());
        let end = Instant::now() + self.env.args.timeout;
        while self.in_flight() > 0 && Instant::now() < end {
            sleep(Duration::from_millis(5)).await;
        }
        // A copy of what came already would come now.
        sleep(Duration::from_millis(200)).await;
        Ok(Outcome {
            units: last - first,
            spent: after.since(&before),
            latency: self.latency.take(),
            faults: self.faults(),
        })
    }

    fn faults(&self) -> Faults {
        let mut sum = Faults {
            dropped: self.dropped.get(),
            ..Faults::default()
        };
        for flow in &self.flows {
            sum += flow.ledger.borrow().faults();
        }
        sum
    }
}

impl Outcome {
    pub fn report(
        self,
        scenario: &'static str,
        unit: &'static str,
        latency_of: &'static str,
    ) -> Report {
        Report {
            scenario,
            unit,
            units: self.units,
            spent: self.spent,
            latency: self.latency,
            latency_of,
            faults: self.faults,
            ..Report::default()
        }
    }
}
