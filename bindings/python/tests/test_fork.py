"""A forked child gets typed errors from what it inherited, and works with what it makes itself."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable

import pytest

import keepline
import waiting
from keepline import Framing
from servers import Server, Sink, blocking_echo_process, echo_process

LINES = Framing.lines()


async def test_handles_of_the_parent_raise_forked_error_in_the_child() -> None:
    async with echo_process() as server:
        client = await keepline.connect(server.address, framing=LINES)
        blocking = await asyncio.to_thread(keepline.sync.connect, server.address, framing=LINES)
        receipt = await client.send_tracked(b"x")
        told = client.events()

        def child() -> None:
            for call in (
                lambda: client.try_send(b"x"),
                client.stats,
                client.reconnect,
                lambda: client.state,
                receipt.try_outcome,
                lambda: blocking.send(b"x"),
                blocking.recv,
                blocking.close,
            ):
                _raises(keepline.ForkedError, call)

            async def in_a_loop_of_its_own() -> None:
                for wait in (client.send(b"x"), client.recv(), client.close(), receipt.outcome(), told.__anext__()):
                    try:
                        await wait
                    except keepline.ForkedError as error:
                        assert error.kind == "forked" and isinstance(error, RuntimeError)
                    else:
                        raise AssertionError("no ForkedError")

            _run_in_new_loop(in_a_loop_of_its_own())

        assert await fork(child) == 0
        # The parent goes on.
        await client.send(b"parent")
        assert (await client.recv(timeout=5)) is not None
        await client.close()
        await asyncio.to_thread(blocking.close)


async def test_child_makes_clients_of_its_own() -> None:
    async with echo_process() as server:
        async with keepline.connect(server.address, framing=LINES) as client:

            def child() -> None:
                with keepline.sync.connect(server.address, framing=LINES) as own:
                    own.send(b"child")
                    message = own.recv(timeout=5)
                    assert message is not None and message.payload == b"child"

                async def in_a_loop_of_its_own() -> None:
                    async with keepline.connect(server.address, framing=LINES) as own:
                        await own.send(b"child")
                        assert await own.recv(timeout=5) is not None

                _run_in_new_loop(in_a_loop_of_its_own())

            for _ in range(5):
                assert await fork(child) == 0
            await client.send(b"parent")
            assert (await client.recv(timeout=5)) is not None


# The child tries whatever sends or ends, lets go of what it inherited, and ends as programs do: with atexit and destructors.
CHILD_THAT_ENDS = """
import asyncio, gc, os, warnings, keepline
warnings.simplefilter("ignore")  # of a fork beside threads, and of the loop that the child has and must leave open
address, framing = ("127.0.0.1", {port}), keepline.Framing.lines()
blocking = keepline.sync.connect(address, framing=framing)
loop = asyncio.new_event_loop()
client = loop.run_until_complete(keepline.connect(address, framing=framing))
pid = os.fork()
if pid == 0:
    batch = [b"child"]
    for use in (lambda: blocking.send(b"child"), lambda: blocking.send_many(batch), lambda: client.try_send(b"child"),
                lambda: client.try_send_many(batch), blocking.reconnect, blocking.close, blocking.abort, client.abort):
        try:
            use()
        except keepline.ForkedError:
            continue
        raise SystemExit("no ForkedError")
    del blocking, client, use
    gc.collect()
    # Newer interpreters complain that the loop is still open, which is the parent's, too.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    raise SystemExit(7)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
for each in (blocking, client):
    each.try_send(b"parent")
    print(each.stats().connections, each.epoch)
blocking.close()
loop.run_until_complete(client.close())
loop.close()
"""


async def test_child_that_ends_says_nothing_to_the_peer_of_its_parent() -> None:
    sink = Sink()
    async with Server(sink) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-X", "dev", "-c", CHILD_THAT_ENDS.format(port=server.port)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(50):
            said, told = await process.communicate()
        assert (process.returncode, said.decode().split(), told.decode()) == (0, ["7", "1", "1", "1", "1"], "")
        # What the parent closed was sent whole before.
        await waiting.until(lambda: server.open_connections == 0)
        assert sink.lines == [b"parent", b"parent"] and server.connections == 2


# Many threads, each waiting for work in the moment of the fork: what they wait in must mean nothing to the child.
CROWD = """
import os, signal, sys
os.environ["KEEPLINE_WORKERS"] = "64"
import keepline

def talk():
    with keepline.sync.connect(("127.0.0.1", {port}), framing=keepline.Framing.lines()) as client:
        client.send(b"hello")
        assert client.recv(timeout=20).payload == b"hello"

talk()
for _ in range(5):
    pid = os.fork()
    if pid == 0:
        # A child that hangs ends by this, and is told.
        signal.alarm(40)
        code = 1
        try:
            talk()
            code = 0
        finally:
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.mark.timeout(320)
def test_child_of_a_process_with_many_waiting_threads_has_threads_that_wait_and_wake() -> None:
    with blocking_echo_process() as server:
        command = [sys.executable, "-W", "ignore", "-c", CROWD.format(port=server.port)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (ran.returncode, ran.stdout.split(), ran.stderr) == (0, ["0"] * 5, "")


async def fork(child: Callable[[], None]) -> int:
    """Runs ``child`` in a fork of this process, at most 20 s; its exit code."""
    with warnings.catch_warnings():
        # Newer interpreters warn of every fork beside threads.
        warnings.simplefilter("ignore")
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            child()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    deadline = time.monotonic() + 20
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return -1
        await asyncio.sleep(0.02)


def _run_in_new_loop(coroutine: "asyncio.Future[None] | object") -> None:
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(coroutine)  # type: ignore[arg-type]
    finally:
        loop.close()


def _raises(expected: type[Exception], call: Callable[[], object]) -> None:
    try:
        call()
    except expected:
        return
    raise AssertionError(f"no {expected.__name__}")
