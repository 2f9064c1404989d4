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

# Builds keepline-chaos, the servers and proxies that the tests of every language are played against. It is built with a test of
# its own: for a test cargo turns on what tests ask of their dependencies, so this is what `cargo test` built, not one more.
build_chaos() { cargo build --quiet --locked --bin keepline-chaos --test process; }

# Builds what Kotlin and Swift load, and the tests in Rust of what it exports: together, for the same reason.
build_foreign() {
    cargo build --quiet --locked -p keepline-bridge -p keepline-uniffi --features keepline-bridge/uniffi --lib \
        --test foreign --test foreign_hooks
}

# True if the interpreter is at least this version of Python 3.
python_has() { "$PYTHON" -c "import sys; sys.exit(sys.version_info < (3, $1))" 2>/dev/null; }

# True if the interpreter can make a virtual environment with pip in it.
python_has_venv() { "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; }
