"""Facts told by the core: counters, endings, notices, bounds."""

from dataclasses import dataclass
from typing import Any, Self

from keepline._names import Cause, Detector, Hint, NetworkKindName, State
from keepline._values import seconds


@dataclass(frozen=True, slots=True)
class MessageCounts:
    """What became of the messages accepted so far: ``accepted`` is the sum of the others, at every moment."""

    accepted: int
    """Accepted by a send."""
    acked: int
    """Acknowledged by the peer's kernel."""
    not_sent: int
    """Dropped by policy, never transmitted."""
    unknown: int
    """Handed to the kernel; nobody knows."""
    expired: int
    """Ran out of time in the outbox."""
    queued: int
    """Waiting in the outbox."""
    in_flight: int
    """Handed to the kernel of the living connection."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a client has done so far, and what the kernel says is in force. Durations are seconds."""

    state: State
    """Where it stands."""
    epoch: int
    """The number of the last attempt."""
    attempts: int
    """Attempts started."""
    connections: int
    """Connections that became connected."""
    failures: int
    """Attempts that failed."""
    messages: MessageCounts
    """What became of the messages that were accepted."""
    outbox_bytes: int
    """Bytes waiting in the outbox, framing included."""
    received: int
    """Messages received."""
    discarded: int
    """Messages dropped because nobody asked for them."""
    inbox: int
    """Messages waiting in the inbox of the core."""
    bytes_out: int
    """Bytes handed to the kernel."""
    bytes_in: int
    """Bytes read."""
    heartbeats: int
    """Heartbeats written."""
    heartbeat_rtt: float | None
    """The time between the last answered heartbeat and its answer."""
    requests_in_flight: int
    """Requests in flight, late replies included."""
    keepalive_idle: float | None
    """Kernel probes in force: silence before the first."""
    keepalive_interval: float | None
    """Kernel probes in force: pause between them."""
    keepalive_retries: int | None
    """Kernel probes in force: how many."""
    user_timeout: float | None
    """``TCP_USER_TIMEOUT`` in force."""
    rto_max: float | None
    """``TCP_RTO_MAX_MS`` in force."""
    nodelay: bool
    """``TCP_NODELAY`` in force."""
    tls_version: str | None
    """The version of TLS that the last encrypted connection agreed on."""
    tls_cipher: str | None
    """Its cipher suite."""
    tls_alpn: str | None
    """Its application protocol."""
    tls_resumed: bool | None
    """Whether it resumed the session of an earlier one."""

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """Reads the flat record of the border."""
        record = dict(record)
        rtt = record.pop("heartbeat_rtt_us")
        for field in ("keepalive_idle", "keepalive_interval", "user_timeout", "rto_max"):
            record[field] = seconds(record.pop(f"{field}_ms"))
        record["state"] = State(record["state"])
        record["messages"] = MessageCounts(**record["messages"])
        return cls(heartbeat_rtt=None if rtt is None else rtt / 1_000_000, **record)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a client is closed."""

    cause: Cause
    """Why."""
    detector: Detector | None
    """Which evidence told."""
    errno: int | None
    """The operating system's error number, if there was one."""
    code: int | None = None
    """The other side's own number for it, if it told one: a SOCKS reply or the status of an HTTP proxy."""
    hint: Hint | None = None
    """What may help, if something does."""
    advice: str | None = None
    """The same as a sentence."""

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """Reads the flat record of the border."""
        detector, hint = record["detector"], record["hint"]
        return cls(
            cause=Cause(record["cause"]),
            detector=None if detector is None else Detector(detector),
            errno=record["errno"],
            code=record["code"],
            hint=None if hint is None else Hint(hint),
            advice=record["advice"],
        )

    def __str__(self) -> str:
        evidence = [] if self.detector is None else [f"by {self.detector}"]
        evidence += [] if self.errno is None else [f"errno {self.errno}"]
        evidence += [] if self.code is None else [f"code {self.code}"]
        told = f"{self.cause} ({', '.join(evidence)})" if evidence else str(self.cause)
        return told if self.advice is None else f"{told}: {self.advice}"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something you should know about a configuration."""

    field: str
    """The option it is about."""
    text: str
    """What follows from it."""

    def __str__(self) -> str:
        return f"{self.field}: {self.text}"


@dataclass(frozen=True, slots=True)
class Bound:
    """One fault's worst case, with the formula it comes from."""

    within: float | None
    """Seconds from the fault to the verdict at most; ``None`` if this configuration never notices."""
    formula: str
    """The formula with its numbers, for people."""

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """Reads the flat record of the border."""
        return cls(seconds(record["within_ms"]), record["formula"])


@dataclass(frozen=True, slots=True)
class DetectionBounds:
    """The worst case of each kind of fault."""

    longest: float | None
    """The longest of those that concern an established connection; ``None`` if one of them is never noticed."""
    path_silent_idle: Bound
    """The path goes silent while nothing is in flight."""
    path_silent_in_flight: Bound
    """The path goes silent while data is in flight."""
    peer_frozen: Bound
    """The peer's process is frozen, its kernel answers."""
    peer_stalled: Bound
    """The peer lives and does not read."""
    connect: Bound
    """An attempt meets an endpoint that never answers."""

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """Reads the flat record of the border."""
        bounds = {name: Bound.of(bound) for name, bound in record.items() if name != "longest_ms"}
        return cls(longest=seconds(record["longest_ms"]), **bounds)


@dataclass(frozen=True, slots=True)
class NetworkPath:
    """A way to the network, as your system tells it."""

    id: int
    """The same number means the same network."""
    available: bool = True
    """Whether anything can be reached over it."""
    kind: NetworkKindName = "unknown"
    """What it is."""
    metered: bool = False
    """Whether bytes cost money."""
