"""A Modbus TCP server on 127.0.0.1 with holding registers 0 to 99, which logs every write it carries out.

Each register starts as its own address. A line of the log is `seconds function address value,value,...`; it is
written before the answer, so a write that was answered is in the log even if this process is killed.
The server ends when its standard input does, so it does not outlive the test that started it.
"""

import argparse
import asyncio
import os
import sys
import time

EXIT_MISSING = 3

try:
    from pymodbus.server import ModbusTcpServer
    from pymodbus.simulator import DataType, SimData, SimDevice
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(EXIT_MISSING)


async def serve(port: int, log: int) -> None:
    async def record(function, _start, address, _count, _registers, values) -> None:
        if values is not None:
            text = ",".join(str(int(value)) for value in values)
            os.write(log, f"{time.time():.6f} {function} {address} {text}\n".encode())

    registers = SimData(0, values=list(range(100)), datatype=DataType.REGISTERS)
    # Device 0 answers to every unit id.
    device = SimDevice(id=0, simdata=[registers], action=record)
    server = ModbusTcpServer(device, address=("127.0.0.1", port))
    asyncio.get_running_loop().add_reader(0, stop_at_end_of_input)
    await server.serve_forever()


def stop_at_end_of_input() -> None:
    if not os.read(0, 4096):
        os._exit(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", required=True)
    arguments = parser.parse_args()
    log = os.open(arguments.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    asyncio.run(serve(arguments.port, log))
