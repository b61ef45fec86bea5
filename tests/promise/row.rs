//! A row of the table: a server, a proxy, clients, and what is done to their links.

use crate::bosh::BoshClient;
use crate::dice::Dice;
use crate::ledger::{Ledger, Verdict, Viewer};
use crate::options::Options;
use crate::person::{Person, Phase, Status};
use crate::proxy::{Pace, Proxy};
use crate::server::{Server, account};
use crate::websocket::WsClient;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{sleep, timeout};

/// How long links live in rows that are about cuts, and in those that are about the server's end.
const OFTEN: Pace = (20, 400);
const SELDOM: Pace = (300, 3000);
/// The pause between two messages of a client.
const TALK: Pace = (5, 60);
/// How long the server lives in the rows that are about its end, and how long it is away.
const LIFE: Pace = (700, 2000);
const ABSENCE: Pace = (0, 300);

const LOGIN_LIMIT: Duration = Duration::from_secs(60);
/// A row ends although not all cuts are made, and fails.
const ROW_LIMIT: Duration = Duration::from_secs(600);
/// How long all may take until nothing is under way any more, and for how long nothing is.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);
const QUIET: Duration = Duration::from_secs(1);
const LEAVE_LIMIT: Duration = Duration::from_secs(15);

/// Counters of stream management begin here, so that they pass 2^32 in each session.
const FIRST_H: u32 = u32::MAX - 50;

pub struct Row {
    pub name: &'static str,
    pub clients: usize,
    pub links: u64,
    pub cuts: u64,
    /// How often the server ended.
    pub ends: u64,
    /// The longest that it took to end, and to begin again.
    pub slowest: [Duration; 2],
    pub verdict: Verdict,
    pub elapsed: Duration,
}

impl Row {
    pub fn is_faultless(&self) -> bool {
        self.verdict.tally.is_faultless() && self.verdict.faults.is_empty()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    WebSocket,
    Bosh,
}

/// Everybody in a row.
struct Cast {
    ledger: Arc<Ledger>,
    statuses: Vec<Arc<Status>>,
    phase: watch::Sender<Phase>,
    tasks: JoinSet<()>,
}

/// Runs the row of this name.
pub async fn run(name: &'static str, options: &Options) -> Row {
    let dice = Dice::new(options.seed).fork(name.len() as u64);
    let pairs = if options.is_small { 3 } else { 8 };
    let server = Server::start(2 * pairs, &settings(name)).await;
    let proxy = Proxy::start(server.address, dice.fork(1)).await;
    let mut play = Play {
        dice: dice.fork(2),
        cast: Cast::new(),
        server,
        proxy,
        ends: 0,
        slowest: [Duration::ZERO; 2],
    };
    play.cast.enter(name, pairs, play.proxy.address, &dice);
    let start = Instant::now();
    if play.everybody_is_there().await {
        play.act(name, options).await;
        play.drain().await;
    }
    let elapsed = start.elapsed();
    let verdict = play.end().await;
    Row {
        name,
        clients: play.cast.statuses.len(),
        links: play.proxy.links(),
        cuts: play.proxy.cuts(),
        ends: play.ends,
        slowest: play.slowest,
        verdict,
        elapsed,
    }
}

fn settings(name: &str) -> Vec<String> {
    let durability = if name == "kill" { "always" } else { "restart" };
    vec![
        "auth.scram_iterations=4096".to_owned(),
        "bosh.polling=0s".to_owned(),
        format!("sm.debug_first_h={FIRST_H}"),
        format!("sm.durability={durability}"),
    ]
}

impl Cast {
    fn new() -> Self {
        Self {
            ledger: Arc::default(),
            statuses: Vec::new(),
            phase: watch::Sender::new(Phase::Listen),
            tasks: JoinSet::new(),
        }
    }

    fn enter(&mut self, name: &str, pairs: usize, address: SocketAddr, dice: &Dice) {
        use Transport::{Bosh, WebSocket};
        for pair in 0..pairs {
            let [a, b] = [account(2 * pair), account(2 * pair + 1)];
            if name == "mixed" {
                let seats = [
                    (&a, "web", WebSocket),
                    (&a, "pad", Bosh),
                    (&b, "web", Bosh),
                    (&b, "pad", WebSocket),
                ];
                for (own, resource, transport) in seats {
                    let peer = if *own == a { &b } else { &a };
                    let peers = ["", "/web", "/pad"].map(|resource| format!("{peer}{resource}"));
                    let mut person = self.person(own, resource, peer, dice);
                    person.carbons = true;
                    person.peers = peers.into();
                    self.start(person, transport, address);
                }
                continue;
            }
            let transport = if name == "bosh" { Bosh } else { WebSocket };
            for (own, peer) in [(&a, &b), (&b, &a)] {
                let person = self.person(own, "web", peer, dice);
                self.start(person, transport, address);
            }
        }
    }

    fn person(&self, own: &str, resource: &str, peer: &str, dice: &Dice) -> Person {
        Person {
            jid: format!("{own}/{resource}"),
            carbons: false,
            peers: vec![peer.to_owned()],
            contact: Some(peer.to_owned()),
            contact_is_known: false,
            pace: TALK,
            dice: dice.fork(100 + self.statuses.len() as u64),
            ledger: self.ledger.clone(),
            status: Arc::default(),
            phase: self.phase.subscribe(),
        }
    }

    fn start(&mut self, person: Person, transport: Transport, address: SocketAddr) {
        self.statuses.push(person.status.clone());
        self.ledger.enter(Viewer {
            jid: person.jid.clone(),
            carbons: person.carbons,
        });
        match transport {
            Transport::WebSocket => {
                let client = WsClient::new(person, address, FIRST_H);
                self.tasks.spawn(client.run())
            }
            Transport::Bosh => self.tasks.spawn(BoshClient::new(person, address).run()),
        };
    }
}

struct Play {
    dice: Dice,
    cast: Cast,
    server: Server,
    proxy: Proxy,
    ends: u64,
    slowest: [Duration; 2],
}

impl Play {
    fn fault(&self, fault: impl Into<String>) {
        self.cast.ledger.fault(fault.into());
    }

    /// Waits until something holds. False, and a fault: it does not within `limit`.
    async fn until(&mut self, what: &str, limit: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let start = Instant::now();
        while !holds(self) {
            let why = if let Some(status) = self.server.ended() {
                format!("the server ends by itself: {status}")
            } else if let Some(ended) = self.cast.tasks.try_join_next() {
                format!("a client ends by itself: {ended:?}")
            } else if start.elapsed() > limit {
                format!("not within {limit:?}: {what}")
            } else {
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            self.fault(why);
            return false;
        }
        true
    }

    async fn everybody_is_there(&mut self) -> bool {
        let holds = |play: &Self| play.cast.statuses.iter().all(|status| status.is_up());
        self.until("all are logged in and see each other", LOGIN_LIMIT, holds)
            .await
    }

    async fn act(&mut self, name: &str, options: &Options) {
        self.cast.phase.send_replace(Phase::Talk);
        if !matches!(name, "restart" | "kill") {
            self.proxy.cut(options.cuts, OFTEN);
            let holds = |play: &Self| play.proxy.cuts_are_made();
            self.until("all cuts are made", ROW_LIMIT, holds).await;
            return;
        }
        self.proxy.cut(u64::MAX, SELDOM);
        for _ in 0..options.cycles {
            sleep(self.dice.millis(LIFE)).await;
            let begin = Instant::now();
            self.end_server(name == "kill");
            self.slowest[0] = self.slowest[0].max(begin.elapsed());
            sleep(self.dice.millis(ABSENCE)).await;
            let begin = Instant::now();
            block_in_place(|| self.server.start_again());
            self.slowest[1] = self.slowest[1].max(begin.elapsed());
        }
        sleep(self.dice.millis(LIFE)).await;
    }

    fn end_server(&mut self, at_once: bool) {
        self.ends += 1;
        if let Some(status) = self.server.ended() {
            return self.fault(format!("the server ended by itself: {status}"));
        }
        if at_once {
            return block_in_place(|| self.server.kill());
        }
        match block_in_place(|| self.server.stop()) {
            Ok(status) if status.success() => {}
            Ok(status) => self.fault(format!("the server stops with {status}")),
            Err(fault) => self.fault(fault),
        }
    }

    /// Nobody says anything more and no link is cut: what is under way arrives.
    async fn drain(&mut self) {
        self.cast.phase.send_replace(Phase::Listen);
        self.proxy.leave_alone();
        let is_over = |play: &Self| {
            let ledger = &play.cast.ledger;
            play.cast.statuses.iter().all(|status| status.is_settled())
                && ledger.quiet_for() > QUIET
                && ledger.verdict().tally.lost == 0
        };
        self.until("all has arrived", DRAIN_LIMIT, is_over).await;
    }

    /// What came of it; then everybody leaves.
    async fn end(&mut self) -> Verdict {
        let mut verdict = self.cast.ledger.verdict();
        self.cast.phase.send_replace(Phase::Leave);
        let leaving = async {
            let mut faults = Vec::new();
            while let Some(ended) = self.cast.tasks.join_next().await {
                faults.extend(ended.err().map(|error| error.to_string()));
            }
            faults
        };
        match timeout(LEAVE_LIMIT, leaving).await {
            Ok(faults) => verdict.faults.extend(faults),
            Err(_) => verdict.faults.push("a client cannot leave".to_owned()),
        }
        match block_in_place(|| self.server.stop()) {
            Ok(status) if status.success() => {}
            other => verdict.faults.push(format!("the last stop: {other:?}")),
        }
        if !verdict.faults.is_empty() {
            let state = self.server.keep_state();
            verdict
                .faults
                .push(format!("the server's state is kept in {state}"));
        }
        verdict
    }
}
