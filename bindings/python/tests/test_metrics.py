"""Metrics as Prometheus and OpenTelemetry get them, by their own libraries."""

import asyncio
import gc
import json
import re
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import prometheus_client
import pytest
import trio
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

import keepline
import waiting
from keepline import Backoff, Framing, State
from keepline._metrics import METRICS, MOST_NAMES
from keepline.otel import Instruments
from keepline.prometheus import Collector
from servers import Server, blocking_echo_process, contract_path, free_port

LINES = Framing.lines()
QUICK = Backoff(first_spread=0.05, initial=0.05, max=0.2)
DASHBOARD = contract_path().parents[2] / "docs" / "howto" / "python" / "grafana-dashboard.json"

Scraped = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Scraper:
    """A registry with a collector, and the text that a server would get."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.collector = Collector(self.registry)

    def text(self) -> str:
        return prometheus_client.generate_latest(self.registry).decode()

    def scrape(self) -> Scraped:
        families = text_string_to_metric_families(self.text())
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }


def at(scraped: Scraped, name: str, **labels: str) -> float:
    return scraped[name, frozenset(labels.items())]


async def test_prometheus_gets_what_a_client_did(echo_server: Server) -> None:
    scraper = Scraper()
    async with keepline.connect(echo_server.address, framing=LINES, backoff=QUICK) as client:
        scraper.collector.watch(client, name="echo")
        for _ in range(10):
            await client.send(b"x" * 99)
            assert await client.recv(timeout=5) is not None
        await echo_server.stop()
        await waiting.until(lambda: client.stats().failures >= 2)
        await client.send(b"waits")
        down = scraper.scrape()
        await echo_server.start()
        await waiting.state(client, State.CONNECTED)
        up = scraper.scrape()
        stats = client.stats()
    assert at(down, "keepline_connect_failures_total", client="echo", error_type="refused") >= 2
    assert at(down, "keepline_link_state", client="echo", state="connected") == 0
    assert at(down, "keepline_outbox_messages", client="echo") == 1
    assert at(down, "keepline_outbox_bytes", client="echo") == len(b"waits\n")
    assert at(up, "keepline_link_state", client="echo", state="connected") == 1
    assert sum(value for (name, _), value in up.items() if name == "keepline_link_state") == 1
    assert at(up, "keepline_connect_attempts_total", client="echo") == stats.attempts
    assert at(up, "keepline_io_bytes_total", client="echo", direction="receive") >= 1000
    assert at(up, "keepline_inbox_received_total", client="echo") >= 10
    assert at(up, "keepline_outbox_accepted_total", client="echo") == 11
    assert at(up, "keepline_connect_duration_seconds_count", client="echo") == 2
    assert at(up, "keepline_connect_duration_seconds_bucket", client="echo", le="+Inf") == 2
    assert at(up, "keepline_session_duration_seconds_count", client="echo") == 1
    assert at(up, "keepline_outage_duration_seconds_count", client="echo") == 1
    assert at(up, "keepline_outage_duration_seconds_sum", client="echo") > 0
    ends = [value for (name, _), value in up.items() if name == "keepline_session_ends_total"]
    assert ends == [1]


async def test_dead_peer_is_counted_by_what_caught_it_and_how_late() -> None:
    async def silent_after_two(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            writer.write(await reader.readline())
        await reader.read()

    scraper = Scraper()
    async with Server(silent_after_two) as server:
        beat = keepline.Heartbeat(b"PING", reply=b"PING", interval=1, reply_within=1)
        async with keepline.connect(server.address, framing=LINES, heartbeat=beat, backoff=QUICK) as client:
            scraper.collector.watch(client)
            await waiting.event(client, keepline.events.Disconnected)
            scraped = scraper.scrape()
            client.abort()
    assert at(scraped, "keepline_peer_dead_total", client="default", detector="heartbeat") == 1
    assert at(scraped, "keepline_session_ends_total", client="default", error_type="peer_unresponsive") == 1
    assert at(scraped, "keepline_heartbeat_missed_total", client="default") == 1
    assert at(scraped, "keepline_heartbeat_sent_total", client="default") >= 2
    assert at(scraped, "keepline_heartbeat_rtt_seconds", client="default") > 0
    assert at(scraped, "keepline_detection_delay_seconds_count", client="default") == 1


async def test_clients_of_one_name_are_one_series_and_totals_never_fall(echo_server: Server) -> None:
    scraper = Scraper()
    clients = [await keepline.connect(echo_server.address, framing=LINES) for _ in range(5)]
    for client in clients:
        scraper.collector.watch(client, name="pool")
        await client.send(b"x")
    scraper.collector.watch(clients[0], name="pool")
    first = scraper.scrape()
    assert at(first, "keepline_link_state", client="pool", state="connected") == 5
    assert at(first, "keepline_connect_attempts_total", client="pool") == 5
    assert at(first, "keepline_outbox_accepted_total", client="pool") == 5
    gone = [weakref.ref(client) for client in clients]
    for client in clients:
        await client.close()
    clients.clear()
    del client
    gc.collect()
    assert [reference() for reference in gone] == [None] * 5
    last = scraper.scrape()
    assert at(last, "keepline_outbox_accepted_total", client="pool") == 5
    assert at(last, "keepline_connect_attempts_total", client="pool") == 5
    assert not [name for name, labels in last if name == "keepline_link_state" and last[name, labels]]


async def test_names_are_bounded() -> None:
    scraper = Scraper()
    clients = [keepline.start(("127.0.0.1", free_port())) for _ in range(MOST_NAMES + 20)]
    for number, client in enumerate(clients):
        scraper.collector.watch(client, name=f"client {number}")
    scraped = scraper.scrape()
    names = {dict(labels)["client"] for name, labels in scraped if name == "keepline_connect_attempts_total"}
    assert len(names) == MOST_NAMES + 1 and "other" in names
    states = [(labels, value) for (name, labels), value in scraped.items() if name == "keepline_link_state"]
    assert sum(value for labels, value in states if dict(labels)["client"] == "other") == 20
    for client in clients:
        client.abort()


async def test_clients_of_any_kind_are_watched_from_any_thread() -> None:
    scraper = Scraper()
    scrapes: list[Scraped] = []

    async def under_trio(address: tuple[str, int]) -> None:
        async with keepline.connect(address) as client:
            scraper.collector.watch(client, name="trio")
            scrapes.append(await trio.to_thread.run_sync(scraper.scrape))

    with blocking_echo_process() as server:
        await asyncio.to_thread(trio.run, under_trio, server.address)

        def blocking() -> None:
            with keepline.sync.connect(server.address) as client:
                scraper.collector.watch(client, name="sync")
                scrapes.append(scraper.scrape())

        await asyncio.to_thread(blocking)
    for name, scraped in zip(("trio", "sync"), scrapes, strict=True):
        assert at(scraped, "keepline_link_state", client=name, state="connected") == 1


async def test_scrapes_in_many_threads_count_each_event_once(echo_server: Server) -> None:
    scraper = Scraper()
    async with keepline.connect(echo_server.address, framing=LINES, backoff=QUICK) as client:
        scraper.collector.watch(client)
        done = threading.Event()

        def scrape() -> None:
            while not done.is_set():
                scraper.text()

        threads = [threading.Thread(target=scrape) for _ in range(3)]
        for thread in threads:
            thread.start()
        for epoch in range(2, 42):
            client.reconnect()
            await waiting.event(client, keepline.events.Connected, client._core.last_event() - 1)
            await waiting.until(lambda epoch=epoch: client.epoch >= epoch)  # type: ignore[misc]
            await waiting.state(client, State.CONNECTED)
        done.set()
        for thread in threads:
            await asyncio.to_thread(thread.join, 10)
        scraped, stats = scraper.scrape(), client.stats()
    assert at(scraped, "keepline_connect_duration_seconds_count", client="default") == stats.connections
    assert at(scraped, "keepline_events_missed_total", client="default") == 0


async def test_opentelemetry_gets_the_same(echo_server: Server) -> None:
    reader = InMemoryMetricReader()
    instruments = Instruments(MeterProvider([reader]))
    async with keepline.connect(echo_server.address, framing=LINES, backoff=QUICK) as client:
        instruments.watch(client, name="echo")
        await client.send(b"x")
        assert await client.recv(timeout=5) is not None
        told = points(reader)
        assert told["keepline.link.state", ("echo", "connected")].value == 1
        assert told["keepline.connect.attempts", ("echo",)].value == 1
        assert told["keepline.io.bytes", ("echo", "transmit")].value == 2
        assert told["keepline.connect.duration", ("echo",)].count == 1
        await echo_server.stop()
        await waiting.until(lambda: client.stats().failures >= 1)
        told = points(reader)
        assert told["keepline.connect.failures", ("echo", "refused")].value >= 1
        assert told["keepline.link.state", ("echo", "connected")].value == 0
        assert told["keepline.session.duration", ("echo",)].count == 1
        assert told["keepline.connect.duration", ("echo",)].count == 1


async def test_opentelemetry_with_two_readers_counts_once(echo_server: Server) -> None:
    readers = [InMemoryMetricReader(), InMemoryMetricReader()]
    instruments = Instruments(MeterProvider(readers))
    async with keepline.connect(echo_server.address, framing=LINES) as client:
        instruments.watch(client)
        for _ in range(3):
            for reader in readers:
                told = points(reader)
                assert told["keepline.connect.attempts", ("default",)].value == 1
                assert told["keepline.connect.duration", ("default",)].count == 1


async def test_both_have_every_metric_with_its_unit(echo_server: Server) -> None:
    scraper = Scraper()
    reader = InMemoryMetricReader()
    instruments = Instruments(MeterProvider([reader]))
    async with keepline.connect(echo_server.address, framing=LINES) as client:
        scraper.collector.watch(client)
        instruments.watch(client)
        text = scraper.text()
        points(reader)
    for metric in METRICS:
        kind = {"level": "gauge"}.get(metric.kind, metric.kind)
        suffix = "_total" if kind == "counter" else ""
        assert f"# TYPE {metric.prometheus}{suffix} {kind}\n" in text
        assert metric.unit != "s" or metric.prometheus.endswith("_seconds")
        assert metric.unit != "By" or metric.prometheus.endswith("_bytes")
    table = (DASHBOARD.parent / "metrics.md").read_text()
    for metric in METRICS:
        suffix = "_total" if metric.kind == "counter" else ""
        assert f"| `{metric.name}` | `{metric.prometheus}{suffix}` |" in table


async def test_dashboard_names_only_metrics_and_labels_that_exist(echo_server: Server) -> None:
    scraper = Scraper()
    client = keepline.start(("127.0.0.1", free_port()), backoff=QUICK)
    async with keepline.connect(echo_server.address, framing=LINES, backoff=QUICK) as other:
        scraper.collector.watch(client)
        scraper.collector.watch(other)
        text = scraper.text()
    client.abort()
    known: dict[str, set[str]] = {}
    for metric in METRICS:
        names = [metric.prometheus + {"counter": "_total"}.get(metric.kind, "")]
        if metric.kind == "histogram":
            names = [f"{metric.prometheus}_{part}" for part in ("bucket", "sum", "count")]
        labels = {"client", "le" if metric.kind == "histogram" else "client"}
        labels |= set() if metric.label is None else {metric.label.replace(".", "_")}
        known |= {name: labels for name in names}
    dashboard = json.loads(DASHBOARD.read_text())
    queries = list(expressions(dashboard))
    assert len(queries) >= 10
    for query in queries:
        used = re.findall(r"\b(keepline_\w+)(?:\{([^}]*)\})?", query)
        assert used, query
        for name, selector in used:
            assert name in known, query
            assert name.removesuffix("_total").removesuffix("_bucket") in text, query
            assert set(re.findall(r"(\w+)\s*=~?", selector)) <= known[name], query
        for group in re.findall(r"by \(([^)]*)\)", query):
            assert set(re.split(r",\s*", group)) <= set.union(*(known[name] for name, _ in used)), query


def test_package_works_without_either_library() -> None:
    program = """
import sys
sys.modules["prometheus_client"] = sys.modules["opentelemetry"] = None
import keepline
for name in ("prometheus", "otel"):
    try:
        __import__("keepline." + name)
    except ImportError as error:
        print(error)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert ran.stdout.splitlines() == [
        "keepline.prometheus needs prometheus-client: pip install 'keepline[prometheus]'",
        "keepline.otel needs opentelemetry-api: pip install 'keepline[otel]'",
    ]


def points(reader: InMemoryMetricReader) -> dict[tuple[str, tuple[str, ...]], Any]:
    """Collects; the points by name and the values of their attributes, the client's first."""
    collected = reader.get_metrics_data()
    assert collected is not None
    told = {}
    for resource in collected.resource_metrics:
        for scope in resource.scope_metrics:
            assert scope.scope.name == "keepline"
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    attributes = dict(point.attributes or {})
                    first = str(attributes.pop("keepline.client"))
                    told[metric.name, (first, *map(str, attributes.values()))] = point
    return told


def expressions(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "expr":
                yield value
            else:
                yield from expressions(value)
    elif isinstance(part, list):
        for value in part:
            yield from expressions(value)
