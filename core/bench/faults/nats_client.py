"""nats-py, as quick as it can be set. It has no setting for the socket's options."""

import asyncio
import contextlib
import sys

import nats
from console import FLOOD, PAUSE, WITHIN, host_and_port, tell
from nats.aio.client import Client
from nats.aio.subscription import Subscription

# 512 KiB a message: the server takes up to 1 MiB.
MESSAGE = 512 * 1024
# 100 ms until it says it again: what is published while a connection dies is lost, and nobody is told.
AGAIN = 0.1


async def main() -> None:
    host, port = host_and_port()

    async def disconnected() -> None:
        tell("lost", "disconnected")

    async def failed(error: Exception) -> None:
        tell("error", repr(error))

    client = await nats.connect(
        f"nats://{host}:{port}",
        # Dead when two pings are out and a third is due.
        ping_interval=1,
        max_outstanding_pings=2,
        connect_timeout=WITHIN,
        reconnect_time_wait=0.1,
        max_reconnect_attempts=-1,
        disconnected_cb=disconnected,
        error_cb=failed,
    )
    heard = await client.subscribe("echo")
    await exchange(client, heard, 0)
    tell("ready")
    words: asyncio.Queue[str] = asyncio.Queue()
    asyncio.get_running_loop().add_reader(sys.stdin, lambda: words.put_nowait(sys.stdin.readline().strip()))
    asking, count = False, 0
    flooding: asyncio.Task | None = None
    while True:
        count += 1
        word = "" if asking and words.empty() else await words.get()
        if word == "once":
            await tell_exchange(client, heard, count)
        elif word == "ask":
            asking = True
        elif word == "flood":
            flooding = asyncio.create_task(flood(client))
        elif asking:
            await tell_exchange(client, heard, count)
            await asyncio.sleep(PAUSE)
        else:
            sys.exit(f"{flooding} is left: standard input ended")


async def exchange(client: Client, heard: Subscription, count: int) -> None:
    """What this client says to itself through the server."""
    async with asyncio.timeout(WITHIN):
        token = str(count).encode()
        answer = b""
        while answer != token:
            await client.publish("echo", token)
            # Late ones belong to exchanges that were given up.
            with contextlib.suppress(nats.errors.TimeoutError):
                answer = (await heard.next_msg(AGAIN)).data


async def tell_exchange(client: Client, heard: Subscription, count: int) -> None:
    try:
        await exchange(client, heard, count)
    except Exception as error:  # The library raises its own, asyncio's and the system's.
        tell("error", repr(error))
    else:
        tell("ok")


async def flood(client: Client) -> None:
    try:
        for _ in range(FLOOD // MESSAGE):
            await client.publish("sink", b"x" * MESSAGE)
        await client.flush(600)
    except Exception as error:  # As above.
        tell("error", repr(error))
    else:
        tell("flooded")


if __name__ == "__main__":
    asyncio.run(main())
