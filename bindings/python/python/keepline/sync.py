"""The blocking twin: the same names, for programs without an event loop.

A client may be used by any number of threads. Every wait is a ``poll`` of a file descriptor by the calling thread: the
interpreter lock is free meanwhile, and Ctrl-C interrupts it without losing a message.
"""

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, Unpack

from keepline import _core, _log_thread
from keepline._asking import ProxyCredentialsProvider, ResolverHook
from keepline._client import DEFAULT_DRAIN, closed_error
from keepline._config import Config, ConfigOptions, declared
from keepline._core import Message
from keepline._doctor import Diagnosis, examination
from keepline._endpoint import Address, Target, endpoints
from keepline._errors import KeeplineError, Rejected, invalid
from keepline._handle import Handle, as_batch
from keepline._hooks import Asked, check_callback, is_inside
from keepline._names import Cause
from keepline._records import Ending
from keepline._sync_hooks import Asking, GreetingIo, OnConnect, OnEvent, Watching
from keepline._sync_told import Events, Receipt
from keepline._values import Data, Duration, wait_millis
from keepline._waiting import Waiting

__all__ = ["Batches", "Client", "Events", "GreetingIo", "Receipt", "connect", "doctor", "start"]


class Client(Handle):
    """A client of one endpoint or several: any number of connections, one at a time.

    Made by `connect` or `start`. Letting go of the last reference aborts the connection. It may be used by any number of
    threads; Ctrl-C during a wait leaves it usable.

        with keepline.sync.connect("127.0.0.1:7000", framing=keepline.Framing.lines()) as client:
            client.send(b"hello")
            print(client.recv(timeout=5))
    """

    def __init__(self, core: _core.Client, asking: Asking | None = None, on_event: OnEvent | None = None) -> None:
        """Private: use `connect` or `start`."""
        watching = None if on_event is None else Watching(core, on_event)
        super().__init__(core, watching)
        self._asking = asking
        self._watching = watching
        _log_thread.tell(core)

    # Sending ---------------------------------------------------------------------------------------------------------

    def send(self, data: Data, timeout: Duration | None = None, *, idempotent: bool = False) -> None:
        """Accepts a message, and waits at most ``timeout`` (seconds) for room while the peer is only slow.

        Returning means accepted, not delivered: `send_tracked` tells what became of it.

        Raises:
            Timeout: there was no room in time.
            Rejected, Unavailable, Closed: as `try_send`.
        """
        limit = None if timeout is None else wait_millis("timeout", timeout)
        if not self._core.accept(data, idempotent):
            with Waiting() as waiting:
                waiting.finish(self._core.send(waiting.operations, data, idempotent, limit))

    def send_many(
        self, messages: Iterable[Data], timeout: Duration | None = None, *, idempotent: bool = False
    ) -> None:
        """Accepts a batch: all of it, in order and with nothing in between, or nothing.

        Waits at most ``timeout`` (seconds) until all of it has room while the peer is only slow. One call for many
        messages costs far less than a call for each. Each message has its own fate afterwards, as if sent alone.

        Raises:
            Timeout: there was no room in time.
            Rejected: as `try_send_many`.
            Unavailable, Closed: as `try_send`.
        """
        limit = None if timeout is None else wait_millis("timeout", timeout)
        batch = as_batch(messages)
        if not self._core.accept_many(batch, idempotent):
            with Waiting() as waiting:
                waiting.finish(self._core.send_many(waiting.operations, batch, idempotent, limit))

    def send_tracked(self, data: Data, timeout: Duration | None = None, *, idempotent: bool = False) -> Receipt:
        """As `send`, with a receipt that tells what became of the message. ``timeout`` is in seconds.

        Raises:
            Timeout, Rejected, Unavailable, Closed: as `send`.
        """
        limit = wait_millis("timeout", timeout)
        with Waiting() as waiting:
            return Receipt(waiting.finish(self._core.send_tracked(waiting.operations, data, idempotent, limit)))

    def request(self, data: Data, timeout: Duration) -> bytes:
        """Sends a request and waits for its reply, both at most ``timeout`` (seconds).

        Raises:
            Timeout: no reply came in time; a late one is swallowed.
            Unavailable: the connection ended first. ``maybe_executed`` tells whether the peer may have got it.
            InvalidConfig: no correlation was declared.
            Rejected: as `try_send`, and inside ``on_connect``.
            Closed: the client is closed.
        """
        limit = wait_millis("timeout", timeout)
        if not limit:
            raise invalid("timeout", timeout, "must be more than 0 s")
        if self._asking is not None and is_inside(self._asking.core):
            raise Rejected("a request inside on_connect would wait for on_connect")
        with Waiting() as waiting:
            return waiting.finish(self._core.request(waiting.operations, data, limit))

    # Receiving -------------------------------------------------------------------------------------------------------

    def recv(self, timeout: Duration | None = None) -> Message | None:
        """Waits at most ``timeout`` (seconds) for the next message; ``None`` after close, when all were taken.

        Raises:
            Timeout: nothing came in time.
        """
        limit = wait_millis("timeout", timeout)
        ready = self._core.try_receive(1)
        if ready:
            return ready[0]
        with Waiting() as waiting:
            return waiting.finish(self._core.receive(waiting.operations, limit))

    def recv_many(self, max: int = 256, timeout: Duration | None = None) -> list[Message]:
        """Waits at most ``timeout`` (seconds) for messages and returns up to ``max`` of them; an empty list after close.

        Raises:
            Timeout: nothing came in time.
        """
        if max < 1:
            raise invalid("max", max, "must be at least 1")
        ready = self._core.try_receive(max)
        if ready is None or ready:
            return ready or []
        first = self.recv(timeout)
        if first is None:
            return []
        return [first, *(self._core.try_receive(max - 1) or [] if max > 1 else [])]

    def batches(self, max: int = 256) -> "Batches":
        """Iterates over the messages in lists of up to ``max``: whatever has come by then, at least one.

        The fastest way to read many. It shares its cursor with `recv`, and ends as the iteration over the client does.
        """
        if max < 1:
            raise invalid("max", max, "must be at least 1")
        return Batches(self, max)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Message:
        """Waits for the next message. The iteration ends when the client was closed on request.

        Raises:
            Closed: it was closed for another reason.
        """
        message = self.recv()
        if message is not None:
            return message
        self._tell_end()
        raise StopIteration

    # Watching --------------------------------------------------------------------------------------------------------

    def events(self, after: int = 0) -> Events:
        """Returns the events after number ``after``, first those that are kept; any number of readers may do so.

        Nobody waits for a reader: one that falls more than 256 behind gets `keepline.events.Missed`. It does not keep
        the client alive.

        Raises:
            ForkedError: the client was made before this process was forked.
        """
        return Events(self._core.events(after))

    # Ending ----------------------------------------------------------------------------------------------------------

    def close(self, drain: Duration = DEFAULT_DRAIN) -> Ending:
        """Closes: accepts nothing more, writes what waits and reads to the end, at most ``drain`` (seconds).

        Idempotent. ``on_event`` is told the end before this returns, unless it takes longer than ``drain``.

        Raises:
            ForkedError: the client was made before this process was forked.
        """
        limit = wait_millis("drain", drain) or 0
        with Waiting() as waiting:
            ending = Ending.of(waiting.finish(self._core.close(waiting.operations, limit)))
        if self._watching is not None:
            self._watching.finish(limit / 1000)
        return ending

    def closed(self) -> Ending:
        """Waits until the client is closed, by whoever, and tells why.

        Raises:
            ForkedError: the client was made before this process was forked.
        """
        with Waiting() as waiting:
            return Ending.of(waiting.finish(self._core.closed(waiting.operations)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()
            self.closed()
            if self._watching is not None:
                self._watching.finish(DEFAULT_DRAIN)

    def __repr__(self) -> str:
        return f"<keepline.sync.Client {self.state} epoch={self.epoch}>"

    # Within ----------------------------------------------------------------------------------------------------------

    def _tell_end(self) -> None:
        ending = self.closed()
        if ending.cause is not Cause.REQUESTED:
            raise closed_error(ending, self.reports())


class Batches(Iterator[list[Message]]):
    """The messages of a client in lists, as they come."""

    __slots__ = ("_client", "_max")

    def __init__(self, client: Client, max: int) -> None:
        """Private: made by `Client.batches`."""
        self._client = client
        self._max = max

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> list[Message]:
        """Waits for the next messages.

        Raises:
            Closed: the client was closed, and not on request.
        """
        messages = self._client.recv_many(self._max)
        if messages:
            return messages
        self._client._tell_end()
        raise StopIteration


def connect(
    address: Target | list[Target],
    *more: Target,
    on_connect: OnConnect | None = None,
    on_event: OnEvent | None = None,
    resolver: ResolverHook | None = None,
    proxy_credentials: ProxyCredentialsProvider | None = None,
    config: Config | None = None,
    **options: Unpack[ConfigOptions],
) -> Client:
    """Makes a client and waits for its first connection, retrying by policy, at most ``connect_within``.

    Use it as ``with keepline.sync.connect(...) as client``: leaving the block closes the client, leaving it by an
    exception aborts it.

        with keepline.sync.connect("127.0.0.1:6379", framing=keepline.Framing.resp(), detect_within=10) as client:
            client.send(b"PING\\r\\n")

    Args:
        address: ``"host:port"``, ``"[v6]:port"``, ``"unix:/path"`` or ``(host, port)``; a `Weighted` one; or a list.
        *more: further endpoints.
        on_connect: greets on each new connection, before it counts as connected and before anything else is sent: a
            function that gets a `GreetingIo`. What it raises ends the attempt; `keepline.AuthRefused` and
            `keepline.RetryLater` say more. It runs in a thread of its own.
        on_event: is told each event (`keepline.events`), in order and one at a time, in a thread of its own. What it
            raises goes to the log; it may block, call the client, or close it. What it misses by being slow is told as
            `keepline.events.Missed`. Neither it nor the hooks keep the client alive.
        resolver: finds the addresses of a name instead of the system: ``resolver(host, port)``.
        proxy_credentials: gives ``(user, password)`` for the ``proxy``, asked once in each attempt with a
            `keepline.CredentialRequest`. It has ``credentials_within`` to answer; the proxy's own refusals are told.
        config: a whole configuration, over which single options are put.
        **options: the fields of `Config`; durations are seconds or a `timedelta`.

    Raises:
        InvalidConfig: names the field, the value and the rule.
        Unavailable: no connection in time, with the last cause; the client is then closed.
        Exhausted: the client gave up (``max_attempts``, or a cause that retrying cannot heal).
    """
    targets, declaration = endpoints(address, more), Config.of(config, options)
    client = _started(targets, declaration, on_connect, on_event, resolver, proxy_credentials)
    last = None if client._asking is None else client._asking.last
    try:
        with Waiting() as waiting:
            waiting.finish(client._core.connected(waiting.operations))
    except BaseException as error:
        client.abort()
        if not isinstance(error, KeeplineError):
            raise
        if client._watching is not None:
            client._watching.finish(DEFAULT_DRAIN)
        reason = None if last is None else last.reason_of(error)
        if reason is None:
            raise
        raise error from reason
    finally:
        if last is not None:
            last.forget()
    return client


def start(
    address: Target | list[Target],
    *more: Target,
    on_connect: OnConnect | None = None,
    on_event: OnEvent | None = None,
    resolver: ResolverHook | None = None,
    proxy_credentials: ProxyCredentialsProvider | None = None,
    config: Config | None = None,
    **options: Unpack[ConfigOptions],
) -> Client:
    """Makes a client and returns at once; it dials for ever.

    Args:
        address: as for `connect`.
        *more: as for `connect`.
        on_connect: as for `connect`.
        on_event: as for `connect`.
        resolver: as for `connect`.
        proxy_credentials: as for `connect`.
        config: as for `connect`.
        **options: as for `connect`.

    Raises:
        InvalidConfig: names the field, the value and the rule.
    """
    targets, declaration = endpoints(address, more), Config.of(config, options)
    client = _started(targets, declaration, on_connect, on_event, resolver, proxy_credentials)
    if client._asking is not None:
        client._asking.last.forget()
    return client


def _started(
    endpoints: list[tuple[str, int | None]],
    config: Config,
    on_connect: OnConnect | None,
    on_event: OnEvent | None,
    resolver: ResolverHook | None,
    proxy_credentials: ProxyCredentialsProvider | None,
) -> Client:
    record = declared(config)
    check_callback(on_event)
    asked = Asked.of(config, on_connect, resolver, proxy_credentials, record)
    if asked is None:
        return Client(_core.Client.start(endpoints, record), on_event=on_event)
    asking = Asking(asked)
    return Client(_core.Client.start_with(endpoints, record, asking.core), asking, on_event)


def doctor(
    address: Address,
    *,
    patience: Duration | None = None,
    path_mtu: bool = False,
    idle: Iterable[Duration] = (),
    config: Config | None = None,
    **options: Unpack[ConfigOptions],
) -> Diagnosis:
    """Examines the way of the client that `connect` would make with the same options, and says where it ends.

    It makes connections of its own, ends them, and changes nothing. It lasts a few round trips where all is well, and
    at most a few times ``patience``, plus the silences that were asked for. A way that ends is no exception: the
    diagnosis tells it. An interrupted wait ends the examination and its connections.

    Args:
        address: as for `connect`.
        patience: how long each stage waits for somebody else, in seconds; 8 s unless given, at most an hour.
        path_mtu: whether full-size packets arrive, too: sends the declared heartbeat many times in one go.
        idle: silences, in seconds, that a connection should survive, 1 s to 32,767 s each. They are tried from the
            shortest on, each on a connection of its own, until one does not survive.
        config: as for `connect`.
        **options: as for `connect`.

    Raises:
        InvalidConfig: names the field, the value and the rule.
    """
    arguments = examination(address, Config.of(config, options), patience, path_mtu, idle)
    with Waiting() as waiting:
        return Diagnosis.of(waiting.finish(_core.doctor(waiting.operations, *arguments)))
