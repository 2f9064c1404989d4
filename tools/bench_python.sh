#!/usr/bin/env bash
# The Python library beside asyncio's streams, uvloop's, and a protocol batched by hand.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# Builds and installs the wheel; the tests that it runs on the way are cut to one file.
KEEPLINE_VENV="$PWD/target/venv-python" PYTHON=$PYTHON bindings/python/test.sh --quiet tests/test_contract.py
exec target/venv-python/bin/python bindings/python/bench.py
