"""Every dependency is argued for: each one that a crate declares is named in the decisions."""

import tomllib
from pathlib import Path

from .report import Report

DECISION = Path("docs/decisions/dependencies.md")


def check(root: Path, report: Report) -> None:
    """Looks for the name of each dependency in the first column of the decision's tables."""
    argued = (root / DECISION).read_text()
    for manifest in [*root.glob("core/*/Cargo.toml"), *root.glob("bindings/*/Cargo.toml")]:
        for name in sorted(declared(tomllib.loads(manifest.read_text()))):
            if not name.startswith("keepline"):
                where = manifest.relative_to(root)
                report.expect(f"`{name}`" in argued, f"{DECISION}: {name}, a dependency of {where}, is not argued for")


def declared(manifest: dict) -> set[str]:
    """The names of all dependencies, for every system and purpose."""
    names = set()
    for table in [manifest, *manifest.get("target", {}).values()]:
        for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
            names |= table.get(kind, {}).keys()
    return names
