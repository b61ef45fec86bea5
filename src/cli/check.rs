//! `stanzad check`: everything that a start needs, without starting.

use super::{CheckArgs, Failure};
use crate::config::Config;
use crate::server::checks;
use std::io::Write;

/// Checks what the server needs before it starts. Every check runs, whatever fails before it.
pub(super) fn run(config: Config, _args: &CheckArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(error.to_string()))?;
    let mut all_passed = true;
    let mut out = std::io::stdout().lock();
    for check in runtime.block_on(checks(&config)) {
        let (mark, text) = match &check.outcome {
            Ok(found) => ("✓", found),
            Err(trouble) => ("✗", trouble),
        };
        all_passed &= check.outcome.is_ok();
        // A reader that closes the pipe early has seen enough.
        let _ = writeln!(out, "{mark} {:<10} {text}", check.name);
    }
    if all_passed {
        Ok(())
    } else {
        Err(Failure::Told)
    }
}
