#!/usr/bin/env bash
# Installs the peers, builds everything, compares. Options go to the program: see --help.
set -euo pipefail
cd "$(dirname "$0")/../.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

if ! command -v prosody >/dev/null || ! command -v ejabberdctl >/dev/null; then
    as_root apt-get update
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends prosody ejabberd
    # The packages start them as services; here they run while they are measured, and not else.
    for service in prosody ejabberd; do
        as_root service "$service" stop || true
        as_root systemctl disable "$service" || true
    done
fi

cargo build --release --bin stanzad
cargo build --release --manifest-path benches/Cargo.toml --target-dir target/benches
# As many open files as may be: each session is one, at either end.
ulimit -n "$(ulimit -Hn)"
target/benches/release/compare "$@"
