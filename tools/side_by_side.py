#!/usr/bin/env python3
"""Runs commands beside each other, each with an output of its own.

    tools/side_by_side.py LOGS ::: NAME COMMAND... ::: NAME COMMAND...

What a command says is in LOGS/NAME.log, errors too. When it ends well, its last lines are told; when not, all of them, and
the others run on to their ends. For suites that mostly wait: none of them is faster alone.
"""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

# What a suite says last: how many tests, and what became of them.
TOLD = 3
# Half a second: nobody waits for this, they wait for minutes.
TICK = 0.5


@dataclass
class Run:
    name: str
    log: Path
    process: subprocess.Popen[bytes]
    started: float


def main(arguments: list[str]) -> int:
    logs = Path(arguments[0])
    logs.mkdir(parents=True, exist_ok=True)
    # Not by `&` of a shell: what that starts ignores SIGINT, and programs inherit it.
    runs = [start(logs, name, command) for name, *command in split(arguments[1:])]
    failed: list[str] = []
    while runs:
        time.sleep(TICK)
        for run in [run for run in runs if run.process.poll() is not None]:
            runs.remove(run)
            if not tell(run):
                failed.append(run.name)
    for name in failed:
        print(f"error: {name} failed", file=sys.stderr)
    return 1 if failed else 0


def split(arguments: list[str]) -> list[list[str]]:
    """The commands; each begins with `:::`."""
    commands: list[list[str]] = []
    for argument in arguments:
        if argument == ":::":
            commands.append([])
        else:
            commands[-1].append(argument)
    return commands


def start(logs: Path, name: str, command: list[str]) -> Run:
    log = logs / f"{name}.log"
    print(f"==> {name}: begun, {log}", file=sys.stderr, flush=True)
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    return Run(name, log, process, time.monotonic())


def tell(run: Run) -> bool:
    """Says how it ended; true if well."""
    lines = run.log.read_text(errors="replace").splitlines()
    is_well = run.process.returncode == 0
    for line in lines[-TOLD:] if is_well else lines:
        print(f"    {line}", file=sys.stderr)
    verdict = "passed" if is_well else f"FAILED, exit code {run.process.returncode}"
    print(f"==> {run.name}: {verdict}, {time.monotonic() - run.started:.0f} s", file=sys.stderr, flush=True)
    return is_well


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        # The terminal has told the others, too.
        sys.exit(130)
