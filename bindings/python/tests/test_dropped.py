"""Clients that nobody holds any more: the connection ends, and whoever still waits for something of it is told."""

import asyncio
import gc
import threading
import weakref

import pytest

import keepline
import waiting
from keepline import Cause, Framing, Outbox, Outcome, State, events, sync
from servers import Server, blocking_echo_process

LINES = Framing.lines()


async def test_letting_go_of_the_last_reference_ends_the_connection(echo_server: Server) -> None:
    client = await keepline.connect(echo_server.address, framing=LINES)
    await client.send(b"x")
    assert await client.recv(timeout=5) is not None
    gone = weakref.ref(client)
    # Without the collector: nothing of a client refers to itself.
    gc.disable()
    try:
        del client
        assert gone() is None
    finally:
        gc.enable()
    await waiting.until(lambda: echo_server.open_connections == 0)


async def test_who_reads_the_events_of_a_dropped_client_is_told_that_it_is_closed(echo_server: Server) -> None:
    client = await keepline.connect(echo_server.address, framing=LINES)
    told = client.events(client._core.last_event())
    reading = asyncio.ensure_future(anext(told))
    await asyncio.sleep(0.01)
    del client
    event = await asyncio.wait_for(reading, 10)
    async with asyncio.timeout(10):
        rest = [event, *[event async for event in told]]
    assert isinstance(rest[-1], events.Closed) and rest[-1].cause is Cause.REQUESTED


async def test_receipt_of_a_dropped_client_has_its_outcome(echo_server: Server) -> None:
    client = await keepline.connect(echo_server.address, framing=LINES, outbox=Outbox(messages=8))
    client.pause()
    await waiting.state(client, State.IDLE)
    receipt = await client.send_tracked(b"never sent")
    waits = asyncio.ensure_future(receipt.outcome())
    await asyncio.sleep(0)
    del client
    assert await asyncio.wait_for(waits, 10) is Outcome.NOT_SENT


async def test_coroutine_that_waits_holds_its_client_and_lets_go_when_cancelled(echo_server: Server) -> None:
    client = await keepline.connect(echo_server.address, framing=LINES)
    gone = weakref.ref(client)
    await _wait_and_cancel(client)
    # The loop's own step of this coroutine still refers to what it waited for last.
    await asyncio.sleep(0)
    assert gone() is client
    del client
    gc.collect()
    assert gone() is None
    await waiting.until(lambda: echo_server.open_connections == 0)


async def _wait_and_cancel(client: keepline.Client) -> None:
    for make in (client.recv, client.recv_many, client.batches().__anext__, client.closed):
        waits: asyncio.Future[object] = asyncio.ensure_future(make())
        await asyncio.sleep(0.01)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits


def test_thread_that_waits_is_told_when_another_closes() -> None:
    with blocking_echo_process() as server:
        client = sync.connect(server.address, framing=LINES)
        told: list[object] = []
        waits = [threading.Thread(target=lambda: told.append(client.recv())) for _ in range(3)]
        for thread in waits:
            thread.start()
        closing = [threading.Thread(target=lambda: told.append(client.close().cause)) for _ in range(2)]
        for thread in closing:
            thread.start()
        for thread in waits + closing:
            thread.join(10)
            assert not thread.is_alive()
        assert sorted(map(str, told)) == ["None"] * 3 + ["requested"] * 2
