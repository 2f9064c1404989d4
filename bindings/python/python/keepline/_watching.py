"""The events of one client told to a callback, in order and one at a time, on the loop of the client."""

import asyncio
import contextvars
from collections.abc import Callable
from functools import partial
from typing import Any

from keepline import _core
from keepline._asking import Work, spawn, value
from keepline._hooks import log
from keepline._loop import LoopBridge, Weakly, Woken, running_loop, wake
from keepline.events import Event, read

OnEvent = Callable[[Event], object]
"""Is told each event. What it returns is waited for if it can be."""


_TELLING: contextvars.ContextVar["Watching"] = contextvars.ContextVar("keepline_telling")


class Watching:
    """Calls one callback. It is held by the client, and by its own task while it calls."""

    __slots__ = (
        "__weakref__",
        "_bridge",
        "_callback",
        "_context",
        "_events",
        "_has_ended",
        "_loop",
        "_number",
        "_task",
        "_waiters",
        "errors",
    )

    def __init__(self, core: _core.Client, bridge: LoopBridge, callback: OnEvent) -> None:
        self.errors: int = 0
        self._bridge = bridge
        self._callback = callback
        self._context = contextvars.copy_context()
        self._has_ended = False
        self._waiters: list[Woken] = []
        self._events = core.events(0)
        self._loop = running_loop()
        self._number: int | None = None
        self._task: Work | None = None
        self._pull()

    def __del__(self) -> None:
        if self._number is not None:
            self._bridge.forget(self._number)

    def on_ready(self) -> None:
        number = self._number
        if number is None:
            return
        records = self._bridge.operations.poll(number)
        if isinstance(records, int):
            return
        self._bridge.forget(number)
        self._number = None
        self._take(records)

    async def finish(self, within: float) -> None:
        """Waits until the callback was told the last event, unless it is the callback that asks."""
        if self._has_ended or _TELLING.get(None) is self:
            return
        waiter = self._loop.create_future()
        timer = self._loop.call_at(self._loop.time() + within, wake, waiter)
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiters.remove(waiter)

    def _pull(self) -> None:
        # Only when the last batch was told: who is slow misses events, and is told how many.
        started = self._events.next(self._bridge.operations)
        if isinstance(started, int):
            self._number = started
            self._bridge.watch(started, Weakly(self))
        else:
            self._take(started)

    def _take(self, records: list[dict[str, Any]]) -> None:
        if records:
            self._task = spawn(self._loop, partial(self._tell, records), self._context)
            return
        self._has_ended = True
        for waiter in self._waiters:
            wake(waiter)

    async def _tell(self, records: list[dict[str, Any]]) -> None:
        _TELLING.set(self)
        for record in records:
            try:
                await value(self._callback(read(record)))
            except asyncio.CancelledError:
                if _is_cancelled():
                    raise
                # Something else was cancelled, which the callback waited for.
                self._failed()
            except Exception:
                self._failed()
        self._task = None
        self._pull()

    def _failed(self) -> None:
        self.errors += 1
        log.warning("on_event failed", exc_info=True)


def _is_cancelled() -> bool:
    """Whether it is the calling task that was cancelled."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        # Not under asyncio, which alone cancels by such an exception.
        return False
    return task is None or task.cancelling() > 0
