# What the scripts for Swift share: where the compiler is, and the module that is generated; sourced, never run.
#
# With the `swift` on the PATH; else, as root on Linux, with that of a chroot (tools/chroot.sh).
. tools/chroot.sh

readonly PROJECT=bindings/swift
readonly WORK=$PROJECT/target
readonly BUILT=${CARGO_TARGET_DIR:-target}
# Swift 6 with what it links against, which Debian only recommends; and the real servers of the tests with what runs them.
readonly SWIFT_PACKAGES=(swiftlang gcc libc6-dev libstdc++-14-dev redis-server python3)
# Where Debian keeps what its `swift` does not find by itself.
readonly SWIFT_HOME=/usr/libexec/swift

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

# Generated anew each time, so that it cannot be older than the library. What did not change keeps its time, for the compiler.
# $1 is the profile that the library was built with, $2 where it goes.
generate() {
    local built=$BUILT/$1 natives=$2 new=$WORK/new generated=$WORK/generated
    rm -rf "$new"
    mkdir -p "$new" "$generated/KeeplineBridge" "$generated/KeeplineBridgeFFI/include" "$natives"
    "$BUILT/debug/uniffi-bindgen" generate "$built/libkeepline_ffi.so" --language swift --no-format \
        --config bindings/uniffi/uniffi.toml --out-dir "$new"
    "$PYTHON" tools/swift_quicken.py "$new/KeeplineBridge.swift"
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
    take "$built/libkeepline_ffi.so" "$natives/"
}

take() {
    local target=$2${1##*/}
    cmp -s "$1" "$target" || cp "$1" "$target"
}

# Runs `body FOLDER ARGUMENTS`, a function of the calling script that needs nothing else of it, where `swift` is; FOLDER is where
# the sources are then. $1 is the body, $2 where the library is; what it prints goes to the file $3.
with_swift() {
    local body=$1 natives=$2 log=$3
    shift 3
    # Own processes, so that none outlives what was ended; own mounts, so that none is left.
    if have swift; then
        timeout "$LIMIT" env LD_LIBRARY_PATH="$PWD/$natives${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" \
            bash -euo pipefail -c "$(declare -f "$body"); $body \"\$@\"" - "$PWD" "$@" >"$log" 2>&1
    else
        unshare --mount --pid --fork --kill-child --propagation private "$0" --inside "$natives" "$@" >"$log" 2>&1
    fi
}

# What a script does when it is called with --inside: the same function, in the chroot.
swift_inside() {
    local body=$1 natives=$2
    shift 2
    chroot_mount
    mount --bind "$WORK" "$CHROOT/source/$WORK"
    inside PATH="$SWIFT_HOME/bin:/usr/bin:/bin" \
        LD_LIBRARY_PATH="$SWIFT_HOME/lib/swift/linux:$SWIFT_HOME/lib/swift/host:/source/$natives" \
        bash -euo pipefail -c "$(declare -f "$body"); $body \"\$@\"" - /source "$@"
}
