"""What the clients talk to: an echo server of our own, a real nats-server, a real redis-server. All on the first CPU."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.place import SERVER_CPU, pin

#: Debian keeps some servers where only root looks.
PATH = os.environ.get("PATH", "") + ":/usr/sbin"


@contextmanager
def running() -> Iterator[dict[str, int]]:
    """The ports of all servers, by name."""
    with ExitStack() as stack:
        yield {
            "echo": stack.enter_context(_echo()),
            "nats": stack.enter_context(_real("nats-server", "--addr", "127.0.0.1", "--port")),
            "redis": stack.enter_context(
                _real("redis-server", "--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--port")
            ),
        }


def serve_echo() -> None:
    """Echoes one connection after the other, a large piece at a time, until it is killed."""
    pin(SERVER_CPU)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    buffer = memoryview(bytearray(1 << 20))
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            try:
                while count := connection.recv_into(buffer):
                    connection.sendall(buffer[:count])
            except ConnectionError:
                pass


@contextmanager
def _echo() -> Iterator[int]:
    server = subprocess.Popen([sys.executable, "-m", "bench", "echo"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield int(server.stdout.readline())
    finally:
        server.kill()
        server.wait()


@contextmanager
def _real(name: str, *options: str) -> Iterator[int]:
    program = shutil.which(name, path=PATH)
    if program is None:
        sys.exit(f"{name} is not installed: apt-get install {name}")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="keepline-bench-") as directory:
        server = subprocess.Popen(
            [program, *options, str(port)],
            cwd=directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: pin(SERVER_CPU),
        )
        try:
            _await_port(port, name)
            yield port
        finally:
            server.kill()
            server.wait()


def _await_port(port: int, name: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    sys.exit(f"{name} does not listen")


def versions() -> str:
    """Of the real servers."""
    told = []
    for name, option in (("redis-server", "--version"), ("nats-server", "--version")):
        program = shutil.which(name, path=PATH)
        said = subprocess.run([str(program), option], capture_output=True, text=True, check=False).stdout
        found = re.search(r"\bv[= ]?(\d[\w.]*)", said)
        told.append(f"{name} {found[1] if found else '?'}")
    return ", ".join(told)


def machine() -> str:
    """What was measured on, as kinds."""
    cores = len(os.sched_getaffinity(0))
    kernel = os.uname().release.split("-")[0]
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{cores} cores ({model}), {os.uname().sysname} {kernel}, Python {sys.version.split()[0]}"
