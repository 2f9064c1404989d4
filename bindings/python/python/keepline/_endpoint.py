"""Where to connect to."""

from keepline._errors import invalid

Address = str | tuple[str, int]
"""``"host:port"``, ``"[v6]:port"`` or ``(host, port)``."""


def endpoint(address: Address) -> str:
    """Makes the text that the core parses."""
    match address:
        case str():
            return address
        case (str(host), int(port)) if not isinstance(port, bool):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case _:
            raise invalid("endpoint", repr(address), 'must be "host:port" or (host, port)')
