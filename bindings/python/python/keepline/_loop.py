"""One bridge per event loop: the runtime wakes it by a file descriptor, and everything else happens on the loop's thread.

No thread of the runtime ever enters Python. An operation is polled by the coroutine that waits for it, when that really
resumes: one that was cancelled meanwhile has taken nothing.
"""

import asyncio
import os
import threading
import weakref
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable
from functools import partial
from typing import TypeVar, cast

from keepline import _core
from keepline._errors import ForkedError, WrongLoopError

T = TypeVar("T")


class LoopBridge:
    """The waiting operations of one event loop."""

    __slots__ = ("__weakref__", "_loop", "_wakers", "operations")

    def __init__(self, loop: AbstractEventLoop) -> None:
        # Weak: the table of bridges is keyed by the loop and must not keep it alive.
        self._loop = weakref.ref(loop)
        self._wakers: dict[int, Callable[[], object]] = {}
        self.operations = _core.Operations()
        loop.add_reader(self.operations.fileno(), self._drain)

    @classmethod
    def running(cls) -> "LoopBridge":
        """The bridge of the running loop."""
        loop = asyncio.get_running_loop()
        with _table.lock:
            bridge = _table.bridges.get(loop)
            if bridge is None or bridge.operations.is_forked:
                for closed in [known for known in _table.bridges if known.is_closed()]:
                    del _table.bridges[closed]
                bridge = _table.bridges[loop] = cls(loop)
            return bridge

    def check(self, loop: AbstractEventLoop) -> None:
        """Refuses every loop but the own one."""
        if self.operations.is_forked:
            raise ForkedError("made before this process was forked: make a new one in the child")
        if loop is not self._loop():
            own = self._loop()
            which = "a closed event loop" if own is None or own.is_closed() else "another event loop"
            raise WrongLoopError(f"this client belongs to {which}: make one in the loop that uses it")

    async def finish(self, started: int | T) -> T:
        """Waits for an operation, unless it has ended at once."""
        if not isinstance(started, int):
            return started
        loop = asyncio.get_running_loop()
        try:
            self.check(loop)
            while True:
                woken: Future[None] = loop.create_future()
                self._wakers[started] = partial(wake, woken)
                await woken
                result = self.operations.poll(started)
                if not isinstance(result, int):
                    return cast(T, result)
        finally:
            self.forget(started)

    def watch(self, number: int, waker: Callable[[], object]) -> None:
        """Calls ``waker`` on the loop's thread when the operation can go on."""
        self._wakers[number] = waker

    def forget(self, number: int) -> None:
        """Gives an operation up, if it has not ended."""
        self._wakers.pop(number, None)
        self.operations.cancel(number)

    def _drain(self) -> None:
        try:
            numbers = self.operations.ready()
        except ForkedError:
            # The parent's descriptor, in a child that runs the parent's loop: nothing of it is ours.
            loop = self._loop()
            if loop is not None:
                loop.remove_reader(self.operations.fileno())
            return
        for number in numbers:
            waker = self._wakers.get(number)
            if waker is not None:
                waker()


def wake(waiter: "Future[None]") -> None:
    """Wakes a coroutine, unless it was woken or cancelled before."""
    if not waiter.done():
        waiter.set_result(None)


class _Table:
    """The bridges of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.bridges: weakref.WeakKeyDictionary[AbstractEventLoop, LoopBridge] = weakref.WeakKeyDictionary()


_table = _Table()


def _forget_parent() -> None:
    # A thread of the parent may have held the lock.
    _table.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_forget_parent)
