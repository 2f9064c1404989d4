"""Programs that end at a random moment end cleanly."""

import asyncio
import sys
from pathlib import Path

import pytest

from servers import Server

#: Sixty of each kind.
PROGRAMS = 300
AT_ONCE = 4
PROGRAM = Path(__file__).with_name("exiting.py")


# Each program has 30 s of its own; all of them together need more than a minute of a processor.
@pytest.mark.timeout(900)
async def test_three_hundred_programs_that_exit_at_a_random_moment_are_silent_and_succeed(echo_server: Server) -> None:
    seeds = iter(range(PROGRAMS))
    failures: list[str] = []

    async def run_programs() -> None:
        for seed in seeds:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(PROGRAM),
                str(echo_server.port),
                str(seed),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            try:
                async with asyncio.timeout(30):
                    _, told = await process.communicate()
            except TimeoutError:
                process.kill()
                await process.wait()
                failures.append(f"seed {seed}: did not end")
                continue
            if process.returncode != 0 or told:
                failures.append(f"seed {seed}: exit code {process.returncode}, stderr {told.decode()!r}")

    await asyncio.gather(*(run_programs() for _ in range(AT_ONCE)))
    assert failures == []
