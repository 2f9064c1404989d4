"""How a case is measured: messages in a given time, or the median of single exchanges."""

import statistics
import time
from collections.abc import Awaitable, Callable

from bench.place import SECONDS


class Throughput:
    """Counts messages that came back, and what they cost."""

    def __init__(self) -> None:
        self.received = 0
        self._cpu = time.process_time()
        self._started = time.perf_counter()
        self._until = self._started + SECONDS

    def is_over(self) -> bool:
        return time.perf_counter() >= self._until

    def result(self) -> tuple[float, float]:
        """Thousand messages a second, and microseconds of processor time for each, of all threads."""
        elapsed = time.perf_counter() - self._started
        cpu = time.process_time() - self._cpu
        return self.received / elapsed / 1e3, cpu / self.received * 1e6


class Trips:
    """Times one exchange after the other."""

    def __init__(self) -> None:
        self._trips: list[float] = []
        self._cpu = time.process_time()
        self._last = time.perf_counter()
        self._until = self._last + SECONDS

    def next(self) -> bool:
        """Ends an exchange and begins the next, if there is time."""
        now = time.perf_counter()
        self._trips.append(now - self._last)
        self._last = now
        return now < self._until

    def result(self) -> tuple[float, float]:
        """Microseconds: the median, and processor time of all threads."""
        # The first is no exchange.
        trips = self._trips[1:]
        return statistics.median(trips) * 1e6, (time.process_time() - self._cpu) / len(trips) * 1e6


async def median_trip(exchange: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    trips = Trips()
    while trips.next():
        await exchange()
    return trips.result()
