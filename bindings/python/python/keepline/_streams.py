"""Stream clients for asyncio: connections instead of messages, for code that brings its own protocol."""

import asyncio
import ssl as ssl_module
import weakref
from asyncio import BaseProtocol, StreamReader, StreamReaderProtocol, StreamWriter
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack, cast

from keepline import _core
from keepline._client import DEFAULT_DRAIN, closed_error
from keepline._config import Config, ConfigOptions, declared
from keepline._dial import Dial, Given
from keepline._endpoint import Target, endpoint, endpoints
from keepline._errors import Closed, invalid
from keepline._handle import LoopHandle
from keepline._loop import LoopBridge
from keepline._names import Cause
from keepline._records import Ending
from keepline._told import Events
from keepline._transport import Transport
from keepline._values import Duration, wait_millis

P = TypeVar("P", bound=BaseProtocol)

LIMIT = 64 * 1024
"""Bytes that a `StreamReader` holds before the peer is held back; twice as many at most. As in asyncio."""


class Streams(LoopHandle):
    """A client that gives out connections, one at a time: liveness, greeting, reconnect and backoff are Keepline's, the
    bytes are yours.

    Made by `connect_streams` or `start_streams`. When a connection ends, the next is dialled by policy, and waits unread
    until it is asked for. One that the peer has left meanwhile is passed over. `open_connection` and `create_connection`
    take the place of asyncio's in code that opens a connection anew when it has lost one.

    Whatever waits belongs to the event loop it was made in. Letting go of the last reference ends the connection, too;
    a connection that is open holds one.
    """

    def __init__(self, core: _core.Streams, bridge: LoopBridge) -> None:
        """Private: use `connect_streams` or `start_streams`."""
        super().__init__(core.client(), bridge)
        self._streams = core
        self._open: weakref.ref[Transport] | None = None
        self._limit: int | None = None

    # Opening ---------------------------------------------------------------------------------------------------------

    async def open_connection(
        self, host: str | None = None, port: int | None = None, *, limit: int = LIMIT, **given: Unpack[Given]
    ) -> tuple[StreamReader, StreamWriter]:
        """Waits for the next connection, at most ``connect_within``; as `asyncio.open_connection`.

        Args:
            host, port: must name one of the endpoints, if given.
            limit: bytes that the reader holds before the peer is held back.
            **given: as `create_connection`.

        Cancel safe: the connection stays for the next call.

        Raises:
            Unavailable: no connection in time, with the last cause; it goes on dialling.
            InvalidConfig: an argument that does not fit; ``field`` names it.
            Closed: the client is closed.
        """
        return await _opened(lambda factory: self.create_connection(factory, host, port, **given), limit)

    async def create_connection(
        self,
        protocol_factory: Callable[[], P],
        host: str | None = None,
        port: int | None = None,
        **given: Unpack[Given],
    ) -> tuple[asyncio.Transport, P]:
        """Waits for the next connection, at most ``connect_within``; as `asyncio.loop.create_connection`.

        There is one at a time: while a connection is open, this waits for its successor. A connection whose peer has
        closed its side is ended for the next one.

        Args:
            protocol_factory: makes the protocol of the connection.
            host, port: must name one of the endpoints, if given.
            **given: as `keepline.create_connection`; what says how to connect was said when the client was made.

        Cancel safe: the connection stays for the next call.

        Raises:
            Unavailable, InvalidConfig, Closed: as `open_connection`.
        """
        self._bridge.check(asyncio.get_running_loop())
        dial = Dial.of(host, port, given)
        dial.must_be_of(self.endpoints)
        if dial.tls is not None and self.config.tls is None and not str(self.endpoints[0]).startswith("tls://"):
            raise invalid("ssl", "True", "must be declared when the client is made, as tls=True")
        if self._limit is None:
            self._limit = wait_millis("connect_within", self.config.connect_within)
        self._leave(only_if_left=True)
        stream = await self._bridge.finish(self._streams.next(self._bridge.operations, self._limit))
        return await self._made(stream, protocol_factory, dial)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[StreamReader, StreamWriter]:
        """Waits for the next connection, for as long as it takes; the one before is closed, if it is open still.

        The iteration ends when the client was closed on request. Cancel safe: the connection stays for the next call.

        Raises:
            Closed: it was closed for another reason.
        """
        self._leave(only_if_left=False)

        async def make(factory: Callable[[], StreamReaderProtocol]) -> tuple[asyncio.Transport, StreamReaderProtocol]:
            stream = await self._bridge.finish(self._streams.next(self._bridge.operations, None))
            return await self._made(stream, factory, Dial())

        try:
            return await _opened(make, LIMIT)
        except Closed:
            ending = await self.closed()
            if ending.cause is Cause.REQUESTED:
                raise StopAsyncIteration from None
            raise closed_error(ending, self.reports()) from None

    # Watching --------------------------------------------------------------------------------------------------------

    def events(self, after: int = 0) -> Events:
        """Returns the events after number ``after``, as `Client.events` does."""
        return Events(self._core.events(after), self._bridge)

    # Ending ----------------------------------------------------------------------------------------------------------

    async def close(self, drain: Duration = DEFAULT_DRAIN) -> Ending:
        """Closes: dials no more, and gives the connection that is open at most ``drain`` (seconds) to write what waits.

        Idempotent. Cancel safe: the close goes on if the wait is cancelled.
        """
        limit = wait_millis("drain", drain) or 0
        self._bridge.unclosed.discard(self)
        started = self._core.close(self._bridge.operations, limit)
        self._leave(only_if_left=False)
        return Ending.of(await self._bridge.finish(started))

    async def closed(self) -> Ending:
        """Waits until the client is closed, by whoever, and tells why. Cancel safe."""
        return Ending.of(await self._bridge.finish(self._core.closed(self._bridge.operations)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.close()
        else:
            self.abort()
            await self.closed()

    def __repr__(self) -> str:
        return f"<keepline.Streams {self.state} epoch={self.epoch}>"

    # Within ----------------------------------------------------------------------------------------------------------

    async def _made(
        self, stream: _core.Stream, protocol_factory: Callable[[], P], dial: Dial
    ) -> tuple[asyncio.Transport, P]:
        """Has a new protocol told of the connection."""
        loop = asyncio.get_running_loop()
        protocol = protocol_factory()
        made = loop.create_future()
        # An SSLContext is laid over the bytes: the protocol is told once it has agreed with the peer.
        below = protocol if dial.context is None else asyncio.Protocol()
        transport = Transport(loop, self._bridge, stream, self, below)
        self._open = weakref.ref(transport)
        try:
            transport.begin(made)
            if dial.context is None:
                await made
                return transport, protocol
            # Before anything is read: each byte belongs to the handshake.
            transport.pause_reading()
            await made
            over = await _start_tls(loop, transport, protocol, dial)
            protocol.connection_made(over)
            return over, protocol
        except BaseException:
            transport.abort()
            raise

    def _leave(self, only_if_left: bool) -> None:
        """Ends the connection that is open, or only one whose peer has nothing more to say."""
        transport = None if self._open is None else self._open()
        if transport is None:
            return
        if not only_if_left:
            transport.close()
        elif transport.is_left:
            transport.abort()


class ConnectingStreams(Awaitable[Streams]):
    """A stream client under way: await it, or enter it with ``async with``."""

    __slots__ = ("_config", "_endpoints", "_streams")

    def __init__(self, endpoints: list[tuple[str, int | None]], config: dict[str, Any]) -> None:
        """Private: made by `connect_streams`."""
        self._endpoints = endpoints
        self._config = config
        self._streams: Streams | None = None

    def __await__(self) -> Generator[Any, None, Streams]:
        return self._connect().__await__()

    async def __aenter__(self) -> Streams:
        self._streams = await self._connect()
        return self._streams

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            await streams.__aexit__(kind, error, trace)

    async def _connect(self) -> Streams:
        bridge = LoopBridge.running()
        started = _core.Streams.connect(bridge.operations, self._endpoints, self._config)
        return Streams(await bridge.finish(started), bridge)


def connect_streams(
    address: Target | list[Target], *more: Target, config: Config | None = None, **options: Unpack[ConfigOptions]
) -> ConnectingStreams:
    """Makes a client that gives out connections, and waits for the first, retrying by policy, at most ``connect_within``.

        async with keepline.connect_streams("plc-7.example:502") as streams:
            reader, writer = await streams.open_connection()

    Leaving the block closes the client and its connection. Cancelling the wait aborts it.

    Args:
        address: as for `keepline.connect`.
        *more: as for `keepline.connect`.
        config: as for `keepline.connect`.
        **options: as for `keepline.connect`, without those that only messages have: ``framing``, ``heartbeat``,
            ``correlation``, ``auto_replies``, ``go_away`` and ``outbox``.

    Raises:
        InvalidConfig: names the field, the value and the rule.
        Unavailable: no connection in time, with the last cause; the client is then closed.
        Exhausted: the client gave up (``max_attempts``, or a cause that retrying cannot heal).
    """
    return ConnectingStreams(endpoints(address, more), declared(Config.of(config, options)))


def start_streams(
    address: Target | list[Target], *more: Target, config: Config | None = None, **options: Unpack[ConfigOptions]
) -> Streams:
    """Makes a client that gives out connections and returns at once; it dials for ever. In a running event loop.

    Args:
        address: as for `connect_streams`.
        *more: as for `connect_streams`.
        config: as for `connect_streams`.
        **options: as for `connect_streams`.

    Raises:
        InvalidConfig: names the field, the value and the rule.
    """
    bridge = LoopBridge.running()
    return Streams(_core.Streams.start(endpoints(address, more), declared(Config.of(config, options))), bridge)


async def open_connection(
    host: str | None = None,
    port: int | None = None,
    *,
    limit: int = LIMIT,
    ssl: "ssl_module.SSLContext | bool | None" = None,
    config: Config | None = None,
    **options: Any,
) -> tuple[StreamReader, StreamWriter]:
    """Opens one connection, retrying by policy at most ``connect_within``; as `asyncio.open_connection`.

    The reader and the writer are asyncio's own. A connection that is lost raises `ConnectionLost`, a
    `ConnectionResetError` that says why. Open the next one with another call; `connect_streams` makes a client whose
    ``open_connection`` dials the next one meanwhile and remembers the waits between attempts.

    Args:
        host, port: where to; ``port=None`` takes ``host`` as ``"host:port"`` or ``"unix:/path"``.
        limit: bytes that the reader holds before the peer is held back.
        ssl: as for `create_connection`.
        config: as for `create_connection`.
        **options: as for `create_connection`.

    Cancel safe: cancelling gives the connection up.

    Raises:
        Unavailable, Exhausted, InvalidConfig: as `create_connection`.
    """
    given = cast(Any, {"ssl": ssl, "config": config, **options})
    return await _opened(lambda factory: create_connection(factory, host, port, **given), limit)


async def create_connection(
    protocol_factory: Callable[[], P],
    host: str | None = None,
    port: int | None = None,
    *,
    ssl: "ssl_module.SSLContext | bool | None" = None,
    config: Config | None = None,
    **options: Any,
) -> tuple[asyncio.Transport, P]:
    """Opens one connection, retrying by policy at most ``connect_within``; as `asyncio.loop.create_connection`.

    Args:
        protocol_factory: makes the protocol of the connection.
        host, port: where to; ``port=None`` takes ``host`` as ``"host:port"`` or ``"unix:/path"``.
        ssl: ``True`` for Keepline's own TLS (`Tls` by ``tls=`` says how), or an `ssl.SSLContext`, laid over the connection
            by asyncio.
        config: a whole configuration, over which single options are put.
        **options: the fields of `Config`, as for `connect_streams`, and what asyncio's function knows:
            ``server_hostname``; ``ssl_handshake_timeout`` and ``ssl_shutdown_timeout`` with an SSLContext;
            ``local_addr`` with port 0; ``happy_eyeballs_delay``, 0.1 s to 2 s. Those without a meaning here are refused
            unless they are at their defaults: ``family``, ``proto``, ``flags``, ``sock``, ``interleave``, ``all_errors``.

    Cancel safe: cancelling gives the connection up.

    Raises:
        Unavailable: no connection in time, with the last cause.
        Exhausted: ``max_attempts`` attempts failed, or a cause that retrying cannot heal.
        InvalidConfig: names the field or the argument, the value and the rule.
    """
    names = Given.__annotations__
    asked = cast(Given, {"ssl": ssl, **{name: value for name, value in options.items() if name in names}})
    dial = Dial.of(host, port, asked)
    told = cast(ConfigOptions, {name: value for name, value in options.items() if name not in names})
    if dial.address is None:
        raise invalid("host", "none", "must be given")
    record = declared(dial.over(Config.of(config, told)))
    bridge = LoopBridge.running()
    started = _core.Streams.connect_one(bridge.operations, [(endpoint(dial.address), None)], record)
    client, stream = await bridge.finish(started)
    streams = Streams(client, bridge)
    # It is the transport's: one that nobody closes is told of as asyncio's are, by a `ResourceWarning`.
    bridge.unclosed.discard(streams)
    return await streams._made(stream, protocol_factory, dial)


async def _opened(
    make: Callable[
        [Callable[[], StreamReaderProtocol]], Awaitable[tuple[asyncio.Transport, StreamReaderProtocol]]
    ],
    limit: int,
) -> tuple[StreamReader, StreamWriter]:
    """Makes asyncio's reader and writer of a connection."""
    loop = asyncio.get_running_loop()
    reader = StreamReader(limit=limit, loop=loop)
    protocol = StreamReaderProtocol(reader, loop=loop)
    transport, _ = await make(lambda: protocol)
    return reader, StreamWriter(transport, protocol, reader, loop)


async def _start_tls(
    loop: asyncio.AbstractEventLoop, transport: Transport, protocol: BaseProtocol, dial: Dial
) -> asyncio.Transport:
    """Lays an SSLContext over a connection."""
    # asyncio's own: that of another loop may take only the transports of that loop.
    made = await asyncio.base_events.BaseEventLoop.start_tls(
        cast(asyncio.base_events.BaseEventLoop, loop),
        transport,
        protocol,
        cast(ssl_module.SSLContext, dial.context),
        server_hostname=dial.server_hostname,
        ssl_handshake_timeout=dial.ssl_handshake_timeout,
        ssl_shutdown_timeout=dial.ssl_shutdown_timeout,
    )
    return cast(asyncio.Transport, made)
