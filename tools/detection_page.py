"""Puts what `make bench-faults` measured into the documents.

    detection_page.py FILE       prints the tables of these figures
    detection_page.py --write    writes docs/explain/detection.md, its drawing and the README from docs/explain/measured/
    detection_page.py --check    tells what is not as --write would write it
"""

import re
import sys
from pathlib import Path

from detection import figures, tables, timeline

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / "docs/explain/measured/faults.jsonl"
PAGE = ROOT / "docs/explain/detection.md"
DRAWING = ROOT / "docs/explain/detection.svg"
README = ROOT / "README.md"

BLOCKS = {
    PAGE: {
        "machine": tables.machine,
        "notice": tables.notice,
        "recover": tables.recover,
        "bounds": tables.bounds,
        "settings": tables.settings,
    },
    README: {"faults": tables.brief},
}


def main(arguments: list[str]) -> int:
    match arguments:
        case ["--write"]:
            for path, text in written().items():
                path.write_text(text)
            return 0
        case ["--check"]:
            stale = [str(path.relative_to(ROOT)) for path, text in written().items() if not path.exists() or path.read_text() != text]
            print("\n".join(stale) or "as measured")
            return 1 if stale else 0
        case [path] if not path.startswith("-"):
            measured = figures.read(Path(path))
            print(tables.machine(measured), tables.notice(measured), tables.recover(measured), tables.bounds(measured), sep="\n")
            return 0
    print(__doc__, file=sys.stderr)
    return 2


def written() -> dict[Path, str]:
    """Every file as it has to be."""
    measured = figures.read(MEASURED)
    texts = {DRAWING: timeline.draw(measured)}
    for path, blocks in BLOCKS.items():
        text = path.read_text()
        for name, render in blocks.items():
            marks = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
            body = render(measured)
            text, replaced = marks.subn(lambda found, body=body: found[1] + body + found[2], text)
            if replaced != 1:
                raise SystemExit(f"{path.relative_to(ROOT)} has no place for `{name}`")
        texts[path] = text
    return texts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
