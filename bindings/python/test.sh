#!/bin/sh
# Builds the wheel, installs it into a virtual environment of its own, and runs every check of the Python library.
#
#   CARGO_TARGET_DIR  where cargo builds               (target)
#   KEEPLINE_VENV     the virtual environment          (target/venv)
#   PYTHON            the interpreter to make it from  (python3)
#   KEEPLINE_STEPS    which of build, check and test     (all); a step needs the ones before it, done at any time
#   KEEPLINE_WHEEL    a wheel that was built before: installed and tested, nothing else
#
# Arguments go to pytest.
set -eu

# 4 MB: a client library is not what makes an image large. Most of it is cryptography.
readonly WHEEL_LIMIT=4000000

cd "$(dirname "$0")/../.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
venv="${KEEPLINE_VENV:-$CARGO_TARGET_DIR/venv}"
wheels="$CARGO_TARGET_DIR/wheels"
python="$venv/bin/python"
steps="${KEEPLINE_STEPS:-build check test}"

[ -x "$python" ] || "${PYTHON:-python3}" -m venv "$venv"
# Asked of pip only when the list has changed: the checks then also run where there is no network.
installed="$venv/.keepline-requirements"
if ! cmp -s bindings/python/requirements-test.txt "$installed"; then
    "$python" -m pip install --quiet --disable-pip-version-check -r bindings/python/requirements-test.txt
    cp bindings/python/requirements-test.txt "$installed"
fi

install() { "$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-index --force-reinstall "$@"; }

build() {
    # The servers and proxies that the scenarios of all languages are played against; as build_chaos in tools/common.sh.
    cargo build --quiet --locked --bin keepline-chaos --test process
    rm -rf "$wheels"
    "$venv/bin/maturin" build --release --locked --quiet --interpreter "$python" \
        -m bindings/python/Cargo.toml --out "$wheels"
    size=$(wc -c <"$(echo "$wheels"/keepline-*.whl)")
    echo "wheel: $size bytes, at most $WHEEL_LIMIT" >&2
    [ "$size" -le "$WHEEL_LIMIT" ] || { echo "error: the wheel is too large" >&2 && exit 1; }
    install "$wheels"/keepline-*.whl
}

check() (
    cd bindings/python
    "$python" -m mypy --strict --cache-dir "$CARGO_TARGET_DIR/mypy" python/keepline tests ../../examples/python
    "$python" -m mypy --strict --cache-dir "$CARGO_TARGET_DIR/mypy" -p bench
    "$python" -m mypy.stubtest --mypy-config-file pyproject.toml keepline._core
    # It asks the first python on the path where packages are. A newer release of itself is not its business here.
    export PYRIGHT_PYTHON_IGNORE_WARNINGS=1
    PATH="$venv/bin:$PATH" "$venv/bin/pyright"
    if ! typed=$(PATH="$venv/bin:$PATH" "$venv/bin/pyright" --verifytypes keepline --ignoreexternal); then
        echo "$typed"
        exit 1
    fi
)

# What people write is run with everything that an interpreter can complain of made an error.
run_tests() (
    cd bindings/python
    "$python" -X dev -W error -m pytest -p no:cacheprovider "$@"
)

if [ -n "${KEEPLINE_WHEEL:-}" ]; then
    install "$KEEPLINE_WHEEL"
    steps=test
fi
for step in $steps; do
    case $step in
    build) build ;;
    check) check ;;
    test) run_tests "$@" ;;
    *) echo "error: no step $step" >&2 && exit 1 ;;
    esac
done
