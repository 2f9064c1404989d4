#!/usr/bin/env bash
# The Swift package: builds the core and the chaos server, generates the hidden module, and runs XCTest.
#
# With the `swift` on the PATH; else, as root on Linux, with that of a chroot (tools/chroot.sh). Arguments go to `swift test`:
# tools/test_swift.sh --filter CancelTests. Everything it makes is in target/ and bindings/swift/target/.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. tools/swift.sh

main() {
    if [ "${1:-}" = --inside ]; then
        shift
        swift_inside run_tests "$@"
        return
    fi
    tools/setup.sh
    local why
    if ! why=$(cannot); then
        skip "Swift tests: $why"
        return
    fi
    build
    generate debug "$WORK/natives"
    take "$BUILT/debug/keepline-chaos" "$WORK/natives/"
    "$PYTHON" tools/swift_snippets.py "$WORK/snippets"
    say "swift test"
    local log=$WORK/test.log
    # What an earlier run left is no result of this one.
    rm -f "$WORK/scenarios.json" "$WORK/api.txt" target/scenarios/swift.json
    with_swift run_tests "$WORK/natives" "$log" "$@" || failed "$log"
    # The sources are read-only inside, so it was written where the package is built.
    mkdir -p target/scenarios
    if [ -e "$WORK/scenarios.json" ]; then cp "$WORK/scenarios.json" target/scenarios/swift.json; fi
    check_api
    # XCTest's own words: Executed 20 tests, with 0 failures (0 unexpected) in 12.3 (12.3) seconds
    say "Swift: $(grep -E '^\s*Executed [0-9]+ tests?, with' "$log" | tail -n 1 | sed 's/^\s*//')"
}

# What users see is written down, so that a change of it is seen by whoever reviews it.
check_api() {
    local reviewed=$PROJECT/api/Keepline.txt
    if [ "${KEEPLINE_UPDATE_API:-}" = 1 ]; then cp "$WORK/api.txt" "$reviewed"; fi
    diff -u "$reviewed" "$WORK/api.txt" >&2 ||
        fail "the public API of Swift changed; if it should: KEEPLINE_UPDATE_API=1 tools/test_swift.sh"
}

failed() {
    grep -E 'error:|warning:|Fatal|failed' "$1" | head -n 60 >&2 || tail -n 40 "$1" >&2
    fail "the Swift tests failed; the whole of it is in $1"
}

build() {
    say "cargo build, what Swift links and is tested against"
    build_foreign
    # By itself: together with the library it would turn on features of that.
    cargo build --quiet --locked -p keepline-uniffi-bindgen --bin uniffi-bindgen
    build_chaos
}

# The first argument is where the sources are; it needs nothing of this script.
run_tests() {
    local source=$1
    shift
    cd "$source/bindings/swift"
    export KEEPLINE_SOURCE=$source KEEPLINE_CHAOS=$PWD/target/natives/keepline-chaos
    export KEEPLINE_SCENARIOS=$PWD/target/scenarios.json
    export KEEPLINE_PYMODBUS=$(echo "$source"/target/venv/lib/python3*/site-packages)
    export KEEPLINE_EXAMPLES=$PWD/target/examples/debug
    swift build --package-path "$source/examples/swift/programs" --scratch-path target/examples -Xlinker "-L$PWD/target/natives"
    # The examples in the documents compile, against the module that was just built.
    local snippet map="-fmodule-map-file=$PWD/target/generated/KeeplineBridgeFFI/include/module.modulemap"
    for snippet in target/snippets/*.swift; do
        swiftc -typecheck -swift-version 6 -parse-as-library -I target/examples/debug/Modules \
            -Xcc "$map" "$snippet"
    done
    # What is for Apple's systems only has the types that it should, by declarations of our own.
    local stub
    mkdir -p target/stubs
    for stub in Network UIKit; do
        swiftc -emit-module -swift-version 6 -module-name "$stub" -o "target/stubs/$stub.swiftmodule" "Tests/AppleStubs/$stub.swift"
    done
    swiftc -typecheck -swift-version 6 -module-name Keepline -I target/stubs -I target/examples/debug/Modules -Xcc "$map" \
        Sources/Keepline/*.swift
    # What users see, as the compiler tells it; and its documentation, each link of which has to lead somewhere.
    rm -rf target/symbols target/docc
    mkdir -p target/symbols
    swiftc -emit-module -swift-version 6 -module-name Keepline -I target/examples/debug/Modules -Xcc "$map" \
        -emit-symbol-graph -emit-symbol-graph-dir target/symbols -symbol-graph-minimum-access-level public \
        -o target/symbols/Keepline.swiftmodule Sources/Keepline/*.swift
    python3 "$source/tools/swift_api.py" Keepline target/symbols >target/api.txt
    docc convert Sources/Keepline/Keepline.docc --additional-symbol-graph-dir target/symbols --warnings-as-errors \
        --fallback-display-name Keepline --fallback-bundle-identifier dev.keepline.Keepline --output-path target/docc
    swift test --scratch-path target/build --disable-swift-testing -Xlinker "-L$PWD/target/natives" "$@"
}

main "$@"
