//! The `stanzad` command.

fn main() {}
