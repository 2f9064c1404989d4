"""Credentials for a proxy from a function: real proxies that refuse and let in, and what follows where it has none."""

import asyncio
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable

import pytest

import keepline
import waiting
from keepline import AckedBy, Cause, CredentialRequest, Framing, events, sync
from servers import Server, blocking_echo_process, real_proxy

LINES = Framing.lines()
SCHEMES = ("socks5", "http")


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_real_proxy_refuses_a_stale_password_and_lets_in_the_one_that_is_given_next(
    scheme: str, echo_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[CredentialRequest] = []

    async def log_in(request: CredentialRequest) -> tuple[str, str]:
        asked.append(request)
        await asyncio.sleep(0)
        return "robot", "stale-hunter1" if request.refusals == 0 else "fresh-hunter2"

    with real_proxy(scheme, "robot", "fresh-hunter2") as proxy, caplog.at_level(logging.DEBUG, "keepline"):
        await proxy.ready()
        url = f"{scheme}://127.0.0.1:{proxy.port}"
        client = keepline.start(echo_server.address, framing=LINES, proxy=url, proxy_credentials=log_in)
        refused = await waiting.event(client, events.Disconnected)
        assert refused.cause is Cause.PROXY_AUTH
        assert refused.retry_in is not None and refused.retry_in >= 10, "accounts are locked after a few tries"
        # A hand that does not wait for it.
        client.reconnect()
        await waiting.event(client, events.Connected)
        receipt = await client.send_tracked(b"hello")
        message = await client.recv(timeout=5)
        assert message is not None and message.payload == b"hello"
        await asyncio.wait_for(receipt.outcome(), 5)
        assert receipt.acked_by in (AckedBy.PROXY, None)
        target = f"127.0.0.1:{echo_server.port}"
        assert [(one.epoch, one.endpoint, one.refusals) for one in asked] == [(1, target, 0), (2, target, 1)]
        await client.close()
    assert "hunter" not in caplog.text


@pytest.mark.parametrize("scheme", SCHEMES)
def test_function_of_a_blocking_client_logs_in_to_a_real_proxy(scheme: str) -> None:
    with real_proxy(scheme, "robot", "s3cret") as proxy, blocking_echo_process() as server:
        proxy.await_ready()
        url = f"{scheme}://127.0.0.1:{proxy.port}"

        def log_in(request: CredentialRequest) -> tuple[str, str]:
            return "robot", "s3cret"

        with sync.connect(server.address, framing=LINES, proxy=url, proxy_credentials=log_in) as client:
            client.send(b"hello")
            message = client.recv(timeout=5)
            assert message is not None and message.payload == b"hello"


async def test_second_refusal_in_a_row_ends_the_client_with_the_proxys_own_code() -> None:
    async def refuse(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    async with Server(refuse) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        client = keepline.start("plc-7.example:502", proxy=url, proxy_credentials=lambda request: ("robot", "wrong"))
        await waiting.event(client, events.Disconnected)
        client.reconnect()
        ending = await asyncio.wait_for(client.closed(), 15)
        assert (ending.cause, ending.code, proxy.connections) == (Cause.PROXY_AUTH, 407, 2)


async def raises(request: CredentialRequest) -> tuple[str, str]:
    raise LookupError("no token for hunter2")


async def hangs(request: CredentialRequest) -> tuple[str, str]:
    await asyncio.Event().wait()
    raise AssertionError("it was cancelled")


def gives_a_url(request: CredentialRequest) -> tuple[str, str]:
    return "robot:hunter2"  # type: ignore[return-value]


def gives_bytes(request: CredentialRequest) -> tuple[str, str]:
    return "robot", b"hunter2"  # type: ignore[return-value]


def gives_what_nobody_can_write(request: CredentialRequest) -> tuple[str, str]:
    return "robot", "hunter2\udc80"


@pytest.mark.parametrize(
    ("function", "raised"),
    [
        (raises, LookupError),
        (hangs, None),
        (gives_a_url, TypeError),
        (gives_bytes, TypeError),
        (gives_what_nobody_can_write, UnicodeEncodeError),
    ],
)
async def test_attempt_without_credentials_has_failed_and_the_proxy_is_told_nothing(
    function: Callable[[CredentialRequest], tuple[str, str] | Awaitable[tuple[str, str]]],
    raised: type[Exception] | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[bytes] = []

    async def listen(reader: StreamReader, writer: StreamWriter) -> None:
        heard.append(await reader.read(1))

    async with Server(listen) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        with caplog.at_level(logging.INFO, "keepline"), pytest.raises(keepline.Unavailable) as gave_up:
            await keepline.connect(
                "plc-7.example:502",
                proxy=url,
                proxy_credentials=function,
                credentials_within=0.2,
                connect_within=1,
            )
        assert gave_up.value.cause == Cause.PROXY_CREDENTIALS
        assert type(gave_up.value.__cause__) is (raised or type(None))
        await waiting.until(lambda: proxy.open_connections == 0)
        assert set(heard) <= {b""}
    assert "hunter" not in caplog.text + str(gave_up.value)
    assert (raised is None) or f"proxy_credentials failed: {raised.__name__}" in caplog.text


async def test_credentials_of_two_sources_no_function_and_no_proxy_are_told() -> None:
    def log_in(request: CredentialRequest) -> tuple[str, str]:
        return "robot", "s3cret"

    with pytest.raises(keepline.InvalidConfig) as both:
        keepline.start("plc-7.example:502", proxy="socks5://robot:hunter2@p:1080", proxy_credentials=log_in)
    assert both.value.field == "proxy_credentials" and "hunter2" not in str(both.value)
    with pytest.raises(keepline.InvalidConfig) as neither:
        keepline.start("a:1", proxy="socks5://p:1080", proxy_credentials="s3cret")  # type: ignore[arg-type]
    assert neither.value.field == "proxy_credentials" and "s3cret" not in str(neither.value)
    client = keepline.start("127.0.0.1:1", proxy_credentials=log_in)
    assert [notice.text for notice in client.notices if notice.field == "proxy_credentials"] == [
        "has no effect: there is no proxy"
    ]
    await client.close()
