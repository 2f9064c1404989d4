#!/usr/bin/env bash
# The tests in network namespaces: NAT expiry, black holes, roaming, frozen peers, on this machine's own kernel. Needs root.
#
# `soak` as argument: five times in a row, with two busy loops beside them, and the tests that take minutes or speak of
# chances too. A test that fails once has failed.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
tools/setup.sh

readonly NETLAB=core/testkit/netlab
# Tests spend their time waiting; more at once than this make each other late on two cores.
readonly AT_ONCE=6
readonly ROUNDS=5
readonly BUSY_LOOPS=2

main() {
    local why
    if ! why=$("$PYTHON" -B "$NETLAB/netlab.py" check); then
        skip "tests in network namespaces: $why"
        return
    fi
    say "cargo test --test lab"
    build
    case "${1:-once}" in
    once)
        "$PYTHON" -B "$NETLAB/selftest.py" -j "$AT_ONCE"
        run
        ;;
    soak) soak ;;
    *) fail "usage: tools/test_lab.sh [soak]" ;;
    esac
}

# Keeps a copy of the test binary: whoever edits or builds meanwhile does not change what is tested.
build() {
    local built
    built=$(cargo test --locked --quiet -p keepline --features lab --test lab --no-run \
        --message-format=json-render-diagnostics | executable)
    [ -x "$built" ] || fail "cargo did not say where the test binary is"
    COPY=$(mktemp -d)
    trap 'rm -r "$COPY"' EXIT
    cp "$built" "$COPY/lab"
}

# From cargo's messages to the path of the test binary.
executable() {
    "$PYTHON" -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] == "lab":
        print(message["executable"])
'
}

run() {
    # Cargo runs tests in the directory of their package.
    (cd core/client && "$COPY/lab" --quiet --test-threads "$AT_ONCE" "$@")
}

soak() {
    local round start failed=0
    # Not local: the trap runs when this function has returned.
    loops=()
    trap 'kill "${loops[@]}"; rm -r "$COPY"' EXIT
    for ((round = 0; round < BUSY_LOOPS; round++)); do
        (while :; do :; done) &
        loops+=($!)
    done
    for ((round = 1; round <= ROUNDS; round++)); do
        start=$SECONDS
        run --include-ignored || failed=$((failed + 1))
        say "round $round of $ROUNDS: $((SECONDS - start)) s, $failed failed so far"
    done
    [ "$failed" = 0 ] || fail "$failed of $ROUNDS rounds failed"
}

main "$@"
