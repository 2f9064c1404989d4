"""What a client is told: frozen records, unset by default. The core decides what is unset, once for all languages."""

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Self, TypedDict, TypeVar

from keepline import _core
from keepline._asking import CredentialsProvider
from keepline._errors import invalid
from keepline._names import (
    AddressesName,
    EndpointOrderName,
    OverflowName,
    ProfileName,
    UnsolicitedName,
    WhileDownName,
)
from keepline._parts import (
    Backoff,
    Heartbeat,
    Keepalive,
    Outbox,
    backoff_record,
    decided_heartbeat,
    decided_keepalive,
    heartbeat_record,
    keepalive_record,
    outbox_record,
    small_count,
)
from keepline._protocol import AutoReply, Correlation, Framing, Matcher, RetryAfter, Script
from keepline._records import DetectionBounds, Notice
from keepline._tls import Tls, tls_record
from keepline._values import OFF, Duration, Off, choice, count, data, millis, name, seconds

_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What is declared of a client. ``None`` means: decide for me.

    Explicit values beat ``detect_within``, which beats the profile. Durations are seconds or a `timedelta`.
    ``resolve()`` gives the same record with every value decided, and so does ``client.config``.

        config = keepline.Config(profile="industrial", framing=keepline.Framing.modbus_tcp(), detect_within=10)
        client = await keepline.connect("plc-7.example:502", config=config)
    """

    profile: ProfileName = "balanced"
    """The set of defaults."""
    detect_within: Duration | None = None
    """One number that sets the rest: the longest time until a dead peer is noticed. At least 4 s."""
    heartbeat: Heartbeat | None = None
    """Application bytes that the peer answers."""
    keepalive: Keepalive | Literal[Off.OFF] | None = None
    """Kernel probes on an idle connection."""
    user_timeout: Duration | Literal[Off.OFF] | None = None
    """``TCP_USER_TIMEOUT``: how long transmitted data may stay unacknowledged."""
    rto_max: Duration | Literal[Off.OFF] | None = None
    """``TCP_RTO_MAX_MS``: the longest pause between retransmissions."""
    read_idle: Duration | None = None
    """The longest silence of a peer that talks by itself. Off unless given."""
    connect_per_address: Duration | None = None
    """Deadline for the TCP handshake with one address."""
    connect_total: Duration | None = None
    """Deadline for a whole attempt."""
    addresses: AddressesName | None = None
    """How the addresses of one name are dialled: in a race, or one at a time."""
    address_stagger: Duration | None = None
    """How long an address has for itself before the next one is dialled beside it, 0.1 s to 2 s."""
    race_through_tls: bool = False
    """Ends the race over the addresses of a name with the first TLS handshake that succeeds, not with the first TCP one."""
    retry_tls_verdicts: bool = False
    """Goes on trying, slowly, after a verdict on TLS that ends the client otherwise, such as an unknown issuer."""
    refuse_private_addresses: bool = False
    """Refuses a name that leads to this machine or into a private network."""
    connect_within: Duration | None = None
    """How long ``connect`` waits for the first connection."""
    backoff: Backoff | None = None
    """The curve of waits between attempts."""
    stable_after: Duration | None = None
    """How long a verified connection must stay up before the backoff is reset."""
    max_attempts: int | None = None
    """Give up after this many failed attempts in a row. Never unless given."""
    while_down: WhileDownName | None = None
    """What happens to messages while there is no connection."""
    outbox: Outbox | None = None
    """How much the outbox holds."""
    overflow: OverflowName | None = None
    """What ``send`` does when the outbox is full."""
    inbox_bytes: int | None = None
    """The most bytes of received messages that wait for the user."""
    unsolicited: UnsolicitedName | None = None
    """What happens to messages that no request asked for."""
    framing: Framing | None = None
    """How bytes become messages. Raw unless given."""
    frame_within: Duration | Literal[Off.OFF] | None = None
    """How long a started frame may take to end."""
    correlation: Correlation | None = None
    """How replies find their requests."""
    push: Matcher | bytes | None = None
    """Frames that are never replies, though requests are in flight."""
    max_in_flight: int | None = None
    """The most requests in flight, late replies included."""
    greeting: Script | None = None
    """What must succeed before a connection counts as connected."""
    credentials: bytes | CredentialsProvider | None = field(default=None, repr=False)
    """What the greeting logs in with: bytes, which `Client.set_credentials` replaces later, or a function, asked each time."""
    credentials_within: Duration | None = None
    """How long such a function may take."""
    auth_attempts: int | Literal[Off.OFF] | None = None
    """Give up after the server refused the credentials so often in a row; `OFF`: never."""
    go_away: RetryAfter | None = None
    """A frame by which the server sends the client away for a time."""
    auto_replies: tuple[AutoReply, ...] = ()
    """Answers to the server's own pings."""
    stall_limit: Duration | None = None
    """How long a peer may keep its window shut."""
    concurrent_ok: bool = False
    """Allows a second connection beside a suspect one: whichever proves alive first stays."""
    governed: bool = True
    """Counts retries against the budget that the clients of a process share for one endpoint."""
    sibling_probes: bool = True
    """Asks for a sign of life when another connection from the same local address died of a silent path."""
    network_monitor: bool | None = None
    """Watches the way to the peer: a change makes the connection prove itself, without a network nothing is dialled."""
    tls: Tls | bool | None = None
    """Encrypts every connection; ``True`` with the defaults of `Tls`, as a ``tls://host:port`` does."""
    proxy: str | None = field(default=None, repr=False)
    """What every connection goes through: ``"socks5://user:password@host:port"``, ``"http://host:port"``, or ``"system"``
    for what the environment names now. Not shown by ``repr``: it may hold a password."""
    single_connection: bool | None = None
    """The peer serves one connection at a time: the old one is reset before the next is dialled."""
    endpoint_order: EndpointOrderName | None = None
    """In which order several endpoints are tried. Shuffled unless given."""
    return_to_preferred: Duration | None = None
    """How often a better endpoint is tried beside a healthy connection to a second choice. Never unless given."""
    bind_address: str | None = None
    """The local IP address to connect from."""
    bind_interface: str | None = None
    """The network interface to connect through."""

    def resolve(self) -> "Resolved":
        """Decides every value and checks it, without making a client.

        Raises:
            InvalidConfig: names the field, the value and the rule.
        """
        told = resolved(_core.resolve(declared(self)))
        return replace(told, config=replace(told.config, credentials=self.credentials))

    @classmethod
    def of(cls, config: "Config | None", options: "ConfigOptions") -> Self:
        """Takes ``config``, with single options put over it."""
        known = {known.name for known in fields(cls)}
        for option in options:
            if option not in known:
                raise TypeError(f"unknown option {option!r}")
        base = cls() if config is None else config
        if not isinstance(base, cls):
            raise invalid("config", type(config).__name__, "must be a keepline.Config")
        return replace(base, **options)


class ConfigOptions(TypedDict, total=False):
    """The fields of `Config` as keyword arguments."""

    profile: ProfileName
    detect_within: Duration | None
    heartbeat: Heartbeat | None
    keepalive: Keepalive | Literal[Off.OFF] | None
    user_timeout: Duration | Literal[Off.OFF] | None
    rto_max: Duration | Literal[Off.OFF] | None
    read_idle: Duration | None
    connect_per_address: Duration | None
    connect_total: Duration | None
    addresses: AddressesName | None
    address_stagger: Duration | None
    race_through_tls: bool
    retry_tls_verdicts: bool
    refuse_private_addresses: bool
    connect_within: Duration | None
    backoff: Backoff | None
    stable_after: Duration | None
    max_attempts: int | None
    while_down: WhileDownName | None
    outbox: Outbox | None
    overflow: OverflowName | None
    inbox_bytes: int | None
    unsolicited: UnsolicitedName | None
    framing: Framing | None
    frame_within: Duration | Literal[Off.OFF] | None
    correlation: Correlation | None
    push: Matcher | bytes | None
    max_in_flight: int | None
    greeting: Script | None
    credentials: bytes | CredentialsProvider | None
    credentials_within: Duration | None
    auth_attempts: int | Literal[Off.OFF] | None
    go_away: RetryAfter | None
    auto_replies: tuple[AutoReply, ...]
    stall_limit: Duration | None
    concurrent_ok: bool
    governed: bool
    sibling_probes: bool
    network_monitor: bool | None
    tls: Tls | bool | None
    proxy: str | None
    single_connection: bool | None
    endpoint_order: EndpointOrderName | None
    return_to_preferred: Duration | None
    bind_address: str | None
    bind_interface: str | None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a declaration comes to."""

    config: Config
    """Every value, decided."""
    notices: tuple[Notice, ...]
    """What you should know about it."""
    bounds: DetectionBounds
    """How long each fault can go unnoticed."""


def default_config(profile: ProfileName = "balanced") -> Config:
    """Returns every value of a profile.

    Raises:
        InvalidConfig: there is no such profile.
    """
    return decided(_core.default_config(str(profile)))


def declared(config: Config) -> dict[str, Any]:
    """Makes the flat record of the border from a declaration."""
    record: dict[str, Any] = {
        "profile": name("profile", config.profile),
        "detect_within_ms": millis("detect_within", config.detect_within),
        "read_idle_ms": millis("read_idle", config.read_idle),
        "connect_per_address_ms": millis("connect.per_address", config.connect_per_address),
        "connect_total_ms": millis("connect.total", config.connect_total),
        "addresses": name("addresses", config.addresses),
        "address_stagger_ms": millis("address_stagger", config.address_stagger),
        "race_through_tls": _flag("race_through_tls", config.race_through_tls),
        "retry_tls_verdicts": _flag("retry_tls_verdicts", config.retry_tls_verdicts),
        "refuse_private_addresses": _flag("refuse_private_addresses", config.refuse_private_addresses),
        "connect_within_ms": millis("connect.within", config.connect_within),
        "credentials_within_ms": millis("credentials_within", config.credentials_within),
        "stable_after_ms": millis("stable_after", config.stable_after),
        "max_attempts": small_count("max_attempts", config.max_attempts),
        "while_down": name("while_down", config.while_down),
        "overflow": name("overflow", config.overflow),
        "inbox_bytes": count("inbox.bytes", config.inbox_bytes),
        "unsolicited": name("unsolicited", config.unsolicited),
        "max_in_flight": count("max_in_flight", config.max_in_flight),
        "stall_limit_ms": millis("stall_limit", config.stall_limit),
        "concurrent_ok": _flag("concurrent_ok", config.concurrent_ok),
        "governed": _flag("governed", config.governed),
        "sibling_probes": _flag("sibling_probes", config.sibling_probes),
        "network_monitor": _optional_flag("network_monitor", config.network_monitor),
        "tls": tls_record(config.tls),
        "proxy": _text("proxy", config.proxy),
        "single_connection": (
            None if config.single_connection is None else _flag("single_connection", config.single_connection)
        ),
        "endpoint_order": name("endpoint_order", config.endpoint_order),
        "return_to_preferred_ms": millis("return_to_preferred", config.return_to_preferred),
        "bind_address": None if config.bind_address is None else str(config.bind_address),
        "bind_interface": name("bind_interface", config.bind_interface),
        "auto_replies": [_part("auto_replies", reply, AutoReply).record() for reply in config.auto_replies],
    }
    for field in ("user_timeout", "rto_max", "frame_within"):
        record[f"{field}_off"], record[f"{field}_ms"] = choice(field, getattr(config, field))
    if config.heartbeat is not None:
        record |= heartbeat_record(_part("heartbeat", config.heartbeat, Heartbeat))
    if config.keepalive is OFF:
        record["keepalive_off"] = True
    elif config.keepalive is not None:
        record |= keepalive_record(_part("keepalive", config.keepalive, Keepalive))
    if config.backoff is not None:
        record |= backoff_record(_part("backoff", config.backoff, Backoff))
    if config.outbox is not None:
        record |= outbox_record(_part("outbox", config.outbox, Outbox))
    if config.framing is not None:
        record["framing"] = _part("framing", config.framing, Framing).record()
    if config.correlation is not None:
        record["correlation"] = _part("correlation", config.correlation, Correlation).record()
    if config.push is not None:
        record["push"] = Matcher.of("push", config.push).record()
    record["credentials_hook"] = callable(config.credentials)
    if config.credentials is not None and not callable(config.credentials):
        record["credentials"] = data("credentials", config.credentials)
    record["auth_attempts_off"] = config.auth_attempts is OFF
    if config.auth_attempts is not OFF:
        record["auth_attempts"] = small_count("auth_attempts", config.auth_attempts)
    if config.go_away is not None:
        record["go_away"] = _part("go_away", config.go_away, RetryAfter).record()
    if config.greeting is not None:
        record["greeting"] = _part("greeting", config.greeting, Script).record()
    return record


def resolved(record: dict[str, Any]) -> Resolved:
    """Makes the answer of the core readable."""
    return Resolved(
        config=decided(record["config"]),
        notices=tuple(Notice(**notice) for notice in record["notices"]),
        bounds=DetectionBounds.of(record["bounds"]),
    )


def decided(record: dict[str, Any]) -> Config:
    """Makes a declaration from the flat record of the border."""
    return Config(
        profile=record["profile"],
        detect_within=seconds(record["detect_within_ms"]),
        heartbeat=decided_heartbeat(record),
        keepalive=decided_keepalive(record),
        user_timeout=_decided_choice(record, "user_timeout"),
        rto_max=_decided_choice(record, "rto_max"),
        read_idle=seconds(record["read_idle_ms"]),
        connect_per_address=seconds(record["connect_per_address_ms"]),
        connect_total=seconds(record["connect_total_ms"]),
        addresses=record["addresses"],
        address_stagger=seconds(record["address_stagger_ms"]),
        race_through_tls=record["race_through_tls"],
        retry_tls_verdicts=record["retry_tls_verdicts"],
        refuse_private_addresses=record["refuse_private_addresses"],
        connect_within=seconds(record["connect_within_ms"]),
        backoff=Backoff(
            first_spread=seconds(record["backoff_first_spread_ms"]),
            initial=seconds(record["backoff_initial_ms"]),
            multiplier=record["backoff_multiplier"],
            max=seconds(record["backoff_max_ms"]),
            jitter=record["backoff_jitter"],
        ),
        stable_after=seconds(record["stable_after_ms"]),
        max_attempts=record["max_attempts"],
        while_down=record["while_down"],
        outbox=Outbox(
            messages=record["outbox_messages"],
            bytes=record["outbox_bytes"],
            age=_decided_choice(record, "outbox_age"),
        ),
        overflow=record["overflow"],
        inbox_bytes=record["inbox_bytes"],
        unsolicited=record["unsolicited"],
        framing=None if record["framing"] is None else Framing.read(record["framing"]),
        frame_within=_decided_choice(record, "frame_within"),
        correlation=None if record["correlation"] is None else Correlation.read(record["correlation"]),
        push=None if record["push"] is None else Matcher.read(record["push"]),
        max_in_flight=record["max_in_flight"],
        greeting=None if record["greeting"] is None else Script.read(record["greeting"]),
        credentials=None if record["credentials"] is None else bytes(record["credentials"]),
        credentials_within=seconds(record["credentials_within_ms"]),
        auth_attempts=OFF if record["auth_attempts_off"] else record["auth_attempts"],
        go_away=None if record["go_away"] is None else RetryAfter.read(record["go_away"]),
        auto_replies=tuple(AutoReply.read(reply) for reply in record["auto_replies"]),
        stall_limit=seconds(record["stall_limit_ms"]),
        concurrent_ok=record["concurrent_ok"],
        governed=record["governed"],
        sibling_probes=record["sibling_probes"],
        network_monitor=record["network_monitor"],
        tls=None if record["tls"] is None else Tls.read(record["tls"]),
        proxy=record["proxy"],
        single_connection=record["single_connection"],
        endpoint_order=record["endpoint_order"],
        return_to_preferred=seconds(record["return_to_preferred_ms"]),
        bind_address=record["bind_address"],
        bind_interface=record["bind_interface"],
    )


def _optional_flag(field: str, value: object) -> bool | None:
    return None if value is None else _flag(field, value)


def _flag(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise invalid(field, type(value).__name__, "must be True or False")
    return value


def _text(field: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise invalid(field, type(value).__name__, "must be a str")
    return value


def _decided_choice(record: dict[str, Any], field: str) -> float | Literal[Off.OFF] | None:
    return OFF if record[f"{field}_off"] else seconds(record[f"{field}_ms"])


def _part(field: str, value: object, kind: type[_Part]) -> _Part:
    if not isinstance(value, kind):
        raise invalid(field, type(value).__name__, f"must be a keepline.{kind.__name__}")
    return value
