"""A Modbus server that is stopped and started again; requests fail fast meanwhile."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import keepline
from keepline import Backoff, Correlation, Framing
from servers import Process, modbus_process


@pytest_asyncio.fixture
async def modbus() -> AsyncIterator[Process]:
    async with modbus_process() as process:
        yield process


async def test_reads_resume_by_themselves_after_the_server_came_back(modbus: Process) -> None:
    async with keepline.connect(
        modbus.address,
        profile="industrial",
        framing=Framing.modbus_tcp(),
        correlation=Correlation.id(offset=0, width=2),
        backoff=Backoff(first_spread=0.2, initial=0.2, max=1),
    ) as client:
        assert await read_register(client, 3) == 17
        modbus.kill()
        await asyncio.sleep(0)
        down_since = time.monotonic()
        failures = 0
        while time.monotonic() - down_since < 2:
            # It fails fast: whatever waited for a connection, or for a reply, would end by its timeout.
            with pytest.raises(keepline.Unavailable):
                await read_register(client, 3)
            failures += 1
            await asyncio.sleep(0.05)
        assert failures > 5
        modbus.start()
        await modbus.ready()
        back_at = time.monotonic()
        while True:
            try:
                value = await read_register(client, 3)
                break
            except keepline.Unavailable:
                await asyncio.sleep(0.02)
        assert value == 17
        # The longest wait between two attempts, and 2 s for a busy machine.
        assert time.monotonic() - back_at < 1.1 + 2


async def read_register(client: keepline.Client, address: int) -> int:
    request = struct.pack(">HHHBBHH", 0, 0, 6, 1, 3, address, 1)
    reply = await client.request(request, timeout=5)
    assert reply[:2] == b"\0\0", "the caller's id is restored"
    (value,) = struct.unpack(">H", reply[9:11])
    return int(value)
