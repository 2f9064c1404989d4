"""A loop that waits in an epoll reads by itself what arrives; while it computes, the runtime does."""

import asyncio
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
import uvloop

import keepline
import waiting
from keepline import Backoff, Framing, Heartbeat, State, events

T = TypeVar("T")

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux asks one reader after the other"),
    pytest.mark.every_loop,
]

#: Until a loop is trusted to come back: a few messages that come one by one, and a few that follow each other.
CONVERSATION = 50


class Peer:
    """A server of lines on a thread of its own: it echoes, and does what a test tells it while the loop is held up."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.connections: list[socket.socket] = []
        self.lines: list[bytes] = []
        self.ended: list[bytes | OSError] = []
        self.echoes = True
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", int(self.listener.getsockname()[1])

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        rest = b""
        while True:
            try:
                data = connection.recv(65536)
            except OSError as error:
                self.ended.append(error)
                return
            if not data:
                connection.close()
                self.ended.append(data)
                return
            *lines, rest = (rest + data).split(b"\n")
            self.lines.extend(lines)
            if b"RESET" in lines:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
                return
            if self.echoes:
                connection.sendall(b"".join(line + b"\n" for line in lines))

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            connection.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


async def converse(client: keepline.Client, trips: int = CONVERSATION) -> None:
    """Sends and receives one by one."""
    for number in range(trips):
        await client.send(b"%d" % number)
        message = await client.recv(timeout=10)
        assert message is not None and message.payload == b"%d" % number


def wakes_of_the_runtime() -> int:
    """How often threads of the runtime went to sleep so far."""
    count = 0
    for task in Path("/proc/self/task").iterdir():
        status = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines() if ":" in line)
        if status["Name"].strip().startswith("keepline-"):
            count += int(status["voluntary_ctxt_switches"])
    return count


@contextmanager
def held_up(while_held: Callable[[], bool], within: float = 10) -> Iterator[None]:
    """Keeps the loop from everything until something holds that happens elsewhere."""
    deadline = time.monotonic() + within
    while not while_held():
        assert time.monotonic() < deadline, "it did not happen while the loop computed"
        time.sleep(0.01)
    yield


async def test_reply_is_read_by_the_loop_and_no_thread_of_the_runtime_is_woken(peer: Peer) -> None:
    async with keepline.connect(peer.address, framing=Framing.lines()) as client:
        await converse(client)
        before = wakes_of_the_runtime()
        await converse(client, 500)
        # What is left are looks after the loop, and turns while this thread was kept from its processor.
        assert wakes_of_the_runtime() - before < 250


async def test_heartbeat_is_answered_while_the_loop_computes(peer: Peer) -> None:
    heartbeat = Heartbeat(b"PING", reply=b"PING", interval=1, reply_within=1)
    async with keepline.connect(peer.address, framing=Framing.lines(), heartbeat=heartbeat) as client:
        await converse(client)
        answered = lambda: peer.lines.count(b"PING") >= 3  # noqa: E731
        with held_up(answered):
            assert client.state is State.CONNECTED and client.epoch == 1
        await converse(client)
        assert client.epoch == 1
        assert client.stats().heartbeats >= 3


async def test_connection_that_ends_while_the_loop_computes_is_replaced_meanwhile(peer: Peer) -> None:
    quick = Backoff(first_spread=0.1, initial=0.1, max=0.5)
    async with keepline.connect(peer.address, framing=Framing.lines(), backoff=quick) as client:
        await converse(client)
        peer.connections[0].shutdown(socket.SHUT_RDWR)
        with held_up(lambda: len(peer.connections) == 2):
            pass
        await waiting.event(client, events.Connected, after=(await waiting.event(client, events.Disconnected)).seq)
        await converse(client)
        assert client.epoch == 2


async def test_connection_after_one_that_was_reset_is_read_by_the_loop_as_well(peer: Peer) -> None:
    quick = Backoff(first_spread=0.1, initial=0.1, max=0.5)
    async with keepline.connect(peer.address, framing=Framing.lines(), backoff=quick) as client:
        for epoch in (2, 3):
            await converse(client)
            await client.send(b"RESET")
            await waiting.until(lambda: client.epoch == epoch and client.state is State.CONNECTED)  # noqa: B023
        await converse(client)
        before = wakes_of_the_runtime()
        await converse(client, 500)
        assert wakes_of_the_runtime() - before < 250
        assert client.epoch == 3


async def test_many_clients_whose_connections_are_reset_again_and_again_all_talk(peer: Peer) -> None:
    quick = Backoff(first_spread=0.01, initial=0.01, max=0.1)

    async def talk() -> None:
        async with keepline.connect(peer.address, framing=Framing.lines(), backoff=quick) as client:
            for epoch in range(2, 8):
                await converse(client, 30)
                await client.send(b"RESET")
                await waiting.until(lambda: client.epoch >= epoch and client.state is State.CONNECTED)  # noqa: B023
            await converse(client, 30)

    await asyncio.gather(*(talk() for _ in range(20)))


async def test_peer_that_talks_while_the_loop_computes_is_read_meanwhile(peer: Peer) -> None:
    async with keepline.connect(peer.address, framing=Framing.lines()) as client:
        await converse(client)
        peer.connections[0].sendall(b"".join(b"news %d\n" % number for number in range(1000)))
        with held_up(lambda: client.stats().received >= CONVERSATION + 1000):
            pass
        for number in range(1000):
            message = await client.recv(timeout=10)
            assert message is not None and message.payload == b"news %d" % number


async def test_flood_after_a_conversation_comes_whole_and_in_order(peer: Peer) -> None:
    async with keepline.connect(peer.address, framing=Framing.lines(), inbox_bytes=65536) as client:
        for part in range(3):
            await converse(client)
            flood = b"".join(b"%d %d\n" % (part, number) for number in range(50_000))
            sender = threading.Thread(target=peer.connections[0].sendall, args=(flood,))
            sender.start()
            received: list[bytes] = []
            while len(received) < 50_000:
                received += [message.payload for message in await client.recv_many(1000, timeout=20)]
            assert received == [b"%d %d" % (part, number) for number in range(50_000)]
            sender.join(10)


@pytest.mark.parametrize("how", ["close", "abort", "forget"])
async def test_peer_is_told_at_once_of_the_end_of_a_conversation(peer: Peer, how: str) -> None:
    client = await keepline.connect(peer.address, framing=Framing.lines())
    await converse(client)
    match how:
        case "close":
            await client.close()
        case "abort":
            client.abort()
        case _:
            del client
    await waiting.until(lambda: len(peer.ended) == 1, within=5)
    assert peer.ended == [b""] if how == "close" else isinstance(peer.ended[0], ConnectionResetError)


async def test_request_is_answered_in_the_turn_of_the_loop(peer: Peer) -> None:
    async with keepline.connect(peer.address, framing=Framing.lines(), correlation=keepline.Correlation.fifo()) as client:
        for number in range(CONVERSATION):
            assert await client.request(b"%d" % number, timeout=10) == b"%d" % number
        before = wakes_of_the_runtime()
        for number in range(500):
            assert await client.request(b"%d" % number, timeout=10) == b"%d" % number
        assert wakes_of_the_runtime() - before < 250


async def test_descriptors_of_clients_that_are_gone_serve_the_next(peer: Peer) -> None:
    async def talk() -> None:
        async with keepline.connect(peer.address, framing=Framing.lines()) as client:
            await converse(client, 20)

    for _ in range(3):
        await asyncio.gather(*(talk() for _ in range(4)))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        await asyncio.gather(*(talk() for _ in range(4)))
    # The peer's side is closed by threads of its own.
    await waiting.until(lambda: len(peer.ended) == 92)
    for connection in peer.connections:
        connection.close()
    # Eighty clients: a client that follows at once may need a seat that the one before has not left yet.
    await waiting.until(lambda: len(os.listdir("/proc/self/fd")) <= before + 16)


async def test_more_clients_than_seats_all_talk(peer: Peer) -> None:
    clients = [await keepline.connect(peer.address, framing=Framing.lines()) for _ in range(40)]
    for _ in range(2):
        await asyncio.gather(*(converse(client, 20) for client in clients))
    await asyncio.gather(*(client.close() for client in clients))


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_conversation_goes_on_in_the_next_loop_of_the_thread(
    peer: Peer, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def talk() -> None:
        async with keepline.connect(peer.address, framing=Framing.lines()) as client:
            await converse(client)

    async def leave() -> keepline.Client:
        client = await keepline.connect(peer.address, framing=Framing.lines())
        await converse(client)
        return client

    def run(program: Callable[[], Coroutine[None, None, T]]) -> T:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(program())

    for _ in range(5):
        run(talk)
        left = run(leave)
        # Its loop is closed, and the numbers of that loop's descriptors are given to others.
        run(talk)
        assert left.state is State.CONNECTED
        del left


async def test_forked_child_takes_nothing_from_the_conversation(peer: Peer) -> None:
    async with keepline.connect(peer.address, framing=Framing.lines()) as client:
        await converse(client)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                try:
                    client.try_send(b"from the child")
                except keepline.ForkedError:
                    del client
                    status = 0
            finally:
                os._exit(status)
        try:
            await converse(client, 200)
            assert client.epoch == 1
        finally:
            _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        await converse(client, 200)


async def test_frozen_and_woken_program_goes_on_talking(peer: Peer) -> None:
    async with keepline.connect(peer.address, framing=Framing.lines()) as client:
        await converse(client)
        # Ten looks after the loop pass meanwhile.
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGCONT)).start()
        time.sleep(1.0)
        await converse(client, 200)
        assert client.epoch == 1
