"""Running one example: its server, its time limit, what it has to print."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from . import servers
from .markdown import Block
from .report import Report

# 60 s: the slowest example waits for a reconnect.
RUN_WITHIN = 60.0


def run(root: Path, block: Block, report: Report, command: Callable[[str], list[str]], path: str = "") -> None:
    """Runs a block; `command` makes the command of its text, in which the address is that of the living server."""
    how = block.directive
    environment = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"} if path else None
    try:
        if how.server is None:
            finished = execute(command(block.code), environment)
        else:
            if how.address not in block.code:
                report.expect(False, f"{block.where}: {how.address} is not in the example")
                return
            with servers.running(how.server, root) as address:
                finished = execute(command(block.code.replace(how.address, address)), environment)
    except servers.Missing as missing:
        report.skip(f"the example {block.where}: {missing}")
        return
    except (subprocess.TimeoutExpired, RuntimeError) as error:
        report.expect(False, f"{block.where}: {error}")
        return
    told = f"{finished.stdout}{finished.stderr}".strip()
    report.expect(finished.returncode == 0, f"{block.where}: exit code {finished.returncode}:\n{told}")
    if how.prints is not None:
        report.expect(how.prints in finished.stdout, f"{block.where}: did not print {how.prints!r} but:\n{told}")


def execute(command: list[str], environment: dict[str, str] | None) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=RUN_WITHIN, stdin=subprocess.DEVNULL, env=environment, check=False
    )
