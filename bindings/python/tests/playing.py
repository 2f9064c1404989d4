"""Plays one scenario of the contract: a client and a chaos program of its own, and step after step."""

import asyncio
import gc
import os
from collections.abc import Callable
from pathlib import Path

import keepline
from keepline import NetworkPath, events
from playing_options import Throwing

ROOT = Path(__file__).parents[3]
"""The repository."""

SOON = 15.0
"""Seconds for whatever a step waits for: a slow machine, not a hanging client."""

Told = list[str]
"""What came of an action, as words."""


class Chaos:
    """One run of `keepline-chaos`; it ends with this, and everything it started with it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process, self._commands, self._answers = process, process.stdin, process.stdout

    @classmethod
    async def start(cls) -> "Chaos":
        built = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "keepline-chaos"
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(built, stdin=pipe, stdout=pipe))

    async def tell(self, command: str) -> str:
        """Runs one command and returns the words after ``ok``."""
        self._commands.write(f"{command}\n".encode())
        answer = (await self._answers.readline()).decode().strip()
        assert answer.split(" ")[0] == "ok", f"{command}: {answer or 'keepline-chaos has ended'}"
        return answer.removeprefix("ok").strip()

    async def end(self) -> None:
        self._commands.close()
        async with asyncio.timeout(SOON):
            await self._answers.read()
            await self._process.wait()


class Player:
    """The actors of one scenario."""

    def __init__(self, chaos: Chaos, config: keepline.Config, throwing: Throwing) -> None:
        self._chaos = chaos
        self._config = config
        self._throwing = throwing
        self._client: keepline.Client | None = None
        self._events: keepline.Events | None = None
        self._receipts: dict[str, keepline.Receipt] = {}
        self._begun: dict[str, asyncio.Task[Told]] = {}

    async def step(self, step: str) -> None:
        """Plays a step, and compares what came of it with what is expected."""
        if step.startswith("repeat "):
            head, _, body = step.partition(":")
            for _ in range(int(head.split()[1])):
                for inner in body.split(";"):
                    await self.step(inner.strip())
            return
        action, _, expected = step.partition("->")
        words, wanted = action.split(), expected.split()
        if words[0] == "event":
            await self._event(words[1:], wanted)
            return
        try:
            told = await self._act(words)
        except keepline.KeeplineError as error:
            told = of_error(error)
        assert is_met(wanted, told), f"came to {told}"

    async def end(self) -> None:
        for task in self._begun.values():
            task.cancel()
        if self._client is not None:
            self._client.abort()
        await self._chaos.end()

    async def _act(self, action: list[str]) -> Told:
        match action:
            case ["chaos", *command]:
                return (await self._chaos.tell(" ".join(command))).split()
            case ["connect", endpoint]:
                self._take(await self._connecting(await self._address(endpoint)))
            case ["start", endpoint]:
                address = await self._address(endpoint)
                self._take(keepline.start(address, config=self._config, **self._throwing.hooks))
            case ["begin", name, "connect", endpoint]:
                connecting = self._connecting(await self._address(endpoint))
                self._begun[name] = asyncio.create_task(connected(connecting))
            case ["begin", name, *later]:
                self._begun[name] = asyncio.create_task(waited(self._living(), later))
                await asyncio.sleep(0)
            case ["cancel", name]:
                task = self._begun.pop(name)
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled(), "it was not cancelled"
            case ["end", name]:
                return await asyncio.wait_for(self._begun.pop(name), SOON)
            case ["track", name, text, *rest]:
                client = self._living()
                tracked = client.send_tracked(payload(text), SOON, idempotent="idempotent" in rest)
                self._receipts[name] = await tracked
            case ["outcome", name]:
                return [await asyncio.wait_for(self._receipts[name].outcome(), SOON)]
            case ["try-send", text, *rest]:
                self._living().try_send(payload(text), idempotent="idempotent" in rest)
            case ["state", wanted]:
                await self._until(lambda client: client.state == wanted)
            case ["read", count]:
                await self._until(lambda client: client.stats().bytes_in >= int(count))
            case ["count", field]:
                return [str(getattr(self._living().stats().messages, field))]
            case ["network", "unknown"]:
                self._living().network_changed(None)
            case ["network", identity, *rest]:
                self._living().network_changed(NetworkPath(int(identity), available="lost" not in rest))
            case ["pause"]:
                self._living().pause()
            case ["resume"]:
                self._living().resume()
            case ["background"]:
                self._living().enter_background()
            case ["foreground"]:
                self._living().enter_foreground()
            case ["called-back", name]:
                await self._until(lambda _: name in self._throwing.told)
            case ["reconnect"]:
                self._living().reconnect()
            case ["abort"]:
                self._living().abort()
            case ["go-away", millis]:
                self._living().go_away(int(millis) / 1000)
            case ["drop"]:
                self._client = None
                gc.collect()
            case waiting:
                return await waited(self._living(), waiting)
        return ["done"]

    async def _event(self, action: list[str], wanted: list[str]) -> None:
        """The next event must be the expected one; those named after ``past`` may come before it."""
        past = action[1].split(",") if action else []
        assert self._events is not None, "there is no client"
        while True:
            async with asyncio.timeout(SOON):
                event = await anext(self._events, None)
            told = ["none"] if event is None else of_event(event)
            if is_met(wanted, told):
                return
            assert told[0] in past, f"came to {told}"

    async def _until(self, reached: Callable[[keepline.Client], bool]) -> None:
        async with asyncio.timeout(SOON):
            while not reached(self._living()):
                await asyncio.sleep(0.002)

    async def _address(self, name: str) -> str:
        return await self._chaos.tell(f"address {name}")

    def _connecting(self, address: str) -> keepline.Connecting:
        return keepline.connect(address, config=self._config, **self._throwing.hooks)

    def _take(self, client: keepline.Client) -> None:
        self._client, self._events = client, client.events()

    def _living(self) -> keepline.Client:
        assert self._client is not None, "there is no client"
        return self._client


async def waited(client: keepline.Client, action: list[str]) -> Told:
    """What waits, and so can be begun and cancelled."""

    def limit(words: list[str]) -> float:
        return int(words[0]) / 1000 if words else SOON

    try:
        match action:
            case ["send", text, *rest]:
                within = limit(rest[rest.index("within") + 1 :]) if "within" in rest else SOON
                await client.send(payload(text), within, idempotent="idempotent" in rest)
            case ["request", text, *rest]:
                return [(await client.request(payload(text), limit(rest))).decode()]
            case ["receive", *rest]:
                message = await client.recv(limit(rest))
                return ["end"] if message is None else [message.payload.decode(), f"epoch={message.epoch}"]
            case ["close", *rest]:
                return of_ending(await client.close(limit(rest)))
            case ["closed"]:
                return of_ending(await asyncio.wait_for(client.closed(), SOON))
            case _:
                raise AssertionError("no such action")
    except keepline.KeeplineError as error:
        return of_error(error)
    return ["done"]


async def connected(connecting: keepline.Connecting) -> Told:
    """A connect that was begun: nobody holds what comes of it."""
    try:
        await connecting
    except keepline.KeeplineError as error:
        return of_error(error)
    return ["done"]


def is_met(wanted: list[str], told: Told) -> bool:
    """Every expected word was told. Where nothing is expected, an error is a failure."""
    return set(wanted) <= set(told) if wanted else not any(word.startswith("error=") for word in told)


def payload(word: str) -> bytes:
    """The word itself, or ``fill:COUNT`` for so many letters."""
    return b"x" * int(word.removeprefix("fill:")) if word.startswith("fill:") else word.encode()


def of_error(error: keepline.KeeplineError) -> Told:
    told = [f"error={error.kind}"]
    if error.cause is not None:
        told.append(f"cause={error.cause}")
    return [*told, "maybe_executed"] if error.maybe_executed else told


def of_ending(ending: keepline.Ending | events.Disconnected | events.Closed) -> Told:
    told = [f"cause={ending.cause}"]
    if ending.detector is not None:
        told.append(f"detector={ending.detector}")
    if ending.hint is not None:
        told.append(f"hint={ending.hint}")
    return told


def of_event(event: events.Event) -> Told:
    told: Told = [event.name]
    for field in ("epoch", "evidence", "count", "state", "failures"):
        if hasattr(event, field):
            told.append(f"{field}={getattr(event, field)}")
    if isinstance(event, events.Disconnected):
        told.append(f"retries={'no' if event.retry_in is None else 'yes'}")
    if isinstance(event, events.Disconnected | events.Closed):
        told += of_ending(event)
    return told
