//! `stanzad check`.

use super::{CheckArgs, Failure};
use crate::config::Config;

/// Checks what the server needs before it starts.
pub(super) fn run(_config: Config, _args: &CheckArgs) -> Result<(), Failure> {
    Err(Failure::Failed("check: not wired yet".to_owned()))
}
