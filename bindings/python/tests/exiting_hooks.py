"""A short program that ends while hooks and callbacks are asked, run and cancelled. Run by test_hooks_ends.py."""

import asyncio
import random
import sys
import threading
import time

import keepline
from keepline import Backoff, CredentialRequest, Event, Framing

LINES = Framing.lines()
QUICK = Backoff(first_spread=0.01, initial=0.01, max=0.02)
DICE = random.Random(int(sys.argv[2]))


async def greet(io: keepline.GreetingIo) -> None:
    io.send(b"hello " + await io.credentials())
    await io.recv()
    await asyncio.sleep(DICE.random() * 0.01)
    if DICE.random() < 0.2:
        raise keepline.RetryLater(0.01)


async def provide(request: CredentialRequest) -> bytes:
    await asyncio.sleep(DICE.random() * 0.005)
    return b"token"


async def note(event: Event) -> None:
    await asyncio.sleep(DICE.random() * 0.002)


def greet_blocking(io: keepline.sync.GreetingIo) -> None:
    io.send(b"hello " + io.credentials())
    io.recv()
    time.sleep(DICE.random() * 0.01)


def provide_blocking(request: CredentialRequest) -> bytes:
    time.sleep(DICE.random() * 0.005)
    return b"token"


def start() -> keepline.Client:
    return keepline.start(
        ("127.0.0.1", int(sys.argv[1])),
        framing=LINES,
        backoff=QUICK,
        on_connect=greet,
        on_event=note,
        credentials=provide,
    )


def start_blocking() -> keepline.sync.Client:
    return keepline.sync.start(
        ("127.0.0.1", int(sys.argv[1])),
        framing=LINES,
        backoff=QUICK,
        on_connect=greet_blocking,
        on_event=lambda event: time.sleep(0.001),
        credentials=provide_blocking,
    )


async def reconnecting(seconds: float) -> None:
    client = start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        client.reconnect()
        await asyncio.sleep(0.002)


def reconnecting_blocking() -> None:
    try:
        client = start_blocking()
    except keepline.Closed:
        # The program has begun to end, and there are no new threads any more.
        return
    while True:
        client.reconnect()
        time.sleep(0.002)


def main() -> None:
    seconds = DICE.random() * 0.08
    match int(sys.argv[2]) % 5:
        case 0:
            asyncio.run(reconnecting(seconds))
        case 1:
            # A closed loop whose client goes on asking.
            loop = asyncio.new_event_loop()
            globals()["kept"] = loop.run_until_complete(kept(seconds))
            loop.run_until_complete(cancel_all())
            loop.close()
            globals()["kept"].reconnect()
            time.sleep(0.05)
        case 2:
            threading.Thread(target=lambda: asyncio.run(reconnecting(60)), daemon=True).start()
            time.sleep(seconds)
        case 3:
            for _ in range(2):
                threading.Thread(target=reconnecting_blocking, daemon=True).start()
            time.sleep(seconds)
        case _:
            globals()["kept"] = start_blocking()
            time.sleep(seconds)


async def kept(seconds: float) -> keepline.Client:
    client = start()
    await asyncio.sleep(seconds)
    return client


async def cancel_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


main()
