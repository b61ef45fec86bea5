//! A TCP proxy that cuts and freezes the links through it.

use crate::dice::Dice;
use socket2::SockRef;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// How long a link lives until it is cut, from and to, in milliseconds.
pub type Pace = (u64, u64);

/// What the server has said when a client is logged in, about, in bytes. Every second link is cut
/// only after that, or after this time, so that logins come through on a busy machine, too.
const LOGIN_BYTES: usize = 1800;
const LOGIN_TIME: Duration = Duration::from_secs(2);

/// How long the two ends of a link that is cut are left in ignorance of each other.
const FREEZE: Pace = (0, 700);
/// How long a cut waits for bytes that it can cut in two.
const WAIT_FOR_BYTES: Duration = Duration::from_millis(50);
/// An end that takes nothing for so long is taken for gone.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    pace: watch::Sender<Option<Pace>>,
}

struct Shared {
    target: SocketAddr,
    /// How many cuts are still to be made.
    budget: AtomicI64,
    cuts: AtomicU64,
    links: AtomicU64,
}

/// The ways to lose a link; each end notices them differently.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// Both ends are told at once, by a reset.
    Reset,
    /// Both ends are told at once, by an end in order.
    Finish,
    /// Nothing passes any more, in any direction; later both are told.
    FreezeBoth,
    /// The client's words get lost, those of the server pass; later both are told.
    FreezeUp,
    /// The other way round.
    FreezeDown,
    /// The client is told and comes again while the server still believes in the old link.
    ClientFirst,
    /// The server is told while the client still believes in the link.
    ServerFirst,
}

const CUTS: [Cut; 7] = [
    Cut::Reset,
    Cut::Finish,
    Cut::FreezeBoth,
    Cut::FreezeUp,
    Cut::FreezeDown,
    Cut::ClientFirst,
    Cut::ServerFirst,
];

impl Proxy {
    /// Listens on a port of its own, and leaves links alone for now.
    pub async fn start(target: SocketAddr, dice: Dice) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            target,
            budget: AtomicI64::new(0),
            cuts: AtomicU64::new(0),
            links: AtomicU64::new(0),
        });
        let (pace, paces) = watch::channel(None);
        tokio::spawn(accept(listener, shared.clone(), paces, dice));
        Self {
            address,
            shared,
            pace,
        }
    }

    /// Cuts every link when it has lived for a while, until `budget` cuts are made.
    pub fn cut(&self, budget: u64, pace: Pace) {
        let budget = i64::try_from(budget).unwrap_or(i64::MAX);
        self.shared.budget.store(budget, Ordering::Relaxed);
        self.pace.send_replace(Some(pace));
    }

    pub fn leave_alone(&self) {
        self.pace.send_replace(None);
    }

    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::Relaxed)
    }

    /// How many connections there were.
    pub fn links(&self) -> u64 {
        self.shared.links.load(Ordering::Relaxed)
    }

    pub fn cuts_are_made(&self) -> bool {
        self.shared.budget.load(Ordering::Relaxed) <= 0
    }
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    paces: watch::Receiver<Option<Pace>>,
    dice: Dice,
) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let number = shared.links.fetch_add(1, Ordering::Relaxed);
        let mut dice = dice.fork(number);
        let link = Link {
            shared: shared.clone(),
            paces: paces.clone(),
            spares_login: dice.one_in(2),
            dice,
        };
        tokio::spawn(link.carry(client));
    }
}

struct Link {
    shared: Arc<Shared>,
    paces: watch::Receiver<Option<Pace>>,
    /// It is not cut before the client is logged in, as far as one can tell.
    spares_login: bool,
    dice: Dice,
}

/// When a link is cut.
enum Fate {
    /// Not as things stand.
    Open,
    At(Instant),
    /// With the next bytes in one direction, or without any at this time.
    Amid {
        way: Way,
        at_latest: Instant,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// To the server.
    Up,
    Down,
}

/// How the forwarding ends.
enum End {
    /// By one of the ends.
    Closed,
    /// The link is to be cut. `torn`: where bytes have got lost already.
    Cut { torn: Option<Way> },
}

impl Link {
    async fn carry(mut self, mut client: TcpStream) {
        let Ok(mut server) = TcpStream::connect(self.shared.target).await else {
            reset(&client); // nobody listens there now
            return;
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let torn = match self.forward(&mut client, &mut server).await {
            End::Closed => return,
            End::Cut { torn } => torn,
        };
        // No network leaves a hole in what arrives: where bytes are missing, none may follow.
        let cut = match (CUTS[self.dice.below(CUTS.len())], torn) {
            (Cut::FreezeUp, Some(Way::Down)) => Cut::FreezeDown,
            (Cut::FreezeDown, Some(Way::Up)) => Cut::FreezeUp,
            (cut, _) => cut,
        };
        let ignorance = self.dice.millis(FREEZE);
        match cut {
            Cut::Reset => {}
            Cut::Finish => {
                let _ = tokio::join!(client.shutdown(), server.shutdown());
                return;
            }
            Cut::FreezeBoth => sleep(ignorance).await,
            Cut::FreezeUp => {
                let _ = timeout(ignorance, pass(&mut server, &mut client)).await;
            }
            Cut::FreezeDown => {
                let _ = timeout(ignorance, pass(&mut client, &mut server)).await;
            }
            Cut::ClientFirst => {
                reset(&client);
                drop(client);
                sleep(ignorance).await;
                return reset(&server);
            }
            Cut::ServerFirst => {
                reset(&server);
                drop(server);
                sleep(ignorance).await;
                return reset(&client);
            }
        }
        reset(&client);
        reset(&server);
    }

    fn new_fate(&mut self) -> Fate {
        let grace = if self.spares_login {
            LOGIN_TIME
        } else {
            Duration::ZERO
        };
        match *self.paces.borrow_and_update() {
            Some(pace) => Fate::At(Instant::now() + grace + self.dice.millis(pace)),
            None => Fate::Open,
        }
    }

    /// Takes one of the cuts that are to be made, if there are any left.
    fn may_cut(&self) -> bool {
        let is_left = self.shared.budget.fetch_sub(1, Ordering::Relaxed) > 0;
        if is_left {
            self.shared.cuts.fetch_add(1, Ordering::Relaxed);
        }
        is_left
    }

    /// Forwards until the link is to be cut or one end has closed it.
    async fn forward(&mut self, client: &mut TcpStream, server: &mut TcpStream) -> End {
        let (mut from_client, mut from_server) = ([0; 4096], [0; 4096]);
        let mut fate = self.new_fate();
        let mut down_bytes = 0;
        loop {
            let (from, read) = tokio::select! {
                changed = self.paces.changed() => {
                    fate = self.new_fate();
                    if changed.is_err() {
                        return End::Closed; // the proxy is gone
                    }
                    continue;
                }
                () = come(&fate) => {
                    fate = match fate {
                        Fate::At(_) => Fate::Amid {
                            way: if self.dice.one_in(2) { Way::Up } else { Way::Down },
                            at_latest: Instant::now() + WAIT_FOR_BYTES,
                        },
                        _ if self.may_cut() => return End::Cut { torn: None },
                        _ => Fate::Open,
                    };
                    continue;
                }
                read = client.read(&mut from_client) => (Way::Up, read),
                read = server.read(&mut from_server) => (Way::Down, read),
            };
            let count = read.unwrap_or(0);
            if from == Way::Down {
                down_bytes += count;
            }
            if self.spares_login && down_bytes >= LOGIN_BYTES {
                self.spares_login = false;
                fate = self.new_fate();
            }
            let (bytes, to) = match from {
                Way::Up => (&from_client[..count], &mut *server),
                Way::Down => (&from_server[..count], &mut *client),
            };
            let is_amid = matches!(fate, Fate::Amid { way, .. } if way == from) && count > 0;
            if is_amid && self.may_cut() {
                let some = &bytes[..self.dice.below(count + 1)];
                let _ = timeout(WRITE_LIMIT, to.write_all(some)).await;
                return End::Cut { torn: Some(from) };
            }
            if is_amid {
                fate = Fate::Open;
            }
            let written = timeout(WRITE_LIMIT, to.write_all(bytes)).await;
            if count == 0 || !matches!(written, Ok(Ok(()))) {
                return End::Closed;
            }
        }
    }
}

async fn come(fate: &Fate) {
    match fate {
        Fate::Open => std::future::pending().await,
        Fate::At(at) | Fate::Amid { at_latest: at, .. } => tokio::time::sleep_until(*at).await,
    }
}

/// Forwards in one direction.
async fn pass(from: &mut TcpStream, to: &mut TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    std::future::pending().await
}

/// When this is dropped, the other side gets a reset.
fn reset(socket: &TcpStream) {
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}
