"""A thousand clients at once, then thousands one after the other; prints what they cost. Run by test_many.py."""

import asyncio
import gc
import json
import os
import resource
import sys

import keepline
from keepline import Framing, State

LINES = Framing.lines()
ALIVE = 1000
CYCLES = 1000


def footprint() -> dict[str, int]:
    gc.collect()
    with open("/proc/self/statm") as statm:
        resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "resident": resident,
    }


async def alive(address: tuple[str, int]) -> dict[str, int]:
    """What a thousand clients cost that all live and have all talked."""
    clients = [keepline.start(address, framing=LINES) for _ in range(ALIVE)]
    for client in clients:
        await client.send(b"x")
    for client in clients:
        assert await client.recv(timeout=20) is not None
    assert all(client.state is State.CONNECTED for client in clients)
    cost = footprint()
    await asyncio.gather(*(client.close() for client in clients))
    return cost


async def cycles(address: tuple[str, int]) -> None:
    for _ in range(CYCLES):
        async with keepline.connect(address, framing=LINES) as client:
            await client.send(b"x")
            assert await client.recv(timeout=20) is not None


async def main() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    address = ("127.0.0.1", int(sys.argv[1]))
    async with keepline.connect(address, framing=LINES):
        before = footprint()
    with_all = await alive(address)
    await cycles(address)
    after_first = footprint()
    await cycles(address)
    print(json.dumps({"before": before, "alive": with_all, "first": after_first, "second": footprint()}))


asyncio.run(main())
