"""Event loops: several at once, closed ones, uvloop."""

import asyncio
import gc
import os
import threading
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

import keepline
import waiting
from keepline import Correlation, Framing, Outbox, State
from servers import Server, Sink, echo

LINES = Framing.lines()
SMALL = Outbox(messages=1)


async def ping_pong(rounds: int = 200) -> None:
    """A server and a client of it in the running loop."""
    async with Server(echo) as server, keepline.connect(server.address, framing=LINES) as client:
        for number in range(rounds):
            await client.send(b"%d" % number)
            message = await client.recv(timeout=10)
            assert message is not None and int(message.payload) == number


def test_two_loops_in_two_threads_do_not_disturb_each_other() -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            in_loop(asyncio.new_event_loop, ping_pong)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []


def test_waits_in_another_loop_are_refused_and_plain_functions_are_not() -> None:
    kept: list[keepline.Client] = []
    receipts: list[keepline.Receipt] = []

    async def make() -> None:
        async with Server(Sink()) as server:
            client = await keepline.connect(
                server.address, framing=LINES, correlation=Correlation.fifo(), while_down="queue", outbox=SMALL
            )
            kept.append(client)
            client.pause()
            await waiting.state(client, State.IDLE)
            receipts.append(await client.send_tracked(b"x"))

    async def use() -> None:
        client = kept[0]
        for wait in (
            client.recv(),
            client.recv_many(),
            client.request(b"x", 1),
            client.closed(),
            client.events(100).__anext__(),
            receipts[0].outcome(),
        ):
            with pytest.raises(keepline.WrongLoopError, match="closed event loop") as raised:
                await wait
            assert isinstance(raised.value, RuntimeError)
        client.abort()

    in_loop(asyncio.new_event_loop, make)
    in_loop(asyncio.new_event_loop, use)


def test_two_loops_cannot_share_the_messages_of_a_client() -> None:
    async def share() -> None:
        async with Server(echo) as server, keepline.connect(server.address, framing=LINES) as client:
            await client.send(b"for one loop only")
            await client.send(b"accepted without a wait, wherever that is")

            async def in_another_thread() -> None:
                with pytest.raises(keepline.WrongLoopError, match="another event loop"):
                    await client.recv()

            await asyncio.to_thread(in_loop, asyncio.new_event_loop, in_another_thread)
            assert len(await client.recv_many()) >= 1

    in_loop(asyncio.new_event_loop, share)


def test_start_outside_of_a_loop_is_a_runtime_error() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        keepline.start("127.0.0.1:1")


def test_loop_that_is_closed_in_the_middle_of_a_wait_leaves_nothing_behind() -> None:
    before = descriptors()
    for _ in range(20):
        loop = asyncio.new_event_loop()

        async def wait_for_ever(loop: AbstractEventLoop = loop) -> None:
            async with Server(echo) as server:
                client = await keepline.connect(server.address, framing=LINES)
                loop.call_soon(loop.stop)
                await client.recv()

        task = loop.create_task(wait_for_ever())
        loop.run_forever()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        gone = weakref.ref(loop)
        del loop, task, wait_for_ever
        gc.collect()
        assert gone() is None
    assert descriptors() <= before + 4


def test_uvloop_runs_it_as_well() -> None:
    in_loop(uvloop.new_event_loop, ping_pong)


def test_a_thousand_clients_of_one_loop_leave_no_descriptor_and_no_thread() -> None:
    async def cycles(count: int) -> None:
        async with Server(echo) as server:
            for _ in range(count):
                async with keepline.connect(server.address, framing=LINES) as client:
                    await client.send(b"x")

    in_loop(asyncio.new_event_loop, lambda: cycles(20))
    gc.collect()
    before = descriptors(), threads()
    in_loop(asyncio.new_event_loop, lambda: cycles(1000))
    gc.collect()
    assert descriptors() <= before[0] + 4
    assert threads() <= before[1] + 2


def in_loop(make: Callable[[], AbstractEventLoop], work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(work())


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    return len(os.listdir("/proc/self/task"))
