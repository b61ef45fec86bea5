#!/usr/bin/env bash
# Installs the peers, builds everything, compares. Options go to the program: see --help.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v prosody ejabberdctl >/dev/null; then
    # They are to run under this measurement alone: the packages would start them as services.
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    if [ -e /usr/sbin/policy-rc.d ]; then trap - EXIT; else
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
    fi
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends prosody ejabberd
fi

cargo build --release --bin stanzad
cargo build --release --manifest-path benches/Cargo.toml --target-dir target/benches
# As many open files as may be: each session is one, at either end.
ulimit -n "$(ulimit -Hn)"
target/benches/release/compare "$@"
