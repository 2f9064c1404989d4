"""The listening socket of a `FlakyServer`, in the thread of the server."""

import asyncio
import socket
from collections.abc import Callable

_BACKLOG = 100
"""As asyncio has it: more than any test connects at once."""

_AGAIN = 0.1
"""Seconds until it tries again to accept when the process has no descriptor left."""


class Listener:
    """Accepts connections until it is closed.

    Unlike ``asyncio.Server`` it loses none that it has accepted when it is closed in the same moment: each protocol is
    told of its connection, and can ask whether the listener that accepted it is still the server's.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        bound: socket.socket,
        protocol: Callable[["Listener"], asyncio.Protocol],
        arriving: set[asyncio.Task[None]],
    ) -> None:
        """Listens at once on a bound socket, which it owns from now on.

        While a connection is on its way to its protocol, its task is among ``arriving``.
        """
        self._loop = loop
        self._socket = bound
        self._protocol = protocol
        self._arriving = arriving
        bound.setblocking(False)
        bound.listen(_BACKLOG)
        loop.add_reader(bound, self._accept)

    def close(self) -> None:
        """Accepts no more; the kernel resets who waits. What was accepted still arrives at its protocol."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError:
            self._loop.remove_reader(self._socket)
            self._loop.call_later(_AGAIN, self._go_on)
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._arrive(connection))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    def _go_on(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket, self._accept)

    async def _arrive(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: self._protocol(self), connection)
        except OSError:
            # It was gone before anybody saw it.
            connection.close()
