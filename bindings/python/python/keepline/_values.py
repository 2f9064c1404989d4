"""Single values on their way to the core: durations in milliseconds, counts, names, bytes."""

import math
from datetime import timedelta
from enum import Enum
from typing import Final, Literal

from keepline._errors import invalid

Duration = float | timedelta
"""Seconds, or a `datetime.timedelta`."""


Data = bytes | bytearray | memoryview
"""What can be sent."""


class Off(Enum):
    """The type of `OFF`."""

    OFF = "off"

    def __repr__(self) -> str:
        return "OFF"


OFF: Final = Off.OFF
"""Switches off what is on by default: ``keepalive=OFF``."""

_MOST_MILLIS = 2**63
_MOST_COUNT = 2**63


def millis(field: str, value: Duration | None) -> int | None:
    """Turns a duration of the configuration into milliseconds. ``None`` stays: nothing was said."""
    if value is None:
        return None
    seconds = _seconds(field, value)
    if seconds <= 0:
        raise invalid(field, f"{seconds:g}s", "must be more than 0 s")
    return _whole_millis(seconds)


def wait_millis(field: str, value: Duration | None) -> int | None:
    """Turns the timeout of a call into milliseconds. Zero means: only what is there already."""
    if value is None:
        return None
    seconds = _seconds(field, value)
    if seconds < 0:
        raise invalid(field, f"{seconds:g}s", "must not be negative")
    return _whole_millis(seconds)


def choice(field: str, value: Duration | Literal[Off.OFF] | None) -> tuple[bool, int | None]:
    """Splits a value that may be switched off."""
    if value is OFF:
        return True, None
    return False, millis(field, value)


def count(field: str, value: int | None) -> int | None:
    """Checks a count or a size."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(field, repr(value), "must be a whole number")
    if value < 0:
        raise invalid(field, value, "must not be negative")
    return min(value, _MOST_COUNT)


def number(field: str, value: float | None) -> float | None:
    """Checks a number without a unit."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise invalid(field, repr(value), "must be a number")
    if not math.isfinite(value):
        raise invalid(field, value, "must be finite")
    return float(value)


def name(field: str, value: str | None) -> str | None:
    """Checks that a name is text; the core knows which names there are."""
    if value is not None and not isinstance(value, str):
        raise invalid(field, repr(value), "must be a name")
    return None if value is None else str(value)


def data(field: str, value: object) -> bytes:
    """Checks bytes, and makes them immutable."""
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise invalid(field, type(value).__name__, "must be bytes")
    return bytes(value)


def seconds(value_ms: int | None) -> float | None:
    """Turns milliseconds of the core into seconds."""
    return None if value_ms is None else value_ms / 1000


def _seconds(field: str, value: object) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise invalid(field, repr(value), "must be seconds or a timedelta")
    try:
        as_float = float(value)
    except OverflowError:
        as_float = math.inf
    if not math.isfinite(as_float):
        raise invalid(field, as_float, "must be a finite number of seconds")
    return as_float


def _whole_millis(seconds: float) -> int:
    # Up: no deadline ends before it was asked to. The rounding takes back what binary fractions add (0.1 s).
    return min(math.ceil(round(seconds * 1000, 6)), _MOST_MILLIS)
