"""Draws the sequences of docs/explain/sequences/*.seq as SVG beside them.

    sequence_drawings.py --write    draws them
    sequence_drawings.py --check    tells which drawing is not as --write would draw it

A sequence is lines of text. `title WORDS` and `sides LEFT | RIGHT` come first, then, from top to bottom:

    > SYN                     an arrow from left to right; `<` from right to left; `>x` and `<x` are lost on the way
    = SYN_SENT | LISTEN       the states after that, left and right; one may be empty
    ... 60 s                  time passes
    # words                   a remark in the middle
"""

import sys
from html import escape
from pathlib import Path

SEQUENCES = Path(__file__).resolve().parent.parent / "docs/explain/sequences"

WIDTH, LEFT, RIGHT, TOP = 760, 250, 510, 92
# Height of a line by its kind: an arrow slopes, as time passes on the way.
HEIGHTS = {"arrow": 44, "states": 22, "pause": 36, "remark": 28}
SLOPE = 22

STYLE = """\
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .side { font-weight: 600 }
  .state { font-family: ui-monospace, monospace; font-size: 12px }
  .remark { font-size: 12px; fill: #57606a }
  .page { fill: #ffffff; stroke: #d0d7de }
  .life { stroke: #8c959f; stroke-width: 1.5 }
  .arrow { stroke: #0072b2; stroke-width: 2; fill: none }
  .head { fill: #0072b2 }
  .lost { stroke: #d55e00; stroke-width: 2; fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .remark { fill: #9198a1 } .page { fill: #0d1117; stroke: #3d444d } .life { stroke: #656c76 }
    .arrow { stroke: #56b4e9 } .head { fill: #56b4e9 } .lost { stroke: #e69f00 }
  }"""


def main(arguments: list[str]) -> int:
    drawings = {source.with_suffix(".svg"): draw(source.read_text()) for source in sorted(SEQUENCES.glob("*.seq"))}
    match arguments:
        case ["--write"]:
            for path, drawing in drawings.items():
                path.write_text(drawing)
            return 0
        case ["--check"]:
            stale = [path.name for path, drawing in drawings.items() if not path.exists() or path.read_text() != drawing]
            stale += [path.name for path in SEQUENCES.glob("*.svg") if path not in drawings]
            print("\n".join(stale) or "as drawn")
            return 1 if stale else 0
    print(__doc__, file=sys.stderr)
    return 2


def draw(source: str) -> str:
    """The whole picture."""
    title, sides, parts, y = "", ("", ""), [], TOP
    for line in source.splitlines():
        verb, _, words = line.partition(" ")
        match verb:
            case "title":
                title = words
            case "sides":
                sides = pair(words)
            case ">" | "<" | ">x" | "<x":
                parts.append(arrow(y, words, from_left=verb[0] == ">", lost=verb.endswith("x")))
                y += HEIGHTS["arrow"]
            case "=":
                parts.append(states(y, *pair(words)))
                y += HEIGHTS["states"]
            case "...":
                parts.append(pause(y, words))
                y += HEIGHTS["pause"]
            case "#":
                parts.append(text((LEFT + RIGHT) / 2, y + 12, words, "remark", "middle"))
                y += HEIGHTS["remark"]
            case "":
                continue
            case _:
                raise ValueError(f"not a line of a sequence: {line!r}")
    height = y + 24
    head = [
        text(24, 34, title, "title"),
        text(LEFT, 68, sides[0], "side", "middle"),
        text(RIGHT, 68, sides[1], "side", "middle"),
        f'<line class="life" x1="{LEFT}" y1="78" x2="{LEFT}" y2="{height - 16}"/>',
        f'<line class="life" x1="{RIGHT}" y1="78" x2="{RIGHT}" y2="{height - 16}"/>',
    ]
    body = "\n".join(head + parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">\n'
        f"<title>{escape(title)}</title>\n<desc>{escape(told(source))}</desc>\n<style>\n{STYLE}\n</style>\n"
        f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>\n{body}\n</svg>\n'
    )


def told(source: str) -> str:
    """The sequence in words, for those who do not see it."""
    kinds = {">": "left to right", "<": "right to left", ">x": "left to right, lost", "<x": "right to left, lost"}
    lines = (line.partition(" ") for line in source.splitlines() if line and not line.startswith(("title", "sides")))
    return "; ".join(f"{kinds.get(verb, '')} {words}".strip() for verb, _, words in lines)


def pair(words: str) -> tuple[str, str]:
    left, _, right = words.partition("|")
    return left.strip(), right.strip()


def arrow(y: float, words: str, *, from_left: bool, lost: bool) -> str:
    start, end = (LEFT, RIGHT) if from_left else (RIGHT, LEFT)
    step = 1 if from_left else -1
    y += 10
    label = text((LEFT + RIGHT) / 2, y + SLOPE / 2 - 8, words, "", "middle")
    if lost:
        stop, at = start + step * 150, y + SLOPE * 150 / (RIGHT - LEFT)
        cross = f"M{stop - 5} {at - 5:.1f}l10 10m0 -10l-10 10"
        return f'{label}<path class="lost" d="M{start + step * 3} {y}L{stop} {at:.1f}{cross}"/>'
    tip, base = end - step * 3, end - step * 13
    head = f'<path class="head" d="M{tip} {y + SLOPE}L{base} {y + SLOPE - 6}L{base} {y + SLOPE + 4}z"/>'
    return f'{label}<path class="arrow" d="M{start + step * 3} {y}L{base} {y + SLOPE - 1}"/>{head}'


def states(y: float, left: str, right: str) -> str:
    return text(LEFT - 14, y + 8, left, "state", "end") + text(RIGHT + 14, y + 8, right, "state")


def pause(y: float, words: str) -> str:
    dots = "".join(f'<circle class="head" cx="{x}" cy="{y + 8 + 7 * dot}" r="1.5"/>' for x in (LEFT, RIGHT) for dot in range(3))
    return dots + text((LEFT + RIGHT) / 2, y + 19, words, "remark", "middle")


def text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    if not words:
        return ""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
