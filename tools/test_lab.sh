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
    cargo test --locked --quiet -p keepline --features lab --test lab --no-run
    case "${1:-once}" in
    once)
        "$PYTHON" -B "$NETLAB/selftest.py" -j "$AT_ONCE"
        run
        ;;
    soak) soak ;;
    *) fail "usage: tools/test_lab.sh [soak]" ;;
    esac
}

run() {
    cargo test --locked --quiet -p keepline --features lab --test lab -- --test-threads "$AT_ONCE" "$@"
}

soak() {
    local round start failed=0 loops=()
    trap 'kill "${loops[@]}"' EXIT
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
