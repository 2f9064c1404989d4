"""Cancelling a wait loses nothing and sends nothing."""

import asyncio
import random

import keepline
from keepline import Framing, Outbox
from servers import Server, Sink

LINES = Framing.lines()
CANCELLATIONS = 10_000


async def test_ten_thousand_cancelled_recv_lose_nothing(echo_server: Server) -> None:
    chance = random.Random(1)
    received: list[int] = []
    cancelled = 0
    async with keepline.connect(echo_server.address, framing=LINES) as client:
        sent = 0
        while cancelled < CANCELLATIONS:
            reader = asyncio.ensure_future(client.recv())
            if chance.random() < 0.3:
                client.try_send(b"%d" % sent)
                sent += 1
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            if chance.random() < 0.05:
                await asyncio.sleep(0.0005)
            reader.cancel()
            try:
                message = await reader
            except asyncio.CancelledError:
                cancelled += 1
            else:
                assert message is not None
                received.append(int(message.payload))
        while len(received) < sent:
            message = await client.recv(timeout=10)
            assert message is not None
            received.append(int(message.payload))
    assert received == list(range(sent))


async def test_timeouts_of_recv_lose_nothing(echo_server: Server) -> None:
    chance = random.Random(2)
    received: list[int] = []
    async with keepline.connect(echo_server.address, framing=LINES) as client:
        for number in range(1000):
            client.try_send(b"%d" % number)
            while True:
                try:
                    if chance.random() < 0.5:
                        message = await client.recv(timeout=chance.random() * 0.0004)
                    else:
                        message = await asyncio.wait_for(client.recv(), chance.random() * 0.0004 + 1e-9)
                except TimeoutError:
                    continue
                assert message is not None
                received.append(int(message.payload))
                break
    assert received == list(range(1000))


async def test_ten_thousand_cancelled_sends_were_not_accepted_and_others_all_arrive() -> None:
    chance = random.Random(3)
    sink = Sink()
    open_gate = asyncio.Event()

    async def gated(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await open_gate.wait()
        await sink(reader, writer)

    accepted: list[int] = []
    cancelled = 0
    number = 0
    padding = b"." * 2000
    async with (
        Server(gated) as server,
        keepline.connect(server.address, framing=LINES, outbox=Outbox(messages=8, bytes=32768)) as client,
    ):
        # Until the outbox is full, so that sends wait.
        while True:
            try:
                client.try_send(b"%d " % number + padding)
            except keepline.Rejected:
                break
            accepted.append(number)
            number += 1
            await asyncio.sleep(0)
        while cancelled < CANCELLATIONS:
            if cancelled == CANCELLATIONS // 2:
                # From here on room comes and goes while sends are cancelled.
                open_gate.set()
            sender = asyncio.ensure_future(client.send(b"%d " % number + padding))
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            sender.cancel()
            try:
                await sender
            except asyncio.CancelledError:
                cancelled += 1
            else:
                accepted.append(number)
            number += 1
        assert client.stats().messages.accepted == len(accepted)
        await client.close(drain=10)
        async with asyncio.timeout(10):
            while len(sink.lines) < len(accepted):
                await asyncio.sleep(0.01)
    assert [int(line.split(b" ")[0]) for line in sink.lines] == accepted


async def test_cancelled_connect_leaves_no_connection_behind(echo_server: Server) -> None:
    for _ in range(50):
        connecting = asyncio.ensure_future(_connect(echo_server))
        await asyncio.sleep(0)
        connecting.cancel()
        try:
            (await connecting).abort()
        except asyncio.CancelledError:
            pass
    async with asyncio.timeout(10):
        while echo_server.open_connections:
            await asyncio.sleep(0.01)


async def test_cancelled_wait_for_an_outcome_can_be_repeated(echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=LINES) as client:
        receipt = await client.send_tracked(b"x")
        waiters = [asyncio.ensure_future(receipt.outcome()) for _ in range(3)]
        await asyncio.sleep(0)
        waiters[0].cancel()
        assert receipt.try_outcome() in (None, keepline.Outcome.ACKED)
        await client.close()
        assert await asyncio.gather(*waiters[1:]) == [keepline.Outcome.ACKED] * 2
        assert await receipt.outcome() is keepline.Outcome.ACKED
        assert receipt.try_outcome() is keepline.Outcome.ACKED


async def _connect(server: Server) -> keepline.Client:
    return await keepline.connect(server.address, framing=LINES)
