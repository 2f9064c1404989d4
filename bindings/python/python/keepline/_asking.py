"""The hooks of the client for event loops: each question becomes a task of its loop, which ends with the question."""

import contextvars
import inspect
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import Any, Protocol

from keepline import _core
from keepline._core import Greeting as CoreGreeting
from keepline._core import Hooks as CoreHooks
from keepline._errors import ForkedError
from keepline._hooks import INSIDE, Asked, CredentialRequest, GreetingHandle, LastError
from keepline._hooks import addresses, give_up, proxy_login, secret
from keepline._loop import Loop, LoopBridge, Weakly, running_loop
from keepline._values import Data, Duration, wait_millis


class GreetingIo(GreetingHandle):
    """The connection while ``on_connect`` runs: messages out and in, in the client's framing, and nobody else's.

    What is not read passes on to the client, in order. When ``on_connect`` has ended every call raises `Closed`.
    """

    __slots__ = ("_bridge",)

    def __init__(self, core: CoreGreeting, hooks: CoreHooks, bridge: LoopBridge) -> None:
        """Private: made for ``on_connect``."""
        super().__init__(core, hooks)
        self._bridge = bridge

    async def recv(self, timeout: Duration | None = None) -> bytes:
        """Waits for the next message, at most ``timeout`` (seconds).

        At the deadline of the attempt ``on_connect`` is cancelled. Cancel safe: the message stays for the next call.

        Raises:
            Timeout: nothing came in time.
            Closed: the greeting is over.
        """
        started = self._core.recv(self._bridge.operations, wait_millis("timeout", timeout))
        return await self._bridge.finish(started)

    async def credentials(self) -> bytes:
        """Gives the credentials of this attempt, which were asked for while it dialled. Cancel safe.

        Raises:
            Unavailable: there are none: not declared, or their provider failed or was late.
            Closed: the greeting is over.
        """
        return await self._bridge.finish(self._core.credentials(self._bridge.operations))


OnConnect = Callable[[GreetingIo], Awaitable[object]]
"""Greets on each new connection, before it counts as connected."""

CredentialsProvider = Callable[[CredentialRequest], Data | Awaitable[Data]]
"""Gives the credentials of one attempt. In `keepline.sync` it is a plain function."""

ProxyCredentialsProvider = Callable[[CredentialRequest], tuple[str, str] | Awaitable[tuple[str, str]]]
"""Gives the name and the password that one attempt tells the proxy. In `keepline.sync` it is a plain function."""

ResolverHook = Callable[[str, int], Any]
"""Finds the addresses of a name and a port: ``"1.2.3.4"`` or ``("1.2.3.4", 502)`` each, the preferred ones first."""


class Work(Protocol):
    """A task of a loop."""

    def cancel(self) -> object:
        """Ends it where it waits."""


class Asking:
    """Pulls the questions of one client. It is held by the client, and by nothing that outlives it."""

    __slots__ = ("__weakref__", "_asked", "_bridge", "_context", "_loop", "_number", "_tasks", "core", "last")

    def __init__(self, asked: Asked, bridge: LoopBridge) -> None:
        self.core: _core.Hooks = asked.core()
        self.last: LastError = LastError()
        self._asked = asked
        self._bridge = bridge
        self._loop = running_loop()
        # Hooks see the context variables of whoever made the client.
        self._context = contextvars.copy_context()
        self._tasks: dict[int, Work] = {}
        self._number: int | None = None
        self._pull()

    def __del__(self) -> None:
        if self._number is not None:
            self._bridge.forget(self._number)
        if self._tasks:
            try:
                # Perhaps another thread let go of the client.
                self._loop.call_soon_threadsafe(_cancel, list(self._tasks.values()))
            except RuntimeError:
                # The loop is closed, and its tasks have ended with it.
                pass

    def on_ready(self) -> None:
        number = self._number
        if number is None:
            return
        questions = self._bridge.operations.poll(number)
        if isinstance(questions, int):
            return
        self._bridge.forget(number)
        self._number = None
        if questions:
            self._take(questions)
            self._pull()

    def _pull(self) -> None:
        while True:
            started = self.core.next(self._bridge.operations)
            if isinstance(started, int):
                self._number = started
                self._bridge.watch(started, Weakly(self))
                return
            if not started:
                return
            self._take(started)

    def _take(self, questions: list[tuple[Any, ...]]) -> None:
        for question in questions:
            number, kind = question[0], question[1]
            if kind == "withdrawn":
                if (task := self._tasks.get(number)) is not None:
                    task.cancel()
                continue
            answering = partial(_answer, self.core, self._asked, question, self._bridge, self.last, self._tasks)
            self._tasks[number] = spawn(self._loop, answering, self._context)


def spawn(loop: Loop, make: Callable[[], Coroutine[Any, Any, None]], context: contextvars.Context) -> Work:
    """Starts a task in a copy of a context.

    A question or an event may come while the loop is about to close: its task then vanishes without a word.
    """
    if not isinstance(loop, AbstractEventLoop):
        return loop.start_work(make, context.copy())
    task = loop.create_task(_Lazily(make), context=context.copy())
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    return task


class _Lazily(Coroutine[Any, Any, None]):
    """A coroutine that is made at its first step: one that is never begun warns of nothing."""

    __slots__ = ("_begun", "_make")

    def __init__(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._make = make
        self._begun: Coroutine[Any, Any, None] | None = None

    def send(self, value: Any, /) -> Any:
        if self._begun is None:
            self._begun = self._make()
        return self._begun.send(value)

    def throw(self, *error: Any) -> Any:
        if self._begun is None:
            # Cancelled before its first step.
            self._begun = self._make()
        return self._begun.throw(*error)

    def close(self) -> None:
        if self._begun is not None:
            self._begun.close()

    def __await__(self) -> Generator[Any, Any, None]:
        return self._make().__await__()


async def value(given: Any) -> Any:
    """What a hook returned, waited for if that has to be."""
    return await given if inspect.isawaitable(given) else given


async def _answer(
    hooks: _core.Hooks,
    asked: Asked,
    question: tuple[Any, ...],
    bridge: LoopBridge,
    last: LastError,
    tasks: dict[int, Work],
) -> None:
    try:
        match question:
            case (number, "greeting", connection) if asked.on_connect is not None:
                io = GreetingIo(connection, hooks, bridge)
                INSIDE.set(io)
                try:
                    await value(asked.on_connect(io))
                finally:
                    io._is_over = True
                hooks.greeted(number)
            case (number, "credentials", epoch, endpoint, refusals) if asked.credentials is not None:
                request = CredentialRequest(epoch, endpoint, refusals)
                hooks.credentials(number, secret(await value(asked.credentials(request))))
            case (number, "proxy_credentials", epoch, endpoint, refusals) if asked.proxy_credentials is not None:
                request = CredentialRequest(epoch, endpoint, refusals)
                hooks.proxy_credentials(number, *proxy_login(await value(asked.proxy_credentials(request))))
            case (number, "addresses", host, port) if asked.resolver is not None:
                hooks.addresses(number, addresses(await value(asked.resolver(host, port)), port))
            case _:
                raise TypeError("there is nobody to ask")
    except ForkedError:
        # A task of the parent's loop: its answer is the parent's.
        return
    except Exception as error:
        give_up(hooks, question, error, last)
    except BaseException as error:
        # Cancelled, or the end of the program: the attempt has failed, and the loop is told as well.
        give_up(hooks, question, error, last)
        raise
    finally:
        tasks.pop(question[0], None)


def _cancel(tasks: list[Work]) -> None:
    for task in tasks:
        task.cancel()
