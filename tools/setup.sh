#!/usr/bin/env bash
# Brings what the tests need and the machine lacks; does nothing where everything is there.
#
# redis-server, nginx, mosquitto, nats-server, two proxies, and what network labs are made of, come from the system's packages (as root, on Debian and its
# relatives); the Modbus server of the tests goes into target/venv. No service of the system is started, and nothing
# outside of target/ changes but packages. Arguments name servers that are wanted besides; `kotlin` is a JDK and Maven.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# 15 minutes for all of apt: a slow mirror, not a hanging one.
readonly APT_SECONDS=900
# Written for the version in this file, and no other.
readonly REQUIREMENTS=core/testkit/servers/requirements.txt
readonly VENV=target/venv
readonly POLICY=/usr/sbin/policy-rc.d
# The real servers of the tests, by the name of their program and of their package.
readonly SERVERS=(redis-server mosquitto nats-server microsocks tinyproxy)

main() {
    check_rust
    local packages=()
    local server
    for server in "${SERVERS[@]}"; do
        have_server "$server" || packages+=("$server")
    done
    have nginx || packages+=(nginx libnginx-mod-stream)
    # Network labs need root, and Linux.
    if [ "$(id -u)" = 0 ] && [ "$(uname)" = Linux ]; then
        have nft || packages+=(nftables)
        have ip && have ss && have tc || packages+=(iproute2)
    fi
    for server in "$@"; do
        if [ "$server" = kotlin ]; then
            have mvn || packages+=(maven)
            have javac || packages+=(default-jdk-headless)
        else
            have_server "$server" || packages+=("$server")
        fi
    done
    if have "$PYTHON" && ! python_has_venv; then packages+=(python3-venv); fi
    local stdlib_tests
    if stdlib_tests=$(lacking_tests_of_python); then packages+=("$stdlib_tests"); fi
    if [ ${#packages[@]} -gt 0 ]; then install_packages "${packages[@]}"; fi
    for server in "${SERVERS[@]}" nginx; do
        have_server "$server" || skip "tests against $server: it is not installed (apt-get install $server)"
    done
    make_venv
}

# Names the package with the standard library's own tests, which our drop-ins are held against; fails if they are there, or if
# this interpreter is not Debian's.
lacking_tests_of_python() {
    have apt-get && have "$PYTHON" || return 1
    "$PYTHON" - <<'EOF' 2>/dev/null
import importlib.util, sys
try:
    there = importlib.util.find_spec("test.test_asyncio.test_streams") is not None
except ModuleNotFoundError:
    there = False
if there or sys.base_prefix != "/usr":
    sys.exit(1)
print("libpython%d.%d-testsuite" % sys.version_info[:2])
EOF
}

# Debian keeps some servers where only root looks.
have_server() { have "$1" || [ -x "/usr/sbin/$1" ]; }

check_rust() {
    have cargo || fail "cargo is not installed: see https://rustup.rs"
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(rustc --version | cut -d' ' -f2 | cut -d- -f1)
    [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n1)" = "$wanted" ] ||
        fail "Rust $wanted or newer is needed, this is $found: rustup update stable"
}

# Installs packages of the system, without starting the services in them.
install_packages() {
    if ! have apt-get; then
        say "not installed here, and there is no apt-get: $*"
        return
    fi
    if [ "$(id -u)" != 0 ]; then
        say "not installed here, and only root can: apt-get install $*"
        return
    fi
    say "installing $*"
    forbid_services
    local log
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    if ! { timeout "$APT_SECONDS" apt-get update -qq &&
        timeout "$APT_SECONDS" apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        say "apt-get install $* failed"
    fi
    rm -f "$log"
    # Nor may it come up with the next boot: the tests start servers of their own.
    local unit
    for unit in "${SERVERS[@]}" nginx; do
        if [ -d /run/systemd/system ]; then systemctl disable --quiet "$unit" 2>/dev/null || true; fi
    done
    allow_services
}

# Debian asks this program before it starts a service; 101 means no.
forbid_services() {
    if [ -e "$POLICY" ]; then return; fi
    trap allow_services EXIT
    printf '#!/bin/sh\n# Written by keepline/tools/setup.sh for the time of one installation.\nexit 101\n' >"$POLICY"
    chmod +x "$POLICY"
}

allow_services() {
    if grep -qs keepline/tools/setup.sh "$POLICY"; then rm -f "$POLICY"; fi
}

# The interpreter that the Rust tests start the Modbus server with.
make_venv() {
    if cmp -s "$REQUIREMENTS" "$VENV/requirements.txt" && "$VENV/bin/python" -c 'import pymodbus' 2>/dev/null; then
        return
    fi
    # pymodbus 3.16 asks for 3.10.
    if ! python_has 10; then
        skip "tests against Modbus: $PYTHON is not Python 3.10 or newer (PYTHON=/path/to/python3 chooses another)"
        return
    fi
    if ! python_has_venv; then
        skip "tests against Modbus: $PYTHON has no venv (apt-get install python3-venv)"
        return
    fi
    say "making $VENV"
    rm -rf "$VENV"
    "$PYTHON" -m venv "$VENV"
    if "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --timeout 30 -r "$REQUIREMENTS"; then
        cp "$REQUIREMENTS" "$VENV/requirements.txt"
    else
        skip "tests against Modbus: pip could not install what $REQUIREMENTS names"
    fi
}

main "$@"
