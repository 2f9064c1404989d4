"""Why a client does, or did, not connect: its way examined stage by stage."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self, Unpack

from keepline import _core
from keepline._config import Config, ConfigOptions, declared
from keepline._endpoint import Address, endpoint
from keepline._errors import invalid
from keepline._loop import LoopBridge
from keepline._names import Cause, Finding, StageName
from keepline._values import Duration, millis


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that was seen."""

    name: str
    """What it is about."""
    value: str
    """What was seen; escaped and cut to 256 characters where the peer or the system chose the words."""

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage that was examined."""

    name: StageName
    """Which one."""
    finding: Finding
    """What it came to."""
    cause: Cause | None
    """Why, as a client would tell it; ``None`` where all is well."""
    took: float
    """How long it took, in seconds."""
    facts: tuple[Fact, ...]
    """What was seen."""

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """Reads the flat record of the border."""
        return cls(
            name=StageName(record["name"]),
            finding=Finding(record["finding"]),
            cause=_cause(record),
            took=record["took_us"] / 1_000_000,
            facts=tuple(Fact(**fact) for fact in record["facts"]),
        )


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What an examination found. ``str(diagnosis)`` is the verdict."""

    endpoint: str
    """The endpoint as it was given."""
    healthy: bool
    """Whether the way is open to its end. There may be warnings."""
    failed: StageName | None
    """The stage where the way ends, if it does."""
    cause: Cause | None
    """Why it ends there."""
    verdict: str
    """Where it ends, why, and what to look at next, for people."""
    stages: tuple[Stage, ...]
    """The stages that were reached, in their order. The first that failed is the last."""

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """Reads the flat record of the border."""
        failed = record["failed"]
        return cls(
            endpoint=record["endpoint"],
            healthy=record["healthy"],
            failed=None if failed is None else StageName(failed),
            cause=_cause(record),
            verdict=record["verdict"],
            stages=tuple(map(Stage.of, record["stages"])),
        )

    def stage(self, name: StageName) -> Stage | None:
        """Returns the stage, if it was reached."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def __str__(self) -> str:
        return self.verdict


async def doctor(
    address: Address,
    *,
    patience: Duration | None = None,
    path_mtu: bool = False,
    idle: Iterable[Duration] = (),
    config: Config | None = None,
    **options: Unpack[ConfigOptions],
) -> Diagnosis:
    """Examines the way of the client that `connect` would make with the same options, and says where it ends.

    It makes connections of its own, ends them, and changes nothing. It lasts a few round trips where all is well, and
    at most a few times ``patience``, plus the silences that were asked for. A way that ends is no exception: the
    diagnosis tells it.

    Cancelling ends the examination and its connections.

        diagnosis = await keepline.doctor("plc-7.example:502", framing=keepline.Framing.modbus_tcp())
        print(diagnosis.failed, diagnosis)

    Args:
        address: ``"host:port"``, ``"[v6]:port"`` or ``(host, port)``.
        patience: how long each stage waits for somebody else, in seconds; 8 s unless given, at most an hour.
        path_mtu: whether full-size packets arrive, too: sends the declared heartbeat many times in one go.
        idle: silences, in seconds, that a connection should survive, 1 s to 32,767 s each. They are tried from the
            shortest on, each on a connection of its own, until one does not survive.
        config: a whole configuration, over which single options are put.
        **options: the fields of `Config`; durations are seconds or a `timedelta`. Above all the heartbeat: without one
            the server is only watched.

    Raises:
        InvalidConfig: names the field, the value and the rule.
    """
    bridge = LoopBridge.running()
    arguments = examination(address, Config.of(config, options), patience, path_mtu, idle)
    return Diagnosis.of(await bridge.finish(_core.doctor(bridge.operations, *arguments)))


def examination(
    address: Address, config: Config, patience: Duration | None, path_mtu: bool, idle: Iterable[Duration]
) -> tuple[str, dict[str, Any], int | None, bool, list[int]]:
    """Makes what the core is asked, but for the operations it waits in."""
    if not isinstance(path_mtu, bool):
        raise invalid("path_mtu", repr(path_mtu), "must be True or False")
    if isinstance(idle, str) or not isinstance(idle, Iterable):
        raise invalid("idle", repr(idle), "must be a list of durations")
    return endpoint(address), declared(config), millis("patience", patience), path_mtu, list(map(_silence, idle))


def _silence(given: Duration) -> int:
    silence = millis("idle", given)
    if silence is None:
        raise invalid("idle", None, "must be a duration")
    return silence


def _cause(record: dict[str, Any]) -> Cause | None:
    cause = record["cause"]
    return None if cause is None else Cause(cause)
