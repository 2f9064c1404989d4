# What the scripts beside this one share; sourced, never run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The interpreter that makes the virtual environments.
PYTHON=${PYTHON:-python3}

say() { printf '==> %s\n' "$*" >&2; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Tells loudly what this machine cannot run. In CI a skipped test would look like a passed one.
skip() {
    [ "${CI:-}" != true ] || fail "$* (CI=true: nothing may be skipped)"
    printf 'SKIPPED: %s\n' "$*" >&2
}

have() { command -v "$1" >/dev/null 2>&1; }

# True if the interpreter is at least this version of Python 3.
python_has() { "$PYTHON" -c "import sys; sys.exit(sys.version_info < (3, $1))" 2>/dev/null; }

# True if the interpreter can make a virtual environment with pip in it.
python_has_venv() { "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; }
