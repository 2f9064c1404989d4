"""How connections are encrypted."""

import os
from dataclasses import dataclass
from typing import Any, Self

from keepline._errors import invalid

PathLike = str | os.PathLike[str]
"""A file's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Declares how connections are encrypted. What is not set is as safe as it can be.

    Unset: the certificates that the system trusts, the endpoint's host, TLS 1.2 or 1.3.
    """

    ca_file: PathLike | tuple[PathLike, ...] = ()
    """Files of authorities, PEM or DER, that are trusted instead of the system's."""
    ca_pem: str | None = None
    """Authorities in PEM, that are trusted instead of the system's."""
    pins: tuple[str, ...] = ()
    """Keys of which one must be in the chain: ``sha256/BASE64`` or 64 hexadecimal digits. Two at least."""
    client_cert: PathLike | None = None
    """The file of the client's certificate chain, in PEM."""
    client_key: PathLike | None = None
    """The file of its key, in PEM."""
    alpn: tuple[str, ...] = ()
    """Application protocols, best first. A server that agrees to none is refused."""
    server_name: str | None = None
    """The name that is expected instead of the endpoint's host."""
    only_tls13: bool = False
    """Refuses TLS 1.2."""
    no_resumption: bool = False
    """Keeps no session for the next connection."""
    danger_accept_invalid_certificates: bool = False
    """Takes any certificate of anybody: the connection is then encrypted to whoever answers."""

    def record(self) -> dict[str, Any]:
        """Makes the flat record of the border."""
        files = self.ca_file if isinstance(self.ca_file, tuple | list) else (self.ca_file,)
        return {
            "ca_files": [_path("tls.ca", file) for file in files],
            "ca_pem": _text("tls.ca", self.ca_pem),
            "pins": _texts("tls.pins", self.pins),
            "client_cert_file": None if self.client_cert is None else _path("tls.client_certificate", self.client_cert),
            "client_key_file": None if self.client_key is None else _path("tls.client_key", self.client_key),
            "alpn": _texts("tls.alpn", self.alpn),
            "server_name": _text("tls.server_name", self.server_name),
            "only_tls13": bool(self.only_tls13),
            "no_resumption": bool(self.no_resumption),
            "danger_accept_invalid_certificates": bool(self.danger_accept_invalid_certificates),
        }

    @classmethod
    def read(cls, record: dict[str, Any]) -> Self:
        """Reads the flat record of the border."""
        record = dict(record)
        return cls(
            ca_file=tuple(record.pop("ca_files")),
            client_cert=record.pop("client_cert_file"),
            client_key=record.pop("client_key_file"),
            pins=tuple(record.pop("pins")),
            alpn=tuple(record.pop("alpn")),
            **record,
        )


def tls_record(value: object) -> dict[str, Any] | None:
    """Makes the record of a declaration: `Tls`, or ``True`` for its defaults."""
    match value:
        case None | False:
            return None
        case True:
            return Tls().record()
        case Tls():
            return value.record()
        case _:
            raise invalid("tls", type(value).__name__, "must be a keepline.Tls, or True")


def _path(field: str, value: object) -> str:
    if not isinstance(value, str | os.PathLike):
        raise invalid(field, type(value).__name__, "must be the name of a file")
    return str(os.fspath(value))


def _text(field: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise invalid(field, type(value).__name__, "must be text")
    return value


def _texts(field: str, values: object) -> list[str]:
    if isinstance(values, str) or not isinstance(values, tuple | list):
        raise invalid(field, type(values).__name__, "must be a tuple of texts")
    texts = [_text(field, value) for value in values]
    return [text for text in texts if text is not None]
