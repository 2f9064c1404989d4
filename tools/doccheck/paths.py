"""Nothing in the project names a path of the machine it was written on."""

import re
import subprocess
from pathlib import Path

from .report import Report

# Written in two halves, so that this file does not find itself.
FOREIGN = re.compile("|".join([r"(?<![\w.])/" + r"work/", r"\.\./" + r"shared\b", r"/tmp/" + r"t-\w", r"/home/" + r"\w+/", r"(?<!\w)/" + r"root/"]))


def check(root: Path, report: Report) -> None:
    """Looks through every file that is, or would be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=root, capture_output=True, check=False
    )
    if listed.returncode != 0:
        report.skip("paths of a machine: this is no git repository")
        return
    for name in filter(None, listed.stdout.decode().split("\0")):
        try:
            lines = (root / name).read_text().splitlines()
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        bad = [f"{name}:{number}" for number, line in enumerate(lines, 1) if FOREIGN.search(line)]
        report.expect(not bad, f"{', '.join(bad)}: a path that means nothing elsewhere")
