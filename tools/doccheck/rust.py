"""Examples in Rust: all are compiled as one package, and the marked ones are run.

A block with a `main` is a program. Any other is a fragment: the body of an async function that is given a `client`.
"""

import json
import re
import subprocess
import tomllib
from pathlib import Path

from . import examples
from .markdown import Block, Document
from .report import Report

# These are compiled and run by their own crate (cargo test).
DOCTESTED = {Path("core/testkit/README.md")}
# What the examples may use, beside keepline itself; with the features they need, or that the tests need and have built.
DEPENDENCIES = {"bytes": [], "tokio": ["full", "test-util"], "tokio-modbus": [], "hyper": [], "hyper-util": [], "http-body-util": []}

FRAGMENT = """\
use keepline::*;
use std::time::Duration;

pub async fn fragment(client: Client) -> Result<(), Box<dyn std::error::Error>> {{
{code}
    Ok(())
}}
"""


def check(root: Path, documents: list[Document], report: Report) -> None:
    """Compiles every block, then runs the marked ones."""
    blocks = [
        block
        for document in documents
        if document.path not in DOCTESTED
        for block in document.blocks
        if block.language == "rust"
    ]
    if not blocks:
        return
    package = root / "target/doccheck/rust"
    write_package(root, package, blocks)
    errors, programs = build(root, package)
    for block in blocks:
        broken = errors.get(block.name)
        report.expect(broken is None, f"{block.where}: does not compile:\n{broken}")
    if stray := errors.get(""):
        report.expect(False, f"the examples do not build:\n{stray}")
    for block in blocks:
        if block.directive is None:
            continue
        if not is_program(block):
            report.expect(False, f"{block.where}: is marked to be run and has no main")
        elif block.name in programs:
            run(root, block, package, report)
        else:
            report.expect(block.name in errors, f"{block.where}: was not run, because the examples do not build")


def is_program(block: Block) -> bool:
    return re.search(r"^(async )?fn main\(", block.code, re.MULTILINE) is not None


def run(root: Path, block: Block, package: Path, report: Report) -> None:
    """Runs a program. The address is part of its text, so it is compiled once more with the living server's."""

    def command(code: str) -> list[str]:
        source = package / f"src/bin/{block.name}.rs"
        if source.read_text() != code:
            source.write_text(code)
            build(root, package, block.name)
        return [str(build(root, package, block.name)[1][block.name])]

    examples.run(root, block, report, command)


def write_package(root: Path, package: Path, blocks: list[Block]) -> None:
    """Writes the package, touching only what changed, so that what was built stays built."""
    workspace = tomllib.loads((root / "Cargo.toml").read_text())
    lines = ["[package]", 'name = "keepline-doccheck"', 'version = "0.0.0"']
    lines += [f'edition = "{workspace["workspace"]["package"]["edition"]}"', "publish = false", "", "[dependencies]"]
    lines += [f'keepline = {{ path = "{root}/core/client" }}', f'keepline-proto = {{ path = "{root}/core/proto" }}']
    lines += [f'keepline-testkit = {{ path = "{root}/core/testkit" }}']
    for name, features in DEPENDENCIES.items():
        lines.append(dependency(name, workspace["workspace"]["dependencies"][name], features))
    # The profile of the workspace, so that dependencies are not built twice.
    lines += ["", "[workspace]", "", "[profile.dev]", 'debug = "line-tables-only"', "", '[profile.dev.package."*"]', "debug = false"]
    put(package / "Cargo.toml", "\n".join(lines) + "\n")
    if not (package / "Cargo.lock").exists():
        put(package / "Cargo.lock", (root / "Cargo.lock").read_text())

    wanted = {package / "src/lib.rs"}
    fragments = [block for block in blocks if not is_program(block)]
    modules = "".join(f"mod {block.name};\n" for block in fragments)
    put(package / "src/lib.rs", f"#![allow(unused, clippy::all)]\n{modules}")
    for block in fragments:
        wanted.add(package / f"src/{block.name}.rs")
        put(package / f"src/{block.name}.rs", FRAGMENT.format(code=block.code))
    for block in blocks:
        if is_program(block):
            wanted.add(package / f"src/bin/{block.name}.rs")
            put(package / f"src/bin/{block.name}.rs", block.code)
    for old in set((package / "src").rglob("*.rs")) - wanted:
        old.unlink()


def dependency(name: str, declared: str | dict, features: list[str]) -> str:
    declared = {"version": declared} if isinstance(declared, str) else declared
    listed = sorted({*declared.get("features", []), *features})
    defaults = str(declared.get("default-features", True)).lower()
    return f'{name} = {{ version = "{declared["version"]}", default-features = {defaults}, features = {json.dumps(listed)} }}'


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def build(root: Path, package: Path, program: str | None = None) -> tuple[dict[str, str], dict[str, Path]]:
    """Builds; gives the errors by the block they are in, and where the programs are."""
    command = ["cargo", "build", "--quiet", "--keep-going", "--message-format=json", "--manifest-path", str(package / "Cargo.toml")]
    command += ["--target-dir", target_directory(root)]
    command += ["--bin", program] if program else []
    built = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    errors: dict[str, str] = {}
    programs: dict[str, Path] = {}
    for line in built.stdout.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("executable"):
            programs[message["target"]["name"]] = Path(message["executable"])
        told = message.get("message")
        if isinstance(told, dict) and told.get("level") == "error" and told.get("spans"):
            name = Path(told["spans"][0]["file_name"]).stem
            errors[name] = errors.get(name, "") + told["rendered"]
    if built.returncode != 0 and not errors:
        errors[""] = built.stderr
    return errors, programs


def target_directory(root: Path) -> str:
    """The workspace's own, so that what it built is used."""
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version=1", "--no-deps", "--locked"], cwd=root, capture_output=True, text=True, check=True
    )
    return json.loads(metadata.stdout)["target_directory"]
