"""Puts Keepline's `create_connection` into the place of asyncio's, so that tests of others run over it unchanged.

Also a pytest plugin (``-p dropin``) for the test-suites of others: then it is in place for the whole run.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keepline

opened: list[asyncio.Transport] = []
"""The transports that were made in Keepline's place of asyncio's."""


async def create_connection(
    loop: asyncio.AbstractEventLoop, factory: Callable[[], Any], *args: Any, **given: Any
) -> tuple[asyncio.Transport, Any]:
    """As the loop's own, over Keepline. One attempt: others' tests expect a refusal at once."""
    transport, protocol = await keepline.create_connection(factory, *args, max_attempts=1, **given)
    # Asked now: TLS of asyncio forgets what it lies on when it ends.
    assert transport.get_extra_info("keepline") is not None
    opened.append(transport)
    return transport, protocol


@contextmanager
def in_place() -> Iterator[list[asyncio.Transport]]:
    """Has every event loop open its connections over Keepline; gives the transports made."""
    own = asyncio.BaseEventLoop.create_connection
    asyncio.BaseEventLoop.create_connection = create_connection  # type: ignore[assignment]
    opened.clear()
    try:
        yield opened
    finally:
        asyncio.BaseEventLoop.create_connection = own  # type: ignore[method-assign]


@contextmanager
def over(loop: asyncio.AbstractEventLoop, streams: keepline.Streams) -> Iterator[None]:
    """Has one event loop open its connections as those of a client that is there already."""
    own = loop.create_connection
    loop.create_connection = streams.create_connection  # type: ignore[method-assign]
    try:
        yield
    finally:
        loop.create_connection = own  # type: ignore[method-assign]


def pytest_configure() -> None:
    """As a plugin: for the whole run."""
    asyncio.BaseEventLoop.create_connection = create_connection  # type: ignore[assignment]
