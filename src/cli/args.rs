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
    /// Options in front of the command; those behind it are stronger.
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
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one option, stronger than file and environment, such as sm.enabled=false; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl OptionArgs {
    /// These and the stronger ones of `behind`, and the environment of the process.
    pub fn sources(&self, behind: &Self) -> Sources {
        let named = || std::env::var_os(CONFIG_VARIABLE).filter(|name| !name.is_empty());
        let file = behind.config.as_ref().or(self.config.as_ref()).cloned();
        let set = self.set.iter().chain(&behind.set).cloned().collect();
        Sources::of_process(file.or_else(|| named().map(PathBuf::from)), set)
    }
}

/// The arguments of one command and the options behind it.
///
/// clap has global arguments, but a list that stands in front of a command and behind it would lose
/// its first half.
#[derive(Debug, Clone, Default, Args)]
pub struct With<T: Args> {
    /// The arguments of the command.
    #[command(flatten)]
    pub args: T,
    /// The options.
    #[command(flatten)]
    pub options: OptionArgs,
}

/// No arguments.
#[derive(Debug, Clone, Default, Args)]
pub struct NoArgs {}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(With<ServeArgs>),
    /// Manage accounts
    #[command(subcommand)]
    User(UserCommand),
    /// Check, show and explain the options
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Connect to a server as a browser would, and name each step
    Probe(With<ProbeArgs>),
    /// Check what the server needs before it starts: options, certificate, store
    Check(With<CheckArgs>),
}

impl Command {
    /// The options behind the command.
    pub fn options(&self) -> &OptionArgs {
        match self {
            Self::Serve(with) => &with.options,
            Self::User(command) => command.options(),
            Self::Config(command) => command.options(),
            Self::Probe(with) => &with.options,
            Self::Check(with) => &with.options,
        }
    }
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
    Add(With<PasswordArgs>),
    /// Set the password of an account
    Passwd(With<PasswordArgs>),
    /// Delete an account and all that is stored for it
    Del(With<AccountArgs>),
    /// Print the addresses of all accounts, one on each line
    List(With<ListArgs>),
    /// Make an account for each line `jid password` of standard input
    Import(With<NoArgs>),
}

impl UserCommand {
    fn options(&self) -> &OptionArgs {
        match self {
            Self::Add(with) | Self::Passwd(with) => &with.options,
            Self::Del(with) => &with.options,
            Self::List(with) => &with.options,
            Self::Import(with) => &with.options,
        }
    }
}

/// `stanzad user add` and `passwd`
#[derive(Debug, Clone, Args)]
#[command(after_help = PASSWORD_EXAMPLES)]
pub struct PasswordArgs {
    /// The address of the account, such as romeo@example.org
    pub jid: String,
    /// Its password [default: the first line of standard input, which keeps it out of `ps`]
    pub password: Option<String>,
}

/// `stanzad user del`
#[derive(Debug, Clone, Args)]
pub struct AccountArgs {
    /// The address of the account
    pub jid: String,
}

/// `stanzad user list`
#[derive(Debug, Clone, Default, Args)]
pub struct ListArgs {
    /// Only accounts of this domain
    pub domain: Option<String>,
}

const PASSWORD_EXAMPLES: &str = "\
Examples:
  stanzad user add romeo@example.org < password-file
  stanzad user passwd romeo@example.org < password-file";

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
    Check(With<NoArgs>),
    /// Print the values in force, as a file that gives them again
    Show(With<NoArgs>),
    /// Print every option: type, unit, range, default, effect
    Reference(With<ReferenceArgs>),
}

impl ConfigCommand {
    fn options(&self) -> &OptionArgs {
        match self {
            Self::Check(with) | Self::Show(with) => &with.options,
            Self::Reference(with) => &with.options,
        }
    }
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
