"""Why a client does not connect, told from Python."""

import asyncio
import dataclasses
import math
import time
from asyncio import StreamReader, StreamWriter
from datetime import timedelta
from typing import Any

import pytest

import keepline
from keepline import Cause, Finding, Framing, Heartbeat, StageName, sync
from servers import Server, echo_process, free_port, redis_process

LINES = Framing.lines()
PING = Heartbeat(b"PING\r\n", reply=b"+PONG\r\n")
ASKING = keepline.Config(framing=LINES, heartbeat=Heartbeat(b"PING", reply=b"PING"))
# The way to a server that asks nobody.
WAY = [StageName.CONFIG, StageName.NAMES, StageName.ROUTE, StageName.TCP, StageName.GREETING]


async def test_port_where_nobody_listens_is_refused_in_the_stage_tcp() -> None:
    port = free_port()
    diagnosis = await keepline.doctor(("127.0.0.1", port), config=ASKING, patience=5)
    assert (diagnosis.healthy, diagnosis.failed, diagnosis.cause) == (False, StageName.TCP, Cause.REFUSED)
    assert diagnosis.endpoint == f"127.0.0.1:{port}"
    assert "nothing listens on this port" in str(diagnosis) == diagnosis.verdict
    assert [stage.name for stage in diagnosis.stages] == WAY[:4], "the way ends there"
    assert any("refused" in fact.value for fact in diagnosis.stages[-1].facts)
    with pytest.raises(dataclasses.FrozenInstanceError):
        diagnosis.healthy = True  # type: ignore[misc]


async def test_server_that_accepts_and_never_answers_fails_the_greeting_within_patience() -> None:
    async with Server(swallow) as server:
        begun = time.monotonic()
        # No attempt is cut below the deadline of one address.
        diagnosis = await keepline.doctor(server.address, config=ASKING, connect_per_address=2, patience=2)
        assert time.monotonic() - begun < 2 * 1.3 + 2
        assert (diagnosis.healthy, diagnosis.failed) == (False, StageName.GREETING), diagnosis
        stage = diagnosis.stage(StageName.GREETING)
        assert stage is not None and stage.finding is Finding.FAILED and stage.cause is diagnosis.cause is not None
        assert 0 < stage.took < 2 * 1.3 + 2
        assert diagnosis.stages[-1] is stage and diagnosis.stage(StageName.IDLE) is None


async def test_server_that_is_asked_nothing_is_open_with_a_warning() -> None:
    async with Server(swallow) as server:
        diagnosis = await keepline.doctor(server.address, framing=LINES)
        stage = diagnosis.stage(StageName.GREETING)
        assert diagnosis.healthy and stage is not None and stage.finding is Finding.WARNED
        assert "declare a heartbeat" in diagnosis.verdict


async def test_redis_is_healthy_in_every_stage_and_in_those_on_request() -> None:
    async with redis_process() as redis:
        asked: dict[str, Any] = {"framing": Framing.resp(), "heartbeat": PING, "path_mtu": True, "idle": [1]}
        diagnosis = await keepline.doctor(redis.address, **asked)
        blocking = await asyncio.to_thread(sync.doctor, redis.address, **asked)
        for told in (diagnosis, blocking):
            assert (told.healthy, told.failed, told.cause) == (True, None, None), told
            assert [stage.name for stage in told.stages] == [*WAY, StageName.PATH_MTU, StageName.IDLE]
            # The configuration may carry notices.
            assert {stage.finding for stage in told.stages[1:]} == {Finding.PASSED}, told
            assert all(stage.cause is None and stage.took >= 0 for stage in told.stages)
            idle = told.stage(StageName.IDLE)
            assert idle is not None and idle.took >= 1 and str(idle.facts[0]) == "survived: 1s"


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("patience", {"patience": 0}),
        ("patience", {"patience": math.nan}),
        ("patience", {"patience": timedelta(hours=2)}),
        ("path_mtu", {"path_mtu": 1}),
        ("idle", {"idle": 60}),
        ("idle", {"idle": "60"}),
        ("idle", {"idle": [60, None]}),
        ("idle", {"idle": [0.5]}),
        ("idle", {"idle": [10**9]}),
        ("idle", {"idle": [2], "profile": "mobile", "heartbeat": Heartbeat(b"PING")}),
        ("detect_within", {"detect_within": 1}),
        ("framing", {"framing": "lines"}),
    ],
)
async def test_bad_option_is_refused_by_name_and_nobody_is_called(field: str, options: dict[str, Any]) -> None:
    async with Server(swallow) as server:
        for examine in (keepline.doctor, sync.doctor):
            with pytest.raises(keepline.InvalidConfig) as raised:
                told = examine(server.address, **options)
                assert asyncio.iscoroutine(told)
                await told
            assert raised.value.field == field
        assert server.connections == 0
    with pytest.raises(keepline.InvalidConfig) as raised:
        await keepline.doctor("nonsense")
    assert raised.value.field == "endpoint"
    with pytest.raises(TypeError, match="hearbeat"):
        await keepline.doctor("127.0.0.1:1", hearbeat=None)  # type: ignore[call-arg]


async def test_cancelled_examination_leaves_nothing_behind() -> None:
    asked = asyncio.Event()

    async def ask(reader: StreamReader, writer: StreamWriter) -> None:
        if await reader.read(64):
            asked.set()
        await reader.read()

    async with Server(ask) as server:
        examining = asyncio.create_task(keepline.doctor(server.address, config=ASKING, patience=60))
        await asyncio.wait_for(asked.wait(), 10)
        assert server.open_connections >= 1
        examining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await examining
        async with asyncio.timeout(10):
            while server.open_connections:
                await asyncio.sleep(0.01)
        before = server.connections
        # Nobody dials again.
        await asyncio.sleep(0.5)
        assert server.connections == before


async def test_client_beside_an_examination_goes_on() -> None:
    async with echo_process() as server, keepline.connect(server.address, framing=LINES) as client:
        diagnosis = await keepline.doctor(server.address, config=ASKING)
        assert diagnosis.healthy, diagnosis
        await client.send(b"hello")
        message = await client.recv(timeout=5)
        assert message is not None and (message.payload, message.epoch) == (b"hello", 1)


def test_blocking_examination_tells_the_same_without_a_loop() -> None:
    diagnosis = sync.doctor(("127.0.0.1", free_port()), config=ASKING)
    assert (diagnosis.failed, diagnosis.cause) == (StageName.TCP, Cause.REFUSED)


async def swallow(reader: StreamReader, writer: StreamWriter) -> None:
    while await reader.read(65536):
        pass
