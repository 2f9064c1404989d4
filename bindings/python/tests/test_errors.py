"""Bad input is refused with a typed error that names the field."""

import math
import os
import pickle
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

import keepline
import waiting
from keepline import OFF, AutoReply, Backoff, Correlation, Framing, Heartbeat, Keepalive, Matcher, Outbox, Script
from keepline._errors import BY_KIND
from servers import Server

LINES = Framing.lines()

BAD_OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("profile", {"profile": "fast"}),
    ("profile", {"profile": 7}),
    ("detect_within", {"detect_within": 3.9}),
    ("detect_within", {"detect_within": 0}),
    ("detect_within", {"detect_within": -1}),
    ("detect_within", {"detect_within": math.nan}),
    ("detect_within", {"detect_within": math.inf}),
    ("detect_within", {"detect_within": timedelta(seconds=-5)}),
    ("detect_within", {"detect_within": "10s"}),
    ("detect_within", {"detect_within": True}),
    ("detect_within", {"detect_within": 10**400}),
    ("heartbeat", {"heartbeat": b"PING"}),
    ("heartbeat.payload", {"heartbeat": Heartbeat(b"")}),
    ("heartbeat.payload", {"heartbeat": Heartbeat("PING")}),  # type: ignore[arg-type]
    ("heartbeat.interval", {"heartbeat": Heartbeat(b"PING", interval=math.nan)}),
    ("heartbeat.interval", {"heartbeat": Heartbeat(b"PING", interval=0.5)}),
    ("heartbeat.reply_within", {"heartbeat": Heartbeat(b"PING", reply_within=0)}),
    ("heartbeat.reply", {"heartbeat": Heartbeat(b"PING", reply=b"PONG")}),
    ("keepalive.idle", {"keepalive": Keepalive(0, 1, 3)}),
    ("keepalive.interval", {"keepalive": Keepalive(10, math.inf, 3)}),
    ("keepalive.retries", {"keepalive": Keepalive(10, 1, 0)}),
    ("keepalive.retries", {"keepalive": Keepalive(10, 1, 10**30)}),
    ("user_timeout", {"user_timeout": 0.5}),
    ("user_timeout", {"user_timeout": 10, "keepalive": Keepalive(10, 5, 6)}),
    ("rto_max", {"rto_max": 1, "user_timeout": OFF}),
    ("read_idle", {"read_idle": -3}),
    ("connect.total", {"connect_total": 1, "connect_per_address": 2}),
    ("connect.within", {"connect_within": math.nan}),
    ("addresses", {"addresses": "all"}),
    ("address_stagger", {"address_stagger": 0.05}),
    ("refuse_private_addresses", {"refuse_private_addresses": 1}),
    ("race_through_tls", {"race_through_tls": "yes"}),
    ("race_through_tls", {"race_through_tls": True, "addresses": "one_at_a_time"}),
    ("retry_tls_verdicts", {"retry_tls_verdicts": 1}),
    ("backoff", {"backoff": 5}),
    ("backoff.max", {"backoff": Backoff(initial=20, max=5)}),
    ("backoff.multiplier", {"backoff": Backoff(multiplier=math.nan)}),
    ("backoff.multiplier", {"backoff": Backoff(multiplier=0.5)}),
    ("backoff.jitter", {"backoff": Backoff(jitter="some")}),  # type: ignore[arg-type]
    ("stable_after", {"stable_after": 0}),
    ("max_attempts", {"max_attempts": 0}),
    ("max_attempts", {"max_attempts": 1.5}),
    ("max_attempts", {"max_attempts": -1}),
    ("while_down", {"while_down": "panic"}),
    ("outbox.messages", {"outbox": Outbox(messages=0)}),
    ("outbox.bytes", {"outbox": Outbox(bytes=2**62)}),
    ("outbox.age", {"outbox": Outbox(age=math.nan)}),
    ("overflow", {"overflow": "drop"}),
    ("inbox.bytes", {"inbox_bytes": 0}),
    ("inbox.bytes", {"inbox_bytes": 10**30}),
    ("unsolicited", {"unsolicited": "keep"}),
    ("framing", {"framing": "lines"}),
    ("framing.max", {"framing": Framing.lines(max=0)}),
    ("framing.max", {"framing": Framing.lines(max=2**40)}),
    ("framing.delimiter", {"framing": Framing.delimited_by(b"")}),
    ("framing.width", {"framing": Framing.length_prefixed(3)}),
    ("framing.endian", {"framing": Framing.length_prefixed(4, endian="middle")}),  # type: ignore[arg-type]
    ("framing.size", {"framing": Framing.fixed(0)}),
    ("framing.adjustment", {"framing": Framing.length_prefixed(4, adjustment=-(10**30))}),
    ("frame_within", {"framing": LINES, "frame_within": 0}),
    ("correlation", {"correlation": Correlation.fifo()}),
    ("correlation.width", {"framing": LINES, "correlation": Correlation.id(0, 3)}),
    ("push", {"framing": LINES, "push": b">"}),
    ("max_in_flight", {"max_in_flight": 0}),
    ("greeting", {"framing": LINES, "greeting": Script()}),
    ("auto_replies", {"framing": LINES, "auto_replies": (AutoReply(Matcher.any(), b"pong"),)}),
    ("stall_limit", {"stall_limit": timedelta(0)}),
    ("concurrent_ok", {"concurrent_ok": "yes"}),
    ("governed", {"governed": None}),
    ("sibling_probes", {"sibling_probes": 1}),
    ("network_monitor", {"network_monitor": "no"}),
]


@pytest.mark.parametrize(("field", "options"), BAD_OPTIONS, ids=lambda value: value if isinstance(value, str) else "")
async def test_bad_option_is_refused_by_name(field: str, options: dict[str, Any]) -> None:
    with pytest.raises(keepline.InvalidConfig) as raised:
        await keepline.connect("127.0.0.1:1", **options)
    error = raised.value
    assert isinstance(error, ValueError)
    assert (error.kind, error.field) == ("invalid_config", field)
    assert str(error).startswith(f"{field}: must ") or str(error).startswith(f"{field}: needs "), error
    with pytest.raises(keepline.InvalidConfig):
        keepline.sync.start("127.0.0.1:1", **options)


@pytest.mark.parametrize(
    "address", ["", "host", "host:0", "host:65536", "::1:80", "tls://host", "tls://user:secret@host:1", 7, ("host",), (1, 2)]
)
async def test_bad_address_is_refused_without_telling_a_password(address: Any) -> None:
    with pytest.raises(keepline.InvalidConfig) as raised:
        await keepline.connect(address)
    assert raised.value.field == "endpoint"
    assert "secret" not in str(raised.value)


async def test_unknown_option_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="hearbeat"):
        keepline.connect("127.0.0.1:1", hearbeat=None)  # type: ignore[call-arg]


async def test_bad_arguments_of_calls_are_typed(echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=Framing.lines(max=10)) as client:
        for timeout in (math.nan, math.inf, -1, "1"):
            with pytest.raises(keepline.InvalidConfig) as raised:
                await client.recv(timeout=timeout)  # type: ignore[arg-type]
            assert raised.value.field == "timeout"
        with pytest.raises(TypeError):
            await client.send("text")  # type: ignore[arg-type]
        with pytest.raises(keepline.Rejected):
            await client.send(b"longer than ten bytes")
        with pytest.raises(keepline.Rejected):
            client.try_send(b"two\nlines")
        with pytest.raises(keepline.InvalidConfig):
            await client.request(b"no correlation", timeout=1)
        with pytest.raises(keepline.InvalidConfig):
            await client.recv_many(0)
        with pytest.raises(keepline.InvalidConfig):
            client.network_changed(keepline.NetworkPath(1, kind="string"))  # type: ignore[arg-type]
        await client.send(b"still here")
        assert await client.recv(timeout=5) is not None


async def test_oversized_frame_of_the_peer_ends_the_connection_by_its_name() -> None:
    async def boast(reader: Any, writer: Any) -> None:
        writer.write(b"\xff\xff\xff\xff")
        await reader.read()

    async with Server(boast) as server:
        client = keepline.start(server.address, framing=Framing.length_prefixed(4))
        lost = await waiting.event(client, keepline.events.Disconnected)
        assert lost.cause is keepline.Cause.PROTOCOL_TOO_LARGE
        await client.close()


@pytest.mark.parametrize("workers", ["0", "65", "many", "-1"])
def test_bad_number_of_workers_names_its_variable(workers: str) -> None:
    program = (
        "import keepline\n"
        "try: keepline.sync.start('127.0.0.1:1')\n"
        "except keepline.InvalidConfig as error: print(error.field, error)"
    )
    environment = os.environ | {"KEEPLINE_WORKERS": workers}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=20)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == f"KEEPLINE_WORKERS KEEPLINE_WORKERS: must be from 1 to 64 (got {workers})\n"


def test_exceptions_are_one_tree_and_also_the_builtin_ones() -> None:
    for kind, error in BY_KIND.items():
        assert issubclass(error, keepline.KeeplineError) and error.kind == kind
    assert issubclass(keepline.InvalidConfig, ValueError)
    assert issubclass(keepline.Timeout, TimeoutError)
    assert issubclass(keepline.ForkedError, RuntimeError)
    assert issubclass(keepline.WrongLoopError, RuntimeError)
    for error in (keepline.Unavailable, keepline.Exhausted, keepline.Closed):
        assert issubclass(error, ConnectionError)
    with pytest.raises(keepline.InvalidConfig) as raised:
        keepline.default_config("fast")  # type: ignore[arg-type]
    copied = pickle.loads(pickle.dumps(raised.value))
    assert (str(copied), copied.field) == (str(raised.value), "profile")


def test_no_secret_is_shown() -> None:
    secret = b"s3cret"
    shown = [
        Script().send(secret).expect(secret),
        Heartbeat(secret, reply=secret),
        AutoReply(secret, secret),
        Matcher.prefix(secret),
        keepline.Message(secret),
        keepline.Config(heartbeat=Heartbeat(secret), greeting=Script().send(secret)),
    ]
    for value in shown:
        assert "s3cret" not in repr(value)
