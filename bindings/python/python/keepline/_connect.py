"""How a client for event loops is made: at once, or with its first connection."""

from collections.abc import Awaitable, Generator
from types import TracebackType
from typing import Any, NamedTuple, Unpack

from keepline import _core
from keepline._asking import Asking, OnConnect, ProxyCredentialsProvider, ResolverHook
from keepline._client import DEFAULT_DRAIN, Client
from keepline._config import Config, ConfigOptions, declared
from keepline._endpoint import Target, endpoints
from keepline._errors import KeeplineError
from keepline._hooks import Asked, check_callback
from keepline._loop import LoopBridge
from keepline._watching import OnEvent


class Connecting(Awaitable[Client]):
    """A connection under way: await it, or enter it with ``async with``."""

    __slots__ = ("_client", "_plan")

    def __init__(self, plan: "_Plan") -> None:
        """Private: made by `connect`."""
        self._plan = plan
        self._client: Client | None = None

    def __await__(self) -> Generator[Any, None, Client]:
        return self._connect().__await__()

    async def __aenter__(self) -> Client:
        self._client = await self._connect()
        return self._client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.__aexit__(kind, error, trace)

    async def _connect(self) -> Client:
        # The log and the callback are told of it from the first attempt on.
        client = self._plan.start()
        bridge, last = client._bridge, None if client._asking is None else client._asking.last
        try:
            await bridge.finish(client._core.connected(bridge.operations))
        except BaseException as error:
            client.abort()
            client._tell()
            if not isinstance(error, KeeplineError):
                raise
            if client._watching is not None:
                await client._watching.finish(DEFAULT_DRAIN)
            reason = None if last is None else last.reason_of(error)
            if reason is None:
                raise
            raise error from reason
        finally:
            if last is not None:
                last.forget()
        return client


class _Plan(NamedTuple):
    """What a client is made from."""

    endpoints: list[tuple[str, int | None]]
    record: dict[str, Any]
    asked: Asked | None
    on_event: OnEvent | None

    @classmethod
    def of(
        cls,
        endpoints: list[tuple[str, int | None]],
        config: Config,
        on_connect: OnConnect | None,
        on_event: OnEvent | None,
        resolver: ResolverHook | None,
        proxy_credentials: ProxyCredentialsProvider | None,
    ) -> "_Plan":
        record = declared(config)
        check_callback(on_event)
        asked = Asked.of(config, on_connect, resolver, proxy_credentials, record)
        return cls(endpoints, record, asked, on_event)

    def start(self) -> Client:
        bridge = LoopBridge.running()
        if self.asked is None:
            return Client(_core.Client.start(self.endpoints, self.record), bridge, on_event=self.on_event)
        asking = Asking(self.asked, bridge)
        core = _core.Client.start_with(self.endpoints, self.record, asking.core)
        return Client(core, bridge, asking, self.on_event)


def connect(
    address: Target | list[Target],
    *more: Target,
    on_connect: OnConnect | None = None,
    on_event: OnEvent | None = None,
    resolver: ResolverHook | None = None,
    proxy_credentials: ProxyCredentialsProvider | None = None,
    config: Config | None = None,
    **options: Unpack[ConfigOptions],
) -> Connecting:
    """Makes a client and waits for its first connection, retrying by policy, at most ``connect_within``.

    Use it as ``async with keepline.connect(...) as client`` or ``client = await keepline.connect(...)``. Leaving the
    block closes the client; leaving it by an exception aborts it. Cancelling the wait aborts it, too.

        async with keepline.connect("127.0.0.1:6379", framing=keepline.Framing.resp(), detect_within=10) as client:
            await client.send(b"PING\\r\\n")

    Args:
        address: ``"host:port"``, ``"[v6]:port"``, ``"unix:/path"`` or ``(host, port)``; a `Weighted` one; or a list.
        *more: further endpoints.
        on_connect: greets on each new connection, before it counts as connected and before anything else is sent: an
            ``async def`` that gets a `GreetingIo`. What it raises ends the attempt; `AuthRefused` and `RetryLater` say
            more. It runs as a task of this loop and is cancelled at the deadline of the attempt.
        on_event: is told each event (`keepline.events`), in order and one at a time, by a task of this loop. What it
            raises goes to the log; it may call the client, close it, or be an ``async def``. What it misses by being
            slow is told as `keepline.events.Missed`. Neither it nor the hooks keep the client alive.
        resolver: finds the addresses of a name instead of the system: ``resolver(host, port)``, plain or async.
        proxy_credentials: gives ``(user, password)`` for the ``proxy``, asked once in each attempt with a
            `CredentialRequest`, plain or async. It has ``credentials_within`` to answer; the proxy's own refusals are told.
        config: a whole configuration, over which single options are put.
        **options: the fields of `Config`; durations are seconds or a `timedelta`.

    Raises:
        InvalidConfig: names the field, the value and the rule.
        Unavailable: no connection in time, with the last cause; the client is then closed.
        Exhausted: the client gave up (``max_attempts``, or a cause that retrying cannot heal).
    """
    targets, declaration = endpoints(address, more), Config.of(config, options)
    return Connecting(_Plan.of(targets, declaration, on_connect, on_event, resolver, proxy_credentials))


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
    """Makes a client and returns at once; it dials for ever. To be called in a running event loop.

        client = keepline.start("127.0.0.1:6379")
        client.try_send(b"waits in the outbox until there is a connection")

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
    client = _Plan.of(targets, declaration, on_connect, on_event, resolver, proxy_credentials).start()
    if client._asking is not None:
        client._asking.last.forget()
    return client
