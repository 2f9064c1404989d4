"""Hooks and callbacks of the blocking twin: plain functions in threads of Python."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import keepline
from keepline import AuthRefused, Backoff, Cause, Correlation, CredentialRequest, Event, Framing, Heartbeat, State, events, sync
from servers import Gate, Serve, Server, echo

LINES = Framing.lines()
QUICK = Backoff(first_spread=0.05, initial=0.05, max=0.2)
SECRET = b"s3cr3t"


def login(io: sync.GreetingIo) -> None:
    """Greets a `Gate`."""
    io.send(b"login " + io.credentials())
    answer = io.recv()
    if answer.startswith(b"no"):
        raise AuthRefused(answer.decode())


def test_hook_greets_in_a_thread_of_python_and_unread_frames_go_on() -> None:
    gate = Gate()
    threads: list[threading.Thread] = []
    kept: list[sync.GreetingIo] = []

    def hook(io: sync.GreetingIo) -> None:
        threads.append(threading.current_thread())
        kept.append(io)
        with pytest.raises(keepline.Timeout):
            io.recv(timeout=0.01)
        login(io)

    def provider(request: CredentialRequest) -> bytes:
        threads.append(threading.current_thread())
        return SECRET

    with serving(gate) as server:
        with sync.connect(server.address, framing=LINES, on_connect=hook, credentials=provider) as client:
            client.send(b"hello")
            assert [payload(client) for _ in range(3)] == [b"news 1", b"news 2", b"hello"]
            client.reconnect()
            until(lambda: client.epoch == 2 and client.state is State.CONNECTED)
        assert gate.lines == [b"login s3cr3t", b"hello", b"login s3cr3t"]
    assert len(threads) == 4 and threading.main_thread() not in threads
    for use in (lambda: kept[0].send(b"late"), kept[0].recv, kept[0].credentials):
        with pytest.raises(keepline.Closed, match="over"):
            use()


def test_what_hooks_raise_is_told_by_connect() -> None:
    problem = RuntimeError("no such user")

    def fails(io: sync.GreetingIo) -> None:
        raise problem

    async def not_plain(io: sync.GreetingIo) -> None:
        raise AssertionError("never begun")

    with serving(echo) as server:
        with pytest.raises(keepline.Unavailable) as raised:
            sync.connect(server.address, framing=LINES, on_connect=fails, connect_within=0.5)
        assert (raised.value.cause, raised.value.__cause__) == (Cause.GREETING_REJECTED, problem)
        with pytest.raises(keepline.Unavailable) as raised:
            sync.connect(server.address, framing=LINES, on_connect=not_plain, connect_within=0.5)
        assert "plain function" in str(raised.value.__cause__)
    with serving(Gate(b"other")) as server:
        with pytest.raises(keepline.Exhausted) as gave_up:
            sync.connect(server.address, framing=LINES, on_connect=login, credentials=SECRET, auth_attempts=1)
        assert gave_up.value.cause == Cause.GREETING_AUTH


def test_hook_that_waits_for_ever_is_refused_at_its_deadline_and_one_that_sleeps_keeps_nobody_waiting() -> None:
    told: list[str] = []
    wake = threading.Event()

    def hook(io: sync.GreetingIo) -> None:
        match io.epoch:
            case 1:
                with pytest.raises(keepline.Closed):
                    io.recv()
                told.append("refused")
            case 2:
                wake.wait(30)
                told.append("slept")
            case _:
                told.append("greeted")

    with serving(echo) as server:
        with sync.connect(
            server.address,
            framing=LINES,
            on_connect=hook,
            backoff=QUICK,
            connect_per_address=0.5,
            connect_total=1,
            connect_within=20,
        ) as client:
            assert client.epoch == 3
            assert told == ["refused", "greeted"]
            wake.set()
            until(lambda: told == ["refused", "greeted", "slept"])
            assert client.epoch == 3 and client.state is State.CONNECTED


def test_request_inside_the_hook_is_rejected() -> None:
    kinds: list[str] = []
    made = threading.Event()

    def hook(io: sync.GreetingIo) -> None:
        assert made.wait(10)
        with pytest.raises(keepline.Rejected) as rejected:
            client.request(b"question", 5)
        kinds.append(rejected.value.kind)

    with serving(echo) as server:
        client = sync.start(server.address, framing=LINES, correlation=Correlation.fifo(), on_connect=hook)
        made.set()
        until(lambda: client.state is State.CONNECTED)
        assert kinds == ["rejected"] and client.request(b"hello", 5) == b"hello"
        client.close()


def test_resolver_is_a_plain_function_too() -> None:
    with serving(echo) as server:
        asked: list[tuple[str, int]] = []

        def resolve(host: str, port: int) -> list[str]:
            asked.append((host, port))
            return ["127.0.0.1"]

        with sync.connect(f"machine.plant:{server.port}", resolver=resolve) as client:
            assert client.state is State.CONNECTED
        assert asked == [("machine.plant", server.port)]


def test_callback_may_raise_block_and_call_its_client_in_its_own_thread(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Event] = []
    threads: set[threading.Thread] = set()
    meanwhile: list[int] = []
    made = threading.Event()

    def callback(event: Event) -> None:
        told.append(event)
        threads.add(threading.current_thread())
        if not isinstance(event, events.Connected):
            return
        assert made.wait(10)
        if event.epoch == 1:
            before = client.stats().heartbeats
            deadline = time.monotonic() + 20
            while client.stats().heartbeats < before + 3 and time.monotonic() < deadline:
                time.sleep(0.05)
            meanwhile.append(client.stats().heartbeats - before)
            client.send(b"from the callback")
            assert payload(client) == b"from the callback"
            client.reconnect()
        elif event.epoch == 2:
            raise RuntimeError("a bug of the user")

    beat = Heartbeat(b"beat", reply=b"beat", interval=1, reply_within=1)
    with serving(echo) as server, caplog.at_level(logging.WARNING, "keepline"):
        client = sync.start(server.address, framing=LINES, heartbeat=beat, on_event=callback)
        made.set()
        until(lambda: client.callback_errors == 1, within=30)
        assert client.close().cause is Cause.REQUESTED
    assert meanwhile[0] >= 3, "the runtime waits for no callback"
    assert [event.name for event in told] == [*["connecting", "connected", "disconnected"] * 2, "closed"]
    assert len(threads) == 1 and threading.main_thread() not in threads
    assert "on_event failed" in caplog.text


def test_close_within_the_callback_from_two_threads_and_twice_is_one_end() -> None:
    endings: list[keepline.Ending] = []
    closing, made = threading.Event(), threading.Event()

    def callback(event: Event) -> None:
        if isinstance(event, events.Connected):
            # Told as soon as it happens, perhaps before the client has its name here.
            assert made.wait(10)
            closing.set()
            endings.append(client.close(drain=5))

    with serving(echo) as server:
        client = sync.start(server.address, on_event=callback)
        made.set()
        closers = [threading.Thread(target=lambda: endings.append(client.close())) for _ in range(2)]
        assert closing.wait(10)
        for thread in closers:
            thread.start()
        for thread in closers:
            thread.join(10)
        until(lambda: len(endings) == 3)
    assert endings[0] == endings[1] == endings[2] == client.close()


def test_client_held_by_its_own_hooks_goes_with_its_last_handle_and_so_do_its_threads() -> None:
    class Service:
        def __init__(self, address: tuple[str, int]) -> None:
            self.told: list[str] = []
            self.client = sync.start(address, on_connect=self.greet, on_event=self.note)

        def greet(self, io: sync.GreetingIo) -> None:
            self.told.append("greeted")

        def note(self, event: Event) -> None:
            self.told.append(event.name)

    with serving(echo) as server:
        service = Service(server.address)
        # Each in its own thread.
        until(lambda: sorted(service.told) == ["connected", "connecting", "greeted"])
        assert own_threads() == {"keepline-hooks", "keepline-events"}
        del service
        # Asked more than once: a thread may be within a hook of it still, and where another thread collects, it is refused.
        until(lambda: gc.collect() >= 0 and server.open_connections == 0 and not own_threads())


def own_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith(("keepline-hook", "keepline-event"))}


def until(condition: Callable[[], bool], within: float = 15) -> None:
    """Waits until something holds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.01)


def payload(client: sync.Client) -> bytes:
    message = client.recv(timeout=10)
    assert message is not None
    return message.payload


@contextmanager
def serving(serve: Serve) -> Iterator[Server]:
    """A server in a loop and a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = Server(serve)
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield server
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
