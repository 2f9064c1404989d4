#!/bin/sh
# Builds the wheel, installs it into a virtual environment of its own, and runs every check of the Python library.
#
#   CARGO_TARGET_DIR  where cargo builds               (target)
#   KEEPLINE_VENV     the virtual environment          (target/venv)
#   PYTHON            the interpreter to make it from  (python3)
#
# Arguments go to pytest.
set -eu
cd "$(dirname "$0")/../.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
venv="${KEEPLINE_VENV:-$CARGO_TARGET_DIR/venv}"
wheels="$CARGO_TARGET_DIR/wheels"
python="$venv/bin/python"

[ -x "$python" ] || "${PYTHON:-python3}" -m venv "$venv"
# Asked of pip only when the list has changed: the checks then also run where there is no network.
installed="$venv/.keepline-requirements"
if ! cmp -s bindings/python/requirements-test.txt "$installed"; then
    "$python" -m pip install --quiet --disable-pip-version-check -r bindings/python/requirements-test.txt
    cp bindings/python/requirements-test.txt "$installed"
fi

rm -rf "$wheels"
"$venv/bin/maturin" build --release --locked --quiet --interpreter "$python" \
    -m bindings/python/Cargo.toml --out "$wheels"
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-index --force-reinstall "$wheels"/keepline-*.whl

cd bindings/python
"$python" -m mypy --strict --cache-dir "$CARGO_TARGET_DIR/mypy" python/keepline tests
"$python" -m mypy.stubtest --mypy-config-file pyproject.toml keepline._core
"$python" -m pytest -p no:cacheprovider "$@"
