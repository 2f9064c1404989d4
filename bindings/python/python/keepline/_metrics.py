"""What is measured of clients, for whatever exports it: names, and the sums of all clients that share one.

Counters are read when somebody asks, from `stats` and from the events since the last look, so that watching costs nothing in
between. Clients of one name are one series, and names are bounded: no peer and no user can make more of them.
"""

import os
import threading
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from keepline import _core, events
from keepline._errors import KeeplineError
from keepline._handle import Handle
from keepline._names import Cause, State, Suspicion
from keepline._records import Stats

MOST_NAMES: Final = 100
"""100: more series of one process than anybody looks at. Further names are counted together, as `OTHER`."""

OTHER: Final = "other"
"""The name of clients beyond `MOST_NAMES`."""

_WAITS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0)
"""From a local network to the longest total of a profile: bounds in seconds."""

_LIVES: Final = (1.0, 10.0, 60.0, 600.0, 3600.0, 21600.0, 86400.0)
"""From a flapping connection to a day: bounds in seconds."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One thing that is measured."""

    name: str
    """How OpenTelemetry names it."""
    kind: Literal["counter", "level", "gauge", "histogram"]
    """A ``level`` is a gauge whose values add up."""
    unit: str
    text: str
    label: str | None = None
    """What it is told apart by, beside the client's name."""
    bounds: tuple[float, ...] = ()

    @property
    def prometheus(self) -> str:
        """How Prometheus names it, without the ``_total`` of counters."""
        plain = self.name.replace(".", "_")
        return f"{plain}_seconds" if self.unit == "s" else plain


STATE: Final = Metric("keepline.link.state", "level", "{client}", "Clients in this state", "state")
ATTEMPTS: Final = Metric("keepline.connect.attempts", "counter", "{attempt}", "Attempts started")
FAILURES: Final = Metric("keepline.connect.failures", "counter", "{attempt}", "Attempts that failed", "error.type")
CONNECT: Final = Metric(
    "keepline.connect.duration", "histogram", "s", "From the start of an attempt to a usable connection", None, _WAITS
)
LOST: Final = Metric("keepline.session.ends", "counter", "{connection}", "Connections that ended", "error.type")
SESSION: Final = Metric("keepline.session.duration", "histogram", "s", "How long connections lasted", None, _LIVES)
OUTAGE: Final = Metric(
    "keepline.outage.duration", "histogram", "s", "From the end of a connection to the next one", None, _WAITS
)
RTT: Final = Metric("keepline.heartbeat.rtt", "gauge", "s", "The last answered heartbeat; of several clients the slowest")
BEATS: Final = Metric("keepline.heartbeat.sent", "counter", "{heartbeat}", "Heartbeats written")
MISSED: Final = Metric("keepline.heartbeat.missed", "counter", "{heartbeat}", "Heartbeats whose answer was late")
DEAD: Final = Metric("keepline.peer.dead", "counter", "{connection}", "Connections found dead, by what caught it", "detector")
DELAY: Final = Metric(
    "keepline.detection.delay", "histogram", "s", "From the peer's last sign of life to the verdict", None, _WAITS
)
OUTBOX: Final = Metric("keepline.outbox.messages", "level", "{message}", "Messages waiting in the outbox")
OUTBOX_BYTES: Final = Metric("keepline.outbox.bytes", "level", "By", "Bytes waiting in the outbox")
ACCEPTED: Final = Metric("keepline.outbox.accepted", "counter", "{message}", "Messages accepted by a send")
DROPPED: Final = Metric(
    "keepline.outbox.dropped", "counter", "{message}", "Messages not known to have arrived, by their outcome", "reason"
)
INBOX: Final = Metric("keepline.inbox.messages", "level", "{message}", "Messages waiting in the inbox of the core")
RECEIVED: Final = Metric("keepline.inbox.received", "counter", "{message}", "Messages received")
REQUESTS: Final = Metric("keepline.requests.in_flight", "level", "{request}", "Requests in flight, late replies included")
BYTES: Final = Metric("keepline.io.bytes", "counter", "By", "Bytes handed to the kernel or read", "direction")
UNSEEN: Final = Metric("keepline.events.missed", "counter", "{event}", "Events that passed between two looks, uncounted")

METRICS: Final = (
    STATE, ATTEMPTS, FAILURES, CONNECT, LOST, SESSION, OUTAGE, RTT, BEATS, MISSED, DEAD, DELAY, OUTBOX, OUTBOX_BYTES,
    ACCEPTED, DROPPED, INBOX, RECEIVED, REQUESTS, BYTES, UNSEEN,
)  # fmt: skip
"""All of them."""

Key = tuple[Metric, str | None]


@dataclass(slots=True)
class Sums:
    """What the clients of one name come to."""

    values: Counter[Key] = field(default_factory=Counter)
    """Counters, and levels of those that live."""
    rtt: float | None = None
    observed: list[tuple[Metric, float]] = field(default_factory=list)
    """What histograms have to take since the last look."""


class Watched:
    """The clients that one exporter watches, without keeping any of them alive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._living: dict[int, _Client] = {}
        self._gone: deque[int] = deque()
        # What clients that went had counted: totals never fall.
        self._past: dict[str, Counter[Key]] = {}
        _all.add(self)

    def add(self, client: Handle, name: str) -> None:
        """Watches a client, from its first event on. One that is watched already gets the name."""
        watched = _Client(client, self._leave)
        with self._lock:
            self._fold()
            if name not in self._past and len(self._past) >= MOST_NAMES:
                name = OTHER
            self._past.setdefault(name, Counter())
            known = self._living.get(watched.number)
            if known is not None:
                known.name = name
                return
            watched.name = name
            self._living[watched.number] = watched

    def read(self) -> dict[str, Sums]:
        """What there is to tell of each name, now."""
        with self._lock:
            self._fold()
            told = {name: Sums(Counter(past)) for name, past in self._past.items()}
            for number, client in list(self._living.items()):
                sums = told[client.name]
                try:
                    client.look(sums)
                except KeeplineError:
                    # The runtime has ended.
                    self._living.pop(number)
                sums.values.update(client.counted)
            return told

    def _leave(self, number: int) -> None:
        # Called by the collector, at any moment and in any thread, perhaps one that holds the lock: then it is folded later.
        self._gone.append(number)
        if self._lock.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._lock.release()

    def _fold(self) -> None:
        while self._gone:
            client = self._living.pop(self._gone.popleft(), None)
            if client is not None:
                self._past[client.name].update(client.counted)


class _Client:
    """One client: a weak reference, a cursor of its own among the events, and what was counted so far."""

    __slots__ = ("_connecting_at", "_events", "_reference", "counted", "name", "number")

    def __init__(self, client: Handle, leave: Callable[[int], None]) -> None:
        self.number = number = id(client)
        self.name = OTHER
        # Series that begin at zero: a rate over a first value that is not cannot be told.
        self.counted: Counter[Key] = Counter({(MISSED, None): 0, (UNSEEN, None): 0})
        self._reference: weakref.ref[Handle] = weakref.ref(client, lambda _: leave(number))
        self._events = client._core.events(0)
        self._connecting_at = 0.0

    def look(self, sums: Sums) -> None:
        """Brings what is counted up to date, and adds the levels of now."""
        client = self._reference()
        if client is None:
            return
        stats = client.stats()
        del client
        for event in self._new_events():
            self._count(event, sums)
        for key, count in _counters(stats).items():
            self.counted[key] = count
        sums.values.update(_levels(stats))
        if stats.heartbeat_rtt is not None:
            sums.rtt = max(sums.rtt or 0.0, stats.heartbeat_rtt)

    def _new_events(self) -> Iterator[events.Event]:
        # An own set of operations for the moment: nothing waits in it, and any thread may look.
        operations = _core.Operations()
        while True:
            records = self._events.next(operations)
            if isinstance(records, int):
                operations.cancel(records)
                return
            if not records:
                return
            yield from map(events.read, records)

    def _count(self, event: events.Event, sums: Sums) -> None:
        match event:
            case events.Connecting():
                self._connecting_at = event.at
            case events.Connected():
                sums.observed.append((CONNECT, max(0.0, event.at - self._connecting_at)))
                if event.epoch > 1:
                    sums.observed.append((OUTAGE, event.after))
            case events.Suspect(evidence=Suspicion.HEARTBEAT_LATE):
                self.counted[MISSED, None] += 1
            case events.Disconnected(up_for=None, cause=cause):
                # The losing half of a race, or an attempt that its user ended, did not fail.
                if cause not in (Cause.REPLACED, Cause.REQUESTED):
                    self.counted[FAILURES, cause] += 1
            case events.Disconnected():
                self._count_end(event, sums)
            case events.Missed(count=count):
                self.counted[UNSEEN, None] += count
            case _:
                pass

    def _count_end(self, event: events.Disconnected, sums: Sums) -> None:
        self.counted[LOST, event.cause] += 1
        sums.observed.append((SESSION, event.up_for or 0.0))
        if event.detector is None or event.cause is Cause.REQUESTED:
            return
        self.counted[DEAD, event.detector] += 1
        figures = None if event.report is None else event.report.figures
        signs = [] if figures is None else [figures.last_ack_received, figures.last_data_received]
        known = [sign for sign in signs if sign is not None]
        if known:
            sums.observed.append((DELAY, min(known)))


def _counters(stats: Stats) -> Counter[Key]:
    return Counter(
        {
            (ATTEMPTS, None): stats.attempts,
            (BEATS, None): stats.heartbeats,
            (ACCEPTED, None): stats.messages.accepted,
            (DROPPED, "not_sent"): stats.messages.not_sent,
            (DROPPED, "expired"): stats.messages.expired,
            (DROPPED, "unknown"): stats.messages.unknown,
            (RECEIVED, None): stats.received,
            (BYTES, "transmit"): stats.bytes_out,
            (BYTES, "receive"): stats.bytes_in,
        }
    )


def _levels(stats: Stats) -> Counter[Key]:
    levels: Counter[Key] = Counter({(STATE, state): 0 for state in State})
    levels[STATE, stats.state] = 1
    levels[OUTBOX, None] = stats.messages.queued
    levels[OUTBOX_BYTES, None] = stats.outbox_bytes
    levels[INBOX, None] = stats.inbox
    levels[REQUESTS, None] = stats.requests_in_flight
    return levels


_all: "weakref.WeakSet[Watched]" = weakref.WeakSet()


def _forget_parent() -> None:
    # A thread of the parent may have held the lock; what the parent has counted, the parent tells.
    for watched in _all:
        watched._lock = threading.Lock()
        watched._living.clear()
        watched._past.clear()


os.register_at_fork(after_in_child=_forget_parent)
