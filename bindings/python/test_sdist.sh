#!/bin/sh
# Makes the source distribution, builds the package from it alone, and uses that in a fresh virtual environment.
#
#   test_sdist.sh VENV    VENV has maturin: nothing is downloaded
#
# CARGO_TARGET_DIR is where cargo builds (target).
set -eu
cd "$(dirname "$0")/../.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
venv=$(cd "$1" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$venv/bin/maturin" sdist --quiet -m bindings/python/Cargo.toml --out "$scratch"
sdist=$(echo "$scratch"/keepline-*.tar.gz)
echo "sdist: $(wc -c <"$sdist") bytes" >&2

# By pip, as an installation would, with the maturin that is here; far from the project, whose files could help out.
cd "$scratch"
PATH="$venv/bin:$PATH" "$venv/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-index --no-deps \
    --no-build-isolation --wheel-dir "$scratch/built" "$sdist"
"$venv/bin/python" -m venv "$scratch/fresh"
"$scratch/fresh/bin/python" -m pip install --quiet --disable-pip-version-check --no-index "$scratch"/built/keepline-*.whl

"$scratch/fresh/bin/keepline" --version
"$scratch/fresh/bin/python" -X dev -W error - <<'PROGRAM'
import asyncio
import importlib.resources

import keepline
from keepline.testing import ChaosProxy, FlakyServer

assert importlib.resources.files(keepline).joinpath("py.typed").is_file()


async def main():
    with FlakyServer() as server, ChaosProxy(server.address) as proxy:
        async with keepline.connect(proxy.address, framing=keepline.Framing.lines()) as client:
            await client.send(b"from source")
            message = await client.recv(timeout=10)
            print(message.payload.decode(), keepline.__version__)


asyncio.run(main())
PROGRAM
