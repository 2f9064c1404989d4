#!/usr/bin/env bash
# The reference of the Kotlin library and its part for Android, by Dokka, in target/dokka of each. Fails if something public has
# no word about it, or a link leads nowhere.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly PROJECT=bindings/kotlin
readonly LOG=$PROJECT/target/dokka.log
# What the compiler makes by itself, and what every class has: Dokka asks for words about them, too.
readonly MADE='/(entries|values|valueOf|toString|hashCode|equals)/#'

main() {
    tools/setup.sh kotlin
    have mvn || fail "Maven is not installed (apt-get install maven)"
    [ -d "$PROJECT/target/generated" ] || tools/generate_kotlin.sh
    say "mvn dokka:dokka"
    if ! mvn --batch-mode --file "$PROJECT/all.xml" --projects :keepline,:keepline-android -Dmaven.test.skip=true \
        compile org.jetbrains.dokka:dokka-maven-plugin:2.2.0:dokka >"$LOG" 2>&1; then
        tail -n 40 "$LOG" >&2
        fail "Dokka did not run; the whole of it is in $LOG"
    fi
    local lacking
    if lacking=$(grep -E '^\[WARNING\] (Undocumented|Couldn)' "$LOG" | grep -vE "$MADE"); then
        printf '%s\n' "$lacking" >&2
        fail "something public has no word about it"
    fi
    say "written to $PROJECT/target/dokka/index.html and $PROJECT/android/target/dokka/index.html"
}

main "$@"
