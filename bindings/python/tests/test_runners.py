"""The same client under asyncio, uvloop, trio and anyio."""

import asyncio
import contextlib
import gc
import os
import random
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import anyio
import pytest
import trio
import uvloop

import keepline
from keepline import Cause, Correlation, Framing, Outbox, State, events
from servers import Process, blocking_echo_process, free_port

LINES = Framing.lines()
CANCELLATIONS = 500

Program = Callable[[], Coroutine[Any, Any, None]]


def on_uvloop(program: Program) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(program())


RUNNERS: dict[str, Callable[[Program], None]] = {
    "asyncio": lambda program: asyncio.run(program()),
    "uvloop": on_uvloop,
    "trio": trio.run,
    "anyio-asyncio": anyio.run,
    "anyio-uvloop": lambda program: anyio.run(program, backend_options={"use_uvloop": True}),
    "anyio-trio": lambda program: anyio.run(program, backend="trio"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Process]:
    """An echo server in a process of its own."""
    with blocking_echo_process() as process:
        yield process


@pytest.fixture(params=RUNNERS)
def run(request: pytest.FixtureRequest) -> Callable[[Program], None]:
    """Runs a program on each kind of loop, for 30 s at most."""

    async def bounded(program: Program) -> None:
        with anyio.fail_after(30):
            await program()

    return lambda program: RUNNERS[request.param](lambda: bounded(program))


def test_messages_requests_receipts_events_and_the_doctor(server: Process, run: Callable[[Program], None]) -> None:
    async def program() -> None:
        async with keepline.connect(server.address, framing=LINES) as client:
            for number in range(500):
                await client.send(b"%d" % number)
            received = [await client.recv(timeout=5), *await client.recv_many(100, timeout=5)]
            async for message in client:
                received.append(message)
                if len(received) == 500:
                    break
            assert [int(message.payload) for message in received if message is not None] == list(range(500))
            with pytest.raises(keepline.Timeout):
                await client.recv(timeout=0.01)
            with pytest.raises(keepline.Timeout):
                await client.recv_many(timeout=0)
            receipt = await client.send_tracked(b"tracked", timeout=1)
            assert await client.recv(timeout=5) is not None
            client.reconnect()
            async for event in client.events():
                if isinstance(event, events.Connected) and event.epoch == 2:
                    break
        assert await receipt.outcome() is keepline.Outcome.ACKED
        assert (await client.closed()).cause is Cause.REQUESTED
        assert await client.recv() is None
        async with keepline.connect(server.address, framing=LINES, correlation=Correlation.fifo()) as client:
            assert await client.request(b"hello", timeout=5) == b"hello"
        started = keepline.start(server.address)
        assert (await started.close()).cause is Cause.REQUESTED

    run(program)


def test_nobody_there_is_unavailable(run: Callable[[Program], None]) -> None:
    async def program() -> None:
        with pytest.raises(keepline.Unavailable):
            await keepline.connect(("127.0.0.1", free_port()), connect_within=0.2)

    run(program)


def test_cancelled_receives_lose_nothing(server: Process, run: Callable[[Program], None]) -> None:
    chance = random.Random(4)

    async def program() -> None:
        received: list[int] = []
        sent = cancelled = 0
        async with keepline.connect(server.address, framing=LINES) as client:
            while cancelled < CANCELLATIONS:
                if chance.random() < 0.3:
                    client.try_send(b"%d" % sent)
                    sent += 1
                message = None
                with anyio.move_on_after(chance.random() * 0.0002), contextlib.suppress(keepline.Timeout):
                    message = await client.recv(timeout=chance.choice((None, 0.0001, 10)))
                if message is None:
                    cancelled += 1
                else:
                    received.append(int(message.payload))
            while len(received) < sent:
                received += [int(message.payload) for message in await client.recv_many(timeout=10)]
        assert received == list(range(sent))

    run(program)


def test_readers_in_a_task_group_share_the_messages_and_end_with_it(
    server: Process, run: Callable[[Program], None]
) -> None:
    async def program() -> None:
        received: list[int] = []
        async with keepline.connect(server.address, framing=LINES) as client, anyio.create_task_group() as tasks:

            async def read() -> None:
                async for message in client:
                    received.append(int(message.payload))

            for _ in range(3):
                tasks.start_soon(read)
            for number in range(300):
                await client.send(b"%d" % number)
            while len(received) < 300:
                await anyio.sleep(0.005)
            tasks.cancel_scope.cancel()
        assert sorted(received) == list(range(300))

    run(program)


def test_leaving_in_a_cancelled_scope_is_bounded_and_leaves_no_connection(
    server: Process, run: Callable[[Program], None]
) -> None:
    async def program() -> None:
        with anyio.CancelScope() as scope:
            async with keepline.connect(server.address, framing=LINES, heartbeat=None) as client:
                scope.deadline = anyio.current_time() + 0.05
                await client.recv()
        assert scope.cancelled_caught
        assert (await client.closed()).cause is Cause.REQUESTED
        # The block ends by itself while its scope is cancelled: the drain goes on behind it.
        with anyio.CancelScope() as scope:
            async with keepline.connect(server.address, framing=LINES) as client:
                await client.send(b"x")
                scope.cancel()
        assert (await client.closed()).cause is Cause.REQUESTED

    run(program)


def test_doctor_examines_under_trio(server: Process) -> None:
    async def program() -> None:
        assert (await keepline.doctor(server.address)).healthy

    trio.run(program)


def test_error_of_the_block_is_told_although_its_scope_is_cancelled_under_trio(server: Process) -> None:
    async def program() -> None:
        with trio.CancelScope() as scope:
            with pytest.raises(ZeroDivisionError):
                async with keepline.connect(server.address, framing=LINES) as client:
                    scope.cancel()
                    raise ZeroDivisionError
            assert client.state is State.CLOSED

    trio.run(program)


def test_cancelled_connect_closes_its_client(run: Callable[[Program], None]) -> None:
    async def program() -> None:
        for _ in range(20):
            with anyio.move_on_after(0.001) as scope:
                await keepline.connect(("127.0.0.1", free_port()), connect_within=30)
            assert scope.cancelled_caught
        gc.collect()

    run(program)


def test_cancelled_send_was_not_accepted(run: Callable[[Program], None]) -> None:
    async def program() -> None:
        client = keepline.start(("127.0.0.1", free_port()), framing=LINES, outbox=Outbox(messages=1), overflow="wait")
        client.try_send(b"takes the room")
        for _ in range(50):
            with anyio.move_on_after(0.0005) as scope:
                await client.send(b"never accepted")
            assert scope.cancelled_caught
        assert client.stats().messages.accepted == 1
        client.abort()
        await client.closed()

    run(program)


KINDS = ("asyncio", "uvloop", "trio")


@pytest.mark.parametrize("used", KINDS)
@pytest.mark.parametrize("made", KINDS)
def test_waits_under_another_kind_of_loop_are_refused(server: Process, made: str, used: str) -> None:
    kept: list[keepline.Client] = []

    async def make() -> None:
        kept.append(await keepline.connect(server.address, framing=LINES))
        await kept[0].send(b"x")

    async def use() -> None:
        client = kept[0]
        for wait in (
            client.recv,
            client.recv_many,
            client.close,
            client.closed,
            client.events(1000).__anext__,
            lambda: client.request(b"x", 1),
            lambda: client.send_tracked(b"x"),
        ):
            with pytest.raises(keepline.WrongLoopError):
                await wait()
        await client.send(b"accepted without a wait, wherever that is")
        client.try_send(b"a plain function")
        assert client.stats().messages.accepted == 3 and client.state is State.CONNECTED
        client.abort()

    RUNNERS[made](make)
    RUNNERS[used](use)


def test_trio_as_a_guest_of_asyncio_and_its_host_have_clients_of_their_own(server: Process) -> None:
    async def ping_pong() -> None:
        async with keepline.connect(server.address, framing=LINES) as client:
            for number in range(100):
                await client.send(b"%d" % number)
                message = await client.recv(timeout=10)
                assert message is not None and int(message.payload) == number

    async def host() -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        kept: list[keepline.Client] = []

        async def guest() -> None:
            await ping_pong()
            with pytest.raises(keepline.WrongLoopError):
                await kept[0].recv(timeout=1)

        async with keepline.connect(server.address, framing=LINES) as client:
            kept.append(client)
            trio.lowlevel.start_guest_run(
                guest,
                run_sync_soon_threadsafe=loop.call_soon_threadsafe,
                done_callback=lambda outcome: done.set_result(outcome),
                host_uses_signal_set_wakeup_fd=True,
            )
            async with asyncio.timeout(20):
                await ping_pong()
                (await done).unwrap()

    asyncio.run(host())


def test_runs_of_trio_in_two_threads_do_not_disturb_each_other_and_leave_no_descriptor(server: Process) -> None:
    failures: list[BaseException] = []

    async def program() -> None:
        async with keepline.connect(server.address, framing=LINES) as client:
            for number in range(50):
                await client.send(b"%d" % number)
                assert await client.recv(timeout=10) is not None

    def run() -> None:
        try:
            for _ in range(10):
                trio.run(program)
        except BaseException as error:
            failures.append(error)

    run()
    gc.collect()
    before = descriptors()
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    gc.collect()
    assert failures == []
    # Trio and the table each keep the last of a thread until the next comes.
    assert descriptors() <= before + 12


def test_long_timeouts_are_no_problem_under_trio(server: Process) -> None:
    async def program() -> None:
        async with keepline.connect(server.address, framing=LINES) as client:
            client.try_send(b"x")
            assert await client.recv(timeout=1e12) is not None

    trio.run(program)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
