#!/usr/bin/env bash
# The Kotlin library and its part for Android: builds the core and the chaos server, generates the hidden code, runs JUnit
# under Maven.
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
    say "cargo build, what Kotlin is tested against"
    build_chaos
    build_foreign
    cargo test --quiet --locked -p keepline-bridge -p keepline-uniffi --features keepline-bridge/uniffi --test foreign --test foreign_hooks
    tools/generate_kotlin.sh
    say "mvn verify"
    local log=$PROJECT/target/maven.log
    if ! timeout "$LIMIT" mvn --batch-mode --file "$PROJECT/all.xml" \
        -Dkeepline.chaos="$(cd "$BUILT/debug" && pwd)/keepline-chaos" "$@" verify >"$log" 2>&1; then
        grep -E '^\[(ERROR|WARNING)\]|FAILURE' "$log" | head -n 60 >&2 || tail -n 40 "$log" >&2
        fail "the Kotlin tests failed; the whole of it is in $log"
    fi
    # One line for each run of Surefire: the classes, and then the jar; the same of Android.
    grep -E '^\[(INFO|WARNING)\] Tests run: [0-9]+, Failures: [0-9]+, Errors: [0-9]+, Skipped: [0-9]+$' "$log" | cut -d' ' -f2- |
        while read -r line; do say "Kotlin: $line"; done
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

main "$@"
