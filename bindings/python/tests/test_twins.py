"""`keepline.sync` has the names of `keepline`, and a wait that is interrupted leaves its client usable."""

import asyncio
import inspect
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import keepline
from keepline import Backoff, Correlation, Framing, Outbox, State, sync
from servers import Process, Server, blocking_echo_process, free_port

LINES = Framing.lines()
QUICK = Backoff(first_spread=0.05, initial=0.05, max=0.2)

ONLY_ASYNC = {"Connecting", "open_connection", "create_connection"}
ONLY_ASYNC |= {"ConnectingStreams", "Streams", "Transport", "connect_streams", "start_streams"}
"""What a blocking twin has no use for: `sync.connect` waits by itself, and the others stand in for asyncio's own."""

SPECIAL = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
}


def test_everything_that_waits_has_a_blocking_twin_of_the_same_name() -> None:
    told_by_loop = {name for name in keepline.__all__ if belongs_to_a_loop(getattr(keepline, name))} - ONLY_ASYNC
    assert told_by_loop >= {"Client", "Events", "Receipt", "connect", "doctor", "start"}
    assert set(sync.__all__) >= told_by_loop
    for name in sync.__all__:
        assert hasattr(keepline, name), f"keepline.sync.{name} is a twin of nothing"


@pytest.mark.parametrize("kind", ["Client", "Receipt", "Events", "Batches"])
def test_classes_have_the_same_methods_with_the_same_parameters(kind: str) -> None:
    waiting, blocking = getattr(keepline, kind), getattr(sync, kind)
    names = methods(waiting)
    assert {SPECIAL.get(name, name) for name in names} == methods(blocking)
    for name in names:
        original, twin = inspect.getattr_static(waiting, name), inspect.getattr_static(blocking, SPECIAL.get(name, name))
        if isinstance(original, property):
            assert isinstance(twin, property)
            continue
        assert parameters(original) == parameters(twin), name
        assert not inspect.iscoroutinefunction(twin), name
        # The first sentence is the same promise in both.
        assert first_sentence(original) == first_sentence(twin), name


@pytest.mark.parametrize("name", ["connect", "start", "doctor"])
def test_functions_have_the_same_parameters(name: str) -> None:
    assert parameters(getattr(keepline, name)) == parameters(getattr(sync, name))


@pytest.fixture
def server() -> Iterator[Process]:
    """An echo server in a process of its own."""
    with blocking_echo_process() as process:
        yield process


def test_interrupt_by_the_keyboard_leaves_the_client_usable(server: Process) -> None:
    with sync.connect(server.address, framing=LINES) as client:
        told = client.events(client.stats().attempts + 100)
        for wait in (client.recv, client.recv_many, client.closed, lambda: next(client), lambda: next(told)):
            interrupted(wait)
            client.send(b"after")
            message = client.recv(timeout=5)
            assert message is not None and message.payload == b"after"
            assert client.state is State.CONNECTED
    receipt = None
    with sync.connect(server.address, framing=LINES, correlation=Correlation.fifo()) as client:
        client.pause()
        receipt = client.send_tracked(b"waits", timeout=1)
        interrupted(receipt.outcome)
        client.resume()
        assert client.request(b"hello", timeout=5) == b"hello"
    assert receipt.outcome() == "acked"


def test_interrupted_request_gives_its_reply_up_and_the_next_gets_its_own() -> None:
    answers = threading.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                while not answers.is_set():
                    await asyncio.sleep(0.01)
                writer.write(line)
        finally:
            writer.close()

    with serving(serve) as port:
        with sync.connect(("127.0.0.1", port), framing=LINES, correlation=Correlation.fifo()) as client:
            interrupted(lambda: client.request(b"first", timeout=30))
            answers.set()
            assert client.request(b"second", timeout=5) == b"second"


def test_interrupted_connect_and_send_leave_nothing_behind() -> None:
    address = ("127.0.0.1", free_port())
    interrupted(lambda: sync.connect(address, connect_within=30))
    client = sync.start(address, framing=LINES, outbox=Outbox(messages=1), overflow="wait")
    client.try_send(b"takes the room")
    interrupted(lambda: client.send(b"never accepted"))
    assert client.stats().messages.accepted == 1
    assert client.close(drain=0.1).cause == "requested"


class serving:
    """A server of asyncio in a thread of its own."""

    def __init__(self, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> None:
        self._serve = serve
        self._port: int | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> int:
        self._thread.start()
        while self._port is None:
            time.sleep(0.005)
        return self._port

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = Server(self._serve)
        self._loop.run_until_complete(server.start())
        self._port = server.port
        self._loop.run_forever()
        self._loop.run_until_complete(server.stop())
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()


def interrupted(wait: Callable[[], object]) -> None:
    """Presses Ctrl-C while the main thread waits."""
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            wait()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def belongs_to_a_loop(thing: object) -> bool:
    """Whether it waits, or makes what waits."""
    if inspect.isclass(thing):
        return any(inspect.iscoroutinefunction(getattr(thing, name)) for name in dir(thing))
    return inspect.iscoroutinefunction(thing) or getattr(thing, "__name__", "") in ("connect", "start")


def methods(kind: type[Any]) -> set[str]:
    own = {*SPECIAL, *SPECIAL.values()}
    return {
        name
        for name in dir(kind)
        if (not name.startswith("_") or name in own) and not hasattr(object, name) and name != "__class_getitem__"
    }


def parameters(function: object) -> list[tuple[str, object, object]]:
    """Names, defaults and kinds."""
    assert callable(function)
    return [(each.name, each.default, each.kind) for each in inspect.signature(function).parameters.values()]


def first_sentence(function: object) -> str | None:
    told = inspect.getdoc(function)
    return None if told is None else told.partition(".")[0]
