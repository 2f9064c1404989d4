"""Writes the examples in Swift of all documents as files that can be compiled: `swift_snippets.py DIRECTORY`.

A block that imports something is a whole file. Any other is a fragment: the body of an async function that is given a
`client` and some `bytes`. tools/test_swift.sh compiles them.
"""

import sys
from pathlib import Path

from doccheck import markdown

ROOT = Path(__file__).resolve().parent.parent

FRAGMENT = """\
import Foundation
import Keepline

func fragment(client: Client, bytes: Data) async throws {{
{code}
}}
"""


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.swift"):
        old.unlink()
    for document in markdown.read_all(ROOT):
        for block in document.blocks:
            if block.language == "swift":
                (directory / f"{block.name}.swift").write_text(source(block))


def source(block: markdown.Block) -> str:
    # Errors then name the document and its line.
    code = f'#sourceLocation(file: "{block.path}", line: {block.line + 1})\n{block.code}'
    return code if "import " in block.code else FRAGMENT.format(code=code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
