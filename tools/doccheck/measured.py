"""What scripts write into the documents stands there as they would write it now: measured figures, and drawings."""

import subprocess
import sys
from pathlib import Path

from .report import Report

SCRIPTS = ("tools/detection_page.py", "tools/sequence_drawings.py")


def check(root: Path, report: Report) -> None:
    """Asks each script."""
    for script in SCRIPTS:
        asked = subprocess.run(
            [sys.executable, "-B", str(root / script), "--check"], capture_output=True, text=True, check=False
        )
        stale = ", ".join(asked.stdout.split("\n")).strip(", ") + asked.stderr
        report.expect(asked.returncode == 0, f"{stale}: not as {script} --write would write it")
