"""What is told of a client beside its messages: receipts of tracked messages, and events."""

from collections import deque
from collections.abc import AsyncIterator
from typing import Self

from keepline import events
from keepline._core import Events as CoreEvents
from keepline._core import Receipt as CoreReceipt
from keepline._loop import LoopBridge
from keepline._names import AckedBy, Outcome


class Receipt:
    """Tells what became of one message. It does not keep the client alive.

        receipt = await client.send_tracked(b"turn the valve")
        if await receipt.outcome() is not keepline.Outcome.ACKED:
            print("the peer's kernel may never have got it")
    """

    __slots__ = ("_bridge", "_core")

    def __init__(self, core: CoreReceipt, bridge: LoopBridge) -> None:
        """Private: made by `Client.send_tracked`."""
        self._core = core
        self._bridge = bridge

    async def outcome(self) -> Outcome:
        """Waits for the outcome. It is final: later calls give the same. Cancel safe.

        Raises:
            WrongLoopError, ForkedError: the client belongs to another loop or process.
        """
        return Outcome(await self._bridge.finish(self._core.outcome(self._bridge.operations)))

    def try_outcome(self) -> Outcome | None:
        """Returns the outcome, if it is known already."""
        outcome = self._core.try_outcome()
        return None if outcome is None else Outcome(outcome)

    @property
    def acked_by(self) -> AckedBy | None:
        """Whose kernel acknowledged it, once its outcome was told and is `Outcome.ACKED`; behind a proxy, the proxy's."""
        told = self._core.acked_by()
        return None if told is None else AckedBy(told)


class Events(AsyncIterator[events.Event]):
    """The events of a client, with an own cursor. The iteration ends after `keepline.events.Closed`.

        async for event in client.events():
            if isinstance(event, keepline.events.Disconnected):
                print("lost:", event.cause, "next try in", event.retry_in)
    """

    __slots__ = ("_bridge", "_core", "_ready")

    def __init__(self, core: CoreEvents, bridge: LoopBridge) -> None:
        """Private: made by `Client.events`."""
        self._core = core
        self._bridge = bridge
        self._ready: deque[events.Event] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> events.Event:
        """Waits for the next event. Cancel safe: it stays for the next call."""
        if not self._ready:
            records = await self._bridge.finish(self._core.next(self._bridge.operations))
            if not records and not self._ready:
                raise StopAsyncIteration
            self._ready.extend(map(events.read, records))
        return self._ready.popleft()
