"""Threads that do not let go of the interpreter, and coroutines that do not let go of the loop."""

import threading
import time

import keepline
import waiting
from keepline import Framing, Heartbeat, State, events
from servers import blocking_echo_process, echo_process

LINES = Framing.lines()
ALIVE = Heartbeat(b"PING", reply=b"PING", interval=1, reply_within=2)


async def test_busy_thread_delays_messages_and_neither_loses_nor_reorders_them() -> None:
    stop = threading.Event()

    def burn() -> None:
        while not stop.is_set():
            pass

    hogs = [threading.Thread(target=burn) for _ in range(2)]
    for hog in hogs:
        hog.start()
    try:
        async with echo_process() as server, keepline.connect(server.address, framing=LINES) as client:
            for number in range(50):
                await client.send(b"%d" % number)
                message = await client.recv(timeout=20)
                assert message is not None and int(message.payload) == number
            await client.send_many([b"%d" % number for number in range(5000)])
            received: list[int] = []
            async for batch in client.batches():
                received += [int(message.payload) for message in batch]
                if len(received) == 5000:
                    break
            assert received == list(range(5000))
            assert client.epoch == 1
    finally:
        stop.set()
        for hog in hogs:
            hog.join()


async def test_blocked_loop_does_not_stop_the_heartbeat() -> None:
    with blocking_echo_process() as server:
        async with keepline.connect(server.address, framing=LINES, heartbeat=ALIVE) as client:
            before = client.stats().heartbeats
            # Longer than a peer may stay silent: the loop turns no more, the runtime goes on.
            time.sleep(4)
            assert client.stats().heartbeats >= before + 2
            assert client.state is State.CONNECTED and client.epoch == 1
            client.reconnect()
            lost = await waiting.event(client, events.Disconnected)
            assert lost.epoch == 1
