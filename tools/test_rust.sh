#!/usr/bin/env bash
# The tests of the default members: unit, property, integration against real servers, and every example in the docs.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
tools/setup.sh
say "cargo test"
cargo test --locked "$@"
# The committed inputs of the fuzzer, on any system; it is built by name only.
if [ $# = 0 ]; then cargo test --quiet --locked -p keepline-fuzz; fi
