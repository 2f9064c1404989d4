"""The drawing: for each fault, when a plain socket, its kernel options and Keepline notice.

Plain SVG with a background of its own, light or dark as the reader's system is, so that it can be read on any page. Rows have
names and figures in words; colour only repeats them (Okabe and Ito's palette, which most colour-blind readers can tell apart).
"""

from html import escape

from .figures import FAULTS, Figures, Run, seconds

ROWS = {
    "tokio": ("naive", "#999999"),
    "tokio-keepalive": ("keepalive", "#e69f00"),
    "tokio-keepalive-user-timeout": ("keepalive + user timeout", "#56b4e9"),
    "keepline-datacenter": ("Keepline", "#009e73"),
}

WIDTH = 880
LEFT = 210
# Where the axis ends, and where arrows of what was not noticed leave.
RIGHT = 740
LAST = 60
ROW, GAP, HEADING, TOP, BOTTOM = 20, 16, 22, 64, 58

STYLE = """\
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
  .small { font-size: 12px; fill: #57606a }
  .fault { font-weight: 600 }
  .title { font-size: 16px; font-weight: 600 }
  .page { fill: #ffffff; stroke: #d0d7de }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .ink { stroke: #1f2328; fill: none; stroke-width: 2 }
  .dot { fill: #1f2328 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .page { fill: #0d1117; stroke: #3d444d }
    .grid { stroke: #3d444d } .ink { stroke: #e6edf3 } .dot { fill: #e6edf3 }
  }"""

DESCRIPTION = (
    "For each fault, four bars from the moment of the fault to the moment the client gives the connection up. "
    "An arrow means not within the watched time. The same figures are in the tables of the page."
)


def draw(measured: Figures) -> str:
    """The whole picture."""
    faults = [fault for fault in measured.faults if any(measured.of(fault, client) for client in ROWS)]
    height = TOP + len(faults) * (HEADING + len(ROWS) * ROW + GAP) + BOTTOM
    parts = [grid(height)]
    y = TOP
    for fault in faults:
        parts.append(text(24, y + 14, FAULTS[fault], "fault"))
        y += HEADING
        for client, (name, colour) in ROWS.items():
            if run := measured.of(fault, client):
                parts.append(row(y, name, colour, run))
            y += ROW
        y += GAP
    parts.append(legend(height))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title description">\n'
        f'<title id="title">How long each fault goes unnoticed</title>\n<desc id="description">{DESCRIPTION}</desc>\n'
        f"<style>\n{STYLE}\n</style>\n"
        f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>\n'
        f"{text(24, 30, 'How long each fault goes unnoticed', 'title')}\n{body}\n</svg>\n"
    )


def grid(height: int) -> str:
    """Lines each ten seconds, with their seconds above and below."""
    parts = []
    for mark in range(0, LAST + 1, 10):
        x = place(mark)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{height - BOTTOM}"/>')
        for y in (TOP - 14, height - BOTTOM + 16):
            parts.append(text(x, y, f"{mark} s", "small", "middle"))
    parts.append(text(LEFT - 22, TOP - 14, "seconds from the fault", "small", "end"))
    return "\n".join(parts)


def row(y: int, name: str, colour: str, run: Run) -> str:
    """One bar: from the fault to its end, or out of the picture."""
    middle = y + ROW // 2
    label = text(LEFT - 10, middle + 4, name, "", "end")
    start = place(0)
    if run.is_stall:
        killed = run.noticed is not None
        end = place(run.noticed if killed else run.healed)
        mark = cross(end, middle) if killed else ring(end, middle)
        words = f"killed after {run.noticed:.1f} s, though healthy" if killed else "kept; it reads again"
        return "\n".join([label, bar(start, end, middle, colour), mark, text(end + 12, middle + 4, words)])
    if run.noticed is None or run.noticed > LAST:
        words = f"> {run.limit:.0f} s" if run.noticed is None else f"{run.noticed:.1f} s"
        # Broken where the axis ends.
        beyond = f'<line x1="{RIGHT}" y1="{middle}" x2="{RIGHT + 22}" y2="{middle}" stroke="{colour}" stroke-width="8" stroke-dasharray="5 3"/>'
        parts = [label, bar(start, RIGHT, middle, colour), beyond, arrow(RIGHT + 32, middle), text(RIGHT + 42, middle + 4, words)]
        return "\n".join(parts)
    end = place(run.noticed)
    words = seconds(run.noticed)
    return "\n".join([label, bar(start, end, middle, colour), dot(end, middle), text(end + 12, middle + 4, words)])


def legend(height: int) -> str:
    y = height - 20
    return "\n".join(
        [
            dot(30, y - 4),
            text(42, y, "gives the connection up", "small"),
            arrow(213, y - 4),
            text(222, y, "not noticed while watched", "small"),
            cross(404, y - 4),
            text(416, y, "kills a healthy connection", "small"),
            ring(592, y - 4),
            text(604, y, "keeps it until the server reads again", "small"),
        ]
    )


def place(time: float) -> float:
    return LEFT + (RIGHT - LEFT) * time / LAST


def bar(start: float, end: float, y: int, colour: str) -> str:
    return f'<line x1="{start:.1f}" y1="{y}" x2="{max(end, start + 2):.1f}" y2="{y}" stroke="{colour}" stroke-width="8"/>'


def dot(x: float, y: int) -> str:
    return f'<circle class="dot" cx="{x:.1f}" cy="{y}" r="5"/>'


def arrow(x: float, y: int) -> str:
    return f'<path class="dot" d="M{x - 9:.1f} {y - 5} l9 5 l-9 5 z"/>'


def ring(x: float, y: int) -> str:
    return f'<circle class="ink" cx="{x:.1f}" cy="{y}" r="5"/>'


def cross(x: float, y: int) -> str:
    return f'<path class="ink" d="M{x - 5:.1f} {y - 5} l10 10 m0 -10 l-10 10"/>'


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    css = f' class="{kind}"' if kind else ""
    where = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:.1f}" y="{y:.0f}"{css}{where}>{escape(words)}</text>'
