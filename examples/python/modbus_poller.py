"""Polls a holding register of a controller, and says so when its value is not known.

    python modbus_poller.py plc-7.example:502 --register 3

The industrial profile holds one connection with one request in flight, and queues nothing: a value is fresh, or there is
none. A late answer is never taken for that to the next question.
"""

import argparse
import asyncio
import struct

import keepline
from keepline import Correlation, Framing

ILLEGAL = 0x80
"""The bit in the function code by which a controller says that it did not do it."""


async def main(address: str, register: int, count: int, every: float) -> None:
    async with keepline.start(
        address,
        profile="industrial",
        framing=Framing.modbus_tcp(),
        correlation=Correlation.id(offset=0, width=2),
        heartbeat=keepline.Heartbeat(read_register(register), interval=2, reply_within=2),
    ) as client:
        for _ in range(count):
            try:
                print(f"register {register} is {value_of(await client.request(read_register(register), timeout=2))}", flush=True)
            except (keepline.Unavailable, keepline.Timeout) as error:
                print(f"register {register} is not known: {error.kind} {error.cause or ''}".rstrip(), flush=True)
            await asyncio.sleep(every)


def read_register(address: int) -> bytes:
    """Asks unit 1 for one holding register (function 3). The client writes the transaction id itself."""
    return struct.pack(">HHHBBHH", 0, 0, 6, 1, 3, address, 1)


def value_of(reply: bytes) -> int | str:
    """Header of 7 bytes, function, number of bytes, then the register."""
    if reply[7] & ILLEGAL:
        return f"refused with code {reply[8]}"
    return int.from_bytes(reply[9:11], "big")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("--register", type=int, default=0)
    parser.add_argument("--count", type=int, default=1_000_000, help="how many times")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two of them")
    arguments = parser.parse_args()
    try:
        asyncio.run(main(arguments.address, arguments.register, arguments.count, arguments.every))
    except KeyboardInterrupt:
        pass
