#!/usr/bin/env bash
# The Kotlin library: builds the core and the chaos server, generates the hidden code, and runs JUnit under Maven.
#
# Arguments go to Maven: tools/test_kotlin.sh -Dtest=CancelTest. Everything but Maven's own store (~/.m2) is in target/.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly PROJECT=bindings/kotlin
readonly BUILT=${CARGO_TARGET_DIR:-target}
# 15 minutes: a slow machine that fetches everything, not a hanging one.
readonly LIMIT=900

main() {
    tools/setup.sh kotlin
    local why
    if ! why=$(cannot); then
        skip "Kotlin tests: $why"
        return
    fi
    say "cargo build, what Kotlin loads and is tested against"
    # Each by itself: together they would be built with the features of all.
    cargo build --quiet --locked -p keepline-uniffi
    cargo build --quiet --locked -p keepline-uniffi-bindgen --bin uniffi-bindgen
    cargo build --quiet --locked -p keepline-testkit --bin keepline-chaos
    cargo test --quiet --locked -p keepline-bridge --features uniffi --test foreign
    local library=libkeepline_ffi.so
    generate "$library"
    say "mvn test"
    local log=$PROJECT/target/maven.log
    if ! timeout "$LIMIT" mvn --batch-mode --file "$PROJECT/pom.xml" -Dkeepline.library.file="$library" \
        -Dkeepline.chaos="$(cd "$BUILT/debug" && pwd)/keepline-chaos" "$@" test >"$log" 2>&1; then
        grep -E '^\[(ERROR|WARNING)\]|FAILURE' "$log" | head -n 60 >&2 || tail -n 40 "$log" >&2
        fail "the Kotlin tests failed; the whole of it is in $log"
    fi
    say "Kotlin: $(grep -E '^\[(INFO|WARNING)\] Tests run: [0-9]+, Failures: [0-9]+, Errors: [0-9]+, Skipped: [0-9]+$' "$log" | tail -n 1 | cut -d' ' -f2-)"
}

cannot() {
    if [ "$(uname)" != Linux ]; then
        echo "they are run on Linux"
    elif ! have mvn; then
        echo "Maven is not installed (apt-get install maven)"
    elif ! have javac && ! [ -x "${JAVA_HOME:-/none}/bin/javac" ]; then
        echo "there is no JDK (apt-get install default-jdk-headless)"
    else
        return 0
    fi
    return 1
}


# Generated anew each time, so that it cannot be older than the library.
generate() {
    local library=$1
    rm -rf "$PROJECT/target/generated" "$PROJECT/target/natives"
    mkdir -p "$PROJECT/target/natives"
    cp "$BUILT/debug/$library" "$PROJECT/target/natives/"
    "$BUILT/debug/uniffi-bindgen" generate "$BUILT/debug/$library" --language kotlin --no-format \
        --config bindings/uniffi/uniffi.toml --out-dir "$PROJECT/target/generated/uniffi"
}

main "$@"
