#!/usr/bin/env bash
# The Swift package: builds the core and the chaos server, generates the hidden module, and runs XCTest.
#
# With the `swift` on the PATH; else, as root on Linux, with that of a chroot (tools/chroot.sh). Arguments go to `swift test`:
# tools/test_swift.sh --filter CancelTests. Everything it makes is in target/ and bindings/swift/target/.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. tools/chroot.sh

readonly PROJECT=bindings/swift
readonly WORK=$PROJECT/target
readonly BUILT=${CARGO_TARGET_DIR:-target}
# Swift 6 with what it links against, which Debian only recommends; and the real servers of the tests with what runs them.
readonly SWIFT_PACKAGES=(swiftlang gcc libc6-dev libstdc++-14-dev redis-server python3)
# Where Debian keeps what its `swift` does not find by itself.
readonly SWIFT_HOME=/usr/libexec/swift

main() {
    if [ "${1:-}" = --inside ]; then
        shift
        test_inside "$@"
        return
    fi
    tools/setup.sh
    local why
    if ! why=$(cannot); then
        skip "Swift tests: $why"
        return
    fi
    build
    generate
    "$PYTHON" tools/swift_snippets.py "$WORK/snippets"
    say "swift test"
    local log=$WORK/test.log
    # What an earlier run left is no result of this one.
    rm -f "$WORK/scenarios.json" target/scenarios/swift.json
    # Own processes, so that none outlives a test that was ended; own mounts, so that none is left.
    if have swift; then
        timeout "$LIMIT" env "$(place_of_library)" bash -c "$(declare -f run_tests); run_tests \"\$@\"" - "$PWD" "$@" >"$log" 2>&1 || failed "$log"
    else
        unshare --mount --pid --fork --kill-child --propagation private "${BASH_SOURCE[0]}" --inside "$@" >"$log" 2>&1 || failed "$log"
    fi
    # The sources are read-only inside, so it was written where the package is built.
    mkdir -p target/scenarios
    if [ -e "$WORK/scenarios.json" ]; then cp "$WORK/scenarios.json" target/scenarios/swift.json; fi
    # XCTest's own words: Executed 20 tests, with 0 failures (0 unexpected) in 12.3 (12.3) seconds
    say "Swift: $(grep -E '^\s*Executed [0-9]+ tests?, with' "$log" | tail -n 1 | sed 's/^\s*//')"
}

failed() {
    grep -E 'error:|warning:|Fatal|failed' "$1" | head -n 60 >&2 || tail -n 40 "$1" >&2
    fail "the Swift tests failed; the whole of it is in $1"
}

# Succeeds if Swift is here or can be brought; else says why not.
cannot() {
    if [ "$(uname)" != Linux ]; then
        echo "they are run on Linux"
        return 1
    fi
    if have swift; then return; fi
    chroot_cannot swift || return 1
    if ! chroot_install swift "${SWIFT_PACKAGES[@]}" >&2; then
        echo "the chroot could not be made"
        return 1
    fi
}

build() {
    say "cargo build, what Swift links and is tested against"
    build_foreign
    # By itself: together with the library it would turn on features of that.
    cargo build --quiet --locked -p keepline-uniffi-bindgen --bin uniffi-bindgen
    build_chaos
}

# Generated anew each time, so that it cannot be older than the library. What did not change keeps its time, for the compiler.
generate() {
    local new=$WORK/new generated=$WORK/generated
    rm -rf "$new"
    mkdir -p "$new" "$generated/KeeplineBridge" "$generated/KeeplineBridgeFFI/include" "$WORK/natives"
    "$BUILT/debug/uniffi-bindgen" generate "$BUILT/debug/libkeepline_ffi.so" --language swift --no-format \
        --config bindings/uniffi/uniffi.toml --out-dir "$new"
    # The generated one is for Apple's systems, and does not name the library.
    cat >"$new/module.modulemap" <<'EOF'
module KeeplineBridgeFFI {
    header "KeeplineBridgeFFI.h"
    link "keepline_ffi"
    export *
}
EOF
    echo "// Only a header: the code is in the library." >"$new/empty.c"
    take "$new/KeeplineBridge.swift" "$generated/KeeplineBridge/"
    take "$new/KeeplineBridgeFFI.h" "$generated/KeeplineBridgeFFI/include/"
    take "$new/module.modulemap" "$generated/KeeplineBridgeFFI/include/"
    take "$new/empty.c" "$generated/KeeplineBridgeFFI/"
    take "$BUILT/debug/libkeepline_ffi.so" "$WORK/natives/"
    take "$BUILT/debug/keepline-chaos" "$WORK/natives/"
}

take() {
    local target=$2${1##*/}
    cmp -s "$1" "$target" || cp "$1" "$target"
}

test_inside() {
    chroot_mount
    mount --bind "$WORK" "$CHROOT/source/$WORK"
    inside PATH="$SWIFT_HOME/bin:/usr/bin:/bin" \
        LD_LIBRARY_PATH="$SWIFT_HOME/lib/swift/linux:$SWIFT_HOME/lib/swift/host:/source/$WORK/natives" \
        bash -euo pipefail -c "$(declare -f run_tests); run_tests \"\$@\"" - /source "$@"
}

place_of_library() { echo "LD_LIBRARY_PATH=$PWD/$WORK/natives${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"; }

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
    swift test --scratch-path target/build --disable-swift-testing -Xlinker "-L$PWD/target/natives" "$@"
}

main "$@"
