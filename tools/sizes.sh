#!/usr/bin/env bash
# How large the library is that apps load, for each cryptography it may be built with; the profile is the one for phones.
# Where it goes, and why it is above the goal: docs/decisions/phone-size.md.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# What an app may weigh more for, with TLS by ring, on x86_64.
readonly GOAL=1600000
readonly BUILT=${CARGO_TARGET_DIR:-target}/phone

case $(uname) in
Darwin) readonly LIBRARY=libkeepline_ffi.dylib ;;
*) readonly LIBRARY=libkeepline_ffi.so ;;
esac

# Prints the bytes of the library with these features.
size_with() {
    cargo build --quiet --locked --profile phone -p keepline-uniffi --lib --no-default-features --features "$1" >&2
    wc -c <"$BUILT/$LIBRARY"
}

printf '%-34s %10s %8s\n' "$LIBRARY ($(uname -m))" bytes "of goal"
for features in ring aws-lc-rs ""; do
    size=$(size_with "$features")
    name="TLS by ${features}"
    [ -n "$features" ] || name="TLS by a provider of the app's"
    printf '%-34s %10d %7d%%\n' "$name" "$size" $((size * 100 / GOAL))
done
