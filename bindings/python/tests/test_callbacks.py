"""Callbacks of events in asyncio: they may raise, block, re-enter and let go of everything."""

import asyncio
import gc
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

import keepline
import waiting
from keepline import Backoff, Cause, Event, Framing, Heartbeat, State, events
from servers import Server, blocking_echo_process, echo_process, flooding_process, free_port

LINES = Framing.lines()
QUICK = Backoff(first_spread=0.05, initial=0.05, max=0.2)


async def test_callback_is_told_every_event_in_order_from_the_first_attempt_to_the_end() -> None:
    told: list[Event] = []
    port = free_port()
    with pytest.raises(keepline.Unavailable):
        await keepline.connect(("127.0.0.1", port), on_event=told.append, backoff=QUICK, connect_within=0.5)
    assert told[-1].name == "closed"
    assert [event.name for event in told[:3]] == ["connecting", "disconnected", "connecting"]
    assert [event.seq for event in told] == list(range(1, len(told) + 1))
    async with counted() as (client, told):
        pass
    names = [event.name for event in told]
    assert names == ["connecting", "connected", "disconnected", "closed"], "told before close returns"


async def test_callback_that_raises_is_logged_and_counted_and_the_connection_goes_on(
    echo_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    def plain(event: Event) -> None:
        told.append(event.name)
        raise RuntimeError("a bug of the user")

    async def waits(event: Event) -> None:
        told.append(event.name)
        gone = asyncio.ensure_future(asyncio.sleep(60))
        gone.cancel()
        await gone  # raises what looks like a cancellation of the callback

    for callback in (plain, waits):
        told.clear()
        with caplog.at_level(logging.WARNING, "keepline"):
            async with keepline.connect(echo_server.address, framing=LINES, on_event=callback) as client:
                await client.send(b"hello")
                assert await client.recv(timeout=5) is not None
                client.reconnect()
                await waiting.until(lambda: told.count("connected") == 2)
        assert told == [*["connecting", "connected", "disconnected"] * 2, "closed"]
        assert client.callback_errors == len(told)
        assert [record.message for record in caplog.records].count("on_event failed") == len(told)
        caplog.clear()


async def test_callback_that_blocks_the_loop_for_three_heartbeats_costs_no_connection() -> None:
    async with echo_process() as server:
        beat = Heartbeat(b"beat", reply=b"beat", interval=1, reply_within=1)
        meanwhile: list[int] = []

        def block(event: Event) -> None:
            if isinstance(event, events.Connected):
                before = client.stats().heartbeats
                deadline = time.monotonic() + 20
                while client.stats().heartbeats < before + 3 and time.monotonic() < deadline:
                    time.sleep(0.05)
                meanwhile.append(client.stats().heartbeats - before)

        client = keepline.start(server.address, framing=LINES, heartbeat=beat, on_event=block)
        await waiting.until(lambda: bool(meanwhile), within=30)
        assert meanwhile[0] >= 3, "the runtime waits for no callback"
        await client.send(b"after")
        assert await client.recv(timeout=5) is not None
        assert client.epoch == 1 and client.state is State.CONNECTED
        await client.close()


async def test_callback_that_blocks_the_loop_while_the_peer_floods_holds_the_peer_back_and_loses_nothing() -> None:
    size, count, limit = 1000, 8000, 65536
    seen: list[keepline.Stats] = []

    def block(event: Event) -> None:
        if isinstance(event, events.Connected):
            deadline = time.monotonic() + 20
            # Each message counts with what it costs beside its bytes.
            while (stats := client.stats()).inbox * size < limit * 0.9 and time.monotonic() < deadline:
                time.sleep(0.01)
            seen.append(stats)

    with flooding_process(size, count) as server:
        client = keepline.start(server.address, framing=Framing.fixed(size), inbox_bytes=limit, on_event=block)
        await waiting.until(lambda: bool(seen), within=30)
        # The rest waits in the kernels and in the peer.
        assert limit * 0.9 <= seen[0].inbox * size <= limit + size and seen[0].received < count
        await waiting.event(client, events.InboxFull)
        received: list[int] = []
        async with asyncio.timeout(20):
            while len(received) < count:
                received += [int(message.payload) for message in await client.recv_many()]
        assert received == list(range(count)) and client.epoch == 1
        await client.close()


async def test_slow_callback_misses_events_and_is_told_how_many(echo_server: Server) -> None:
    told: list[Event] = []
    go_on = asyncio.Event()

    async def slow(event: Event) -> None:
        told.append(event)
        await go_on.wait()

    client = keepline.start(echo_server.address, on_event=slow)
    # A client may be so quick that no round below gives the loop a turn.
    await waiting.until(lambda: len(told) == 1)
    await waiting.state(client, State.CONNECTED)
    # Each round tells at least four events.
    for _ in range(80):
        client.pause()
        await waiting.state(client, State.IDLE)
        client.resume()
        await waiting.state(client, State.CONNECTED)
    assert len(told) == 1
    go_on.set()
    await waiting.until(lambda: any(isinstance(event, events.Missed) for event in told))
    missed = next(event for event in told if isinstance(event, events.Missed))
    assert missed.count > 0 and len(told) < 600
    await client.close()


@pytest.mark.parametrize("how", ["send", "reconnect", "pause", "close", "await close", "abort", "request"])
async def test_callback_may_call_its_client(how: str, echo_server: Server) -> None:
    done = asyncio.Event()
    closed: list[keepline.Ending] = []

    async def callback(event: Event) -> None:
        if not isinstance(event, events.Connected) or done.is_set():
            return
        done.set()
        match how:
            case "send":
                await client.send(b"from the callback")
            case "reconnect":
                client.reconnect()
            case "pause":
                client.pause()
            case "close":
                tasks.append(asyncio.create_task(client.close()))
            case "await close":
                # It is told the end afterwards: waiting for that here would wait for itself.
                closed.append(await client.close(drain=5))
            case "abort":
                client.abort()
            case _:
                assert await client.request(b"question", 5) == b"question"

    tasks: list[asyncio.Task[keepline.Ending]] = []
    client = keepline.start(
        echo_server.address, framing=LINES, correlation=keepline.Correlation.fifo(), on_event=callback
    )
    async with asyncio.timeout(5):
        await done.wait()
        match how:
            case "reconnect":
                await waiting.until(lambda: client.epoch == 2)
            case "pause":
                await waiting.state(client, State.IDLE)
            case "close" | "await close" | "abort":
                assert (await client.closed()).cause is Cause.REQUESTED
                await waiting.until(lambda: bool(closed) or how != "await close")
        await client.close()
        await asyncio.gather(*tasks)
    assert client.callback_errors == 0


async def test_callback_that_lets_go_of_the_last_handle_ends_the_connection(echo_server: Server) -> None:
    kept: list[keepline.Client] = []
    told: list[str] = []

    def callback(event: Event) -> None:
        told.append(event.name)
        if isinstance(event, events.Connected):
            kept.clear()

    kept.append(keepline.start(echo_server.address, on_event=callback))
    await waiting.until(lambda: not kept)
    gc.collect()
    await waiting.until(lambda: echo_server.open_connections == 0)
    assert told[:2] == ["connecting", "connected"]


@pytest.mark.parametrize("when", ["connect", "backoff", "names", "greeting", "callback"])
async def test_close_at_any_moment_twice_and_from_two_threads_gives_one_end(when: str) -> None:
    """Whatever is under way ends within its bound, every waiter is released, and all are told the same."""
    told: list[Event] = []
    hung = asyncio.Event()

    async def hang(*_: object) -> None:
        hung.set()
        await asyncio.sleep(60)

    def note(event: Event) -> None:
        told.append(event)

    async def note_slowly(event: Event) -> None:
        told.append(event)
        if isinstance(event, events.Connected):
            await hang()

    async with Server(silent) as server, unanswered() as hole:
        match when:
            case "connect":
                client = keepline.start(hole, on_event=note)
            case "backoff":
                client = keepline.start(("127.0.0.1", free_port()), on_event=note)
                await waiting.state(client, State.WAITING)
            case "names":
                client = keepline.start("machine.plant:1", on_event=note, resolver=hang)
                await hung.wait()
            case "greeting":
                client = keepline.start(server.address, on_event=note, on_connect=hang)
                await hung.wait()
            case _:
                client = keepline.start(server.address, on_event=note_slowly)
                await hung.wait()
        receiving = asyncio.ensure_future(client.recv())
        closing = asyncio.ensure_future(client.closed())
        await asyncio.sleep(0)
        begun = asyncio.get_running_loop().time()
        async with asyncio.timeout(5):
            ends = await asyncio.gather(
                client.close(drain=0.5), asyncio.to_thread(client.abort), client.close(drain=0.5), closing
            )
        assert asyncio.get_running_loop().time() - begun < 5
        assert await receiving is None
        endings = [end for end in ends if end is not None]
        assert len(endings) == 3 and all(end == endings[0] for end in endings)
        assert endings[0].cause is Cause.REQUESTED
        assert [event.name for event in told].count("closed") <= 1
        if when != "callback":
            assert told[-1].name == "closed"


async def test_handle_dropped_while_awaiting_ends_the_wait(echo_server: Server) -> None:
    told: list[str] = []
    client = await keepline.connect(echo_server.address, framing=LINES, on_event=lambda event: told.append(event.name))
    closed = asyncio.ensure_future(client.closed())
    outcome = asyncio.ensure_future((await client.send_tracked(b"x")).outcome())
    await asyncio.sleep(0)
    closed.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closed
    del client, closed
    gc.collect()
    await waiting.until(lambda: echo_server.open_connections == 0)
    async with asyncio.timeout(5):
        assert await outcome in (keepline.Outcome.ACKED, keepline.Outcome.NOT_SENT, keepline.Outcome.UNKNOWN)


def test_callback_of_a_closed_loop_is_told_nothing_more_and_the_client_can_be_ended() -> None:
    told: list[str] = []

    async def connected(address: tuple[str, int]) -> keepline.Client:
        client = keepline.start(address, framing=LINES, on_event=lambda event: told.append(event.name), backoff=QUICK)
        await waiting.until(lambda: "connected" in told)
        return client

    with blocking_echo_process() as server:
        client = asyncio.run(connected(server.address))
        for epoch in range(2, 12):
            client.reconnect()
            until(lambda: client.epoch >= epoch and client.state is State.CONNECTED)
        assert told == ["connecting", "connected"]
        assert client.callback_errors == 0
        client.abort()
        until(lambda: client.state is State.CLOSED)


def until(condition: Callable[[], bool]) -> None:
    """Waits outside of any loop until something holds."""
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.01)


@asynccontextmanager
async def counted() -> AsyncIterator[tuple[keepline.Client, list[Event]]]:
    """A connected client, and the events that its callback was told."""
    told: list[Event] = []
    async with echo_process() as server:
        async with keepline.connect(server.address, on_event=told.append) as client:
            yield client, told


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts, and says nothing."""
    await reader.read()


@asynccontextmanager
async def unanswered() -> AsyncIterator[tuple[str, int]]:
    """An address whose queue of connections is full: a handshake with it hangs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        filling = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            filling.append(filler)
        try:
            yield address
        finally:
            for filler in filling:
                filler.close()
