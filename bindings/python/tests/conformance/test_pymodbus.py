"""pymodbus's own client, unmodified, over the drop-in: every kind of request, and a server that is killed and comes back."""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

import keepline
from conformance import dropin
from conformance.dropin import over
from servers import Process, free_port

PROGRAM = """
import asyncio, sys
from pymodbus.datastore import ModbusSequentialDataBlock as Block, ModbusServerContext, ModbusDeviceContext
from pymodbus.server import StartAsyncTcpServer
device = ModbusDeviceContext(
    di=Block(1, [True, False] * 50), co=Block(1, [False] * 100), hr=Block(1, [17] * 100), ir=Block(1, [23] * 100)
)
asyncio.run(StartAsyncTcpServer(ModbusServerContext(devices=device), address=("127.0.0.1", int(sys.argv[1]))))
"""


@pytest_asyncio.fixture
async def modbus() -> AsyncIterator[Process]:
    """A pymodbus server in a process of its own."""
    port = free_port()
    process = Process([sys.executable, "-c", PROGRAM, str(port)], port)
    process.start()
    try:
        await process.ready()
        yield process
    finally:
        process.kill()


async def test_every_kind_of_request_is_answered(modbus: Process) -> None:
    with dropin.in_place() as opened:
        client = AsyncModbusTcpClient("127.0.0.1", port=modbus.port)
        assert await client.connect()
        assert (await client.read_holding_registers(3, count=2)).registers == [17, 17]
        assert (await client.read_input_registers(3, count=2)).registers == [23, 23]
        assert (await client.read_discrete_inputs(0, count=4)).bits[:4] in ([True, False] * 2, [False, True] * 2)
        assert not (await client.write_coils(5, [True, True])).isError()
        assert (await client.read_coils(5, count=2)).bits[:2] == [True, True]
        assert not (await client.write_registers(7, [1, 2, 3])).isError()
        assert (await client.read_holding_registers(7, count=3)).registers == [1, 2, 3]
        assert not (await client.mask_write_register(address=7, and_mask=0, or_mask=9)).isError()
        both = await client.readwrite_registers(read_address=7, read_count=1, write_address=8, values=[5])
        assert both.registers == [9]
        assert (await client.read_holding_registers(9_999, count=1)).isError(), "an answer of the device, not of the link"
        many = await asyncio.gather(*(client.read_holding_registers(20, count=1) for _ in range(50)))
        assert all(answer.registers == [17] for answer in many)
        client.close()
    assert len(opened) == 1 and opened[0].is_closing()


async def test_client_reconnects_by_itself_after_the_server_was_killed(modbus: Process) -> None:
    async with keepline.connect_streams(
        modbus.address, profile="industrial", backoff=keepline.Backoff(first_spread=0.2, initial=0.2, max=1)
    ) as streams:
        with over(asyncio.get_running_loop(), streams):
            client = AsyncModbusTcpClient("127.0.0.1", port=modbus.port, timeout=2, reconnect_delay=0.1)
            assert await client.connect()
            for round_trip in range(2):
                assert (await client.read_holding_registers(3, count=1)).registers == [17], round_trip
                modbus.kill()
                with pytest.raises(ModbusException):
                    while True:
                        await client.read_holding_registers(3, count=1)
                modbus.start()
                await modbus.ready()
                async with asyncio.timeout(20):
                    while not client.connected:
                        await asyncio.sleep(0.02)
            assert (await client.read_holding_registers(3, count=1)).registers == [17]
            assert streams.stats().connections == 3
            client.close()
