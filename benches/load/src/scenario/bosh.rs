//! Ping-pong over BOSH: each stanza is a request, and an answer to the request of the other.

use std::rc::Rc;

use anyhow::Result;
use tokio::task::JoinSet;

use crate::args::Pingpong;
use crate::bosh::Bosh;
use crate::login::Env;
use crate::report::Report;
use crate::scan::{Mark, write_message};
use crate::traffic::Traffic;

pub async fn run(env: Rc<Env>, args: &Pingpong) -> Result<Report> {
    let traffic = Traffic::new(&env, 2 * args.pairs);
    let mut tasks = JoinSet::new();
    let mut ends = Vec::new();
    for pair in 0..args.pairs {
        let ping = Bosh::login(&env, 2 * pair).await?;
        ends.push((2 * pair, ping, Bosh::login(&env, 2 * pair + 1).await?));
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
    let mut report = outcome.report("bosh", "stanza", "round trip");
    report.parameter("pairs", args.pairs);
    report.parameter("stanza_bytes", args.stanza_bytes);
    Ok(report)
}

struct Player {
    /// The flow that it sends; it receives the other one of the pair.
    flow: usize,
    to: String,
    begins: bool,
    session: Bosh,
}

impl Player {
    fn hit(&mut self, traffic: &Traffic, at: u64, stanza: &mut Vec<u8>, size: usize) -> Result<()> {
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
        self.session.send(stanza)
    }

    async fn play(mut self, traffic: Rc<Traffic>, size: usize) -> Result<()> {
        let mut stanza = Vec::new();
        let mut marks = Vec::new();
        if self.begins {
            self.hit(&traffic, traffic.env.now(), &mut stanza, size)?;
        }
        loop {
            if !self.session.held() {
                self.session.send(b"")?;
            }
            self.session.flush().await?;
            let answer = tokio::select! {
                answer = self.session.receive() => answer?,
                () = traffic.closed() => return self.session.leave().await,
            };
            marks.extend(traffic.scanner.marks(self.session.text(&answer)));
            let now = traffic.env.now();
            for mark in marks.drain(..) {
                if mark.flow as usize != self.flow ^ 1 {
                    continue;
                }
                traffic.arrive(self.flow ^ 1, &mark);
                if !self.begins {
                    self.hit(&traffic, mark.at, &mut stanza, size)?;
                    continue;
                }
                traffic.time(now - mark.at);
                if !traffic.ended() {
                    self.hit(&traffic, now, &mut stanza, size)?;
                }
            }
        }
    }
}
