"""Every example of the documents runs as it stands; those that are tests, with pytest."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from servers import Server

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [
    ROOT / "bindings" / "python" / "README.md",
    ROOT / "docs" / "howto" / "python" / "client.md",
    ROOT / "docs" / "howto" / "python" / "testing.md",
]
EXAMPLES = [
    pytest.param(code, id=f"{document.name}-{number}")
    for document in DOCUMENTS
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL), 1)
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("code", EXAMPLES)
async def test_example_runs(code: str, echo_server: Server, tmp_path: Path) -> None:
    program = tmp_path / "test_example.py"
    program.write_text(code.replace("127.0.0.1:7000", f"127.0.0.1:{echo_server.port}"))
    # Without the plugins of these tests themselves: a user may have none of them.
    runner = ["-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:timeout"] if "def test_" in code else []
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *runner,
        str(program),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(280):
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b""), out
    assert out
