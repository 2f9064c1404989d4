"""Blocking waits: a thread sleeps on a descriptor until its operation has ended."""

import select
import threading
from typing import Self, TypeVar, cast

from keepline import _core

T = TypeVar("T")


class Waiter:
    """Operations of one blocking call at a time, with the descriptor that tells of them."""

    __slots__ = ("operations", "poll")

    def __init__(self) -> None:
        self.operations = _core.Operations()
        poll = select.poll()
        poll.register(self.operations.fileno(), select.POLLIN)
        self.poll = poll.poll


class _Spare(threading.local):
    """Waiters that the thread may use again. More than one only if a signal handler waits inside of a wait."""

    def __init__(self) -> None:
        self.waiters: list[Waiter] = []

    def take(self) -> Waiter:
        while self.waiters:
            waiter = self.waiters.pop()
            if not waiter.operations.is_forked:
                return waiter
        return Waiter()


_spare = _Spare()


class Waiting:
    """One blocking call."""

    __slots__ = ("_number", "_waiter", "operations")

    def __enter__(self) -> Self:
        self._waiter = _spare.take()
        self.operations = self._waiter.operations
        self._number: int | None = None
        return self

    def finish(self, started: int | T) -> T:
        """Waits for an operation, unless it has ended at once."""
        while isinstance(started, int):
            number = self._number = started
            self._waiter.poll()
            self.operations.ready()
            started = cast("int | T", self.operations.poll(number))
        self._number = None
        return started

    def __exit__(self, *_: object) -> None:
        if self._number is not None:
            self.operations.cancel(self._number)
        _spare.waiters.append(self._waiter)
