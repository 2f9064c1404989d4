"""What was measured stands in the documents as it was measured: `tools/detection_page.py --write` would change nothing."""

import subprocess
import sys
from pathlib import Path

from .report import Report


def check(root: Path, report: Report) -> None:
    """Asks the script that writes them."""
    asked = subprocess.run(
        [sys.executable, "-B", str(root / "tools/detection_page.py"), "--check"], capture_output=True, text=True, check=False
    )
    stale = ", ".join(asked.stdout.split("\n")).strip(", ") + asked.stderr
    report.expect(asked.returncode == 0, f"{stale}: not as measured; tools/detection_page.py --write")
