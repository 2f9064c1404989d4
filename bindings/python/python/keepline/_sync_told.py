"""What is told of a blocking client beside its messages: receipts of tracked messages, and events."""

from collections import deque
from collections.abc import Iterator
from typing import Self

from keepline import events
from keepline._core import Events as CoreEvents
from keepline._core import Receipt as CoreReceipt
from keepline._names import AckedBy, Outcome
from keepline._waiting import Waiting


class Receipt:
    """Tells what became of one message. It does not keep the client alive."""

    __slots__ = ("_core",)

    def __init__(self, core: CoreReceipt) -> None:
        """Private: made by `Client.send_tracked`."""
        self._core = core

    def outcome(self) -> Outcome:
        """Waits for the outcome. It is final: later calls give the same.

        Raises:
            ForkedError: the client was made before this process was forked.
        """
        with Waiting() as waiting:
            return Outcome(waiting.finish(self._core.outcome(waiting.operations)))

    def try_outcome(self) -> Outcome | None:
        """Returns the outcome, if it is known already."""
        outcome = self._core.try_outcome()
        return None if outcome is None else Outcome(outcome)

    @property
    def acked_by(self) -> AckedBy | None:
        """Whose kernel acknowledged it, once its outcome was told and is `Outcome.ACKED`; behind a proxy, the proxy's."""
        told = self._core.acked_by()
        return None if told is None else AckedBy(told)


class Events(Iterator[events.Event]):
    """The events of a client, with an own cursor. The iteration ends after `keepline.events.Closed`."""

    __slots__ = ("_core", "_ready")

    def __init__(self, core: CoreEvents) -> None:
        """Private: made by `Client.events`."""
        self._core = core
        self._ready: deque[events.Event] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> events.Event:
        """Waits for the next event."""
        if not self._ready:
            with Waiting() as waiting:
                records = waiting.finish(self._core.next(waiting.operations))
            if not records and not self._ready:
                raise StopIteration
            self._ready.extend(map(events.read, records))
        return self._ready.popleft()
