"""Connections as asyncio's own streams and transports: both directions, their limits, and the boundary between two."""

import asyncio
import pickle
import socket
import ssl
import struct
from asyncio import StreamReader, StreamWriter
from pathlib import Path
from typing import Any

import pytest
import uvloop

import keepline
from keepline import Backoff, Cause, ConnectionLost, Tls, Transport
import waiting
from servers import Server, certificate_for_localhost, echo, free_port
from test_fork import fork

SOON = Backoff(first_spread=0.1, initial=0.1, max=0.3)
BIG = bytes(range(256)) * 40_000


async def test_reader_and_writer_are_those_of_asyncio_over_a_transport_of_keepline(echo_server: Server) -> None:
    reader, writer = await keepline.open_connection("127.0.0.1", echo_server.port)
    assert type(reader) is StreamReader and type(writer) is StreamWriter
    assert isinstance(writer.transport, Transport) and writer.transport.epoch == 1
    assert writer.get_extra_info("peername") == echo_server.address
    assert writer.get_extra_info("sockname")[0] == "127.0.0.1"
    assert writer.get_extra_info("socket") is None and writer.get_extra_info("ssl_object") is None
    assert isinstance(writer.get_extra_info("keepline"), keepline.Streams)
    for data in (b"line\n", bytearray(b"bytes\n"), memoryview(b"view\n")):
        writer.write(data)
        assert await reader.readline() == bytes(data)
    writer.writelines([b"a", b"b", b"c\n"])
    assert await reader.readline() == b"abc\n"
    sending = asyncio.create_task(_send(writer, BIG))
    assert await reader.readexactly(len(BIG)) == BIG
    await sending
    assert writer.can_write_eof()
    writer.write_eof()
    with pytest.raises(RuntimeError, match="after write_eof"):
        writer.write(b"more")
    assert await reader.read() == b"", "the server has read the end, and left"
    writer.close()
    await writer.wait_closed()


async def test_loss_says_why_as_a_connection_reset_error() -> None:
    async def reset(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.read(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with Server(reset) as server:
        reader, writer = await keepline.open_connection("127.0.0.1", server.port)
        writer.write(b"x")
        with pytest.raises(ConnectionResetError) as raised:
            await reader.readexactly(1)
        lost = raised.value
        assert isinstance(lost, ConnectionLost) and isinstance(lost, keepline.Unavailable)
        assert (lost.kind, lost.cause, lost.retryable) == ("unavailable", Cause.RESET, True)
        # A copy tells the same.
        assert pickle.loads(pickle.dumps(lost)).cause == Cause.RESET


async def test_protocol_is_paused_and_resumed_while_the_peer_does_not_read() -> None:
    may_read = asyncio.Event()
    heard = 0

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal heard
        await may_read.wait()
        while data := await reader.read(1 << 20):
            heard += len(data)
        writer.close()

    async with Server(serve) as server:
        transport, protocol = await keepline.create_connection(Told, "127.0.0.1", server.port)
        transport.set_write_buffer_limits(high=1000)
        assert transport.get_write_buffer_limits() == (250, 1000)
        with pytest.raises(ValueError):
            transport.set_write_buffer_limits(high=1, low=2)
        sent = 0
        while transport.get_write_buffer_size() == 0:
            transport.write(BIG)
            sent += len(BIG)
        assert protocol.calls == ["made", "pause"]
        # Everything that was written before arrives, and then the end.
        transport.close()
        assert transport.is_closing() and not transport.is_reading()
        transport.write(b"ignored")
        may_read.set()
        assert await protocol.lost is None
        assert protocol.calls == ["made", "pause", "resume", "lost"]
        async with asyncio.timeout(10):
            while heard < sent:
                await asyncio.sleep(0.01)
        assert heard == sent


async def test_abort_ends_without_what_is_queued() -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await asyncio.sleep(60)

    async with Server(serve) as server:
        transport, protocol = await keepline.create_connection(Told, "127.0.0.1", server.port)
        while transport.get_write_buffer_size() == 0:
            transport.write(BIG)
        transport.abort()
        assert transport.get_write_buffer_size() == 0
        assert await asyncio.wait_for(protocol.lost, 5) is None
        transport.close()
        transport.abort()


async def test_paused_reading_holds_the_peer_back() -> None:
    sent = 0

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal sent
        for _ in range(40):
            writer.write(BIG)
            await writer.drain()
            sent += len(BIG)
        writer.close()

    async with Server(serve) as server:
        transport, protocol = await keepline.create_connection(Told, "127.0.0.1", server.port)
        transport.pause_reading()
        transport.pause_reading()
        assert not transport.is_reading()
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.3)
        assert sent < 40 * len(BIG), "the kernels do not hold that much"
        got = protocol.received
        await asyncio.sleep(0.1)
        assert protocol.received == got
        transport.resume_reading()
        assert await asyncio.wait_for(protocol.lost, 30) is None
        assert protocol.received == 40 * len(BIG)
        assert protocol.calls == ["made", "eof", "lost"]


async def test_protocol_may_keep_its_own_direction_after_the_peers_end() -> None:
    last: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"that is all")
        writer.write_eof()
        last.set_result(await reader.read())
        writer.close()

    async with Server(serve) as server:
        reader, writer = await keepline.open_connection("127.0.0.1", server.port)
        assert await reader.read() == b"that is all"
        writer.write(b"still here")
        writer.close()
        assert await asyncio.wait_for(last, 5) == b"still here"


async def test_buffered_protocol_gets_its_bytes_in_its_own_buffer(echo_server: Server) -> None:
    class Buffered(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.buffer = bytearray(1000)
            self.heard = bytearray()

        def get_buffer(self, sizehint: int) -> bytearray:
            return self.buffer

        def buffer_updated(self, nbytes: int) -> None:
            self.heard += self.buffer[:nbytes]

    transport, protocol = await keepline.create_connection(Buffered, "127.0.0.1", echo_server.port)
    sent = BIG[:300_000]
    transport.write(sent)
    async with asyncio.timeout(10):
        while len(protocol.heard) < len(sent):
            await asyncio.sleep(0.01)
    assert protocol.heard == sent
    told = Told()
    transport.set_protocol(told)
    assert transport.get_protocol() is told
    transport.write(b"x")
    async with asyncio.timeout(10):
        while told.received < 1:
            await asyncio.sleep(0.01)
    transport.close()
    assert await told.lost is None


async def test_protocol_that_raises_is_told_to_the_loop_and_loses_its_connection(echo_server: Server) -> None:
    contexts: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: contexts.append(context))

    class Broken(Told):
        def data_received(self, data: bytes) -> None:
            raise ZeroDivisionError

    transport, protocol = await keepline.create_connection(Broken, "127.0.0.1", echo_server.port)
    transport.write(b"x")
    assert isinstance(await asyncio.wait_for(protocol.lost, 5), ZeroDivisionError)
    assert [type(context["exception"]) for context in contexts] == [ZeroDivisionError]


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("family", {"family": socket.AF_INET6}),
        ("flags", {"flags": 1}),
        ("proto", {"proto": socket.IPPROTO_UDP}),
        ("sock", {"sock": object()}),
        ("interleave", {"interleave": 3}),
        ("all_errors", {"all_errors": True}),
        ("local_addr", {"local_addr": ("127.0.0.1", 4000)}),
        ("server_hostname", {"server_hostname": "x"}),
        ("ssl", {"ssl": "yes"}),
        ("ssl_handshake_timeout", {"ssl": True, "ssl_handshake_timeout": 3}),
        ("framing", {"framing": keepline.Framing.lines()}),
        ("concurrent_ok", {"concurrent_ok": True}),
    ],
)
async def test_what_cannot_be_carried_over_is_refused_by_name(field: str, given: dict[str, Any]) -> None:
    with pytest.raises(keepline.InvalidConfig) as raised:
        await keepline.open_connection("127.0.0.1", 1, **given)
    assert raised.value.field == field


async def test_what_can_be_carried_over_is(echo_server: Server) -> None:
    _reader, writer = await keepline.open_connection(
        "127.0.0.1",
        echo_server.port,
        family=0,
        local_addr=("127.0.0.2", 0),
        happy_eyeballs_delay=0.2,
        profile="industrial",
    )
    assert writer.get_extra_info("sockname")[0] == "127.0.0.2"
    config = writer.get_extra_info("keepline").config
    assert (config.addresses, config.address_stagger) == ("happy_eyeballs", 0.2)
    writer.close()
    await writer.wait_closed()
    with pytest.raises(TypeError, match="no_such_option"):
        await keepline.open_connection("127.0.0.1", echo_server.port, no_such_option=1)


async def test_one_call_waits_for_a_server_that_is_not_up_yet_and_makes_one_connection() -> None:
    server = Server(echo)
    server.port = free_port()
    opening = asyncio.create_task(keepline.open_connection("127.0.0.1", server.port, backoff=SOON))
    await asyncio.sleep(0.2)
    assert not opening.done()
    async with server:
        reader, writer = await asyncio.wait_for(opening, 10)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        streams = writer.get_extra_info("keepline")
        writer.close()
        await writer.wait_closed()
        assert (await asyncio.wait_for(streams.closed(), 5)).cause is Cause.REQUESTED
        assert server.connections == 1
    with pytest.raises(keepline.Exhausted) as raised:
        await keepline.open_connection("127.0.0.1", server.port, max_attempts=1)
    assert raised.value.cause == Cause.REFUSED and isinstance(raised.value, OSError)


async def test_each_call_gets_the_next_connection_and_only_its_bytes() -> None:
    number = 0

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal number
        number += 1
        writer.write(b"%d\n" % number * 1000)
        await writer.drain()
        while line := await reader.readline():
            writer.write(line)

    async with Server(serve) as server, keepline.connect_streams(server.address, backoff=SOON) as streams:
        for expected in range(1, 6):
            reader, writer = await streams.open_connection(*server.address)
            assert await reader.readline() == b"%d\n" % expected
            # The rest of what came is left unread.
            if expected % 2:
                writer.close()
            else:
                await server.stop()
                with pytest.raises((ConnectionLost, asyncio.IncompleteReadError)):
                    await reader.readexactly(1 << 20)
                await server.start()
        await waiting.until(lambda: streams.stats().connections >= 5)
        with pytest.raises(keepline.InvalidConfig) as raised:
            await streams.open_connection("elsewhere.example", 502)
        assert raised.value.field == "host"


async def test_peer_that_closed_makes_room_for_the_next_though_nobody_closed_the_writer() -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"only this")
        writer.close()

    async with Server(serve) as server, keepline.connect_streams(server.address, backoff=SOON) as streams:
        for _ in range(3):
            reader, _writer = await streams.open_connection()
            with pytest.raises(asyncio.IncompleteReadError) as raised:
                await reader.readexactly(100)
            assert raised.value.partial == b"only this"


async def test_cancelled_call_leaves_the_connection_to_the_next(echo_server: Server) -> None:
    async with keepline.connect_streams(echo_server.address) as streams:
        first = await streams.open_connection()
        for _ in range(20):
            waiting = asyncio.create_task(streams.open_connection())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        first[1].close()
        reader, writer = await asyncio.wait_for(streams.open_connection(), 10)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        assert writer.transport.get_extra_info("keepline") is streams


async def test_call_without_a_server_ends_with_the_last_cause_and_the_client_goes_on() -> None:
    server = Server(echo)
    server.port = free_port()
    streams = keepline.start_streams(("127.0.0.1", server.port), connect_within=0.5, backoff=SOON)
    with pytest.raises(keepline.Unavailable) as raised:
        await streams.open_connection()
    assert raised.value.cause == Cause.REFUSED
    async with server:
        _reader, writer = await streams.open_connection()
        # Its end is told by the one who closed it.
        ending = await streams.close()
        assert ending.cause is Cause.REQUESTED
        await writer.wait_closed()
        with pytest.raises(keepline.Closed):
            await streams.open_connection()


async def test_iteration_gives_one_connection_after_another(echo_server: Server) -> None:
    streams = await keepline.connect_streams(echo_server.address)
    rounds = 0
    async for reader, writer in streams:
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        rounds += 1
        if rounds == 3:
            await streams.close()
    assert rounds == 3


async def test_encrypted_by_keepline_itself(tmp_path: Path) -> None:
    chain, key = certificate_for_localhost(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    async with Server(echo, context) as server:
        tls = Tls(ca_file=chain)
        reader, writer = await keepline.open_connection(
            "127.0.0.1", server.port, ssl=True, tls=tls, server_hostname="localhost"
        )
        sending = asyncio.create_task(_send(writer, BIG))
        assert await reader.readexactly(len(BIG)) == BIG
        await sending
        assert writer.get_extra_info("keepline").stats().tls_version == "TLSv1.3"
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


def test_drop_ins_run_on_uvloop() -> None:
    async def main() -> None:
        async with Server(echo) as server, keepline.connect_streams(server.address) as streams:
            for make in (streams.open_connection, keepline.open_connection):
                reader, writer = await make("127.0.0.1", server.port)
                sending = asyncio.create_task(_send(writer, BIG))
                assert await reader.readexactly(len(BIG)) == BIG
                await sending
                writer.close()
                await writer.wait_closed()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_use_in_another_loop_is_refused() -> None:
    kept: list[keepline.Streams] = []

    async def make() -> None:
        async with Server(echo) as server:
            kept.append(await keepline.connect_streams(server.address))

    async def use() -> None:
        with pytest.raises(keepline.WrongLoopError):
            await kept[0].open_connection()
        kept[0].abort()

    asyncio.run(make())
    asyncio.run(use())


async def test_forked_child_is_refused_and_the_parents_connection_goes_on(echo_server: Server) -> None:
    reader, writer = await keepline.open_connection(*echo_server.address)
    streams = writer.get_extra_info("keepline")

    def child() -> None:
        for call in (streams.stats, lambda: streams.state):
            try:
                call()
            except keepline.ForkedError:
                continue
            raise AssertionError("no ForkedError")
        # Let go of in the child: nothing is said on the parent's connection.
        writer.transport.abort()

    assert await fork(child) == 0
    writer.write(b"x")
    assert await reader.readexactly(1) == b"x"
    writer.close()
    await writer.wait_closed()


class Told(asyncio.Protocol):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.received = 0
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.calls.append("made")

    def data_received(self, data: bytes) -> None:
        self.received += len(data)

    def eof_received(self) -> None:
        self.calls.append("eof")

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append("lost")
        self.lost.set_result(exc)


async def _send(writer: StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
