//! Pairs with one stanza in flight: what a stanza costs alone, and how long it takes.

use std::rc::Rc;

use anyhow::{Result, bail};
use tokio::task::JoinSet;

use crate::args::Pingpong;
use crate::crowd::{Crowd, Order};
use crate::login::{Env, login};
use crate::report::Report;
use crate::scan::{Mark, write_message};
use crate::session::{Event, Session};
use crate::traffic::Traffic;

pub async fn run(env: Rc<Env>, args: &Pingpong) -> Result<Report> {
    let mut crowd = Crowd::new(&env);
    crowd
        .grow(2 * args.pairs..2 * args.pairs + env.args.idle)
        .await?;
    let traffic = Traffic::new(&env, 2 * args.pairs);
    let mut tasks = JoinSet::new();
    let mut ends = Vec::new();
    for pair in 0..args.pairs {
        ends.push((
            2 * pair,
            login(&env, 2 * pair).await?,
            login(&env, 2 * pair + 1).await?,
        ));
    }
    for (flow, ping, pong) in ends {
        let ping = Player {
            flow,
            to: pong.jid.clone(),
            begins: true,
            session: ping,
        };
        let pong = Player {
            flow: flow + 1,
            to: ping.session.jid.clone(),
            begins: false,
            session: pong,
        };
        traffic.run(&mut tasks, pong.play(traffic.clone(), args.stanza_bytes));
        traffic.run(&mut tasks, ping.play(traffic.clone(), args.stanza_bytes));
    }
    let outcome = traffic.finish(&env, tasks).await?;
    let mut report = outcome.report("pingpong", "stanza", "round trip");
    report.parameter("pairs", args.pairs);
    report.parameter("stanza_bytes", args.stanza_bytes);
    crowd.order(Order::Leave).await;
    report.faults += crowd.faults();
    Ok(report)
}

struct Player {
    /// The flow that it sends; it receives the other one of the pair.
    flow: usize,
    to: String,
    begins: bool,
    session: Session,
}

impl Player {
    fn hit(&mut self, traffic: &Traffic, at: u64, stanza: &mut Vec<u8>, size: usize) {
        let number = traffic.flows[self.flow].ledger.borrow_mut().number();
        write_message(
            stanza,
            &self.to,
            &Mark {
                flow: self.flow as u32,
                number,
                at,
            },
            size,
        );
        self.session.send(stanza);
    }

    async fn play(mut self, traffic: Rc<Traffic>, size: usize) -> Result<()> {
        let mut stanza = Vec::new();
        if self.begins {
            self.hit(&traffic, traffic.env.now(), &mut stanza, size);
        }
        loop {
            self.session.link.flush().await?;
            tokio::select! {
                open = self.session.link.fill() => if !open? { bail!("a player was dropped") },
                () = traffic.closed() => return self.session.leave().await,
            }
            while let Some(event) = self.session.next()? {
                let range = match event {
                    Event::Stanza(range) => range,
                    Event::Acked => continue,
                    Event::Closed => bail!("a player was closed"),
                };
                let Some(mark) = traffic.book(self.flow ^ 1, self.session.text(range)) else {
                    continue;
                };
                if !self.begins {
                    self.hit(&traffic, mark.at, &mut stanza, size);
                    continue;
                }
                let now = traffic.env.now();
                traffic.time(now - mark.at);
                if !traffic.ended() {
                    self.hit(&traffic, now, &mut stanza, size);
                }
            }
        }
    }
}
