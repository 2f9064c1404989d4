"""Programs that end at a random moment end cleanly, and soon."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from servers import Server, blocking_echo_process

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


# A peer that takes nothing more, a queue full of bytes for it, a callback and a resolver that never return: all at once.
HELD_UP = """
import os, signal, threading, keepline

def never(*_):
    threading.Event().wait()

address, framing = ("127.0.0.1", {port}), keepline.Framing.length_prefixed(4)
full = keepline.sync.connect(address, framing=framing, outbox=keepline.Outbox(bytes=16 << 20))
told = threading.Event()
slow = keepline.sync.connect(address, framing=framing, on_event=lambda event: (told.set(), never()))
names = keepline.sync.start("machine.plant:1", framing=framing, resolver=lambda host, port: (told.set(), never()))
os.kill({pid}, signal.SIGSTOP)
while full.state is not keepline.State.STALLED:
    try:
        full.try_send(bytes(65536))
    except keepline.Rejected:
        pass
assert told.wait(20) and full.stats().outbox_bytes > 0
print("ends", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a window that is shut")
def test_program_ends_though_its_peer_is_frozen_its_outbox_full_and_its_hooks_hang() -> None:
    with blocking_echo_process() as server:
        program = HELD_UP.format(port=server.port, pid=server.pid)
        command = [sys.executable, "-X", "dev", "-W", "error", "-c", program]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None and process.stdout.readline() == b"ends\n"
                # 0.9 s are promised for the runtime, and the interpreter has its own end; what hangs would hang for ever.
                _, told = process.communicate(timeout=20)
            finally:
                process.kill()
                server.signal(signal.SIGCONT)
    assert (process.returncode, told) == (0, b"")
