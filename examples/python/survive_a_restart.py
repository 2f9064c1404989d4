"""Writes a beat to Redis five times a second, and knows in the end what became of each.

    python survive_a_restart.py localhost:6379

Stop the server, start it again: the beats go on by themselves. Ctrl-C, or the end of --count, prints the sum.
"""

import argparse
import asyncio
from collections import Counter

import keepline
from keepline import Framing, Heartbeat, Outcome, Receipt, events


async def main(address: str, count: int, every: float) -> None:
    async with keepline.connect(
        address,
        framing=Framing.resp(),
        heartbeat=Heartbeat(b"PING\r\n", reply=b"+PONG\r\n", interval=1, reply_within=2),
        # Nobody here waits for the replies: the receipts say what became of each beat.
        unsolicited="discard",
    ) as client:
        telling = asyncio.create_task(tell(client))
        receipts: list[Receipt] = []
        try:
            while len(receipts) < count:
                receipts.append(await client.send_tracked(b"SET beat %d\r\n" % len(receipts)))
                await asyncio.sleep(every)
        finally:
            # What still waits has five seconds to leave.
            await client.close(drain=5)
            await telling
            outcomes = Counter([await receipt.outcome() for receipt in receipts])
            print(f"{len(receipts)} beats:", *(f"{outcomes[outcome]} {outcome.value}" for outcome in Outcome))


async def tell(client: keepline.Client) -> None:
    """Says what a user would tell a friend."""
    async for event in client.events():
        match event:
            case events.Connected(epoch=epoch, after=after):
                print(f"connected #{epoch} after {after:.3f} s", flush=True)
            case events.Disconnected(cause=cause, retry_in=float(wait)):
                print(f"lost ({cause}), next attempt in {wait:.3f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("--count", type=int, default=1_000_000, help="how many beats")
    parser.add_argument("--every", type=float, default=0.2, help="seconds between two of them")
    arguments = parser.parse_args()
    try:
        asyncio.run(main(arguments.address, arguments.count, arguments.every))
    except KeyboardInterrupt:
        pass
