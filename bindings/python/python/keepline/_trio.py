"""Trio as far as Keepline needs an event loop: the few methods of asyncio's that the bridge and the inbox call.

Imported only by a task that runs under trio. Anyio needs nothing of its own: it runs on asyncio or on trio.
"""

from collections.abc import Awaitable, Callable, Generator
from contextvars import Context
from functools import partial
from typing import Any, Final

import trio
from trio.lowlevel import Abort, RunVar, Task

_loops: Final[RunVar["TrioLoop"]] = RunVar("keepline")


def running() -> "TrioLoop":
    """The loop of the run that the calling task belongs to."""
    try:
        return _loops.get()
    except LookupError:
        loop = TrioLoop()
        _loops.set(loop)
        return loop


class TrioLoop:
    """One run of trio. It is closed when the run has ended."""

    __slots__ = ("__weakref__", "_closed", "_readers", "_token")

    def __init__(self) -> None:
        self._closed = False
        self._token = trio.lowlevel.current_trio_token()
        self._readers: dict[int, trio.CancelScope] = {}

    def is_closed(self) -> bool:
        return self._closed

    def time(self) -> float:
        return trio.current_time()

    def create_future(self) -> "TrioFuture":
        return TrioFuture()

    def call_at(self, when: float, wake: object, future: Any) -> "TrioFuture":
        """Has a future end at a time, as if it had been woken: that is all that is ever called at a time here."""
        woken: TrioFuture = future
        woken.deadline = when
        return woken

    def call_soon_threadsafe(self, callback: Callable[..., object], *arguments: object) -> None:
        """Has a function called by the run, from any thread.

        Raises:
            RuntimeError: the run has ended.
        """
        self._token.run_sync_soon(callback, *arguments)

    def start_work(self, make: Callable[[], Awaitable[None]], context: Context) -> "TrioWork":
        """Starts a task of the run that nobody waits for."""
        return TrioWork(make, context)

    def add_reader(self, descriptor: int, callback: Callable[..., object], *arguments: object) -> None:
        """Calls back whenever the descriptor is readable, for as long as the run lasts."""
        scope = self._readers[descriptor] = trio.CancelScope()
        trio.lowlevel.spawn_system_task(self._read, descriptor, partial(callback, *arguments), scope, name="keepline")

    def remove_reader(self, descriptor: int) -> bool:
        scope = self._readers.pop(descriptor, None)
        if scope is not None:
            scope.cancel()
        return scope is not None

    async def _read(self, descriptor: int, callback: Callable[[], object], scope: trio.CancelScope) -> None:
        with scope:
            try:
                while True:
                    await trio.lowlevel.wait_readable(descriptor)
                    callback()
            except trio.Cancelled:
                # System tasks are cancelled once, at the end of the run.
                self._closed = self._closed or not scope.cancel_called
                raise


class TrioWork:
    """A task that nobody waits for. Nothing it raises gets out of it but its own cancellation."""

    __slots__ = ("_scope",)

    def __init__(self, make: Callable[[], Awaitable[None]], context: Context) -> None:
        self._scope = trio.CancelScope()
        trio.lowlevel.spawn_system_task(self._run, make, name="keepline hook", context=context)

    async def _run(self, make: Callable[[], Awaitable[None]]) -> None:
        with self._scope:
            await make()

    def cancel(self) -> None:
        self._scope.cancel()


class TrioFuture:
    """What one task waits for. Woken, it has a result; cancelled, it takes none."""

    __slots__ = ("_cancelled", "_done", "_task", "deadline")

    def __init__(self) -> None:
        self.deadline: float | None = None
        self._done = self._cancelled = False
        self._task: Task | None = None

    def done(self) -> bool:
        return self._done

    def cancelled(self) -> bool:
        return self._cancelled

    def set_result(self, result: None) -> None:
        self._done = True
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)

    def cancel(self) -> None:
        """Takes the deadline back. A wait that is over needs nothing else."""
        self.deadline = None

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    async def _wait(self) -> None:
        if self.deadline is None:
            await self._woken()
        else:
            with trio.CancelScope(deadline=self.deadline):
                await self._woken()

    async def _woken(self) -> None:
        if self._done:
            return
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._give_up)

    def _give_up(self, raise_cancel: object) -> Abort:
        # From here on nobody wakes it: what would have woken it wakes the next reader.
        self._done = self._cancelled = True
        return Abort.SUCCEEDED
