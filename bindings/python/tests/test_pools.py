"""Pools of processes beside a live client: typed errors in the children, nothing of theirs on the parent's connection."""

import asyncio
import multiprocessing
import os
import pickle
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from multiprocessing.context import BaseContext

import pytest

import keepline
from keepline import Framing, Message, sync
from servers import Server, Sink, blocking_echo_process

LINES = Framing.lines()
JOBS = 8

# Newer interpreters warn of every fork beside threads.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


class Kept:
    """What a forked child finds in the memory of its parent."""

    clients: tuple[keepline.Client, sync.Client] | None = None


def tries_what_it_inherited(number: int) -> list[str]:
    """In a child: the names of what each use of the parent's clients raises."""
    if Kept.clients is None:
        return ["nothing inherited"]
    client, blocking = Kept.clients
    uses: list[Callable[[], object]] = [
        lambda: client.try_send(b"child"),
        lambda: client.try_send_many([b"child", b"child"]),
        client.stats,
        client.reconnect,
        client.abort,
        lambda: blocking.send(b"child"),
        lambda: blocking.send_many([b"child"]),
        lambda: blocking.recv(timeout=1),
        blocking.close,
        lambda: asyncio.run(_use(client)),
    ]
    return [_raised(use) for use in uses]


def talks_by_itself(port: int) -> list[Message]:
    """In a child: with clients of its own, a blocking one and one in a loop."""
    with sync.connect(("127.0.0.1", port), framing=LINES) as client:
        client.send(b"blocking")
        received = [client.recv(timeout=10)]

    async def in_a_loop() -> None:
        async with keepline.connect(("127.0.0.1", port), framing=LINES) as client:
            await client.send(b"in a loop")
            received.append(await client.recv(timeout=10))

    asyncio.run(in_a_loop())
    return [message for message in received if message is not None]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
async def test_pool_of_multiprocessing(method: str) -> None:
    context = multiprocessing.get_context(method)

    def run(port: int) -> None:
        with context.Pool(2) as pool:
            expected = ["ForkedError"] * 10 if method == "fork" else ["nothing inherited"]
            assert pool.map(tries_what_it_inherited, range(JOBS)) == [expected] * JOBS
            _own(pool.map(talks_by_itself, [port] * JOBS))

    async with beside_a_parent() as port:
        await asyncio.wait_for(asyncio.to_thread(run, port), 50)


@pytest.mark.parametrize("method", ["fork", "spawn"])
async def test_process_pool_executor(method: str) -> None:
    context: BaseContext = multiprocessing.get_context(method)
    async with beside_a_parent() as port:
        loop = asyncio.get_running_loop()
        # Made and first used in another thread, as a web server with workers does.
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            jobs = [loop.run_in_executor(pool, tries_what_it_inherited, number) for number in range(JOBS)]
            expected = ["ForkedError"] * 10 if method == "fork" else ["nothing inherited"]
            assert await asyncio.wait_for(asyncio.gather(*jobs), 50) == [expected] * JOBS
            own = [loop.run_in_executor(pool, talks_by_itself, port) for _ in range(JOBS)]
            _own(await asyncio.wait_for(asyncio.gather(*own), 50))


async def test_fork_in_a_thread() -> None:
    codes: list[int] = []

    def fork_and_wait(port: int) -> None:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                if tries_what_it_inherited(0) == ["ForkedError"] * 10:
                    _own([talks_by_itself(port)])
                    code = 0
            finally:
                os._exit(code)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    async with beside_a_parent() as port:
        threads = [threading.Thread(target=fork_and_wait, args=(port,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join, 50)
    assert codes == [0] * 4


def test_clients_do_not_travel_and_messages_do() -> None:
    client = sync.start("127.0.0.1:1")
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(client)
    client.abort()
    message = Message(b"payload", epoch=7)
    assert pickle.loads(pickle.dumps(message)) == message


@asynccontextmanager
async def beside_a_parent() -> AsyncIterator[int]:
    """Clients of this process at work, and the port of a server for children; the parent's server hears no child."""
    sink = Sink()
    sent = [b"parent %d" % number for number in range(200)]
    with blocking_echo_process() as other:
        async with (
            Server(sink) as server,
            keepline.connect(server.address, framing=LINES) as client,
        ):
            blocking = await asyncio.to_thread(sync.connect, server.address, framing=LINES)
            Kept.clients = client, blocking

            async def work() -> None:
                for line in sent:
                    await client.send(line)
                    await asyncio.sleep(0.001)

            working = asyncio.ensure_future(work())
            try:
                yield other.port
                await working
                await asyncio.to_thread(blocking.send, b"blocking parent")
                await asyncio.to_thread(blocking.close)
                await client.close()
            finally:
                working.cancel()
                Kept.clients = None
            async with asyncio.timeout(10):
                while len(sink.lines) < len(sent) + 1:
                    await asyncio.sleep(0.01)
            assert client.epoch == 1
            assert server.connections == 2
        assert [line for line in sink.lines if line != b"blocking parent"] == sent


async def _use(client: keepline.Client) -> None:
    for wait in (client.send_many([b"child"]), client.recv(), client.recv_many(), client.close()):
        try:
            await wait
        except keepline.ForkedError:
            continue
        raise AssertionError("no ForkedError")
    raise keepline.ForkedError("all of them")


def _raised(use: Callable[[], object]) -> str:
    try:
        use()
    except BaseException as error:
        return type(error).__name__
    return "nothing"


def _own(received: list[list[Message]]) -> None:
    for messages in received:
        assert [message.payload for message in messages] == [b"blocking", b"in a loop"]
