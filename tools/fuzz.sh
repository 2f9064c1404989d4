#!/usr/bin/env bash
# Looks for inputs that break a promise: replays the committed corpora, then lets libFuzzer search. On stable Rust: what
# guides it is a pass of LLVM that the compiler has.
#
# tools/fuzz.sh [SECONDS [TARGET...]]   so many seconds for each target, 60 unless given
# tools/fuzz.sh keep [TARGET...]        takes what earlier runs found and the corpora lack into the corpora
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly TARGETS=(framing connect socks address greeting)
readonly CORPORA=fuzz/corpus
# Beside the other builds: these flags would have every crate built anew.
readonly BUILD=${CARGO_TARGET_DIR:-target}/fuzz
readonly FOUND=$BUILD/found
# 1 KiB reaches every state of every parser but the cap of 16 kB, which a committed input reaches.
readonly MOST=1024
# 2 GiB, libFuzzer's own: its lists count, too. What a target may take is asserted by the target.
readonly MEGABYTES=2048

main() {
    if [ "$(uname)" != Linux ]; then
        skip "fuzzing: it wants Linux"
        return
    fi
    if ! have c++ && ! have g++ && ! have clang++; then
        skip "fuzzing: there is no compiler for C++ (apt-get install g++)"
        return
    fi
    build
    if [ "${1:-}" = keep ]; then
        shift
        keep "${@:-${TARGETS[@]}}"
    else
        local seconds=${1:-60}
        shift || true
        search "$seconds" "${@:-${TARGETS[@]}}"
    fi
}

build() {
    say "building what fuzzes"
    local host
    host=$(rustc -vV | sed -n 's/^host: //p')
    # Overflow and debug assertions are found, too. Hardly optimised: it searches long enough. One unit for each crate, or the counters of LLVM clash.
    RUSTFLAGS="--cfg fuzzing -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
-Cllvm-args=-simplifycfg-branch-fold-threshold=0" \
        cargo build --quiet --locked --release --config 'profile.release.lto=false' --config 'profile.release.opt-level=1' --target "$host" \
        --target-dir "$BUILD" -p keepline-fuzz --features libfuzzer --bin fuzz
    FUZZ=$BUILD/$host/release/fuzz
}

# Two at a time: more would only wait for each other on a small machine.
search() {
    local seconds=$1
    shift
    say "fuzzing $* for ${seconds} s each"
    mkdir -p "$FOUND"
    printf '%s\n' "$@" | xargs -P 2 -I TARGET "$0" one "$seconds" TARGET ||
        fail "an input breaks a promise: see above; it is in $FOUND"
}

one() {
    local seconds=$1 target=$2 log
    [ -d "$CORPORA/$target" ] || fail "no target $target"
    log=$FOUND/$target.log
    mkdir -p "$FOUND/$target"
    # Twice the time and a minute: it replays first, and a machine may be busy.
    if KEEPLINE_FUZZ=$target timeout $((seconds * 2 + 60)) "$FUZZ" -max_total_time="$seconds" -max_len="$MOST" \
        -timeout=10 -rss_limit_mb="$MEGABYTES" -artifact_prefix="$FOUND/$target-" \
        "$FOUND/$target" "$CORPORA/$target" >"$log" 2>&1; then
        say "$target: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 inputs/p' "$log"), $(grep -c . < <(ls "$CORPORA/$target")) committed"
    else
        tail -n 40 "$log" >&2
        say "$target: FAILED"
        return 1
    fi
}

keep() {
    local target
    for target in "$@"; do
        mkdir -p "$FOUND/$target"
        KEEPLINE_FUZZ=$target "$FUZZ" -merge=1 -max_len="$MOST" "$CORPORA/$target" "$FOUND/$target" 2>&1 | tail -n 1
    done
}

if [ "${1:-}" = one ]; then
    shift
    FUZZ=$(ls "$BUILD"/*/release/fuzz)
    one "$@"
else
    main "$@"
fi
