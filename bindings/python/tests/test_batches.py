"""Batches: sent whole or not at all, received as they come."""

import asyncio
import gc
import random
import sys
from array import array

import pytest

import keepline
import waiting
from keepline import Backoff, Framing, Outbox, State, sync
from servers import Server, Sink, echo_process

LINES = Framing.lines()
PREFIXED = Framing.length_prefixed(4)


async def test_batches_arrive_in_order_and_nothing_gets_between_their_messages(echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=LINES) as client:

        async def send(sender: int) -> None:
            for number in range(50):
                await client.send_many([b"%d %d %d" % (sender, number, place) for place in range(20)], timeout=10)

        sending = asyncio.gather(*map(send, range(4)))
        received: list[list[int]] = []
        async for batch in client.batches():
            received += [list(map(int, message.payload.split())) for message in batch]
            if len(received) == 4 * 50 * 20:
                break
        await sending
    following = [0] * 4
    for first in range(0, len(received), 20):
        sender, number, _ = received[first]
        assert number == following[sender]
        following[sender] += 1
        assert received[first : first + 20] == [[sender, number, place] for place in range(20)]


async def test_batch_is_accepted_whole_or_not_at_all(echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=LINES, outbox=Outbox(messages=8)) as client:
        for bad in ([b"good", b"two\nlines"], (b"x",) * 9):
            with pytest.raises(keepline.Rejected):
                client.try_send_many(bad)
            with pytest.raises(keepline.Rejected):
                await client.send_many(bad)
        for wrong in ([b"good", "text"], [b"good", None], 7, "text", b"bytes"):
            with pytest.raises(TypeError):
                client.try_send_many(wrong)  # type: ignore[arg-type]
        assert client.stats().messages.accepted == 0
        client.pause()
        await waiting.state(client, State.IDLE)
        client.try_send_many([b"one"] * 5)
        with pytest.raises(keepline.Rejected, match="full"):
            client.try_send_many([b"two"] * 4)
        with pytest.raises(keepline.Rejected, match="a batch of 9 messages"):
            client.try_send_many([b"three"] * 9)
        client.try_send_many(word.encode() for word in ("two", "two", "two"))
        client.try_send_many([])
        assert client.stats().messages.queued == 8
        client.resume()
        received: list[bytes] = []
        while len(received) < 8:
            received += [message.payload for message in await client.recv_many(timeout=10)]
    assert received == [b"one"] * 5 + [b"two"] * 3
    with pytest.raises(keepline.Closed):
        client.try_send_many([b"too late"])


async def test_waiting_batch_is_sent_when_there_is_room_and_a_cancelled_one_never() -> None:
    sink = Sink()
    gate = asyncio.Event()

    async def gated(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        await sink(reader, writer)

    padding = b"." * 4000
    async with (
        Server(gated) as server,
        keepline.connect(server.address, framing=LINES, outbox=Outbox(bytes=65536)) as client,
    ):
        accepted = 0
        # Until neither kernel takes more: room that is still to come would let the late batch in.
        while True:
            try:
                await client.send_many([b"%d " % accepted + padding], timeout=1)
            except keepline.Timeout:
                break
            accepted += 1
        with pytest.raises(keepline.Timeout):
            await client.send_many([b"late" + padding] * 12, timeout=0.01)
        cancelled = asyncio.ensure_future(client.send_many([b"cancelled" + padding] * 12))
        await asyncio.sleep(0.01)
        cancelled.cancel()
        waits = asyncio.ensure_future(client.send_many((b"%d " % (accepted + n) + padding for n in range(12))))
        await asyncio.sleep(0.01)
        assert not waits.done()
        gate.set()
        await asyncio.wait_for(waits, 10)
        await client.close(drain=10)
        await waiting.until(lambda: len(sink.lines) == accepted + 12)
    assert [int(line.split(b" ")[0]) for line in sink.lines] == list(range(accepted + 12))


async def test_everything_that_has_bytes_can_be_sent_and_bytes_come_out(echo_server: Server) -> None:
    big = bytes(range(256)) * 5000
    numbers = array("I", [1, 2, 3])
    inputs: list[bytes | bytearray | memoryview] = [
        b"bytes",
        bytearray(b"bytearray"),
        memoryview(b"a view of it")[2:6],
        memoryview(b"every second one")[::2],
        memoryview(numbers),
        memoryview(b"shaped").cast("c"),  # type: ignore[list-item]
        b"",
        big,
        bytearray(big),
        memoryview(big),
    ]
    expected = [bytes(data) for data in inputs[:4]] + [numbers.tobytes(), b"shaped", b""] + [big] * 3
    async with keepline.connect(
        echo_server.address, framing=Framing.length_prefixed(4, max=4 << 20), outbox=Outbox(bytes=64 << 20)
    ) as client:
        for data in inputs:
            await client.send(data)
        await client.send_many(inputs)
        await client.send_many(tuple(inputs), idempotent=True)
        received: list[bytes] = []
        async for message in client:
            received.append(message.payload)
            if len(received) == 3 * len(inputs):
                break
    assert received == expected * 3
    assert {type(payload) for payload in received} == {bytes}


async def test_received_messages_are_no_work_for_the_garbage_collector(echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=LINES) as client:
        await client.send_many([b"message"] * 2000)
        received = [await client.recv(timeout=10)]
        while len(received) < 2000:
            received += await client.recv_many(timeout=10)

    def receive_blocking() -> keepline.Message | None:
        with sync.connect(echo_server.address, framing=LINES) as client:
            client.send(b"message")
            return client.recv(timeout=10)

    received.append(await asyncio.to_thread(receive_blocking))
    # Each would be looked at in every collection while a burst is held.
    assert not any(gc.is_tracked(message) for message in received)
    # Their bytes are let go of all the same.
    messages = [message for message in received if message is not None]
    payload = messages[0].payload
    held = sys.getrefcount(payload)
    del messages[0], received[0]
    assert sys.getrefcount(payload) == held - 1


async def test_what_is_changed_after_sending_was_sent_as_it_was(echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=PREFIXED) as client:
        small, large = bytearray(b"before"), bytearray(b"before" * 5000)
        client.try_send_many([small, large])
        small[:] = b"after!"
        large[:6] = b"after!"
        first, second = await client.recv(timeout=5), await client.recv(timeout=5)
        assert first is not None and first.payload == b"before"
        assert second is not None and second.payload == b"before" * 5000


async def test_batches_share_their_cursor_with_recv_and_end_with_the_client(echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=LINES) as client:
        await client.send_many([b"%d" % number for number in range(1000)])
        received = 0
        async for batch in client.batches(7):
            assert 1 <= len(batch) <= 7
            assert [int(message.payload) for message in batch] == list(range(received, received + len(batch)))
            received += len(batch)
            message = await client.recv(timeout=5)
            assert message is not None and int(message.payload) == received
            received += 1
            if received > 990:
                break
        rest = 1000 - received
        while rest:
            rest -= len(await client.recv_many(timeout=5))
    assert [batch async for batch in client.batches()] == []
    with pytest.raises(keepline.InvalidConfig, match="max"):
        client.batches(0)


async def test_iteration_over_batches_raises_if_nobody_asked_for_the_end() -> None:
    client = await connect_and_lose()
    with pytest.raises(keepline.Closed) as raised:
        async for _ in client.batches():
            pass
    assert raised.value.cause is not None


async def connect_and_lose() -> keepline.Client:
    async with Server(Sink()) as server:
        client = await keepline.connect(
            server.address, framing=LINES, backoff=Backoff(first_spread=0.01, initial=0.01, max=0.02), max_attempts=2
        )
    return client


async def test_ten_thousand_cancelled_batches_lose_nothing(echo_server: Server) -> None:
    chance = random.Random(4)
    received: list[int] = []
    cancelled = sent = 0
    async with keepline.connect(echo_server.address, framing=LINES) as client:
        while cancelled < 10_000:
            reader = asyncio.ensure_future(client.recv_many(5))
            if chance.random() < 0.3:
                client.try_send_many([b"%d" % number for number in range(sent, sent + 4)])
                sent += 4
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            if chance.random() < 0.05:
                await asyncio.sleep(0.0005)
            reader.cancel()
            try:
                received += [int(message.payload) for message in await reader]
            except asyncio.CancelledError:
                cancelled += 1
        while len(received) < sent:
            received += [int(message.payload) for message in await client.recv_many(timeout=10)]
    assert received == list(range(sent))


async def test_blocking_twin_has_batches_too() -> None:
    async with echo_process() as server:

        def use() -> None:
            with sync.connect(server.address, framing=LINES) as client:
                client.send_many([b"%d" % number for number in range(500)], timeout=5)
                client.try_send_many(b"%d" % number for number in range(500, 1000))
                received: list[int] = []
                for batch in client.batches(64):
                    assert 1 <= len(batch) <= 64
                    received += [int(message.payload) for message in batch]
                    if len(received) == 1000:
                        break
                assert received == list(range(1000))
            assert list(client.batches()) == []

        await asyncio.to_thread(use)


async def test_large_messages_keep_their_content_in_a_batch_and_alone(echo_server: Server) -> None:
    large = [bytes([number]) * (3 << 19) for number in range(4)]
    async with keepline.connect(
        echo_server.address, framing=Framing.length_prefixed(4, max=8 << 20), outbox=Outbox(bytes=64 << 20)
    ) as client:
        await client.send_many(large)
        for message in large:
            client.try_send(message)
        received: list[bytes] = []
        while len(received) < 8:
            message_or_none = await client.recv(timeout=10)
            assert message_or_none is not None
            received.append(message_or_none.payload)
    assert received == large * 2
