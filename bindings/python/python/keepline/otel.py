"""Metrics for OpenTelemetry: ``pip install 'keepline[otel]'``.

    from keepline.otel import Instruments

    instruments = Instruments()                  # of the global meter provider
    instruments.watch(client, name="plc-7")      # any number of clients, of asyncio, trio or blocking
"""

from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import Final

try:
    from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation, get_meter
except ImportError as _missing:
    raise ImportError("keepline.otel needs opentelemetry-api: pip install 'keepline[otel]'") from _missing

from keepline import _client, _core, sync
from keepline._metrics import METRICS, RTT, Metric, Sums, Watched

__all__ = ["Instruments"]

_CLIENT: Final = "keepline.client"


class Instruments:
    """The observable instruments of the clients it watches, read whenever the SDK collects. It keeps none of them alive.

    Clients of one name are one series; a client that goes leaves, and what it had counted at the last look stays.
    OpenTelemetry cannot take instruments back: make one for each meter provider, once.

        instruments = Instruments()
        async with keepline.connect("127.0.0.1:6379") as client:
            instruments.watch(client, name="cache")

    Args:
        meter_provider: the global one unless given.
    """

    def __init__(self, meter_provider: MeterProvider | None = None) -> None:
        self._watched = Watched()
        self._lock = Lock()
        self._told: dict[str, Sums] = {}
        # Metrics that have told `_told`: the next that asks a second time has it read anew.
        self._has_told: set[Metric] = set(METRICS)
        self._histograms: dict[Metric, Histogram] = {}
        meter = get_meter("keepline", _core.__version__, meter_provider)
        # Observed ones come first: what they find in the events is recorded before histograms are collected.
        for metric in METRICS:
            if metric.kind != "histogram":
                _observe(meter, metric, self._observer(metric))
        for metric in METRICS:
            if metric.kind == "histogram":
                self._histograms[metric] = meter.create_histogram(
                    metric.name, metric.unit, metric.text, explicit_bucket_boundaries_advisory=metric.bounds
                )

    def watch(self, client: "_client.Client | sync.Client", name: str = "default") -> None:
        """Watches a client from its first event on, under the name that becomes its attribute ``keepline.client``.

        At most 100 names are told apart, the rest is ``other``. Do not put anything into a name that a peer or a user
        chooses. It may be called from any thread.

        Args:
            client: of asyncio, trio or `keepline.sync`.
            name: its attribute; clients of the same name are added up.

        Raises:
            ForkedError: the client was made before this process was forked.
        """
        self._watched.add(client, name)

    def _observer(self, metric: Metric) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(options: CallbackOptions) -> Iterable[Observation]:
            return list(self._observations(metric))

        return observe

    def _observations(self, metric: Metric) -> Iterator[Observation]:
        for name, sums in self._read(metric).items():
            if metric is RTT:
                if sums.rtt is not None:
                    yield Observation(sums.rtt, {_CLIENT: name})
                continue
            for (measured, label), value in sums.values.items():
                if measured is metric:
                    yield Observation(value, _attributes(metric, name, label))

    def _read(self, metric: Metric) -> dict[str, Sums]:
        """One look serves all instruments of a collection."""
        with self._lock:
            if metric in self._has_told:
                self._has_told.clear()
                self._told = self._watched.read()
                for name, sums in self._told.items():
                    for measured, value in sums.observed:
                        self._histograms[measured].record(value, {_CLIENT: name})
            self._has_told.add(metric)
            return self._told


def _observe(meter: Meter, metric: Metric, callback: Callable[[CallbackOptions], Iterable[Observation]]) -> None:
    make = {
        "counter": meter.create_observable_counter,
        "level": meter.create_observable_up_down_counter,
        "gauge": meter.create_observable_gauge,
    }[metric.kind]
    make(metric.name, [callback], metric.unit, metric.text)


def _attributes(metric: Metric, name: str, label: str | None) -> dict[str, str]:
    return {_CLIENT: name} if metric.label is None or label is None else {_CLIENT: name, metric.label: label}
