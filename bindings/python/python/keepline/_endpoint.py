"""Where to connect to."""

from collections.abc import Sequence
from dataclasses import dataclass

from keepline._errors import invalid
from keepline._values import count

Address = str | tuple[str, int]
"""``"host:port"``, ``"[v6]:port"``, ``"unix:/path"`` or ``(host, port)``."""


@dataclass(frozen=True, slots=True)
class Weighted:
    """One of several endpoints, drawn ``weight`` times as often as one of weight 1, which all others have."""

    address: Address
    """Where it is."""
    weight: int
    """From 1 to 10,000."""


Target = Address | Weighted
"""One endpoint."""


def endpoints(first: Target | list[Target], more: Sequence[Target] = ()) -> list[tuple[str, int | None]]:
    """Makes the texts that the core parses, each with its weight if one was given."""
    return [_endpoint(target) for target in [*(first if isinstance(first, list) else [first]), *more]]


def endpoint(address: Address) -> str:
    """Makes the text that the core parses of one endpoint."""
    return _endpoint(address)[0]


def targets(told: list[tuple[str, int | None]]) -> list[Target]:
    """Makes the record of the border readable: weights are told where they are more than one."""
    return [address if weight in (None, 1) else Weighted(address, weight) for address, weight in told]


def _endpoint(target: Target) -> tuple[str, int | None]:
    match target:
        case Weighted(address, weight):
            return _endpoint(address)[0], count("endpoints.weight", weight)
        case str():
            return target, None
        case (str(host), int(port)) if not isinstance(port, bool):
            return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}"), None
        case _:
            raise invalid("endpoint", repr(target), 'must be "host:port" or (host, port)')
