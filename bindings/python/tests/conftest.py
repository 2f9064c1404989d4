"""Fixtures of all tests."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import pytest_asyncio
import uvloop

from servers import Server, echo

# A shell ignores Ctrl-C for what it puts into the background, and every program of the tests would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest_asyncio.fixture
async def echo_server() -> AsyncIterator[Server]:
    """An echo server that runs."""
    async with Server(echo) as server:
        yield server


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests that are marked `every_loop` run on asyncio's own loop and on uvloop."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.get_closest_marker("every_loop") is not None:
        loops["uvloop"] = uvloop.new_event_loop
    return loops
