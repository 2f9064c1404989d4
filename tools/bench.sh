#!/usr/bin/env bash
# The benchmarks: each case beside the kernel's limit and other clients, in interleaved rounds; then the pure parts.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cargo run --quiet --release --locked -p keepline-bench -- "${@:-all}"
if [ $# -eq 0 ]; then
    cargo bench --quiet --locked -p keepline-bench --bench pure
    tools/sizes.sh
fi
