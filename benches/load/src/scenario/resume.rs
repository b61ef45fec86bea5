//! A storm: all links are cut, stanzas come for those who are away, and all come back at once.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::args::Resume;
use crate::ledger::{Faults, Ledger};
use crate::login::{Env, login, resume};
use crate::meter::Meter;
use crate::report::{Latency, Report, rounded};
use crate::scan::{Mark, Scanner, write_message};
use crate::session::{Event, Session};

#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Act {
    LogIn,
    Cut,
    ComeBack,
    Leave,
}

struct Storm {
    env: Rc<Env>,
    act: watch::Sender<Act>,
    lanes: Semaphore,
    ledgers: Vec<RefCell<Ledger>>,
    scanner: Scanner,
    up: Cell<usize>,
    back: Cell<usize>,
    failed: Cell<u64>,
    latency: RefCell<Latency>,
}

pub async fn run(env: Rc<Env>, args: &Resume) -> Result<Report> {
    if env.args.no_sm {
        bail!("without stream management nothing can be resumed");
    }
    let storm = Rc::new(Storm {
        env: env.clone(),
        act: watch::Sender::new(Act::LogIn),
        lanes: Semaphore::new(env.args.parallel),
        ledgers: (0..args.sessions).map(|_| RefCell::default()).collect(),
        scanner: Scanner::new(),
        up: Cell::new(0),
        back: Cell::new(0),
        failed: Cell::new(0),
        latency: RefCell::default(),
    });
    let mut tasks = JoinSet::new();
    for number in 0..args.sessions {
        let storm = storm.clone();
        tasks.spawn_local(async move {
            if let Err(error) = storm.member(number).await {
                storm.fail(&error);
            }
        });
    }
    storm.until(|| storm.up.get()).await?;
    let mut senders = Vec::new();
    for number in 0..args.senders.max(1) {
        senders.push(login(&env, args.sessions + number).await?);
    }
    storm.act.send_replace(Act::Cut);
    senders = storm
        .send_to_all(senders, args.during, args.stanza_bytes)
        .await?;
    sleep(args.away).await;
    senders = storm
        .send_to_all(senders, args.waiting, args.stanza_bytes)
        .await?;
    sleep(args.away).await;

    let meter = Meter::new(&env.args.pid)?;
    storm
        .lanes
        .add_permits(args.storm.saturating_sub(env.args.parallel));
    let before = meter.read()?;
    storm.act.send_replace(Act::ComeBack);
    storm.until(|| storm.back.get()).await?;
    let all_back = meter.read()?.since(&before);
    let missing = || {
        storm
            .ledgers
            .iter()
            .map(|it| it.borrow().in_flight())
            .sum::<u64>()
    };
    let waits = Instant::now();
    while missing() > 0 && waits.elapsed() < env.args.timeout {
        sleep(Duration::from_millis(1)).await;
    }
    let spent = meter.read()?.since(&before);
    // A copy of what came already would come now.
    sleep(Duration::from_millis(500)).await;

    let mut faults = Faults {
        dropped: storm.failed.get(),
        ..Faults::default()
    };
    storm
        .ledgers
        .iter()
        .for_each(|ledger| faults += ledger.borrow().faults());
    storm.act.send_replace(Act::Leave);
    for sender in senders {
        sender.leave().await?;
    }
    let _ = tokio::time::timeout(env.args.timeout, tasks.join_all()).await;
    let mut report = Report {
        scenario: "resume",
        unit: "resumption",
        units: storm.back.get() as u64,
        spent,
        latency: storm.latency.take(),
        latency_of: "connect to resumed",
        faults,
        ..Report::default()
    };
    for (name, value) in [
        ("sessions", json!(args.sessions)),
        ("during", json!(args.during)),
        ("waiting", json!(args.waiting)),
        ("storm", json!(args.storm)),
        ("stanza_bytes", json!(args.stanza_bytes)),
    ] {
        report.parameters.insert(name.to_owned(), value);
    }
    report
        .more
        .insert("all_back_s".to_owned(), json!(rounded(all_back.seconds)));
    report
        .more
        .insert("all_delivered_s".to_owned(), json!(rounded(spent.seconds)));
    Ok(report)
}

impl Storm {
    fn fail(&self, error: &anyhow::Error) {
        self.env.complain(error);
        self.failed.set(self.failed.get() + 1);
    }

    /// Waits until as many are there as there are, without those that failed.
    async fn until(&self, count: impl Fn() -> usize) -> Result<()> {
        while count() + (self.failed.get() as usize) < self.ledgers.len() {
            sleep(Duration::from_millis(1)).await;
        }
        if count() == 0 {
            bail!("not one session is there");
        }
        Ok(())
    }

    async fn member(&self, number: usize) -> Result<()> {
        let permit = self.lanes.acquire().await?;
        let mut session = login(&self.env, number).await?;
        drop(permit);
        self.up.set(self.up.get() + 1);
        self.listen(number, &mut session, Act::Cut).await?;
        let Session { link, sm, .. } = session;
        drop(link);
        self.act
            .subscribe()
            .wait_for(|act| *act >= Act::ComeBack)
            .await?;
        let permit = self.lanes.acquire().await?;
        let start = Instant::now();
        let mut session = resume(&self.env, number, sm.unwrap_or_default()).await?;
        self.latency
            .borrow_mut()
            .book(start.elapsed().as_micros() as u64);
        drop(permit);
        self.back.set(self.back.get() + 1);
        self.listen(number, &mut session, Act::Leave).await?;
        let _permit = self.lanes.acquire().await?;
        session.leave().await
    }

    /// Books what comes until the act is reached.
    async fn listen(&self, number: usize, session: &mut Session, until: Act) -> Result<()> {
        let mut acts = self.act.subscribe();
        loop {
            while let Some(event) = session.next()? {
                match event {
                    Event::Stanza(range) => {
                        if let Some(mark) = self.scanner.mark(session.text(range)) {
                            self.ledgers[number].borrow_mut().book(mark.number);
                        }
                    }
                    Event::Acked => {}
                    Event::Closed => bail!("the server closed session {number}"),
                }
            }
            session.link.flush().await?;
            session.link.park();
            tokio::select! {
                open = session.link.fill() => if !open? {
                    bail!("the server dropped session {number}");
                },
                _ = acts.wait_for(|act| *act >= until) => return Ok(()),
            }
        }
    }

    /// `count` stanzas to each, round by round; back when all of them are acknowledged.
    async fn send_to_all(
        self: &Rc<Self>,
        senders: Vec<Session>,
        count: u64,
        size: usize,
    ) -> Result<Vec<Session>> {
        let mut tasks = JoinSet::new();
        let lanes = senders.len();
        for (lane, mut session) in senders.into_iter().enumerate() {
            let storm = self.clone();
            tasks.spawn_local(async move {
                let mut stanza = Vec::new();
                for _ in 0..count {
                    for number in (lane..storm.ledgers.len()).step_by(lanes) {
                        let flow = number as u32;
                        let mark = storm.ledgers[number].borrow_mut().number();
                        let mark = Mark {
                            flow,
                            number: mark,
                            at: 0,
                        };
                        write_message(&mut stanza, &storm.env.jid(number), &mark, size);
                        session.send(&stanza);
                        session.unacked_below(64).await?;
                    }
                }
                session.unacked_below(1).await?;
                anyhow::Ok(session)
            });
        }
        tasks.join_all().await.into_iter().collect()
    }
}
