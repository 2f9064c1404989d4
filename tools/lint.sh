#!/usr/bin/env bash
# Formatting, clippy and rustdoc; a warning is an error.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Crates that others depend on: each must build with its own features only, not with those its neighbours ask for.
readonly LIBRARIES=(keepline-proto keepline keepline-testkit keepline-cli keepline-bridge)
# Built by name only: Cargo.toml says why.
readonly APART=(keepline-bench keepline-python keepline-uniffi)

# A minimal toolchain comes without them.
for component in rustfmt clippy; do
    if ! cargo "${component/rust/}" --version >/dev/null 2>&1; then
        rustup component add "$component" || fail "$component is not installed: rustup component add $component"
    fi
done

say "cargo fmt --check"
cargo fmt --all --check
say "cargo clippy, with tests and the network lab"
cargo clippy --quiet --locked --all-targets --features keepline/lab -- -D warnings
for crate in "${APART[@]}"; do
    say "cargo clippy -p $crate"
    cargo clippy --quiet --locked -p "$crate" --all-targets -- -D warnings
done
for crate in "${LIBRARIES[@]}"; do
    say "cargo clippy -p $crate, alone"
    cargo clippy --quiet --locked -p "$crate" --lib -- -D warnings
done
say "cargo clippy -p keepline, without TLS"
cargo clippy --quiet --locked -p keepline --no-default-features --lib -- -D warnings
# Its table of sleeping threads does not survive a fork: docs/decisions/forks.md.
say "no parking_lot in what Python loads"
if cargo tree --locked -p keepline-python --edges normal --invert parking_lot_core 2>/dev/null | grep .; then
    fail "a child that a Python program forks would crash: take parking_lot out of the features of tokio"
fi
say "cargo doc"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --no-deps --lib "${LIBRARIES[@]/#/-p}"
say "lint: clean"
