"""The scenarios of ``bindings/contract/scenarios``, played with the Python client. Every language plays the same ones."""

import asyncio
import json
from pathlib import Path

import pytest

from playing import ROOT, Chaos, Player
from playing_options import Throwing, config_of

FILES = sorted((ROOT / "bindings" / "contract" / "scenarios").glob("*.json"))
"""One scenario each."""

AT_ONCE = 12
"""They wait far more than they work."""

LIMIT = 40.0
"""Seconds for one step; the longest takes a few on an idle machine."""


@pytest.fixture(scope="module")
def results() -> dict[str, str]:
    """What became of each scenario: all are played at the same time, once."""
    file = ROOT / "target" / "scenarios" / "python.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    # What an earlier run left is no result of this one.
    file.unlink(missing_ok=True)
    played = asyncio.run(_play_all())
    file.write_text(json.dumps({"language": "python", "results": played}, indent=2) + "\n")
    return played


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_scenario_goes_as_it_is_written(results: dict[str, str], name: str) -> None:
    assert results[name] == "passed"


def test_there_are_as_many_scenarios_as_were_promised() -> None:
    assert len(FILES) >= 25


async def _play_all() -> dict[str, str]:
    slots = asyncio.Semaphore(AT_ONCE)

    async def played(file: Path) -> str:
        async with slots:
            return await _play(file)

    results = await asyncio.gather(*map(played, FILES))
    return {file.stem: result for file, result in zip(FILES, results, strict=True)}


async def _play(file: Path) -> str:
    """Plays one scenario; what went another way is the result."""
    scenario = json.loads(file.read_text())
    chaos, options = await Chaos.start(), scenario["options"]
    if options.get("tls", {}).get("ca") == "chaos":
        certificate = await chaos.tell("authority chaos")
        pem = f"-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n"
        options["tls"] = {"ca_pem": pem}
    if "proxy" in options:
        options["proxy"] = "http://" + await chaos.tell("http-proxy proxy " + options["proxy"])
    player = Player(chaos, config_of(options), Throwing(options))
    try:
        for number, step in enumerate(scenario["steps"], 1):
            try:
                async with asyncio.timeout(LIMIT):
                    await player.step(step)
            except Exception as reason:
                return f"step {number}, {step!r}: {reason!r}"
    finally:
        await player.end()
    return "passed"
