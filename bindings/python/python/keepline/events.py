"""Events: numbered facts about a client's life. Match on their classes; durations are seconds."""

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from keepline._names import Cause, Detector, Hint, State, Suspicion
from keepline._records import MessageCounts
from keepline._report import Report

__all__ = [
    "Closed",
    "Connected",
    "Connecting",
    "Disconnected",
    "Event",
    "InboxFull",
    "Missed",
    "Offline",
    "Paused",
    "Recovered",
    "Resumed",
    "Stalled",
    "Suspect",
]


@dataclass(frozen=True, slots=True)
class Event:
    """One numbered fact."""

    name: ClassVar[str]
    """What happened, as in every language."""

    seq: int
    """The number: each event of a client has the next one, from 1."""
    at: float
    """When it happened, on the clock of the system that counts suspend (``time.CLOCK_BOOTTIME``)."""


@dataclass(frozen=True, slots=True)
class Connecting(Event):
    """An attempt starts."""

    name = "connecting"

    epoch: int
    """The attempt's number."""
    endpoint: str | None
    """Where it goes, as it was given; ``None`` if there is only one endpoint."""


@dataclass(frozen=True, slots=True)
class Connected(Event):
    """The connection is usable."""

    name = "connected"

    epoch: int
    """The connection's number."""
    peer: str | None
    """The address on the other side."""
    after: float
    """Time since the last connection ended, or since start."""
    endpoint: str | None
    """Where it goes, as it was given; ``None`` if there is only one endpoint."""


@dataclass(frozen=True, slots=True)
class Suspect(Event):
    """The connection may be dead."""

    name = "suspect"

    epoch: int
    """The connection's number."""
    evidence: Suspicion
    """What made it suspect."""


@dataclass(frozen=True, slots=True)
class Recovered(Event):
    """A suspect or stalled connection proved alive."""

    name = "recovered"

    epoch: int
    """The connection's number."""


@dataclass(frozen=True, slots=True)
class Stalled(Event):
    """The peer lives and does not read."""

    name = "stalled"

    epoch: int
    """The connection's number."""


@dataclass(frozen=True, slots=True)
class Disconnected(Event):
    """A connection or an attempt ended."""

    name = "disconnected"

    epoch: int
    """The connection's number."""
    endpoint: str | None
    """Where it went, as it was given; ``None`` if there is only one endpoint."""
    cause: Cause
    """Why."""
    detector: Detector | None
    """Which evidence told."""
    errno: int | None
    """The operating system's error number, if there was one."""
    hint: Hint | None
    """What may help, if something does."""
    advice: str | None
    """The same as a sentence."""
    code: int | None
    """The other side's own number for it, if it told one: a SOCKS reply or the status of an HTTP proxy."""
    retry_after: float | None
    """How long the server asked the client to stay away, if it did."""
    up_for: float | None
    """How long it had been connected; ``None`` for an attempt that never was."""
    retry_in: float | None
    """When the next attempt starts, from now; ``None`` if there will be none by itself."""
    failures: int
    """The number of attempts that failed in a row; 0 if a connection ended."""
    messages: MessageCounts
    """What became of the messages accepted so far."""
    report: Report | None = field(repr=False)
    """What led to it. ``None`` if more than four connections or attempts ended since: only the last are kept."""


@dataclass(frozen=True, slots=True)
class InboxFull(Event):
    """The inbox is full: Keepline has stopped reading until you take messages. Told once per connection."""

    name = "inbox_full"

    epoch: int
    """The connection's number."""


@dataclass(frozen=True, slots=True)
class Offline(Event):
    """The system says that there is no network."""

    name = "offline"


@dataclass(frozen=True, slots=True)
class Paused(Event):
    """The client was paused."""

    name = "paused"


@dataclass(frozen=True, slots=True)
class Resumed(Event):
    """The client was resumed."""

    name = "resumed"


@dataclass(frozen=True, slots=True)
class Missed(Event):
    """The reader of events was too slow: some were overwritten."""

    name = "missed"

    count: int
    """How many."""
    state: State
    """The state now."""


@dataclass(frozen=True, slots=True)
class Closed(Event):
    """The client is closed. Always the last event."""

    name = "closed"

    cause: Cause
    """Why."""
    detector: Detector | None
    """Which evidence told."""
    errno: int | None
    """The operating system's error number, if there was one."""
    hint: Hint | None
    """What may help, if something does."""
    advice: str | None
    """The same as a sentence."""
    code: int | None
    """The other side's own number for it, if it told one: a SOCKS reply or the status of an HTTP proxy."""


BY_NAME: dict[str, type[Event]] = {
    event.name: event
    for event in (
        Connecting,
        Connected,
        Suspect,
        Recovered,
        Stalled,
        Disconnected,
        InboxFull,
        Offline,
        Paused,
        Resumed,
        Missed,
        Closed,
    )
}
"""The class of each event."""

_READERS = {"cause": Cause, "detector": Detector, "hint": Hint, "evidence": Suspicion, "state": State}


def read(record: dict[str, Any]) -> Event:
    """Reads the flat record of the border."""
    kind = BY_NAME[record["name"]]
    return kind(**{part.name: _value(record, part.name) for part in fields(kind)})


def _value(record: dict[str, Any], field: str) -> Any:
    if field in record:
        value = record[field]
        if value is None:
            return None
        if field == "messages":
            return MessageCounts(**value)
        if field == "report":
            return Report.of(value)
        reader = _READERS.get(field)
        return value if reader is None else reader(value)
    millis = record[f"{field}_ms"]
    return None if millis is None else millis / 1000
