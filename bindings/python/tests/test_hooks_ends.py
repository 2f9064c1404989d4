"""Hooks at the end of the program, of their loop and in a forked child end cleanly."""

import asyncio
import gc
import subprocess
import sys
import time
from pathlib import Path

import pytest

import keepline
import waiting
from keepline import Backoff, Framing, GreetingIo, State, sync
from servers import Server, blocking_echo_process, echo_process
from test_fork import fork

LINES = Framing.lines()
PROGRAMS = 40
AT_ONCE = 4
PROGRAM = Path(__file__).with_name("exiting_hooks.py")


@pytest.mark.timeout(240)
async def test_forty_programs_that_exit_while_hooks_run_are_silent_and_succeed(echo_server: Server) -> None:
    seeds = iter(range(PROGRAMS))
    failures: list[str] = []

    async def run_programs() -> None:
        for seed in seeds:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-W", "error", str(PROGRAM), str(echo_server.port), str(seed)),
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


AT_EXIT = """
import atexit, keepline
from keepline import sync

def started(**hooks):
    try:
        with sync.connect(("127.0.0.1", {port}), framing=keepline.Framing.lines(), **hooks):
            return "connected"
    except keepline.Closed as error:
        return error

@atexit.register
def use():
    print(started(on_event=lambda event: None))
    print(started(on_connect=lambda io: None))
"""


def test_blocking_hooks_at_exit_work_or_are_refused_where_no_thread_can_be_started() -> None:
    with blocking_echo_process() as server:
        command = [sys.executable, "-X", "dev", "-W", "error", "-c", AT_EXIT.format(port=server.port)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert (ran.returncode, ran.stderr) == (0, "")
    refused = "hooks and callbacks need a thread, and the interpreter is shutting down"
    assert ran.stdout.splitlines() == [refused if sys.version_info[:2] == (3, 12) else "connected"] * 2


async def test_hooks_of_a_closed_loop_fail_their_attempts_and_nothing_hangs(echo_server: Server) -> None:
    async def greet(io: GreetingIo) -> None:
        io.send(b"hello")
        await io.recv()

    async def greeted_once() -> keepline.Client:
        client = keepline.start(
            echo_server.address,
            framing=LINES,
            on_connect=greet,
            on_event=lambda event: None,
            backoff=Backoff(first_spread=0.01, initial=0.01, max=0.02),
            connect_per_address=0.5,
            connect_total=1,
        )
        await waiting.state(client, State.CONNECTED)
        return client

    client = await asyncio.to_thread(lambda: asyncio.run(greeted_once()))
    # Nobody is there to greet the next connection.
    client.reconnect()
    await waiting.until(lambda: client.epoch >= 3)
    assert client.state is not State.CONNECTED
    with pytest.raises(keepline.WrongLoopError, match="closed event loop"):
        await client.recv()
    client.abort()
    await waiting.until(lambda: client.state is State.CLOSED)
    del client
    gc.collect()


async def test_hooks_of_the_parent_are_not_asked_in_a_forked_child_which_may_have_its_own() -> None:
    asked: list[str] = []

    async def greet(io: GreetingIo) -> None:
        asked.append("parent")
        io.send(b"hello")
        await io.recv()

    def greet_blocking(io: sync.GreetingIo) -> None:
        asked.append("blocking")
        io.send(b"hello")
        io.recv()

    async with echo_process() as server:
        client = await keepline.connect(
            server.address, framing=LINES, on_connect=greet, on_event=lambda event: asked.append(event.name)
        )
        blocking = await asyncio.to_thread(sync.connect, server.address, framing=LINES, on_connect=greet_blocking)
        before = list(asked)

        def child() -> None:
            for inherited in (client, blocking):
                try:
                    inherited.reconnect()
                except keepline.ForkedError:
                    continue
                raise AssertionError("no ForkedError")
            with sync.connect(server.address, framing=LINES, on_connect=greet_blocking) as own:
                own.send(b"child")
                message = own.recv(timeout=5)
                assert message is not None and message.payload == b"child"
            time.sleep(0.1)
            assert asked == [*before, "blocking"]

        assert await fork(child) == 0
        client.reconnect()
        await waiting.until(lambda: client.epoch == 2 and client.state is State.CONNECTED)
        await client.close()
        await asyncio.to_thread(blocking.close)

