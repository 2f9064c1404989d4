"""What both clients, the one for asyncio and the blocking one, do without waiting."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from keepline import _core
from keepline._config import Config, Resolved, resolved
from keepline._endpoint import Target, endpoints, targets
from keepline._names import State
from keepline._protocol import Matcher
from keepline._records import DetectionBounds, NetworkPath, Notice, Stats
from keepline._report import Report
from keepline._values import Data, Duration, wait_millis

if TYPE_CHECKING:
    from keepline._loop import LoopBridge


class Counted(Protocol):
    """Who counts what ``on_event`` has raised."""

    errors: int


class Handle:
    """A client as far as nothing has to be waited for. Its functions may be called from any thread."""

    def __init__(self, core: _core.Client, counted: Counted | None = None) -> None:
        """Private: made by the clients themselves."""
        self._core = core
        self._counted = counted
        self._resolved: Resolved | None = None
        if type(self).try_send is Handle.try_send:
            # The core's own function: one of Python's in between would double what a message costs.
            self.try_send = core.try_send  # type: ignore[method-assign]

    # Sending ---------------------------------------------------------------------------------------------------------

    def try_send(self, data: Data, *, idempotent: bool = False) -> None:
        """Accepts a message without waiting.

        One that is ``idempotent`` is sent again where nobody knows what became of it. That also holds for `send`,
        `send_many` and `send_tracked`.

        Raises:
            Rejected: the outbox is full, or the message does not fit the framing.
            Unavailable: there is no connection, and the policy is ``while_down="reject"``.
            Closed: the client is closed.
        """
        self._core.try_send(data, idempotent=idempotent)

    def try_send_many(self, messages: Iterable[Data], *, idempotent: bool = False) -> None:
        """Accepts a batch without waiting: all of it, in order and with nothing in between, or nothing.

        Raises:
            Rejected: the outbox has no room for all of it, or one of the messages does not fit the framing. A batch larger
                than the outbox never has room: cut it.
            Unavailable, Closed: as `try_send`.
        """
        self._core.try_send_many(as_batch(messages), idempotent)

    # Watching --------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the client stands."""
        return State(self._core.state())

    @property
    def epoch(self) -> int:
        """The number of the last attempt."""
        return self._core.epoch()

    def stats(self) -> Stats:
        """Returns counters, and what the kernel says is in force."""
        return Stats.of(self._core.stats())

    def reports(self) -> list[Report]:
        """Returns what the flight recorder tells of the connections and attempts that ended last.

        At most four, oldest first.
        """
        return [Report.of(report) for report in self._core.reports()]

    @property
    def config(self) -> Config:
        """The configuration in force, every value decided."""
        return self._decided().config

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What you should know about this configuration."""
        return self._decided().notices

    @property
    def detection_bound(self) -> float | None:
        """Seconds until a dead peer is noticed at most, whatever the fault; ``None`` if one goes unseen."""
        return self._decided().bounds.longest

    @property
    def detection_bounds(self) -> DetectionBounds:
        """The worst case of each fault, with its formula."""
        return self._decided().bounds

    @property
    def callback_errors(self) -> int:
        """How often ``on_event`` has raised. Each time the log was told."""
        return 0 if self._counted is None else self._counted.errors

    @property
    def endpoints(self) -> list[Target]:
        """The endpoints, in the order given."""
        return targets(self._core.endpoints())

    # Steering --------------------------------------------------------------------------------------------------------

    def reconnect(self) -> None:
        """Ends the connection, if there is one, and dials at once."""
        self._core.reconnect()

    def set_endpoints(self, address: Target | list[Target], *more: Target) -> None:
        """Takes another list of endpoints.

        A connection to an endpoint that is still in the list stays. Any other is left, in order if it is healthy, and the
        next is dialled at once.

        Raises:
            InvalidConfig: a bad endpoint, the same one twice, none, or more than 64; nothing changes then.
        """
        self._core.set_endpoints(endpoints(address, more))

    def go_away(self, retry_after: Duration) -> None:
        """Leaves because the server asked for it, and comes back no sooner than ``retry_after`` (seconds).

        For a notice that only your code understands; the option ``go_away`` declares one that is a frame by its beginning.
        At most an hour is honoured. Without a connection the wait that is running grows.
        """
        self._core.go_away(wait_millis("retry_after", retry_after) or 0)

    def set_credentials(self, secret: Data) -> None:
        """Replaces the declared credentials for the attempts to come; a living connection keeps its own.

        Raises:
            InvalidConfig: none are declared.
        """
        self._core.set_credentials(secret)

    # Subscribing -----------------------------------------------------------------------------------------------------

    def subscribe(self, key: str, frame: Data, *, confirmed_by: Matcher | bytes | None = None) -> None:
        """Subscribes: sends the frame at once if there is a connection, and begins each new connection with it.

        That is after the greeting and before anything else, in the order in which subscriptions were added. The same frame
        under the same key is sent once; another one takes its place. It is kept without a connection, also with
        ``while_down="reject"``. What answers the frame comes as a message if it is sent on a living connection.

        Args:
            key: its name in the list.
            frame: the message that subscribes.
            confirmed_by: the frame by which the server says that it did. A new connection then counts as connected only
                once it has come, and it is consumed. Where replies are found in order, the answer takes a place if and
                only if this is given.

        Raises:
            Rejected: the list or the outbox is full, or the frame does not fit the framing.
            Closed: the client is closed.
        """
        record = None if confirmed_by is None else Matcher.of("confirmed_by", confirmed_by).record()
        self._core.subscribe(key, frame, record)

    def unsubscribe(self, key: str, frame: Data | None = None) -> bool:
        """Takes a subscription out, and sends ``frame`` if there is a connection to take it back on.

        Returns whether there was one with this key; without, nothing is sent.

        Raises:
            Rejected, Closed: as `subscribe`.
        """
        return self._core.unsubscribe(key, frame)

    # Network ---------------------------------------------------------------------------------------------------------

    def network_changed(self, path: NetworkPath | None = None) -> None:
        """Tells that the network changed: ``None`` if nothing is known of the new one."""
        if path is None:
            self._core.network_changed(None)
        else:
            self._core.network_changed((path.id, path.available, path.kind, path.metered))

    def pause(self) -> None:
        """Ends the connection and stays away until `resume`."""
        self._core.pause()

    def resume(self) -> None:
        """Dials again after `pause`, and after `enter_background`."""
        self._core.resume()

    def enter_background(self) -> None:
        """Tells that the program is out of its user's sight: ends the connection and stays away until `enter_foreground`.

        What is sent meanwhile waits in the outbox, where the policy is to queue. It is told as `keepline.events.Paused`.
        """
        self._core.enter_background()

    def enter_foreground(self) -> None:
        """Tells that the program is seen again: dials at once, unless it was also paused.

        A connection that was never left is asked for a sign of life, and the wait for an attempt ends.
        """
        self._core.enter_foreground()

    def abort(self) -> None:
        """Closes at once: the connection is reset, what waits is `Outcome.NOT_SENT`."""
        self._core.abort()

    # Within ----------------------------------------------------------------------------------------------------------

    def _decided(self) -> Resolved:
        if self._resolved is None:
            self._resolved = resolved(self._core.config())
        return self._resolved


class LoopHandle(Handle):
    """A client of an event loop, as far as nothing has to be waited for."""

    def __init__(self, core: _core.Client, bridge: "LoopBridge", counted: Counted | None = None) -> None:
        """Private: made by the clients themselves."""
        super().__init__(core, counted)
        self._bridge = bridge
        bridge.unclosed.add(self)

    def abort(self) -> None:
        # The docstring is inherited.
        self._bridge.unclosed.discard(self)
        super().abort()

    @property
    def _number(self) -> int | None:
        """Its number in the log, if it is told there."""
        return None


def as_batch(messages: Iterable[Data]) -> list[Data] | tuple[Data, ...]:
    """What the core takes: seen whole before any of it is accepted."""
    return messages if isinstance(messages, (list, tuple)) else list(messages)
