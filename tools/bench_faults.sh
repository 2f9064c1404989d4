#!/usr/bin/env bash
# Faults of real networks against Keepline and other clients: who notices when, and works again when. Needs root.
#
# Under six minutes, nearly all of it waiting. Arguments go to the program: --limit SECONDS, --clients A,B, --faults A,B.
# `--write` as the first argument puts the figures into the documents.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly NETLAB=core/testkit/netlab
readonly REQUIREMENTS=core/bench/faults/requirements.txt
readonly VENV=target/venv-faults
readonly FIGURES=target/faults.jsonl
readonly PUBLISHED=docs/explain/measured/faults.jsonl

main() {
    local write=no
    if [ "${1:-}" = --write ]; then write=yes && shift; fi
    [ "$(id -u)" = 0 ] || fail "make bench-faults needs root: every run has a network of its own, of network namespaces"
    tools/setup.sh nats-server
    local why
    why=$("$PYTHON" -B "$NETLAB/netlab.py" check) || fail "no network lab here: $why"
    local server
    for server in redis-server nats-server; do
        have "$server" || fail "$server is not installed: apt-get install $server"
    done
    make_venv
    # Without optimization: the figures are seconds, and the clients wait.
    cargo build --quiet --locked -p keepline-bench
    mkdir -p target
    say "measuring; the machine's load is $(cut -d' ' -f1 /proc/loadavg)"
    cargo run --quiet --locked -p keepline-bench -- faults --python "$PWD/$VENV/bin/python" --json "$FIGURES" "$@"
    if [ "$write" = yes ]; then
        cp "$FIGURES" "$PUBLISHED"
        "$PYTHON" -B tools/detection_page.py --write
    fi
    "$PYTHON" -B tools/detection_page.py "$FIGURES"
}

# The interpreter that redis-py and nats-py run in.
make_venv() {
    # 11: asyncio.timeout.
    python_has 11 || fail "redis-py and nats-py are measured with Python 3.11 or newer (PYTHON=/path/to/python3 chooses another)"
    if cmp -s "$REQUIREMENTS" "$VENV/requirements.txt"; then return; fi
    python_has_venv || fail "$PYTHON has no venv (apt-get install python3-venv)"
    say "making $VENV"
    rm -rf "$VENV"
    "$PYTHON" -m venv "$VENV"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --timeout 30 -r "$REQUIREMENTS"
    cp "$REQUIREMENTS" "$VENV/requirements.txt"
}

main "$@"
