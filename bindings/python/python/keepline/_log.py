"""What a client tells through `logging`: one line for each of its events.

DEBUG is a turn in the path, INFO what one would tell a friend, WARNING what somebody should look at tomorrow. Values are
fields of the record as well; addresses of peers stay at DEBUG, payloads and secrets are nowhere.
"""

import itertools
import logging
import traceback
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from keepline import _core, events
from keepline._errors import ForkedError
from keepline._names import Cause

_root: Final = logging.getLogger("keepline")
_connection: Final = logging.getLogger("keepline.connection")
_client: Final = logging.getLogger("keepline.client")
# A library prints nothing by itself.
_root.addHandler(logging.NullHandler())

_FACTS: Final = (
    "after",
    "cause",
    "code",
    "count",
    "detector",
    "endpoint",
    "epoch",
    "errno",
    "evidence",
    "failures",
    "hint",
    "retry_after",
    "retry_in",
    "up_for",
)
"""Facts of events that become fields of records: all of them in every record, so that a format may name them."""

_LINES: Final[dict[str, tuple[logging.Logger, int]]] = {
    "connecting": (_connection, logging.DEBUG),
    "connected": (_connection, logging.INFO),
    "suspect": (_connection, logging.INFO),
    "recovered": (_connection, logging.INFO),
    "stalled": (_connection, logging.INFO),
    "disconnected": (_connection, logging.INFO),
    "inbox_full": (_client, logging.WARNING),
    "offline": (_client, logging.INFO),
    "paused": (_client, logging.DEBUG),
    "resumed": (_client, logging.DEBUG),
    "missed": (_client, logging.WARNING),
    "closed": (_client, logging.INFO),
}
"""Where an event is told, and at which level."""

_numbers = itertools.count(1)

_MOST_NOTICED: Final = 1000
"""1,000: they carry numbers of the configuration. A program with more kinds of clients is told of some again."""

_noticed: Final[set[str]] = set()


def is_wanted() -> bool:
    """Whether anything would be told: asked once, when a client is made."""
    return _connection.isEnabledFor(logging.WARNING) or _client.isEnabledFor(logging.WARNING)


class Watching(Protocol):
    """What calls back when an operation can go on: the bridge of a loop, or the thread of the blocking clients."""

    operations: _core.Operations

    def watch(self, number: int, waker: Callable[[], object]) -> None: ...
    def forget(self, number: int) -> None: ...


class Told:
    """The lines of one client, told on the thread that calls. It does not keep the client alive."""

    __slots__ = ("_endpoints", "_events", "_is_busy", "_is_new", "_notices", "_watching", "_waits", "number")

    def __init__(self, core: _core.Client, watching: Watching) -> None:
        self.number: int = next(_numbers)
        self._endpoints = [endpoint for endpoint, _ in core.endpoints()]
        self._events = core.events(0)
        self._watching = watching
        self._waits: int | None = None
        self._is_busy = False
        self._is_new = True
        self._notices = _new_notices(core) if _client.isEnabledFor(logging.INFO) else []

    def go_on(self) -> None:
        """Tells what has happened since, and waits for more. Nothing that a handler raises gets out of here."""
        if self._is_busy:
            # A handler came back to the client; what happened meanwhile is told when it returns.
            return
        self._is_busy = True
        try:
            if self._is_new:
                self._is_new = False
                self._tell({"name": "started"})
                for notice in self._notices:
                    self._write(_client, logging.INFO, f"notice: {notice}", {"name": "notice"})
            while records := self._next():
                for record in records:
                    self._tell(record)
        except ForkedError:
            # The parent tells its own.
            self._waits = None
        finally:
            self._is_busy = False

    def _next(self) -> list[dict[str, Any]] | None:
        """What has happened; ``None`` if nothing has, and an empty list at the end."""
        operations, waits = self._watching.operations, self._waits
        polled = self._events.next(operations, False) if waits is None else operations.poll(waits)
        if isinstance(polled, int):
            if waits is None:
                self._waits = polled
                self._watching.watch(polled, self.go_on)
            return None
        if waits is not None:
            self._waits = None
            self._watching.forget(waits)
        return cast(list[dict[str, Any]], polled)

    def _tell(self, record: dict[str, Any]) -> None:
        logger, level = _LINES.get(record["name"], (_client, logging.DEBUG))
        is_wish = record.get("cause") == Cause.REQUESTED
        if record["name"] == "disconnected" and is_wish:
            level = logging.DEBUG
        elif record["name"] == "closed" and not is_wish:
            level = logging.WARNING
        if logger.isEnabledFor(level):
            text = _text(events.read(record)) if record["name"] in events.BY_NAME else record["name"]
            self._write(logger, level, text, record)

    def _write(self, logger: logging.Logger, level: int, text: str, record: dict[str, Any]) -> None:
        extra = {f"keepline_{field}": _fact(record, field) for field in _FACTS}
        extra |= {"keepline_client": self.number, "keepline_event": record["name"]}
        if len(self._endpoints) == 1:
            extra["keepline_endpoint"] = self._endpoints[0]
        if logger.isEnabledFor(logging.DEBUG):
            extra["keepline_peer"] = record.get("peer")
        _put(logger, level, "client %d: %s", self.number, text, extra)


def tell_loop_closed(clients: list[int | None], endpoints: set[str]) -> None:
    """Tells of all clients of a loop that were open when it was closed, by their numbers, in one line."""
    extra: dict[str, Any] = {f"keepline_{field}": None for field in _FACTS}
    extra |= {"keepline_client": None, "keepline_count": len(clients), "keepline_event": "loop_closed"}
    whose = "1 client" if len(clients) == 1 else f"{len(clients)} clients"
    if len(clients) == 1 and clients[0] is not None:
        whose = f"client {clients[0]}"
        extra["keepline_client"] = clients[0]
    if len(endpoints) == 1:
        (extra["keepline_endpoint"],) = endpoints
    text = "left open when the event loop was closed: callbacks, hooks and log lines are dropped from here on"
    _put(_client, logging.WARNING, "%s: %s", whose, text, extra)


def _put(logger: logging.Logger, level: int, form: str, whose: int | str, text: str, extra: dict[str, Any]) -> None:
    try:
        logger.log(level, form, whose, text, extra=extra)
    except Exception:
        # A handler of the standard library never raises; of another one it is told as those tell of themselves.
        if logging.raiseExceptions:
            traceback.print_exc()


def _new_notices(core: _core.Client) -> list[str]:
    """What its user should know of its configuration, each told once in a process."""
    notices = [f"{notice['field']}: {notice['text']}" for notice in core.config()["notices"]]
    new = [notice for notice in notices if notice not in _noticed]
    if len(_noticed) < _MOST_NOTICED:
        _noticed.update(new)
    return new


def _fact(record: dict[str, Any], field: str) -> Any:
    if field in record:
        return record[field]
    millis = record.get(f"{field}_ms")
    return None if millis is None else millis / 1000


def _text(event: events.Event) -> str:
    """One event in words, without an address."""
    match event:
        case events.Connecting():
            return "connecting"
        case events.Connected(after=after):
            return f"connected after {_span(after)}"
        case events.Suspect(evidence=evidence):
            return f"suspect: {evidence}"
        case events.Recovered():
            return "recovered"
        case events.Stalled():
            return "the peer does not read"
        case events.Disconnected():
            return _end(event)
        case events.InboxFull():
            return "inbox full: reading stops until messages are taken"
        case events.Offline():
            return "offline: the system says that there is no network"
        case events.Missed(count=count, state=state):
            return f"{count} events passed while the log was busy; now {state}"
        case events.Closed():
            return f"closed: {_why(event)}"
        case _:
            return event.name


def _end(event: events.Disconnected) -> str:
    if event.up_for is None:
        told = f"no connection: {_why(event)}"
    else:
        told = f"lost after {_span(event.up_for)}: {_why(event)}"
    if event.failures > 1:
        told += f", for the {event.failures}. time in a row"
    next_step = "not retrying" if event.retry_in is None else f"retrying in {_span(event.retry_in)}"
    return f"{told}; {next_step}"


def _why(event: events.Disconnected | events.Closed) -> str:
    told = str(event.cause)
    evidence = [] if event.detector is None else [f"by {event.detector}"]
    evidence += [] if event.errno is None else [f"errno {event.errno}"]
    evidence += [] if event.code is None else [f"code {event.code}"]
    told += f" ({', '.join(evidence)})" if evidence else ""
    return told if event.advice is None else f"{told}: {event.advice}"


def _span(seconds: float) -> str:
    # Four figures at most: nobody reads the microseconds of an hour.
    return f"{seconds:.0f} s" if seconds >= 100 else f"{seconds:.3g} s"
