"""The blocking twin."""

import signal
import threading
import time
from collections.abc import Iterator

import pytest

import keepline
from keepline import Backoff, Cause, Correlation, Framing, State, events, sync
from servers import Process, blocking_echo_process, free_port

LINES = Framing.lines()
QUICK = Backoff(first_spread=0.05, initial=0.05, max=0.2)


@pytest.fixture
def server() -> Iterator[Process]:
    """An echo server in a process of its own."""
    with blocking_echo_process() as process:
        yield process


def test_messages_requests_and_events(server: Process) -> None:
    with sync.connect(server.address, framing=LINES) as client:
        assert client.state is State.CONNECTED
        for number in range(500):
            client.send(b"%d" % number)
        received = [client.recv(timeout=5), *client.recv_many(100, timeout=5)]
        while len(received) < 500:
            received += client.recv_many(timeout=5)
        assert [int(message.payload) for message in received if message is not None] == list(range(500))
        with pytest.raises(keepline.Timeout):
            client.recv(timeout=0.01)
        receipt = client.send_tracked(b"tracked", timeout=1)
        for message in client:
            assert message.payload == b"tracked"
            break
        assert client.epoch == 1 and client.stats().received == 501
        assert client.config.framing == Framing(kind="lines", max=1 << 20)
        assert client.detection_bound is None and client.notices
    assert receipt.outcome() == receipt.try_outcome() == "acked"
    assert [event.name for event in client.events()][-1] == "closed"
    assert client.recv() is None
    assert list(client) == []
    with pytest.raises(keepline.Closed):
        client.send(b"too late")
    with sync.connect(server.address, framing=LINES, correlation=Correlation.fifo()) as client:
        assert client.request(b"hello", timeout=5) == b"hello"


def test_client_comes_back_after_a_restart(server: Process) -> None:
    with sync.connect(server.address, framing=LINES, backoff=QUICK) as client:
        server.kill()
        told = client.events()
        lost = next(event for event in told if isinstance(event, events.Disconnected))
        client.send(b"while down")
        server.start()
        back = next(event for event in told if isinstance(event, events.Connected))
        assert back.seq > lost.seq
        message = client.recv(timeout=5)
        assert message is not None and message.epoch == back.epoch
        client.pause()
        client.resume()
        client.reconnect()
        client.network_changed()
    assert client.closed().cause is Cause.REQUESTED


def test_threads_share_a_client(server: Process) -> None:
    received: list[int] = []
    with sync.connect(server.address, framing=LINES) as client:

        def read() -> None:
            while (message := client.recv()) is not None:
                received.append(int(message.payload))

        def write(first: int) -> None:
            for number in range(first, first + 500):
                client.send(b"%d" % number)

        readers = [threading.Thread(target=read) for _ in range(3)]
        writers = [threading.Thread(target=write, args=(first,)) for first in (0, 500)]
        for thread in readers + writers:
            thread.start()
        for thread in writers:
            thread.join(20)
        deadline = time.monotonic() + 20
        while len(received) < 1000 and time.monotonic() < deadline:
            time.sleep(0.01)
        client.close()
        for thread in readers:
            thread.join(5)
            assert not thread.is_alive()
    assert sorted(received) == list(range(1000))


def test_nobody_there_is_unavailable_and_start_goes_on_dialling() -> None:
    address = ("127.0.0.1", free_port())
    with pytest.raises(keepline.Unavailable):
        sync.connect(address, connect_within=0.3)
    client = sync.start(address)
    assert client.state in (State.CONNECTING, State.WAITING)
    client.abort()
    assert client.closed().cause is Cause.REQUESTED


def test_interrupted_wait_loses_no_message_and_others_go_on_meanwhile(server: Process) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    begin = threading.Event()

    def count_and_interrupt() -> None:
        begin.wait()
        # A wait that held the interpreter's lock would keep this from counting.
        for _ in range(100):
            time.sleep(0.001)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    beside = threading.Thread(target=count_and_interrupt)
    beside.start()
    try:
        with sync.connect(server.address, framing=LINES) as client:
            with pytest.raises(Interrupted):
                begin.set()
                client.recv(timeout=20)
            client.send(b"after")
            message = client.recv(timeout=5)
            assert message is not None and message.payload == b"after"
    finally:
        begin.set()
        beside.join(30)
        signal.signal(signal.SIGALRM, before)


def test_leaving_by_an_exception_aborts(server: Process) -> None:
    with pytest.raises(ZeroDivisionError), sync.connect(server.address) as client:
        raise ZeroDivisionError
    assert client.state is State.CLOSED
