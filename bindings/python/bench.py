"""Python clients beside each other: a process each, interleaved rounds, medians of ratios taken inside a round.

Each measurement sends messages of 256 bytes behind a length of four to an echo server and reads them back, at most
256 KiB in flight; the round trip has one message of 16 bytes in flight. The server runs on CPU 0, throughput clients on
CPU 1, round trips on CPU 0 as well: that shows what the software costs, not how fast a core wakes up.
"""

import asyncio
import collections
import collections.abc
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time

import keepline

ROUNDS = 5
SECONDS = 0.5
SIZE = 256
WINDOW = 256 * 1024
# 64 messages to a write: what a careful user of the plain protocol would do by hand.
BATCH = 64
HEADER = 4
# The budgets of the project: at least so many times the rate, at most so much of the latency.
BUDGETS = {
    ("throughput", "asyncio streams"): 8.0,
    ("throughput", "asyncio Protocol, batched by hand"): 2.0,
    ("round trip", "asyncio streams"): 0.65,
}


def main() -> None:
    if len(sys.argv) == 4 and sys.argv[1] == "case":
        kind, name = sys.argv[2], sys.argv[3]
        print(json.dumps(measure(kind, name)))
        return
    server = subprocess.Popen([sys.executable, __file__, "case", "server", "-"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        os.environ["KEEPLINE_BENCH_PORT"] = server.stdout.readline().strip()
        for kind, cases in (("throughput", THROUGHPUT), ("round trip", ROUND_TRIP)):
            report(kind, rounds(kind, list(cases)))
    finally:
        server.kill()
        server.wait()


def rounds(kind: str, names: list[str]) -> list[dict[str, float]]:
    results = []
    for _ in range(ROUNDS):
        order = random.sample(names, len(names))
        results.append({name: run(kind, name) for name in order})
    return results


def run(kind: str, name: str) -> float:
    done = subprocess.run(
        [sys.executable, __file__, "case", kind, name], stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    return float(json.loads(done.stdout))


def report(kind: str, results: list[dict[str, float]]) -> None:
    unit = "thousand messages/s" if kind == "throughput" else "us, p50"
    print(f"\n{kind}, {unit}, median of {ROUNDS} rounds")
    for name in results[0]:
        median = statistics.median(result[name] for result in results)
        ratio = statistics.median(result["keepline"] / result[name] for result in results)
        line = f"  {name:36} {median:10.1f}   keepline x {ratio:6.2f}"
        if (budget := BUDGETS.get((kind, name))) is not None:
            kept = ratio >= budget if kind == "throughput" else ratio <= budget
            line += f"   budget {budget:5.2f} {'ok' if kept else 'SHORT'}"
        print(line)


def measure(kind: str, name: str) -> float:
    if kind == "server":
        serve()
    port = int(os.environ["KEEPLINE_BENCH_PORT"])
    pin(1 if kind == "throughput" else 0)
    case = (THROUGHPUT if kind == "throughput" else ROUND_TRIP)[name]
    if name.startswith("uvloop"):
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(case(port))
    return asyncio.run(case(port))


def pin(cpu: int) -> None:
    available = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {available[cpu % len(available)]})


def serve() -> None:
    """Echoes one connection after the other, a large piece at a time, until it is killed."""
    pin(0)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    buffer = memoryview(bytearray(1 << 20))
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            try:
                while count := connection.recv_into(buffer):
                    connection.sendall(buffer[:count])
            except ConnectionError:
                pass


def framed(size: int) -> bytes:
    return size.to_bytes(HEADER) + b"x" * size


async def keepline_throughput(port: int) -> float:
    async with keepline.connect(f"127.0.0.1:{port}", framing=keepline.Framing.length_prefixed(4)) as client:
        payload = b"x" * SIZE
        window = WINDOW // SIZE
        started = time.perf_counter()
        until = started + SECONDS
        sent = received = 0
        while time.perf_counter() < until:
            while sent - received < window:
                client.try_send(payload)
                sent += 1
            received += len(await client.recv_many(window))
        return received / (time.perf_counter() - started) / 1e3


async def keepline_round_trip(port: int) -> float:
    async with keepline.connect(f"127.0.0.1:{port}", framing=keepline.Framing.length_prefixed(4)) as client:
        payload = b"x" * 16

        async def exchange() -> None:
            client.try_send(payload)
            await client.recv()

        return await median_trip(exchange)


async def streams_throughput(port: int) -> float:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    frame = framed(SIZE)
    slots = asyncio.Semaphore(WINDOW // SIZE)
    started = time.perf_counter()
    until = started + SECONDS

    async def send() -> None:
        while time.perf_counter() < until:
            await slots.acquire()
            writer.write(frame)
            await writer.drain()

    sending = asyncio.create_task(send())
    received = 0
    while time.perf_counter() < until:
        size = int.from_bytes(await reader.readexactly(HEADER))
        await reader.readexactly(size)
        slots.release()
        received += 1
    sending.cancel()
    rate = received / (time.perf_counter() - started) / 1e3
    writer.transport.abort()
    return rate


async def streams_round_trip(port: int) -> float:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    frame = framed(16)

    async def exchange() -> None:
        writer.write(frame)
        await reader.readexactly(int.from_bytes(await reader.readexactly(HEADER)))

    median = await median_trip(exchange)
    writer.transport.abort()
    return median


class Batched(asyncio.Protocol):
    """Cuts frames out of what arrives, and answers each batch of echoes with a batch of messages."""

    def __init__(self) -> None:
        self.batch = framed(SIZE) * BATCH
        self.rest = b""
        self.received = 0
        self.in_flight = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.fill()

    def data_received(self, data: bytes) -> None:
        data = self.rest + data if self.rest else data
        position, end = 0, len(data)
        messages: collections.deque[bytes] = collections.deque()
        while end - position >= HEADER:
            size = int.from_bytes(data[position : position + HEADER])
            if end - position < HEADER + size:
                break
            messages.append(data[position + HEADER : position + HEADER + size])
            position += HEADER + size
        self.rest = data[position:]
        self.received += len(messages)
        self.in_flight -= len(messages)
        self.fill()

    def fill(self) -> None:
        assert self.transport is not None
        while self.in_flight + BATCH <= WINDOW // SIZE:
            self.transport.write(self.batch)
            self.in_flight += BATCH


async def protocol_throughput(port: int) -> float:
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    transport, protocol = await loop.create_connection(Batched, "127.0.0.1", port)
    await asyncio.sleep(SECONDS)
    rate = protocol.received / (time.perf_counter() - started) / 1e3
    transport.abort()
    return rate


async def median_trip(exchange: "collections.abc.Callable[[], collections.abc.Awaitable[None]]") -> float:
    trips = []
    until = time.perf_counter() + SECONDS
    while (started := time.perf_counter()) < until:
        await exchange()
        trips.append(time.perf_counter() - started)
    return statistics.median(trips) * 1e6


THROUGHPUT = {
    "keepline": keepline_throughput,
    "uvloop, keepline": keepline_throughput,
    "asyncio streams": streams_throughput,
    "uvloop streams": streams_throughput,
    "asyncio Protocol, batched by hand": protocol_throughput,
}
ROUND_TRIP = {
    "keepline": keepline_round_trip,
    "uvloop, keepline": keepline_round_trip,
    "asyncio streams": streams_round_trip,
    "uvloop streams": streams_round_trip,
}

if __name__ == "__main__":
    main()
