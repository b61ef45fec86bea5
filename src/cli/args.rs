//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::config::Sources;

/// The variable that names the configuration file if `--config` does not.
const CONFIG_VARIABLE: &str = "STANZAD_CONFIG";

/// The web front door for XMPP: WebSocket and BOSH, with sessions that survive a lost link.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, propagate_version = true, after_help = EXAMPLES)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// The options, which every command takes.
    #[command(flatten)]
    pub options: OptionArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  stanzad serve --demo                           try it: two accounts, a page, nothing to install
  stanzad serve --config /etc/stanzad.toml       run it
  stanzad config check --config stanzad.toml     find every mistake in a file
  stanzad user add romeo@example.org             make an account
  stanzad probe wss://chat.example.org/ws/       see what a browser would meet

Exit codes: 0 done, 1 failed, 2 wrong command line or configuration.";

/// Where options come from.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub struct OptionArgs {
    /// Read options from this TOML file [default: the file that STANZAD_CONFIG names, or none]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one option, stronger than file and environment, such as sm.enabled=false; repeatable
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl OptionArgs {
    /// These, and the environment of the process.
    pub fn sources(&self) -> Sources {
        let named = || std::env::var_os(CONFIG_VARIABLE).filter(|name| !name.is_empty());
        let file = self.config.clone().or_else(|| named().map(PathBuf::from));
        Sources::of_process(file, self.set.clone())
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(ServeArgs),
    /// Manage accounts
    #[command(subcommand)]
    User(UserCommand),
    /// Check, show and explain the options
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Connect to a server as a browser would, and name each step
    Probe(ProbeArgs),
    /// Check what the server needs before it starts: options, certificate, store
    Check(CheckArgs),
}

/// `stanzad serve`
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub struct ServeArgs {
    /// Make two accounts with new passwords and print them; they work on loopback only
    #[arg(long)]
    pub demo: bool,
}

const SERVE_EXAMPLES: &str = "\
Signals: SIGHUP reads the options and the certificate again, SIGTERM and SIGINT stop the server
within shutdown_grace.

Examples:
  stanzad serve --demo
  stanzad serve --config stanzad.toml --set log.level=debug
  STANZAD_LOG=info,stanzad::stream=trace stanzad serve";

/// `stanzad user`
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = USER_EXAMPLES)]
pub enum UserCommand {
    /// Make an account
    Add {
        /// Its address, such as romeo@example.org
        jid: String,
        /// Its password [default: the first line of standard input, which keeps it out of `ps`]
        password: Option<String>,
    },
    /// Set the password of an account
    Passwd {
        /// Its address
        jid: String,
        /// The new password [default: the first line of standard input]
        password: Option<String>,
    },
    /// Delete an account and all that is stored for it
    Del {
        /// Its address
        jid: String,
    },
    /// Print the addresses of all accounts, one on each line
    List {
        /// Only those of this domain
        domain: Option<String>,
    },
    /// Make an account for each line `jid password` of standard input
    Import,
}

const USER_EXAMPLES: &str = "\
Examples:
  stanzad user add romeo@example.org < password-file
  stanzad user list example.org
  stanzad user import < accounts.txt             lines such as: juliet@example.org r0m30

Passwords are stored as SCRAM keys only, from which they cannot be read again.";

/// `stanzad config`
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = CONFIG_EXAMPLES)]
pub enum ConfigCommand {
    /// Find every mistake: line, key, allowed range, nearest known key
    Check,
    /// Print the values in force, as a file that gives them again
    Show,
    /// Print every option: type, unit, range, default, effect
    Reference(ReferenceArgs),
}

const CONFIG_EXAMPLES: &str = "\
Examples:
  stanzad config check --config stanzad.toml
  stanzad config show --set sm.max_unacked=50
  STANZAD_SM__ENABLED=false stanzad config show
  stanzad config reference --sample > stanzad.toml";

/// `stanzad config reference`
#[derive(Debug, Clone, Default, Args)]
pub struct ReferenceArgs {
    /// As a page in Markdown
    #[arg(long)]
    pub markdown: bool,
    /// As a configuration file with every option commented out
    #[arg(long, conflicts_with = "markdown")]
    pub sample: bool,
}

/// `stanzad probe`
#[derive(Debug, Clone, Args)]
#[command(after_help = PROBE_EXAMPLES)]
pub struct ProbeArgs {
    /// A WebSocket URL [default: that of the first endpoint]
    pub url: Option<String>,
    /// The XMPP domain to ask for [default: that of the configuration file, or the host of the URL]
    #[arg(long)]
    pub domain: Option<String>,
    /// Send this Origin, as a page from there would
    #[arg(long)]
    pub origin: Option<String>,
    /// Trust the certificates of this PEM file instead of those of the system
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub ca: Option<PathBuf>,
    /// Go on with a certificate that no browser would accept
    #[arg(long)]
    pub insecure: bool,
    /// The longest that one step may take
    #[arg(long, value_name = "DURATION", default_value = "10s",
          value_parser = crate::config::parse_duration)]
    pub timeout: Duration,
}

const PROBE_EXAMPLES: &str = "\
Examples:
  stanzad probe wss://chat.example.org/ws/
  stanzad probe wss://chat.example.org/ws/ --domain example.org --origin https://app.example.org
  stanzad probe wss://localhost:5281/ws/ --ca stanzad-state/selfsigned.pem";

/// `stanzad check`
#[derive(Debug, Clone, Default, Args)]
pub struct CheckArgs {}
