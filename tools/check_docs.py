"""Checks the documents against the code, and runs their examples.

Links lead somewhere, the reference names what the code has and nothing else, tables of defaults show the defaults,
tests that are named as proofs exist, measured figures are as they were measured, nothing names a path of somebody's machine,
and every example in Rust, Python or the shell compiles or runs.

A block of code is run if a comment stands right before it:

    <!-- run: redis at localhost:6379, prints: +OK -->

The server is started for the block alone, on a free port that takes the place of the address in the block. Without
such a comment a block is compiled only. Needs the standard library, and cargo for the examples.
"""

import argparse
import sys
from pathlib import Path

from doccheck import dependencies, links, markdown, measured, names, paths, profiles, proofs, python, rust, shell
from doccheck.report import Report

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-examples", action="store_true", help="checks everything but the examples")
    arguments = parser.parse_args()

    report = Report()
    documents = markdown.read_all(ROOT)
    links.check(ROOT, documents, report)
    names.check(ROOT, documents, report)
    profiles.check(ROOT, documents, report)
    dependencies.check(ROOT, report)
    paths.check(ROOT, report)
    proofs.check(ROOT, documents, report)
    measured.check(ROOT, report)
    if not arguments.no_examples:
        rust.check(ROOT, documents, report)
        shell.check(ROOT, documents, report)
        python.check(ROOT, documents, report)
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
