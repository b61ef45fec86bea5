#!/usr/bin/env bash
# The test command: installs what the tests need, then runs all of them.
#
#   tests/run.sh            everything
#   tests/run.sh rust       formatting, lints, and the tests in Rust
#   tests/run.sh clients    the shipped web clients against the release binary
#   tests/run.sh fuzz       what fuzzers have found, and each fuzz target for a short while
#   tests/run.sh seeds [N]  N seeds of the simulation, 10000 if not told, for every night
#   tests/run.sh soak [day] a week of sessions at accelerated time, or one day of it
#
# Needs Rust, a C++ compiler, openssl, Node.js 20 and, to install Chromium, the rights to use apt. Ends
# with one line that counts: "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."

passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

step() { printf '\n== %s\n' "$*"; }

install_chromium() {
    if command -v chromium >/dev/null; then
        return
    fi
    step "install Chromium"
    local sudo=""
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends \
        chromium fonts-noto-color-emoji >/dev/null
}

# Adds up the lines "test result: … N passed; N failed; …" of cargo test.
count_cargo() {
    local sums
    sums=$(awk '/^test result:/ { for (i = 1; i < NF; i++) { if ($(i+1) ~ /^passed/) p += $i; if ($(i+1) ~ /^failed/) f += $i } } END { print p + 0, f + 0 }' "$log")
    passed=$((passed + ${sums% *}))
    failed=$((failed + ${sums#* }))
}

# Counts what cargo test has just logged. A run that did not get as far as its tests, or in which a
# test program died, has failed.
count_tests() {
    grep -q '^test result:' "$log" || exit 1
    count_cargo
    if grep -q '^error' "$log" && [ "$failed" -eq 0 ]; then
        exit 1
    fi
}

# Adds up the line "N passed, N failed" of the client runner.
count_clients() {
    local line
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
    passed=$((passed + $(cut -d' ' -f1 <<<"$line")))
    failed=$((failed + $(cut -d' ' -f3 <<<"$line")))
}

finish() {
    printf '\n%s passed, %s failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ]
}

rust() {
    step "formatting"
    cargo fmt --all --check
    step "lints"
    cargo clippy --all-targets --quiet -- -D warnings
    step "documentation"
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --quiet
    step "tests in Rust"
    cargo test --no-fail-fast 2>&1 | tee "$log" || true
    count_tests
    measuring
}

# What measures has tests of its own: a figure is worth what its program is.
measuring() {
    local at=(--manifest-path benches/Cargo.toml --target-dir target/benches)
    step "the load generator, the yardstick and the comparison"
    cargo fmt --manifest-path benches/Cargo.toml --all --check
    cargo clippy "${at[@]}" --all-targets --quiet -- -D warnings
    cargo test "${at[@]}" --no-fail-fast 2>&1 | tee "$log" || true
    count_tests
}

clients() {
    install_chromium
    step "release build"
    cargo build --release --quiet
    step "web clients from npm"
    npm ci --prefix tests/clients --no-audit --no-fund --loglevel=error
    step "tests with web clients"
    STANZAD_BIN="$PWD/target/release/stanzad" node tests/clients/run.mjs 2>&1 | tee "$log" || true
    grep -qE '^[0-9]+ passed, [0-9]+ failed' "$log" || exit 1
    count_clients
}

# How long each fuzz target runs, in seconds.
fuzz_seconds=${FUZZ_SECONDS:-20}

install_cargo_fuzz() {
    if cargo fuzz --version >/dev/null 2>&1; then
        return
    fi
    step "install cargo-fuzz"
    cargo install cargo-fuzz --locked --quiet
}

fuzz() {
    # The dependencies were built by the part in Rust.
    local at=(--manifest-path fuzz/Cargo.toml --target-dir target)
    step "formatting and lints of the fuzz targets"
    cargo fmt --manifest-path fuzz/Cargo.toml --check
    cargo clippy "${at[@]}" --all-targets --quiet -- -D warnings
    step "replay of what fuzzers found"
    cargo test "${at[@]}" --no-fail-fast 2>&1 | tee "$log" || true
    count_tests
    install_cargo_fuzz
    step "build of the fuzz targets"
    cargo run "${at[@]}" --quiet --example seed
    # No sanitizer, so that stable Rust will do: there is no unsafe code to watch. And no
    # optimization beyond that of the dependencies: the build takes longer than the runs.
    cargo fuzz build -s none --dev
    local target
    for target in $(cargo fuzz list); do
        step "fuzz $target for $fuzz_seconds seconds"
        if cargo fuzz run -s none --dev "$target" -- -max_total_time="$fuzz_seconds" \
            -rss_limit_mb=1024 -timeout=30 -print_final_stats=1 >"$log" 2>&1; then
            grep '^stat::number_of_executed_units' "$log" || true
            passed=$((passed + 1))
        else
            tail -n 60 "$log"
            failed=$((failed + 1))
        fi
    done
}

# Another stretch of seeds each day; the one that fails is named.
seeds() {
    local many=${1:-10000}
    local first=${STANZAD_FIRST_SEED:-$(($(date +%s) / 86400 * 100000))}
    step "simulation: $many seeds from $first on"
    STANZAD_SEEDS=$many STANZAD_FIRST_SEED=$first \
        cargo test --release --lib simulation -- --nocapture 2>&1 | tee "$log" || true
    count_tests
}

# What lives and what the process takes is told at noon and at the end of every simulated day.
soak() {
    step "soak: a simulated ${1:-week}"
    STANZAD_SOAK=${1:-week} \
        cargo test --release --lib simulation::soak -- --nocapture 2>&1 | tee "$log" || true
    count_tests
}

case "${1:-all}" in
    rust) rust ;;
    clients) clients ;;
    fuzz) fuzz ;;
    seeds) seeds "${2:-}" ;;
    soak) soak "${2:-}" ;;
    all) rust; clients; fuzz ;;
    *) echo "usage: tests/run.sh [rust|clients|fuzz|seeds [N]|soak [day]]" >&2; exit 2 ;;
esac
finish
