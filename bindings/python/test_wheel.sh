#!/bin/sh
# Installs the wheel into a fresh virtual environment, as a user does, and uses what it brings there: the program, the module, and
# the pytest plugin, each found by its entry point alone. Far from the project, whose files could help out.
#
#   test_wheel.sh WHEEL PYTHON    PYTHON makes the environment; pytest comes from the package index
set -eu
wheel=$(realpath "$1")
requirements=$(realpath "$(dirname "$0")/requirements-test.txt")
interpreter=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
# Nothing of the caller's environment is to be found instead.
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV

"$interpreter" -m venv fresh
python="$scratch/fresh/bin/python"
pip() { "$python" -m pip "$@" --quiet --disable-pip-version-check; }
pip install --no-index "$wheel"

version=$("$python" -c 'import keepline; print(keepline.__version__)')
fresh/bin/keepline --version | grep -qxF "keepline $version"
"$python" -X dev -W error -m keepline --version | grep -qxF "keepline $version"
"$python" -X dev -W error -m keepline explain --detect-within 10s | grep -q heartbeat
fresh/bin/keepline explain --json | "$python" -c 'import json, sys; json.load(sys.stdin)'

# The same release as in the other tests; without it the plugin only lies there.
pip install "$(grep '^pytest==' "$requirements")"
cat >test_user.py <<'PROGRAM'
import keepline


def test_fixtures_come_with_the_package(chaos_proxy, flaky_server):
    proxy = chaos_proxy(flaky_server.address)
    with keepline.sync.connect(proxy.address, framing=keepline.Framing.lines()) as client:
        client.send(b"hello")
        assert client.recv(timeout=10).payload == b"hello"
PROGRAM
"$python" -X dev -W error -m pytest -q -p no:cacheprovider test_user.py >told 2>&1 || { cat told >&2 && exit 1; }
grep -q '^1 passed' told

pip uninstall --yes keepline
if left=$(find fresh -iname '*keepline*' | grep .); then
    echo "error: left behind: $left" >&2
    exit 1
fi
echo "$("$python" -V): keepline $version installed, used and removed" >&2
