#!/usr/bin/env bash
# The Python library beside asyncio's streams, uvloop's, a protocol batched by hand, nats-py and redis-py; arguments go to
# the benchmark (bindings/python/bench).
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly VENV=target/venv-bench-python
readonly REQUIREMENTS=bindings/python/requirements-bench.txt

tools/setup.sh
# Builds the wheel; the tests that it runs on the way are cut to one file.
KEEPLINE_VENV="$PWD/target/venv-python" PYTHON=$PYTHON bindings/python/test.sh --quiet tests/test_contract.py
if ! cmp -s "$REQUIREMENTS" "$VENV/requirements.txt"; then
    say "making $VENV"
    rm -rf "$VENV"
    "$PYTHON" -m venv "$VENV"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --timeout 30 -r "$REQUIREMENTS"
    cp "$REQUIREMENTS" "$VENV/requirements.txt"
fi
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-index --force-reinstall \
    "${CARGO_TARGET_DIR:-$PWD/target}"/wheels/keepline-*.whl
cd bindings/python
exec "../../$VENV/bin/python" -m bench "$@"
