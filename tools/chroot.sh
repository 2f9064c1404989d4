# A chroot of a newer Debian, for compilers that this machine's own release does not have; sourced, never run.
#
# It is in ~/.cache/keepline, made once by debootstrap as root, and grows by the packages that are asked for. Nothing of it is
# mounted outside: what works in it runs in a mount namespace of its own (unshare --mount), and the mounts end with that.

readonly SUITE=trixie
readonly MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
readonly CHROOT=${XDG_CACHE_HOME:-$HOME/.cache}/keepline/$SUITE
# 40 minutes for the whole of an installation, and of what runs inside: a slow machine, not a hanging one.
readonly LIMIT=2400
readonly CERTIFICATES=/etc/ssl/certs/ca-certificates.crt

# Succeeds if this machine can have a chroot; else says why not. $1 is the set of packages that is wanted, see below.
chroot_cannot() {
    if [ "$(uname)" != Linux ] || [ "$(id -u)" != 0 ]; then
        echo "a chroot needs Linux and root"
        return 1
    fi
    if [ -e "$CHROOT/ready-$1" ]; then return; fi
    mkdir -p "${CHROOT%/*}"
    # 6 GB: the largest set of packages, unpacked, beside what fetched it.
    if [ "$(df --output=avail -k "${CHROOT%/*}" | tail -n 1)" -lt 6000000 ]; then
        echo "a chroot needs 6 GB in ${CHROOT%/*}"
        return 1
    fi
    if have debootstrap; then return; fi
    if ! have apt-get; then
        echo "debootstrap is not installed, and there is no apt-get"
        return 1
    fi
    if ! { timeout "$LIMIT" apt-get update -qq && timeout "$LIMIT" apt-get install -y -qq --no-install-recommends debootstrap; } >&2; then
        echo "debootstrap could not be installed"
        return 1
    fi
}

# Makes the chroot if it is not there, and brings a set of packages into it once: the name of the set, then arguments of
# apt-get install. Fails if that fails.
chroot_install() {
    local set=$1
    shift
    if [ -e "$CHROOT/ready-$set" ]; then return; fi
    mkdir -p "${CHROOT%/*}"
    # Two scripts may want it at the same time.
    (
        flock --timeout "$LIMIT" 9 || exit 1
        if [ -e "$CHROOT/ready-$set" ]; then exit; fi
        log=$CHROOT.log
        if ! { [ -e "$CHROOT/ready" ] || chroot_base; } || ! chroot_packages "$@" >"$log" 2>&1; then
            tail -n 20 "$log" >&2
            say "the installation failed; the whole of it is in $log"
            exit 1
        fi
        touch "$CHROOT/ready-$set"
    ) 9>"$CHROOT.lock"
}

chroot_base() {
    say "installing Debian $SUITE into $CHROOT"
    rm -rf "$CHROOT"
    mkdir -p "$CHROOT"
    timeout "$LIMIT" debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$CHROOT" "$MIRROR" >"$CHROOT.log" 2>&1 || return 1
    echo "deb $MIRROR $SUITE-backports main" >"$CHROOT/etc/apt/sources.list.d/backports.list"
    touch "$CHROOT/ready"
}

chroot_packages() {
    say "installing in the chroot: $*"
    # No service is started in it.
    printf '#!/bin/sh\nexit 101\n' >"$CHROOT/usr/sbin/policy-rc.d"
    chmod +x "$CHROOT/usr/sbin/policy-rc.d"
    chroot_network
    inside apt-get update -qq &&
        inside apt-get install -y -qq --no-install-recommends "$@" &&
        inside apt-get clean
}

# The network as this machine has it: names, certificates.
chroot_network() {
    renew /etc/resolv.conf
    if [ -e "$CERTIFICATES" ]; then renew "$CERTIFICATES"; fi
}

# Brings a file of this machine into the chroot, whole at any moment: another script may be reading it in there.
renew() {
    if cmp -s "$1" "$CHROOT$1"; then return; fi
    local new
    new=$(mktemp "$CHROOT$1.XXXXXX")
    cp -L "$1" "$new"
    chmod 644 "$new"
    mv -f "$new" "$CHROOT$1"
}

# Mounts what programs need, and the sources at /source, to be read only. Only in a mount namespace of its own.
chroot_mount() {
    mkdir -p "$CHROOT/source"
    mount -t proc proc "$CHROOT/proc"
    mount --rbind /dev "$CHROOT/dev"
    mount --bind "$PWD" "$CHROOT/source"
    mount -o remount,bind,ro "$CHROOT/source"
}

# Runs a command in the chroot, with nothing of this environment but what leads through a proxy.
inside() {
    timeout "$LIMIT" chroot "$CHROOT" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" "$@"
}
