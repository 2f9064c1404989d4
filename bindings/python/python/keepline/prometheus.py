"""Metrics for Prometheus: ``pip install 'keepline[prometheus]'``.

    from keepline.prometheus import Collector

    collector = Collector()                      # registers itself
    collector.watch(client, name="plc-7")        # any number of clients, of asyncio, trio or blocking
"""

import threading
from collections.abc import Iterator
from typing import Final

try:
    from prometheus_client import REGISTRY, CollectorRegistry
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
    from prometheus_client.metrics_core import Metric as Family
    from prometheus_client.registry import Collector as _Collector
except ImportError as _missing:
    raise ImportError("keepline.prometheus needs prometheus-client: pip install 'keepline[prometheus]'") from _missing

from keepline import _client, sync
from keepline._metrics import METRICS, RTT, Metric, Sums, Watched

__all__ = ["Collector"]

_CLIENT: Final = "client"


class Collector(_Collector):
    """Tells what the clients it watches have done, whenever it is scraped. It keeps none of them alive.

    Clients of one name are one series; a client that goes leaves, and what it had counted at the last scrape stays.

        collector = Collector()
        async with keepline.connect("127.0.0.1:6379") as client:
            collector.watch(client, name="cache")

    Args:
        registry: where to register; ``None`` registers nowhere.
    """

    def __init__(self, registry: CollectorRegistry | None = REGISTRY) -> None:
        self._watched = Watched()
        self._lock = threading.Lock()
        self._histograms: dict[tuple[Metric, str], _Histogram] = {}
        if registry is not None:
            registry.register(self)

    def watch(self, client: "_client.Client | sync.Client", name: str = "default") -> None:
        """Watches a client from its first event on, under the name that becomes its label ``client``.

        At most 100 names are told apart, the rest is ``other``. Do not put anything into a name that a peer or a user
        chooses. It may be called from any thread.

        Args:
            client: of asyncio, trio or `keepline.sync`.
            name: its label; clients of the same name are added up.

        Raises:
            ForkedError: the client was made before this process was forked.
        """
        self._watched.add(client, name)

    def describe(self) -> list[Family]:
        """Returns the families without values, for the registry."""
        return list(_families({}, {}))

    def collect(self) -> Iterator[Family]:
        """Returns what there is to tell now. Called by the registry, from any thread."""
        with self._lock:
            told = self._watched.read()
            for name, sums in told.items():
                for metric, value in sums.observed:
                    self._histograms.setdefault((metric, name), _Histogram(metric)).observe(value)
            families = list(_families(told, self._histograms))
        return iter(families)


class _Histogram:
    """How many values were at most each bound."""

    def __init__(self, metric: Metric) -> None:
        self._bounds = metric.bounds
        self._counts = [0] * (len(metric.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        place = sum(bound < value for bound in self._bounds)
        self._counts[place] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        bounds = [*map(str, self._bounds), "+Inf"]
        return [(bound, sum(self._counts[: place + 1])) for place, bound in enumerate(bounds)]


def _families(told: dict[str, Sums], histograms: dict[tuple[Metric, str], _Histogram]) -> Iterator[Family]:
    for metric in METRICS:
        labels = [_CLIENT] if metric.label is None else [_CLIENT, metric.label.replace(".", "_")]
        if metric.kind == "histogram":
            yield _histogram_family(metric, labels, histograms)
            continue
        kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = kind(metric.prometheus, metric.text, labels=labels)
        for name, sums in told.items():
            for value, label in _values(metric, sums):
                family.add_metric([name] if label is None else [name, label], value)
        yield family


def _histogram_family(
    metric: Metric, labels: list[str], histograms: dict[tuple[Metric, str], _Histogram]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(metric.prometheus, metric.text, labels=labels)
    for (measured, name), histogram in histograms.items():
        if measured is metric:
            family.add_metric([name], histogram.buckets(), histogram.sum)
    return family


def _values(metric: Metric, sums: Sums) -> list[tuple[float, str | None]]:
    if metric is RTT:
        return [] if sums.rtt is None else [(sums.rtt, None)]
    return [(value, label) for (measured, label), value in sums.values.items() if measured is metric]
