"""Examples for the shell: those that are marked are run, with the keepline program in the path."""

import json
import subprocess
from pathlib import Path

from . import examples
from .markdown import Document
from .report import Report

LANGUAGES = ("sh", "console")


def check(root: Path, documents: list[Document], report: Report) -> None:
    """Runs the marked blocks."""
    blocks = [
        block for document in documents for block in document.blocks if block.language in LANGUAGES and block.directive
    ]
    if not blocks:
        return
    program = build(root)
    report.expect(program is not None, "keepline-cli does not build")
    if program is not None:
        for block in blocks:
            examples.run(root, block, report, lambda code: ["bash", "-euo", "pipefail", "-c", code], str(program.parent))


def build(root: Path) -> Path | None:
    """Builds the program and says where it is."""
    # With one of its tests: as `cargo test` built it, not once more with fewer features.
    command = ["cargo", "build", "--quiet", "--locked", "--bin", "keepline", "--test", "codes", "--message-format=json"]
    built = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=False)
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    found = [Path(message["executable"]) for message in messages if message.get("executable") and message["target"]["name"] == "keepline"]
    return found[-1] if built.returncode == 0 and found else None
