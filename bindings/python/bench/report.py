"""From figures to tables: medians, ratios of one round, and the budgets they are held against."""

import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path

#: By kind, the rounds; by name, what was measured: the figure, and the processor time besides.
Results = dict[str, list[dict[str, list[float]]]]

THROUGHPUT = "throughput"
ROUND_TRIP = "round trip"
HOG = "round trip beside a busy thread"
CALL = "call"

HEADS = {
    THROUGHPUT: ("thousand messages/s", "CPU us a message"),
    ROUND_TRIP: ("p50, us", "CPU us"),
    HOG: ("p50, us", "CPU us"),
    CALL: ("CPU ns",),
}

BATCHES = "keepline, `send_many` and `batches`"
BESIDE = "keepline, `send_many` and `batches`, its threads beside the server"
SINGLE = "keepline, `send` and `async for`"

#: The least that a loop and coroutines take, and the least that the system takes.
FLOOR = "a coroutine over a bare socket"
SYSTEM = "a blocking socket"

#: What is promised: kind, ours, whose, the bound; throughput at least so many times, latency at most so much of it.
BUDGETS = [
    (THROUGHPUT, BATCHES, "asyncio streams", 8.0),
    (THROUGHPUT, BATCHES, "nats-py", 10.0),
    (THROUGHPUT, BESIDE, "asyncio Protocol, batched by hand", 2.0),
    (THROUGHPUT, SINGLE, "asyncio streams", 3.0),
    (ROUND_TRIP, "keepline", "asyncio streams", 0.65),
    (ROUND_TRIP, "keepline", "redis-py", 0.30),
    (ROUND_TRIP, "keepline", "nats-py", 0.25),
    (HOG, "keepline", "asyncio streams", 1.2),
    # 100 ns on a machine where a call that does nothing takes 28.
    (CALL, "keepline, `try_send`", "keepline, a call that does nothing", 3.6),
]

#: The same of round trips without the system's share: what a client adds to a blocking socket's trip, over what another adds.
#: The bounds above on a machine where a blocking socket takes 5.2 us, and the others 27.3, 64.9 and 77.
ADDED = [("asyncio streams", 0.56), ("redis-py", 0.24), ("nats-py", 0.19)]


def table(kind: str, rounds: list[dict[str, list[float]]]) -> str:
    heads = HEADS[kind]
    lines = [f"| {kind} | {' | '.join(heads)} |", f"| --- |{' ---: |' * len(heads)}"]
    for name in rounds[0]:
        columns = zip(*(measured[name] for measured in rounds), strict=True)
        lines.append(f"| {name} | {' | '.join(_shown(statistics.median(column)) for column in columns)} |")
    return "\n".join(lines) + "\n"


def budgets(results: Results) -> str:
    """Each promise with what was measured: the median of the ratios inside each round."""
    lines = ["| promise | measured | budget | |", "| --- | ---: | ---: | --- |"]
    for kind, own, other, bound in BUDGETS:
        if kind not in results:
            continue
        ratio = statistics.median(one[own][0] / one[other][0] for one in results[kind])
        at_least = kind == THROUGHPUT
        kept = ratio >= bound if at_least else ratio <= bound
        word = _word(kept)
        if kind == ROUND_TRIP and not kept:
            least = statistics.median(one[FLOOR][0] / one[other][0] for one in results[kind])
            word += f", {FLOOR} takes {least:.2f}" if least > bound else ""
        lines.append(f"| {kind}: {own}, over {other} | {ratio:.2f} | {'>=' if at_least else '<='} {bound:g} | {word} |")
    for other, bound in ADDED if ROUND_TRIP in results else []:
        ratio = statistics.median(
            (one["keepline"][0] - one[SYSTEM][0]) / (one[other][0] - one[SYSTEM][0]) for one in results[ROUND_TRIP]
        )
        lines.append(
            f"| added to {SYSTEM}'s round trip: keepline, over {other} | {ratio:.2f} | <= {bound:g} | {_word(ratio <= bound)} |"
        )
    return "\n".join(lines) + "\n"


def write(page: Path, results: Results, machine: str) -> None:
    """Puts the tables between the marks of a page."""
    today = datetime.now(UTC).strftime("%d %B %Y")
    blocks = {"machine": f"Measured on {today}, in one run: {machine}.\n", "budgets": budgets(results)}
    blocks |= {kind.replace(" ", "-"): table(kind, rounds) for kind, rounds in results.items()}
    text = page.read_text()
    for name, body in blocks.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            sys.exit(f"{page} has no place for `{name}`")
        text = before + begin + body + end + after
    page.write_text(text)


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _word(kept: bool) -> str:
    return "kept" if kept else "**short**"
