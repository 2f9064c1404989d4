#!/usr/bin/env bash
# The Kotlin library beside NIO, blocking streams and ktor-network; arguments go to the benchmark (bindings/kotlin/bench).
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly PROJECT=bindings/kotlin
readonly LOG=$PROJECT/target/bench.log

tools/setup.sh kotlin
have taskset || fail "taskset is not installed (apt-get install util-linux)"
tools/generate_kotlin.sh release
say "mvn package"
mvn --batch-mode --file "$PROJECT/all.xml" --activate-profiles bench --projects :keepline-bench --also-make \
    -DskipTests -Dmaven.test.skip=true package >"$LOG" 2>&1 || { tail -n 40 "$LOG" >&2; fail "it does not build: $LOG"; }
exec java -cp "$PROJECT/bench/target/keepline-bench-0.1.0.jar:$PROJECT/bench/target/libraries/*" dev.keepline.bench.MainKt \
    --page docs/explain/speed-kotlin.md "$@"
