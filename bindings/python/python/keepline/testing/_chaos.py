"""The proxy that does harm on request, in front of any server."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, TypeVar

from keepline import _core
from keepline._errors import invalid
from keepline._values import Data, Duration, count, data, wait_millis
from keepline.testing._records import ProxyConnection, ProxyRecord
from keepline.testing._wait import WITHIN, Wait

T = TypeVar("T")

Direction: TypeAlias = Literal["up", "down", "both"]
"""Which way bytes flow: ``up`` from the client to the server, ``down`` from the server to the client."""

End: TypeAlias = Literal["fin", "rst"]
"""How a connection is ended: in order, or with a reset."""


class ChaosProxy:
    """A TCP proxy in front of a server, with faults that can be set and cleared while it runs.

        with ChaosProxy(("127.0.0.1", 6379)) as proxy:
            client = connect_to(proxy.address)
            proxy.silence()                          # everything vanishes, nothing is closed
            await proxy.until_received(1)            # the client has sent something into the void

    Faults apply to living and to later connections, add up, and hold from the moment their call returns. Byte counts and
    offsets are per connection: they count from the call for connections that live, and from the first byte for later
    ones. Plain functions may be called from any thread; none of them waits for anybody.

    Both kernels next to the proxy stay healthy: what it swallows looks acknowledged to the sender.
    """

    def __init__(
        self,
        upstream: str | tuple[str, int],
        *,
        port: int = 0,
        seed: int = 0,
        receive_buffer: int | None = None,
    ) -> None:
        """Starts the proxy on 127.0.0.1.

        Args:
            upstream: the server: ``"host:port"`` or ``(host, port)``. A name is resolved here, once.
            port: where to listen; 0 is any free port. It is kept until `shut_down`, also while nobody listens.
            seed: of the jitter: the same seed draws the same delays.
            receive_buffer: bytes of the receive buffers of the proxy's sockets. With a small one, 4096 for instance, a
                `stall` closes the sender's window after a few kilobytes; otherwise it swallows megabytes first.

        Raises:
            OSError: the port is taken, or the server's name does not resolve.
            InvalidConfig: an argument is out of range.
        """
        listen = f"127.0.0.1:{_within('port', port, 0, 65535)}"
        receive_buffer = count("receive_buffer", receive_buffer)
        self._core = _core.ChaosProxy.start(_resolved(upstream), listen, count("seed", seed) or 0, receive_buffer)

    @property
    def address(self) -> tuple[str, int]:
        """Where clients connect to: host and port. It stays the same for the life of the proxy."""
        return self._core.address()

    @property
    def host(self) -> str:
        """The host of `address`."""
        return self.address[0]

    @property
    def port(self) -> int:
        """The port of `address`."""
        return self.address[1]

    def set_upstream(self, upstream: str | tuple[str, int]) -> None:
        """Sends later connections to another server."""
        self._core.command({"kind": "upstream", "address": _resolved(upstream)})

    def clear(self) -> None:
        """Ends every fault and listens again.

        Connections that have gone silent or were forgotten stay so: their streams have holes. What was delayed or held
        goes out at once.
        """
        self._core.command({"kind": "clear"})

    # What happens to bytes -------------------------------------------------------------------------------------------

    def pass_on(self, direction: Direction = "both") -> None:
        """Ends every fault of a direction; the listener is left as it is."""
        self._fault(direction, kind="pass")

    def silence(self, direction: Direction = "both") -> None:
        """Drops everything from now on, the end of the stream included, while the connections stay open."""
        self.drop_after(0, direction)

    def drop_after(self, bytes: int, direction: Direction = "both") -> None:
        """Lets so many bytes pass, then silences the connection for ever."""
        self._fault(direction, kind="drop_after", bytes=count("bytes", bytes))

    def stall(self, direction: Direction = "up") -> None:
        """Stops reading: the sender's buffers fill up and its window closes. Ended by `pass_on` or `clear`."""
        self._fault(direction, kind="stall")

    def hold(self, direction: Direction = "both") -> None:
        """Reads and forwards nothing, like an outage that heals, until `release`; at most 16 MiB for each connection."""
        self._fault(direction, kind="hold")

    def release(self, direction: Direction = "both") -> None:
        """Ends a `hold`; everything held arrives at once."""
        self._fault(direction, kind="release")

    def latency(self, delay: Duration, jitter: Duration = 0, direction: Direction = "both") -> None:
        """Delays every byte by ``delay`` and up to ``jitter`` more (seconds), in order."""
        delay_ms, jitter_ms = wait_millis("delay", delay), wait_millis("jitter", jitter)
        self._fault(direction, kind="latency", delay_ms=delay_ms, jitter_ms=jitter_ms)

    def rate(self, bytes_per_second: int, direction: Direction = "both") -> None:
        """Narrows the line."""
        self._fault(direction, kind="rate", bytes_per_second=count("bytes_per_second", bytes_per_second))

    def slice(self, size: int, gap: Duration, direction: Direction = "both") -> None:
        """Cuts the stream into pieces of ``size`` bytes that arrive ``gap`` seconds apart."""
        self._fault(direction, kind="slice", size=count("size", size), gap_ms=wait_millis("gap", gap))

    def cut(self, bytes: int, end: End = "fin", direction: Direction = "down") -> None:
        """Lets exactly so many bytes pass, then ends the connection both ways."""
        self._fault(direction, kind="limit", bytes=count("bytes", bytes), end=_one_of("end", end, "fin", "rst"))

    def corrupt(self, offset: int, mask: int = 0xFF, direction: Direction = "down") -> None:
        """Flips the bits of ``mask`` in the byte at ``offset``, once for each connection."""
        mask = _within("mask", mask, 0, 255)
        self._fault(direction, kind="corrupt", offset=count("offset", offset), mask=mask)

    def inject(self, payload: Data, direction: Direction = "down") -> None:
        """Puts bytes that nobody sent into every living connection."""
        self._fault(direction, kind="inject", data=data("payload", payload))

    def duplicate(self, direction: Direction = "down") -> None:
        """Lets every chunk arrive twice."""
        self._fault(direction, kind="duplicate")

    def half_close(self, direction: Direction = "down") -> None:
        """Ends one direction of every living connection in order; the other goes on, and its senders notice nothing."""
        self._fault(direction, kind="half_close")

    def idle_cut(self, after: Duration, mode: Literal["silent", "rst"] = "silent") -> None:
        """Forgets every connection that carries no byte for ``after`` seconds, as a NAT does.

        Later bytes vanish both ways, or the first of them is answered with a reset. ``until("forgotten")`` waits for it.
        """
        mode = _one_of("mode", mode, "silent", "rst")
        self._core.command({"kind": "idle_cut", "after_ms": wait_millis("after", after), "mode": mode})

    # What happens to connections -------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Resets every living connection at both ends."""
        self._core.command({"kind": "reset"})

    def close(self) -> None:
        """Ends every living connection in order at both ends."""
        self._core.command({"kind": "close"})

    def refuse(self) -> None:
        """Stops listening, so that new connections are refused; the port is kept. Living connections go on."""
        self._core.command({"kind": "refuse"})

    def accept_and_silence(self) -> None:
        """Accepts new connections and never answers: what they send vanishes."""
        self._core.command({"kind": "accept_and_silence"})

    def accept_then_close(self, end: End = "fin") -> None:
        """Accepts new connections and ends them at once."""
        self._core.command({"kind": "accept_then_" + _one_of("end", end, "fin", "rst")})

    def hang_syn(self, within: Duration = WITHIN) -> Wait[bool]:
        """Lets new connections hang in their SYN, behind a full accept queue, once the wait is over.

        Living connections go on. The wait lasts about a quarter of a second, and raises `OSError` where the kernel does
        not drop the SYN of a connection that finds the queue full; Linux does.
        """
        self._core.hang_syn()

        def look() -> bool | None:
            told = self._core.is_hanging()
            if told is not None and not told[0]:
                raise OSError(told[1])
            return None if told is None else True

        return Wait(look, within, lambda: "a full accept queue")

    def accept_again(self) -> None:
        """Forwards new connections again, after `refuse` and its relatives; faults of bytes stay."""
        self._core.command({"kind": "accept_again"})

    def restart(self, end: End = "rst") -> None:
        """Ends every living connection and goes on listening: a server that restarts faster than anybody can see."""
        self._end_all(_one_of("end", end, "fin", "rst"))
        self.accept_again()

    @contextmanager
    def outage(self, end: End = "rst") -> Iterator[Self]:
        """A server that is away for the length of a block: connections end, new ones are refused, then accepted again."""
        self.refuse()
        self._end_all(_one_of("end", end, "fin", "rst"))
        try:
            yield self
        finally:
            self.accept_again()

    # Looking ---------------------------------------------------------------------------------------------------------

    @property
    def accepted(self) -> int:
        """How many connections were accepted since the start."""
        return self._core.accepted()

    @property
    def connections(self) -> list[ProxyConnection]:
        """The living connections, oldest first."""
        return [ProxyConnection.of(record) for record in self._core.connections()]

    def received(self, direction: Direction = "both") -> int:
        """How many bytes were read from the senders of a direction since the start, over all connections."""
        return self._core.received(direction)

    def forwarded(self, direction: Direction = "both") -> int:
        """How many bytes were handed to the receivers of a direction since the start, over all connections."""
        return self._core.forwarded(direction)

    def history(self) -> list[ProxyRecord]:
        """The last 65,536 things that happened, oldest first. Reads of one transfer that follow each other are one."""
        return [ProxyRecord.of(record) for record in self._core.history()]

    # Waiting ---------------------------------------------------------------------------------------------------------

    def until_accepted(self, count: int = 1, within: Duration = WITHIN) -> Wait[int]:
        """Waits until ``count`` connections were accepted since the start, living or not, at most ``within`` seconds."""
        return self._until(lambda: self.accepted, count, within, "connections")

    def until_received(self, count: int, direction: Direction = "up", within: Duration = WITHIN) -> Wait[int]:
        """Waits until ``count`` bytes were read from the senders of a direction since the start, whatever became of them.

        ``proxy.until_received(proxy.received("up") + 1)`` waits for the next byte, also for one that is swallowed. It waits
        at most ``within`` seconds.
        """
        return self._until(lambda: self.received(direction), count, within, f"bytes {direction}")

    def until_forwarded(self, count: int, direction: Direction = "up", within: Duration = WITHIN) -> Wait[int]:
        """Waits until ``count`` bytes were handed to the receivers of a direction since the start, at most ``within`` seconds."""
        return self._until(lambda: self.forwarded(direction), count, within, f"bytes passed on {direction}")

    def until(self, what: str, connection: int | None = None, within: Duration = WITHIN) -> Wait[ProxyRecord]:
        """Waits for the first record of this name, past or future; of one connection if it is named.

        Args:
            what: a name of `ProxyRecord.what`.
            connection: the number of a connection.
            within: seconds.
        """

        def look() -> ProxyRecord | None:
            found = self._core.find(what, connection)
            return None if found is None else ProxyRecord.of(found)

        of_which = "" if connection is None else f" of connection {connection}"
        return Wait(look, within, lambda: f"{what!r}{of_which}; the history ends with {self._last()}")

    # Ending ----------------------------------------------------------------------------------------------------------

    def shut_down(self) -> None:
        """Ends the proxy: its port, its connections, its tasks. Idempotent."""
        self._core.shut_down()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shut_down()

    def _fault(self, direction: Direction, **fault: Any) -> None:
        self._core.fault(direction, fault)

    def _end_all(self, end: End) -> None:
        self._core.command({"kind": "reset" if end == "rst" else "close"})

    def _until(self, look: Any, wanted: int, within: Duration, of_what: str) -> Wait[int]:
        def found() -> int | None:
            seen: int = look()
            return seen if seen >= wanted else None

        return Wait(found, within, lambda: f"{wanted} {of_what}, saw {look()}")

    def _last(self) -> str:
        history = self.history()
        return str(history[-1]).strip() if history else "nothing"


def _resolved(upstream: str | tuple[str, int]) -> str:
    """An address and a port in digits."""
    if isinstance(upstream, str):
        host, colon, port = upstream.rpartition(":")
        if not colon or not port.isdecimal():
            raise invalid("upstream", upstream, "must be host:port")
        upstream = host.strip("[]"), int(port)
    found = socket.getaddrinfo(*upstream, type=socket.SOCK_STREAM)
    # A server of a test listens on 127.0.0.1 far more often than on ::1, and "localhost" names both.
    family, *_, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    digits, number = str(address[0]), int(address[1])
    return f"[{digits}]:{number}" if family == socket.AF_INET6 else f"{digits}:{number}"


def _within(field: str, value: int, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise invalid(field, repr(value), f"must be from {least} to {most}")
    return value


def _one_of(field: str, value: T, *names: str) -> T:
    if value not in names:
        raise invalid(field, repr(value), f"must be {' or '.join(names)}")
    return value
