#!/usr/bin/env bash
# The tests of the default members: unit, property, integration against real servers, the committed inputs of the fuzzer, and
# every example in the docs. With arguments those of `cargo test`: tools/test_rust.sh -p keepline --test redis
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
tools/setup.sh
say "cargo test"
if [ $# -gt 0 ] || ! python_has 10; then
    cargo test --locked "$@"
else
    "$PYTHON" -B tools/run_rust_tests.py
fi
