"""What a coroutine waits for: it goes on inside of the loop's callback, and everything else is as with a future."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextvars import ContextVar

import keepline
import pytest
from servers import Process, blocking_echo_process

LINES = keepline.Framing.lines()


@pytest.fixture
def server() -> Iterator[Process]:
    """An echo server in a process of its own."""
    with blocking_echo_process() as process:
        yield process


def test_task_that_ends_the_program_leaves_others_their_messages(server: Process) -> None:
    loop = asyncio.new_event_loop()

    async def leave(client: keepline.Client) -> None:
        await client.recv(timeout=5)
        raise SystemExit

    async def begin() -> list[keepline.Client]:
        return [await keepline.connect(server.address, framing=LINES) for _ in range(3)]

    try:
        clients = loop.run_until_complete(begin())
        leaving = loop.create_task(leave(clients[0]))
        staying = [loop.create_task(client.recv(timeout=5)) for client in clients[1:]]
        for client in clients:
            client.try_send(b"hello")
        with pytest.raises(SystemExit):
            loop.run_until_complete(leaving)
        for task in staying:
            message = loop.run_until_complete(task)
            assert message is not None and message.payload == b"hello"
        for client in clients:
            loop.run_until_complete(client.close())
    finally:
        loop.close()


async def test_cancelled_wait_tells_its_reason(server: Process) -> None:
    async with keepline.connect(server.address, framing=LINES) as client:
        waiting = asyncio.create_task(client.recv())
        await asyncio.sleep(0)
        assert waiting.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await waiting
        await client.send(b"next")
        assert await client.recv(timeout=5) is not None


async def test_woken_task_has_its_own_context(server: Process) -> None:
    whose: ContextVar[str] = ContextVar("whose")

    async def read(client: keepline.Client, name: str) -> str:
        whose.set(name)
        await client.recv(timeout=5)
        return whose.get()

    async with keepline.connect(server.address, framing=LINES) as client:
        readers = [asyncio.create_task(read(client, name)) for name in ("first", "second")]
        await asyncio.sleep(0)
        client.try_send_many([b"one", b"two"])
        assert await asyncio.gather(*readers) == ["first", "second"]


async def test_task_that_waits_among_others_starts_and_cancels_them_when_it_is_woken(server: Process) -> None:
    async with keepline.connect(server.address, framing=LINES) as client:
        other = await keepline.connect(server.address, framing=LINES)
        waiting = asyncio.create_task(other.recv())

        async def read() -> bytes:
            await client.recv(timeout=5)
            # Inside of the callback that woke this task.
            waiting.cancel()
            started = asyncio.create_task(other.recv(timeout=5))
            await other.send(b"through another")
            message = await started
            assert message is not None
            return message.payload

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        await client.send(b"go")
        assert await reading == b"through another"
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await other.close()


def test_task_that_nobody_runs_any_more_is_collected_with_its_client_and_its_loop(server: Process) -> None:
    def abandon() -> "weakref.ref[keepline.Client]":
        loop = asyncio.new_event_loop()
        # A task that is destroyed while it waits tells this handler; that is what is done to it here.
        loop.set_exception_handler(lambda *_: None)

        async def wait() -> tuple["weakref.ref[keepline.Client]", "asyncio.Task[keepline.Message | None]"]:
            client = await keepline.connect(server.address, framing=LINES)
            task = loop.create_task(client.recv())
            await asyncio.sleep(0)
            return weakref.ref(client), task

        known, task = loop.run_until_complete(wait())
        assert known() is not None and not task.done()
        loop.close()
        return known

    known = abandon()
    gc.collect()
    assert known() is None
