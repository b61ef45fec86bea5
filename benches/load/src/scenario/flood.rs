//! Pairs of a sender and a receiver; a sender keeps a window of stanzas on the way.

use std::rc::Rc;

use anyhow::{Result, bail};
use serde_json::json;
use tokio::task::JoinSet;

use crate::args::Flood;
use crate::crowd::{Crowd, Order};
use crate::login::{Env, login};
use crate::pace::pace;
use crate::report::Report;
use crate::scan::{Mark, has, write_message};
use crate::session::{Event, Session};
use crate::traffic::Traffic;

#[derive(Clone, Copy)]
struct Way {
    window: u64,
    size: usize,
    burst: u64,
    paced: bool,
}

pub async fn run(env: Rc<Env>, args: &Flood) -> Result<Report> {
    let mut crowd = Crowd::new(&env);
    crowd
        .grow(2 * args.pairs..2 * args.pairs + env.args.idle)
        .await?;
    let traffic = Traffic::new(&env, args.pairs);
    let way = Way {
        window: args.window,
        size: args.stanza_bytes,
        burst: args.burst.max(1),
        paced: args.rate.is_some(),
    };
    let mut tasks = JoinSet::new();
    let mut ends = Vec::new();
    for flow in 0..args.pairs {
        ends.push((
            flow,
            login(&env, 2 * flow).await?,
            login(&env, 2 * flow + 1).await?,
        ));
    }
    for (flow, sender, receiver) in ends {
        let to = receiver.jid.clone();
        traffic.run(&mut tasks, receive(traffic.clone(), flow, receiver));
        traffic.run(&mut tasks, send(traffic.clone(), flow, sender, to, way));
    }
    if let Some(rate) = args.rate {
        traffic.run(&mut tasks, pace(traffic.clone(), rate));
    }
    let outcome = traffic.finish(&env, tasks).await?;
    let mut report = outcome.report("flood", "stanza", "one way");
    for (name, value) in [
        ("pairs", json!(args.pairs)),
        ("window", json!(args.window)),
        ("stanza_bytes", json!(args.stanza_bytes)),
        ("rate", json!(args.rate)),
        (
            "burst",
            json!((args.burst < u64::MAX).then_some(args.burst)),
        ),
    ] {
        report.parameters.insert(name.to_owned(), value);
    }
    crowd.order(Order::Leave).await;
    report.faults += crowd.faults();
    Ok(report)
}

async fn send(
    traffic: Rc<Traffic>,
    flow: usize,
    mut session: Session,
    to: String,
    way: Way,
) -> Result<()> {
    let mut stanza = Vec::new();
    let books = &traffic.flows[flow];
    loop {
        let now = traffic.env.now();
        while !traffic.ended() && may_send(&traffic, flow, way) {
            let number = books.ledger.borrow_mut().number();
            let mark = Mark {
                flow: flow as u32,
                number,
                at: now,
            };
            write_message(&mut stanza, &to, &mark, way.size);
            session.send(&stanza);
            if (number + 1).is_multiple_of(way.burst) {
                session.link.flush().await?;
            }
        }
        session.link.flush().await?;
        tokio::select! {
            open = session.link.fill() => if !open? { bail!("a sender was dropped") },
            () = books.room.notified() => {}
            () = traffic.closed() => return session.leave().await,
        }
        while let Some(event) = session.next()? {
            match event {
                Event::Stanza(range) if has(session.text(range.clone()), "<error") => {
                    bail!("{}", String::from_utf8_lossy(session.text(range)))
                }
                Event::Stanza(_) | Event::Acked => {}
                Event::Closed => bail!("a sender was closed"),
            }
        }
    }
}

fn may_send(traffic: &Traffic, flow: usize, way: Way) -> bool {
    let flow = &traffic.flows[flow];
    if flow.ledger.borrow().in_flight() >= way.window {
        return false;
    }
    if way.paced {
        let Some(left) = flow.tokens.get().checked_sub(1) else {
            return false;
        };
        flow.tokens.set(left);
    }
    true
}

/// Books what comes for that flow, and makes room for its sender.
pub async fn receive(traffic: Rc<Traffic>, flow: usize, mut session: Session) -> Result<()> {
    loop {
        tokio::select! {
            open = session.link.fill() => if !open? { bail!("a receiver was dropped") },
            () = traffic.closed() => return session.leave().await,
        }
        let now = traffic.env.now();
        let mut some = false;
        while let Some(event) = session.next()? {
            match event {
                Event::Stanza(range) => {
                    if let Some(mark) = traffic.book(flow, session.text(range)) {
                        traffic.time(now.saturating_sub(mark.at));
                        some = true;
                    }
                }
                Event::Acked => {}
                Event::Closed => bail!("a receiver was closed"),
            }
        }
        if some {
            traffic.flows[flow].room.notify_one();
        }
        session.link.flush().await?;
    }
}
