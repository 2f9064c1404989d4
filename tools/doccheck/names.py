"""The reference names everything the code names, and nothing else."""

import re
from pathlib import Path

from . import code
from .markdown import Document
from .report import Report

REFERENCE = Path("docs/reference")
CELL = re.compile(r"`([\w.]+)`")


def check(root: Path, documents: list[Document], report: Report) -> None:
    """Compares the first cells of the reference's tables with the lists in the code."""
    told = {document.path.name: first_cells(document) for document in documents if document.path.parent == REFERENCE}
    for name, wanted in declared(root).items():
        path = REFERENCE / name
        report.expect(bool(wanted), f"{path}: no names were found in the code")
        for missing in sorted(wanted - told.get(name, set())):
            report.expect(False, f"{path}: `{missing}` is in the code and not in the reference")
        for unknown in sorted(told.get(name, set()) - wanted):
            report.expect(False, f"{path}: `{unknown}` is not in the code")
        for _ in wanted & told.get(name, set()):
            report.expect(True, "")


def declared(root: Path) -> dict[str, set[str]]:
    """What each page of the reference has to name."""
    enums = code.enums(root)
    event, config = "core/proto/src/event.rs", "core/proto/src/config/mod.rs"
    report, kernel = "core/proto/src/recorder/report.rs", "core/proto/src/kernel.rs"
    choices = ("Profile", "WhileDown", "Overflow", "Unsolicited", "Jitter", "Addresses", "EndpointOrder")
    return {
        "events.md": {
            *code.events(root),
            *enums["Suspicion"],
            *code.fields(root, event, "Disconnected"),
            *code.fields(root, event, "MessageCounts"),
        },
        "reports.md": {
            *code.fields(root, report, "Report"),
            *code.transitions(root),
            *enums["Wish"],
            *code.fields(root, kernel, "KernelFigures"),
        },
        "states.md": set(enums["State"]),
        "waits.md": set(enums["WaitClass"]),
        "causes.md": {*code.causes(root), *code.hints(root), *enums["Detector"]},
        "errors.md": {*enums["ErrorKind"], *enums["Outcome"]},
        "configuration.md": {
            *code.fields(root, config, "Config"),
            *code.fields(root, "core/proto/src/config/profile.rs", "ProfileValues"),
            *(name for choice in choices for name in enums[choice]),
        },
    }


def first_cells(document: Document) -> set[str]:
    """The names in the first cells of a document's tables."""
    return {name for _, row in document.rows for name in CELL.findall(row[0])}
