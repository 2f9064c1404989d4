"""The options of a scenario as this package takes them."""

from typing import Any

from keepline import (
    Backoff,
    Config,
    Correlation,
    CredentialRequest,
    Event,
    Framing,
    GreetingIo,
    Heartbeat,
    Matcher,
    Outbox,
    Script,
    Tls,
)


class Throwing:
    """Hooks and callbacks that throw, as the options of a scenario ask for them."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.told: list[str] = []
        """The events that the callback was told of, and threw at."""
        self.hooks: dict[str, Any] = {}
        """Arguments of ``connect`` and ``start``."""
        self._greeted = False
        self._once = options.get("greeting_hook") == "throws once"
        if "greeting_hook" in options:
            self.hooks["on_connect"] = self._greet
        self._login = options.get("proxy_credentials_hook", "").split()
        if self._login:
            self.hooks["proxy_credentials"] = self._log_in
        if "on_event" in options:
            self.hooks["on_event"] = self._note

    async def _greet(self, io: GreetingIo) -> None:
        passes, self._greeted = self._greeted and self._once, True
        if not passes:
            raise RuntimeError("thrown")

    def _log_in(self, request: CredentialRequest) -> tuple[str, str]:
        """A name, and the password for this number of refusals; throws where none is left."""
        return self._login[0], self._login[1 + request.refusals]

    def _note(self, event: Event) -> None:
        self.told.append(event.name)
        raise RuntimeError("thrown")


def _refuse(_request: CredentialRequest) -> bytes:
    raise RuntimeError("thrown")


def config_of(options: dict[str, Any]) -> Config:
    """The options of a scenario: names of the contract's ``config_fields``, as this package takes them."""
    config: dict[str, Any] = {}
    heartbeat: dict[str, Any] = {}
    backoff: dict[str, Any] = {}
    outbox: dict[str, Any] = {}
    for name, value in options.items():
        plain = name.removesuffix("_ms")
        scaled = value / 1000 if name.endswith("_ms") else value
        if name in ("greeting_hook", "proxy_credentials_hook", "on_event"):
            continue
        match name.split("_")[0], value:
            case "heartbeat", _:
                part = plain.removeprefix("heartbeat_")
                heartbeat[part] = scaled.encode() if part in ("payload", "reply") else scaled
            case "backoff", _:
                backoff[plain.removeprefix("backoff_")] = scaled
            case "outbox", _:
                outbox[plain.removeprefix("outbox_")] = scaled
            case "framing", str():
                kind, *most = value.split()
                config["framing"] = getattr(Framing, kind)(*map(int, most))
            case "correlation", "fifo":
                config["correlation"] = Correlation.fifo()
            case "greeting", list():
                config["greeting"] = script(value)
            case _, "throws" if name == "credentials_hook":
                config["credentials"] = _refuse
            case "credentials", str():
                config["credentials"] = value.encode()
            case "tls", _:
                config["tls"] = Tls(ca_pem=value.get("ca_pem"))
            case _:
                config[plain] = scaled
    if heartbeat:
        config["heartbeat"] = Heartbeat(**heartbeat)
    if backoff:
        config["backoff"] = Backoff(**backoff)
    if outbox:
        config["outbox"] = Outbox(**outbox)
    return Config(**config)


def script(steps: list[str]) -> Script:
    """Steps such as ``send HELLO``, ``expect WELCOME``, ``refused DENIED``, ``send_credentials``."""
    greeting = Script()
    for step in steps:
        verb, _, frame = step.partition(" ")
        match verb:
            case "send":
                greeting = greeting.send(frame.encode())
            case "send_credentials":
                greeting = greeting.send_credentials(frame.encode())
            case "expect":
                greeting = greeting.expect(Matcher.exact(frame.encode()))
            case "refused":
                greeting = greeting.refused(Matcher.exact(frame.encode()))
            case _:
                raise AssertionError(f"no step of a greeting: {verb}")
    return greeting
