//! `stanzad probe`.

use super::{Failure, ProbeArgs};
use crate::config::Config;

pub(super) fn run(_c: &Config, _f: bool, _a: &ProbeArgs) -> Result<(), Failure> {
    Err(Failure::Failed("probe: not wired yet".to_owned()))
}
