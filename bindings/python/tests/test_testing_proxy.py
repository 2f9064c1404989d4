"""The proxy for other people's tests: each fault as a plain client feels it, in front of real servers."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio

import keepline
import waiting
from keepline import Backoff, Framing, Heartbeat, events
from keepline.testing import ChaosProxy, FlakyServer
from servers import redis_process

PING = b"PING\r\n"


@pytest.fixture
def echo() -> Iterator[FlakyServer]:
    with FlakyServer(delimiter=None) as server:
        yield server


@pytest.fixture
def proxy(echo: FlakyServer) -> Iterator[ChaosProxy]:
    with ChaosProxy(echo.address) as proxy:
        yield proxy


@contextmanager
def client_of(proxy: ChaosProxy) -> Iterator[socket.socket]:
    with socket.create_connection(proxy.address, timeout=10) as client:
        proxy.until("connected", connection=proxy.until_accepted().wait()).wait()
        yield client


def test_bytes_pass_and_are_counted_both_ways(proxy: ChaosProxy) -> None:
    with client_of(proxy) as client:
        client.sendall(b"hello")
        assert exactly(client, 5) == b"hello"
        assert proxy.until_received(5).wait() == 5
        assert (proxy.received("up"), proxy.forwarded("down"), proxy.received()) == (5, 5, 10)
        (connection,) = proxy.connections
        assert (connection.number, connection.peer) == (1, client.getsockname())
        assert (connection.received_up, connection.forwarded_up) == (5, 5)
        assert (connection.received_down, connection.forwarded_down, connection.forgotten) == (5, 5, False)
    names = [record.what for record in proxy.history()]
    assert names[:2] == ["accepted", "connected"]
    assert [record.at for record in proxy.history()] == sorted(record.at for record in proxy.history())


def test_silence_of_one_direction_leaves_the_other_alone(proxy: ChaosProxy, echo: FlakyServer) -> None:
    with client_of(proxy) as client:
        proxy.silence("down")
        client.sendall(b"asked")
        echo.until_received(1).wait()
        dropped = proxy.until("dropped").wait()
        assert (dropped.direction, dropped.bytes) == ("down", 5)
        assert is_quiet(client)
        assert proxy.forwarded("up") == 5


def test_drop_after_lets_exactly_so_many_bytes_pass(proxy: ChaosProxy) -> None:
    proxy.drop_after(3, "down")
    with client_of(proxy) as client:
        client.sendall(b"hello")
        assert exactly(client, 3) == b"hel"
        proxy.until_received(5, "down").wait()
        assert is_quiet(client)


def test_cut_ends_the_connection_at_the_byte_in_order_or_by_a_reset(proxy: ChaosProxy) -> None:
    proxy.cut(3)
    with client_of(proxy) as client:
        client.sendall(b"hello")
        assert everything(client) == b"hel"
    proxy.clear()
    proxy.cut(2, end="rst")
    with socket.create_connection(proxy.address, timeout=10) as client:
        client.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            everything(client)


def test_corrupt_flips_the_bits_of_one_byte_once(proxy: ChaosProxy) -> None:
    with client_of(proxy) as client:
        proxy.corrupt(1, mask=0x20)
        client.sendall(b"ABCD")
        assert exactly(client, 4) == b"AbCD"


def test_injected_bytes_come_although_nobody_sent_them_and_duplicates_come_twice(proxy: ChaosProxy) -> None:
    with client_of(proxy) as client:
        proxy.inject(memoryview(b"surprise"))
        assert exactly(client, 8) == b"surprise"
        proxy.duplicate("down")
        client.sendall(b"once")
        assert exactly(client, 8) == b"onceonce"


def test_held_bytes_arrive_at_once_when_they_are_released(proxy: ChaosProxy) -> None:
    with client_of(proxy) as client:
        proxy.hold("down")
        client.sendall(b"held")
        proxy.until_received(4, "down").wait()
        assert is_quiet(client)
        proxy.release("down")
        assert exactly(client, 4) == b"held"


def test_stalled_proxy_closes_the_senders_window_until_it_passes_on(echo: FlakyServer) -> None:
    with ChaosProxy(echo.address, receive_buffer=4096) as proxy, client_of(proxy) as client:
        proxy.stall("up")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sent = fill(client)
        assert 0 < sent < 1_000_000
        proxy.pass_on("up")
        client.settimeout(10)
        assert len(exactly(client, sent)) == sent


def test_slices_and_latency_and_rate_delay_and_lose_nothing(proxy: ChaosProxy) -> None:
    with client_of(proxy) as client:
        proxy.latency(0.05, jitter=0.01, direction="up")
        proxy.slice(2, 0.02, "down")
        started = time.monotonic()
        client.sendall(b"abcdef")
        assert exactly(client, 6) == b"abcdef"
        assert time.monotonic() - started >= 0.05 + 2 * 0.02
        proxy.pass_on()
        proxy.rate(1000, "down")
        started = time.monotonic()
        client.sendall(b"x" * 200)
        assert exactly(client, 200) == b"x" * 200
        assert time.monotonic() - started >= 0.15


def test_half_closed_direction_ends_and_the_other_goes_on(proxy: ChaosProxy, echo: FlakyServer) -> None:
    with client_of(proxy) as client:
        proxy.half_close("down")
        assert everything(client) == b""
        client.sendall(b"still heard")
        assert echo.until_received(1).wait() == [b"still heard"]


def test_idle_connection_is_forgotten_and_its_next_byte_answered_with_a_reset(proxy: ChaosProxy) -> None:
    with client_of(proxy) as client:
        proxy.idle_cut(0.1, mode="rst")
        proxy.until("forgotten").wait()
        client.sendall(b"too late")
        with pytest.raises(ConnectionResetError):
            everything(client)


def test_reset_and_close_end_living_connections(proxy: ChaosProxy) -> None:
    with client_of(proxy) as client:
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            everything(client)
    with socket.create_connection(proxy.address, timeout=10) as client:
        proxy.until_accepted(2).wait()
        proxy.close()
        assert everything(client) == b""
    assert proxy.connections == []


def test_listener_refuses_goes_silent_ends_at_once_and_comes_back(proxy: ChaosProxy) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(proxy.address, timeout=10)
    proxy.accept_then_close()
    with socket.create_connection(proxy.address, timeout=10) as client:
        assert everything(client) == b""
    proxy.accept_and_silence()
    with socket.create_connection(proxy.address, timeout=10) as client:
        client.sendall(b"hello")
        proxy.until_received(5).wait()
        assert is_quiet(client)
    proxy.accept_again()
    with socket.create_connection(proxy.address, timeout=10) as client:
        client.sendall(b"hello")
        assert exactly(client, 5) == b"hello"


def test_outage_ends_connections_and_refuses_until_the_end_of_the_block(proxy: ChaosProxy) -> None:
    with client_of(proxy) as client:
        with proxy.outage():
            with pytest.raises(ConnectionResetError):
                everything(client)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(proxy.address, timeout=10)
        with socket.create_connection(proxy.address, timeout=10) as again:
            again.sendall(b"back")
            assert exactly(again, 4) == b"back"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux drops the SYN behind a full accept queue")
def test_connections_hang_in_their_syn_until_they_are_accepted_again(proxy: ChaosProxy) -> None:
    assert proxy.hang_syn().wait()
    with pytest.raises(TimeoutError):
        socket.create_connection(proxy.address, timeout=0.3)
    proxy.accept_again()
    with client_of(proxy) as client:
        client.sendall(b"hello")
        assert exactly(client, 5) == b"hello"


def test_later_connections_go_to_another_server(proxy: ChaosProxy) -> None:
    with FlakyServer(answer=b"other") as other:
        proxy.set_upstream(f"localhost:{other.port}")
        with client_of(proxy) as client:
            client.sendall(b"who?\n")
            assert exactly(client, 5) == b"other"


async def test_waits_are_awaited_in_a_coroutine_and_can_be_cancelled(proxy: ChaosProxy) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await proxy.until_accepted()
    reader, writer = await asyncio.open_connection(*proxy.address)
    assert await proxy.until_accepted() == 1
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    assert (await proxy.until("forwarded")).bytes == 5
    writer.close()
    await writer.wait_closed()


def test_waits_are_awaited_under_trio(proxy: ChaosProxy) -> None:
    async def main() -> None:
        stream = await trio.open_tcp_stream(*proxy.address)
        async with stream:
            assert await proxy.until_accepted() == 1

    trio.run(main)


def test_wait_that_is_late_says_what_it_saw(proxy: ChaosProxy) -> None:
    with pytest.raises(keepline.Timeout, match="waited 0.02 s for 2 connections, saw 0"):
        proxy.until_accepted(2, within=0.02).wait()
    with client_of(proxy), pytest.raises(TimeoutError, match="'forgotten' of connection 1; the history ends with .*connected"):
        proxy.until("forgotten", connection=1, within=0.02).wait()


def test_forgotten_wait_is_told() -> None:
    with FlakyServer() as server, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        server.until_accepted()
        assert any("neither awaited nor waited for" in str(warning.message) for warning in told)


def test_wrong_arguments_name_the_field(proxy: ChaosProxy) -> None:
    with pytest.raises(keepline.InvalidConfig, match="upstream: must be host:port"):
        ChaosProxy("nowhere")
    with pytest.raises(keepline.InvalidConfig, match="mask: must be from 0 to 255"):
        proxy.corrupt(0, mask=256)
    with pytest.raises(keepline.InvalidConfig, match="end: must be fin or rst"):
        proxy.cut(1, end="bang")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="direction: must be up, down or both"):
        proxy.silence("sideways")  # type: ignore[arg-type]


def test_port_and_connections_go_when_the_proxy_is_shut_down(echo: FlakyServer) -> None:
    proxy = ChaosProxy(echo.address)
    with client_of(proxy) as client:
        address = proxy.address
        proxy.shut_down()
        proxy.shut_down()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=10)
        with pytest.raises(ValueError, match="the proxy was shut down"):
            proxy.reset()
        client.settimeout(10)
        assert everything_or_reset(client) == b""
    with ChaosProxy(echo.address, port=address[1]) as again:
        assert again.address == address


def test_proxy_of_a_parent_is_refused_in_a_forked_child(proxy: ChaosProxy) -> None:
    child = os.fork()
    if child == 0:
        try:
            proxy.reset()
        except keepline.ForkedError:
            os._exit(7)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7


def test_controls_may_be_called_from_many_threads(proxy: ChaosProxy) -> None:
    def work() -> None:
        for _ in range(200):
            proxy.latency(0)
            proxy.pass_on()
            assert proxy.accepted >= 0

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(proxy.history()) == 4 * 200 * 2


def test_importing_the_tools_does_not_import_pytest() -> None:
    program = "import sys, keepline.testing; assert 'pytest' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=20).returncode == 0


async def test_client_of_redis_survives_silence_reset_and_an_outage_behind_the_proxy() -> None:
    async with redis_process() as redis:
        with ChaosProxy(redis.address) as proxy:
            async with keepline.connect(
                proxy.address,
                framing=Framing.resp(),
                correlation=keepline.Correlation.fifo(),
                heartbeat=Heartbeat(PING, reply=b"+PONG\r\n", interval=1, reply_within=1),
                backoff=Backoff(first_spread=0.1, initial=0.1, max=0.5),
                # What vanished on the way would otherwise hold its place until its time is over.
                connect_total=2,
            ) as client:
                assert await client.request(b"SET colour blue\r\n", timeout=5) == b"+OK\r\n"

                proxy.silence()
                lost = await waiting.event(client, events.Disconnected)
                assert lost.cause == "peer_unresponsive"
                proxy.clear()
                back = await waiting.event(client, events.Connected, after=lost.seq)

                proxy.reset()
                lost = await waiting.event(client, events.Disconnected, after=back.seq)
                assert lost.cause == "reset"
                back = await waiting.event(client, events.Connected, after=lost.seq)

                with proxy.outage():
                    lost = await waiting.event(client, events.Disconnected, after=back.seq)
                    await waiting.state(client, keepline.State.WAITING)
                await waiting.event(client, events.Connected, after=lost.seq)
                assert await client.request(b"GET colour\r\n", timeout=5) == b"$4\r\nblue\r\n"


def exactly(client: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = client.recv(count - len(found))
        assert piece, f"ended after {found!r}"
        found += piece
    return found


def everything(client: socket.socket) -> bytes:
    found = b""
    while piece := client.recv(65536):
        found += piece
    return found


def everything_or_reset(client: socket.socket) -> bytes:
    try:
        return everything(client)
    except ConnectionResetError:
        return b""


def is_quiet(client: socket.socket) -> bool:
    """Whether nothing comes although everything that was on its way has been seen elsewhere."""
    client.settimeout(0.1)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    else:
        return False
    finally:
        client.settimeout(10)


def fill(client: socket.socket) -> int:
    """Sends until nothing more fits."""
    client.settimeout(0.3)
    sent = 0
    try:
        while True:
            sent += client.send(b"x" * 4096)
    except TimeoutError:
        return sent
