"""A server that does what a test says: answers, goes silent, stops reading, closes, restarts."""

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeAlias, TypeVar, get_args

from keepline._errors import invalid
from keepline._values import Data, Duration, count
from keepline.testing._chaos import End
from keepline.testing._listener import Listener
from keepline.testing._peer import Act, Owner, Peer
from keepline.testing._wait import WITHIN, Wait

T = TypeVar("T")

Answer: TypeAlias = Callable[[bytes], bytes | None] | bytes
"""What is answered to a message: always the same bytes, or what a function makes of it; ``None`` is no answer."""

Step: TypeAlias = Act | Answer
"""What is done with one message, see `FlakyServer.script`."""

_ACTS = get_args(Act)

_HANDED_OVER_WITHIN = 10.0
"""Seconds. The thread of the server only ever runs a few lines at once; later means that an answer hangs."""


class FlakyServer:
    """A real TCP server on 127.0.0.1 that a test scripts.

        with FlakyServer(answer=b"+PONG\\r\\n") as server:
            client = connect_to(server.address)
            server.go_silent()                       # reads everything, answers nothing
            server.until_received(2).wait()          # the client has asked again

    It runs in a thread of its own, so that it serves blocking tests and those of any event loop. What a method says
    holds when its call returns, for living and for later connections; methods may be called from any thread.
    """

    def __init__(
        self,
        answer: Answer | None = None,
        *,
        delimiter: bytes | None = b"\n",
        length: Callable[[bytes], int | None] | None = None,
        port: int = 0,
        receive_buffer: int | None = None,
    ) -> None:
        """Starts the server.

        Args:
            answer: what is answered to each message; the message itself unless given. A function gets the whole message
                with its end, and runs in the server's thread. What it raises is raised by `shut_down`.
            delimiter: where a message ends, lines unless given. With ``None`` a message is what came at once.
            length: instead of a delimiter: how long the message is with which these bytes begin, or ``None`` if they
                are too few to tell.
            port: where to listen; 0 is any free port. It is kept until `shut_down`, also while nobody listens.
            receive_buffer: bytes of the receive buffers. With a small one, 4096 for instance, `stop_reading` closes the
                client's window after a few kilobytes; otherwise the kernel swallows megabytes first.

        Raises:
            OSError: the port is taken.
        """
        self._answer: Answer | None = answer
        self._split = _splitter(delimiter, length)
        self._receive_buffer = count("receive_buffer", receive_buffer)
        # Bound and never listening: it holds the port while the server is away.
        self._anchor = self._bound(port)
        self._port: int = self._anchor.getsockname()[1]
        self._behaviour: Act = "answer"
        self._steps: deque[Step] = deque()
        self._peers: set[Peer] = set()
        # Beside those that are open, those that still take late bytes.
        self._lingering: set[Peer] = set()
        self._received: list[bytes] = []
        self._accepted = 0
        self._failures: list[BaseException] = []
        self._listener: Listener | None = None
        self._arriving: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="keepline-flaky-server", daemon=True)
        self._thread.start()
        self.start()

    @property
    def address(self) -> tuple[str, int]:
        """Where clients connect to: host and port. It stays the same, restarts included."""
        return "127.0.0.1", self._port

    @property
    def host(self) -> str:
        """The host of `address`."""
        return "127.0.0.1"

    @property
    def port(self) -> int:
        """The port of `address`."""
        return self._port

    # What it does ----------------------------------------------------------------------------------------------------

    def answer(self, answer: Answer | None = None) -> None:
        """Answers from now on, after `go_silent` and `stop_reading` too; with ``answer`` if one is given.

        What was read in silence stays unanswered; what was not read is read now.
        """

        def change() -> None:
            if answer is not None:
                self._answer = answer
            self._behave("answer")

        self._in_thread(change)

    def go_silent(self) -> None:
        """Reads everything and answers nothing, not even the end of a stream: a process that hangs."""
        self._in_thread(lambda: self._behave("go_silent"))

    def stop_reading(self) -> None:
        """Reads nothing and answers nothing: the clients' buffers fill up and their windows close."""
        self._in_thread(lambda: self._behave("stop_reading"))

    def script(self, *steps: Step) -> None:
        """Says what is done with each of the next messages, whoever sends them; after the last step all is as before.

        Args:
            *steps: bytes to answer, a function that makes them of the message, or a word: ``"answer"`` (as usual),
                ``"ignore"`` this message, ``"go_silent"`` or ``"stop_reading"`` on its connection for good, ``"close"``
                or ``"reset"`` its connection, ``"stop"`` the server.

        Raises:
            InvalidConfig: a word is none of these.
        """
        for step in steps:
            if isinstance(step, str) and step not in _ACTS:
                raise invalid("steps", repr(step), f"must be bytes, a function, or one of {', '.join(_ACTS)}")
        self._in_thread(lambda: self._steps.extend(steps))

    def send(self, payload: Data) -> None:
        """Sends bytes that nobody asked for to every connection."""
        owned = bytes(payload)

        def send() -> None:
            for peer in self._peers:
                peer.send(owned)

        self._in_thread(send)

    def close(self) -> None:
        """Ends every connection in order. Bytes that come within the next second are read and dropped."""
        self._in_thread(lambda: self._end("fin"))

    def reset(self) -> None:
        """Resets every connection."""
        self._in_thread(lambda: self._end("rst"))

    # Stopping and starting -------------------------------------------------------------------------------------------

    def stop(self, end: End = "rst") -> None:
        """Listens no more and ends every connection; who connects is refused. The port is kept for `start`."""
        if end not in ("fin", "rst"):
            raise invalid("end", repr(end), "must be fin or rst")
        self._in_thread(lambda: self._stop(end))

    def start(self) -> None:
        """Listens again after `stop`, on the same port. Does nothing if it does already."""
        if threading.get_ident() == self._thread.ident:
            raise RuntimeError("an answer cannot start the server that it belongs to")
        self._in_thread(self._start)

    def restart(self, end: End = "rst") -> None:
        """Ends every connection and listens again at once, on the same port."""
        self.stop(end)
        self.start()

    def shut_down(self) -> None:
        """Ends the server for good. Idempotent.

        Raises:
            Exception: the first that an answer raised.
        """
        if not self._loop.is_closed():
            self._in_thread(self._abandon)
            asyncio.run_coroutine_threadsafe(self._last_turns(), self._loop).result(_HANDED_OVER_WITHIN)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_HANDED_OVER_WITHIN)
            self._loop.close()
            self._anchor.close()
        if self._failures:
            raise self._failures.pop(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shut_down()

    # Looking and waiting ---------------------------------------------------------------------------------------------

    @property
    def accepted(self) -> int:
        """How many connections were accepted since the first start."""
        return self._accepted

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._peers)

    @property
    def received(self) -> list[bytes]:
        """Every whole message that was read since the first start, in order, with its end."""
        return list(self._received)

    def until_accepted(self, count: int = 1, within: Duration = WITHIN) -> Wait[int]:
        """Waits until ``count`` connections were accepted since the first start, living or not, at most ``within`` seconds."""
        return Wait(
            lambda: self._accepted if self._accepted >= count else None,
            within,
            lambda: f"{count} connections, saw {self._accepted}",
        )

    def until_received(self, count: int = 1, within: Duration = WITHIN) -> Wait[list[bytes]]:
        """Waits until ``count`` messages were read since the first start, at most ``within`` seconds, and returns all."""
        return Wait(
            lambda: self.received if len(self._received) >= count else None,
            within,
            lambda: f"{count} messages, saw {len(self._received)}",
        )

    def until_left(self, within: Duration = WITHIN) -> Wait[int]:
        """Waits until no connection is open, at most ``within`` seconds, and returns how many there have been."""
        return Wait(
            lambda: None if self._peers else self._accepted,
            within,
            lambda: f"the end of every connection, {len(self._peers)} are open",
        )

    # In the thread of the server -------------------------------------------------------------------------------------

    def _in_thread(self, call: Callable[[], T]) -> None:
        if threading.get_ident() == self._thread.ident:
            call()
            return
        done: Future[None] = Future()

        def run() -> None:
            try:
                call()
                done.set_result(None)
            except BaseException as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        done.result(_HANDED_OVER_WITHIN)

    def _start(self) -> None:
        if self._listener is None:
            self._listener = Listener(self._loop, self._bound(self._port), self._peer, self._arriving)

    async def _last_turns(self) -> None:
        """What was accepted last arrives and is refused, and what was aborted is closed."""
        await asyncio.gather(*self._arriving)
        await asyncio.sleep(0)

    def _bound(self, port: int) -> socket.socket:
        bound = socket.socket()
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._receive_buffer is not None:
                # Before it listens: afterwards the window scale of accepted connections is already decided.
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
            bound.bind(("127.0.0.1", port))
        except BaseException:
            bound.close()
            raise
        return bound

    def _peer(self, listener: Listener) -> Peer:
        def came(peer: Peer) -> None:
            self._came(peer, listener)

        return Peer(self._split, Owner(came, self._ended, self._lingering.discard, self._take, self._failed))

    def _came(self, peer: Peer, listener: Listener) -> None:
        if self._listener is not listener:
            # It was on its way when the server stopped, and may have started again since.
            peer.end("rst")
            return
        self._accepted += 1
        self._peers.add(peer)
        peer.behave(self._behaviour)

    def _ended(self, peer: Peer) -> None:
        self._peers.discard(peer)
        self._lingering.add(peer)

    def _failed(self, peer: Peer, error: Exception) -> None:
        self._failures.append(error)
        peer.end("rst")

    def _take(self, peer: Peer, message: bytes) -> None:
        """Does with one message what the script says, or else what the connection does at present."""
        self._received.append(message)
        step: Step = self._steps.popleft() if self._steps else peer.behaviour
        match step:
            case "answer":
                peer.send(self._made(self._answer, message))
            case "ignore":
                pass
            case "go_silent" | "stop_reading":
                peer.behave(step)
            case "close":
                peer.end("fin")
            case "reset":
                peer.end("rst")
            case "stop":
                self._stop("rst")
            case own:
                peer.send(self._made(own, message))

    def _made(self, answer: Answer | None, message: bytes) -> bytes:
        match answer:
            case None:
                return message
            case bytes():
                return answer
            case make:
                return make(message) or b""

    def _behave(self, behaviour: Act) -> None:
        self._behaviour = behaviour
        for peer in list(self._peers):
            peer.behave(behaviour)

    def _end(self, end: End) -> None:
        for peer in list(self._peers):
            peer.end(end)

    def _abandon(self) -> None:
        self._stop("rst")
        for peer in list(self._lingering):
            peer.end("rst")

    def _stop(self, end: End) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._end(end)


def _splitter(delimiter: bytes | None, length: Callable[[bytes], int | None] | None) -> Callable[[bytes], int | None]:
    """Makes what tells how long the first message of a buffer is; ``None`` if that is not known yet."""
    if length is not None:
        return length
    if delimiter is None:
        return lambda buffer: len(buffer) or None
    if not delimiter:
        raise invalid("delimiter", repr(delimiter), "must not be empty")
    end = delimiter

    def by_delimiter(buffer: bytes) -> int | None:
        at = buffer.find(end)
        return None if at < 0 else at + len(end)

    return by_delimiter
