"""What the flight recorder tells of a connection that ended."""

from dataclasses import dataclass, field
from typing import Any, Self

from keepline._names import Cause, Detector, Transition


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """One turn, or a run of ordinary ones. Times are seconds from the start of the attempt."""

    at: float
    """When it happened; of a run, when the first one began."""
    until: float
    """When the last one of the run ended."""
    count: int
    """How often in a row."""
    name: Transition
    """What happened."""
    detail: str | None
    """The name of what it carries: a `Suspicion`, a `Cause`, or what you asked for."""
    text: str
    """The same in words."""

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """Reads the flat record of the border."""
        at, until = record["at_ms"] / 1000, record["until_ms"] / 1000
        return cls(at, until, record["count"], Transition(record["name"]), record["detail"], record["text"])

    def __str__(self) -> str:
        return f"{self.at:.3f} s  {self.text}"


@dataclass(frozen=True, slots=True)
class KernelFigures:
    """What the kernel knew about a connection; ``None`` where the system does not tell. Durations are seconds."""

    unacked_segments: int | None
    """Segments sent and not acknowledged."""
    retransmits: int | None
    """Retransmissions of the oldest segment without an answer."""
    probes: int | None
    """Keepalive or window probes without an answer."""
    backoff: int | None
    """How often the retransmission timer has doubled."""
    send_window: int | None
    """The window the peer offers, in bytes."""
    send_queue: int | None
    """Bytes not acknowledged or not yet sent."""
    not_sent: int | None
    """Bytes never transmitted."""
    last_ack_received: float | None
    """Time since the last acknowledgement."""
    last_data_received: float | None
    """Time since the last data."""
    rtt: float | None
    """The smoothed round trip."""
    bytes_acked: int | None
    """Bytes acknowledged by the peer's kernel; Linux counts the opening of the connection as one."""
    delivered_segments: int | None
    """Segments that the peer's kernel has."""
    segment_size: int | None
    """The size of a full segment, in bytes."""

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """Reads the flat record of the border."""
        record = dict(record)
        rtt = record.pop("rtt_us")
        for name in ("last_ack_received", "last_data_received"):
            record[name] = _seconds(record.pop(f"{name}_ms"))
        return cls(rtt=None if rtt is None else rtt / 1_000_000, **record)


@dataclass(frozen=True, slots=True)
class Report:
    """What led to the end of a connection or an attempt. ``str(report)`` is a timeline for people.

    It holds times, counts and names only: no address, no payload, no secret. Durations are seconds.
    """

    epoch: int
    """The connection's number."""
    at: float
    """When it was over, on the clock of the system that counts suspend (``time.CLOCK_BOOTTIME``)."""
    lasted: float
    """How long it took from the start of the attempt to the end."""
    cause: Cause
    """Why."""
    detector: Detector | None
    """Which evidence told."""
    errno: int | None
    """The operating system's error number, if there was one."""
    code: int | None
    """The other side's own number for it, if it told one: a SOCKS reply or the status of an HTTP proxy."""
    up_for: float | None
    """How long it had been connected; ``None`` for an attempt that never was."""
    retry_in: float | None
    """When the next attempt starts, from the end on; ``None`` if there will be none by itself."""
    failures: int
    """The number of attempts that failed in a row; 0 if a connection ended."""
    entries: tuple[ReportEntry, ...]
    """What happened, from the start of the attempt to its end: at most 256 entries, the last ones."""
    overwritten: int
    """Entries that were given up for later ones."""
    figures: KernelFigures | None
    """What the kernel knew when the connection ended; ``None`` if it does not tell, or there was no connection."""
    text: str = field(repr=False)
    """All of it as a timeline for people."""

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """Reads the flat record of the border."""
        detector, figures = record["detector"], record["figures"]
        return cls(
            epoch=record["epoch"],
            at=record["at_ms"] / 1000,
            lasted=record["lasted_ms"] / 1000,
            cause=Cause(record["cause"]),
            detector=None if detector is None else Detector(detector),
            errno=record["errno"],
            code=record["code"],
            up_for=_seconds(record["up_for_ms"]),
            retry_in=_seconds(record["retry_in_ms"]),
            failures=record["failures"],
            entries=tuple(map(ReportEntry.of, record["entries"])),
            overwritten=record["overwritten"],
            figures=None if figures is None else KernelFigures.of(figures),
            text=record["text"],
        )

    def __str__(self) -> str:
        return self.text


def _seconds(millis: int | None) -> float | None:
    return None if millis is None else millis / 1000
