"""asyncua's own client, unmodified, over the drop-in: a session with its own server, through a restart of it."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from asyncua.client.client import Client
from asyncua.ua.uaerrors import UaError

import keepline
from conformance.dropin import over
from servers import Process, free_port

PROGRAM = """
import asyncio, socket, sys
from asyncua import Server
async def main():
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{sys.argv[1]}/")
    space = await server.register_namespace("urn:keepline:tests")
    plant = await server.nodes.objects.add_object(space, "plant")
    level = await plant.add_variable(space, "level", 17)
    await level.set_writable()
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", int(sys.argv[1])))
                break
            except OSError:
                await asyncio.sleep(0.1)
    async with server:
        await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest_asyncio.fixture
async def opcua() -> AsyncIterator[Process]:
    """An asyncua server in a process of its own; when that is killed, another takes its place.

    It is started before and waits for the port: it needs seconds of computing.
    """
    port = free_port()
    command = [sys.executable, "-c", PROGRAM, str(port)]
    first, second = Process(command, port), Process(command, port)
    first.start()
    try:
        await first.ready(100)
        second.start()
        yield first
    finally:
        first.kill()
        second.kill()


@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("default")
async def test_session_is_made_anew_by_the_client_itself_after_the_server_came_back(opcua: Process) -> None:
    # It tells of each failed attempt as an error.
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    async with keepline.connect_streams(opcua.address, backoff=keepline.Backoff(max=0.5)) as streams:
        with over(asyncio.get_running_loop(), streams):
            client = Client(f"opc.tcp://127.0.0.1:{opcua.port}/", timeout=20, auto_reconnect=True)
            await client.connect()
            assert await level(client) == 17
            opcua.kill()
            await opcua.ready(100)
            async with asyncio.timeout(150):
                while True:
                    try:
                        assert await level(client) == 17
                        break
                    except (OSError, asyncio.TimeoutError, UaError):
                        # Also while the connection is there and its session is not yet.
                        await asyncio.sleep(0.1)
            assert streams.stats().connections >= 2, "it was another server that answered"
            await client.disconnect()


async def level(client: Client) -> object:
    space = await client.get_namespace_index("urn:keepline:tests")
    node = await client.nodes.objects.get_child([f"{space}:plant", f"{space}:level"])
    return await node.read_value()
