"""The declared parts of a protocol: framing, matchers, correlation, greeting, automatic answers."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from keepline._errors import invalid
from keepline._names import EndianName
from keepline._values import Duration, count, data, name, wait_millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """How bytes become messages. Made by its class methods; sizes that are not given are the core's.

        keepline.Framing.length_prefixed(4, endian="little", max=65536)
    """

    kind: str
    max: int | None = None
    delimiter: bytes | None = None
    width: int | None = None
    endian: EndianName | None = None
    offset: int | None = None
    adjustment: int | None = None
    strip: bool | None = None
    size: int | None = None

    @classmethod
    def raw(cls) -> Self:
        """Bytes as they come: what one read brings is one message."""
        return cls(kind="raw")

    @classmethod
    def lines(cls, max: int | None = None) -> Self:
        """Lines that end with a line feed, or with carriage return and line feed; the message is without either."""
        return cls(kind="lines", max=max)

    @classmethod
    def delimited_by(cls, delimiter: bytes, max: int | None = None) -> Self:
        """Messages that end with these bytes; the message is without them."""
        return cls(kind="delimiter", delimiter=delimiter, max=max)

    @classmethod
    def length_prefixed(
        cls,
        width: int,
        *,
        endian: EndianName | None = None,
        offset: int | None = None,
        adjustment: int | None = None,
        strip: bool | None = None,
        max: int | None = None,
    ) -> Self:
        """Messages that start with their length.

        Args:
            width: bytes of the length field: 1, 2, 4 or 8.
            endian: its byte order; big unless given.
            offset: bytes before it. With any, the message is the whole frame.
            adjustment: added to the field's value to give the number of bytes after it.
            strip: whether the message is without the length field; true unless given.
            max: the longest message in bytes.
        """
        return cls(
            kind="length_prefixed",
            width=width,
            endian=endian,
            offset=offset,
            adjustment=adjustment,
            strip=strip,
            max=max,
        )

    @classmethod
    def fixed(cls, size: int) -> Self:
        """Messages of ``size`` bytes each."""
        return cls(kind="fixed", size=size)

    @classmethod
    def modbus_tcp(cls) -> Self:
        """Modbus TCP: the message is the whole unit, its header of 7 bytes included."""
        return cls(kind="modbus_tcp")

    @classmethod
    def resp(cls, max: int | None = None) -> Self:
        """Redis: the message is one whole value as it stands on the wire."""
        return cls(kind="resp", max=max)

    def __repr__(self) -> str:
        given = ", ".join(f"{field}={value!r}" for field, value in asdict(self).items() if value is not None)
        return f"Framing({given})"

    def record(self) -> dict[str, Any]:
        """The flat record of the border."""
        record: dict[str, Any] = {"kind": name("framing.kind", self.kind)}
        if self.delimiter is not None:
            record["delimiter"] = data("framing.delimiter", self.delimiter)
        for field in ("max", "width", "offset", "size"):
            value = getattr(self, field)
            if value is not None:
                record[field] = count(f"framing.{field}", value)
        if self.adjustment is not None:
            record["adjustment"] = _signed("framing.adjustment", self.adjustment)
        if self.endian is not None:
            record["endian"] = name("framing.endian", self.endian)
        if self.strip is not None:
            record["strip"] = bool(self.strip)
        return record

    @classmethod
    def read(cls, record: dict[str, Any]) -> Self:
        """Reads the flat record of the border."""
        record = dict(record)
        if "delimiter" in record:
            record["delimiter"] = bytes(record["delimiter"])
        return cls(**record)


@dataclass(frozen=True, slots=True)
class Matcher:
    """Which frame is the one that is waited for. Made by its class methods."""

    kind: str
    frame: bytes | None = None

    @classmethod
    def any(cls) -> Self:
        """Any bytes at all. Consumes nothing."""
        return cls("any")

    @classmethod
    def exact(cls, frame: bytes) -> Self:
        """A frame equal to these bytes."""
        return cls("exact", frame)

    @classmethod
    def prefix(cls, start: bytes) -> Self:
        """A frame that starts with these bytes."""
        return cls("prefix", start)

    @classmethod
    def none(cls) -> Self:
        """No reply is expected. Consumes nothing."""
        return cls("none")

    @classmethod
    def of(cls, field: str, value: object) -> "Matcher":
        """Takes a matcher, or bytes that mean exactly these."""
        if isinstance(value, Matcher):
            return value
        return cls.exact(data(field, value))

    def record(self) -> dict[str, Any]:
        """The flat record of the border."""
        if self.frame is None:
            return {"kind": self.kind}
        return {"kind": self.kind, "bytes": data("matcher", self.frame)}

    @classmethod
    def read(cls, record: dict[str, Any]) -> Self:
        """Reads the flat record of the border."""
        content = record.get("bytes")
        return cls(record["kind"], None if content is None else bytes(content))

    def __repr__(self) -> str:
        # The bytes may be a password: only their number is shown.
        return f"Matcher.{self.kind}({'' if self.frame is None else f'{len(self.frame)} bytes'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """How replies find their requests. Made by its class methods."""

    kind: str
    offset: int | None = None
    width: int | None = None
    endian: EndianName | None = None

    @classmethod
    def fifo(cls) -> Self:
        """Replies come in the order of the requests."""
        return cls(kind="fifo")

    @classmethod
    def id(cls, offset: int, width: int, endian: EndianName | None = None) -> Self:
        """Replies carry the id of their request: ``width`` bytes at ``offset``. Keepline writes the ids and restores yours.

        Big-endian unless given.
        """
        return cls(kind="id", offset=offset, width=width, endian=endian)

    def record(self) -> dict[str, Any]:
        """The flat record of the border."""
        record: dict[str, Any] = {"kind": self.kind}
        for field in ("offset", "width"):
            value = getattr(self, field)
            if value is not None:
                record[field] = count(f"correlation.{field}", value)
        if self.endian is not None:
            record["endian"] = name("correlation.endian", self.endian)
        return record

    @classmethod
    def read(cls, record: dict[str, Any]) -> Self:
        """Reads the flat record of the border."""
        return cls(**record)


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """A frame that asks the client to come back later, and the time that it names."""

    when: Matcher | bytes
    """The frame that asks. Bytes mean exactly these."""
    otherwise: Duration
    """The time if the frame names none: seconds or a `timedelta`."""
    marker: bytes | None = None
    """The bytes after which the frame names whole seconds in decimal digits."""

    def record(self) -> dict[str, Any]:
        """The flat record of the border."""
        return {
            "when": Matcher.of("retry_after", self.when).record(),
            "marker": None if self.marker is None else data("retry_after", self.marker),
            "otherwise_ms": wait_millis("retry_after", self.otherwise),
        }

    @classmethod
    def read(cls, record: dict[str, Any]) -> Self:
        """Reads the flat record of the border."""
        marker = record["marker"]
        return cls(
            Matcher.read(record["when"]), record["otherwise_ms"] / 1000, None if marker is None else bytes(marker)
        )


Step = (
    tuple[Literal["send"], bytes]
    | tuple[Literal["send_credentials"], tuple[bytes, bytes]]
    | tuple[Literal["expect", "refused"], Matcher]
    | tuple[Literal["retry_after"], RetryAfter]
)
"""One step of a `Script`."""


@dataclass(frozen=True, slots=True)
class Script:
    """A greeting as sends and expected replies; it must succeed before a connection counts as connected.

        Script().refused(Matcher.prefix(b"-WRONGPASS")).send_credentials(b"AUTH ", b"\\r\\n").expect(b"+OK\\r\\n")
    """

    steps: tuple[Step, ...] = ()
    """The sends and expected replies, in order."""

    def send(self, message: bytes) -> Self:
        """Adds a message to send, in the client's framing."""
        return replace(self, steps=(*self.steps, ("send", data("greeting", message))))

    def send_credentials(self, prefix: bytes = b"", suffix: bytes = b"") -> Self:
        """Adds a message made of the credentials, with these bytes around them."""
        around = (data("greeting", prefix), data("greeting", suffix))
        return replace(self, steps=(*self.steps, ("send_credentials", around)))

    def expect(self, frame: Matcher | bytes) -> Self:
        """Adds a frame to expect. Bytes mean exactly these."""
        return replace(self, steps=(*self.steps, ("expect", Matcher.of("greeting", frame))))

    def refused(self, frame: Matcher | bytes) -> Self:
        """Declares how the server refuses the credentials, for each frame that is expected after this."""
        return replace(self, steps=(*self.steps, ("refused", Matcher.of("greeting", frame))))

    def retry_after(self, retry_after: RetryAfter) -> Self:
        """Declares how the server asks the client to come back later, for each frame that is expected after this."""
        return replace(self, steps=(*self.steps, ("retry_after", retry_after)))

    def record(self) -> list[dict[str, Any]]:
        """The flat records of the border."""
        return [_step_record(step) for step in self.steps]

    @classmethod
    def read(cls, records: list[dict[str, Any]]) -> Self:
        """Reads the flat records of the border."""
        return cls(tuple(_read_step(record) for record in records))

    def __repr__(self) -> str:
        return f"Script(){''.join(_shown_step(step) for step in self.steps)}"


@dataclass(frozen=True, slots=True)
class AutoReply:
    """A frame of the server that is answered without asking you, such as its own ping."""

    when: Matcher | bytes
    """The frame that is answered; it is consumed. Bytes mean exactly these."""
    reply: bytes
    """The answer, in the client's framing."""

    def record(self) -> dict[str, Any]:
        """The flat record of the border."""
        return {"when": Matcher.of("auto_replies", self.when).record(), "reply": data("auto_replies", self.reply)}

    @classmethod
    def read(cls, record: dict[str, Any]) -> Self:
        """Reads the flat record of the border."""
        return cls(Matcher.read(record["when"]), bytes(record["reply"]))

    def __repr__(self) -> str:
        # The bytes may be a secret: only their number is shown.
        return f"AutoReply(when={Matcher.of('auto_replies', self.when)!r}, reply={len(self.reply)} bytes)"


def _step_record(step: Step) -> dict[str, Any]:
    match step:
        case ("send", message):
            return {"kind": "send", "bytes": message}
        case ("send_credentials", (prefix, suffix)):
            return {"kind": "send_credentials", "prefix": prefix, "suffix": suffix}
        case ("retry_after", retry_after):
            return {"kind": "retry_after", "when": retry_after.record()}
        case (kind, matcher):
            return {"kind": kind, "matcher": matcher.record()}


def _read_step(record: dict[str, Any]) -> Step:
    match record["kind"]:
        case "send":
            return "send", bytes(record["bytes"])
        case "send_credentials":
            return "send_credentials", (bytes(record["prefix"]), bytes(record["suffix"]))
        case "retry_after":
            return "retry_after", RetryAfter.read(record["when"])
        case "refused":
            return "refused", Matcher.read(record["matcher"])
        case _:
            return "expect", Matcher.read(record["matcher"])


def _shown_step(step: Step) -> str:
    # The bytes may be a password: only their number is shown.
    match step:
        case ("send", message):
            return f".send({len(message)} bytes)"
        case ("send_credentials", (prefix, suffix)):
            return f".send_credentials({len(prefix)} bytes, {len(suffix)} bytes)"
        case (kind, other):
            return f".{kind}({other!r})"


def _signed(field: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(field, repr(value), "must be a whole number")
    # Beyond this the core refuses it anyway: no frame is so long.
    return max(-(2**62), min(value, 2**62))
