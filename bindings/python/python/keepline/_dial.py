"""What asyncio's functions are told of a connection, in Keepline's words: carried over, or refused by name."""

import socket
import ssl as ssl_module
from dataclasses import dataclass, replace
from typing import Any, Self, TypedDict

from keepline._config import Config
from keepline._endpoint import Address, Target, Weighted, endpoint
from keepline._errors import invalid
from keepline._tls import Tls

DEFAULTS: dict[str, tuple[object, ...]] = {
    "family": (0, socket.AF_UNSPEC),
    "proto": (0, socket.IPPROTO_TCP),
    "flags": (0,),
    "sock": (None,),
    "interleave": (None, 1),
    "all_errors": (False, None),
}
"""Arguments that have no meaning here, and the values with which they say nothing."""

REASONS = {
    "family": "must not be given: Keepline resolves names itself and tries the addresses of both families",
    "proto": "must not be given: connections are TCP",
    "flags": "must not be given: Keepline resolves names itself",
    "sock": "must not be given: Keepline makes its sockets",
    "interleave": "must not be given: the two families take turns",
    "all_errors": "must not be given: one error is raised, whose cause is that of the last attempt",
}


class Given(TypedDict, total=False):
    """The arguments of asyncio's functions."""

    ssl: "ssl_module.SSLContext | bool | None"
    family: int
    proto: int
    flags: int
    sock: Any
    local_addr: tuple[str, int] | None
    server_hostname: str | None
    ssl_handshake_timeout: float | None
    ssl_shutdown_timeout: float | None
    happy_eyeballs_delay: float | None
    interleave: int | None
    all_errors: bool


@dataclass(frozen=True, slots=True)
class Dial:
    """Where to, and how."""

    address: Address | None = None
    context: "ssl_module.SSLContext | None" = None
    """Laid over the connection by asyncio."""
    tls: Tls | None = None
    """Keepline's own."""
    server_hostname: str | None = None
    ssl_handshake_timeout: float | None = None
    ssl_shutdown_timeout: float | None = None
    bind_address: str | None = None
    stagger: float | None = None

    @classmethod
    def of(cls, host: str | None, port: int | None, given: Given) -> Self:
        """Reads asyncio's arguments.

        Raises:
            InvalidConfig: names the one that cannot be carried over.
        """
        told: dict[str, Any] = {**given}
        for name, defaults in DEFAULTS.items():
            if told.get(name, defaults[0]) not in defaults:
                raise invalid(name, repr(told[name])[:64], REASONS[name])
        address = _address(host, port)
        ssl, expected = given.get("ssl"), given.get("server_hostname")
        times = given.get("ssl_handshake_timeout"), given.get("ssl_shutdown_timeout")
        context, tls = None, None
        match ssl:
            case None | False:
                if expected is not None:
                    raise invalid("server_hostname", expected, "must not be given without ssl")
            case True:
                tls = Tls(server_name=expected)
            case ssl_module.SSLContext():
                context = ssl
                if expected is None:
                    if host is None or port is None:
                        raise invalid("server_hostname", "none", "must be given with an SSLContext without a host")
                    expected = host
            case _:
                raise invalid("ssl", type(ssl).__name__, "must be True or an ssl.SSLContext")
        for field, value in zip(("ssl_handshake_timeout", "ssl_shutdown_timeout"), times, strict=True):
            if value is not None and context is None:
                raise invalid(field, value, "must not be given without an SSLContext; connect_total is the limit of TLS")
        return cls(
            address, context, tls, expected, *times, _local_host(given.get("local_addr")), given.get("happy_eyeballs_delay")
        )

    def over(self, config: Config) -> Config:
        """Puts what was given over a configuration."""
        if self.tls is not None:
            declared = config.tls if isinstance(config.tls, Tls) else self.tls
            name = declared.server_name if self.server_hostname is None else self.server_hostname
            config = replace(config, tls=replace(declared, server_name=name))
        if self.bind_address is not None:
            config = replace(config, bind_address=self.bind_address)
        if self.stagger is not None:
            config = replace(config, addresses="happy_eyeballs", address_stagger=self.stagger)
        return config

    def must_be_of(self, targets: list[Target]) -> None:
        """Refuses what a client that is made already cannot take over any more."""
        if self.bind_address is not None:
            raise invalid("local_addr", self.bind_address, "must be declared when the client is made, as bind_address")
        if self.stagger is not None:
            rule = "must be declared when the client is made, as address_stagger"
            raise invalid("happy_eyeballs_delay", self.stagger, rule)
        if self.address is None:
            return
        known = [endpoint(target.address if isinstance(target, Weighted) else target) for target in targets]
        asked = endpoint(self.address)
        if asked not in (name.removeprefix("tls://") for name in known):
            raise invalid("host", asked, f"must be one of the client's endpoints: {', '.join(known)}")


def _address(host: str | None, port: int | None) -> Address | None:
    if port is None:
        return host
    if host is None:
        raise invalid("host", "none", "must be given with a port")
    if isinstance(port, str) and port.isdecimal():
        port = int(port)
    if isinstance(port, bool) or not isinstance(port, int):
        raise invalid("port", repr(port), "must be a number")
    return host, port


def _local_host(local_addr: tuple[str, int] | None) -> str | None:
    if local_addr is None:
        return None
    match local_addr:
        case (str(host), 0 | None):
            return host
        case _:
            rule = "must be (address, 0): the system chooses the port, for a fixed one is taken on the next connection"
            raise invalid("local_addr", repr(local_addr), rule)
