"""The names and numbers that the Rust sources declare, read from their text."""

import re
from pathlib import Path

PROTO = Path("core/proto/src")
PROFILE = PROTO / "config/profile.rs"

# The macro that gives an enum its names.
NAMES = re.compile(r"names!\(\s*(\w+)\s*\{(.*?)\}\s*\)", re.DOTALL)
NAME = re.compile(r'\w+ => "([^"]+)"')


def enums(root: Path) -> dict[str, list[str]]:
    """The names of every enum that is named with the macro, by the enum's own name."""
    found = {}
    for path in sorted((root / PROTO).rglob("*.rs")):
        for enum, body in NAMES.findall(path.read_text()):
            found[enum] = NAME.findall(body)
    return found


def causes(root: Path) -> list[str]:
    """Every name of a cause, with its kind."""
    text = (root / PROTO / "cause.rs").read_text()
    return re.findall(r'^\s+Cause::\w+(?:\(\w+::\w+\))? => "([^"]+)"', text, re.MULTILINE)


def events(root: Path) -> list[str]:
    """Every name of an event."""
    return listed_names(root / PROTO / "event.rs")


def transitions(root: Path) -> list[str]:
    """Every name of a turn that the flight recorder knows."""
    return listed_names(root / PROTO / "recorder/transition.rs")


def hints(root: Path) -> list[str]:
    """Every name of what may help."""
    return listed_names(root / PROTO / "hint.rs")


def listed_names(path: Path) -> list[str]:
    """The names in the constant `NAMES` of a file."""
    listed = re.search(r"const NAMES: &'static \[&'static str\] = &\[(.*?)\]", path.read_text(), re.DOTALL)
    return re.findall(r'"(\w+)"', listed[1])


def fields(root: Path, path: str, struct: str) -> list[str]:
    """The public fields of a struct."""
    body = re.search(rf"pub struct {struct} \{{(.*?)^\}}", (root / path).read_text(), re.DOTALL | re.MULTILINE)
    return re.findall(r"^\s+pub (\w+):", body[1], re.MULTILINE)


def profiles(root: Path) -> dict[str, dict[str, str]]:
    """The values of each profile as people write them, by profile and field."""
    text = (root / PROFILE).read_text()
    found = {}
    for profile, body in re.findall(r"Profile::(\w+) => ProfileValues \{(.*?)^            \}", text, re.DOTALL | re.MULTILINE):
        values = re.findall(r"^\s+(\w+): (.*),$", body, re.MULTILINE)
        found[profile.lower()] = {name: written(value) for name, value in values}
    return found


def written(value: str) -> str:
    """A Rust expression as a table shows it: `millis(6_500)` is 6.5 s."""
    if probes := re.fullmatch(r"Keepalive \{ idle: (.*), interval: (.*), retries: (\d+) \}", value):
        return f"{written(probes[1])} / {written(probes[2])} / {probes[3]}"
    if some := re.fullmatch(r"Some\((.*)\)", value):
        return written(some[1])
    if seconds := re.fullmatch(r"secs\(([\d_]+)\)", value):
        return f"{int(seconds[1])} s"
    if millis := re.fullmatch(r"millis\(([\d_]+)\)", value):
        return f"{int(millis[1]) / 1000:g} s"
    if size := re.fullmatch(r"(?:(\d+) \* )?MIB", value):
        return f"{size[1] or 1} MiB"
    if policy := re.fullmatch(r"WhileDown::(\w+)", value):
        return policy[1].lower()
    if choice := re.fullmatch(r"Addresses::(\w+)", value):
        return re.sub(r"(?<!^)(?=[A-Z])", "_", choice[1]).lower()
    if re.fullmatch(r"[\d_.]+", value):
        return f"{float(value):g}"
    return {"None": "none", "true": "on", "false": "off"}[value]
