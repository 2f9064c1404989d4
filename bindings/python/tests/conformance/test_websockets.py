"""The websockets package over the drop-in: whole sessions with its own server, plain and encrypted, through a restart."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

import keepline
from conformance import dropin
from conformance.dropin import over
from servers import certificate_for_localhost, free_port

BIG = "x" * 500_000


async def test_session_with_a_real_server_over_the_transport() -> None:
    async with server() as port:
        with dropin.in_place() as opened:
            async with connect(f"ws://127.0.0.1:{port}/", max_size=None, proxy=None) as session:
                for sent in ("hello", BIG):
                    await session.send(sent)
                    assert await session.recv() == sent
                # Fragments, and control frames of its own between them.
                await session.send(["a", "b", "c"])
                assert await session.recv() == "abc"
                await asyncio.wait_for(await session.ping(), 10)
                assert session.remote_address == ("127.0.0.1", port)
            assert session.close_code == 1000
        assert len(opened) == 1


async def test_encrypted_session_lays_an_ssl_context_over_the_transport(tmp_path: Path) -> None:
    chain, key = certificate_for_localhost(tmp_path)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(chain, key)
    trusted = ssl.create_default_context(cafile=str(chain))
    async with server(own) as port:
        with dropin.in_place() as opened:
            async with connect(f"wss://localhost:{port}/", ssl=trusted, max_size=None, proxy=None) as session:
                await session.send(BIG)
                assert await session.recv() == BIG
                assert session.transport.get_extra_info("ssl_object") is not None
        assert len(opened) == 1


async def test_iteration_over_connections_goes_on_after_the_server_came_back() -> None:
    """``async for session in connect(...)``: how programs with websockets reconnect, over connections of one client."""
    port = free_port()
    loop = asyncio.get_running_loop()
    running = await serve(answer, "127.0.0.1", port)
    streams = await keepline.connect_streams(("127.0.0.1", port), backoff=keepline.Backoff(max=0.5))
    epochs: list[int] = []
    with over(loop, streams):
        async for session in connect(f"ws://127.0.0.1:{port}/", proxy=None):
            try:
                while True:
                    await session.send("hello")
                    assert await session.recv() == "hello"
                    epochs.append(streams.epoch)
                    if epochs[-1] > epochs[0]:
                        break
                    running.close(close_connections=True, code=1012)
                    await running.wait_closed()
                    running = await serve(answer, "127.0.0.1", port)
            except ConnectionClosed:
                continue
            break
    assert epochs[-1] > epochs[0]
    await streams.close()
    running.close()
    await running.wait_closed()


@asynccontextmanager
async def server(context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Answers each message with itself."""
    async with serve(answer, "127.0.0.1", 0, ssl=context, max_size=None) as running:
        yield next(iter(running.sockets)).getsockname()[1]


async def answer(session: ServerConnection) -> None:
    async for message in session:
        await session.send(message)
