#!/bin/sh
# Builds the wheel for a free-threaded interpreter, which has no stable ABI before 3.15: one wheel for each version.
#
#   build_free_threaded.sh python3.14t    the interpreter; its name is enough where it is not installed (Linux)
#
# MATURIN is the program to build with (maturin), CARGO_TARGET_DIR where cargo builds (target). The tests need the
# interpreter itself: PYTHON=python3.14t bindings/python/test.sh.
set -eu
cd "$(dirname "$0")/../.."
interpreter=${1:?the interpreter, python3.14t for instance}
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
exec "${MATURIN:-maturin}" build --release --locked --interpreter "$interpreter" \
    -m bindings/python/Cargo.toml --out "$CARGO_TARGET_DIR/wheels-free-threaded"
