"""The names, defaults and shapes of this package are those of the core."""

import json
from dataclasses import fields
from typing import Any, get_args, get_type_hints

import pytest

import keepline
from keepline import AckedBy, Cause, Config, ConfigOptions, Correlation, Detector, Framing, Matcher, Outcome, Script, State
from keepline import Heartbeat, KernelFigures, Report, ReportEntry, Suspicion, Transition, _core, _names, events
from keepline._config import declared
from keepline._errors import BY_KIND
from servers import contract_path

CONTRACT: dict[str, Any] = json.loads(contract_path().read_text())


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("states", list(State)),
        ("causes", list(Cause)),
        ("detectors", list(Detector)),
        ("hints", list(keepline.Hint)),
        ("suspicions", list(Suspicion)),
        ("outcomes", list(Outcome)),
        ("acked_by", list(AckedBy)),
        ("transitions", list(Transition)),
        ("stages", list(keepline.StageName)),
        ("findings", list(keepline.Finding)),
        ("events", list(events.BY_NAME)),
        ("profile_names", get_args(_names.ProfileName)),
        ("while_down", get_args(_names.WhileDownName)),
        ("overflow", get_args(_names.OverflowName)),
        ("unsolicited", get_args(_names.UnsolicitedName)),
        ("jitters", get_args(_names.JitterName)),
        ("addresses", get_args(_names.AddressesName)),
        ("endpoint_orders", get_args(_names.EndpointOrderName)),
        ("endians", get_args(_names.EndianName)),
        ("network_kinds", get_args(_names.NetworkKindName)),
    ],
)
def test_names_are_those_of_the_contract(kind: str, names: list[str]) -> None:
    assert [str(name) for name in names] == CONTRACT[kind]


def test_every_error_kind_has_an_exception() -> None:
    assert list(BY_KIND) == CONTRACT["error_kinds"] + CONTRACT["border_error_kinds"]
    for error in BY_KIND.values():
        assert getattr(keepline, error.__name__) is error


@pytest.mark.parametrize("profile", CONTRACT["profiles"])
def test_defaults_of_each_profile_are_those_of_the_contract(profile: Any) -> None:
    expected = CONTRACT["profiles"][profile]
    plain = keepline.default_config(profile)
    assert without_unset(declared(plain)) == without_unset(as_bytes(expected["plain"]))
    assert plain == Config(profile=profile).resolve().config
    beating = Config(profile=profile, heartbeat=Heartbeat(b"PING")).resolve().config
    assert without_unset(declared(beating)) == without_unset(as_bytes(expected["with_heartbeat"]))


def test_default_profile_is_that_of_the_core() -> None:
    assert Config().profile == _core.resolve({})["config"]["profile"]


def test_every_option_of_the_core_can_be_declared() -> None:
    everything = Config(
        heartbeat=Heartbeat(b"PING", b"PONG", 1, 2),
        keepalive=keepline.Keepalive(1, 1, 1),
        backoff=keepline.Backoff(first_spread=1, initial=1, multiplier=2, max=1, jitter="full"),
        outbox=keepline.Outbox(messages=1, bytes=1, age=1),
        framing=Framing.lines(),
        correlation=Correlation.fifo(),
        push=b">",
        greeting=Script().send_credentials(),
        credentials=b"x",
        go_away=keepline.RetryAfter(b"x", 1),
        tls=True,
    )
    by_hooks = declared(Config(credentials=lambda request: b"x"))
    known = {*declared(everything), *declared(Config(keepalive=keepline.OFF)), *by_hooks}
    # Told by `connect` and `start`, which take the hook.
    known.add("greeting_hook")
    assert known == set(CONTRACT["config_fields"])
    assert get_type_hints(ConfigOptions) == get_type_hints(Config)


def test_tls_has_the_fields_of_the_contract() -> None:
    assert set(keepline.Tls().record()) == set(CONTRACT["tls_fields"])
    given = Config(tls=keepline.Tls(ca_file=("a.pem",), alpn=("mqtt",), server_name="server.test"))
    assert given.resolve().config.tls == given.tls


def test_events_have_the_fields_of_the_contract() -> None:
    for name, kind in events.BY_NAME.items():
        told = {field.removesuffix("_ms") for field in CONTRACT["event_fields"][name]}
        assert {field.name for field in fields(kind)} == told, name


def test_counters_have_the_fields_of_the_contract() -> None:
    told = {field.removesuffix("_ms").removesuffix("_us") for field in CONTRACT["stats_fields"]}
    assert {field.name for field in fields(keepline.Stats)} == told
    bounds = {field.removesuffix("_ms") for field in CONTRACT["bounds"]}
    assert {field.name for field in fields(keepline.DetectionBounds)} == bounds


def test_reports_have_the_fields_of_the_contract() -> None:
    kinds = {"report_fields": Report, "report_entry_fields": ReportEntry, "kernel_figures": KernelFigures}
    for name, kind in kinds.items():
        told = {field.removesuffix("_ms").removesuffix("_us") for field in CONTRACT[name]}
        assert {field.name for field in fields(kind)} == told, name


def test_diagnoses_have_the_fields_of_the_contract() -> None:
    kinds = {"diagnosis_fields": keepline.Diagnosis, "stage_fields": keepline.Stage, "fact_fields": keepline.Fact}
    for name, kind in kinds.items():
        told = {field.removesuffix("_us") for field in CONTRACT[name]}
        assert {field.name for field in fields(kind)} == told, name


def test_declared_parts_are_those_of_the_contract() -> None:
    framings = [
        Framing.raw(),
        Framing.lines(),
        Framing.delimited_by(b"\0"),
        Framing.length_prefixed(4),
        Framing.fixed(8),
        Framing.modbus_tcp(),
        Framing.resp(),
    ]
    assert {framing.kind for framing in framings} == set(CONTRACT["framings"])
    for framing in framings:
        told = Config(framing=framing).resolve().config.framing
        assert told is not None
        expected = {name: value for name, value in CONTRACT["framings"][framing.kind].items() if value is not None}
        record = told.record()
        assert record.pop("kind") == framing.kind
        assert {name: list(value) if isinstance(value, bytes) else value for name, value in record.items()} == expected
    matchers = [Matcher.any(), Matcher.exact(b"x"), Matcher.prefix(b"x"), Matcher.none()]
    assert {matcher.kind for matcher in matchers} == set(CONTRACT["matchers"])
    assert {Correlation.fifo().kind, Correlation.id(0, 2).kind} == set(CONTRACT["correlations"])
    away = keepline.RetryAfter(b"x", 1)
    script = Script().send(b"x").send_credentials().expect(b"x").refused(b"x").retry_after(away)
    steps = {step["kind"]: set(step) - {"kind"} for step in script.record()}
    assert steps == {kind: set(told) for kind, told in CONTRACT["steps"].items()}
    assert set(away.record()) == set(CONTRACT["retry_after_fields"])
    assert set(keepline.AutoReply(b"x", b"y").record()) == set(CONTRACT["auto_reply_fields"])


def test_declaration_comes_back_as_it_was_given() -> None:
    framing = Framing.length_prefixed(4, endian="little", offset=2, adjustment=-6, max=1000)
    given = Config(
        framing=framing,
        correlation=Correlation.id(6, 2, "little"),
        greeting=Script()
        .refused(Matcher.prefix(b"no"))
        .retry_after(keepline.RetryAfter(Matcher.prefix(b"busy"), 1.5, b"in"))
        .send_credentials(b"", b"\0\0\0")
        .expect(Matcher.any()),
        credentials=b"\0\0\x06",
        auth_attempts=keepline.OFF,
        go_away=keepline.RetryAfter(Matcher.prefix(b"bye"), 30.0),
        auto_replies=(keepline.AutoReply(Matcher.prefix(b"p"), b"\0\0\x06\0\0\0"),),
        push=Matcher.exact(b">"),
        read_idle=3,
        max_attempts=7,
        keepalive=keepline.OFF,
        outbox=keepline.Outbox(age=2.5),
    )
    told = given.resolve().config
    assert told.framing == Framing(
        kind="length_prefixed", width=4, endian="little", offset=2, adjustment=-6, strip=True, max=1000
    )
    assert (told.correlation, told.push, told.read_idle, told.max_attempts) == (given.correlation, given.push, 3.0, 7)
    assert (told.greeting, told.auto_replies) == (given.greeting, given.auto_replies)
    assert (told.credentials, told.auth_attempts, told.go_away) == (b"\0\0\x06", keepline.OFF, given.go_away)
    assert told.keepalive is keepline.OFF
    assert told.outbox is not None and told.outbox.age == 2.5
    assert told.resolve().config == told


def as_bytes(record: dict[str, Any]) -> dict[str, Any]:
    payload = record["heartbeat_payload"]
    return record | {"heartbeat_payload": None if payload is None else bytes(payload)}


def without_unset(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value is not None and value is not False and value != []}
