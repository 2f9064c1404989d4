"""Tests that documents name as proofs are there: a link whose words are a test's name leads to a file with that test.

    [`silent_peer_is_declared_dead`](../../core/proto/tests/liveness.rs)

A promise of `docs/explain/guarantees.md` and a fault of `docs/explain/faults-tested.md` without such a link are failures too.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from .markdown import Document
from .report import Report

GUARANTEES = Path("docs/explain/guarantees.md")
PROMISE = re.compile(r"^## (G\d+)\b")
# Twelve: what reliability was designed for; one that is dropped is dropped here too.
PROMISES = [f"G{number}" for number in range(1, 13)]

FAULTS = Path("docs/explain/faults-tested.md")
# A row is for one fault, for some, or for all from one to another.
ROW = re.compile(r"^\| ([\d–, ]+) \|")
LAST_FAULT = 95
# Of compression and of sessions that a server resumes: neither is here.
ABSENT = {68, 69, 70}

PROOF = re.compile(r"\[`([^`/]+)`\]\(([^)#\s]+\.(?:rs|py|kt|swift))\)")
# A test of Rust carries its attribute right above; that of a random one stands above its parameters, inside a macro.
RUST_TEST = r"#\[(?:tokio::)?test\b[^\]]*\]\s*(?:#\[(?!ignore)[^\]]*\]\s*)*(?:async )?fn {name}\("
PYTHON_TEST = r"^\s*(?:async )?def {name}\("
KOTLIN_TEST = r"@Test\s+fun `{name}`\("
SWIFT_TEST = r"^\s*func (?=test){name}\("
TESTS = {".rs": RUST_TEST, ".py": PYTHON_TEST, ".kt": KOTLIN_TEST, ".swift": SWIFT_TEST}


def check(root: Path, documents: list[Document], report: Report) -> None:
    """Follows every link that is a proof, after trying itself on links that are none."""
    check_itself(root, report)
    for document in documents:
        for line, name, target in proofs((root / document.path).read_text()):
            problem = follow(root, document.path, name, target)
            report.expect(problem is None, f"{document.path}:{line}: {problem}")
    check_promises((root / GUARANTEES).read_text(), report)
    check_faults((root / FAULTS).read_text(), report)


def proofs(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, test and file of each link that is a proof."""
    for number, line in enumerate(text.splitlines(), 1):
        for name, target in PROOF.findall(line):
            yield number, name, target


def follow(root: Path, source: Path, name: str, target: str) -> str | None:
    """Says what is wrong with a proof."""
    path = (root / source.parent / target).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        return f"{target}: no such file"
    if not re.search(TESTS[path.suffix].replace("{name}", re.escape(name)), path.read_text(), re.MULTILINE):
        return f"{target}: has no test `{name}`"
    return None


def check_promises(text: str, report: Report) -> None:
    """Every promise is there, in order, with at least one proof."""
    proved: dict[str, int] = {}
    promise = None
    for line in text.splitlines():
        if line.startswith("## "):
            found = PROMISE.match(line)
            promise = found[1] if found else None
            if promise:
                proved[promise] = 0
        elif promise:
            proved[promise] += len(PROOF.findall(line))
    report.expect(list(proved) == PROMISES, f"{GUARANTEES}: promises are {', '.join(proved)}; expected {', '.join(PROMISES)}")
    for promise, count in proved.items():
        report.expect(count > 0, f"{GUARANTEES}: {promise} is linked to no test")


def check_faults(text: str, report: Report) -> None:
    """Every fault has a row of its own or with its neighbours, and every row a proof. A span adds to rows, it is none."""
    told: set[int] = set()
    for number, line in enumerate(text.splitlines(), 1):
        if found := ROW.match(line):
            report.expect(PROOF.search(line) is not None, f"{FAULTS}:{number}: a fault that is linked to no test")
            if "–" not in found[1]:
                told |= {int(row) for row in found[1].split(",")}
    missing = sorted(set(range(1, LAST_FAULT + 1)) - ABSENT - told)
    report.expect(not missing, f"{FAULTS}: no row for {', '.join(map(str, missing))}")


def check_itself(root: Path, report: Report) -> None:
    """A check that cannot fail proves nothing: each of these has to be found wrong, or right."""
    here, there = Path("docs/explain/x.md"), "../../core/proto/tests/liveness.rs"
    python = "../../bindings/python/tests/test_frozen.py"
    kotlin = "../../bindings/kotlin/src/test/kotlin/dev/keepline/CallbackTest.kt"
    swift = "../../bindings/swift/Tests/KeeplineTests/ClientTests.swift"
    known = "silent_peer_is_declared_dead_after_interval_plus_timeout"
    expected = [
        (f"[`{known}`]({there})", True),
        (f"[`{known}s`]({there})", False),
        (f"[`{known[:-1]}`]({there})", False),
        (f"[`{known}`](../../core/proto/tests/nowhere.rs)", False),
        # A helper in the same file is no test.
        (f"[`config`]({there})", False),
        (f"[`test_blindness_without_a_heartbeat_is_told_when_the_client_is_made`]({python})", True),
        (f"[`test_nothing`]({python})", False),
        (f"[`client that nobody holds is collected, with its socket`]({kotlin})", True),
        (f"[`client that nobody holds`]({kotlin})", False),
        (f"[`testMessagesGoRoundAndACloseOnRequestEndsTheSequence`]({swift})", True),
        (f"[`testMessagesGoRound`]({swift})", False),
    ]
    for link, holds in expected:
        found = [follow(root, here, name, target) for _, name, target in proofs(link)]
        report.expect((found == [None]) is holds and len(found) == 1, f"check of proofs: {link} is taken for {found}")
    ignored = re.search(RUST_TEST.replace("{name}", "x"), "#[test]\n#[ignore]\nfn x() {")
    report.expect(ignored is None, "check of proofs: an ignored test is taken for a proof")
    silent = Report()
    silent.quiet = True
    check_promises("\n".join(f"## {promise}: words\n\n[`a`](b.rs)" for promise in PROMISES[:-1]) + "\n## G12: words\n", silent)
    report.expect(silent.failed == 1, "check of proofs: a promise without a test goes unseen")
    silent.failed = 0
    rows = [f"| {row} | words | [`a`](b.rs) |" for row in range(1, LAST_FAULT)]
    check_faults("\n".join([*rows, "| 1–58 | words | [`a`](b.rs) |"]), silent)
    check_faults("\n".join([*rows, f"| {LAST_FAULT} | words | a |"]), silent)
    report.expect(silent.failed == 2, "check of proofs: a fault without a row or a test goes unseen")
