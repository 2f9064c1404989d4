"""Links inside the project lead to a file, and to a heading in it."""

from pathlib import Path
from urllib.parse import unquote

from .markdown import Document
from .report import Report

OUTSIDE = ("https://", "http://", "mailto:")


def check(root: Path, documents: list[Document], report: Report) -> None:
    """Follows every link that does not leave the project."""
    anchors = {document.path: document.anchors for document in documents}
    for document in documents:
        for line, target in document.links:
            if not target.startswith(OUTSIDE):
                problem = follow(root, document.path, unquote(target), anchors)
                report.expect(problem is None, f"{document.path}:{line}: {target}: {problem}")


def follow(root: Path, source: Path, target: str, anchors: dict[Path, set[str]]) -> str | None:
    """Says what is wrong with a link."""
    name, _, fragment = target.partition("#")
    found = (root / source.parent / name).resolve() if name else (root / source).resolve()
    if not found.is_relative_to(root):
        return "leaves the project"
    if not found.exists():
        return "no such file"
    known = anchors.get(found.relative_to(root))
    if fragment and known is not None and fragment not in known:
        return "no such heading"
    return None
