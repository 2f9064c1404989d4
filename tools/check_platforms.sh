#!/usr/bin/env bash
# Type-checks the client for systems that no test runs on: macOS, iOS, Windows, Android. Root, on Debian and its relatives.
#
# No standard library of those systems is needed: the compiler checks the source of its own. That takes a compiler with
# its source beside it, which a chroot of Debian's packages has, 1.5 GB in ~/.cache/keepline. Names of targets as
# arguments check only those.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly SUITE=trixie
readonly MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
readonly CHROOT=${XDG_CACHE_HOME:-$HOME/.cache}/keepline/$SUITE
readonly TARGETS=(aarch64-apple-darwin aarch64-apple-ios x86_64-pc-windows-gnu aarch64-linux-android)
# The compiler of the backports knows the edition and the lints of today. gcc links what runs while compiling; that of
# Windows has the tool that names the functions of its libraries.
readonly PACKAGES=(rustc cargo rust-src)
readonly LINKERS=(gcc libc6-dev binutils-mingw-w64-x86-64 gcc-mingw-w64-x86-64)
# 20 minutes for the whole of an installation, and of a check: a slow machine, not a hanging one.
readonly LIMIT=1200
readonly CERTIFICATES=/etc/ssl/certs/ca-certificates.crt

main() {
    if [ "${1:-}" = --inside ]; then
        shift
        check_inside "$@"
        return
    fi
    [ $# -gt 0 ] || set -- "${TARGETS[@]}"
    local why
    if ! why=$(cannot); then
        skip "$* are not type-checked: $why"
        return
    fi
    [ -e "$CHROOT/ready" ] || install
    # The mounts are seen in there only, and end with it.
    unshare --mount --propagation private "${BASH_SOURCE[0]}" --inside "$@"
    say "type-checked, and neither linked nor run: $*"
}

# Succeeds if this machine can do it; else says why not.
cannot() {
    if [ "$(uname)" != Linux ] || [ "$(id -u)" != 0 ]; then
        echo "a chroot needs Linux and root"
        return 1
    fi
    if [ -e "$CHROOT/ready" ] || have debootstrap; then return; fi
    if ! have apt-get; then
        echo "debootstrap is not installed, and there is no apt-get"
        return 1
    fi
    if ! { timeout "$LIMIT" apt-get update -qq && timeout "$LIMIT" apt-get install -y -qq --no-install-recommends debootstrap; } >&2; then
        echo "debootstrap could not be installed"
        return 1
    fi
}

install() {
    say "installing Debian $SUITE into $CHROOT"
    rm -rf "$CHROOT"
    mkdir -p "$CHROOT"
    local log=$CHROOT.log
    if ! install_all >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "the installation failed; the whole of it is in $log"
    fi
    touch "$CHROOT/ready"
}

install_all() {
    timeout "$LIMIT" debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$CHROOT" "$MIRROR" &&
        echo "deb $MIRROR $SUITE-backports main" >"$CHROOT/etc/apt/sources.list.d/backports.list" &&
        inside apt-get update -qq &&
        inside apt-get install -y -qq --no-install-recommends -t "$SUITE-backports" "${PACKAGES[@]}" &&
        inside apt-get install -y -qq --no-install-recommends "${LINKERS[@]}" &&
        inside apt-get clean
}

check_inside() {
    local target
    mkdir -p "$CHROOT/source" "$CHROOT/cargo"
    mount -t proc proc "$CHROOT/proc"
    mount --rbind /dev "$CHROOT/dev"
    mount --bind "$PWD" "$CHROOT/source"
    mount -o remount,bind,ro "$CHROOT/source"
    # The network as this machine has it: names, certificates, mirrors of the registry.
    cp -L /etc/resolv.conf "$CHROOT/etc/resolv.conf"
    if [ -e "$CERTIFICATES" ]; then cp -L "$CERTIFICATES" "$CHROOT$CERTIFICATES"; fi
    cp "${CARGO_HOME:-$HOME/.cargo}"/config.toml "$CHROOT/cargo/" 2>/dev/null || true
    for target in "$@"; do
        say "cargo check -p keepline --target $target"
        # A warning is an error, in our own crates only. Without a cryptography: its C code would need each system's compiler.
        inside CARGO_HOME=/cargo CARGO_TARGET_DIR=/target CARGO_HTTP_CAINFO="$CERTIFICATES" RUSTC_BOOTSTRAP=1 \
            CARGO_BUILD_WARNINGS=deny cargo check --manifest-path /source/Cargo.toml --locked --quiet \
            -Zwarnings -Zbuild-std=std,panic_unwind --target "$target" -p keepline \
            --no-default-features --features tls
    done
}

# Runs a command in the chroot, with nothing of this environment but what leads through a proxy.
inside() {
    timeout "$LIMIT" chroot "$CHROOT" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
        DEBIAN_FRONTEND=noninteractive http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" "$@"
}

main "$@"
