"""Every example of the documents runs as it stands."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from servers import Server

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [ROOT / "bindings" / "python" / "README.md", ROOT / "docs" / "howto" / "python.md"]
EXAMPLES = [
    pytest.param(code, id=f"{document.name}-{number}")
    for document in DOCUMENTS
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL), 1)
]


@pytest.mark.parametrize("code", EXAMPLES)
async def test_example_runs(code: str, echo_server: Server) -> None:
    program = code.replace("127.0.0.1:7000", f"127.0.0.1:{echo_server.port}")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert out
