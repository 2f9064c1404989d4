"""The exceptions. Their kinds and causes are the strings of every language.

The classes have no ``__init__``: the extension makes them and sets their attributes without running Python code.
"""

from typing import Any, Final

from keepline import _core
from keepline._report import Report


class KeeplineError(Exception):
    """The root of all exceptions of this package. Its ``kind`` says what to do."""

    kind: str = "internal"
    """What to do about it, as in every language."""
    cause: str | None = None
    """Why there is no connection, if that is the reason: a name of `Cause`."""
    detector: str | None = None
    """Which evidence told: a name of `Detector`."""
    errno: int | None = None
    """The operating system's error number, if there was one."""
    code: int | None = None
    """The other side's own number for it, if it told one: a SOCKS reply or the status of an HTTP proxy."""
    field: str | None = None
    """The option that breaks a rule."""
    maybe_executed: bool = False
    """Whether the peer may have carried out the request all the same."""
    retryable: bool = False
    """Whether the same call can succeed later without any change."""
    _report: _core.Report | Report | None = None

    @property
    def report(self) -> Report | None:
        """The flight recorder's report on the connection that ended, if that is the reason."""
        if isinstance(self._report, _core.Report):
            self._report = Report.of(self._report.record())
        return self._report

    def __reduce__(self) -> Any:
        # What the core holds cannot be copied; what it tells can.
        self._report = self.report
        return super().__reduce__()


class InvalidConfig(KeeplineError, ValueError):
    """Fix the option or the argument that ``field`` names."""

    kind = "invalid_config"


class Unavailable(KeeplineError, ConnectionError):
    """There is no connection now; the client is retrying."""

    kind = "unavailable"
    retryable = True


class ConnectionLost(Unavailable, ConnectionResetError):
    """The connection of a stream is over; open the next one. Its ``cause`` says why."""

    @classmethod
    def of(cls, error: KeeplineError) -> "ConnectionLost":
        """Private: the loss that an error of the core tells of."""
        lost = cls(*error.args)
        for name in ("cause", "detector", "errno", "code", "_report"):
            setattr(lost, name, getattr(error, name))
        return lost


class Exhausted(KeeplineError, ConnectionError):
    """The client gave up."""

    kind = "exhausted"


class Timeout(KeeplineError, TimeoutError):
    """Your deadline passed."""

    kind = "timeout"
    retryable = True


class Rejected(KeeplineError):
    """A queue or a policy said no."""

    kind = "rejected"
    retryable = True


class Closed(KeeplineError, ConnectionError):
    """The client is closed; make a new one."""

    kind = "closed"


class Internal(KeeplineError):
    """A bug of Keepline; please report it."""

    kind = "internal"


class ForkedError(KeeplineError, RuntimeError):
    """Made before this process was forked; make a new one in the child."""

    kind = "forked"


class WrongLoopError(KeeplineError, RuntimeError):
    """The client belongs to another event loop, perhaps to one that is closed."""

    kind = "wrong_loop"


BY_KIND: Final[dict[str, type[KeeplineError]]] = {
    error.kind: error
    for error in (InvalidConfig, Unavailable, Exhausted, Timeout, Rejected, Closed, Internal, ForkedError)
}
"""What the extension raises for each kind."""


def invalid(field: str, value: object, rule: str) -> InvalidConfig:
    """Makes the refusal of a value, worded as the core words its own."""
    error = InvalidConfig(f"{field}: {rule} (got {value})")
    error.field = field
    return error
