"""What a proxy tells: its connections as they are, and what happened to them."""

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class ProxyConnection:
    """A living connection through a proxy, as it was when it was asked for."""

    number: int
    """From 1, in the order of their coming, as in the history."""
    peer: tuple[str, int]
    """The client's address."""
    received_up: int
    """Bytes read from the client."""
    forwarded_up: int
    """Bytes handed to the server's kernel."""
    received_down: int
    """Bytes read from the server."""
    forwarded_down: int
    """Bytes handed to the client's kernel."""
    forgotten: bool
    """Whether it was idle for too long."""

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """Reads the record of the core."""
        peer = (record.pop("peer_host"), record.pop("peer_port"))
        return cls(peer=peer, **record)


@dataclass(frozen=True, slots=True)
class ProxyRecord:
    """One thing that happened in a proxy."""

    at: float
    """Seconds since the proxy was made."""
    connection: int | None
    """The number of the connection; ``None`` for what concerns all of them."""
    what: str
    """What happened: ``faulted``, ``commanded``, ``accepted``, ``connected``, ``connect_failed``, ``received``,
    ``forwarded``, ``dropped``, ``corrupted``, ``injected``, ``duplicated``, ``finished``, ``swallowed``, ``forgotten``,
    ``reset``, ``closed``, ``ended``, ``listen_failed``."""
    direction: str | None
    """Which way bytes flowed: ``up`` or ``down``."""
    offset: int | None
    """The first of the bytes, counted from 0 for each connection and direction."""
    bytes: int | None
    """How many bytes."""
    detail: str | None
    """The fault, the address or the error."""

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """Reads the record of the core."""
        return cls(**record)

    def __str__(self) -> str:
        number = "    " if self.connection is None else f"#{self.connection:<3}"
        words = [f"{self.at:9.3f} s", number, self.what]
        if self.direction is not None:
            words.append(self.direction)
        if self.bytes is not None:
            words.append(f"{self.bytes} bytes at {self.offset}")
        if self.detail is not None:
            words.append(self.detail)
        return "  ".join(words)
