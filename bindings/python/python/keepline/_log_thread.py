"""The thread that tells the log of blocking clients. It lives while one of them has something to tell."""

import atexit
import os
import select
import threading
from collections import deque
from collections.abc import Callable

from keepline import _core, _log

LAST_WORDS = 1.0
"""1 s: at the end of the program the last lines are waited for, a handler that hangs is not."""


def tell(core: _core.Client) -> None:
    """Has the events of a client told, if anybody listens."""
    if _log.is_wanted():
        _table.tell(core)


class _Thread:
    """The thread, and what the bridge is for an event loop."""

    def __init__(self) -> None:
        self.operations = _core.Operations()
        self.new: deque[_log.Told] = deque()
        self._wakers: dict[int, Callable[[], object]] = {}
        self.is_ending = False
        # Beside the descriptor of the operations: another thread brings a client, or the end.
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        self.thread = threading.Thread(target=self._run, name="keepline-log", daemon=True)

    def watch(self, number: int, waker: Callable[[], object]) -> None:
        self._wakers[number] = waker

    def forget(self, number: int) -> None:
        self._wakers.pop(number, None)
        self.operations.cancel(number)

    def wake(self) -> None:
        try:
            os.write(self._wake, b"\0")
        except BlockingIOError:
            # A full pipe is readable.
            pass

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self.operations.fileno(), select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        while self._has_more():
            poll.poll()
            self._take_wake()
            while self.new:
                self.new.popleft().go_on()
            for number in self.operations.ready():
                waker = self._wakers.get(number)
                if waker is not None:
                    waker()
            if self.is_ending:
                return

    def _has_more(self) -> bool:
        with _table.lock:
            if self.new or self._wakers:
                return True
            _table.running = None
            # Nobody else knows this pipe any more.
            os.close(self._woken)
            os.close(self._wake)
            return False

    def _take_wake(self) -> None:
        try:
            os.read(self._woken, 4096)
        except BlockingIOError:
            pass


class _Table:
    """The thread of this process, if there is one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running: _Thread | None = None
        self.is_over = False

    def tell(self, core: _core.Client) -> None:
        with self.lock:
            if self.is_over:
                return
            running = self.running or _Thread()
            running.new.append(_log.Told(core, running))
            if self.running is None:
                try:
                    running.thread.start()
                except RuntimeError:
                    # The interpreter is about to end.
                    return
                self.running = running
            running.wake()


_table = _Table()


def _forget_parent() -> None:
    # The thread stayed with the parent, and perhaps the lock with it.
    _table.__init__()  # type: ignore[misc]


def _end() -> None:
    with _table.lock:
        _table.is_over = True
        running = _table.running
        if running is not None:
            running.is_ending = True
            running.wake()
    if running is not None:
        running.thread.join(LAST_WORDS)


os.register_at_fork(after_in_child=_forget_parent)
atexit.register(_end)
