"""The flight recorder: what led to a death is in the event, in the exception, and kept."""

import asyncio
import pickle
import sys

import pytest

import keepline
from keepline import Cause, Framing, Report, Script, Transition, events
from servers import Server, echo

LINES = Framing.lines()


async def test_killed_connection_is_told_with_its_timeline_and_the_figures_of_the_kernel() -> None:
    async with Server(echo) as server, keepline.connect(server.address, framing=LINES) as client:
        await client.send(b"hello")
        assert (await client.recv(timeout=10)) is not None
        await server.stop()
        report = await lost(client)
        assert [entry.name for entry in report.entries] == [
            Transition.CONNECTING,
            Transition.DIALED,
            Transition.CONNECTED,
            Transition.ENDED,
        ]
        assert report.cause in (Cause.RESET, Cause.PEER_CLOSED)
        assert report.entries[-1].detail == report.cause
        assert report.up_for is not None and 0 < report.up_for <= report.lasted
        assert str(report) == report.text
        assert str(report).startswith("connection #1 ended, connected for "), report
        assert all(entry.text in str(report) for entry in report.entries)
        if sys.platform == "linux":
            assert report.figures is not None and report.figures.rtt is not None
            assert report.figures.bytes_acked is not None and report.figures.bytes_acked >= 6
        assert client.reports()[0] == report


async def test_exception_of_a_lost_request_has_the_report_and_can_be_copied() -> None:
    async with Server(swallow) as server:
        options: keepline.ConfigOptions = {"framing": LINES, "correlation": keepline.Correlation.fifo()}
        async with keepline.connect(server.address, **options) as client:
            asked = asyncio.create_task(client.request(b"question", timeout=10))
            while not client.stats().bytes_out:
                await asyncio.sleep(0.01)
            await server.stop()
            with pytest.raises(keepline.Unavailable) as raised:
                await asked
            report = raised.value.report
            assert report is not None and report.cause == raised.value.cause
            assert report is raised.value.report
            copied = pickle.loads(pickle.dumps(raised.value))
            assert copied.report == report


async def test_failed_attempts_are_reported_and_the_last_four_are_kept() -> None:
    async with Server(echo) as server:
        address = server.address
    with pytest.raises(keepline.Exhausted) as raised:
        await keepline.connect(address, max_attempts=6, backoff=keepline.Backoff(max=0.3))
    report = raised.value.report
    assert report is not None
    assert (report.epoch, report.cause, report.up_for, report.figures) == (6, Cause.REFUSED, None, None)
    assert report.failures == 6
    assert str(report).startswith("attempt #6 failed after "), report

    client = keepline.sync.start(address, max_attempts=6, backoff=keepline.Backoff(max=0.3))
    with pytest.raises(keepline.Closed) as closed:
        list(client)
    assert [kept.epoch for kept in client.reports()] == [3, 4, 5, 6]
    assert closed.value.report == client.reports()[-1]


async def test_nothing_of_payloads_tokens_or_addresses_is_in_a_report() -> None:
    async with Server(echo) as server:
        greeting = Script().send(b"AUTH hunter2").expect(b"AUTH hunter2")
        async with keepline.connect(("localhost", server.port), framing=LINES, greeting=greeting) as client:
            await client.send(b"balance of alice")
            assert (await client.recv(timeout=10)) is not None
            await server.stop()
            report = await lost(client)
    assert Transition.GREETING in [entry.name for entry in report.entries]
    for text in (str(report), repr(report)):
        for secret in ("hunter2", "AUTH", "balance", "alice", "localhost", "127.0.0.1"):
            assert secret not in text, text


async def lost(client: keepline.Client) -> Report:
    async with asyncio.timeout(10):
        async for event in client.events():
            if isinstance(event, events.Disconnected):
                assert event.report is not None
                assert (event.report.epoch, event.report.cause) == (event.epoch, event.cause)
                assert "entries" not in repr(event), "an event is printed short"
                return event.report
    raise AssertionError("never disconnected")


async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass
