"""What `make bench-faults` measured, a line of JSON for each run."""

import json
from dataclasses import dataclass
from pathlib import Path

# Below it a figure is "at once": half of the 200 ms between two looks at the sockets is chance, and so is a busy machine.
AT_ONCE = 0.3
# How long a client has to work again after the fault healed (RECOVERY in core/bench/src/faults/run.rs).
RECOVERY = 60

# The faults in the order of the tables: name, heading.
FAULTS = {
    "black_hole_idle": "black hole, idle",
    "black_hole_data": "black hole, with data",
    "nat_silent": "NAT forgets, silent",
    "nat_reset": "NAT forgets, resets",
    "frozen": "server frozen",
    "reboot": "server rebooted, idle",
    "roam": "new address",
    "zero_window": "server does not read",
}
# Those that end by themselves: a new connection works at once.
NOTHING_TO_HEAL = {"nat_silent", "nat_reset", "roam"}

CLIENTS = {
    "keepline-balanced": "**Keepline**, balanced",
    "keepline-datacenter": "**Keepline**, datacenter",
    "keepline-4s": "**Keepline**, `detect_within` 4 s",
    "tokio": "tokio, naive",
    "tokio-keepalive": "tokio, keepalive",
    "tokio-keepalive-user-timeout": "tokio, keepalive + user timeout",
    "async-nats": "async-nats",
    "redis-rs": "redis-rs",
    "redis-py": "redis-py",
    "nats-py": "nats-py",
}


@dataclass(frozen=True)
class Run:
    """One client and one fault; times in seconds, `None` for what did not happen."""

    fault: str
    client: str
    settings: str
    limit: float
    noticed: float | None
    healed: float | None
    usable: float | None
    bound: float | None

    @property
    def is_stall(self) -> bool:
        """A server that does not read is healthy: who gives it up has killed a living connection."""
        return self.fault == "zero_window"


@dataclass(frozen=True)
class Figures:
    machine: dict
    runs: dict[tuple[str, str], Run]

    def of(self, fault: str, client: str) -> Run | None:
        return self.runs.get((fault, client))

    @property
    def clients(self) -> list[str]:
        return [client for client in CLIENTS if any(name == client for _, name in self.runs)]

    @property
    def faults(self) -> list[str]:
        return [fault for fault in FAULTS if any(name == fault for name, _ in self.runs)]


def read(path: Path) -> Figures:
    """Reads the lines; a run without figures is left out."""
    lines = [json.loads(line) for line in path.read_text().splitlines() if line]
    fields = Run.__dataclass_fields__
    runs = [Run(**{name: line[name] for name in fields}) for line in lines if line["type"] == "run" and not line["failure"]]
    machine = next(line for line in lines if line["type"] == "machine")
    return Figures(machine, {(run.fault, run.client): run for run in runs})


def seconds(time: float) -> str:
    """A time for people."""
    return "at once" if time < AT_ONCE else f"{time:.1f} s"


def noticed(run: Run | None) -> str:
    """When the client gave the connection up; for a server that does not read, whether it did."""
    if run is None:
        return "–"
    if run.is_stall:
        return "kept" if run.noticed is None else f"killed after {run.noticed:.1f} s"
    return f"> {run.limit:.0f} s" if run.noticed is None else seconds(run.noticed)


def usable(run: Run | None) -> str:
    """When an exchange succeeded; marked where the fault was not noticed before it healed."""
    if run is None:
        return "–"
    if run.usable is None:
        return f"> {run.limit if run.fault in NOTHING_TO_HEAL else RECOVERY:.0f} s"
    unaware = run.noticed is None and run.fault not in NOTHING_TO_HEAL and not run.is_stall
    return seconds(run.usable) + (" ¹" if unaware else "")
