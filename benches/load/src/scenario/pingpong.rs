//! Pairs with one stanza in flight: what a stanza costs alone, and how long it takes.

use std::rc::Rc;

use anyhow::{Result, bail};
use tokio::task::JoinSet;

use crate::args::Pingpong;
use crate::crowd::{Crowd, Order};
use crate::login::{Env, login};
use crate::report::Report;
use crate::scenario::pair::Player;
use crate::session::{Event, Session};
use crate::traffic::Traffic;

pub async fn run(env: Rc<Env>, args: &Pingpong) -> Result<Report> {
    let mut crowd = Crowd::new(&env);
    crowd
        .grow(2 * args.pairs..2 * args.pairs + env.args.idle)
        .await?;
    let traffic = Traffic::new(&env, 2 * args.pairs);
    let mut tasks = JoinSet::new();
    let mut players = Vec::new();
    for flow in (0..2 * args.pairs).step_by(2) {
        let (ping, pong) = (login(&env, flow).await?, login(&env, flow + 1).await?);
        players.extend(Player::pair(flow, ping, pong, |session| &session.jid));
    }
    // Whoever only answers is there before it is hit to.
    players.sort_by_key(|player| player.begins);
    for player in players {
        traffic.run(&mut tasks, player.play(traffic.clone(), args.stanza_bytes));
    }
    let outcome = traffic.finish(&env, tasks).await?;
    let mut report = outcome.report("pingpong", "stanza", "round trip");
    report.parameter("pairs", args.pairs);
    report.parameter("stanza_bytes", args.stanza_bytes);
    crowd.order(Order::Leave).await;
    report.faults += crowd.faults();
    Ok(report)
}

impl Player<Session> {
    fn hit(&mut self, traffic: &Traffic, at: u64, stanza: &mut Vec<u8>, size: usize) {
        self.write(traffic, at, stanza, size);
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
