"""The server for other people's tests: it does what it is told, at once, and comes back on the same port."""

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Iterator

import pytest

import keepline
import waiting
from keepline import Backoff, Correlation, Framing, Heartbeat, events
from keepline.testing import FlakyServer


@pytest.fixture
def server() -> Iterator[FlakyServer]:
    with FlakyServer() as server:
        yield server


def test_lines_come_back_and_are_noted(server: FlakyServer) -> None:
    with connected(server) as client:
        client.sendall(b"one\ntwo\nthr")
        assert line(client) + line(client) == b"one\ntwo\n"
        client.sendall(b"ee\n")
        assert line(client) == b"three\n"
    assert server.received == [b"one\n", b"two\n", b"three\n"]
    assert server.until_left().wait() == 1
    assert (server.accepted, server.connections) == (1, 0)


def test_answers_are_bytes_or_made_of_the_message(server: FlakyServer) -> None:
    with connected(server) as client:
        server.answer(lambda message: None if message == b"quiet\n" else message.upper())
        client.sendall(b"quiet\nloud\n")
        assert line(client) == b"LOUD\n"
        server.answer(b"always\n")
        client.sendall(b"what?\n")
        assert line(client) == b"always\n"


def test_script_takes_one_step_for_each_message_and_then_goes_on_as_before(server: FlakyServer) -> None:
    server.script(b"first\n", "ignore", lambda message: message[::-1], "answer", "close")
    with connected(server) as client:
        client.sendall(b"1\n2\n\n34\n")
        server.until_received(4).wait()
        client.sendall(b"last\n")
        assert everything(client) == b"first\n" + b"\n" + b"34\n"
    with connected(server) as client:
        client.sendall(b"again\n")
        assert line(client) == b"again\n"


def test_silent_server_reads_and_says_nothing_until_it_answers_again(server: FlakyServer) -> None:
    with connected(server) as client:
        server.go_silent()
        client.sendall(b"hello\n")
        server.until_received(1).wait()
        assert is_quiet(client)
        client.shutdown(socket.SHUT_WR)
        assert is_quiet(client), "a hanging process does not close its end"
    with connected(server) as later:
        later.sendall(b"hello\n")
        server.until_received(2).wait()
        assert is_quiet(later), "later connections are silent too"
        server.answer()
        later.sendall(b"now\n")
        assert line(later) == b"now\n"


@pytest.mark.parametrize("ends", ["go_silent", "reset", "stop"])
def test_step_of_a_script_concerns_its_connection(server: FlakyServer, ends: str) -> None:
    server.script(ends)  # type: ignore[arg-type]
    with connected(server) as client:
        client.sendall(b"hello\n")
        server.until_received(1).wait()
        if ends == "go_silent":
            assert is_quiet(client)
        else:
            with pytest.raises(ConnectionResetError):
                everything(client)
    if ends == "stop":
        with pytest.raises(ConnectionRefusedError):
            connected(server)
        server.start()
    with connected(server) as other:
        other.sendall(b"hello\n")
        assert line(other) == b"hello\n"


def test_server_that_stops_reading_closes_the_window_and_takes_everything_up_later() -> None:
    with FlakyServer(delimiter=None, receive_buffer=4096) as server, connected(server) as client:
        server.until_accepted().wait()
        server.stop_reading()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        client.settimeout(0.3)
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                sent += client.send(b"x" * 4096)
        assert 0 < sent < 1_000_000
        client.settimeout(10)
        server.answer(b"")
        deadline = time.monotonic() + 10
        while sum(map(len, server.received)) < sent and time.monotonic() < deadline:
            time.sleep(0.005)
        assert sum(map(len, server.received)) == sent


def test_connections_end_in_order_or_by_a_reset(server: FlakyServer) -> None:
    with connected(server) as client:
        server.until_accepted().wait()
        client.sendall(b"unread")
        server.close()
        assert everything(client) == b""
    with connected(server) as client:
        server.until_accepted(2).wait()
        server.reset()
        with pytest.raises(ConnectionResetError):
            everything(client)
    assert server.connections == 0


def test_stopped_server_refuses_keeps_its_port_and_starts_again(server: FlakyServer) -> None:
    address = server.address
    with connected(server) as client:
        server.until_accepted().wait()
        server.stop("fin")
        assert everything(client) == b""
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            connected(server)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(address)
        server.start()
        server.start()
        with connected(server) as client:
            client.sendall(b"hello\n")
            assert line(client) == b"hello\n"
        server.stop()
    server.restart()
    with connected(server) as client:
        client.sendall(b"hello\n")
        assert line(client) == b"hello\n"


@pytest.mark.parametrize("ends", ["stop", "restart", "shut_down"])
def test_connection_that_is_accepted_in_the_moment_of_the_stop_is_reset(server: FlakyServer, ends: str) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold(_: bytes) -> None:
        entered.set()
        leave.wait(10)

    with connected(server) as stopper, connected(server) as holder:
        server.until_accepted(2).wait()
        server.script(hold, "stop")
        holder.sendall(b"hold\n")
        assert entered.wait(10)
        # The server's thread is busy: it finds the new connection and the word to stop at once, in this order.
        with connected(server) as late:
            stopper.sendall(b"stop\n")
            leave.set()
            server.until_received(2).wait()
            if ends == "restart":
                server.start()
            elif ends == "shut_down":
                server.shut_down()
            with pytest.raises(ConnectionResetError):
                late.recv(1)
    assert server.accepted == 2


def test_bytes_that_nobody_asked_for_go_to_every_connection(server: FlakyServer) -> None:
    with connected(server) as one, connected(server) as two:
        server.until_accepted(2).wait()
        server.send(bytearray(b"news\n"))
        assert (line(one), line(two)) == (b"news\n", b"news\n")


def test_messages_are_cut_by_a_length() -> None:
    def length_of(buffer: bytes) -> int | None:
        return 1 + buffer[0] if buffer else None

    with FlakyServer(answer=b"ok", length=length_of) as server, connected(server) as client:
        client.sendall(b"\3abc\1x\2y")
        assert server.until_received(2).wait() == [b"\3abc", b"\1x"]
        client.sendall(b"z")
        assert server.until_received(3).wait()[-1] == b"\2yz"


def test_error_of_an_answer_is_raised_when_the_server_is_shut_down() -> None:
    def broken(_message: bytes) -> bytes:
        raise LookupError("no such answer")

    server = FlakyServer(answer=broken)
    with connected(server) as client:
        client.sendall(b"hello\n")
        with pytest.raises(ConnectionResetError):
            everything(client)
    with pytest.raises(LookupError, match="no such answer"):
        server.shut_down()
    server.shut_down()


def test_length_that_never_ends_is_an_error_and_no_hang() -> None:
    server = FlakyServer(length=lambda _buffer: 0)
    with connected(server) as client:
        client.sendall(b"hello\n")
        with pytest.raises(ConnectionResetError):
            everything(client)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        server.shut_down()


def test_answer_may_use_the_server_itself(server: FlakyServer) -> None:
    def answer(_message: bytes) -> bytes:
        server.send(b"to all\n")
        return b"to you\n"

    server.answer(answer)
    with connected(server) as client:
        client.sendall(b"hello\n")
        assert line(client) + line(client) == b"to all\nto you\n"


def test_wrong_words_are_refused() -> None:
    with FlakyServer() as server:
        with pytest.raises(keepline.InvalidConfig, match="steps: must be bytes, a function, or one of answer"):
            server.script("explode")  # type: ignore[arg-type]
        with pytest.raises(keepline.InvalidConfig, match="end: must be fin or rst"):
            server.stop("bang")  # type: ignore[arg-type]
    with pytest.raises(keepline.InvalidConfig, match="delimiter: must not be empty"):
        FlakyServer(delimiter=b"")


def test_nothing_is_left_when_it_is_shut_down() -> None:
    before = threading.active_count()
    with FlakyServer() as server, connected(server) as client:
        client.sendall(b"hello\n")
        line(client)
        server.close()
    gc.collect()
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        connected(server)
    server.shut_down()


async def test_coroutine_waits_for_the_server_and_a_restart_is_survived(server: FlakyServer) -> None:
    async with keepline.connect(
        server.address, framing=Framing.lines(), backoff=Backoff(first_spread=0.1, initial=0.1, max=0.5)
    ) as client:
        await client.send(b"before")
        assert await server.until_received(1) == [b"before\n"]
        server.restart()
        lost = await waiting.event(client, events.Disconnected)
        await waiting.event(client, events.Connected, after=lost.seq)
        await client.send(b"after")
        assert (await server.until_received(2))[-1] == b"after\n"


async def test_client_notices_the_silence_of_a_server_that_accepts_everything(server: FlakyServer) -> None:
    async with keepline.connect(
        server.address,
        framing=Framing.lines(),
        correlation=Correlation.fifo(),
        heartbeat=Heartbeat(b"PING", reply=b"PING", interval=1, reply_within=1),
        backoff=Backoff(first_spread=0.1, initial=0.1, max=0.5),
        connect_total=2,
    ) as client:
        server.go_silent()
        with pytest.raises((keepline.Timeout, keepline.Unavailable)):
            await client.request(b"anybody?", timeout=3)
        lost = await waiting.event(client, events.Disconnected)
        assert lost.cause == "peer_unresponsive"
        server.answer()
        await waiting.event(client, events.Connected, after=lost.seq)
        assert await client.request(b"anybody?", timeout=5) == b"anybody?"


async def test_asyncio_streams_are_served(server: FlakyServer) -> None:
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    writer.close()
    await writer.wait_closed()
    assert await server.until_left() == 1


def connected(server: FlakyServer) -> socket.socket:
    return socket.create_connection(server.address, timeout=10)


def line(client: socket.socket) -> bytes:
    found = b""
    while not found.endswith(b"\n"):
        piece = client.recv(1)
        assert piece, f"ended after {found!r}"
        found += piece
    return found


def everything(client: socket.socket) -> bytes:
    found = b""
    while piece := client.recv(65536):
        found += piece
    return found


def is_quiet(client: socket.socket) -> bool:
    """Whether nothing comes although the server has read the question."""
    client.settimeout(0.1)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    else:
        return False
    finally:
        client.settimeout(10)
