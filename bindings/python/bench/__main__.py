"""Python clients beside each other: a process each, interleaved rounds, medians of ratios taken inside a round.

    python -m bench                 measures everything and prints the tables
    python -m bench --write         puts them into docs/explain/speed-python.md besides
    python -m bench --rounds 3 --only "round trip"

Throughput: 256 bytes behind a length of four to an echo server and back, at most 256 KiB on the way; the client has one
core for all of its threads, the server the other. Round trip: 16 bytes, one on the way, both on one core. Calls: a burst
of a thousand, placed freely. NATS and Redis clients talk to a real nats-server and redis-server.
"""

import argparse
import asyncio
import inspect
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import ours, peers, report, servers
from bench.place import CLIENT_CPU, SERVER_CPU, pin
from bench.report import CALL, HOG, ROUND_TRIP, THROUGHPUT, Results

ROUNDS = 7
PAGE = Path(__file__).resolve().parents[3] / "docs/explain/speed-python.md"

#: What is measured: by kind and name, a function of a port, the server it talks to, and whether the loop is uvloop's.
CASES: dict[str, dict[str, tuple[Callable[[int], Any], str, bool]]] = {
    THROUGHPUT: {
        "keepline, `send_many` and `batches`": (ours.batches, "echo", False),
        "keepline, `send_many` and `batches`, its threads beside the server": (
            ours.batches_beside_the_server,
            "echo",
            False,
        ),
        "keepline on uvloop, `send_many` and `batches`": (ours.batches, "echo", True),
        "keepline.sync, `send_many` and `batches`": (ours.blocking, "echo", False),
        "keepline, `try_send` and `batches`": (ours.sent_singly, "echo", False),
        "keepline, `send` and `async for`": (ours.one_by_one, "echo", False),
        "keepline on uvloop, `send` and `async for`": (ours.one_by_one, "echo", True),
        "asyncio streams": (peers.streams, "echo", False),
        "uvloop streams": (peers.streams, "echo", True),
        "asyncio Protocol, batched by hand": (peers.protocol, "echo", False),
        "uvloop Protocol, batched by hand": (peers.protocol, "echo", True),
        "nats-py": (peers.nats_throughput, "nats", False),
        "redis-py, pipelines of 100": (peers.redis_throughput, "redis", False),
    },
    ROUND_TRIP: {
        "keepline": (ours.round_trip, "echo", False),
        "keepline on uvloop": (ours.round_trip, "echo", True),
        "keepline.sync": (ours.round_trip_blocking, "echo", False),
        "asyncio streams": (peers.streams_round_trip, "echo", False),
        "uvloop streams": (peers.streams_round_trip, "echo", True),
        "a coroutine over a bare socket": (peers.coroutine_round_trip, "echo", False),
        "a blocking socket": (peers.socket_round_trip, "echo", False),
        "nats-py": (peers.nats_round_trip, "nats", False),
        "redis-py": (peers.redis_round_trip, "redis", False),
    },
    HOG: {
        "keepline": (ours.beside_a_busy_thread, "echo", False),
        "asyncio streams": (peers.streams_beside_a_busy_thread, "echo", False),
    },
    CALL: {
        "keepline, `try_send`": (ours.call, "echo", False),
        "keepline.sync, `send`": (ours.call_blocking, "echo", False),
        "keepline, a call that does nothing": (ours.bare_call, "echo", False),
        "asyncio streams, `writer.write`": (peers.writer_call, "echo", False),
    },
}


def main() -> None:
    if sys.argv[1:] == ["echo"]:
        servers.serve_echo()
    if sys.argv[1:2] == ["case"]:
        kind, name, port = sys.argv[2:]
        print(json.dumps(measure(kind, name, int(port))))
        return
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=list(CASES), help="one kind of measurement")
    parser.add_argument("--write", action="store_true", help="replace the tables of the page")
    arguments = parser.parse_args()
    results: Results = {}
    with servers.running() as ports:
        for kind, cases in CASES.items():
            if arguments.only in (None, kind):
                results[kind] = [one_round(kind, list(cases), ports) for _ in range(arguments.rounds)]
                print(report.table(kind, results[kind]), flush=True)
    told = report.budgets(results)
    print(told)
    if arguments.write:
        report.write(PAGE, results, f"{servers.machine()}; {servers.versions()}")


def one_round(kind: str, names: list[str], ports: dict[str, int]) -> dict[str, list[float]]:
    """Every case once, in a new order."""
    order = random.sample(names, len(names))
    taken = {name: run(kind, name, ports[CASES[kind][name][1]]) for name in order}
    return {name: taken[name] for name in names}


def run(kind: str, name: str, port: int) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "case", kind, name, str(port)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    told = json.loads(done.stdout)
    return told if isinstance(told, list) else [told]


def measure(kind: str, name: str, port: int) -> Any:
    case, _, is_uvloop = CASES[kind][name]
    if kind == THROUGHPUT:
        pin(CLIENT_CPU)
    elif kind in (ROUND_TRIP, HOG):
        pin(SERVER_CPU)
    if not inspect.iscoroutinefunction(case):
        return case(port)
    if is_uvloop:
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(case(port))
    return asyncio.run(case(port))


if __name__ == "__main__":
    main()
