"""Places in the epoll of a loop, for clients whose messages it reads by itself while it waits. Linux only."""

import selectors
import sys
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import TypeAlias

from keepline import _core

Turn: TypeAlias = Callable[[_core.Seat], object]
"""What the loop calls when something has arrived."""


class Seats:
    """The seats of one loop: each serves one client after the other."""

    __slots__ = ("_adding", "_epoll", "_loop", "_seats", "are_lazy")

    def __init__(self, loop: object) -> None:
        """Finds out what the loop waits with. Both are private in name, and as old as asyncio and uvloop are; a loop that has
        none of them is woken by the runtime.
        """
        self._seats: list[_core.Seat] = []
        self._adding: set[int] = set()
        self._epoll: int | None = None
        self._loop: weakref.ref[AbstractEventLoop] | None = None
        self.are_lazy: bool = False
        if sys.platform != "linux" or not isinstance(loop, AbstractEventLoop):
            return
        self._loop = weakref.ref(loop)
        selector: object = getattr(loop, "_selector", None)
        of_uvloop: Callable[[], int] | None = getattr(loop, "_get_backend_id", None)
        if isinstance(selector, selectors.EpollSelector):
            self._epoll = selector.fileno()
        elif of_uvloop is not None:
            self._epoll = of_uvloop()
            self.are_lazy = True

    def attend(self, core: _core.Client, turn: Turn) -> bool:
        """Has the loop read by itself what arrives for a client while it waits, where the kernel can tell it first.

        Says whether that is settled: a loop that does not wait for its seat yet is asked again.
        """
        seat = next((seat for seat in self._seats if seat.is_free), None) or self._made()
        if seat is None:
            return True
        self._wait_for(seat, turn)
        if seat.is_held:
            return False
        core.read_inline(seat)
        return True

    def look_after(self, turn: Turn) -> None:
        """Has uvloop wait for the seats of its clients again. It drops one with a connection that was reset, and only a new
        wait shows that it has nothing more to say of the last one: so each is held after each connection.
        """
        for seat in self._seats:
            if seat.is_held and not seat.is_free:
                self._wait_for(seat, turn)

    def wait_soon(self, seat: _core.Seat, turn: Turn) -> None:
        """As `look_after`, for the callback of a seat: uvloop closes what it waits with after that, if a connection was reset."""
        loop = None if self._loop is None else self._loop()
        if loop is not None:
            loop.call_soon(self._wait_for, seat, turn)

    def _wait_for(self, seat: _core.Seat, turn: Turn) -> None:
        """Has the loop wait for a seat that is held: from now on, or from the next turn of uvloop on."""
        loop = None if self._loop is None else self._loop()
        fd = seat.fileno()
        if loop is None or loop.is_closed() or fd in self._adding or not seat.is_held:
            return
        loop.remove_reader(fd)
        loop.add_reader(fd, turn, seat)
        if self.are_lazy:
            self._adding.add(fd)
            # What is called soon may be called before the loop looks at its descriptors; what is called soon then, after.
            loop.call_soon(loop.call_soon, self._added, seat)
        else:
            seat.release()

    def _added(self, seat: _core.Seat) -> None:
        self._adding.discard(seat.fileno())
        seat.release()

    def _made(self) -> _core.Seat | None:
        try:
            seat = None if self._epoll is None else _core.Seat.make(self._epoll, self.are_lazy)
        except OSError:
            return None
        if seat is not None:
            self._seats.append(seat)
        return seat
