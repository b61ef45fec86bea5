//! Floor 8: the command.

mod args;
mod check;
mod config;
pub mod log;
mod probe;
mod serve;
mod supervisor;
mod user;

pub use args::{
    AccountArgs, CheckArgs, Cli, Command, ConfigCommand, ListArgs, NoArgs, OptionArgs,
    PasswordArgs, ProbeArgs, ReferenceArgs, ServeArgs, UserCommand, With,
};

use std::process::ExitCode;

use clap::Parser;

use crate::config::{Config, ConfigErrors, Sources};

/// Why a command did not do what it was told to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Options that are wrong; exit code 2.
    #[error("{}", listed(.0))]
    Config(#[from] ConfigErrors),
    /// A command line that cannot be meant; exit code 2.
    #[error("{0}")]
    Usage(String),
    /// It was tried and failed; exit code 1.
    #[error("{0}")]
    Failed(String),
    /// It failed, and all about it has been printed; exit code 1.
    #[error("")]
    Told,
}

impl Failure {
    /// 1: failed; 2: the command line or the options are wrong.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) | Self::Told => 1,
            Self::Config(_) | Self::Usage(_) => 2,
        }
    }
}

/// Runs the command of this process; its errors go to standard error.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::Told) {
                eprintln!("stanzad: {failure}");
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Runs one command.
///
/// # Errors
///
/// [`Failure`] says whose fault it was and what the exit code is.
pub fn run(cli: Cli) -> Result<(), Failure> {
    let sources = cli.options.sources(cli.command.options());
    match cli.command {
        // The reference is the same whatever the options are, so it does not read them.
        Command::Config(ConfigCommand::Reference(with)) => config::reference(&with.args),
        Command::Config(ConfigCommand::Check(_)) => config::check(&sources),
        Command::Config(ConfigCommand::Show(_)) => config::show(&load(&sources)?),
        Command::Serve(with) => serve::run(load(&sources)?, sources, &with.args),
        Command::User(command) => user::run(load(&sources)?, command),
        Command::Check(with) => check::run(load(&sources)?, &with.args),
        Command::Probe(with) => probe::run(&load(&sources)?, sources.file.is_some(), &with.args),
    }
}

fn load(sources: &Sources) -> Result<Config, Failure> {
    Ok(Config::load(sources)?)
}

fn listed(errors: &ConfigErrors) -> String {
    match errors.0.as_slice() {
        [only] => only.to_string(),
        _ => format!("{} errors in the configuration\n{errors}", errors.0.len()),
    }
}
