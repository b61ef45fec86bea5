//! The `stanzad` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    stanzad::cli::main()
}
