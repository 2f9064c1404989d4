"""Through a proxy: whose ack it is, what a refusal tells, and that no password is shown."""

import asyncio
import os
import sys
from asyncio import StreamReader, StreamWriter

import pytest

import keepline
from keepline import AckedBy, Cause, Config, Framing, Outcome
from servers import Server


async def test_ack_behind_a_proxy_is_the_proxys(echo_server: Server) -> None:
    async def tunnel(reader: StreamReader, writer: StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        assert request.startswith(f"CONNECT 127.0.0.1:{echo_server.port} HTTP/1.1\r\n".encode())
        assert b"Proxy-Authorization: Basic cm9ib3Q6czNjcmV0\r\n" in request
        inner_reader, inner_writer = await asyncio.open_connection(*echo_server.address)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    async with Server(tunnel) as proxy:
        url = f"http://robot:s3cret@127.0.0.1:{proxy.port}"
        async with keepline.connect(echo_server.address, framing=Framing.lines(), proxy=url) as client:
            receipt = await client.send_tracked(b"hello")
            message = await client.recv(timeout=5)
            assert message is not None and message.payload == b"hello"
            outcome = await asyncio.wait_for(receipt.outcome(), 5)
            if sys.platform == "linux":
                assert (outcome, receipt.acked_by) == (Outcome.ACKED, AckedBy.PROXY)
            assert client.config.proxy == url
            assert "s3cret" not in repr(client.config)


async def test_ack_without_a_proxy_is_the_peers(echo_server: Server) -> None:
    async with keepline.connect(echo_server.address, framing=Framing.lines()) as client:
        receipt = await client.send_tracked(b"hello")
        if sys.platform == "linux":
            assert await asyncio.wait_for(receipt.outcome(), 5) is Outcome.ACKED
            assert receipt.acked_by is AckedBy.PEER


async def test_refused_credentials_end_the_client_with_the_proxys_own_code() -> None:
    async def refuse(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    async with Server(refuse) as proxy:
        with pytest.raises(keepline.Exhausted) as raised:
            await keepline.connect("plc-7.example:502", proxy=f"http://robot:hunter2@127.0.0.1:{proxy.port}")
        assert (raised.value.cause, raised.value.code) == (Cause.PROXY_AUTH, 407)
        assert "hunter2" not in str(raised.value)
        assert proxy.connections == 1


def test_bad_proxy_names_its_field_and_hides_what_may_be_a_password() -> None:
    for bad in ("https://robot:hunter2@p:1", "socks5://robot:hunter2", 7):
        with pytest.raises(keepline.InvalidConfig) as raised:
            Config(proxy=bad).resolve()  # type: ignore[arg-type]
        assert raised.value.field == "proxy"
        assert "hunter2" not in str(raised.value)


def test_proxy_of_the_system_is_read_only_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower() in ("all_proxy", "https_proxy", "no_proxy"):
            monkeypatch.delenv(name)
    assert Config(proxy="system").resolve().config.proxy is None
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.example:1080")
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert Config(proxy="system").resolve().config.proxy == "socks5://proxy.example:1080?except=localhost"
    assert Config().resolve().config.proxy is None


async def copy(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()
