"""Received messages on the loop's thread: taken from the core in batches, handed to any number of readers."""

from asyncio import get_running_loop
from collections import deque

from keepline._core import Client as CoreClient
from keepline._core import Message
from keepline._errors import Timeout
from keepline._loop import Loop, LoopBridge, Weakly, Woken, pause_of, resume, running_loop

BATCH = 256
"""Messages taken from the core at once: more do not amortise the border any better."""


class Inbox:
    """The batch that readers take from, and the readers that wait for the next one.

    A message leaves ``batch`` only when a coroutine that runs takes it, so a cancelled reader has taken nothing.
    """

    __slots__ = ("__weakref__", "_bridge", "_core", "_loop", "_pause", "_ran_through", "_told", "_watched", "batch", "readers")

    def __init__(self, core: CoreClient, bridge: LoopBridge, loop: Loop) -> None:
        self._core = core
        self._bridge = bridge
        self._loop = loop
        self._pause = pause_of(loop)
        self._watched: int | None = None
        self._told = Weakly(self)
        # The last messages were there already: whoever took them did not let the loop turn.
        self._ran_through = False
        self.batch: deque[Message] = deque()
        self.readers: deque[Woken] = deque()

    def __del__(self) -> None:
        if self._watched is not None:
            self._bridge.forget(self._watched)

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
        try:
            is_at_home = get_running_loop() is self._loop
        except RuntimeError:
            is_at_home = False
        if not is_at_home:
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
                if self._watched is None:
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

    def _watch(self) -> None:
        """Has the core tell when there is something to take."""
        started = self._core.readable(self._bridge.operations)
        if started is None:
            self.pass_on()
            return
        self._watched = started
        self._bridge.watch(started, self._told)

    def on_ready(self) -> None:
        watched = self._watched
        if watched is None or isinstance(self._bridge.operations.poll(watched), int):
            return
        self._watched = None
        self._bridge.ended(watched)
        for waiter in self.readers:
            if not waiter.done():
                resume(waiter)
                return
