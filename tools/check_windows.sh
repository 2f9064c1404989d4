#!/usr/bin/env bash
# Builds the core's tests for Windows and runs them under Wine, in a chroot of Debian. Root, on Debian and its relatives.
#
# Wine is no Windows: docs/reference/platforms.md says what this shows and what not. Arguments go to `cargo test`:
# tools/check_windows.sh -p keepline --test reconnect
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. tools/chroot_rust.sh

readonly TARGET=x86_64-pc-windows-gnu
readonly PACKAGES=(gcc libc6-dev gcc-mingw-w64-x86-64 binutils-mingw-w64-x86-64 wine wine64)
# Where Wine keeps its registry and its drive C, in the chroot.
readonly PREFIX=/wine

main() {
    if [ "${1:-}" = --inside ]; then
        shift
        test_inside "$@"
        return
    fi
    # The program holds the client to servers and proxies of its own on loopback. Without a cryptography: its C code is most of
    # what would be built; the one test that wants some is left out.
    [ $# -gt 0 ] || set -- -p keepline-proto -p keepline-cli --no-default-features --lib --tests -- \
        --skip options_of_tls_are_checked_and_a_plain_server_is_not_talked_to_in_the_clear
    local why
    if ! why=$(chroot_cannot windows); then
        skip "no test is run under Wine: $why"
        return
    fi
    rust_install && chroot_install windows "${PACKAGES[@]}" || fail "the chroot could not be made"
    # Own processes, so that no part of Wine outlives this; own mounts, so that none is left.
    unshare --mount --pid --fork --kill-child --propagation private "${BASH_SOURCE[0]}" --inside "$@"
}

test_inside() {
    rust_inside
    say "cargo test $* for $TARGET"
    # Ten minutes for one program: the slowest takes little more than one. Neither a .NET nor a browser is asked for. The
    # runtime of gcc is linked in: its library is where no program of Windows looks.
    inside_cargo /windows CARGO_PROFILE_DEV_DEBUG=0 RUSTFLAGS=-Ctarget-feature=+crt-static \
        CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc \
        CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER="timeout 600 wine" AWS_LC_SYS_PREBUILT_NASM=1 \
        WINEPREFIX="$PREFIX" XDG_RUNTIME_DIR=/run WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml=" \
        test --no-fail-fast --target="$TARGET" "$@"
}

main "$@"
