# Rust in the chroot of a newer Debian (tools/chroot.sh): cargo for systems that this machine is not; sourced, never run.
#
# No standard library of those systems is fetched: cargo makes one of the source that the compiler of the backports has beside
# it. What is made stays in the chroot, for every clone.
. tools/chroot.sh

# The compiler of the backports knows the edition and the lints of today.
readonly RUST_PACKAGES=(rustc cargo rust-src)

rust_install() { chroot_install platforms -t "$SUITE-backports" "${RUST_PACKAGES[@]}"; }

# What a script does first when it is called in a mount namespace of its own: after this, inside_cargo can be called.
rust_inside() {
    chroot_mount
    chroot_network
    # Mirrors of the registry, if this machine has any; and what it has fetched need not be fetched again.
    local host=${CARGO_HOME:-$HOME/.cargo}
    mkdir -p "$CHROOT/cargo/registry"
    # Under the locks of both cargos: none of them is in the middle of a file. They hold them while they fetch, not while they
    # build; ten minutes are a slow network.
    if [ -e "$host" ]; then
        flock --timeout 600 "$host/.package-cache" flock --timeout 600 "$CHROOT/cargo/.package-cache" bash -c '
            cp -u "$1/config.toml" "$2/" 2>/dev/null
            cp -ru "$1"/registry/{cache,index} "$2/registry/" 2>/dev/null' - "$host" "$CHROOT/cargo" || true
    fi
}

# Runs cargo in the chroot on the sources, which are at /source. $1 is where it builds, for one clone at a time; assignments of
# variables may follow, then a subcommand with its arguments.
inside_cargo() {
    local variables=(CARGO_HOME=/cargo CARGO_TARGET_DIR="$1" CARGO_INCREMENTAL=0 CARGO_HTTP_CAINFO="$CERTIFICATES" RUSTC_BOOTSTRAP=1)
    shift
    if [ -n "${CARGO_BUILD_JOBS:-}" ]; then variables+=(CARGO_BUILD_JOBS="$CARGO_BUILD_JOBS"); fi
    while [[ ${1:-} == *=* ]]; do
        variables+=("$1")
        shift
    done
    local subcommand=$1
    shift
    # Every clone is at /source, so what another one built is ours as well, if its sources are: that is told by what is in them. By
    # their times, an older file with an error would count as built.
    inside "${variables[@]}" cargo "$subcommand" --manifest-path /source/Cargo.toml --locked -Zchecksum-freshness \
        -Zbuild-std=std,panic_unwind "$@"
}
