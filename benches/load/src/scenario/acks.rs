//! Senders that ask for an ack after each stanza: what that costs, and how fast acks come.

use std::collections::VecDeque;
use std::rc::Rc;

use anyhow::{Result, bail};
use tokio::task::JoinSet;

use crate::args::Acks;
use crate::crowd::{Crowd, Order};
use crate::login::{Env, login};
use crate::report::Report;
use crate::scan::{Mark, write_message};
use crate::session::{Event, Session};
use crate::traffic::Traffic;

pub async fn run(env: Rc<Env>, args: &Acks) -> Result<Report> {
    if env.args.no_sm {
        bail!("without stream management there are no acks");
    }
    let mut crowd = Crowd::new(&env);
    crowd
        .grow(2 * args.pairs..2 * args.pairs + env.args.idle)
        .await?;
    let traffic = Traffic::new(&env, args.pairs);
    let mut tasks = JoinSet::new();
    let mut ends = Vec::new();
    for flow in 0..args.pairs {
        ends.push((
            flow,
            login(&env, 2 * flow).await?,
            login(&env, 2 * flow + 1).await?,
        ));
    }
    for (flow, mut sender, receiver) in ends {
        sender.ack_every = 1;
        let sender = Sender {
            flow,
            to: receiver.jid.clone(),
            session: sender,
        };
        traffic.run(
            &mut tasks,
            super::flood::receive(traffic.clone(), flow, receiver),
        );
        traffic.run(
            &mut tasks,
            sender.send(traffic.clone(), args.window, args.stanza_bytes),
        );
    }
    let outcome = traffic.finish(&env, tasks).await?;
    let mut report = outcome.report("acks", "stanza", "stanza to ack");
    report.parameter("pairs", args.pairs);
    report.parameter("window", args.window);
    report.parameter("stanza_bytes", args.stanza_bytes);
    crowd.order(Order::Leave).await;
    report.faults += crowd.faults();
    Ok(report)
}

struct Sender {
    flow: usize,
    to: String,
    session: Session,
}

impl Sender {
    async fn send(mut self, traffic: Rc<Traffic>, window: u32, size: usize) -> Result<()> {
        let (mut stanza, mut times, mut acked) = (Vec::new(), VecDeque::new(), 0u32);
        loop {
            while !traffic.ended() && times.len() < window as usize {
                let at = traffic.env.now();
                let number = traffic.flows[self.flow].ledger.borrow_mut().number();
                let mark = Mark {
                    flow: self.flow as u32,
                    number,
                    at,
                };
                write_message(&mut stanza, &self.to, &mark, size);
                self.session.send(&stanza);
                times.push_back(at);
            }
            self.session.link.flush().await?;
            tokio::select! {
                open = self.session.link.fill() => if !open? { bail!("a sender was dropped") },
                () = traffic.closed() => {
                    if !times.is_empty() {
                        bail!("{} stanzas were never acknowledged", times.len());
                    }
                    return self.session.leave().await;
                }
            }
            let now = traffic.env.now();
            while let Some(event) = self.session.next()? {
                match event {
                    Event::Acked => {}
                    Event::Stanza(_) => continue,
                    Event::Closed => bail!("a sender was closed"),
                }
                let h = self.session.sm.as_ref().map_or(0, |sm| sm.acked);
                let covered = h.wrapping_sub(acked) as usize;
                if covered > times.len() {
                    bail!("an ack of {h}, more than was sent");
                }
                acked = h;
                for at in times.drain(..covered) {
                    traffic.time(now - at);
                }
            }
        }
    }
}
