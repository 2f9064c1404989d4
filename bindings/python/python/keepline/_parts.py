"""The parts of a declaration that have several values each."""

from dataclasses import dataclass
from typing import Literal

from keepline._names import JitterName
from keepline._protocol import Matcher
from keepline._values import Duration, Off


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Application bytes that the peer answers: the only proof that its process lives."""

    payload: bytes
    """The message that is sent, in the client's framing."""
    reply: Matcher | bytes | None = None
    """Which frame is the reply; it is consumed. Bytes mean exactly these. Unset: any inbound byte is life."""
    interval: Duration | None = None
    """The silence after which one is sent."""
    reply_within: Duration | None = None
    """The deadline for a sign of life after one was due."""

    def __repr__(self) -> str:
        # The bytes may be a password: only their number is shown.
        return (
            f"Heartbeat({len(self.payload)} bytes, interval={self.interval!r}, reply_within={self.reply_within!r})"
        )


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Kernel probes: the first after ``idle`` without traffic, then one each ``interval``, dead after ``retries``.

    Whole seconds; the core rounds up and says so.
    """

    idle: Duration
    interval: Duration
    retries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The curve of waits between attempts. Each wait is 100 ms more than a draw from its window."""

    first_spread: Duration | None = None
    """The window of the first retry."""
    initial: Duration | None = None
    """The window of the second retry, before the multiplier."""
    multiplier: float | None = None
    """The growth of the window, 1 to 100."""
    max: Duration | None = None
    """The largest window."""
    jitter: JitterName | None = None
    """How a delay is drawn from its window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """How much the outbox holds."""

    messages: int | None = None
    """The most messages."""
    bytes: int | None = None
    """The most bytes, framing included."""
    age: Duration | Literal[Off.OFF] | None = None
    """How old a message may grow; `OFF`: for ever."""
