//! `stanzad config`: check, show, reference.

use std::io::Write;

use super::{Failure, ReferenceArgs};
use crate::config::{self, Config, Format, Sources};

/// Says whether the options can be used, and what may not be meant.
pub(super) fn check(sources: &Sources) -> Result<(), Failure> {
    let config = Config::load(sources)?;
    let mut text = String::new();
    for warning in config.warnings() {
        text.push_str(&format!("warning: {warning}\n"));
    }
    let place = match &sources.file {
        Some(path) => path.display().to_string(),
        None => "no file; defaults, environment and --set".to_owned(),
    };
    text.push_str(&format!("configuration is correct ({place})\n"));
    print(&text)
}

/// Prints the values in force.
pub(super) fn show(config: &Config) -> Result<(), Failure> {
    print(&config::show(config))
}

/// Prints all options.
pub(super) fn reference(args: &ReferenceArgs) -> Result<(), Failure> {
    let format = match (args.markdown, args.sample) {
        (true, _) => Format::Markdown,
        (_, true) => Format::Sample,
        _ => Format::Text,
    };
    print(&config::reference(format))
}

/// Writes to standard output. A reader that has had enough (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
