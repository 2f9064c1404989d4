"""Examples in Python: all are compiled, their names are looked up in the package, and the marked ones are run."""

import ast
import subprocess
import textwrap
from pathlib import Path

from . import examples
from .markdown import Block, Document
from .report import Report

# Where the package is installed for its tests.
INTERPRETER = Path("target/venv-python/bin/python")

# Says which of the dotted names it is given do not exist.
LOOK_UP = """
import sys, keepline
for name in sys.argv[1:]:
    found = keepline
    for part in name.split(".")[1:]:
        if not hasattr(found, part):
            print(name)
            break
        found = getattr(found, part)
"""


def check(root: Path, documents: list[Document], report: Report) -> None:
    """Compiles every block, looks its names up, then runs the marked ones."""
    blocks = [block for document in documents for block in document.blocks if block.language == "python"]
    if not blocks:
        return
    interpreter = root / INTERPRETER
    is_built = interpreter.exists() and has_package(interpreter)
    if not is_built:
        report.skip(f"the examples in Python: the package is not in {INTERPRETER.parent.parent} (make test-python)")
    for block in blocks:
        tree = parse(block, report)
        if tree is None or not is_built:
            continue
        unknown = look_up(interpreter, names_in(tree))
        report.expect(not unknown, f"{block.where}: not in the package: {', '.join(unknown)}")
        if block.directive:
            examples.run(root, block, report, lambda code: [str(interpreter), "-c", code])


def parse(block: Block, report: Report) -> ast.Module | None:
    """Parses a block; a fragment may await."""
    code = textwrap.dedent(block.code)
    try:
        compile(code, block.where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        tree = ast.parse(code)
    except SyntaxError as error:
        report.expect(False, f"{block.where}: {error}")
        return None
    report.expect(True, "")
    return tree


def has_package(interpreter: Path) -> bool:
    return subprocess.run([str(interpreter), "-c", "import keepline"], capture_output=True, check=False).returncode == 0


def names_in(tree: ast.Module) -> list[str]:
    """The dotted names that start with the package's."""
    written = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return sorted(name for name in written if name.startswith("keepline.") and "(" not in name and "[" not in name)


def look_up(interpreter: Path, names: list[str]) -> list[str]:
    found = subprocess.run([str(interpreter), "-c", LOOK_UP, *names], capture_output=True, text=True, check=False)
    return found.stdout.split() if found.returncode == 0 else [found.stderr.strip()]
