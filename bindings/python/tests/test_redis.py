"""Redis as it is, killed and restarted while 10,000 tracked SETs go through one client."""

import asyncio
import signal
from collections import Counter
from typing import Literal

import pytest

import keepline
import waiting
from keepline import Backoff, Framing, Heartbeat, Outcome, Receipt, Script, events
from servers import Process, redis_process

SETS = 10_000
KILLS = 5
PING = b"PING\r\n"
PONG = b"+PONG\r\n"


@pytest.mark.timeout(150)
@pytest.mark.parametrize("while_down", ["queue", "reject"])
async def test_every_set_has_one_true_outcome_though_redis_is_killed_five_times(
    while_down: Literal["queue", "reject"],
) -> None:
    async with redis_process() as redis:
        async with keepline.connect(
            redis.address,
            framing=Framing.resp(),
            # A server that still loads its data answers the first PING with an error.
            greeting=Script().send(PING).expect(PONG),
            heartbeat=Heartbeat(PING, reply=PONG, interval=1, reply_within=10),
            backoff=Backoff(first_spread=0.1, initial=0.1, max=0.5),
            while_down=while_down,
        ) as client:
            replies: Counter[bytes] = Counter()
            reader = asyncio.create_task(count_replies(client, replies))
            receipts: dict[int, Receipt] = {}
            for kill in range(KILLS):
                await send_sets(client, receipts, SETS * (kill + 1) // KILLS - 500)
                # Frozen first, so that the outbox certainly holds something when it is killed.
                redis.signal(signal.SIGSTOP)
                await fill(client, receipts, SETS * (kill + 1) // KILLS)
                before = client.epoch
                redis.kill()
                await waiting.event(client, events.Disconnected, after=await last_event(client, before))
                redis.start()
                back = await waiting.event(client, events.Connected, after=await last_event(client, before))
                assert back.epoch > before
                await send_sets(client, receipts, SETS * (kill + 1) // KILLS)
            assert len(receipts) == SETS
            assert client.stats().connections == KILLS + 1
            # The last question is answered after everything before it.
            await client.close(drain=10)
            await asyncio.wait_for(reader, 10)
            outcomes = {key: await asyncio.wait_for(receipt.outcome(), 10) for key, receipt in receipts.items()}
            assert outcomes == {key: receipt.try_outcome() for key, receipt in receipts.items()}
        stored = await read_all(redis)
    told = Counter(outcomes.values())
    assert told.total() == SETS
    assert set(told) <= {Outcome.ACKED, Outcome.NOT_SENT, Outcome.UNKNOWN}
    assert told[Outcome.ACKED] > SETS // 2
    if while_down == "reject":
        assert told[Outcome.NOT_SENT] > 0
    else:
        assert told[Outcome.NOT_SENT] == 0, "what waits in the queue goes out on the next connection"
    # Nothing is spliced: what is stored was sent so, and every reply is whole.
    assert all(value == value_of(key) for key, value in stored.items())
    assert set(replies) <= {b"+OK\r\n"}
    falsely_not_sent = [key for key, outcome in outcomes.items() if outcome is Outcome.NOT_SENT and key in stored]
    assert falsely_not_sent == []
    assert len(stored) > SETS // 2


async def send_sets(client: keepline.Client, receipts: dict[int, Receipt], until: int) -> None:
    """Sends at a pace that leaves work under way everywhere, until so many are accepted."""
    async with asyncio.timeout(30):
        while len(receipts) < until:
            try:
                await send_set(client, receipts)
            except keepline.Unavailable:
                await asyncio.sleep(0.01)
            if len(receipts) % 50 == 0:
                await asyncio.sleep(0.002)


async def fill(client: keepline.Client, receipts: dict[int, Receipt], until: int) -> None:
    """Sends to a server that does not read, until the outbox holds some of it."""
    while len(receipts) < until and client.stats().messages.queued < 20:
        try:
            await send_set(client, receipts)
        except (keepline.Unavailable, keepline.Timeout):
            return


async def send_set(client: keepline.Client, receipts: dict[int, Receipt]) -> None:
    key = len(receipts)
    command = b"*3\r\n$3\r\nSET\r\n" + bulk(b"%d" % key) + bulk(value_of(key))
    receipts[key] = await client.send_tracked(command, timeout=1)


def value_of(key: int) -> bytes:
    """Large in the burst before each kill, so that it does not fit into the buffers of the kernel."""
    is_burst = key % (SETS // KILLS) >= SETS // KILLS - 500
    return b"value-%d-" % key * (1200 if is_burst else 1)


def bulk(data: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(data), data)


async def count_replies(client: keepline.Client, replies: Counter[bytes]) -> None:
    async for message in client:
        replies[message.payload] += 1


async def last_event(client: keepline.Client, epoch: int) -> int:
    """The number of the event that connected an epoch."""
    async for event in client.events():
        if isinstance(event, events.Connected) and event.epoch == epoch:
            return event.seq
    raise AssertionError("closed")


async def read_all(redis: Process) -> dict[int, bytes]:
    """What the server really holds, asked by other means."""
    reader, writer = await asyncio.open_connection(*redis.address)
    stored: dict[int, bytes] = {}
    async with asyncio.timeout(30):
        for key in range(SETS):
            writer.write(b"GET %d\r\n" % key)
        for key in range(SETS):
            header = await reader.readline()
            if header == b"$-1\r\n":
                continue
            assert header.startswith(b"$"), header
            stored[key] = (await reader.readexactly(int(header[1:]) + 2))[:-2]
    writer.close()
    await writer.wait_closed()
    return stored
