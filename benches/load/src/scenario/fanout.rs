//! One message to all sessions of an account.
//!
//! A headline to the bare JID goes to every available session of priority 0 and more (RFC 6121
//! §8.5.2.1.1). All servers do that the same way, without subscriptions, rooms or answers, so that
//! what is measured is the way of one stanza to many sessions and nothing else. Each session has to
//! send presence before, and all of these go to all: with 1,000 sessions a million of them.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::task::JoinSet;

use crate::args::Fanout;
use crate::login::{Env, login_as};
use crate::report::Report;
use crate::scan::{Mark, has, write_message_of};
use crate::session::{Event, Session};
use crate::traffic::Traffic;

pub async fn run(env: Rc<Env>, args: &Fanout) -> Result<Report> {
    let traffic = Traffic::new(&env, args.sessions);
    let mut tasks = JoinSet::new();
    let account = env.args.user.replace("{}", "0");
    for receiver in 0..args.sessions {
        let mut session = login_as(&env, &account, &format!("r{receiver}")).await?;
        session.send(b"<presence xmlns='jabber:client'/>");
        session.link.flush().await?;
        traffic.run(&mut tasks, receive(traffic.clone(), receiver, session));
        // Whoever is there hears of the new one first, or their queues would be what is measured.
        tokio::task::yield_now().await;
    }
    traffic.quiet(Duration::from_secs(2)).await;
    let sender = login_as(&env, &env.args.user.replace("{}", "1"), "sender").await?;
    let to = format!("{account}@{}", env.args.domain);
    traffic.run(
        &mut tasks,
        send(traffic.clone(), sender, to, args.window, args.stanza_bytes),
    );
    let outcome = traffic.finish(&env, tasks).await?;
    let mut report = outcome.report("fanout", "delivery", "one way");
    report.parameter("sessions", args.sessions);
    report.parameter("window", args.window);
    report.parameter("stanza_bytes", args.stanza_bytes);
    Ok(report)
}

async fn send(
    traffic: Rc<Traffic>,
    mut session: Session,
    to: String,
    window: u64,
    size: usize,
) -> Result<()> {
    let mut stanza = Vec::new();
    let all = traffic.flows.len() as u64;
    loop {
        while !traffic.ended() && traffic.in_flight() <= (window - 1) * all {
            let at = traffic.env.now();
            let mut number = 0;
            for flow in &traffic.flows {
                number = flow.ledger.borrow_mut().number();
            }
            write_message_of(
                &mut stanza,
                "headline",
                &to,
                &Mark {
                    flow: 0,
                    number,
                    at,
                },
                size,
            );
            session.send(&stanza);
        }
        session.link.flush().await?;
        tokio::select! {
            open = session.link.fill() => if !open? { bail!("the sender was dropped") },
            () = traffic.flows[0].room.notified() => {}
            () = traffic.closed() => return session.leave().await,
        }
        while let Some(event) = session.next()? {
            match event {
                Event::Stanza(range) if has(session.text(range.clone()), "<error") => {
                    bail!("{}", String::from_utf8_lossy(session.text(range)))
                }
                Event::Stanza(_) | Event::Acked => {}
                Event::Closed => bail!("the sender was closed"),
            }
        }
    }
}

async fn receive(traffic: Rc<Traffic>, receiver: usize, mut session: Session) -> Result<()> {
    let all = traffic.flows.len() as u64;
    loop {
        tokio::select! {
            open = session.link.fill() => if !open? { bail!("a receiver was dropped") },
            () = traffic.closed() => return session.leave().await,
        }
        let now = traffic.env.now();
        while let Some(event) = session.next()? {
            match event {
                Event::Stanza(range) => {
                    traffic.stir();
                    if let Some(mark) = traffic.book_copy(receiver, session.text(range)) {
                        traffic.time(now.saturating_sub(mark.at));
                        if traffic.arrived().is_multiple_of(all) {
                            traffic.flows[0].room.notify_one();
                        }
                    }
                }
                Event::Acked => {}
                Event::Closed => bail!("a receiver was closed"),
            }
        }
        session.link.flush().await?;
    }
}
