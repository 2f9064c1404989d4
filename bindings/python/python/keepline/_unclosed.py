"""Clients whose event loop is closed before they are: nobody hears what they tell from then on, and that is told once."""

import weakref
from typing import TYPE_CHECKING

from keepline import _log
from keepline._names import State

if TYPE_CHECKING:
    from keepline._handle import LoopHandle


class Unclosed:
    """The clients of one loop that nobody has closed. It does not keep them alive."""

    __slots__ = ("_clients",)

    def __init__(self) -> None:
        self._clients: weakref.WeakSet[LoopHandle] = weakref.WeakSet()

    def add(self, client: "LoopHandle") -> None:
        """Notes a new client."""
        self._clients.add(client)

    def discard(self, client: "LoopHandle") -> None:
        """Forgets a client that is told to end."""
        self._clients.discard(client)

    def loop_closed(self) -> None:
        """Tells the log of them, if there are any."""
        clients, self._clients = self._clients, weakref.WeakSet()
        if left := [client for client in clients if client.state is not State.CLOSED]:
            endpoints = {endpoint for client in left for endpoint, _ in client._core.endpoints()}
            _log.tell_loop_closed([client._number for client in left], endpoints)
