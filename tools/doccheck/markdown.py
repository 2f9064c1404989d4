"""Markdown as far as the checks need it: links, headings, tables, blocks of code."""

import re
from dataclasses import dataclass, field
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*$")
FENCE = re.compile(r"^(\s*)```([\w+-]*)")
DIRECTIVE = re.compile(r"^\s*<!--\s*run(?::\s*(?P<server>\w+) at (?P<address>[^\s,]+))?(?:, prints: (?P<prints>.*?))?\s*-->$")
CODE = re.compile(r"`[^`]*`")


@dataclass(frozen=True)
class Directive:
    """How a block is run."""

    server: str | None
    address: str | None
    prints: str | None


@dataclass(frozen=True)
class Block:
    """A block of code."""

    path: Path
    line: int
    language: str
    code: str
    directive: Directive | None

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def name(self) -> str:
        """A name that is one in Rust, in Python and on disk."""
        return re.sub(r"\W+", "_", str(self.path.with_suffix("")).lower()) + f"_{self.line}"


@dataclass
class Document:
    """One file; paths are relative to the root of the project."""

    path: Path
    links: list[tuple[int, str]] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)


def read_all(root: Path) -> list[Document]:
    """Every document that is written for people."""
    found = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("core/*/*.md"), *root.glob("examples/**/*.md")]
    found += root.glob("bindings/*/*.md")
    return [read(path.relative_to(root), path.read_text()) for path in sorted(found)]


def read(path: Path, text: str) -> Document:
    """Takes one document apart."""
    document = Document(path)
    lines = iter(enumerate(text.splitlines(), 1))
    before = ""
    for number, line in lines:
        if fence := FENCE.match(line):
            document.blocks.append(read_block(path, number, fence, DIRECTIVE.match(before), lines))
        elif heading := HEADING.match(line):
            document.anchors.add(anchor(heading[1], document.anchors))
        else:
            document.links += [(number, target) for target in LINK.findall(CODE.sub("", line))]
            if line.lstrip().startswith("|"):
                document.rows.append((number, cells(line)))
        if line.strip():
            before = line
    return document


def read_block(path, number, fence, directive, lines) -> Block:
    indent = len(fence[1])
    code = []
    for _, line in lines:
        if line.strip() == "```":
            break
        code.append(line[indent:])
    how = Directive(**directive.groupdict()) if directive else None
    return Block(path, number, fence[2], "\n".join(code) + "\n", how)


def cells(line: str) -> list[str]:
    """The cells of a table's row; a bar behind a backslash is part of its cell."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def anchor(heading: str, taken: set[str]) -> str:
    """The anchor that GitHub gives a heading."""
    text = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
    count = 0
    while (candidate := f"{text}-{count}" if count else text) in taken:
        count += 1
    return candidate
