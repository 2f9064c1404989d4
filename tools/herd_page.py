"""Puts what `keepline sim` came to into docs/explain/backoff.md, and its drawing beside it.

    herd_page.py --write    runs the simulation and writes both
    herd_page.py --check    tells whether they are as the simulation has them; takes minutes
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/explain/backoff.md"
DRAWING = ROOT / "docs/explain/herd.svg"
SIMULATION = ["sim", "--clients", "100000", "--outage", "3s", "--outage", "30s", "--outage", "300s", "--accept-rate", "2000", "--markdown"]
PLACE = re.compile(r"(<!-- herd: begin -->\n).*?(<!-- herd: end -->)", re.DOTALL)


def main(arguments: list[str]) -> int:
    if arguments not in (["--write"], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    texts = written()
    if arguments == ["--write"]:
        for path, text in texts.items():
            path.write_text(text)
        return 0
    stale = [str(path.relative_to(ROOT)) for path, text in texts.items() if not path.exists() or path.read_text() != text]
    print("\n".join(stale) or "as simulated")
    return 1 if stale else 0


def written() -> dict[Path, str]:
    """Both files as they have to be."""
    with tempfile.TemporaryDirectory() as directory:
        drawing = Path(directory) / "herd.svg"
        program = ["cargo", "run", "--quiet", "--release", "--locked", "-p", "keepline-cli", "--"]
        ran = subprocess.run([*program, *SIMULATION, "--svg", str(drawing)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        command = " ".join(["keepline", *SIMULATION, "--svg", DRAWING.name])
        block = f"```sh\n{command}\n```\n\n{ran.stdout}"
        page, replaced = PLACE.subn(lambda found: found[1] + block + found[2], PAGE.read_text())
        if replaced != 1:
            raise SystemExit(f"{PAGE.relative_to(ROOT)} has no place for the herd")
        return {PAGE: page, DRAWING: drawing.read_text()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
