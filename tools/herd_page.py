"""Puts what `keepline sim` came to into the documents, and its drawings beside them.

    herd_page.py --write          runs the simulations and writes everything
    herd_page.py --write NAME     only the block of this name
    herd_page.py --check          tells whether everything is as the simulation has it; takes minutes

A block is what stands between `<!-- herd NAME: begin -->` and `<!-- herd NAME: end -->`.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXPLAIN = ROOT / "docs/explain/backoff.md"
FLEET = ["--clients", "100000", "--accept-rate", "2000", "--markdown"]
HUNDRED = ["--clients", "100", "--seeds", "100", "--markdown"]
BLOCKS: dict[str, tuple[Path, list[str]]] = {
    "outages": (EXPLAIN, ["--outage", "3s", "--outage", "30s", "--outage", "300s", *FLEET]),
    "black-hole": (EXPLAIN, ["--black-hole", "--outage", "30s", *FLEET]),
    "rolling": (EXPLAIN, ["--rolling", "3", "--outage", "10s", *FLEET]),
    "tls": (EXPLAIN, ["--clients", "20000", "--tls", "1ms", "--markdown"]),
    "hundred": (EXPLAIN, HUNDRED),
    "interactive": (EXPLAIN, [*HUNDRED, "--alone", "--profile", "datacenter", "--backoff-max", "2s", "--round-trip", "1ms"]),
}
# What is drawn, too: the block's name, and the file beside the page.
DRAWINGS = {"outages": "herd.svg", "black-hole": "herd-black-hole.svg", "rolling": "herd-rolling.svg"}


def main(arguments: list[str]) -> int:
    names = arguments[1:] or list(BLOCKS)
    if arguments[:1] not in (["--write"], ["--check"]) or not set(names) <= set(BLOCKS):
        print(__doc__, file=sys.stderr)
        return 2
    texts: dict[Path, str] = {}
    for name in names:
        write(name, texts)
    if arguments[0] == "--write":
        for path, text in texts.items():
            path.write_text(text)
        return 0
    stale = [str(path.relative_to(ROOT)) for path, text in texts.items() if not path.exists() or path.read_text() != text]
    print("\n".join(stale) or "as simulated")
    return 1 if stale else 0


def write(name: str, texts: dict[Path, str]) -> None:
    """Puts the block of this name, and the drawing if it has one, where they belong among the texts."""
    page, arguments = BLOCKS[name]
    arguments = ["sim", *arguments]
    if name in DRAWINGS:
        with tempfile.TemporaryDirectory() as directory:
            drawing = Path(directory) / DRAWINGS[name]
            told = simulate([*arguments, "--svg", str(drawing)])
            texts[page.parent / drawing.name] = drawing.read_text()
        arguments += ["--svg", DRAWINGS[name]]
    else:
        told = simulate(arguments)
    command = " ".join(["keepline", *arguments])
    block = f"```sh\n{command}\n```\n\n{told.rstrip()}\n"
    place = re.compile(rf"(<!-- herd {name}: begin -->\n).*?(<!-- herd {name}: end -->)", re.DOTALL)
    text = texts.get(page) or page.read_text()
    texts[page], replaced = place.subn(lambda found: found[1] + block + found[2], text)
    if replaced != 1:
        raise SystemExit(f"{page.relative_to(ROOT)} has no place for the herd's {name}")


def simulate(arguments: list[str]) -> str:
    """What the program prints. Exit code 1 tells of a budget that does not hold: that is printed, too."""
    program = ["cargo", "run", "--quiet", "--release", "--locked", "-p", "keepline-cli", "--"]
    ran = subprocess.run([*program, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if ran.returncode not in (0, 1) or not ran.stdout:
        raise SystemExit(f"{' '.join(arguments)}: exit code {ran.returncode}")
    return ran.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
