"""Fixtures of all tests."""

import signal
from collections.abc import AsyncIterator

import pytest_asyncio

from servers import Server, echo

# A shell ignores Ctrl-C for what it puts into the background, and every program of the tests would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest_asyncio.fixture
async def echo_server() -> AsyncIterator[Server]:
    """An echo server that runs."""
    async with Server(echo) as server:
        yield server
