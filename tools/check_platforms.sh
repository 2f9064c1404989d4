#!/usr/bin/env bash
# Type-checks the client for systems that no test runs on: macOS, iOS, Windows, Android. Root, on Debian and its relatives.
#
# No standard library of those systems is needed: the compiler checks the source of its own. That takes a compiler with
# its source beside it, which a chroot of Debian's packages has, 1.5 GB in ~/.cache/keepline. Names of targets as
# arguments check only those.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. tools/chroot.sh

readonly TARGETS=(aarch64-linux-android armv7-linux-androideabi x86_64-linux-android
    aarch64-apple-ios aarch64-apple-ios-sim aarch64-apple-darwin x86_64-pc-windows-gnu)
# What runs on them: not Python's, whose border needs an interpreter of that system.
readonly CRATES=(keepline-proto keepline keepline-bridge keepline-uniffi keepline-testkit keepline-cli)
# The compiler of the backports knows the edition and the lints of today. gcc links what runs while compiling; that of
# Windows has the tool that names the functions of its libraries.
readonly PACKAGES=(rustc cargo rust-src)
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
    chroot_install platforms -t "$SUITE-backports" "${PACKAGES[@]}" || fail "the chroot could not be made"
    chroot_install linkers "${LINKERS[@]}" || fail "the chroot could not be made"
    # The mounts are seen in there only, and end with it.
    unshare --mount --propagation private "${BASH_SOURCE[0]}" --inside "$@"
    say "type-checked, and neither linked nor run: $*"
}

check_inside() {
    mkdir -p "$CHROOT/cargo"
    chroot_mount
    chroot_network
    # Mirrors of the registry, if this machine has any.
    cp "${CARGO_HOME:-$HOME/.cargo}"/config.toml "$CHROOT/cargo/" 2>/dev/null || true
    say "cargo check ${CRATES[*]/#/-p } for $*"
    # A warning is an error, in our own crates only. Without a cryptography: its C code would need each system's compiler.
    inside CARGO_HOME=/cargo CARGO_TARGET_DIR=/target CARGO_HTTP_CAINFO="$CERTIFICATES" RUSTC_BOOTSTRAP=1 \
        CARGO_BUILD_WARNINGS=deny cargo check --manifest-path /source/Cargo.toml --locked --quiet \
        -Zwarnings -Zbuild-std=std,panic_unwind "${@/#/--target=}" "${CRATES[@]/#/--package=}" \
        --no-default-features --features keepline/tls
}

main "$@"
