"""Talks in lines with a server that wants a login first, through its restarts.

    LINE_CLIENT_SECRET=secret python line_client.py localhost:6379

Each line that is typed is sent, each that comes is printed. Redis takes lines, too, and its login is ``AUTH password``. The client
logs in by itself on each new connection, before anything that was typed meanwhile. It ends with its input, or when the server refuses
the login.
"""

import asyncio
import os
import sys

import keepline
from keepline import Framing, Heartbeat, Matcher, Script, events


async def main(address: str, secret: str) -> None:
    client = keepline.start(
        address,
        framing=Framing.lines(),
        credentials=secret.encode(),
        greeting=Script().refused(Matcher.prefix(b"-WRONGPASS")).send_credentials(b"AUTH ").expect(b"+OK"),
        auth_attempts=1,
        heartbeat=Heartbeat(b"PING", reply=b"+PONG", interval=2, reply_within=2),
    )
    telling = asyncio.create_task(tell(client))
    typing = asyncio.create_task(type_into(client))
    try:
        async for message in client:
            print(message.payload.decode(errors="replace"), flush=True)
        await typing
    except keepline.Closed as error:
        sys.exit(f"over: {error.cause}")
    finally:
        typing.cancel()
        await telling


async def type_into(client: keepline.Client) -> None:
    """Sends what is typed, and closes at the end of it."""
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    try:
        while line := await lines.readline():
            await client.send(line.rstrip(b"\r\n"))
        await client.close(drain=5)
    finally:
        pipe.close()


async def tell(client: keepline.Client) -> None:
    """Says what a user would tell a friend."""
    async for event in client.events():
        match event:
            case events.Connected(epoch=epoch):
                print(f"* logged in #{epoch}", flush=True)
            case events.Disconnected(cause=cause):
                print(f"* lost ({cause})", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], os.environ.get("LINE_CLIENT_SECRET", "")))
