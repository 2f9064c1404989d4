"""What becomes of messages, by the word of the kernel: acked, sent again, or unknown."""

import asyncio
import socket
import struct
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import keepline
from keepline import Backoff, Framing, Outbox, Outcome, Receipt
from servers import Server

#: Together more than all kernels here hold for one connection.
MESSAGES, SIZE = 400, 16 * 1024

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the figures")


async def test_message_is_acked_by_the_kernel_of_the_peer(echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=Framing.lines()) as client:
        receipt = await client.send_tracked(b"tracked")
        assert await asyncio.wait_for(receipt.outcome(), 5) is Outcome.ACKED
        await client.send(b"plain")
        async with asyncio.timeout(5):
            while client.stats().messages.acked < 2:
                await asyncio.sleep(0.01)
        assert client.stats().messages.in_flight == 0


@pytest.mark.parametrize("idempotent", [False, True])
async def test_what_never_left_goes_out_again_and_what_is_unknown_only_if_it_may(
    listener: socket.socket, idempotent: bool
) -> None:
    outbox = Outbox(bytes=64 << 20)
    quick = Backoff(first_spread=0.01)
    async with keepline.connect(
        listener.getsockname(), framing=Framing.length_prefixed(4), outbox=outbox, backoff=quick
    ) as client:
        receipts = [await client.send_tracked(message(number), idempotent=idempotent) for number in range(MESSAGES)]
        await until_stuck(client)
        reset(listener.accept()[0])
        numbers = await asyncio.wait_for(asyncio.to_thread(read_numbers, listener), 20)
        outcomes = await asyncio.wait_for(asyncio.gather(*map(Receipt.outcome, receipts)), 20)
    assert numbers == list(range(numbers[0], MESSAGES)), "whole, in order, each once"
    assert all(outcome is Outcome.ACKED for outcome in outcomes[numbers[0] :])
    unknown = outcomes.count(Outcome.UNKNOWN)
    assert unknown + outcomes.count(Outcome.ACKED) == MESSAGES
    if idempotent:
        assert unknown == 0


async def until_stuck(client: keepline.Client) -> None:
    """Waits until neither kernel takes more."""
    before = -1
    while (queued := client.stats().messages.queued) != before:
        before = queued
        await asyncio.sleep(0.2)
    assert queued > 0


def message(number: int) -> bytes:
    return struct.pack(">I", number) + bytes([number % 256]) * (SIZE - 4)


def read_numbers(listener: socket.socket) -> list[int]:
    """The numbers of the messages of the next connection, up to the last message."""
    numbers: list[int] = []
    with listener.accept()[0] as connection, connection.makefile("rb") as stream:
        connection.settimeout(10)
        while not numbers or numbers[-1] != MESSAGES - 1:
            assert struct.unpack(">I", stream.read(4)) == (SIZE,), "a frame begins here"
            body = stream.read(SIZE)
            numbers.append(struct.unpack_from(">I", body)[0])
            assert body == message(numbers[-1]), "a spliced frame"
    return numbers


def reset(connection: socket.socket) -> None:
    """Ends a connection with an RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest_asyncio.fixture
async def listener() -> AsyncIterator[socket.socket]:
    """A listener whose connections have a small receive buffer, and that nobody accepts from by itself."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        sock.bind(("127.0.0.1", 0))
        sock.listen(16)
        yield sock
