"""What is told through `logging`."""

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import trio

import keepline
import waiting
from keepline import Backoff, Framing, State
from servers import Server, blocking_echo_process, free_port

LINES = Framing.lines()
QUICK = Backoff(first_spread=0.05, initial=0.05, max=0.2)
CHILDREN = ("keepline", "keepline.connection", "keepline.client")


class Kept(logging.Handler):
    """Keeps records, and does what it is told to with each."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.then: Callable[[logging.LogRecord], object] = lambda record: None

    def handle(self, record: logging.LogRecord) -> bool:
        # Overridden here and not in `emit`, so that nothing of the standard library holds a lock or catches anything.
        self.records.append(record)
        self.then(record)
        return True

    @property
    def lines(self) -> list[tuple[str, str, str]]:
        return [
            (record.levelname, record.name, record.getMessage().split(": ", 1)[1]) for record in list(self.records)
        ]

    def events(self) -> list[str]:
        return [str(getattr(record, "keepline_event")) for record in list(self.records)]


@pytest.fixture
def kept() -> Iterator[Kept]:
    """A handler that gets everything."""
    handler = Kept()
    logger = logging.getLogger("keepline")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        for name in CHILDREN:
            logging.getLogger(name).setLevel(logging.NOTSET)


async def test_life_of_a_client_is_told_at_the_levels_of_the_style(kept: Kept, echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=LINES, backoff=QUICK) as client:
        await echo_server.stop()
        await waiting.until(lambda: "disconnected" in kept.events())
        await waiting.until(lambda: kept.events().count("disconnected") >= 2)
        await echo_server.start()
        await waiting.state(client, State.CONNECTED)
        client.pause()
        client.resume()
        await waiting.state(client, State.CONNECTED)
    # All of it is there when the block is left.
    told = [line for line in kept.lines if not line[2].startswith("notice: ")]
    assert told[0] == ("DEBUG", "keepline.client", "started")
    assert told[1] == ("DEBUG", "keepline.connection", "connecting")
    level, name, text = told[2]
    assert (level, name) == ("INFO", "keepline.connection") and text.startswith("connected after ")
    level, name, text = told[3]
    assert (level, name) == ("INFO", "keepline.connection") and text.startswith("lost after ") and "retrying in" in text
    assert "peer_closed" in text or "reset" in text
    assert any(text.startswith("no connection: refused") and "errno 111" in text for _, _, text in told)
    assert ("DEBUG", "keepline.client", "paused") in told and ("DEBUG", "keepline.client", "resumed") in told
    assert told[-1] == ("INFO", "keepline.client", "closed: requested")


async def test_records_carry_the_facts_as_fields_and_addresses_only_at_debug(kept: Kept, echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=LINES, backoff=QUICK):
        pass
    endpoint = f"127.0.0.1:{echo_server.port}"
    connected = kept.records[kept.events().index("connected")].__dict__
    assert connected["keepline_epoch"] == 1 and connected["keepline_after"] > 0
    assert connected["keepline_endpoint"] == endpoint and connected["keepline_peer"] == endpoint
    assert connected["keepline_cause"] is None
    closed = kept.records[-1].__dict__
    assert closed["keepline_cause"] == "requested" and closed["keepline_client"] == connected["keepline_client"]
    for record in kept.records:
        assert all(f"keepline_{fact}" in record.__dict__ for fact in keepline._log._FACTS)
        assert endpoint not in record.getMessage()
    kept.records.clear()
    logging.getLogger("keepline").setLevel(logging.INFO)
    async with keepline.connect(echo_server.address, framing=LINES):
        pass
    assert [event for event in kept.events() if event != "notice"] == ["connected", "closed"]
    assert not any("keepline_peer" in record.__dict__ for record in kept.records)


async def test_notices_of_a_configuration_are_told_once(kept: Kept, echo_server: Server) -> None:
    keepline._log._noticed.clear()
    for _ in range(2):
        async with keepline.connect(echo_server.address, framing=LINES) as client:
            notices = [f"notice: {notice}" for notice in client.notices]
    told = [line for line in kept.lines if line[2].startswith("notice: ")]
    assert notices and told == [("INFO", "keepline.client", notice) for notice in notices]
    assert kept.events()[1] == "notice", "right after the start"


async def test_no_secret_is_told(kept: Kept) -> None:
    secret = b"s3cret"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"no s3cret\n")
        await writer.drain()

    greeting = keepline.Script().send_credentials(b"login ").refused(keepline.Matcher.prefix(b"no")).expect(b"yes")
    async with Server(refuse) as server:
        with pytest.raises(keepline.KeeplineError):
            await keepline.connect(
                server.address,
                framing=LINES,
                greeting=greeting,
                credentials=secret,
                heartbeat=keepline.Heartbeat(secret),
                connect_within=0.5,
                backoff=QUICK,
            )
    assert "disconnected" in kept.events()
    assert "s3cret" not in "".join(str(record.__dict__) for record in kept.records)


async def test_attempts_are_told_while_connect_waits(kept: Kept) -> None:
    connecting = asyncio.ensure_future(_connect(free_port()))
    await waiting.until(lambda: kept.events().count("disconnected") >= 2)
    assert not connecting.done()
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting


async def test_client_that_gave_up_is_a_warning(kept: Kept) -> None:
    with pytest.raises(keepline.Exhausted):
        await keepline.connect(("127.0.0.1", free_port()), max_attempts=2, backoff=QUICK)
    level, name, text = kept.lines[-1]
    assert (level, name) == ("WARNING", "keepline.client") and text.startswith("closed: refused")


async def test_full_inbox_is_a_warning(kept: Kept, echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=LINES, inbox_bytes=4096) as client:
        for _ in range(200):
            await client.send(b"x" * 1000)
        await waiting.until(lambda: "inbox_full" in kept.events())
        client.abort()
    assert ("WARNING", "keepline.client", "inbox full: reading stops until messages are taken") in kept.lines


async def test_level_counts_at_the_moment_of_the_event(kept: Kept, echo_server: Server) -> None:
    logging.getLogger("keepline").setLevel(logging.WARNING)
    async with keepline.connect(echo_server.address, framing=LINES) as client:
        assert kept.records == []
        logging.getLogger("keepline.connection").setLevel(logging.INFO)
        client.reconnect()
        await waiting.until(lambda: "connected" in kept.events())
    # The first connection may be told after the level was changed, for it is told when the loop comes to it.
    assert set(kept.events()) == {"connected"}


async def test_nothing_is_watched_and_nothing_waits_where_nobody_listens(kept: Kept, echo_server: Server) -> None:
    logging.getLogger("keepline").setLevel(logging.CRITICAL)
    async with keepline.connect(echo_server.address, framing=LINES) as client:
        assert client._told is None
        assert len(client._bridge.operations) == 0
    with keepline.sync.start(("127.0.0.1", free_port())) as blocking:
        assert not _log_threads()
        blocking.abort()
    assert kept.records == []


async def test_handler_that_raises_does_no_harm(
    kept: Kept, echo_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(record: logging.LogRecord) -> None:
        raise ZeroDivisionError("a handler fails")

    kept.then = fail
    async with keepline.connect(echo_server.address, framing=LINES) as client:
        for number in range(10):
            await client.send(b"%d" % number)
            assert await client.recv(timeout=5) is not None
        client.reconnect()
        await waiting.until(lambda: kept.events().count("connected") == 2)
    assert kept.events()[-1] == "closed"
    assert "a handler fails" in capsys.readouterr().err


async def test_handler_may_use_the_client(kept: Kept, echo_server: Server) -> None:
    clients: list[keepline.Client] = []
    inside: list[State] = []

    def use(record: logging.LogRecord) -> None:
        for client in clients:
            inside.append(client.state)
            client.try_send(b"from a handler")
            if getattr(record, "keepline_event") == "connected" and client.epoch < 5:
                client.reconnect()

    async with keepline.connect(echo_server.address, framing=LINES, backoff=QUICK) as client:
        kept.then = use
        clients.append(client)
        client.reconnect()
        async with asyncio.timeout(10):
            while client.epoch < 5:
                await client.recv(timeout=10)
        kept.then = lambda record: None
    assert len(inside) >= 5


def test_handler_that_blocks_does_not_block_the_blocking_client_and_lost_lines_are_counted(kept: Kept) -> None:
    gate = threading.Event()
    kept.then = lambda record: gate.wait()
    with blocking_echo_process() as server, ExitStack() as at_last:
        at_last.callback(gate.set)
        with keepline.sync.connect(server.address, framing=LINES, backoff=QUICK) as client:
            for epoch in range(2, 150):
                client.reconnect()
                _until(lambda epoch=epoch: client.epoch >= epoch and client.state is State.CONNECTED)  # type: ignore[misc]
            client.send(b"x")
            assert client.recv(timeout=5) is not None
            assert len(kept.records) == 1, "the handler has not returned from the first"
        gate.set()
        _until(lambda: kept.events()[-1] == "closed")
    missed = [record for record in kept.records if getattr(record, "keepline_event") == "missed"]
    assert missed and all(record.levelno == logging.WARNING for record in missed)
    assert sum(getattr(record, "keepline_count") for record in missed) > 100
    _until(lambda: not _log_threads())


def test_blocking_clients_are_told_by_one_python_thread_that_ends_with_them(kept: Kept) -> None:
    with blocking_echo_process() as server:
        with keepline.sync.connect(server.address) as first, keepline.sync.connect(server.address) as second:
            _until(lambda: kept.events().count("connected") == 2)
            assert len(_log_threads()) == 1
            assert first.state is second.state is State.CONNECTED
        _until(lambda: not _log_threads())
        assert kept.events().count("closed") == 2
        dropped = keepline.sync.connect(server.address)
        del dropped
        gc.collect()
        _until(lambda: kept.events().count("closed") == 3 and not _log_threads())


def test_trio_tells_the_same(kept: Kept) -> None:
    def fail(record: logging.LogRecord) -> None:
        raise ZeroDivisionError("a handler fails")

    async def program(address: tuple[str, int]) -> None:
        async with keepline.connect(address, framing=LINES) as client:
            client.reconnect()
            with trio.fail_after(10):
                while kept.events().count("connected") < 2:
                    await trio.sleep(0.01)
            kept.then = fail
            client.reconnect()
            await client.send(b"x")
            assert await client.recv(timeout=5) is not None

    with blocking_echo_process() as server:
        trio.run(program, server.address)
    assert kept.events()[-1] == "closed"


PROGRAM = """
import logging, sys, keepline
{setup}
client = keepline.sync.connect(("127.0.0.1", {port}))
client.pause()
client.resume()
"""


@pytest.mark.parametrize("setup", ["", "logging.basicConfig(level=logging.DEBUG)"])
def test_program_that_ends_with_a_living_client_prints_its_lines_or_nothing(setup: str) -> None:
    with blocking_echo_process() as server:
        for _ in range(3):
            program = PROGRAM.format(setup=setup, port=server.port)
            ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20)
            assert ran.returncode == 0
            assert "Traceback" not in ran.stderr
            assert ("INFO:keepline.connection:client 1: connected after" in ran.stderr) == bool(setup), ran.stderr
            assert setup or ran.stderr == ""


def test_child_of_a_fork_tells_of_its_own_clients(kept: Kept) -> None:
    with blocking_echo_process() as server, keepline.sync.connect(server.address):
        program = f"""
import logging, os, sys, keepline
logging.basicConfig(level=logging.INFO, format="%(process)d %(message)s")
parent = keepline.sync.connect(("127.0.0.1", {server.port}))
sys.stderr.flush()
pid = os.fork()
if pid == 0:
    own = keepline.sync.connect(("127.0.0.1", {server.port}))
    own.close()
    sys.exit(0)
_, status = os.waitpid(pid, 0)
print(pid, status)
"""
        command = [sys.executable, "-W", "ignore", "-c", program]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=20)
        pid, status = ran.stdout.split()
        assert (ran.returncode, status) == (0, "0"), ran.stderr
        assert f"{pid} client 2: closed: requested" in ran.stderr, ran.stderr


async def _connect(port: int) -> keepline.Client:
    return await keepline.connect(("127.0.0.1", port), backoff=QUICK, connect_within=30)


def _log_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "keepline-log"]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.01)


