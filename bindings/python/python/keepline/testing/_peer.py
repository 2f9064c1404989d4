"""One connection of a `FlakyServer`, in the thread of the server."""

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Act: TypeAlias = Literal["answer", "ignore", "go_silent", "stop_reading", "close", "reset", "stop"]

_LATE_BYTES = 1.0
"""Seconds. Late bytes of a client that has not yet read the end of the stream would otherwise be answered by a reset."""

_RESET = struct.pack("ii", 1, 0)
"""``SO_LINGER`` with no time: closing drops what waits and sends a reset."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a connection tells of its life."""

    came: "Callable[[Peer], None]"
    ended: "Callable[[Peer], None]"
    """It counts no more, although its socket may linger for a moment."""
    gone: "Callable[[Peer], None]"
    take: "Callable[[Peer, bytes], None]"
    """A whole message has come."""
    failed: "Callable[[Peer, Exception], None]"


class Peer(asyncio.Protocol):
    """A client's connection: cuts the stream into messages and behaves as it is told."""

    def __init__(self, split: Callable[[bytes], int | None], owner: Owner) -> None:
        """Private: made by `FlakyServer`."""
        self._split = split
        self._owner = owner
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._is_over = False
        self._is_taking = False
        self.behaviour: Act = "answer"

    def behave(self, behaviour: Act) -> None:
        """Answers, goes silent or stops reading from now on."""
        if self._transport is None or self._is_over:
            return
        self.behaviour = behaviour
        if behaviour == "stop_reading":
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
            self._take_all()

    def send(self, payload: bytes) -> None:
        """Sends, unless the connection is over."""
        if payload and self._transport is not None and not self._is_over:
            self._transport.write(payload)

    def end(self, end: Literal["fin", "rst"]) -> None:
        """Ends the connection in order, or with a reset."""
        transport = self._transport
        if transport is None or (self._is_over and end == "fin"):
            return
        self._is_over = True
        self._buffer = b""
        self._owner.ended(self)
        if end == "rst":
            # A socket that is gone already cannot be reset, and need not be.
            connection = transport.get_extra_info("socket")
            if connection is not None and connection.fileno() >= 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()
        else:
            transport.write_eof()
            transport.resume_reading()
            asyncio.get_running_loop().call_later(_LATE_BYTES, transport.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._owner.came(self)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        if not self._is_over:
            self._buffer += data
            self._take_all()

    def eof_received(self) -> bool:
        """Called by the loop. A process that hangs does not close its end either."""
        return self.behaviour == "go_silent" and not self._is_over

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        if not self._is_over:
            self._is_over = True
            self._owner.ended(self)
        self._transport = None
        self._owner.gone(self)

    def _take_all(self) -> None:
        # An answer that changes how the connection behaves must not begin a second round inside of the first.
        if self._is_taking:
            return
        self._is_taking = True
        try:
            while (message := self._next()) is not None:
                self._owner.take(self, message)
        except Exception as error:
            self._owner.failed(self, error)
        finally:
            self._is_taking = False

    def _next(self) -> bytes | None:
        """The next whole message, if it is to be taken now."""
        if not self._buffer or self.behaviour == "stop_reading":
            return None
        size = self._split(self._buffer)
        if size is None or size > len(self._buffer):
            return None
        if size <= 0:
            raise ValueError(f"the length of a message must be at least 1, not {size}")
        message, self._buffer = self._buffer[:size], self._buffer[size:]
        return message
