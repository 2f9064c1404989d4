"""Servers for the examples: started for one example, on a free port, and ended with it."""

import contextlib
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

# 20 s: a loaded machine starts a server later than an idle one.
START_WITHIN = 20.0


class Missing(Exception):
    """The server is not installed."""


@contextlib.contextmanager
def running(kind: str, root: Path) -> Iterator[str]:
    """Runs a server and gives its address."""
    if kind == "line":
        with line_server() as address:
            yield address
    elif kind == "redis":
        if not shutil.which("redis-server"):
            raise Missing("redis-server is not installed")
        port = free_port()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]
        with process(["redis-server", *options], port):
            yield f"127.0.0.1:{port}"
    elif kind == "nats":
        port = free_port()
        # The token of the examples.
        with process([installed("nats-server"), "--addr", "127.0.0.1", "--port", str(port), "--auth", "s3cr3t"], port):
            yield f"127.0.0.1:{port}"
    elif kind == "mqtt":
        broker, hash_passwords = installed("mosquitto"), installed("mosquitto_passwd")
        port = free_port()
        with tempfile.TemporaryDirectory() as directory:
            passwords, settings = Path(directory, "passwords"), Path(directory, "mosquitto.conf")
            # The user and the password of the examples.
            command = [hash_passwords, "-b", "-c", str(passwords), "worker", "s3cr3t"]
            subprocess.run(command, check=True, capture_output=True, timeout=START_WITHIN)
            lines = [f"listener {port} 127.0.0.1", "allow_anonymous false", f"password_file {passwords}", "user root"]
            settings.write_text("\n".join(lines) + "\n")
            with process([broker, "-c", str(settings)], port):
                yield f"127.0.0.1:{port}"
    elif kind == "modbus":
        python = root / "target/venv/bin/python"
        script = root / "core/testkit/servers/modbus_server.py"
        if not python.exists():
            raise Missing("pymodbus is not installed in target/venv")
        port = free_port()
        log = root / "target/doccheck/modbus.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with process([str(python), str(script), "--port", str(port), "--log", str(log)], port):
            yield f"127.0.0.1:{port}"
    else:
        raise ValueError(f"no such server: {kind}")


def installed(name: str) -> str:
    """The program of this name: Debian keeps some servers where only root looks."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        raise Missing(f"{name} is not installed")
    return found


class Lines(socketserver.StreamRequestHandler):
    """Answers PING with PONG and sends every other line back."""

    def handle(self) -> None:
        # The doctor resets its connections, so that a server with one slot has it back at once.
        with contextlib.suppress(ConnectionError):
            for line in self.rfile:
                self.wfile.write(b"PONG\n" if line.rstrip(b"\r\n") == b"PING" else line)


@contextlib.contextmanager
def line_server() -> Iterator[str]:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Lines)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def process(command: list[str], port: int) -> Iterator[None]:
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_port(server, port)
        yield
    finally:
        server.kill()
        server.wait()


def await_port(server: subprocess.Popen, port: int) -> None:
    until = time.monotonic() + START_WITHIN
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"the server on port {port} did not start")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
