"""Keepline in each of the ways it is used."""

import asyncio
import statistics
import threading
import time

import keepline
from bench.place import CLIENT_CPU, SECONDS, SERVER_CPU, SIZE, SMALL, WINDOW, pin
from bench.timing import Throughput, Trips, median_trip

FRAMING = keepline.Framing.length_prefixed(4)
IN_FLIGHT = WINDOW // SIZE
#: Calls of one burst: far below what the outbox holds, far above what the clock can tell apart.
BURST = 1000


def connect(port: int) -> keepline.Connecting:
    return keepline.connect(("127.0.0.1", port), framing=FRAMING)


async def batches(port: int) -> tuple[float, float]:
    """Whole batches both ways."""
    async with connect(port) as client:
        payload = b"x" * SIZE
        run = Throughput()
        client.try_send_many([payload] * IN_FLIGHT)
        async for batch in client.batches(IN_FLIGHT):
            run.received += len(batch)
            if run.is_over():
                break
            client.try_send_many([payload] * len(batch))
        return run.result()


async def batches_beside_the_server(port: int) -> tuple[float, float]:
    """The same with the runtime's threads on the server's core: the client's core is the program's alone."""
    pin(SERVER_CPU)
    # The first client starts the threads, which stay where they were started.
    async with connect(port):
        pin(CLIENT_CPU)
    return await batches(port)


async def sent_singly(port: int) -> tuple[float, float]:
    """A call for each message sent, batches received."""
    async with connect(port) as client:
        payload = b"x" * SIZE
        run = Throughput()
        for _ in range(IN_FLIGHT):
            client.try_send(payload)
        async for batch in client.batches(IN_FLIGHT):
            run.received += len(batch)
            if run.is_over():
                break
            for _ in batch:
                client.try_send(payload)
        return run.result()


async def one_by_one(port: int) -> tuple[float, float]:
    """`async for`, and an awaited `send` for each message."""
    async with connect(port) as client:
        payload = b"x" * SIZE
        run = Throughput()
        for _ in range(IN_FLIGHT):
            await client.send(payload)
        async for _message in client:
            run.received += 1
            if run.is_over():
                break
            await client.send(payload)
        return run.result()


def blocking(port: int) -> tuple[float, float]:
    """`keepline.sync`, whole batches both ways."""
    with keepline.sync.connect(("127.0.0.1", port), framing=FRAMING) as client:
        payload = b"x" * SIZE
        run = Throughput()
        client.try_send_many([payload] * IN_FLIGHT)
        for batch in client.batches(IN_FLIGHT):
            run.received += len(batch)
            if run.is_over():
                break
            client.try_send_many([payload] * len(batch))
        return run.result()


async def round_trip(port: int) -> tuple[float, float]:
    async with connect(port) as client:
        payload = b"x" * SMALL

        async def exchange() -> None:
            await client.send(payload)
            await client.recv()

        return await median_trip(exchange)


def round_trip_blocking(port: int) -> tuple[float, float]:
    with keepline.sync.connect(("127.0.0.1", port), framing=FRAMING) as client:
        payload = b"x" * SMALL
        trips = Trips()
        while trips.next():
            client.send(payload)
            client.recv()
        return trips.result()


async def beside_a_busy_thread(port: int) -> tuple[float, float]:
    """The round trip while another thread never lets go of the interpreter by itself."""
    stop = threading.Event()

    def burn() -> None:
        while not stop.is_set():
            pass

    hog = threading.Thread(target=burn)
    hog.start()
    try:
        return await round_trip(port)
    finally:
        stop.set()
        hog.join()


async def call(port: int) -> float:
    """Nanoseconds of the calling thread for one `try_send` of 16 bytes, the loop around it included."""
    async with connect(port) as client:
        payload = b"x" * SMALL
        bursts = []
        until = time.perf_counter() + SECONDS
        while time.perf_counter() < until:
            started = time.thread_time()
            for _ in range(BURST):
                client.try_send(payload)
            bursts.append(time.thread_time() - started)
            left = BURST
            while left:
                left -= len(await client.recv_many(left))
        return statistics.median(bursts) / BURST * 1e9


async def bare_call(port: int) -> float:
    """Nanoseconds of a call into the extension that does next to nothing: what this machine asks for any."""
    async with connect(port) as client:
        # Behind the public property, which would add a call of Python's.
        epoch = client._core.epoch
        bursts = []
        until = time.perf_counter() + SECONDS
        while time.perf_counter() < until:
            started = time.thread_time()
            for _ in range(BURST):
                epoch()
            bursts.append(time.thread_time() - started)
        return statistics.median(bursts) / BURST * 1e9


def call_blocking(port: int) -> float:
    """The same of `keepline.sync`, whose `send` would wait if there were no room."""
    with keepline.sync.connect(("127.0.0.1", port), framing=FRAMING) as client:
        payload = b"x" * SMALL
        bursts = []
        until = time.perf_counter() + SECONDS
        while time.perf_counter() < until:
            started = time.thread_time()
            for _ in range(BURST):
                client.send(payload)
            bursts.append(time.thread_time() - started)
            left = BURST
            while left:
                left -= len(client.recv_many(left))
        return statistics.median(bursts) / BURST * 1e9
