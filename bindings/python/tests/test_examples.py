"""The programs of examples/python, each against a real server that is killed and started again in the middle."""

import asyncio
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from servers import Process, free_port, modbus_process, redis_process

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "python"

#: 150 s for each program: what a web service imports is seconds of computing, many times that on a busy machine.
WITHIN = 150


async def test_every_beat_has_an_outcome_though_redis_is_killed_in_the_middle() -> None:
    async with redis_process() as redis:
        async with example("survive_a_restart.py", address(redis), "--count", "150", "--every", "0.02") as running:
            await says(running, "connected #1")
            redis.kill()
            await says(running, "lost (")
            redis.start()
            await says(running, "connected #")
            total = await says(running, "150 beats:")
            assert " 0 not_sent " in total and total.endswith(" 0 expired\n"), total
            assert await running.wait() == 0
        assert await command(redis, "GET", "beat") == b"$3\r\n149\r\n", "the last beat arrived, after all others"


async def test_beats_that_are_interrupted_are_summed_up() -> None:
    async with redis_process() as redis, example("survive_a_restart.py", address(redis)) as running:
        await says(running, "connected #1")
        running.send_signal(signal.SIGINT)
        assert running.stdout is not None
        assert b" 0 not_sent 0 unknown 0 expired" in await running.stdout.readline()
        assert await running.wait() == 0


async def test_messages_arrive_from_each_subscription_on_though_redis_is_killed_in_the_middle() -> None:
    async with redis_process() as redis, example("redis_pubsub.py", address(redis), "news") as running:
        await says(running, "subscribed #1")
        # Whoever is told "subscribed" gets what is published from then on: once is enough.
        assert await command(redis, "PUBLISH", "news", "one") == b":1\r\n"
        assert await says(running, "message: ") == "message: one\n"
        redis.kill()
        await says(running, "lost (")
        redis.start()
        await says(running, "subscribed #")
        assert await command(redis, "PUBLISH", "news", "two") == b":1\r\n"
        assert await says(running, "message: ") == "message: two\n"
        running.send_signal(signal.SIGINT)
        # An idle loop of asyncio sleeps through a signal that comes in the moment in which it goes to sleep, without
        # Keepline as well. What arrives wakes it.
        while running.returncode is None:
            await command(redis, "PUBLISH", "news", "three")
            await asyncio.sleep(0.05)
        assert await running.wait() == 0


async def test_values_are_unknown_while_the_controller_is_away_and_fresh_afterwards() -> None:
    async with modbus_process() as modbus:
        options = ["--register", "3", "--every", "0.05"]
        async with example("modbus_poller.py", address(modbus), *options) as running:
            await says(running, "register 3 is 17")
            modbus.kill()
            await says(running, "register 3 is not known: unavailable")
            modbus.start()
            await says(running, "register 3 is 17")
            running.send_signal(signal.SIGINT)
            assert await running.wait() == 0


async def test_web_service_tells_its_health_and_serves_again_after_redis_was_killed() -> None:
    async with redis_process() as redis:
        port = free_port()
        service = ["-m", "uvicorn", "--app-dir", str(EXAMPLES), "--port", str(port), "fastapi_service:app"]
        async with program(service, KEEPLINE_REDIS=address(redis)) as running:
            site = f"http://127.0.0.1:{port}"
            healthy = await until(site + "/health", lambda status, _: status == 200)
            assert healthy == {"redis": "connected", "connections": 1, "last_loss": None}
            assert (await fetch(site + "/values/colour", {"value": "blue"}))[0] == 204
            assert await fetch(site + "/values/colour") == (200, {"value": "blue"})
            assert (await fetch(site + "/values/taste"))[0] == 404

            redis.kill()
            sick = await until(site + "/health", lambda status, _: status == 503)
            assert sick["redis"] != "connected"
            status, refused = await fetch(site + "/values/colour")
            assert (status, refused["detail"]["maybe_executed"]) == (503, False)

            redis.start()
            back = await until(site + "/health", lambda status, _: status == 200)
            assert back["connections"] == 2
            assert await fetch(site + "/values/colour") == (200, {"value": "blue"})
            running.send_signal(signal.SIGTERM)
            await running.wait()


async def test_web_service_starts_although_redis_is_away() -> None:
    port = free_port()
    service = ["-m", "uvicorn", "--app-dir", str(EXAMPLES), "--port", str(port), "fastapi_service:app"]
    async with program(service, KEEPLINE_REDIS=f"127.0.0.1:{free_port()}"):
        sick = await until(f"http://127.0.0.1:{port}/health", lambda status, _: status == 503)
        assert sick["connections"] == 0


async def test_line_client_logs_in_again_before_what_was_typed_meanwhile() -> None:
    async with redis_process("--requirepass", "secret") as redis:
        typed = [str(EXAMPLES / "line_client.py"), address(redis)]
        async with program(typed, LINE_CLIENT_SECRET="secret") as running:
            assert running.stdin is not None
            await says(running, "* logged in #1")
            running.stdin.write(b"SET a 1\n")
            await says(running, "+OK")
            redis.kill()
            await says(running, "* lost (")
            running.stdin.write(b"INCR b\n")
            redis.start()
            # Refused with NOAUTH if it came before the login.
            await says(running, ":1")
            running.stdin.close()
            assert await running.wait() == 0


async def test_line_client_ends_when_its_login_is_refused() -> None:
    async with redis_process("--requirepass", "secret") as redis:
        typed = [str(EXAMPLES / "line_client.py"), address(redis)]
        async with program(typed, LINE_CLIENT_SECRET="wrong") as running:
            await says(running, "* lost (greeting.auth)")
            assert await running.wait() == 1


def test_index_names_every_program() -> None:
    index = (EXAMPLES / "README.md").read_text()
    programs = sorted(path.name for path in EXAMPLES.glob("*.py"))
    assert programs == [name for name in programs if f"({name})" in index]


@asynccontextmanager
async def example(name: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    async with program(["-X", "dev", "-W", "error", str(EXAMPLES / name), *arguments]) as running:
        yield running


@asynccontextmanager
async def program(arguments: list[str], **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program of this interpreter, whose stdout is read; it is ended with the test."""
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        async with asyncio.timeout(WITHIN):
            yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def says(running: asyncio.subprocess.Process, words: str) -> str:
    """Reads up to a line that begins so."""
    assert running.stdout is not None
    said = []
    while line := (await running.stdout.readline()).decode():
        if line.startswith(words):
            return line
        said.append(line)
    raise AssertionError(f"ended before {words!r}: {said}")


def address(process: Process) -> str:
    return f"127.0.0.1:{process.port}"


async def command(redis: Process, *words: str) -> bytes:
    """Asks the server by other means."""
    reader, writer = await asyncio.open_connection(*redis.address)
    parts = [b"$%d\r\n%b\r\n" % (len(word.encode()), word.encode()) for word in words]
    writer.write(b"*%d\r\n" % len(parts) + b"".join(parts))
    reply = await reader.readline()
    if reply.startswith(b"$"):
        reply += await reader.readexactly(int(reply[1:]) + 2)
    writer.close()
    await writer.wait_closed()
    return reply


async def until(url: str, holds: Callable[[int, Any], bool]) -> Any:
    """Asks until the answer is the right one."""
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                status, told = await fetch(url)
            except OSError:
                # The service is not listening yet.
                await asyncio.sleep(0.05)
                continue
            if holds(status, told):
                return told
            await asyncio.sleep(0.02)


async def fetch(url: str, body: object = None) -> tuple[int, Any]:
    return await asyncio.to_thread(fetch_blocking, url, body)


def fetch_blocking(url: str, body: object) -> tuple[int, Any]:
    """Status and JSON; a PUT if there is a body."""
    data = None if body is None else json.dumps(body).encode()
    method = "GET" if body is None else "PUT"
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    # No proxy of the environment stands between two processes of this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, text = error.code, error.read()
    return status, json.loads(text) if text else None
