#!/bin/sh
# Makes the source distribution, builds the package from it alone, and uses that in a fresh virtual environment.
#
#   test_sdist.sh VENV    VENV has maturin: nothing is downloaded
#
# CARGO_TARGET_DIR is where cargo builds, in a folder of its own (target). The build is not optimised: what is tested is that nothing is missing.
set -eu
cd "$(dirname "$0")/../.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
venv=$(cd "$1" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$venv/bin/maturin" sdist -m bindings/python/Cargo.toml --out "$scratch" >"$scratch/log" 2>&1 ||
    { cat "$scratch/log" >&2 && exit 1; }
sdist=$(echo "$scratch"/keepline-*.tar.gz)
echo "sdist: $(wc -c <"$sdist") bytes" >&2

# By pip, as an installation would, with the maturin that is here; far from the project, whose files could help out.
# Files in an archive are older than anything built: touched, or cargo would take what it built last for what they are.
tar -C "$scratch" -xmzf "$sdist"
export CARGO_TARGET_DIR="$CARGO_TARGET_DIR/sdist"
cd "$scratch"
PATH="$venv/bin:$PATH" MATURIN_PEP517_ARGS="--profile dev" "$venv/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-index --no-deps \
    --no-build-isolation --wheel-dir "$scratch/built" "$scratch"/keepline-*/
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
