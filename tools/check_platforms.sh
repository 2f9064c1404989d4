#!/usr/bin/env bash
# Type-checks the client for systems that no test runs on: macOS, iOS, Windows, Android. Root, on Debian and its relatives.
#
# No standard library of those systems is needed: the compiler checks the source of its own. That takes a compiler with
# its source beside it, which a chroot of Debian's packages has, 1.5 GB in ~/.cache/keepline. The standard libraries are checked
# once on a machine, our own crates each time that they changed. Clones share what was checked, one after the other. Names of
# targets as arguments check only those.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. tools/chroot_rust.sh

readonly TARGETS=(aarch64-linux-android armv7-linux-androideabi x86_64-linux-android
    aarch64-apple-ios aarch64-apple-ios-sim aarch64-apple-darwin x86_64-pc-windows-gnu)
# What runs on them: not Python's, whose border needs an interpreter of that system.
readonly CRATES=(keepline-proto keepline keepline-bridge keepline-uniffi keepline-testkit keepline-cli)
# gcc links what runs while compiling; that of Windows has the tool that names the functions of its libraries.
readonly LINKERS=(gcc libc6-dev binutils-mingw-w64-x86-64 gcc-mingw-w64-x86-64)

main() {
    if [ "${1:-}" = --inside ]; then
        shift
        check_inside "$@"
        return
    fi
    [ $# -gt 0 ] || set -- "${TARGETS[@]}"
    local why
    if ! why=$(chroot_cannot platforms); then
        skip "$* are not type-checked: $why"
        return
    fi
    rust_install && chroot_install linkers "${LINKERS[@]}" || fail "the chroot could not be made"
    # The mounts are seen in there only, and end with it.
    unshare --mount --propagation private "${BASH_SOURCE[0]}" --inside "$@"
    say "type-checked, and neither linked nor run: $*"
}

check_inside() {
    rust_inside
    say "cargo check ${CRATES[*]/#/-p } for $*"
    # A warning is an error, in our own crates only. Cargo builds a standard library even to check what uses it: without machine
    # code, which nobody links, and without what reads debug information for backtraces. In one call, so that what runs while
    # compiling is built once for all of them. Without a cryptography: its C code would need each system's compiler.
    inside_cargo /checked RUSTFLAGS=-Zno-codegen CARGO_BUILD_WARNINGS=deny check --quiet -Zwarnings \
        -Zbuild-std-features=panic-unwind "${@/#/--target=}" "${CRATES[@]/#/--package=}" --no-default-features --features keepline/tls
}

main "$@"
