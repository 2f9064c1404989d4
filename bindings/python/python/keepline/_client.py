"""The client for asyncio: it survives any number of connections."""

from collections.abc import AsyncIterator, Iterable
from threading import get_ident
from types import TracebackType
from typing import Self

from keepline import _core
from keepline._asking import Asking
from keepline._core import Message
from keepline._errors import Closed, Rejected, invalid
from keepline._handle import LoopHandle, as_batch
from keepline._hooks import is_inside
from keepline._inbox import BATCH, Inbox
from keepline._log import Told, is_wanted
from keepline._loop import LoopBridge, brief_shield, resume, running_loop
from keepline._names import Cause
from keepline._records import Ending
from keepline._report import Report
from keepline._told import Events, Receipt
from keepline._values import Data, Duration, wait_millis
from keepline._watching import OnEvent, Watching

DEFAULT_DRAIN = 1.0
"""Seconds. A healthy peer takes what waits in far less; a program that ends should not be held up by another."""


class Client(LoopHandle):
    """A client of one endpoint or several: any number of connections, one at a time.

    Made by `connect` or `start`. Whatever waits belongs to the event loop it was made in, and raises `WrongLoopError` in
    another; plain functions may be called from any thread. After a fork everything raises `ForkedError` in the child.
    Letting go of the last reference aborts the connection.

        async with keepline.connect("plc-7.example:502", framing=keepline.Framing.modbus_tcp()) as client:
            await client.send(frame, timeout=2)
            async for message in client:  # survives reconnects; message.epoch tells them apart
                print(message.payload)
    """

    def __init__(
        self,
        core: _core.Client,
        bridge: LoopBridge,
        asking: Asking | None = None,
        on_event: OnEvent | None = None,
    ) -> None:
        """Private: use `connect` or `start`."""
        watching = None if on_event is None else Watching(core, bridge, on_event)
        super().__init__(core, bridge, watching)
        self._asking = asking
        self._watching = watching
        self._loop = running_loop()
        # Asked before each message: far cheaper than asking for the running loop, which asks the system.
        self._thread = get_ident()
        self._inbox = Inbox(core, bridge, self._loop)
        self._batch = self._inbox.batch
        self._readers = self._inbox.readers
        self._told = Told(core, bridge) if is_wanted() else None
        self._tell()

    # Sending ---------------------------------------------------------------------------------------------------------

    async def send(self, data: Data, timeout: Duration | None = None, *, idempotent: bool = False) -> None:
        """Accepts a message, and waits at most ``timeout`` (seconds) for room while the peer is only slow.

        Returning means accepted, not delivered: `send_tracked` tells what became of it.

        Cancel safe: a cancelled send was not accepted.

        Raises:
            Timeout: there was no room in time.
            Rejected, Unavailable, Closed: as `try_send`.
        """
        limit = None if timeout is None else wait_millis("timeout", timeout)
        if not self._core.accept(data, idempotent):
            self._check()
            await self._bridge.finish(self._core.send(self._bridge.operations, data, idempotent, limit))

    async def send_many(
        self, messages: Iterable[Data], timeout: Duration | None = None, *, idempotent: bool = False
    ) -> None:
        """Accepts a batch: all of it, in order and with nothing in between, or nothing.

        Waits at most ``timeout`` (seconds) until all of it has room while the peer is only slow. One call for many
        messages costs far less than a call for each. Each message has its own fate afterwards, as if sent alone.

        Cancel safe: of a cancelled batch nothing was accepted.

        Raises:
            Timeout: there was no room in time.
            Rejected: as `try_send_many`.
            Unavailable, Closed: as `try_send`.
        """
        limit = None if timeout is None else wait_millis("timeout", timeout)
        batch = as_batch(messages)
        if not self._core.accept_many(batch, idempotent):
            self._check()
            await self._bridge.finish(self._core.send_many(self._bridge.operations, batch, idempotent, limit))

    async def send_tracked(
        self, data: Data, timeout: Duration | None = None, *, idempotent: bool = False
    ) -> Receipt:
        """As `send`, with a receipt that tells what became of the message. ``timeout`` is in seconds.

        Cancel safe: a cancelled send was not accepted.

        Raises:
            Timeout, Rejected, Unavailable, Closed: as `send`.
        """
        limit = wait_millis("timeout", timeout)
        self._check()
        started = self._core.send_tracked(self._bridge.operations, data, idempotent, limit)
        return Receipt(await self._bridge.finish(started), self._bridge)

    async def request(self, data: Data, timeout: Duration) -> bytes:
        """Sends a request and waits for its reply, both at most ``timeout`` (seconds).

        Cancelling gives the reply up; the request may still be carried out.

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
        self._check()
        if self._asking is not None and is_inside(self._asking.core):
            raise Rejected("a request inside on_connect would wait for on_connect")
        self._inbox.note_wait()
        return await self._bridge.finish(self._core.request(self._bridge.operations, data, limit), resume)

    # Receiving -------------------------------------------------------------------------------------------------------

    async def recv(self, timeout: Duration | None = None) -> Message | None:
        """Waits at most ``timeout`` (seconds) for the next message; ``None`` after close, when all were taken.

        Concurrent calls share one cursor: each message goes to one of them. Cancel safe: the message stays for the next
        call, and so it does after a timeout.

        Raises:
            Timeout: nothing came in time.
        """
        if get_ident() != self._thread:
            self._check()
        batch = self._batch
        if not batch:
            taken = await self._inbox.take(BATCH, None if timeout is None else wait_millis("timeout", timeout))
            if taken:
                batch.extend(taken)
            elif not batch:
                return None
        message = batch.popleft()
        if self._readers:
            self._inbox.pass_on()
        return message

    async def recv_many(self, max: int = BATCH, timeout: Duration | None = None) -> list[Message]:
        """Waits at most ``timeout`` (seconds) for messages and returns up to ``max`` of them; an empty list after close.

        Cancel safe, as `recv`.

        Raises:
            Timeout: nothing came in time.
        """
        if max < 1:
            raise invalid("max", max, "must be at least 1")
        if get_ident() != self._thread:
            self._check()
        return await self._inbox.take_many(max, wait_millis("timeout", timeout))

    def batches(self, max: int = BATCH) -> "Batches":
        """Iterates over the messages in lists of up to ``max``: whatever has come by then, at least one.

            async for batch in client.batches():
                for message in batch: ...

        The fastest way to read many. It shares its cursor with `recv`, and ends as the iteration over the client does.
        """
        if max < 1:
            raise invalid("max", max, "must be at least 1")
        return Batches(self, max)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        """Waits for the next message. The iteration ends when the client was closed on request. Cancel safe, as `recv`.

        Raises:
            Closed: it was closed for another reason.
        """
        if self._batch and get_ident() == self._thread and not self._readers:
            return self._batch.popleft()
        message = await self.recv()
        if message is not None:
            return message
        raise await self._end_of_iteration()

    # Watching --------------------------------------------------------------------------------------------------------

    def events(self, after: int = 0) -> Events:
        """Returns the events after number ``after``, first those that are kept; any number of readers may do so.

        Nobody waits for a reader: one that falls more than 256 behind gets `keepline.events.Missed`. It does not keep
        the client alive.

        Raises:
            ForkedError: the client was made before this process was forked.
        """
        return Events(self._core.events(after), self._bridge)

    # Ending ----------------------------------------------------------------------------------------------------------

    async def close(self, drain: Duration = DEFAULT_DRAIN) -> Ending:
        """Closes: accepts nothing more, writes what waits and reads to the end, at most ``drain`` (seconds).

        Idempotent. Cancel safe: the close goes on if the wait is cancelled. ``on_event`` is told the end before this
        returns, unless it takes longer than ``drain``.

        Raises:
            WrongLoopError: the client belongs to another loop; it is not closed then, but `abort` works anywhere.
            ForkedError: it was made before this process was forked.
        """
        limit = wait_millis("drain", drain) or 0
        self._check()
        self._bridge.unclosed.discard(self)
        started = self._core.close(self._bridge.operations, limit)
        ending = Ending.of(await self._bridge.finish(started))
        self._tell()
        if self._watching is not None:
            await self._watching.finish(limit / 1000)
        return ending

    async def closed(self) -> Ending:
        """Waits until the client is closed, by whoever, and tells why. Cancel safe.

        Raises:
            WrongLoopError, ForkedError: the client belongs to another loop or process.
        """
        ending = Ending.of(await self._bridge.finish(self._core.closed(self._bridge.operations)))
        self._tell()
        return ending

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.close()
        else:
            self.abort()
            with brief_shield(self._loop):
                await self.closed()
                if self._watching is not None:
                    await self._watching.finish(DEFAULT_DRAIN)

    def __repr__(self) -> str:
        return f"<keepline.Client {self.state} epoch={self.epoch}>"

    # Within ----------------------------------------------------------------------------------------------------------

    @property
    def _number(self) -> int | None:
        return None if self._told is None else self._told.number

    def _tell(self) -> None:
        if self._told is not None:
            self._told.go_on()

    def _check(self) -> None:
        self._bridge.check(running_loop())

    async def _end_of_iteration(self) -> Exception:
        ending = await self.closed()
        return StopAsyncIteration() if ending.cause is Cause.REQUESTED else closed_error(ending, self.reports())


class Batches(AsyncIterator[list[Message]]):
    """The messages of a client in lists, as they come."""

    __slots__ = ("_client", "_max")

    def __init__(self, client: Client, max: int) -> None:
        """Private: made by `Client.batches`."""
        self._client = client
        self._max = max

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Message]:
        """Waits for the next messages.

        Cancel safe, as `Client.recv`.

        Raises:
            Closed: the client was closed, and not on request.
        """
        messages = await self._client.recv_many(self._max)
        if messages:
            return messages
        raise await self._client._end_of_iteration()


def closed_error(ending: Ending, reports: list[Report]) -> Closed:
    """The exception of an iteration that nobody ended on request."""
    error = Closed(f"the client is closed: {ending}")
    error.cause, error.errno, error.code = ending.cause, ending.errno, ending.code
    error.detector = ending.detector
    error._report = reports[-1] if reports else None
    return error
