"""One connection as an asyncio transport: what asyncio's own does with a socket, this does with a stream of Keepline."""

import asyncio
import logging
import warnings
from asyncio import AbstractEventLoop, BaseProtocol, BufferedProtocol, Handle, Protocol
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from keepline import _core
from keepline._errors import ConnectionLost, KeeplineError
from keepline._loop import LoopBridge
from keepline._values import Data

if TYPE_CHECKING:
    from keepline._streams import Streams

READ = 64 * 1024
"""Bytes of one read: what a turn of the loop copies while others wait."""

HIGH_WATER = 64 * 1024
"""Bytes that may wait to be written before the protocol is paused, as in asyncio."""

WARN_AFTER = 5
"""Writes on a connection that is over are noted in the log from the sixth on, as in asyncio."""

logger = logging.getLogger("keepline")


class Transport(asyncio.Transport):
    """One connection. It ends at the boundary, and never continues on another connection.

    Made by `keepline.create_connection`, `keepline.open_connection` and their namesakes of `keepline.Streams`. It belongs
    to the event loop it was made in. What ends the connection other than by a wish arrives in ``connection_lost`` as a
    `keepline.ConnectionLost`, which says why.
    """

    # Asked for by `loop.start_tls`: an SSLContext may be laid over this transport.
    _start_tls_compatible = True

    def __init__(
        self,
        loop: AbstractEventLoop,
        bridge: LoopBridge,
        core: _core.Stream,
        streams: "Streams",
        protocol: BaseProtocol,
    ) -> None:
        """Private: made by the functions that open connections."""
        super().__init__({"peername": core.peer(), "sockname": core.local(), "socket": None, "keepline": streams})
        self._loop = loop
        self._bridge = bridge
        self._core = core
        self._epoch = core.epoch()
        self._closing = False
        self._lost = False
        self._writes_after_end = 0
        # Reading.
        self._paused = False
        self._peer_closed = False
        self._reading: int | None = None
        self._next_read: Handle | None = None
        # Writing.
        self._queued = 0
        self._flushing: int | None = None
        self._next_flush: Handle | None = None
        self._eof = False
        self._protocol_paused = False
        self._high, self._low = HIGH_WATER, HIGH_WATER // 4
        self.set_protocol(protocol)

    @property
    def epoch(self) -> int:
        """The number of the connection: each attempt of a client has the next one."""
        return self._epoch

    @property
    def is_left(self) -> bool:
        """Whether the peer has closed its side, or the connection is over."""
        return self._peer_closed or self._closing

    def begin(self, made: "asyncio.Future[None]") -> None:
        """Private: tells the protocol, reads, and then resolves ``made``."""
        self._loop.call_soon(self._protocol.connection_made, self)
        self._loop.call_soon(self._read)
        self._loop.call_soon(_resolve, made)

    # Reading ---------------------------------------------------------------------------------------------------------

    def is_reading(self) -> bool:
        """Whether bytes are taken as they come."""
        return not self._closing and not self._paused

    def pause_reading(self) -> None:
        """Takes no more bytes: the peer is held back through TCP."""
        if self.is_reading():
            self._paused = True
            self._stop_reading()

    def resume_reading(self) -> None:
        """Takes bytes again."""
        if self._paused and not self._closing:
            self._paused = False
            self._read_soon()

    # Writing ---------------------------------------------------------------------------------------------------------

    def write(self, data: Data) -> None:
        """Writes what the kernel takes now, and queues the rest.

        Raises:
            TypeError: ``data`` is not bytes-like.
            RuntimeError: after `write_eof`.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        if self._eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        if not data:
            return
        if self._lost or self._closing:
            if self._writes_after_end == WARN_AFTER:
                logger.warning("written to a connection that is over")
            self._writes_after_end += 1
            return
        self._drive(lambda: self._core.write(data))
        self._pause_protocol_if_full()

    def can_write_eof(self) -> bool:
        """True: the own direction can be ended by itself."""
        return True

    def write_eof(self) -> None:
        """Says to the peer that nothing more comes, once everything queued is written. Reading goes on."""
        if not self._closing and not self._eof:
            self._eof = True
            self._drive(self._core.end_writes)

    def get_write_buffer_size(self) -> int:
        """Bytes that wait for the kernel."""
        return self._queued

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The size at which the protocol is resumed, and the one beyond which it is paused."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Sets the size beyond which ``pause_writing`` is called, and the one at which ``resume_writing`` is.

        Raises:
            ValueError: not ``high >= low >= 0``.
        """
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high, self._low = high, low
        self._pause_protocol_if_full()

    # Ending ----------------------------------------------------------------------------------------------------------

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._closing

    def close(self) -> None:
        """Writes what is queued, then ends the connection. The protocol's ``connection_lost`` gets ``None``."""
        if self._closing:
            return
        self._closing = True
        self._stop_reading()
        self._drive(self._core.end_writes)

    def abort(self) -> None:
        """Ends the connection now, without what is queued. The protocol's ``connection_lost`` gets ``None``."""
        self._force_close(None)

    def set_protocol(self, protocol: BaseProtocol) -> None:
        """Sets who is told of bytes and of the end."""
        self._protocol = cast(Protocol, protocol)
        self._deliver: Callable[[bytes], None] = (
            self._deliver_buffered if isinstance(protocol, BufferedProtocol) else self._deliver_data
        )

    def get_protocol(self) -> BaseProtocol:
        """Who is told of bytes and of the end."""
        return self._protocol

    def __repr__(self) -> str:
        how = "closed" if self._lost else "closing" if self._closing else "open"
        return f"<keepline.Transport {how} epoch={self._epoch} reading={self.is_reading()} queued={self._queued}>"

    def __del__(self) -> None:
        if not self._closing:
            warnings.warn(f"unclosed transport {self!r}", ResourceWarning, source=self, stacklevel=2)
            self._core.abandon()

    # Within: reading -------------------------------------------------------------------------------------------------

    def _read_soon(self) -> None:
        if self._next_read is None and self._reading is None:
            self._next_read = self._loop.call_soon(self._read)

    def _read(self) -> None:
        """Takes what is there, or has the core tell when something is: one read a turn, so that others get theirs."""
        self._next_read = None
        if self._closing or self._paused or self._peer_closed or self._reading is not None:
            return
        try:
            started = self._core.read(self._bridge.operations, READ)
        except KeeplineError as error:
            self._fatal_error(error)
            return
        if isinstance(started, int):
            self._reading = started
            self._bridge.watch(started, self._on_readable)
        else:
            self._received(started)

    def _on_readable(self) -> None:
        number = self._reading
        if number is None:
            return
        try:
            data = self._bridge.operations.poll(number)
        except KeeplineError as error:
            self._fatal_error(error)
            return
        if isinstance(data, int):
            return
        self._reading = None
        self._bridge.forget(number)
        self._received(data)

    def _received(self, data: bytes) -> None:
        try:
            if data:
                self._deliver(data)
            else:
                self._peer_closed = True
                if not self._protocol.eof_received():
                    self.close()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            told = "data_received() or buffer_updated()" if data else "eof_received()"
            self._fatal_error(error, f"Fatal error: protocol.{told} call failed.")
        else:
            self._read_soon()

    def _deliver_data(self, data: bytes) -> None:
        self._protocol.data_received(data)

    def _deliver_buffered(self, data: bytes) -> None:
        protocol = cast(BufferedProtocol, self._protocol)
        rest = memoryview(data)
        while rest:
            buffer = memoryview(protocol.get_buffer(len(rest))).cast("B")
            if not buffer:
                raise RuntimeError("get_buffer() returned an empty buffer")
            count = min(len(buffer), len(rest))
            buffer[:count] = rest[:count]
            protocol.buffer_updated(count)
            rest = rest[count:]

    def _stop_reading(self) -> None:
        if self._next_read is not None:
            self._next_read.cancel()
            self._next_read = None
        if self._reading is not None:
            self._bridge.forget(self._reading)
            self._reading = None

    # Within: writing -------------------------------------------------------------------------------------------------

    def _drive(self, write: Callable[[], tuple[int, bool]]) -> None:
        if self._lost:
            return
        try:
            queued, idle = write()
        except KeeplineError as error:
            self._fatal_error(error)
        else:
            self._written(queued, idle)

    def _flush(self) -> None:
        self._next_flush = None
        if self._lost or self._flushing is not None:
            return
        try:
            started = self._core.flush(self._bridge.operations)
        except KeeplineError as error:
            self._fatal_error(error)
            return
        if isinstance(started, int):
            self._flushing = started
            self._bridge.watch(started, self._on_writable)
        else:
            self._written(*started)

    def _on_writable(self) -> None:
        number = self._flushing
        if number is None:
            return
        try:
            written = self._bridge.operations.poll(number)
        except KeeplineError as error:
            self._fatal_error(error)
            return
        if isinstance(written, int):
            return
        self._flushing = None
        self._bridge.forget(number)
        self._written(*written)

    def _written(self, queued: int, idle: bool) -> None:
        self._queued = queued
        if self._protocol_paused and queued <= self._low:
            self._protocol_paused = False
            self._tell("resume_writing", self._protocol.resume_writing)
        if not idle:
            if self._flushing is None and self._next_flush is None:
                # Not at once: a caller that writes again and again would have each write drive the queue.
                self._next_flush = self._loop.call_soon(self._flush)
        elif self._closing:
            self._end(None)

    def _pause_protocol_if_full(self) -> None:
        if self._queued > self._high and not self._protocol_paused:
            self._protocol_paused = True
            self._tell("pause_writing", self._protocol.pause_writing)

    def _tell(self, name: str, call: Callable[[], None]) -> None:
        try:
            call()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._report(error, f"protocol.{name}() failed")

    # Within: ending. The names are those by which `asyncio.sslproto` calls a transport below it. -----------------------

    def _fatal_error(self, error: BaseException, message: str = "Fatal error on transport") -> None:
        if isinstance(error, OSError):
            if self._loop.get_debug():
                logger.debug("%r: %s", self, message, exc_info=error)
        else:
            self._report(error, message)
        self._force_close(error)

    def _force_close(self, error: BaseException | None) -> None:
        self._closing = True
        self._queued = 0
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        if self._lost:
            return
        self._lost = True
        self._stop_reading()
        if self._next_flush is not None:
            self._next_flush.cancel()
            self._next_flush = None
        if self._flushing is not None:
            self._bridge.forget(self._flushing)
            self._flushing = None
        self._core.abandon()
        told = error if error is None or isinstance(error, Exception) else None
        self._loop.call_soon(self._tell_lost, ConnectionLost.of(told) if isinstance(told, KeeplineError) else told)

    def _tell_lost(self, error: Exception | None) -> None:
        self._protocol.connection_lost(error)

    def _report(self, error: BaseException, message: str) -> None:
        context: dict[str, Any] = {
            "message": message,
            "exception": error,
            "transport": self,
            "protocol": self._protocol,
        }
        self._loop.call_exception_handler(context)


def _resolve(made: "asyncio.Future[None]") -> None:
    if not made.done():
        made.set_result(None)
