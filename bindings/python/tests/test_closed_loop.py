"""Clients whose event loop is closed before they are: what they tell is dropped, with one warning, and nothing else happens."""

import asyncio
import logging
import subprocess
import sys
import time
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable

import pytest
import trio
import uvloop

import keepline
from keepline import Backoff, Event, Framing, State
from servers import blocking_echo_process, free_port

LINES = Framing.lines()
QUICK = Backoff(first_spread=0.05, initial=0.05, max=0.2)

Run = Callable[[Callable[[], Awaitable[None]]], None]


def by_asyncio(main: Callable[[], Awaitable[None]]) -> None:
    _by_loop(asyncio.new_event_loop, main)


def by_uvloop(main: Callable[[], Awaitable[None]]) -> None:
    _by_loop(uvloop.new_event_loop, main)


def by_trio(main: Callable[[], Awaitable[None]]) -> None:
    trio.run(main)


EVERY_RUN = pytest.mark.parametrize("run", [by_asyncio, by_uvloop, by_trio])


@pytest.fixture(autouse=True)
def all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "keepline")


@EVERY_RUN
def test_callbacks_of_a_closed_loop_are_dropped_with_one_warning(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    kept: list[keepline.Client] = []
    told: list[Event] = []
    greeted: list[int] = []

    async def greet(io: keepline.GreetingIo) -> None:
        greeted.append(io.epoch)

    with blocking_echo_process() as server:

        async def main() -> None:
            # Its hook is asked on each new connection; nobody answers, and the attempt has a deadline.
            options = keepline.Config(framing=LINES, backoff=QUICK, connect_total=0.3)
            kept.append(await keepline.connect(server.address, config=options, on_event=told.append, on_connect=greet))

        run(main)
        (client,) = kept
        (warning,) = warnings(caplog)
        before = len(told), len(greeted), len(caplog.records)
        assert client.state is State.CONNECTED and len(greeted) == 1
        server.kill()
        until(lambda: client.state is not State.CONNECTED)
        server.start()
        attempts = client.epoch
        until(lambda: client.epoch >= attempts + 3)
        assert (len(told), len(greeted), len(caplog.records)) == before
        client.abort()
        until(lambda: client.state is State.CLOSED)
    assert len(caplog.records) == before[2]
    assert warning.levelno == logging.WARNING and warning.name == "keepline.client"
    assert warning.getMessage().startswith(f"client {number_of(client)}: left open when the event loop was closed")
    fields = warning.__dict__
    assert fields["keepline_client"] == number_of(client) and fields["keepline_count"] == 1
    assert fields["keepline_endpoint"] == f"127.0.0.1:{server.port}" and fields["keepline_cause"] is None


@EVERY_RUN
def test_clients_that_are_closed_aborted_dropped_or_given_up_are_no_reason_to_warn(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    kept: list[object] = []

    with blocking_echo_process() as server:

        async def main() -> None:
            async with keepline.connect(server.address, framing=LINES) as left:
                kept.append(left)
            closed = keepline.start(server.address, framing=LINES)
            await closed.close()
            aborted = keepline.start(server.address, framing=LINES)
            aborted.abort()
            ended = keepline.start(("127.0.0.1", free_port()), max_attempts=1, backoff=QUICK)
            await ended.closed()
            kept.extend((closed, aborted, ended))
            keepline.start(server.address, framing=LINES)
            await keepline.connect(server.address, framing=LINES)

        run(main)
    assert warnings(caplog) == []


def test_clients_of_one_loop_share_a_warning_and_each_loop_has_its_own(caplog: pytest.LogCaptureFixture) -> None:
    kept: list[keepline.Client | keepline.Streams] = []

    with blocking_echo_process() as server:

        async def main() -> None:
            for _ in range(10):
                kept.append(keepline.start(server.address, framing=LINES))
            kept.append(await keepline.connect_streams(server.address))

        for loops in (1, 2):
            by_asyncio(main)
            assert len(warnings(caplog)) == loops
        for client in kept:
            client.abort()
    for warning in warnings(caplog):
        assert warning.getMessage().startswith("11 clients: left open")
        assert warning.__dict__["keepline_client"] is None and warning.__dict__["keepline_count"] == 11


def test_streams_are_told_of_unless_they_were_closed(caplog: pytest.LogCaptureFixture) -> None:
    kept: list[keepline.Streams] = []

    with blocking_echo_process() as server:

        async def closed() -> None:
            async with keepline.connect_streams(server.address) as left:
                kept.append(left)
            kept.append(keepline.start_streams(server.address))
            kept[-1].abort()
            # A connection of its own: its writer's, as asyncio's are.
            _, writer = await keepline.open_connection(*server.address)
            writer.close()

        async def forgotten() -> None:
            kept.append(keepline.start_streams(server.address))

        by_asyncio(closed)
        assert warnings(caplog) == []
        by_asyncio(forgotten)
        kept[-1].abort()
    (warning,) = warnings(caplog)
    assert warning.getMessage().startswith("1 client: left open when the event loop was closed")


def test_client_made_after_a_closed_loop_lives(caplog: pytest.LogCaptureFixture) -> None:
    kept: list[keepline.Client] = []

    with blocking_echo_process() as server:

        async def forget() -> None:
            kept.append(await keepline.connect(server.address, framing=LINES))

        async def go_on() -> None:
            async with keepline.connect(server.address, framing=LINES) as client:
                await client.send(b"x")
                assert await client.recv(timeout=5) is not None
                kept[0].abort()

        by_asyncio(forget)
        by_asyncio(go_on)
    assert len(warnings(caplog)) == 1


PROGRAM = """
import asyncio, logging, os, sys, keepline
logging.basicConfig(level=logging.WARNING)
kept = []
async def main():
    kept.append(await keepline.connect(("127.0.0.1", {port}), on_event=print))
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
{ending}
"""

LINE = "WARNING:keepline.client:client 1: left open when the event loop was closed: "


def test_program_prints_the_warning_and_ends_in_peace() -> None:
    ran = _program("loop.close()")
    assert ran.stderr.startswith(LINE) and ran.stderr.count("\n") == 1, ran.stderr
    assert ran.returncode == 0 and "Connecting" in ran.stdout


def test_child_of_a_fork_that_closes_the_loop_of_its_parent_has_nothing_to_warn_of() -> None:
    ran = _program(
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    loop.close()\n"
        "    os._exit(0)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
        "print('the child has ended', file=sys.stderr, flush=True)\n"
        "loop.close()\n"
    )
    assert ran.stderr.startswith(f"the child has ended\n{LINE}") and ran.stderr.count("\n") == 2, ran.stderr
    assert ran.returncode == 0


def _program(ending: str) -> "subprocess.CompletedProcess[str]":
    with blocking_echo_process() as server:
        program = PROGRAM.format(port=server.port, ending=ending)
        command = [sys.executable, "-X", "dev", "-W", "error", "-c", program]
        return subprocess.run(command, capture_output=True, text=True, timeout=30)


def _by_loop(make: Callable[[], AbstractEventLoop], main: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await main()

    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(run())


def warnings(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.__dict__.get("keepline_event") == "loop_closed"]


def number_of(client: keepline.Client) -> int:
    assert client._told is not None
    return client._told.number


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.01)
