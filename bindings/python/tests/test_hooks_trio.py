"""Hooks and callbacks under trio, where they are tasks of the run."""

import trio

import keepline
from keepline import Framing, GreetingIo
from servers import echo
from test_hooks_sync import serving

LINES = Framing.lines()


def test_hooks_and_callbacks_run_under_trio_and_end_with_their_client() -> None:
    told: list[str] = []

    async def greet(io: GreetingIo) -> None:
        io.send(b"hello")
        assert await io.recv() == b"hello"

    async def hang(io: GreetingIo) -> None:
        told.append("hangs")
        try:
            await trio.sleep(60)
        except trio.Cancelled:
            told.append("cancelled")
            raise

    async def work(address: tuple[str, int]) -> None:
        async with keepline.connect(
            address, framing=LINES, on_connect=greet, on_event=lambda event: told.append(event.name)
        ) as client:
            await client.send(b"after")
            message = await client.recv(timeout=5)
            assert message is not None and message.payload == b"after"
        assert told == ["connecting", "connected", "disconnected", "closed"]
        hanging = keepline.start(address, framing=LINES, on_connect=hang)
        with trio.fail_after(10):
            while told[-1] != "hangs":
                await trio.sleep(0.01)
            await hanging.close()
            while told[-1] != "cancelled":
                await trio.sleep(0.01)

    with serving(echo) as server:
        trio.run(work, server.address)
