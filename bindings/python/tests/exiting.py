"""A short program that ends at a random moment in the middle of its work. Run by test_exit.py."""

import asyncio
import random
import sys
import threading
import time

import keepline


async def work(port: int) -> None:
    """Sends, receives, tracks, listens, without an end."""
    async with keepline.connect(("127.0.0.1", port), framing=keepline.Framing.lines()) as client:

        async def listen() -> None:
            async for _ in client.events():
                pass

        async def track() -> None:
            while True:
                receipt = await client.send_tracked(b"tracked")
                waiter = asyncio.ensure_future(receipt.outcome())
                await asyncio.sleep(0)
                waiter.cancel()

        tasks = [asyncio.ensure_future(listen()), asyncio.ensure_future(track())]
        try:
            while True:
                await client.send(b"message")
                await client.recv()
        finally:
            for task in tasks:
                task.cancel()


def work_blocking(port: int) -> None:
    """The same, in a thread without a loop."""
    with keepline.sync.connect(("127.0.0.1", port), framing=keepline.Framing.lines()) as client:
        while True:
            client.send(b"message")
            client.recv()


async def bounded(port: int, seconds: float) -> None:
    task = asyncio.ensure_future(work(port))
    await asyncio.sleep(seconds)
    del task


async def exiting(port: int, seconds: float) -> None:
    task = asyncio.ensure_future(work(port))
    asyncio.get_running_loop().call_later(seconds, sys.exit, 0)
    await task


def main() -> None:
    port, seed = int(sys.argv[1]), int(sys.argv[2])
    seconds = random.Random(seed).random() * 0.06
    match seed % 5:
        case 0:
            # The usual end: the loop is left with work in it.
            asyncio.run(bounded(port, seconds))
        case 1:
            # An exit from within a callback.
            asyncio.run(exiting(port, seconds))
        case 2:
            # A loop in a daemon thread, which the interpreter drops wherever it is.
            threading.Thread(target=lambda: asyncio.run(work(port)), daemon=True).start()
            time.sleep(seconds)
        case 3:
            # Blocking waits in daemon threads.
            for _ in range(3):
                threading.Thread(target=work_blocking, args=(port,), daemon=True).start()
            time.sleep(seconds)
        case _:
            # A client that nobody closes, kept by the module until the interpreter tears it down.
            globals()["kept"] = keepline.sync.start(("127.0.0.1", port), framing=keepline.Framing.lines())
            globals()["kept"].try_send(b"message")
            time.sleep(seconds)


main()
