"""A machine without memory: a message that cannot be copied is an exception, and the program goes on."""

import subprocess
import sys

import pytest

from servers import blocking_echo_process

PROGRAM = """
import asyncio, resource, sys, keepline

async def main():
    client = await keepline.connect(
        ("127.0.0.1", {port}), framing=keepline.Framing.length_prefixed(4, max={size} * 2),
        outbox=keepline.Outbox(bytes={size} * 2),
    )
    large = {large}
    with open("/proc/self/statm") as statm:
        pages = int(statm.read().split()[0])
    # Whatever is asked for from here on, a quarter of a message has room.
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = pages * resource.getpagesize() + {size} // 4
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    try:
        await {call}
    except MemoryError:
        print("refused")
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    await client.send(b"small")
    print((await client.recv(timeout=10)).payload.decode())
    await client.close()

asyncio.run(main())
"""

SIZE = 1 << 28


@pytest.mark.parametrize(
    "call",
    [
        "client.send(bytearray(large))",
        "client.send(large)",
        "client.send_tracked(large)",
        "client.request(large, 1)",
        "client.send_many([large, b'x'])",
    ],
)
@pytest.mark.parametrize("large", [f"bytearray({SIZE})", f"bytes({SIZE})"])
def test_message_that_there_is_no_memory_for_is_refused_and_the_client_goes_on(call: str, large: str) -> None:
    with blocking_echo_process() as server:
        program = PROGRAM.format(port=server.port, size=SIZE, call=call, large=large)
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (0, "refused\nsmall\n"), ran.stderr
