"""The parts of a declaration that have several values each, and their records."""

from dataclasses import dataclass
from typing import Any, Literal

from keepline._names import JitterName
from keepline._protocol import Matcher
from keepline._values import OFF, Duration, Off, choice, count, data, millis, name, number, seconds


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Application bytes that the peer answers: the only proof that its process lives.

        keepline.Heartbeat(b"PING\\r\\n", reply=b"+PONG\\r\\n", interval=20, reply_within=5)
    """

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
    """The silence before the first probe, in seconds."""
    interval: Duration
    """The pause between probes, in seconds."""
    retries: int
    """How many are sent."""


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
    """The longest wait after the first, the usual floor of 0.1 s included; of some classes of wait a multiple."""
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


def heartbeat_record(heartbeat: Heartbeat) -> dict[str, Any]:
    reply = heartbeat.reply
    return {
        "heartbeat_payload": data("heartbeat.payload", heartbeat.payload),
        "heartbeat_reply": None if reply is None else Matcher.of("heartbeat.reply", reply).record(),
        "heartbeat_interval_ms": millis("heartbeat.interval", heartbeat.interval),
        "heartbeat_reply_within_ms": millis("heartbeat.reply_within", heartbeat.reply_within),
    }


def keepalive_record(keepalive: Keepalive) -> dict[str, Any]:
    return {
        "keepalive_idle_ms": millis("keepalive.idle", keepalive.idle),
        "keepalive_interval_ms": millis("keepalive.interval", keepalive.interval),
        "keepalive_retries": small_count("keepalive.retries", keepalive.retries),
    }


def backoff_record(backoff: Backoff) -> dict[str, Any]:
    return {
        "backoff_first_spread_ms": millis("backoff.first_spread", backoff.first_spread),
        "backoff_initial_ms": millis("backoff.initial", backoff.initial),
        "backoff_multiplier": number("backoff.multiplier", backoff.multiplier),
        "backoff_max_ms": millis("backoff.max", backoff.max),
        "backoff_jitter": name("backoff.jitter", backoff.jitter),
    }


def outbox_record(outbox: Outbox) -> dict[str, Any]:
    age_off, age_ms = choice("outbox.age", outbox.age)
    return {
        "outbox_messages": count("outbox.messages", outbox.messages),
        "outbox_bytes": count("outbox.bytes", outbox.bytes),
        "outbox_age_off": age_off,
        "outbox_age_ms": age_ms,
    }


def decided_heartbeat(record: dict[str, Any]) -> Heartbeat | None:
    if record["heartbeat_payload"] is None:
        return None
    return Heartbeat(
        payload=bytes(record["heartbeat_payload"]),
        reply=Matcher.read(record["heartbeat_reply"]),
        interval=seconds(record["heartbeat_interval_ms"]),
        reply_within=seconds(record["heartbeat_reply_within_ms"]),
    )


def decided_keepalive(record: dict[str, Any]) -> Keepalive | Literal[Off.OFF]:
    if record["keepalive_off"]:
        return OFF
    return Keepalive(
        idle=record["keepalive_idle_ms"] / 1000,
        interval=record["keepalive_interval_ms"] / 1000,
        retries=record["keepalive_retries"],
    )


def small_count(field: str, value: int | None) -> int | None:
    checked = count(field, value)
    # A larger one is as good as the largest that the core can count.
    return None if checked is None else min(checked, 2**32 - 1)
