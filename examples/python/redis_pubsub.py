"""Follows a channel of Redis, through any number of connections.

    python redis_pubsub.py localhost:6379 news

Each connection begins with the subscription, and counts as connected only once the server has confirmed it: what is
published after "subscribed" arrives. What was published while there was no connection is gone; Redis does not keep it.
"""

import argparse
import asyncio

import keepline
from keepline import Framing, Heartbeat, Matcher, Script, events


async def main(address: str, channel: str) -> None:
    name = channel.encode()
    subscribe = b"*2\r\n$9\r\nSUBSCRIBE\r\n$%d\r\n%s\r\n" % (len(name), name)
    async with keepline.start(
        address,
        framing=Framing.resp(),
        # A list that grows and shrinks while the client runs is `client.subscribe`. This one is known from the first
        # connection on.
        greeting=Script().send(subscribe).expect(Matcher.prefix(b"*3\r\n$9\r\nsubscribe\r\n")),
        # A subscribed connection answers PING with an array.
        heartbeat=Heartbeat(b"PING\r\n", reply=Matcher.prefix(b"*2\r\n$4\r\npong\r\n"), interval=2, reply_within=2),
    ) as client:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(tell(client))
            async for message in client:
                print("message:", text_of(message.payload), flush=True)


def text_of(push: bytes) -> str:
    """The last element of ``message CHANNEL TEXT``, each with its length before it."""
    words = push.split(b"\r\n", 6)
    return words[6][:-2].decode(errors="replace") if words[2:3] == [b"message"] else repr(push)


async def tell(client: keepline.Client) -> None:
    """Says from when on messages arrive, and from when on not."""
    async for event in client.events():
        match event:
            case events.Connected(epoch=epoch):
                print(f"subscribed #{epoch}", flush=True)
            case events.Disconnected(cause=cause, retry_in=float(wait)):
                print(f"lost ({cause}), next attempt in {wait:.3f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("channel")
    arguments = parser.parse_args()
    try:
        asyncio.run(main(arguments.address, arguments.channel))
    except KeyboardInterrupt:
        pass
