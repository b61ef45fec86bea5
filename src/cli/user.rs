//! `stanzad user`.

use super::{Failure, UserCommand};
use crate::config::Config;

/// Manages accounts in the store of `config`.
pub(super) fn run(_config: Config, _command: UserCommand) -> Result<(), Failure> {
    Err(Failure::Failed("user: not wired yet".to_owned()))
}
