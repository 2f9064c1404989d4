"""The tables of the page and of the README, in Markdown."""

from . import figures
from .figures import CLIENTS, FAULTS, Figures

# The rows and columns of the README: enough to see the shape.
BRIEF_FAULTS = ["black_hole_idle", "black_hole_data", "frozen", "nat_silent", "zero_window"]
BRIEF_CLIENTS = [client for client in CLIENTS if not client.startswith("tokio-")]


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def of_clients(measured: Figures, cell, faults: list[str], clients: list[str]) -> str:
    """A row for each client, a column for each fault."""
    rows = [[CLIENTS[client], *(cell(measured.of(fault, client)) for fault in faults)] for client in clients]
    return table(["", *(FAULTS[fault] for fault in faults)], rows)


def notice(measured: Figures) -> str:
    return of_clients(measured, figures.noticed, measured.faults, measured.clients)


def recover(measured: Figures) -> str:
    return of_clients(measured, figures.usable, measured.faults, measured.clients)


def brief(measured: Figures) -> str:
    return of_clients(measured, figures.noticed, BRIEF_FAULTS, BRIEF_CLIENTS)


def bounds(measured: Figures) -> str:
    """Keepline's measured times beside what `detection_bounds()` promises."""
    ours = [client for client in measured.clients if client.startswith("keepline")]
    rows = []
    for fault in measured.faults:
        cells = []
        for client in ours:
            run = measured.of(fault, client)
            cells.append("–" if run is None else f"{figures.noticed(run)} ({promised(run)})")
        rows.append([FAULTS[fault], *cells])
    return table(["measured (at most)", *(CLIENTS[client] for client in ours)], rows)


def promised(run: figures.Run) -> str:
    if run.bound is None:
        return "∞"
    return "one round trip" if run.bound == 0 else f"{run.bound:g} s"


def settings(measured: Figures) -> str:
    """What each client was set to."""
    found = {client: run.settings for (_, client), run in measured.runs.items()}
    rows = [[CLIENTS[client], f"{found[client]}{version(measured, client)}"] for client in measured.clients]
    return table(["client", "settings"], rows)


def version(measured: Figures, client: str) -> str:
    name = {"redis-rs": "redis"}.get(client, client)
    found = measured.machine["versions"].get(name)
    return f" (version {found})" if found and name != "tokio" else ""


def machine(measured: Figures) -> str:
    """Where and with what it was measured."""
    about = measured.machine
    at_end = f" and {about['load_after']} at its end" if "load_after" in about else ""
    servers = " and ".join(clean(about["versions"][name]) for name in ("redis-server", "nats-server"))
    return (
        f"Measured in one run on {about['cpus']} cores, Linux {about['kernel'].split('-')[0]}, load {about['load_before']} before it"
        f"{at_end}, each run watched for {about['limit']:.0f} s; {servers}.\n"
    )


def clean(text: str) -> str:
    """`Redis server v=7.0.15` and `nats-server: v2.9.10` alike."""
    return text.replace(": v", " ").replace(" v=", " ").replace("Redis server", "redis-server")
