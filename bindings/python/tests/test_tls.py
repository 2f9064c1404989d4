"""Encrypted connections: options, causes and hints as they arrive in Python."""

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import keepline
from keepline import Cause, Framing, Hint, Tls, events
from servers import Server, certificate_for_localhost, echo

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificates with openssl")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate_for_localhost(tmp_path_factory.mktemp("tls"))


async def test_messages_travel_encrypted_and_sessions_are_resumed(certificate: tuple[Path, Path]) -> None:
    async with echo_server(certificate) as port:
        tls = Tls(ca_file=certificate[0], server_name="localhost")
        async with keepline.connect(f"127.0.0.1:{port}", tls=tls, framing=Framing.lines()) as client:
            await client.send(b"hello")
            message = await client.recv(timeout=10)
            assert message is not None and message.payload == b"hello"
            stats = client.stats()
            assert (stats.tls_version, stats.tls_resumed) == ("TLSv1.3", False)
            assert client.config.tls == Tls(ca_file=(str(certificate[0]),), server_name="localhost")


async def test_an_untrusted_certificate_ends_the_client_and_says_why(certificate: tuple[Path, Path]) -> None:
    async with echo_server(certificate) as port:
        with pytest.raises(keepline.Exhausted) as raised:
            async with keepline.connect(f"tls://localhost:{port}"):
                raise AssertionError("connected")
        assert raised.value.cause == Cause.TLS_UNTRUSTED_ISSUER


async def test_an_untrusted_certificate_is_tried_again_slowly_where_that_is_asked_for(
    certificate: tuple[Path, Path],
) -> None:
    async with echo_server(certificate) as port:
        async with keepline.start(f"tls://localhost:{port}", retry_tls_verdicts=True) as client:
            ended = await anext(event async for event in client.events() if isinstance(event, events.Disconnected))
            assert ended.cause is Cause.TLS_UNTRUSTED_ISSUER
            assert ended.retry_in is not None and ended.retry_in >= 30


async def test_a_race_through_tls_needs_tls_and_goes_to_a_server_that_has_it(certificate: tuple[Path, Path]) -> None:
    with pytest.raises(keepline.InvalidConfig) as raised:
        await keepline.connect("localhost:1", race_through_tls=True)
    assert raised.value.field == "race_through_tls"
    async with echo_server(certificate) as port:
        tls = Tls(ca_file=certificate[0], server_name="localhost")
        async with keepline.connect(f"127.0.0.1:{port}", tls=tls, race_through_tls=True) as client:
            assert client.config.race_through_tls


async def test_a_plain_server_is_told_with_a_hint() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read(100)

    async with Server(answer) as server:
        client = keepline.start(server.address, tls=True)
        async for event in client.events():
            if isinstance(event, events.Disconnected):
                assert (event.cause, event.hint) == (Cause.TLS_PROTOCOL, Hint.HTTP)
                assert event.advice is not None and "HTTP" in event.advice
                break
        client.abort()


@pytest.mark.parametrize(
    ("tls", "field"),
    [
        (Tls(pins=("ab" * 32,)), "tls.pins"),
        (Tls(ca_file="/nowhere/at/all.pem"), "tls.ca"),
        (Tls(client_cert="/nowhere/at/all.pem"), "tls.client_certificate"),
        (Tls(alpn=("",)), "tls.alpn"),
        ("yes", "tls"),
    ],
)
async def test_bad_declarations_name_their_field(tls: object, field: str) -> None:
    with pytest.raises(keepline.InvalidConfig) as raised:
        keepline.start("localhost:1", tls=tls)  # type: ignore[arg-type]
    assert raised.value.field == field


@asynccontextmanager
async def echo_server(certificate: tuple[Path, Path]) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    async with Server(echo, context) as server:
        yield server.port
