#!/usr/bin/env bash
# Checks the documents against the code, and runs their examples.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
tools/setup.sh
# 11: the checks read TOML; so does the Python package need it.
python_has 11 || fail "the documents are checked with Python 3.11 or newer (PYTHON=/path/to/python3 chooses another)"
exec "$PYTHON" tools/check_docs.py "$@"
