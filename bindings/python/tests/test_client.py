"""The client on asyncio: messages, reconnects, requests, events, back-pressure."""

import asyncio
import gc
import weakref
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

import keepline
import waiting
from keepline import Backoff, Cause, Correlation, Framing, Heartbeat, Matcher, Outbox, Script, State, events
from servers import Server, Sink, echo

QUICK = Backoff(first_spread=0.05, initial=0.05, max=0.2)
LINES = Framing.lines()


async def test_messages_go_out_and_come_back_in_order(echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=LINES) as client:
        assert client.state.is_up
        sent = [b"%d" % number for number in range(3000)]
        for payload in sent:
            await client.send(payload)
        received = []
        async for message in client:
            received.append(message.payload)
            if len(received) == len(sent):
                break
        assert received == sent
        assert client.stats().messages.accepted == len(sent)
    assert client.state is State.CLOSED


async def test_client_can_be_awaited_and_addressed_by_text(echo_server: Server) -> None:
    client = await keepline.connect(f"127.0.0.1:{echo_server.port}", framing=LINES)
    client.try_send(bytearray(b"bytes-like"))
    await client.send(memoryview(b"objects"))
    assert [bytes(message) for message in await take(client, 2)] == [b"bytes-like", b"objects"]
    ending = await client.close()
    assert ending.cause is Cause.REQUESTED
    assert await client.close() == ending
    assert await client.recv() is None
    assert await client.recv_many() == []


async def test_message_shows_its_size_and_can_be_matched() -> None:
    message = keepline.Message(b"secret", 3)
    match message:
        case keepline.Message(payload, epoch):
            assert (payload, epoch) == (b"secret", 3)
    assert (repr(message), len(message), bytes(message)) == ("Message(6 bytes, epoch=3)", 6, b"secret")
    assert message == keepline.Message(b"secret", 3) != keepline.Message(b"secret", 4)
    assert hash(message) == hash(keepline.Message(b"secret", 3))


async def test_client_comes_back_after_a_restart_and_messages_of_epochs_are_told_apart(echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=LINES, backoff=QUICK) as client:
        await client.send(b"before")
        before = await client.recv(timeout=5)
        await echo_server.stop()
        lost = await waiting.event(client, events.Disconnected)
        assert (lost.cause, lost.detector, lost.failures) == (Cause.PEER_CLOSED, "os_error", 0)
        assert lost.up_for is not None and lost.retry_in is not None and lost.retry_in <= 0.2
        await client.send(b"while down")
        await echo_server.start()
        back = await waiting.event(client, events.Connected, after=lost.seq)
        after = await client.recv(timeout=5)
        assert before is not None and after is not None
        assert (before.payload, after.payload) == (b"before", b"while down")
        assert before.epoch < after.epoch == back.epoch == client.epoch
        assert back.peer == f"127.0.0.1:{echo_server.port}"


async def test_start_returns_at_once_and_dials_until_somebody_is_there() -> None:
    server = Server(echo)
    await server.start()
    await server.stop()
    client = keepline.start(server.address, framing=LINES, backoff=QUICK)
    refused = await waiting.event(client, events.Disconnected)
    assert (refused.cause, refused.errno, refused.up_for) == (Cause.REFUSED, 111, None)
    await server.start()
    await waiting.event(client, events.Connected)
    await client.close()
    await server.stop()


async def test_first_connection_that_fails_tells_the_last_cause(unused_tcp_port: int) -> None:
    with pytest.raises(keepline.Unavailable) as raised:
        await keepline.connect(("127.0.0.1", unused_tcp_port), connect_within=0.3)
    error = raised.value
    assert (error.kind, error.cause, error.errno, error.retryable) == ("unavailable", "refused", 111, True)
    assert isinstance(error, ConnectionError)
    with pytest.raises(keepline.Exhausted) as gave_up:
        await keepline.connect(("127.0.0.1", unused_tcp_port), max_attempts=1, connect_within=5)
    assert isinstance(gave_up.value, ConnectionError)


async def test_requests_find_their_replies_by_id_and_in_order() -> None:
    async def reverse_pairs(reader: StreamReader, writer: StreamWriter) -> None:
        while True:
            pair = [await reader.readexactly(6), await reader.readexactly(6)]
            for frame in reversed(pair):
                writer.write(frame)

    framing = Framing.fixed(6)
    async with (
        Server(reverse_pairs) as server,
        keepline.connect(server.address, framing=framing, correlation=Correlation.id(0, 2)) as client,
    ):
        pair = await asyncio.gather(client.request(b"\0\7ONE!", 5), client.request(b"\0\7TWO!", timedelta(seconds=5)))
        assert list(pair) == [b"\0\7ONE!", b"\0\7TWO!"]
    async with (
        Server(echo) as server,
        keepline.connect(server.address, framing=LINES, correlation=Correlation.fifo()) as client,
    ):
        replies = await asyncio.gather(*(client.request(b"%d" % number, 5) for number in range(100)))
        assert replies == [b"%d" % number for number in range(100)]


async def test_request_that_is_cut_off_may_have_been_executed() -> None:
    async def read_and_vanish(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readline()
        writer.transport.abort()

    async with (
        Server(read_and_vanish) as server,
        keepline.connect(server.address, framing=LINES, correlation=Correlation.fifo(), backoff=QUICK) as client,
    ):
        with pytest.raises(keepline.Unavailable) as raised:
            await client.request(b"write", timeout=5)
        assert raised.value.maybe_executed
        assert raised.value.cause in ("reset", "peer_closed")


async def test_request_without_an_answer_times_out() -> None:
    async with (
        Server(Sink()) as server,
        keepline.connect(server.address, framing=LINES, correlation=Correlation.fifo()) as client,
    ):
        with pytest.raises(TimeoutError) as raised:
            await client.request(b"hello?", timeout=0.05)
        assert isinstance(raised.value, keepline.Timeout)
        assert raised.value.maybe_executed


async def test_greeting_heartbeat_and_automatic_answers_are_declared() -> None:
    async def server_with_manners(reader: StreamReader, writer: StreamWriter) -> None:
        assert await reader.readline() == b"HELLO\n"
        writer.write(b"WELCOME\n")
        assert await reader.readline() == b"first\n"
        writer.write(b"ping 1\n")
        assert await reader.readline() == b"pong\n"
        writer.write(b"done\n")
        while await reader.readline() == b"BEAT\n":
            writer.write(b"OK\n")

    async with (
        Server(server_with_manners) as server,
        keepline.connect(
            server.address,
            framing=LINES,
            greeting=Script().send(b"HELLO").expect(b"WELCOME"),
            auto_replies=(keepline.AutoReply(Matcher.prefix(b"ping"), b"pong"),),
            heartbeat=Heartbeat(b"BEAT", reply=b"OK", interval=1, reply_within=5),
        ) as client,
    ):
        await client.send(b"first")
        message = await client.recv(timeout=5)
        assert message is not None and message.payload == b"done"
        async with asyncio.timeout(10):
            while client.stats().heartbeat_rtt is None:
                await asyncio.sleep(0.02)
        assert client.stats().heartbeats == 1
        with pytest.raises(keepline.Timeout):
            await client.recv(timeout=0)


async def test_wrong_greeting_is_a_failed_attempt() -> None:
    async def stranger(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readline()
        writer.write(b"WHO ARE YOU\n")
        await reader.read()

    async with Server(stranger) as server:
        with pytest.raises(keepline.Unavailable) as raised:
            greeting = Script().send(b"HELLO").expect(b"WELCOME")
            await keepline.connect(server.address, framing=LINES, greeting=greeting, connect_within=0.5)
        assert raised.value.cause == Cause.GREETING_UNEXPECTED


async def test_pause_reconnect_and_resume_are_told_as_events(echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=LINES, backoff=QUICK) as client:
        client.reconnect()
        await waiting.event(client, events.Connected, after=2)
        client.pause()
        await waiting.event(client, events.Paused)
        await waiting.state(client, State.IDLE)
        client.resume()
        resumed = await waiting.event(client, events.Resumed)
        await waiting.event(client, events.Connected, after=resumed.seq)
        client.network_changed(keepline.NetworkPath(1, kind="wifi"))
        client.network_changed()
    seen = [event async for event in client.events()]
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    assert isinstance(seen[-1], events.Closed) and seen[-1].cause is Cause.REQUESTED


async def test_slow_reader_slows_the_peer_down_and_loses_nothing() -> None:
    size, count = 1000, 4000

    async def flood(reader: StreamReader, writer: StreamWriter) -> None:
        for number in range(count):
            writer.write(b"%d" % number + b" " * (size - len(b"%d" % number)))
            await writer.drain()
        await reader.read()

    async with (
        Server(flood) as server,
        keepline.connect(server.address, framing=Framing.fixed(size), inbox_bytes=65536) as client,
    ):
        await waiting.event(client, events.InboxFull)
        # Far more is on its way than the inbox takes; what the peer's writer holds back is seen on its side only.
        assert client.stats().inbox <= 65536 / size + 1
        received = await take(client, count)
        assert [int(message.payload) for message in received] == list(range(count))


async def test_send_waits_for_room_while_the_peer_is_slow() -> None:
    go_on = asyncio.Event()

    async def slow(reader: StreamReader, writer: StreamWriter) -> None:
        await go_on.wait()
        while await reader.read(65536):
            pass

    async with (
        Server(slow) as server,
        keepline.connect(server.address, framing=Framing.fixed(8192), outbox=Outbox(bytes=65536)) as client,
    ):
        message = bytes(8192)
        # Until the peer's window is shut: from then on neither kernel takes more.
        async with asyncio.timeout(20):
            while client.state is not State.STALLED:
                with suppress(keepline.Timeout):
                    await client.send(message, timeout=0.2)
        with pytest.raises(keepline.Rejected):
            while True:
                client.try_send(message)
        with pytest.raises(keepline.Timeout):
            await client.send(message, timeout=0.2)
        accepted = client.stats().messages.accepted
        waiter = asyncio.create_task(client.send(message))
        await asyncio.sleep(0.05)
        assert not waiter.done()
        go_on.set()
        await asyncio.wait_for(waiter, 10)
        assert client.stats().messages.accepted == accepted + 1


async def test_several_readers_share_the_messages(echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=LINES) as client:
        received: list[bytes] = []

        async def read() -> None:
            while (message := await client.recv()) is not None:
                received.append(message.payload)
                await asyncio.sleep(0)

        readers = [asyncio.create_task(read()) for _ in range(7)]
        for number in range(2000):
            await client.send(b"%d" % number)
            if number % 100 == 0:
                await asyncio.sleep(0.001)
        async with asyncio.timeout(10):
            while len(received) < 2000:
                await asyncio.sleep(0.01)
        await client.close()
        async with asyncio.timeout(5):
            await asyncio.gather(*readers)
        assert sorted(map(int, received)) == list(range(2000))


async def test_iteration_raises_when_the_client_was_not_closed_on_request(echo_server: Server) -> None:
    client = await keepline.connect(echo_server.address, framing=LINES, max_attempts=1, backoff=QUICK)
    await echo_server.stop()
    with pytest.raises(keepline.Closed) as raised:
        async for _ in client:
            pass
    assert raised.value.cause == Cause.REFUSED
    assert (await client.closed()).cause is Cause.REFUSED
    with pytest.raises(keepline.Closed):
        await client.send(b"too late")


async def test_leaving_by_an_exception_aborts(echo_server: Server) -> None:
    with pytest.raises(ZeroDivisionError):
        async with keepline.connect(echo_server.address) as client:
            raise ZeroDivisionError
    assert client.state is State.CLOSED


async def test_forgotten_client_is_aborted_though_a_reader_of_events_remains(echo_server: Server) -> None:
    client = await keepline.connect(echo_server.address, framing=LINES)
    with pytest.raises(keepline.Timeout):
        await client.recv(timeout=0.01)
    told = client.events()
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None
    async with asyncio.timeout(5):
        assert [event.name async for event in told][-1] == "closed"


async def test_config_in_force_is_told_with_its_notices_and_bounds(echo_server: Server) -> None:
    config = keepline.Config(profile="datacenter", framing=LINES)
    async with keepline.connect(echo_server.address, config=config, detect_within=timedelta(seconds=12)) as client:
        assert client.config.profile == "datacenter"
        assert client.config.framing == Framing(kind="lines", max=1 << 20)
        assert client.stats().user_timeout == client.config.user_timeout
        assert [notice.field for notice in client.notices] != []
        assert client.detection_bound is None
        assert client.detection_bounds.path_silent_idle.within is not None
    beating = keepline.Config(heartbeat=Heartbeat(b"PING"), framing=LINES, detect_within=12).resolve()
    assert beating.bounds.longest is not None
    assert beating.config.heartbeat == Heartbeat(b"PING", Matcher.any(), interval=8.0, reply_within=4.0)
    assert beating.config.resolve().config == beating.config


async def take(client: keepline.Client, count: int) -> list[keepline.Message]:
    messages: list[keepline.Message] = []
    async with asyncio.timeout(20):
        while len(messages) < count:
            messages += await client.recv_many(count - len(messages))
    return messages


async def test_client_of_several_endpoints_moves_on_and_tells_where(echo_server: Server) -> None:
    async with Server(echo) as second:
        options = keepline.Config(framing=LINES, backoff=QUICK, endpoint_order="ordered")
        first = f"127.0.0.1:{echo_server.port}"
        async with keepline.connect(first, second.address, config=options) as client:
            assert client.endpoints == [first, f"127.0.0.1:{second.port}"]
            told = client.events()
            await echo_server.stop()
            places = []
            async for event in told:
                if isinstance(event, events.Connected):
                    places.append(event.endpoint)
                    if len(places) == 2:
                        break
            assert places == client.endpoints
            await client.send(b"over")
            assert (await take(client, 1))[0].payload == b"over"


async def test_endpoints_change_at_runtime_and_bad_lists_are_refused(echo_server: Server) -> None:
    async with Server(echo) as second:
        async with keepline.connect([echo_server.address], framing=LINES, backoff=QUICK) as client:
            weighted = keepline.Weighted(second.address, 3)
            client.set_endpoints([weighted])
            await waiting.until(lambda: client.stats().connections == 2)
            assert client.endpoints == [keepline.Weighted(f"127.0.0.1:{second.port}", 3)]
            lists: list[list[keepline.Target]] = [[], ["a:1", "a:1"], ["x"], [keepline.Weighted("a:1", 10_001)]]
            for wrong in lists:
                with pytest.raises(keepline.InvalidConfig):
                    client.set_endpoints(wrong)
            await client.send(b"moved")
            assert (await take(client, 1))[0].epoch == 2


async def test_unix_socket_is_an_endpoint(tmp_path: Path) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await echo(reader, writer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_unix_server(serve, tmp_path / "echo.sock")
    async with server, keepline.connect(f"unix:{tmp_path}/echo.sock", framing=LINES) as client:
        await client.send(b"hello")
        assert (await take(client, 1))[0].payload == b"hello"
