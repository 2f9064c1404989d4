#!/usr/bin/env bash
# The Kotlin library beside plain NIO: throughput and round trip, in one run, as ratios. The library is built for release.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly PROJECT=bindings/kotlin
readonly BUILT=${CARGO_TARGET_DIR:-target}

main() {
    tools/setup.sh kotlin
    cargo build --quiet --locked --release -p keepline-testkit --bin keepline-chaos
    tools/generate_kotlin.sh release
    say "mvn test-compile"
    local path=$PROJECT/target/classpath.txt
    mvn --batch-mode --quiet --file "$PROJECT/pom.xml" test-compile \
        org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath -Dmdep.outputFile="$PWD/$path"
    java -Dkeepline.chaos="$(cd "$BUILT/release" && pwd)/keepline-chaos" \
        -cp "$PROJECT/target/classes:$PROJECT/target/test-classes:$(cat "$path")" dev.keepline.bench.BenchKt
}

main "$@"
