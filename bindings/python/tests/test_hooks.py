"""Hooks in asyncio: who greets, who gives credentials, who finds addresses, and what becomes of what they raise."""

import asyncio
import contextvars
import gc
import logging
import socket
import weakref
from collections.abc import Awaitable

import pytest

import keepline
import waiting
from keepline import AuthRefused, Backoff, Cause, Correlation, CredentialRequest, Framing, GreetingIo, RetryLater, State
from keepline import Matcher, Script, events
from servers import Gate, Server, free_port, redis_process

LINES = Framing.lines()
QUICK = Backoff(first_spread=0.05, initial=0.05, max=0.2)
SECRET = b"s3cr3t"


async def login(io: GreetingIo) -> None:
    """Greets a `Gate`."""
    io.send(b"login " + await io.credentials())
    answer = await io.recv()
    if answer.startswith(b"no"):
        raise AuthRefused(answer.decode())


async def test_hook_has_the_connection_to_itself_and_what_it_leaves_unread_goes_on_in_order() -> None:
    gate = Gate()
    async with Server(gate) as server:
        greeted: list[GreetingIo] = []

        async def hook(io: GreetingIo) -> None:
            greeted.append(io)
            assert (io.epoch, io.endpoint) == (len(greeted), f"127.0.0.1:{server.port}")
            with pytest.raises(keepline.Timeout):
                await io.recv(timeout=0.01)
            await login(io)

        client = keepline.start(server.address, framing=LINES, on_connect=hook, credentials=SECRET, while_down="queue")
        await client.send(b"accepted before")
        assert [await payload(client) for _ in range(3)] == [b"news 1", b"news 2", b"accepted before"]
        client.reconnect()
        assert await payload(client) == b"news 1"
        assert gate.lines == [b"login s3cr3t", b"accepted before", b"login s3cr3t"]
        assert len(greeted) == 2
        for io in greeted:
            for use in (lambda io=io: io.send(b"late"), io.recv, io.credentials):
                with pytest.raises(keepline.Closed, match="over"):
                    used = use()
                    if used is not None:
                        await used
        await client.close()


async def test_redis_is_greeted_with_hello_auth_and_a_name() -> None:
    async with redis_process() as redis:
        reader, writer = await asyncio.open_connection(*redis.address)
        writer.write(b"ACL SETUSER worker on >s3cr3t ~* &* +@all\r\n")
        assert await reader.readline() == b"+OK\r\n"
        writer.close()

        async def hello(io: GreetingIo) -> None:
            io.send(b"HELLO 3 AUTH worker " + await io.credentials() + b" SETNAME keepline\r\n")
            answer = await io.recv()
            if answer.startswith(b"-WRONGPASS"):
                raise AuthRefused(answer.decode())
            assert answer.startswith(b"%")

        async with keepline.connect(
            redis.address, framing=Framing.resp(), on_connect=hello, credentials=SECRET, backoff=QUICK
        ) as client:
            for _round in range(2):
                await client.send(b"ACL WHOAMI\r\n")
                await client.send(b"CLIENT GETNAME\r\n")
                assert await payload(client) == b"$6\r\nworker\r\n"
                assert await payload(client) == b"$8\r\nkeepline\r\n"
                lost = (await waiting.event(client, events.Connected)).seq
                client.reconnect()
                await waiting.event(client, events.Connected, after=lost)
        with pytest.raises(keepline.Exhausted) as gave_up:
            await keepline.connect(
                redis.address, framing=Framing.resp(), on_connect=hello, credentials=b"wrong", auth_attempts=1
            )
        assert gave_up.value.cause == Cause.GREETING_AUTH
        assert isinstance(gave_up.value.__cause__, AuthRefused)


@pytest.mark.parametrize(
    ("raised", "cause", "at_least"),
    [
        (AuthRefused("wrong password"), Cause.GREETING_AUTH, 10),
        (RetryLater(9), Cause.GREETING_REJECTED, 9),
        (ValueError("what a \x07 surprise \ud800"), Cause.GREETING_REJECTED, 0),
        (asyncio.CancelledError(), Cause.GREETING_REJECTED, 0),
    ],
)
async def test_what_a_hook_raises_is_the_cause_of_the_failed_attempt(
    raised: BaseException, cause: Cause, at_least: float, echo_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async def hook(io: GreetingIo) -> None:
        raise raised

    with caplog.at_level(logging.INFO, "keepline"):
        client = keepline.start(echo_server.address, framing=LINES, on_connect=hook)
        lost = await waiting.event(client, events.Disconnected)
        assert lost.cause is cause
        assert lost.retry_in is not None and lost.retry_in >= at_least
        await client.close()
    told = [record for record in caplog.records if record.name == "keepline.hooks"]
    assert len(told) >= 1 or isinstance(raised, asyncio.CancelledError)


async def test_attempt_that_failed_by_its_hook_is_followed_by_one_that_may_succeed(echo_server: Server) -> None:
    calls = 0

    async def hook(io: GreetingIo) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise RuntimeError("not yet")

    async with keepline.connect(echo_server.address, framing=LINES, backoff=QUICK, on_connect=hook) as client:
        assert client.epoch == calls == 3


async def test_connect_tells_the_exception_of_the_hook_that_kept_it_from_connecting(echo_server: Server) -> None:
    problem = RuntimeError("no such user")

    async def hook(io: GreetingIo) -> None:
        raise problem

    with pytest.raises(keepline.Unavailable) as raised:
        await keepline.connect(echo_server.address, framing=LINES, on_connect=hook, connect_within=0.5)
    assert raised.value.cause == Cause.GREETING_REJECTED
    assert raised.value.__cause__ is problem


async def test_hook_that_outlasts_its_deadline_is_cancelled_and_so_is_one_whose_peer_leaves(
    echo_server: Server,
) -> None:
    begun: list[int] = []
    ended: list[str] = []

    async def hook(io: GreetingIo) -> None:
        begun.append(io.epoch)
        try:
            await asyncio.sleep(60) if io.epoch == 1 else await io.recv()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    client = keepline.start(
        echo_server.address, framing=LINES, backoff=QUICK, on_connect=hook, connect_per_address=0.5, connect_total=1
    )
    assert (await waiting.event(client, events.Disconnected)).cause is Cause.GREETING_TIMEOUT
    await waiting.until(lambda: len(begun) >= 2 and echo_server.open_connections == 1)
    await echo_server.stop()
    await waiting.until(lambda: len(ended) == len(begun))
    await client.close()


async def test_request_inside_the_hook_is_rejected_and_right_after_it_is_answered() -> None:
    async with Server(Gate()) as server:
        kinds: list[str] = []
        late: list[asyncio.Task[bytes]] = []

        async def hook(io: GreetingIo) -> None:
            async def ask() -> bytes:
                return await client.request(b"question", 5)

            for attempt in (ask(), asyncio.create_task(ask())):
                with pytest.raises(keepline.Rejected) as rejected:
                    await attempt
                kinds.append(rejected.value.kind)
            await login(io)
            for _ in range(2):
                await io.recv()

            async def later() -> bytes:
                # A task of the hook that outlives it is not inside any more.
                await waiting.state(client, State.CONNECTED)
                return await ask()

            late.append(asyncio.create_task(later()))

        client = keepline.start(
            server.address, framing=LINES, correlation=Correlation.fifo(), on_connect=hook, credentials=SECRET
        )
        await waiting.state(client, State.CONNECTED)
        assert kinds == ["rejected", "rejected"]
        assert await client.request(b"hello", 5) == b"hello"
        assert await late[0] == b"question"
        await client.close()


async def test_hook_sees_the_context_variables_of_whoever_made_the_client(echo_server: Server) -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")
    seen: list[str] = []

    async def hook(io: GreetingIo) -> None:
        seen.append(who.get())
        who.set("the hook")

    who.set("the maker")
    async with keepline.connect(echo_server.address, on_connect=hook) as client:
        who.set("somebody else")
        client.reconnect()
        await waiting.until(lambda: len(seen) == 2)
    assert seen == ["the maker", "the maker"]


# Credentials ---------------------------------------------------------------------------------------------------------


async def test_provider_is_asked_once_for_each_attempt_and_may_be_plain_or_async() -> None:
    asked: list[CredentialRequest] = []

    def plain(request: CredentialRequest) -> bytes:
        asked.append(request)
        return SECRET

    async def waits(request: CredentialRequest) -> bytearray:
        await asyncio.sleep(0.01)
        return bytearray(plain(request))

    script = Script().refused(Matcher.prefix(b"no")).send_credentials(b"login ").expect(b"welcome")
    for provider in (plain, waits):
        asked.clear()
        gate = Gate()
        async with Server(gate) as server:
            async with keepline.connect(server.address, framing=LINES, greeting=script, credentials=provider) as client:
                client.reconnect()
                await waiting.until(lambda: client.epoch == 2 and client.state is State.CONNECTED)
            assert asked == [CredentialRequest(epoch, f"127.0.0.1:{server.port}", 0) for epoch in (1, 2)]
            assert gate.lines == [b"login s3cr3t"] * 2
            config = keepline.Config(greeting=script, credentials=provider, framing=LINES)
            assert config.resolve().config.credentials is provider


async def test_refused_credentials_are_asked_for_anew_and_the_second_refusal_closes() -> None:
    async with Server(Gate(b"fresh")) as server:
        refusals: list[int] = []

        def provider(request: CredentialRequest) -> bytes:
            refusals.append(request.refusals)
            return b"stale"

        client = keepline.start(server.address, framing=LINES, on_connect=login, credentials=provider)
        lost = await waiting.event(client, events.Disconnected)
        assert lost.cause is Cause.GREETING_AUTH
        client.reconnect()
        async with asyncio.timeout(10):
            assert (await client.closed()).cause is Cause.GREETING_AUTH
        assert refusals == [0, 1]


@pytest.mark.parametrize("failing", ["raises", "wrong type", "late", "refused by itself"])
async def test_provider_that_fails_or_is_late_is_a_failed_attempt_of_its_own_kind(
    failing: str, echo_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async def provider(request: CredentialRequest) -> bytes:
        match failing:
            case "raises":
                raise OSError("the vault is sealed, and hunter2 does not open it")
            case "wrong type":
                return "hunter2"  # type: ignore[return-value]
            case "late":
                await asyncio.sleep(60)
        raise AuthRefused("hunter2 is expired")

    client = keepline.start(
        echo_server.address, framing=LINES, on_connect=login, credentials=provider, credentials_within=0.3
    )
    with caplog.at_level(logging.INFO, "keepline"):
        lost = await waiting.event(client, events.Disconnected)
    assert lost.cause is Cause.GREETING_CREDENTIALS
    assert lost.retry_in is not None and lost.retry_in >= 10
    assert "hunter2" not in caplog.text and "hunter2" not in repr(lost)
    await client.close()


async def test_hook_without_credentials_ends_as_such(echo_server: Server) -> None:
    client = keepline.start(echo_server.address, framing=LINES, on_connect=login)
    assert (await waiting.event(client, events.Disconnected)).cause is Cause.GREETING_CREDENTIALS
    await client.close()


# Names ---------------------------------------------------------------------------------------------------------------


async def test_resolver_is_asked_for_the_name_and_its_errors_are_those_of_names(echo_server: Server) -> None:
    answers: list[object] = [
        socket.gaierror(socket.EAI_NONAME, "unknown"),
        TimeoutError("slow"),
        RuntimeError("broken"),
        ["not an address"],
        [("127.0.0.1", free_port()), "127.0.0.1"],
    ]
    asked: list[tuple[str, int]] = []

    async def resolve(host: str, port: int) -> list[object]:
        asked.append((host, port))
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, list)
        return answer

    address = f"machine.plant:{echo_server.port}"
    async with keepline.connect(address, backoff=Backoff(first_spread=0.05, initial=0.05, max=0.1), resolver=resolve) as client:
        told = []
        async for event in client.events():
            if isinstance(event, events.Connected):
                break
            if isinstance(event, events.Disconnected):
                told.append(event.cause)
    assert told == [Cause.DNS_NOT_FOUND, Cause.DNS_TIMEOUT, Cause.DNS_TEMPORARY, Cause.DNS_TEMPORARY]
    assert asked == [("machine.plant", echo_server.port)] * 5


# Ends ----------------------------------------------------------------------------------------------------------------


async def test_client_closed_aborted_or_cancelled_in_the_middle_of_a_hook_ends_the_hook(echo_server: Server) -> None:
    for way in ("close", "abort", "cancelled connect", "dropped"):
        begun, ended = asyncio.Event(), asyncio.Event()

        async def hook(io: GreetingIo, begun: asyncio.Event = begun, ended: asyncio.Event = ended) -> None:
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

        if way == "cancelled connect":
            connecting = asyncio.ensure_future(as_coroutine(keepline.connect(echo_server.address, on_connect=hook)))
            await begun.wait()
            connecting.cancel()
        else:
            client = keepline.start(echo_server.address, on_connect=hook)
            await begun.wait()
            match way:
                case "close":
                    twice = await asyncio.gather(client.close(), client.close())
                    assert twice[0] == twice[1] == await client.close()
                case "abort":
                    client.abort()
                case _:
                    del client
        async with asyncio.timeout(5):
            await ended.wait()
        await waiting.until(lambda: echo_server.open_connections == 0)


async def test_hook_that_holds_its_client_does_not_keep_it_alive(echo_server: Server) -> None:
    class Service:
        def __init__(self) -> None:
            self.told: list[str] = []
            self.client = keepline.start(echo_server.address, on_connect=self.greet, on_event=self.note)

        async def greet(self, io: GreetingIo) -> None:
            self.told.append("greeted")

        def note(self, event: keepline.Event) -> None:
            self.told.append(event.name)

    service = Service()
    # A hook is asked beside the events.
    await waiting.until(lambda: sorted(service.told) == ["connected", "connecting", "greeted"])
    gone = weakref.ref(service)
    del service
    await waiting.until(lambda: gc.collect() >= 0 and gone() is None)
    await waiting.until(lambda: echo_server.open_connections == 0)


def test_hooks_that_cannot_be_called_and_contradictions_are_refused() -> None:
    for options in ({"on_connect": 5}, {"on_event": "x"}, {"resolver": b""}):
        with pytest.raises(keepline.InvalidConfig) as refused:
            keepline.connect("127.0.0.1:1", **options)
        assert refused.value.field == next(iter(options))

    async def both() -> None:
        with pytest.raises(keepline.InvalidConfig) as refused:
            keepline.start("127.0.0.1:1", greeting=Script().send(b"x"), on_connect=login, framing=LINES)
        assert refused.value.field == "greeting"
        with pytest.raises(keepline.InvalidConfig):
            RetryLater(-1)

    asyncio.run(both())


async def payload(client: keepline.Client) -> bytes:
    message = await client.recv(timeout=10)
    assert message is not None
    return message.payload


async def as_coroutine(awaited: Awaitable[keepline.Client]) -> keepline.Client:
    return await awaited
