//! Ping-pong over BOSH: each stanza is a request, and an answer to the request of the other.

use std::rc::Rc;

use anyhow::Result;
use tokio::task::JoinSet;

use crate::args::Pingpong;
use crate::bosh::Bosh;
use crate::login::Env;
use crate::report::Report;
use crate::scenario::pair::Player;
use crate::traffic::Traffic;

pub async fn run(env: Rc<Env>, args: &Pingpong) -> Result<Report> {
    let traffic = Traffic::new(&env, 2 * args.pairs);
    let mut tasks = JoinSet::new();
    let mut players = Vec::new();
    for flow in (0..2 * args.pairs).step_by(2) {
        let ping = Bosh::login(&env, flow).await?;
        let pong = Bosh::login(&env, flow + 1).await?;
        players.extend(Player::pair(flow, ping, pong, |session| &session.jid));
    }
    players.sort_by_key(|player| player.begins);
    for player in players {
        traffic.run(&mut tasks, player.play(traffic.clone(), args.stanza_bytes));
    }
    let outcome = traffic.finish(&env, tasks).await?;
    let mut report = outcome.report("bosh", "stanza", "round trip");
    report.parameter("pairs", args.pairs);
    report.parameter("stanza_bytes", args.stanza_bytes);
    Ok(report)
}

impl Player<Bosh> {
    fn hit(&mut self, traffic: &Traffic, at: u64, stanza: &mut Vec<u8>, size: usize) -> Result<()> {
        self.write(traffic, at, stanza, size);
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
