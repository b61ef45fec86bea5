//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Puts load on a server of XMPP over WebSocket or BOSH, and tells what it cost the server.
///
/// Exit codes: 0 nothing lost, doubled, out of order or dropped; 1 something was, or the run
/// failed; 2 wrong command line.
#[derive(Parser)]
#[command(name = "load", version)]
pub struct Cli {
    #[command(subcommand)]
    pub scenario: Scenario,
}

#[derive(Args, Clone, Debug)]
pub struct Common {
    /// ws://, wss:// or, for bosh, http://; any certificate will do
    #[arg(long, default_value = "ws://127.0.0.1:5280/ws/")]
    pub url: String,
    #[arg(long, default_value = "localhost")]
    pub domain: String,
    /// Name of an account; {} stands for its number
    #[arg(long, default_value = "user{}")]
    pub user: String,
    /// How many accounts there are; sessions beyond take them again with another resource
    #[arg(long)]
    pub users: Option<usize>,
    #[arg(long, default_value = "pass")]
    pub password: String,
    /// Processes of the server
    #[arg(long, value_delimiter = ',')]
    pub pid: Vec<i32>,
    /// File in which SCRAM keys are kept from run to run
    #[arg(long)]
    pub keys: Option<PathBuf>,
    /// File for the result; "-" is standard output, without the table
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Without stream management
    #[arg(long)]
    pub no_sm: bool,
    /// Ask for an ack after this many stanzas; 0 never
    #[arg(long, default_value_t = 16)]
    pub ack_every: u32,
    /// Time between the upgrade and <open/>: ejabberd 23.01 now and then loses a frame that comes
    /// right behind its 101
    #[arg(long, default_value = "0", value_parser = duration)]
    pub pause: Duration,
    /// Send initial presence
    #[arg(long)]
    pub presence: bool,
    /// How many logins are under way at a time
    #[arg(long, default_value_t = 16)]
    pub parallel: usize,
    /// Time before the window in which cost is counted
    #[arg(long, default_value = "2s", value_parser = duration)]
    pub warmup: Duration,
    /// Length of that window
    #[arg(long, default_value = "10", value_parser = duration)]
    pub seconds: Duration,
    /// How long a login, a stanza at the end, or an answer may take
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub timeout: Duration,
    /// Idle sessions beside the traffic
    #[arg(long, default_value_t = 0)]
    pub idle: usize,
}

#[derive(Subcommand)]
pub enum Scenario {
    /// Full logins, one after the other in a few lanes: CPU per login
    Login(Login),
    /// Sessions that do nothing: memory per session
    Idle(Idle),
    /// Pairs that keep the server busy, or send at a steady rate: CPU per stanza
    Flood(Flood),
    /// Pairs with one stanza in flight: CPU per stanza and round trip
    Pingpong(Pingpong),
    /// The same over BOSH; --url is that of the connection manager
    Bosh(Pingpong),
    /// All links are cut, and all sessions come back at once: CPU per resumption
    Resume(Resume),
    /// One message to all sessions of an account: CPU per delivery
    Fanout(Fanout),
    /// An ack is asked for after each stanza: CPU and time until it comes
    Acks(Acks),
    /// Makes the accounts (XEP-0077), for servers that cannot import them
    Register(Register),
}

#[derive(Args)]
pub struct Login {
    #[command(flatten)]
    pub common: Common,
    /// Logins in the window
    #[arg(long, default_value_t = 2000)]
    pub logins: usize,
    /// Leave when the server has accepted the password: what login and resumption have in common
    #[arg(long)]
    pub no_session: bool,
}

#[derive(Args)]
pub struct Idle {
    #[command(flatten)]
    pub common: Common,
    /// Numbers of sessions at which memory is read
    #[arg(long, value_delimiter = ',', default_values_t = [5000, 10_000])]
    pub sessions: Vec<usize>,
    /// Quiet time before memory is read
    #[arg(long, default_value = "12s", value_parser = duration)]
    pub settle: Duration,
    /// Then each session sends one message of this size to itself
    #[arg(long)]
    pub message_bytes: Option<usize>,
    /// Then all links are cut, and the sessions hibernate
    #[arg(long)]
    pub hibernate: bool,
}

#[derive(Args)]
pub struct Flood {
    #[command(flatten)]
    pub common: Common,
    #[arg(long, default_value_t = 8)]
    pub pairs: usize,
    /// How many stanzas of a pair may be on the way
    #[arg(long, default_value_t = 64)]
    pub window: u64,
    #[arg(long, default_value_t = 300)]
    pub stanza_bytes: usize,
    /// How many stanzas a sender writes in one go at most; the fewer, the less a server can take
    /// at once
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    pub burst: u64,
    /// Stanzas per second of all pairs together, evenly spaced; without it as many as go through
    #[arg(long)]
    pub rate: Option<u32>,
}

#[derive(Args)]
pub struct Pingpong {
    #[command(flatten)]
    pub common: Common,
    #[arg(long, default_value_t = 50)]
    pub pairs: usize,
    #[arg(long, default_value_t = 300)]
    pub stanza_bytes: usize,
}

#[derive(Args)]
pub struct Resume {
    #[command(flatten)]
    pub common: Common,
    #[arg(long, default_value_t = 5000)]
    pub sessions: usize,
    /// Sessions that send to those that are away
    #[arg(long, default_value_t = 4)]
    pub senders: usize,
    /// Stanzas for each session that are sent while the links are cut
    #[arg(long, default_value_t = 2)]
    pub during: u64,
    /// Stanzas for each session that are sent when it is away
    #[arg(long, default_value_t = 5)]
    pub waiting: u64,
    #[arg(long, default_value_t = 300)]
    pub stanza_bytes: usize,
    /// How long everybody is away before those are sent
    #[arg(long, default_value = "2s", value_parser = duration)]
    pub away: Duration,
    /// How many come back at a time
    #[arg(long, default_value_t = 256)]
    pub storm: usize,
}

#[derive(Args)]
pub struct Fanout {
    #[command(flatten)]
    pub common: Common,
    /// Sessions of one account that get each message
    #[arg(long, default_value_t = 1000)]
    pub sessions: usize,
    /// How many messages may be on the way to all of them
    #[arg(long, default_value_t = 4)]
    pub window: u64,
    #[arg(long, default_value_t = 300)]
    pub stanza_bytes: usize,
}

#[derive(Args)]
pub struct Acks {
    #[command(flatten)]
    pub common: Common,
    #[arg(long, default_value_t = 1)]
    pub pairs: usize,
    /// How many stanzas of a sender may wait for their ack
    #[arg(long, default_value_t = 1)]
    pub window: u32,
    #[arg(long, default_value_t = 300)]
    pub stanza_bytes: usize,
}

#[derive(Args)]
pub struct Register {
    #[command(flatten)]
    pub common: Common,
    /// How many accounts, from number 0 on
    #[arg(long, default_value_t = 1000)]
    pub accounts: usize,
}

impl Scenario {
    pub fn common(&self) -> &Common {
        match self {
            Scenario::Login(it) => &it.common,
            Scenario::Idle(it) => &it.common,
            Scenario::Flood(it) => &it.common,
            Scenario::Pingpong(it) | Scenario::Bosh(it) => &it.common,
            Scenario::Resume(it) => &it.common,
            Scenario::Fanout(it) => &it.common,
            Scenario::Acks(it) => &it.common,
            Scenario::Register(it) => &it.common,
        }
    }
}

/// `12s`, `500ms`, or a number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = number.parse::<f64>().map_err(|error| error.to_string())? * unit;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
