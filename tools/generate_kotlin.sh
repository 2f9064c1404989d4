#!/usr/bin/env bash
# What the Kotlin project is compiled with: the library, where the jar takes it from, and the code generated from it.
#
# `generate_kotlin.sh release` takes the release profile; anything else is a debug build. All of it is in bindings/kotlin/target/.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly PROJECT=bindings/kotlin
readonly BUILT=${CARGO_TARGET_DIR:-target}
readonly LIBRARY=libkeepline_ffi.so

main() {
    local profile=debug
    if [ "${1:-}" = release ]; then profile=release; fi
    say "cargo build ($profile), what Kotlin loads"
    # The generator by itself: together they would be built with the features of both.
    if [ "$profile" = release ]; then
        cargo build --quiet --locked -p keepline-uniffi --release
    else
        build_foreign
    fi
    cargo build --quiet --locked -p keepline-uniffi-bindgen --bin uniffi-bindgen
    # Generated anew each time, so that it cannot be older than the library.
    rm -rf "$PROJECT/target/generated" "$PROJECT/target/natives"
    local code=$PROJECT/target/generated/uniffi
    "$BUILT/debug/uniffi-bindgen" generate "$BUILT/$profile/$LIBRARY" --language kotlin --no-format \
        --config bindings/uniffi/uniffi.toml --out-dir "$code"
    hide "$code"/dev/keepline/internal/ffi/*.kt
    mkdir -p "$PROJECT/target/natives/$(system)"
    cp "$BUILT/$profile/$LIBRARY" "$PROJECT/target/natives/$(system)/"
}

# The generator makes its declarations public; nobody but the facade may see them.
hide() {
    # Types and aliases, which begin their line, then functions with a body that override nothing.
    perl -0pi -e 's/^(?:public )?((?:(?:data|sealed|open|enum|abstract|inline|suspend) )*(?:class|interface|object|fun|typealias) )/internal $1/mg;
        s/(?<!override )(?<!override suspend )((?:suspend )?fun `\w+`\([^)]*\)(?:\s*:\s*[^\n{=]+)?\s*[={])/internal $1/g' "$@"
}

# The name of this system as JNA knows it: the directory in the jar.
system() {
    case $(uname -m) in
        x86_64) echo linux-x86-64 ;;
        aarch64) echo linux-aarch64 ;;
        *) echo "linux-$(uname -m)" ;;
    esac
}

main "$@"
