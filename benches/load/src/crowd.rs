//! Sessions that are there and do little: each is a task that answers the server.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::ledger::Faults;
use crate::login::{Env, login};
use crate::scan::{Mark, Scanner, write_message};
use crate::session::{Event, Session};

#[derive(Clone, Copy, PartialEq)]
pub enum Order {
    Rest,
    /// Each sends one message of that size to itself.
    Send(usize),
    /// Each drops its link without a word.
    Cut,
    /// Each closes its stream, and ends its session with it.
    Leave,
}

#[derive(Default)]
struct Counts {
    up: Cell<usize>,
    failed: Cell<usize>,
    dropped: Cell<usize>,
    /// Sessions that did what the last order said.
    served: Cell<usize>,
}

pub struct Crowd {
    env: Rc<Env>,
    counts: Rc<Counts>,
    lanes: Rc<Semaphore>,
    orders: watch::Sender<Order>,
    tasks: JoinSet<()>,
    unserved: u64,
}

fn add(cell: &Cell<usize>) {
    cell.set(cell.get() + 1);
}

impl Crowd {
    pub fn new(env: &Rc<Env>) -> Self {
        Self {
            env: env.clone(),
            counts: Rc::default(),
            lanes: Rc::new(Semaphore::new(env.args.parallel)),
            orders: watch::Sender::new(Order::Rest),
            tasks: JoinSet::new(),
            unserved: 0,
        }
    }

    /// Logs in the sessions with these numbers.
    pub async fn grow(&mut self, numbers: Range<usize>) -> Result<()> {
        let wanted = self.counts.up.get() + numbers.len();
        for number in numbers {
            let member = Member {
                env: self.env.clone(),
                counts: self.counts.clone(),
                lanes: self.lanes.clone(),
                orders: self.orders.subscribe(),
                number,
            };
            self.tasks.spawn_local(member.live());
        }
        while self.counts.up.get() < wanted {
            if self.counts.failed.get() > 0 {
                bail!(
                    "{}",
                    self.env.complaint.borrow().clone().unwrap_or_default()
                );
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Gives an order, and waits until all have followed, or until nobody did for a while.
    pub async fn order(&mut self, order: Order) {
        let all = self.counts.up.get();
        self.counts.served.set(0);
        self.orders.send_replace(order);
        let (mut last, mut since) = (0, Instant::now());
        while self.counts.served.get() < all && since.elapsed() < self.env.args.timeout {
            sleep(Duration::from_millis(5)).await;
            if self.counts.served.get() != last {
                (last, since) = (self.counts.served.get(), Instant::now());
            }
        }
        self.unserved += (all - self.counts.served.get()) as u64;
        if let Order::Cut | Order::Leave = order {
            self.counts.up.set(0);
        }
    }

    pub fn faults(&self) -> Faults {
        Faults {
            lost: self.unserved,
            dropped: (self.counts.dropped.get() + self.counts.failed.get()) as u64,
            ..Faults::default()
        }
    }
}

struct Member {
    env: Rc<Env>,
    counts: Rc<Counts>,
    lanes: Rc<Semaphore>,
    orders: watch::Receiver<Order>,
    number: usize,
}

impl Member {
    async fn live(mut self) {
        let lanes = self.lanes.clone();
        let permit = lanes.acquire().await;
        let session = login(&self.env, self.number).await;
        drop(permit);
        match session {
            Ok(session) => {
                add(&self.counts.up);
                if let Err(error) = self.attend(session).await {
                    self.env.complain(&error);
                    add(&self.counts.dropped);
                }
            }
            Err(error) => {
                self.env.complain(&error);
                add(&self.counts.failed);
            }
        }
    }

    async fn attend(&mut self, mut session: Session) -> Result<()> {
        self.orders.mark_unchanged();
        loop {
            tokio::select! {
                open = listen(&mut session) => {
                    open?;
                    bail!("the server closed session {}", self.number);
                }
                order = self.orders.changed() => if order.is_err() { return Ok(()) },
            }
            let order = *self.orders.borrow_and_update();
            match order {
                Order::Rest => {}
                Order::Send(size) => self.send_to_itself(&mut session, size).await?,
                Order::Cut => {
                    drop(session);
                    add(&self.counts.served);
                    return Ok(());
                }
                Order::Leave => {
                    let lanes = self.lanes.clone();
                    let _permit = lanes.acquire().await;
                    let left = session.leave().await;
                    add(&self.counts.served);
                    return left;
                }
            }
        }
    }

    async fn send_to_itself(&self, session: &mut Session, size: usize) -> Result<()> {
        let lanes = self.lanes.clone();
        let _permit = lanes.acquire().await;
        let mut stanza = Vec::new();
        let mark = Mark {
            flow: self.number as u32,
            number: 0,
            at: 0,
        };
        write_message(&mut stanza, &session.jid, &mark, size);
        session.send(&stanza);
        session.link.flush().await?;
        let scanner = Scanner::new();
        loop {
            while let Some(event) = session.next()? {
                match event {
                    Event::Stanza(range) => {
                        let mark = scanner.mark(session.text(range));
                        if mark.is_some_and(|mark| mark.flow == self.number as u32) {
                            add(&self.counts.served);
                            return session.link.flush().await;
                        }
                    }
                    Event::Acked => {}
                    Event::Closed => bail!("closed at a message to itself"),
                }
            }
            session.link.flush().await?;
            if !session.link.fill().await? {
                bail!("the end at a message to itself");
            }
        }
    }
}

/// Answers the server until it closes; can be dropped at any time.
async fn listen(session: &mut Session) -> Result<()> {
    loop {
        while let Some(event) = session.next()? {
            if let Event::Closed = event {
                return Ok(());
            }
        }
        session.link.flush().await?;
        session.link.park();
        if !session.link.fill().await? {
            return Ok(());
        }
    }
}
