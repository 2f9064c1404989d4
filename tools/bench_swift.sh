#!/usr/bin/env bash
# The Swift library beside plain sockets; arguments go to the benchmark (bindings/swift/bench).
#
# With the `swift` on the PATH; else, as root on Linux, with that of a chroot (tools/chroot.sh).
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. tools/swift.sh

readonly NATIVES=$WORK/bench/natives
readonly PAGE=docs/explain/speed-swift.md

main() {
    if [ "${1:-}" = --inside ]; then
        shift
        swift_inside run_bench "$@"
        return
    fi
    local why load
    # How busy the machine is, before this makes it busy.
    load=$(cut -d ' ' -f 1 /proc/loadavg)
    if ! why=$(cannot); then
        skip "Swift benchmark: $why"
        return
    fi
    say "cargo build (release), what Swift links"
    cargo build --quiet --locked -p keepline-uniffi --release
    # By itself: together with the library it would turn on features of that.
    cargo build --quiet --locked -p keepline-uniffi-bindgen --bin uniffi-bindgen
    generate release "$NATIVES"
    local log=$WORK/bench/bench.log
    # The sources are read-only inside, so it is written where the package is built.
    cp "$PAGE" "$WORK/bench/page.md"
    say "swift build, then the measurement"
    if ! with_swift run_bench "$NATIVES" "$log" --load "$load" "$@"; then
        tail -n 40 "$log" >&2
        fail "the benchmark failed; the whole of it is in $log"
    fi
    # The tables, without what the compiler said.
    sed -n '/^|/,$p' "$log"
    cmp -s "$WORK/bench/page.md" "$PAGE" || cp "$WORK/bench/page.md" "$PAGE"
}

# The first argument is where the sources are; it needs nothing of this script.
run_bench() {
    local source=$1
    shift
    cd "$source/bindings/swift"
    local work=$PWD/target/bench compiler
    swift build --configuration release --package-path bench --scratch-path "$work/build" -Xlinker "-L$work/natives"
    compiler=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/Swift \1/p')
    "$work/build/release/KeeplineBench" --compiler "$compiler" --page "$work/page.md" "$@"
}

main "$@"
