"""Servers of the tests' own: plain asyncio, and processes that can be frozen and killed."""

import asyncio
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

Serve = Callable[[StreamReader, StreamWriter], Coroutine[Any, Any, None]]


class Server:
    """A server on one port of the loopback, that can be stopped and started again."""

    def __init__(self, serve: Serve, tls: ssl.SSLContext | None = None) -> None:
        self._serve = serve
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._writers: set[StreamWriter] = set()
        self.connections = 0
        self.port = 0

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def open_connections(self) -> int:
        return len(self._writers)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Ends every connection, and listens no more."""
        if self._server is None:
            return
        server, self._server = self._server, None
        # A connection that was on its way is accepted within a few turns of the loop. What asyncio has accepted from the
        # kernel and not handed on when the listener closes, it loses, open: so it accepts nothing more before.
        loop = asyncio.get_running_loop()
        if isinstance(loop, asyncio.SelectorEventLoop):
            for listener in server.sockets:
                loop.remove_reader(listener.fileno())
        await _turns()
        server.close()
        await _turns()
        # Waited for: what a loop leaves behind is complained of when it is collected, in the middle of another test.
        writers = list(self._writers)
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._writers.add(writer)
        try:
            # Otherwise it was on its way when the server stopped.
            if self._server is not None:
                self.connections += 1
                await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            # It is open until the last byte has left.
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            self._writers.discard(writer)


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def echo(reader: StreamReader, writer: StreamWriter) -> None:
    """Sends back what it gets."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


class Sink:
    """Keeps every line that it gets."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    async def __call__(self, reader: StreamReader, writer: StreamWriter) -> None:
        while line := await reader.readline():
            self.lines.append(line.rstrip(b"\n"))


class Gate:
    """Lets in who says ``login <secret>``, tells two pieces of news behind its welcome, and echoes from then on."""

    def __init__(self, secret: bytes = b"s3cr3t") -> None:
        self.secret = secret
        self.lines: list[bytes] = []

    async def __call__(self, reader: StreamReader, writer: StreamWriter) -> None:
        line = (await reader.readline()).rstrip()
        self.lines.append(line)
        if line != b"login " + self.secret:
            # The refusal is followed by the end at once, as many servers do it.
            writer.write(b"no: wrong password\n")
            return
        writer.write(b"welcome\nnews 1\nnews 2\n")
        while line := await reader.readline():
            self.lines.append(line.rstrip())
            writer.write(line)


class Process:
    """A server in a process of its own."""

    def __init__(self, command: list[str], port: int, cwd: str | None = None) -> None:
        self._command = command
        self._cwd = cwd
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def start(self) -> None:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self._command, cwd=self._cwd, stdin=quiet, stdout=quiet, stderr=quiet)

    async def ready(self, within: float = 10) -> None:
        """Waits until somebody accepts, at most so many seconds."""
        async with asyncio.timeout(within):
            while True:
                # Not by `open_connection`: a test may have put something else in its place.
                with closing(socket.socket()) as probe:
                    probe.setblocking(False)
                    try:
                        await asyncio.get_running_loop().sock_connect(probe, self.address)
                    except ConnectionError:
                        await asyncio.sleep(0.02)
                    else:
                        return

    def await_ready(self) -> None:
        """The same without an event loop."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(self.address, 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("no server")

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """Kills it as the system would, without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


@asynccontextmanager
async def echo_process() -> AsyncIterator[Process]:
    """An echo server that can be frozen."""
    program = (
        "import asyncio, sys\n"
        "async def serve(reader, writer):\n"
        "    while data := await reader.read(65536):\n"
        "        writer.write(data)\n"
        "    writer.close()\n"
        "async def main():\n"
        "    server = await asyncio.start_server(serve, '127.0.0.1', int(sys.argv[1]))\n"
        "    await server.serve_forever()\n"
        "asyncio.run(main())\n"
    )
    port = free_port()
    process = Process([sys.executable, "-c", program, str(port)], port)
    process.start()
    try:
        await process.ready()
        yield process
    finally:
        process.kill()


@contextmanager
def blocking_echo_process() -> Iterator[Process]:
    """The same, for tests that have no event loop of asyncio."""
    program = (
        "import socket, sys, threading\n"
        "def serve(peer):\n"
        "    try:\n"
        "        while data := peer.recv(65536): peer.sendall(data)\n"
        "    except OSError: pass\n"
        "listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
        "while True: threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()\n"
    )
    port = free_port()
    process = Process([sys.executable, "-c", program, str(port)], port)
    process.start()
    try:
        process.await_ready()
        yield process
    finally:
        process.kill()


@contextmanager
def flooding_process(size: int, count: int) -> Iterator[Process]:
    """Sends each connection ``count`` numbers, padded to ``size`` bytes, as fast as they are taken; then nothing."""
    program = (
        "import socket, sys, threading\n"
        "port, size, count = map(int, sys.argv[1:])\n"
        "def serve(peer):\n"
        "    try:\n"
        "        for number in range(count): peer.sendall(b'%d' % number + b' ' * (size - len(str(number))))\n"
        "        peer.recv(1)\n"
        "    except OSError: pass\n"
        "listener = socket.create_server(('127.0.0.1', port))\n"
        "while True: threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()\n"
    )
    port = free_port()
    process = Process([sys.executable, "-c", program, str(port), str(size), str(count)], port)
    process.start()
    try:
        process.await_ready()
        yield process
    finally:
        process.kill()


@asynccontextmanager
async def redis_process(*options: str) -> AsyncIterator[Process]:
    """A redis-server whose acknowledged data survives being killed; ``options`` are its own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.fail("redis-server is not installed: apt-get install redis-server")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="keepline-redis-") as directory:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", directory]
        command += ["--appendonly", "yes", "--appendfsync", "always", "--save", "", *options]
        process = Process(command, port, directory)
        process.start()
        try:
            await process.ready()
            yield process
        finally:
            process.signal(signal.SIGCONT)
            process.kill()


@contextmanager
def real_proxy(scheme: str, user: str, password: str) -> Iterator[Process]:
    """microsocks or tinyproxy, which lets in whoever says this; not ready yet."""
    name = {"socks5": "microsocks", "http": "tinyproxy"}[scheme]
    program = shutil.which(name)
    if program is None:
        pytest.fail(f"{name} is not installed: apt-get install {name}")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="keepline-proxy-") as directory:
        command = [program, "-i", "127.0.0.1", "-p", str(port), "-u", user, "-P", password]
        if name == "tinyproxy":
            configuration = Path(directory, "tinyproxy.conf")
            # 600 s: longer than any test is silent.
            configuration.write_text(
                f"Port {port}\nListen 127.0.0.1\nTimeout 600\nAllow 127.0.0.1\nBasicAuth {user} {password}\n"
            )
            command = [program, "-d", "-c", str(configuration)]
        process = Process(command, port, directory)
        process.start()
        try:
            yield process
        finally:
            process.kill()


MODBUS = """
import asyncio, sys
from pymodbus.server import StartAsyncTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
device = SimDevice(1, simdata=[SimData(0, count=100, values=17, datatype=DataType.REGISTERS)])
asyncio.run(StartAsyncTcpServer(device, address=("127.0.0.1", int(sys.argv[1]))))
"""


@asynccontextmanager
async def modbus_process() -> AsyncIterator[Process]:
    """A pymodbus server whose 100 registers hold 17."""
    port = free_port()
    process = Process([sys.executable, "-c", MODBUS, str(port)], port)
    process.start()
    try:
        await process.ready()
        yield process
    finally:
        process.kill()


def certificate_for_localhost(directory: Path) -> tuple[Path, Path]:
    """The files of a certificate chain and its key, made in this directory."""
    chain, key = directory / "chain.pem", directory / "key.pem"
    # Not an authority: a certificate that a server may have, and that is trusted by itself.
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-subj", "/CN=keepline tests", "-addext", "subjectAltName=DNS:localhost", "-days", "30"]
        + ["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", str(key), "-out", str(chain)],
        check=True,
        capture_output=True,
    )
    return chain, key


def free_port() -> int:
    """A port that was free a moment ago, below those that the system gives to clients."""
    first, last = 20000, 32000
    span = last - first
    start = (os.getpid() * 7919 + int.from_bytes(os.urandom(2))) % span
    for offset in range(span):
        port = first + (start + offset) % span
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


def contract_path() -> Path:
    return Path(__file__).resolve().parents[2] / "contract" / "contract.json"
