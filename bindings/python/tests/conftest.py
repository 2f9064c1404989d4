"""Fixtures of all tests."""

from collections.abc import AsyncIterator

import pytest_asyncio

from servers import Server, echo


@pytest_asyncio.fixture
async def echo_server() -> AsyncIterator[Server]:
    """An echo server that runs."""
    async with Server(echo) as server:
        yield server
