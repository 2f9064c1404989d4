"""Hooks in both clients: what they are asked, what they may raise, and what that means for the attempt."""

import logging
import socket
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from keepline import _core
from keepline._core import Greeting as CoreGreeting
from keepline._core import Hooks as CoreHooks
from keepline._errors import KeeplineError, invalid
from keepline._names import Cause
from keepline._values import Data, Duration, data, wait_millis

log = logging.getLogger("keepline.hooks")


class AuthRefused(Exception):
    """Raise it in ``on_connect``: the server refused the credentials.

    The attempt ends as `Cause.GREETING_AUTH`, and the second in a row closes the client unless ``auth_attempts`` says
    otherwise.
    """


class RetryLater(Exception):
    """Raise it in ``on_connect``: the server asked to come back later."""

    def __init__(self, after: Duration, reason: str = "the server asked to come back later") -> None:
        """Notes how long (seconds) to stay away, of which at most an hour is honoured; the reason is for the log.

        Raises:
            InvalidConfig: no time that could be waited.
        """
        super().__init__(reason)
        self.after = after
        self._after_ms = wait_millis("after", after)

    def __reduce__(self) -> Any:
        return type(self), (self.after, *self.args)


@dataclass(frozen=True, slots=True)
class CredentialRequest:
    """What a provider of credentials is asked, those of the client and those of a proxy."""

    epoch: int
    """The attempt that needs them."""
    endpoint: str
    """Where it goes, as it was given."""
    refusals: int
    """How often they were refused since an attempt succeeded last, by the server or by the proxy, whichever they are for:
    above 0 a token from a cache will not do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom the core asks for one client."""

    on_connect: Callable[[Any], Any] | None
    credentials: Callable[[CredentialRequest], Any] | None
    resolver: Callable[[str, int], Any] | None
    proxy_credentials: Callable[[CredentialRequest], Any] | None

    @classmethod
    def of(
        cls, config: Any, on_connect: object, resolver: object, proxy_credentials: object, record: dict[str, Any]
    ) -> "Asked | None":
        """Notes the hooks of a client in its ``record``; ``None`` if there are none."""
        asked = cls(
            on_connect=_callable("on_connect", on_connect),
            credentials=config.credentials if callable(config.credentials) else None,
            resolver=_callable("resolver", resolver),
            proxy_credentials=_callable("proxy_credentials", proxy_credentials),
        )
        record["greeting_hook"] = asked.on_connect is not None
        return asked if asked != cls(None, None, None, None) else None

    def core(self) -> CoreHooks:
        """Makes the questions of one client."""
        return CoreHooks(self.resolver is not None, self.proxy_credentials is not None)


class GreetingHandle:
    """The connection of one greeting, as far as nothing has to be waited for."""

    __slots__ = ("_core", "_hooks", "_is_over")

    def __init__(self, core: CoreGreeting, hooks: CoreHooks) -> None:
        """Private: made for ``on_connect``."""
        self._core = core
        self._hooks = hooks
        self._is_over = False

    @property
    def epoch(self) -> int:
        """The number of the attempt."""
        return self._core.epoch()

    @property
    def endpoint(self) -> str:
        """Where it goes, as it was given."""
        return self._core.endpoint()

    def send(self, data: Data) -> None:
        """Sends a message in the client's framing. It is written at once: nothing of the outbox passes before.

        Raises:
            Closed: the greeting is over.
        """
        self._core.send(data)

    def __repr__(self) -> str:
        return f"<keepline.GreetingIo epoch={self.epoch}{' over' if self._is_over else ''}>"


INSIDE: ContextVar[GreetingHandle] = ContextVar("keepline_greeting")
"""The greeting that the caller runs in."""


def is_inside(hooks: _core.Hooks) -> bool:
    """Whether the caller runs in a greeting of the client with these hooks."""
    greeting = INSIDE.get(None)
    return greeting is not None and greeting._hooks is hooks and not greeting._is_over


class LastError:
    """What a hook raised last, while somebody may want to know: an exception keeps much alive."""

    __slots__ = ("error", "is_wanted")

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.is_wanted: bool = True

    def note(self, error: BaseException) -> None:
        if self.is_wanted:
            self.error = error

    def forget(self) -> None:
        self.error = None
        self.is_wanted = False

    def reason_of(self, told: KeeplineError) -> BaseException | None:
        """What led to this exception, if a hook did."""
        hooks = ("greeting.", "dns.", "proxy.credentials")
        return self.error if told.cause is not None and str(told.cause).startswith(hooks) else None


def give_up(hooks: _core.Hooks, question: tuple[Any, ...], error: BaseException, last: LastError) -> None:
    """Answers that there is no answer, and tells the log, unless nobody asks any more."""
    number, kind = question[0], question[1]
    is_asked = hooks.failed(number, *_failure(error))
    if not is_asked:
        log.debug("%s raised after its attempt was over", _NAMES[kind], exc_info=error)
        return
    last.note(error)
    if kind in ("credentials", "proxy_credentials"):
        # Its text may hold what it tried to give.
        log.warning("%s failed: %s", _NAMES[kind], type(error).__name__)
        log.debug("%s failed", _NAMES[kind], exc_info=error)
    elif isinstance(error, (AuthRefused, RetryLater, KeeplineError)):
        log.info("%s ended with %s", _NAMES[kind], _text(error))
    elif isinstance(error, Exception):
        log.warning("%s failed", _NAMES[kind], exc_info=error)


def secret(given: object) -> bytes:
    """Checks what a provider gave."""
    if not isinstance(given, (bytes, bytearray, memoryview)):
        raise TypeError(f"credentials must be bytes, not {type(given).__name__}")
    return data("credentials", given)


def proxy_login(given: object) -> tuple[str, str]:
    """Checks what a provider gave for a proxy."""
    match given:
        case (str(user), str(password)):
            return user, password
        case _:
            # Not shown: it may hold the password.
            raise TypeError("a proxy's credentials must be (user, password), each a str")


def addresses(found: Iterable[object], port: int) -> list[str]:
    """Writes what a resolver found as the core reads it."""
    return [_address(address, port) for address in found]


def _address(address: object, port: int) -> str:
    match address:
        case str(host):
            pass
        case (str(host), int(port), *_):
            pass
        case _:
            raise TypeError(f"a resolver gives addresses or (address, port), not {address!r}"[:256])
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _failure(error: BaseException) -> tuple[str, str, int | None]:
    reason = _text(error)
    match error:
        case AuthRefused():
            return "auth_refused", reason, None
        case RetryLater():
            return "failed", reason, error._after_ms
        case KeeplineError(cause=Cause.GREETING_CREDENTIALS):
            return "no_credentials", reason, None
        case socket.gaierror(errno=socket.EAI_NONAME):
            return "not_found", reason, None
        case socket.gaierror() if error.errno == getattr(socket, "EAI_NODATA", None):
            return "no_address", reason, None
        case TimeoutError():
            return "timed_out", reason, None
        case _:
            return "failed", reason, None


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = "an exception that cannot be shown"
    # Cut as the core does; what is no text for others is written out.
    return f"{type(error).__name__}: {text}"[:256].encode("utf-8", "backslashreplace").decode()


def _callable(
    field: Literal["on_connect", "resolver", "proxy_credentials"], value: object
) -> Callable[..., Any] | None:
    if value is not None and not callable(value):
        raise invalid(field, type(value).__name__, "must be callable")
    return value


def check_callback(value: object) -> None:
    """Refuses an ``on_event`` that cannot be called."""
    if value is not None and not callable(value):
        raise invalid("on_event", type(value).__name__, "must be callable")


_NAMES = {
    "greeting": "on_connect",
    "credentials": "credentials",
    "addresses": "resolver",
    "proxy_credentials": "proxy_credentials",
}
