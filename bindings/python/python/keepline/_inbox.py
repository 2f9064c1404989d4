"""Received messages on the loop's thread: taken from the core in batches, handed to any number of readers."""

from asyncio import AbstractEventLoop
from collections import deque
from threading import get_ident

from keepline._core import Client as CoreClient
from keepline._core import Message
from keepline._errors import Timeout
from keepline._loop import Loop, LoopBridge, Weakly, Woken, pause_of, resume, running_loop

BATCH = 256
"""Messages taken from the core at once: more do not amortise the border any better."""

TALKATIVE = 8
"""Waits of a client after which its loop reads by itself what it waits for: two descriptors are not for those who say little."""

SETTLED = TALKATIVE + 8
"""Waits after which a loop is not asked any more: one that took so long does not wait for descriptors as it should."""


class Inbox:
    """The batch that readers take from, and the readers that wait for the next one.

    A message leaves ``batch`` only when a coroutine that runs takes it, so a cancelled reader has taken nothing.
    """

    __slots__ = (
        "__weakref__",
        "_arrivals",
        "_bridge",
        "_core",
        "_is_running",
        "_is_watched",
        "_loop",
        "_pause",
        "_ran_through",
        "_thread",
        "_told",
        "_waits",
        "batch",
        "readers",
    )

    def __init__(self, core: CoreClient, bridge: LoopBridge, loop: Loop) -> None:
        self._core = core
        self._bridge = bridge
        self._loop = loop
        self._pause = pause_of(loop)
        # Asked for each message: who runs a loop on this thread. The system is asked by the loop's own way of telling.
        self._thread = get_ident()
        self._is_running = loop.is_running if isinstance(loop, AbstractEventLoop) else _never
        self._arrivals: int | None = None
        self._is_watched = False
        self._waits = 0
        self._told = Weakly(self)
        # The last messages were there already: whoever took them did not let the loop turn.
        self._ran_through = False
        self.batch: deque[Message] = deque()
        self.readers: deque[Woken] = deque()

    def __del__(self) -> None:
        if self._arrivals is not None:
            self._bridge.forget(self._arrivals)

    async def take_many(self, max: int, limit: int | None) -> list[Message]:
        """Waits for messages and takes up to ``max``; an empty list after the end."""
        # Lists go from the core to the user as they are, unless a part of one is here already.
        taken = None if self.batch else await self.take(max, limit)
        if not taken:
            batch = self.batch
            taken = [batch.popleft() for _ in range(min(max, len(batch)))]
        if self.readers:
            self.pass_on()
        return taken

    async def take(self, max: int, limit: int | None) -> list[Message] | None:
        """Takes up to ``max`` from the core, waiting for the first; nothing if there is a batch now, or after the end.

        What is not taken stays in the core, so that a slow reader slows the peer down. Nothing is waited for once
        messages are taken: whoever is cancelled in here has taken none. One coroutine, for each costs every round trip.
        """
        if get_ident() != self._thread or not self._is_running():
            self._bridge.check(running_loop())
        if self._ran_through:
            # A peer that is faster than its reader must not keep the loop from everything else.
            self._ran_through = False
            await self._pause()
        deadline = None if limit is None else self._loop.time() + limit / 1000
        has_waited = False
        while not self.batch:
            taken = self._core.try_receive(max)
            if taken:
                self._ran_through = not has_waited
                return taken
            if taken is None:
                self.pass_on()
                return None
            if deadline is not None and has_waited and self._loop.time() >= deadline:
                self.pass_on()
                raise Timeout("no message within the time given")
            has_waited = True
            waiter: Woken = self._loop.create_future()
            self.readers.append(waiter)
            timer = None if deadline is None else self._loop.call_at(deadline, resume, waiter)
            try:
                if not self._is_watched:
                    self._watch()
                await waiter
            except TypeError:
                # What trio says to a future of asyncio, of which it is a guest.
                self._bridge.check(running_loop())
                raise
            except BaseException:
                # Cancelled, or thrown away: whoever is next has to look instead.
                if waiter.done() and not waiter.cancelled():
                    self._remove(waiter)
                    self.pass_on()
                raise
            finally:
                if timer is not None:
                    timer.cancel()
                self._remove(waiter)
        return None

    def _remove(self, waiter: Woken) -> None:
        try:
            self.readers.remove(waiter)
        except ValueError:
            pass

    def pass_on(self) -> None:
        """Lets the next reader look: each that is woken wakes the next, or has the core watched again."""
        for waiter in self.readers:
            if not waiter.done():
                waiter.set_result(None)
                return

    def note_wait(self) -> None:
        """Somebody waits for the peer: one who does so again and again is worth the descriptors that a seat takes."""
        if self._waits < SETTLED:
            self._waits += 1
            if self._waits >= TALKATIVE and self._bridge.attend(self._core):
                self._waits = SETTLED

    def _watch(self) -> None:
        """Has the core tell when there is something to take."""
        if self._waits < SETTLED:
            self.note_wait()
        operations, arrivals = self._bridge.operations, self._arrivals
        if arrivals is None:
            arrivals = self._arrivals = self._core.arrivals(operations)
            self._bridge.watch(arrivals, self._told)
        self._is_watched = operations.poll(arrivals) is not None
        if not self._is_watched:
            self.pass_on()

    def on_ready(self) -> None:
        self._is_watched = False
        for waiter in self.readers:
            if not waiter.done():
                resume(waiter)
                return


def _never() -> bool:
    # Trio is asked anew each time.
    return False
