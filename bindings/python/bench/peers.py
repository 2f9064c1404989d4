"""The others: asyncio's streams, a protocol batched by hand, nats-py, redis-py."""

import asyncio
import socket
import statistics
import threading
import time
from typing import cast

from bench.place import BATCH, PIPELINE, SECONDS, SIZE, SMALL, WINDOW
from bench.timing import Throughput, Trips, median_trip

HEADER = 4
IN_FLIGHT = WINDOW // SIZE


def framed(payload: bytes) -> bytes:
    """Keepline is given payloads and puts their lengths before them; so does everybody here, in every call."""
    return len(payload).to_bytes(HEADER) + payload


def joined(payloads: list[bytes]) -> bytes:
    return b"".join([part for payload in payloads for part in (len(payload).to_bytes(HEADER), payload)])


# asyncio's streams ----------------------------------------------------------------------------------------------------


async def streams(port: int) -> tuple[float, float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    payload = b"x" * SIZE
    run = Throughput()
    for _ in range(IN_FLIGHT):
        writer.write(framed(payload))
    while True:
        await reader.readexactly(int.from_bytes(await reader.readexactly(HEADER)))
        run.received += 1
        if run.is_over():
            break
        writer.write(framed(payload))
        await writer.drain()
    writer.transport.abort()
    return run.result()


async def streams_round_trip(port: int) -> tuple[float, float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    payload = b"x" * SMALL

    async def exchange() -> None:
        writer.write(framed(payload))
        await reader.readexactly(int.from_bytes(await reader.readexactly(HEADER)))

    median = await median_trip(exchange)
    writer.transport.abort()
    return median


def socket_round_trip(port: int) -> tuple[float, float]:
    """What the system asks for by itself: a blocking socket, and nothing around it."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        payload = b"x" * SMALL
        trips = Trips()
        while trips.next():
            connection.sendall(framed(payload))
            connection.recv(65536)
        return trips.result()


async def coroutine_round_trip(port: int) -> tuple[float, float]:
    """What a loop and coroutines ask for by themselves: nothing is kept, checked or found out, and no turn of the loop lost."""
    loop = asyncio.get_running_loop()
    payload = b"x" * SMALL
    came = b""
    waiter: asyncio.Future[None] = loop.create_future()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)

        def readable() -> None:
            nonlocal came
            came = connection.recv(65536)
            ((callback, context),) = getattr(waiter, "_callbacks")  # noqa: B009
            waiter.remove_done_callback(callback)
            waiter.set_result(None)
            context.run(callback, waiter)

        async def send(data: bytes) -> None:
            connection.send(framed(data))

        async def recv() -> bytes:
            nonlocal waiter
            waiter = loop.create_future()
            await waiter
            return came[HEADER:]

        async def exchange() -> None:
            await send(payload)
            await recv()

        loop.add_reader(connection, readable)
        median = await median_trip(exchange)
        loop.remove_reader(connection)
    return median


async def streams_beside_a_busy_thread(port: int) -> tuple[float, float]:
    """The round trip while another thread never lets go of the interpreter by itself."""
    stop = threading.Event()

    def burn() -> None:
        while not stop.is_set():
            pass

    hog = threading.Thread(target=burn)
    hog.start()
    try:
        return await streams_round_trip(port)
    finally:
        stop.set()
        hog.join()


async def writer_call(port: int) -> float:
    """Nanoseconds of one `writer.write` of 16 bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    payload = b"x" * SMALL
    calls = 1000
    bursts = []
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        started = time.thread_time()
        for _ in range(calls):
            writer.write(framed(payload))
        bursts.append(time.thread_time() - started)
        await reader.readexactly(calls * (HEADER + SMALL))
    writer.transport.abort()
    return statistics.median(bursts) / calls * 1e9


# A protocol batched by hand -------------------------------------------------------------------------------------------


class Batched(asyncio.Protocol):
    """Cuts frames out of what arrives, and answers each batch of echoes with a batch of messages."""

    def __init__(self) -> None:
        self.batch = [b"x" * SIZE] * BATCH
        self.rest = b""
        self.run = Throughput()
        self.in_flight = 0
        self.is_over = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self.transport = cast(asyncio.Transport, transport)
        self.fill()

    def data_received(self, data: bytes) -> None:
        data = self.rest + data if self.rest else data
        position, end = 0, len(data)
        messages = []
        while end - position >= HEADER:
            size = int.from_bytes(data[position : position + HEADER])
            if end - position < HEADER + size:
                break
            messages.append(data[position + HEADER : position + HEADER + size])
            position += HEADER + size
        self.rest = data[position:]
        self.run.received += len(messages)
        self.in_flight -= len(messages)
        if not self.run.is_over():
            self.fill()
        elif not self.is_over.done():
            self.is_over.set_result(None)

    def fill(self) -> None:
        assert self.transport is not None
        while self.in_flight + BATCH <= IN_FLIGHT:
            self.transport.write(joined(self.batch))
            self.in_flight += BATCH


async def protocol(port: int) -> tuple[float, float]:
    transport, protocol = await asyncio.get_running_loop().create_connection(Batched, "127.0.0.1", port)
    await protocol.is_over
    result = protocol.run.result()
    transport.abort()
    return result


# nats-py, against nats-server -----------------------------------------------------------------------------------------


async def nats_throughput(port: int) -> tuple[float, float]:
    import nats

    client = await nats.connect(f"nats://127.0.0.1:{port}")
    subscription = await client.subscribe("bench", pending_msgs_limit=-1, pending_bytes_limit=-1)
    payload = b"x" * SIZE
    run = Throughput()
    for _ in range(IN_FLIGHT):
        await client.publish("bench", payload)
    async for _message in subscription.messages:
        run.received += 1
        if run.is_over():
            break
        await client.publish("bench", payload)
    result = run.result()
    await client.close()
    return result


async def nats_round_trip(port: int) -> tuple[float, float]:
    """To a subscription of its own: one way through the server, as an echo is."""
    import nats

    client = await nats.connect(f"nats://127.0.0.1:{port}")
    subscription = await client.subscribe("bench")
    messages = subscription.messages
    payload = b"x" * SMALL
    await client.flush()

    async def exchange() -> None:
        await client.publish("bench", payload)
        await anext(messages)

    median = await median_trip(exchange)
    await client.close()
    return median


# redis-py, against redis-server ---------------------------------------------------------------------------------------


async def redis_throughput(port: int) -> tuple[float, float]:
    import redis.asyncio

    async with redis.asyncio.Redis(host="127.0.0.1", port=port) as client:
        payload = b"x" * SIZE
        run = Throughput()
        while not run.is_over():
            pipeline = client.pipeline(transaction=False)
            for _ in range(PIPELINE):
                pipeline.echo(payload)
            run.received += len(await pipeline.execute())
        return run.result()


async def redis_round_trip(port: int) -> tuple[float, float]:
    import redis.asyncio

    async with redis.asyncio.Redis(host="127.0.0.1", port=port) as client:
        payload = b"x" * SMALL

        async def exchange() -> None:
            await client.echo(payload)

        return await median_trip(exchange)
