"""Waits for facts, never for time to pass."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import keepline
from keepline import Event

E = TypeVar("E", bound=Event)


async def event(client: keepline.Client, kind: type[E], after: int = 0, within: float = 15) -> E:
    """The first event of a kind after a number."""
    async with asyncio.timeout(within):
        async for found in client.events(after):
            if isinstance(found, kind):
                return found
    raise AssertionError(f"the client was closed before {kind.__name__}")


async def state(client: keepline.Client, wanted: keepline.State, within: float = 15) -> None:
    """Until the client is in a state."""
    async with asyncio.timeout(within):
        while client.state is not wanted:
            await asyncio.sleep(0.01)


async def until(condition: Callable[[], bool], within: float = 15) -> None:
    """Until something holds."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)
