#!/usr/bin/env python3
"""The tests of the default members: built by cargo, then run two programs at a time, as most of them wait most of the time.

Each says its verdict in a line; what a failing one said is shown whole, and the others run on. Examples in the comments of
the code come last, by cargo itself.
"""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# Two at a time, each with as many threads as there are processors: all of them together keep one processor busy for two minutes.
AT_ONCE = 2
# Ten minutes for one program: the slowest takes little more than one.
LIMIT = 600


@dataclass
class Program:
    name: str
    executable: str
    package: Path


def main() -> int:
    programs = build()
    if not programs:
        print("error: cargo did not say what it built", file=sys.stderr)
        return 1
    with ThreadPoolExecutor(AT_ONCE) as pool:
        failed = [program.name for program, passed in zip(programs, pool.map(run, programs), strict=True) if not passed]
    for name in failed:
        print(f"error: {name} failed", file=sys.stderr)
    examples = subprocess.run(["cargo", "test", "--quiet", "--locked", "--doc"], check=False)
    return 1 if failed or examples.returncode != 0 else 0


def build() -> list[Program]:
    """Builds all of them; gives the programs in cargo's order."""
    command = ["cargo", "test", "--locked", "--no-run", "--message-format=json-render-diagnostics"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as cargo:
        programs = []
        for line in cargo.stdout:
            message = json.loads(line)
            if message["reason"] == "compiler-artifact" and message["profile"]["test"] and message["executable"]:
                package = Path(message["manifest_path"]).parent
                programs.append(Program(f"{package.name} {message['target']['name']}", message["executable"], package))
    if cargo.returncode != 0:
        sys.exit(cargo.returncode)
    return sorted(programs, key=lambda program: program.name)


def run(program: Program) -> bool:
    started = time.monotonic()
    # As cargo runs them: in the directory of their package, which they are told.
    environment = {**os.environ, "CARGO_MANIFEST_DIR": str(program.package)}
    try:
        ended = subprocess.run(
            [program.executable, "--quiet"],
            cwd=program.package,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT,
            check=False,
        )
        said, passed = ended.stdout, ended.returncode == 0
    except subprocess.TimeoutExpired as late:
        said, passed = f"{(late.stdout or b'').decode(errors='replace')}\nnot at its end after {LIMIT} s", False
    seconds = time.monotonic() - started
    results = [line.removeprefix("test result: ") for line in said.splitlines() if line.startswith("test result: ")]
    # In one write: the other one speaks, too.
    if passed:
        verdict = results[-1].partition("; finished")[0] if results else "passed"
        sys.stdout.write(f"{program.name}: {verdict}, {seconds:.1f} s\n")
    else:
        sys.stdout.write(f"{said}\n{program.name}: FAILED, {seconds:.1f} s\n")
    sys.stdout.flush()
    return passed


if __name__ == "__main__":
    sys.exit(main())
