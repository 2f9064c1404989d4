#!/usr/bin/env bash
# The Python package: its own script builds the wheel, installs it, and runs pytest and mypy. Beside that the wheel is installed and
# tested in a fresh environment of other CPythons from 3.11 on that are here: on the path, or among pyenv's.
#
#   test_python.sh [all] [ARGUMENTS OF PYTEST]    all: every test on every CPython, each in a fresh environment, and the wheel and the
#                                                 source distribution as a user installs them; asks the package index
#
# It ends with a line for each CPython: how many tests have passed there. What each said is in target/logs.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Newest first, as far ahead as there may be wheels of what the tests need.
readonly NEWER=(3.14 3.13 3.11)
# Only with all: minutes that `make test` saves; it lies between versions that are tested.
readonly ALSO=(3.12)

# Programs and clients of other people that wait for restarts of real servers: what they do with us, they do on each. Minutes that
# `make test` saves; `make test-python-all` does not.
readonly ONCE=(--ignore=tests/test_examples.py --ignore=tests/conformance/test_asyncua.py --ignore=tests/conformance/test_pymodbus.py)

main() {
    local all=false once=("${ONCE[@]}") others=("${NEWER[@]}")
    if [ "${1:-}" = all ]; then
        all=true
        once=()
        others+=("${ALSO[@]}")
        shift
    fi
    tools/setup.sh
    # The wheel is built for Python 3.11 and newer (abi3).
    if ! python_has 11; then
        skip "Python tests: $PYTHON is not Python 3.11 or newer (PYTHON=/path/to/python3 chooses another)"
        return
    elif ! python_has_venv; then
        skip "Python tests: $PYTHON has no venv (apt-get install python3-venv)"
        return
    fi
    local first
    first=$(version_of "$PYTHON")
    say "Python $first ($PYTHON): the wheel"
    export PYTHON KEEPLINE_VENV=$PWD/target/venv-python
    KEEPLINE_STEPS=build bindings/python/test.sh

    local version interpreter tested=("$first") found=()
    for version in "${others[@]}"; do
        [ "$version" != "$first" ] || continue
        if ! interpreter=$(interpreter_of "$version"); then
            say "Python $version: not here, not tested"
            continue
        fi
        say "Python $version ($interpreter): the same wheel, tested${once[*]:+ but for ${once[*]#--ignore=}}"
        found+=("$version=$interpreter")
        tested+=("$version")
    done
    wheel=$(ls "${CARGO_TARGET_DIR:-$PWD/target}"/wheels/keepline-*.whl)
    export wheel
    export -f other_pythons in_fresh
    # Of this run: an interpreter that is not come to has none.
    rm -f target/logs/python*.log
    local suite=(env KEEPLINE_STEPS=test bindings/python/test.sh)
    if $all; then suite=(bash -euo pipefail -c 'in_fresh "$@"' - "$first" "$PYTHON"); fi
    # What checks the types takes the processors; what tests mostly waits.
    local status=0
    "$PYTHON" -B tools/side_by_side.py target/logs \
        ::: "python$first" "${suite[@]}" "$@" \
        ::: python-others bash -euo pipefail -c 'other_pythons "$@"' - ${found[@]+"${found[@]}"} -- ${once[@]+"${once[@]}"} "$@" || status=$?
    if $all && [ "$status" = 0 ]; then
        for interpreter in "$PYTHON" ${found[@]+"${found[@]#*=}"}; do bindings/python/test_wheel.sh "$wheel" "$interpreter"; done
        bindings/python/test_sdist.sh target/venv-python
    fi
    say "$(basename "$wheel"), $(wc -c <"$wheel") bytes:"
    for version in "${tested[@]}"; do say "Python $version: $(closing_line "target/logs/python$version.log")"; done
    return "$status"
}

# The types; then the tests on each VERSION=INTERPRETER before `--`, with the arguments of pytest after it.
other_pythons() {
    local others=() other
    while [ "$1" != -- ]; do
        others+=("$1")
        shift
    done
    shift
    local status=0
    KEEPLINE_STEPS=check bindings/python/test.sh || status=$?
    for other in ${others[@]+"${others[@]}"}; do
        # A log of its own, like that of the first. One that fails keeps nobody from telling how it is on the next.
        in_fresh "${other%%=*}" "${other#*=}" "$@" 2>&1 | tee "target/logs/python${other%%=*}.log" || status=$?
    done
    return "$status"
}

# The tests on one VERSION INTERPRETER, with the arguments of pytest, from the wheel in an environment that is made for it.
in_fresh() {
    local version=$1 interpreter=$2
    shift 2
    rm -rf "target/venv-python$version"
    KEEPLINE_WHEEL=$wheel KEEPLINE_VENV="$PWD/target/venv-python$version" PYTHON=$interpreter bindings/python/test.sh "$@"
}

# What pytest said last in a log: how many tests, and what became of them.
closing_line() {
    local said=""
    if [ -f "$1" ]; then said=$(sed -En 's/^=+ (.*(passed|failed|error|no tests).*) =+$/\1/p' "$1" | tail -n1); fi
    echo "${said:-did not come to its end}"
}

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

# Prints an interpreter of this version that can make environments; fails if there is none.
interpreter_of() {
    local found
    # A shim on the path may stand for a version that is not chosen: only what runs counts.
    for found in "$(command -v "python$1" || true)" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        if [ -x "$found" ] && [ "$(version_of "$found")" = "$1" ] && "$found" -c 'import ensurepip, venv' 2>/dev/null; then
            echo "$found"
            return
        fi
    done
    return 1
}

main "$@"
