//! Full logins: upgrade, SASL, resource, stream management, and a clean end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use anyhow::Result;
use serde_json::json;
use tokio::task::JoinSet;

use crate::args::Login;
use crate::crowd::{Crowd, Order};
use crate::ledger::Faults;
use crate::login::{Env, authenticated, login};
use crate::meter::Meter;
use crate::report::{Latency, Report};

struct Lanes {
    env: Rc<Env>,
    no_session: bool,
    next: Cell<usize>,
    failed: Cell<u64>,
    latency: RefCell<Latency>,
}

pub async fn run(env: Rc<Env>, args: &Login) -> Result<Report> {
    // Each account once before the window: no key is derived within it.
    let accounts = env.args.users.unwrap_or(args.logins).min(args.logins);
    let warm = lanes(&env, accounts, args.no_session).await;
    let mut crowd = Crowd::new(&env);
    crowd.grow(accounts..accounts + env.args.idle).await?;
    let derived = env.keys.derived();
    let meter = Meter::new(&env.args.pid)?;
    let before = meter.read()?;
    let done = lanes(&env, args.logins, args.no_session).await;
    let spent = meter.read()?.since(&before);
    let mut report = Report {
        scenario: "login",
        unit: "login",
        units: args.logins as u64 - done.failed.get(),
        spent,
        latency: done.latency.take(),
        latency_of: "connect to session",
        faults: Faults {
            dropped: done.failed.get() + warm.failed.get(),
            ..Faults::default()
        },
        ..Report::default()
    };
    report.parameter("logins", args.logins);
    report.more.insert(
        "keys_derived_in_window".to_owned(),
        json!(env.keys.derived() - derived),
    );
    crowd.order(Order::Leave).await;
    report.faults += crowd.faults();
    Ok(report)
}

async fn lanes(env: &Rc<Env>, logins: usize, no_session: bool) -> Rc<Lanes> {
    let lanes = Rc::new(Lanes {
        env: env.clone(),
        no_session,
        next: Cell::new(0),
        failed: Cell::new(0),
        latency: RefCell::default(),
    });
    let mut tasks = JoinSet::new();
    for _ in 0..env.args.parallel {
        tasks.spawn_local(lane(lanes.clone(), logins));
    }
    tasks.join_all().await;
    lanes
}

impl Lanes {
    fn book(&self, start: Instant) {
        let elapsed = start.elapsed().as_micros() as u64;
        self.latency.borrow_mut().book(elapsed);
    }
}

async fn lane(lanes: Rc<Lanes>, logins: usize) {
    let env = &lanes.env;
    while lanes.next.get() < logins {
        let number = lanes.next.get();
        lanes.next.set(number + 1);
        let start = Instant::now();
        let done = async {
            if lanes.no_session {
                authenticated(env, &env.account(number).0).await?;
                lanes.book(start);
                return Ok(());
            }
            let session = login(env, number).await?;
            lanes.book(start);
            session.leave().await
        };
        if let Err(error) = done.await {
            env.complain(&error);
            lanes.failed.set(lanes.failed.get() + 1);
        }
    }
}
