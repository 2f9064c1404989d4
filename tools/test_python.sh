#!/usr/bin/env bash
# The Python package: its own script builds the wheel, installs it, and runs pytest and mypy.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
tools/setup.sh
# The wheel is built for Python 3.11 and newer (abi3).
if ! python_has 11; then
    skip "Python tests: $PYTHON is not Python 3.11 or newer (PYTHON=/path/to/python3 chooses another)"
elif ! python_has_venv; then
    skip "Python tests: $PYTHON has no venv (apt-get install python3-venv)"
else
    KEEPLINE_VENV="$PWD/target/venv-python" PYTHON=$PYTHON bindings/python/test.sh "$@"
fi
