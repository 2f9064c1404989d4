"""One bridge per event loop: the runtime wakes it by a file descriptor, and everything else happens on the loop's thread.

No thread of the runtime ever enters Python. An operation is polled by the coroutine that waits for it, when that really
resumes: one that was cancelled meanwhile has taken nothing.
"""

import asyncio
import os
import sys
import threading
import weakref
from asyncio import AbstractEventLoop, Future
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, Union, cast

from keepline import _core
from keepline._errors import ForkedError, WrongLoopError
from keepline._seats import Seats
from keepline._unclosed import Unclosed

if TYPE_CHECKING:
    from keepline._trio import TrioFuture, TrioLoop

T = TypeVar("T")

Loop: TypeAlias = Union[AbstractEventLoop, "TrioLoop"]
"""What runs the coroutines: an event loop of asyncio or uvloop, or a run of trio."""

Woken: TypeAlias = Union["Future[None]", "TrioFuture"]
"""What a coroutine waits for."""


def running_loop() -> Loop:
    """The loop of the calling coroutine; trio is asked only where the program has it loaded."""
    if "trio" in sys.modules and _is_under_trio():
        from keepline import _trio

        return _trio.running()
    return asyncio.get_running_loop()


def pause_of(loop: Loop) -> Callable[[], Awaitable[None]]:
    """What lets the other coroutines of a loop run."""
    if isinstance(loop, AbstractEventLoop):
        return partial(asyncio.sleep, 0)
    import trio

    return trio.lowlevel.checkpoint


def brief_shield(loop: Loop) -> AbstractContextManager[object]:
    """Keeps a cancelled scope of trio from a wait that is over at once, for 1 s at most; asyncio cancels only once."""
    if isinstance(loop, AbstractEventLoop):
        return nullcontext()
    import trio

    return trio.CancelScope(shield=True, deadline=loop.time() + 1)


def wake(waiter: Woken) -> None:
    """Wakes a coroutine, unless it was woken or cancelled before. It goes on in the loop's next turn."""
    if not waiter.done():
        waiter.set_result(None)


def resume(waiter: Woken) -> None:
    """As `wake`, but the coroutine goes on inside of this call, where the loop lets it: another turn would cost more than
    all the rest of a message. Only for a callback of the loop, where no other task is in the middle of its step.
    """
    if waiter.done():
        return
    # How the one task that waits goes on, and its context. Private in name, and as old as contexts are; a future that has
    # it otherwise is woken.
    waiting = getattr(waiter, "_callbacks", None)
    if isinstance(waiter, Future) and waiting and len(waiting) == 1:
        callback, context = waiting[0]
        waiter.remove_done_callback(callback)
        waiter.set_result(None)
        context.run(callback, waiter)
    else:
        waiter.set_result(None)


class LoopBridge:
    """The waiting operations of one event loop."""

    __slots__ = ("__weakref__", "_loop", "_seats", "_wakers", "operations", "unclosed")

    def __init__(self, loop: Loop) -> None:
        # Weak: the table of bridges is keyed by the loop and must not keep it alive.
        self._loop = weakref.ref(loop)
        self._wakers: dict[int, Callable[[], object]] = {}
        self._seats = Seats(loop)
        self.operations: _core.Operations = _core.Operations()
        self.unclosed: Unclosed = Unclosed()
        loop.add_reader(self.operations.fileno(), self._drain, _Held(self))

    @classmethod
    def running(cls) -> "LoopBridge":
        """The bridge of the running loop."""
        loop = running_loop()
        with _table.lock:
            bridge = _table.bridges.get(loop)
            if bridge is None or bridge.operations.is_forked:
                for closed in [known for known in _table.bridges if known.is_closed()]:
                    del _table.bridges[closed]
                bridge = _table.bridges[loop] = cls(loop)
            return bridge

    def check(self, loop: Loop) -> None:
        """Refuses every loop but the own one."""
        if self.operations.is_forked:
            raise ForkedError("made before this process was forked: make a new one in the child")
        if loop is not self._loop():
            own = self._loop()
            which = "a closed event loop" if own is None or own.is_closed() else "another event loop"
            raise WrongLoopError(f"this client belongs to {which}: make one in the loop that uses it")

    def attend(self, core: _core.Client) -> bool:
        """Has the loop read by itself what arrives for a client while it waits; whether that is settled."""
        return self._seats.attend(core, self._turn)

    async def finish(self, started: int | T, wake: Callable[[Woken], None] = wake) -> T:
        """Waits for an operation, unless it has ended at once. With `resume`, what waits for it does not wait for another
        turn of the loop: for messages. Whoever could be cancelled by what came with it is woken only.
        """
        if not isinstance(started, int):
            return started
        loop = running_loop()
        try:
            self.check(loop)
            while True:
                woken: Woken = loop.create_future()
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

    def ended(self, number: int) -> None:
        """Calls no waker any more for an operation that has ended."""
        self._wakers.pop(number, None)

    def forget(self, number: int) -> None:
        """Gives an operation up, if it has not ended."""
        self._wakers.pop(number, None)
        self.operations.cancel(number)

    def left(self) -> None:
        """The loop waits for the runtime no more."""
        loop = self._loop()
        if (loop is None or loop.is_closed()) and not self.operations.is_forked:
            self.unclosed.loop_closed()

    def _drain(self, held: object) -> None:
        try:
            numbers = self.operations.ready()
        except ForkedError:
            self._let_go(self.operations.fileno())
            return
        if self._seats.are_lazy:
            self._seats.look_after(self._turn)
        self._go_on(numbers)

    def _turn(self, seat: _core.Seat) -> None:
        try:
            numbers = self.operations.turn(seat)
        except ForkedError:
            self._let_go(seat.fileno())
            return
        if self._seats.are_lazy and seat.is_held:
            self._seats.wait_soon(seat, self._turn)
        self._go_on(numbers)

    def _let_go(self, fd: int) -> None:
        # The parent's descriptor, in a child that runs the parent's loop: nothing of it is ours.
        loop = self._loop()
        if loop is not None:
            loop.remove_reader(fd)

    def _go_on(self, numbers: list[int]) -> None:
        for place, number in enumerate(numbers):
            waker = self._wakers.get(number)
            if waker is None:
                continue
            try:
                waker()
            except BaseException:
                # A task ends the program. What it cleans up may wait for the others.
                loop, rest = self._loop(), numbers[place + 1 :]
                if loop is not None and rest:
                    loop.call_soon_threadsafe(self._go_on, rest)
                raise


class _Held:
    """What only the wait of a loop for its bridge holds: a loop lets go of it when it is closed, and tells nobody else."""

    __slots__ = ("_bridge",)

    def __init__(self, bridge: LoopBridge) -> None:
        self._bridge = bridge

    def __del__(self) -> None:
        if not sys.is_finalizing():
            self._bridge.left()


class Ready(Protocol):
    """Somebody who waits for an operation."""

    def on_ready(self) -> None:
        """It can go on."""


class Weakly:
    """Tells somebody that an operation can go on, without keeping them alive."""

    __slots__ = ("_whom",)

    def __init__(self, whom: Ready) -> None:
        self._whom = weakref.ref(whom)

    def __call__(self) -> None:
        whom = self._whom()
        if whom is not None:
            whom.on_ready()


def _is_under_trio() -> bool:
    # Looked up each time: another thread may be in the middle of importing it.
    asked = getattr(sys.modules.get("trio.lowlevel"), "in_trio_task", None)
    return asked is not None and asked()


class _Table:
    """The bridges of this process."""

    def __init__(self) -> None:
        # Taken again where the collector closes a forgotten loop below, whose warning has a handler make a client.
        self.lock = threading.RLock()
        self.bridges: weakref.WeakKeyDictionary[Loop, LoopBridge] = weakref.WeakKeyDictionary()


_table = _Table()


def _forget_parent() -> None:
    # A thread of the parent may have held the lock.
    _table.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_forget_parent)
