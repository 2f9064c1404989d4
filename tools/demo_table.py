"""Puts what the demonstration measured into the README: `keepline demo --json | python3 tools/demo_table.py`."""

import json
import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
MARKS = re.compile(r"(<!-- demo: begin -->\n).*?(<!-- demo: end -->)", re.DOTALL)

WORDS = {
    "restart": "the server goes down for 2 s",
    "black_hole": "the path goes silent, with data in flight",
    "frozen": "the server's process freezes",
    "nat": "a NAT forgets the idle connection",
    "refused": "the connection is reset, then refused for 5 s",
}
HEAD = ["what happens", "naive: noticed after", "naive: lost", "Keepline: noticed after", "by", "works again after", "lost"]


def main() -> int:
    results = [line for line in map(json.loads, sys.stdin) if line["type"] == "result"]
    if [result["fault"] for result in results] != list(WORDS):
        print("expected the results of all five faults on standard input", file=sys.stderr)
        return 1
    rows = [HEAD, ["---"] * len(HEAD), *map(row, results)]
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in rows)
    text, replaced = MARKS.subn(lambda marks: marks[1] + table + marks[2], README.read_text())
    if replaced != 1:
        print("README.md has no place for the table", file=sys.stderr)
        return 1
    README.write_text(text)
    return 0


def row(result: dict) -> list[str]:
    naive, keepline = result["naive"], result["keepline"]
    by = f"{keepline['detector']} (`{keepline['cause']}`)" if keepline["cause"] else "–"
    again = "–" if is_kept(keepline) else time(keepline["recovered_after_ms"], keepline)
    return [WORDS[result["fault"]], noticed(naive), lost(naive), noticed(keepline), by, again, lost(keepline)]


def noticed(figures: dict) -> str:
    return "never hit: kept open" if is_kept(figures) else time(figures["noticed_after_ms"], figures)


def is_kept(figures: dict) -> bool:
    return not figures["hit"] and figures["noticed_after_ms"] is None


def time(millis: float | None, figures: dict) -> str:
    if millis is None:
        return f"not within {figures['watched_ms'] / 1000:.0f} s"
    return "at once" if millis < 10 else f"{millis / 1000:.1f} s"


def lost(figures: dict) -> str:
    return f"{figures['lost']} of {figures['messages']}"


if __name__ == "__main__":
    sys.exit(main())
