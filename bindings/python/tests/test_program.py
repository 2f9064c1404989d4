"""The program that the wheel brings: the same exit codes as the Rust binary's, and ended by the same signals."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from keepline.testing import FlakyServer
from servers import free_port

SCRIPT = [str(Path(sys.executable).with_name("keepline"))]
MODULE = [sys.executable, "-X", "dev", "-W", "error", "-m", "keepline"]
CODES = Path(__file__).resolve().parents[3] / "core" / "cli" / "tests" / "codes.txt"
CASES = [line for line in CODES.read_text().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("line", CASES)
def test_installed_script_ends_with_the_code_of_the_rust_program(line: str) -> None:
    with FlakyServer() as server:
        code, *arguments = line.format(line=f"127.0.0.1:{server.port}", nobody=f"127.0.0.1:{free_port()}").split()
        ended = run([*SCRIPT, *arguments])
    assert ended.returncode == int(code), ended.stderr
    assert "Traceback" not in ended.stderr


def test_module_is_the_same_program() -> None:
    assert run([*MODULE, "--version"]).stdout == run([*SCRIPT, "--version"]).stdout
    assert run([*MODULE, "--help"]).stdout == run([*SCRIPT, "--help"]).stdout
    assert "Usage: keepline" in run([*MODULE, "--help"]).stdout
    assert run([*MODULE, "connect", "nowhere"]).returncode == 2


@pytest.mark.parametrize("command", [SCRIPT, MODULE], ids=["script", "module"])
async def test_lines_go_out_and_come_back_through_a_restart_of_the_server(command: list[str]) -> None:
    with FlakyServer() as server:
        async with program(command, "connect", f"127.0.0.1:{server.port}", "--backoff-max", "500ms") as running:
            await say(running, b"one\n")
            assert await line(running) == b"one\n"
            server.restart()
            await told(running, b"lost")
            await say(running, b"two\n")
            assert await line(running) == b"two\n"
            assert running.stdin is not None
            running.stdin.close()
            assert await running.wait() == 0


@pytest.mark.parametrize("command", [SCRIPT, MODULE], ids=["script", "module"])
async def test_first_interrupt_drains_and_the_second_one_ends_at_once(command: list[str]) -> None:
    with FlakyServer() as server:
        address = f"127.0.0.1:{server.port}"
        async with program(command, "connect", address) as running:
            await told(running, b"connected")
            running.send_signal(signal.SIGINT)
            assert await running.wait() == 0
        async with program(command, "connect", address, "--drain", "1h") as running:
            await told(running, b"connected")
            server.stop()
            await told(running, b"lost")
            await say(running, b"waits\n")
            await told(running, b"retrying in")
            running.send_signal(signal.SIGINT)
            # Two signals that the program does not see apart would be one.
            await told(running, b"1 messages wait for a connection")
            running.send_signal(signal.SIGINT)
            assert await running.wait() == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
async def test_signal_ends_a_command_that_does_not_listen_to_it(number: signal.Signals) -> None:
    with FlakyServer() as server:
        server.go_silent()
        examined = ["doctor", f"127.0.0.1:{server.port}", "--heartbeat", "PING", "--patience", "1h"]
        async with program(SCRIPT, *examined) as running:
            await server.until_received(1)
            running.send_signal(number)
            assert await running.wait() == -number


def test_closed_pipe_behind_stdout_is_an_ordinary_end() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run([*SCRIPT, "explain"], stdout=writer, stderr=subprocess.PIPE, timeout=20, check=False)
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_output_in_a_pipe_is_whole() -> None:
    assert run([*SCRIPT, "explain", "--json"]).stdout.endswith("}\n")


def test_tracing_is_told_on_stderr() -> None:
    with FlakyServer() as server:
        ended = run([*SCRIPT, "connect", f"127.0.0.1:{server.port}", "-vv"])
    assert ended.returncode == 0
    assert "DEBUG" in ended.stderr


def test_interpreter_is_free_while_the_program_runs() -> None:
    # The server is a thread of the same interpreter: with the lock held nobody would ever accept.
    host = (
        "import os, signal, socket, sys, threading\n"
        "from keepline import _core\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "def serve():\n"
        "    client, _ = listener.accept()\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    client.recv(1)\n"
        "thread = threading.Thread(target=serve)\n"
        "thread.start()\n"
        "code = _core.program(['keepline', 'connect', '127.0.0.1:%d' % listener.getsockname()[1], '--no-stdin'])\n"
        "thread.join()\n"
        "sys.exit(code + 40)\n"
    )
    assert run([sys.executable, "-c", host]).returncode == 40


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=50, check=False)


@asynccontextmanager
async def program(command: list[str], *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(*command, *arguments, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(40):
            yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def say(running: asyncio.subprocess.Process, payload: bytes) -> None:
    assert running.stdin is not None
    running.stdin.write(payload)
    await running.stdin.drain()


async def line(running: asyncio.subprocess.Process) -> bytes:
    assert running.stdout is not None
    return await running.stdout.readline()


async def told(running: asyncio.subprocess.Process, words: bytes) -> None:
    """Reads stderr up to these words."""
    assert running.stderr is not None
    seen = []
    while found := await running.stderr.readline():
        if words in found:
            return
        seen.append(found)
    raise AssertionError(f"stderr ended before {words!r}: {seen}")
