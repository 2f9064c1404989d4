"""The hooks and callbacks of the blocking client: plain functions, each question in a thread of its own."""

import inspect
import threading
import weakref
from collections.abc import Callable
from typing import Any

from keepline import _core
from keepline._errors import Closed, KeeplineError
from keepline._hooks import INSIDE, Asked, CredentialRequest, GreetingHandle, LastError
from keepline._hooks import addresses, give_up, log, proxy_login, secret
from keepline._values import Duration, wait_millis
from keepline._waiting import Waiting
from keepline.events import Event, read

MOST_AT_ONCE = 11
"""Two attempts may be under way, each with a name, credentials for proxy and peer and a greeting; a third of their hooks
may hang besides."""


class GreetingIo(GreetingHandle):
    """The connection while ``on_connect`` runs: messages out and in, in the client's framing, and nobody else's.

    What is not read passes on to the client, in order. When ``on_connect`` has ended, or its deadline is over, every call
    raises `keepline.Closed`.
    """

    __slots__ = ()

    def recv(self, timeout: Duration | None = None) -> bytes:
        """Waits for the next message, at most ``timeout`` (seconds).

        Raises:
            Timeout: nothing came in time.
            Closed: the greeting is over, perhaps because its deadline is.
        """
        limit = wait_millis("timeout", timeout)
        with Waiting() as waiting:
            return waiting.finish(self._core.recv(waiting.operations, limit))

    def credentials(self) -> bytes:
        """Gives the credentials of this attempt, which were asked for while it dialled.

        Raises:
            Unavailable: there are none: not declared, or their provider failed or was late.
            Closed: the greeting is over.
        """
        with Waiting() as waiting:
            return waiting.finish(self._core.credentials(waiting.operations))


OnConnect = Callable[[GreetingIo], object]
"""Greets on each new connection, before it counts as connected."""

OnEvent = Callable[[Event], object]
"""Is told each event."""


class Asking:
    """Pulls the questions of one client in a thread. It is held by the client; the thread lives as long."""

    __slots__ = ("__weakref__", "_asked", "_lock", "_running", "core", "last")

    def __init__(self, asked: Asked) -> None:
        self.core: _core.Hooks = asked.core()
        self.last: LastError = LastError()
        self._asked = asked
        self._lock = threading.Lock()
        self._running = 0
        _start("keepline-hooks", _pull, self.core, weakref.ref(self))

    def take(self, question: tuple[Any, ...]) -> None:
        """Has a question answered by a thread of its own: one that hangs keeps nobody else waiting."""
        if question[1] == "withdrawn":
            # A thread cannot be ended; what it holds was taken back.
            return
        with self._lock:
            has_room = self._running < MOST_AT_ONCE
            self._running += has_room
        if not has_room:
            give_up(self.core, question, RuntimeError("the hooks of earlier attempts have not returned"), self.last)
            return
        try:
            _start("keepline-hook", _answer, self, self._asked, question)
        except (RuntimeError, Closed) as error:
            # The program ends, or has too many threads.
            self.returned()
            give_up(self.core, question, error, self.last)

    def returned(self) -> None:
        with self._lock:
            self._running -= 1


class Watching:
    """Tells a callback the events of one client in a thread. It is held by the client; the thread lives as long."""

    __slots__ = ("__weakref__", "_callback", "_ended", "_thread", "errors")

    def __init__(self, core: _core.Client, callback: OnEvent) -> None:
        self.errors: int = 0
        self._callback = callback
        self._ended = threading.Event()
        self._thread = _start("keepline-events", _watch, core.events(0), weakref.ref(self), self._ended)

    def tell(self, record: dict[str, Any]) -> None:
        try:
            _plain("on_event", self._callback(read(record)))
        except Exception:
            self.errors += 1
            log.warning("on_event failed", exc_info=True)

    def finish(self, within: float) -> None:
        """Waits until the callback was told the last event, unless it is the callback that asks."""
        if threading.current_thread() is not self._thread:
            self._ended.wait(within)


def _start(name: str, work: Callable[..., None], *arguments: object) -> threading.Thread:
    # Daemons: a program that ends does not wait for a client that nobody closed.
    thread = threading.Thread(target=work, args=arguments, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        # Newer interpreters start none once the program ends; 3.12 does not in functions of atexit either.
        if "shutdown" not in str(error):
            raise
        raise Closed("hooks and callbacks need a thread, and the interpreter is shutting down") from error
    return thread


def _pull(hooks: _core.Hooks, asking_ref: "weakref.ref[Asking]") -> None:
    while True:
        try:
            with Waiting() as waiting:
                questions = waiting.finish(hooks.next(waiting.operations))
        except KeeplineError:
            # The runtime was shut down.
            return
        asking = asking_ref()
        if asking is None or not questions:
            return
        for question in questions:
            asking.take(question)
        # Not held while it waits: the client may be let go of.
        del asking


def _answer(asking: Asking, asked: Asked, question: tuple[Any, ...]) -> None:
    hooks, last = asking.core, asking.last
    try:
        match question:
            case (number, "greeting", connection) if asked.on_connect is not None:
                io = GreetingIo(connection, hooks)
                INSIDE.set(io)
                try:
                    _plain("on_connect", asked.on_connect(io))
                finally:
                    io._is_over = True
                hooks.greeted(number)
            case (number, "credentials", epoch, endpoint, refusals) if asked.credentials is not None:
                given = _plain("credentials", asked.credentials(CredentialRequest(epoch, endpoint, refusals)))
                hooks.credentials(number, secret(given))
            case (number, "proxy_credentials", epoch, endpoint, refusals) if asked.proxy_credentials is not None:
                request = CredentialRequest(epoch, endpoint, refusals)
                given = _plain("proxy_credentials", asked.proxy_credentials(request))
                hooks.proxy_credentials(number, *proxy_login(given))
            case (number, "addresses", host, port) if asked.resolver is not None:
                hooks.addresses(number, addresses(_plain("resolver", asked.resolver(host, port)), port))
            case _:
                raise TypeError("there is nobody to ask")
    except BaseException as error:
        give_up(hooks, question, error, last)
        if not isinstance(error, Exception):
            raise
    finally:
        asking.returned()


def _watch(events: _core.Events, watching_ref: "weakref.ref[Watching]", ended: threading.Event) -> None:
    try:
        while True:
            with Waiting() as waiting:
                records = waiting.finish(events.next(waiting.operations))
            for record in records:
                watching = watching_ref()
                if watching is None:
                    return
                watching.tell(record)
                # Not held while it waits: the client may be let go of.
                del watching
            if not records:
                return
    except KeeplineError:
        # The runtime was shut down.
        return
    finally:
        ended.set()


def _plain(name: str, given: Any) -> Any:
    if inspect.isawaitable(given):
        if inspect.iscoroutine(given):
            given.close()
        raise TypeError(f"{name} of keepline.sync must be a plain function")
    return given
