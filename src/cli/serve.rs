//! `stanzad serve`.

use super::{Failure, ServeArgs};
use crate::config::{Config, Sources};

/// Runs the server until it is told to stop. `sources` is what a reload reads again.
pub(super) fn run(config: Config, _sources: Sources, _args: &ServeArgs) -> Result<(), Failure> {
    let _log = super::log::start(&config.log)?;
    Err(Failure::Failed("serve: not wired yet".to_owned()))
}
