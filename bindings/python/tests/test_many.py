"""Many clients: what they cost, and that nothing of them stays."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from servers import echo_process

PROGRAM = Path(__file__).with_name("many.py")
ALIVE = 1000


@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")
async def test_a_thousand_clients_alive_and_two_thousand_gone_leave_nothing_behind() -> None:
    async with echo_process() as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(PROGRAM), str(server.port), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(280):
            said, told = await process.communicate()
    assert process.returncode == 0 and not told, told.decode()
    measured = json.loads(said)
    before, alive, first, second = (measured[name] for name in ("before", "alive", "first", "second"))
    # A descriptor each, and no thread at all.
    assert ALIVE - 1 <= alive["descriptors"] - before["descriptors"] <= ALIVE + 3
    assert alive["threads"] <= before["threads"] + 1
    # 20 KB each with all that Python keeps beside the core's 2 KB: a buffer in each would be more.
    assert alive["resident"] - before["resident"] < ALIVE * 20 * 1024
    assert second["descriptors"] <= before["descriptors"] + 1
    assert second["threads"] <= before["threads"] + 1
    assert abs(second["resident"] - first["resident"]) <= 0.05 * first["resident"]
