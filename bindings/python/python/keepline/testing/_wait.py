"""Waits for facts, in a coroutine or in plain code: the same object serves both."""

import asyncio
import sys
import time
import warnings
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, TypeVar

from keepline._errors import Timeout
from keepline._values import Duration, wait_millis

T = TypeVar("T")

WITHIN = 10.0
"""Seconds. On one machine every fact comes within milliseconds; a busy machine is given time."""

_STEP = 0.005
"""5 ms between two looks: unseen by people, nothing for the processor, and no thread or descriptor is needed."""


class Wait(Generic[T]):
    """A wait for a fact: ``await wait`` in a coroutine of asyncio, uvloop or trio, ``wait.wait()`` anywhere else.

    Cancel safe: waiting takes nothing. One that is never waited for is told by a `RuntimeWarning`, as a forgotten
    ``await`` is: the test that contains it would prove nothing.
    """

    __slots__ = ("_look", "_told", "_used", "_within")

    def __init__(self, look: Callable[[], T | None], within: Duration, told: Callable[[], str]) -> None:
        """Private: made by the methods of `ChaosProxy` and `FlakyServer`."""
        self._used = True
        self._look = look
        self._within = (wait_millis("within", within) or 0) / 1000
        self._told = told
        self._used = False

    def wait(self) -> T:
        """Blocks this thread until the fact is there, and returns what was found.

        Raises:
            Timeout: it did not come in time.
        """
        deadline = self._begin()
        while (found := self._look()) is None:
            self._check(deadline)
            time.sleep(_STEP)
        return found

    def __await__(self) -> Generator[Any, None, T]:
        return self._poll().__await__()

    async def _poll(self) -> T:
        sleep = _sleep_of_this_loop()
        deadline = self._begin()
        while (found := self._look()) is None:
            self._check(deadline)
            await sleep(_STEP)
        return found

    def _begin(self) -> float:
        self._used = True
        return time.monotonic() + self._within

    def _check(self, deadline: float) -> None:
        if time.monotonic() >= deadline:
            raise Timeout(f"waited {self._within:g} s for {self._told()}")

    def __del__(self) -> None:
        if not self._used:
            warnings.warn("a wait was neither awaited nor waited for: use await, or .wait()", RuntimeWarning, 2, self)


def _sleep_of_this_loop() -> Callable[[float], Awaitable[object]]:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules.get("trio")
        if trio is None:
            raise
        sleep: Callable[[float], Awaitable[object]] = trio.sleep
        return sleep
    return asyncio.sleep
