#!/usr/bin/env python3
"""Every scenario has a result in every language, and it is `passed`.

    tools/check_scenarios.py [LANGUAGE ...]

The drivers write target/scenarios/LANGUAGE.json. A language that was not run is told loudly; where CI=true it fails.
"""

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = ROOT / "bindings" / "contract" / "scenarios"
RESULTS = ROOT / "target" / "scenarios"
LANGUAGES = ("rust", "python", "kotlin", "swift")


def main(languages: list[str]) -> int:
    scenarios = sorted(file.stem for file in SCENARIOS.glob("*.json"))
    failures: list[str] = []
    complete: list[str] = []
    for language in languages:
        file = RESULTS / f"{language}.json"
        if not file.exists():
            absent(language, failures)
            continue
        results: dict[str, str] = json.loads(file.read_text())["results"]
        found = problems(language, scenarios, results)
        failures += found
        if not found:
            complete.append(language)
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    print(f"==> {len(scenarios)} scenarios passed in {', '.join(complete) or 'no language'}", file=sys.stderr)
    return 1 if failures else 0


def problems(language: str, scenarios: list[str], results: dict[str, str]) -> list[str]:
    """What is wrong with the results of one language."""
    missing = [f"{language}: {name} has no result" for name in scenarios if name not in results]
    unknown = [f"{language}: {name} is no scenario (an old result?)" for name in results if name not in scenarios]
    failed = [f"{language}: {name}: {result}" for name, result in results.items() if result != "passed"]
    return missing + unknown + failed


def absent(language: str, failures: list[str]) -> None:
    """A language without results was not built: no failure on a machine without its tools, one where all are there."""
    if os.environ.get("CI") == "true":
        failures.append(f"{language}: the scenarios were not played (CI=true: nothing may be skipped)")
    else:
        print(f"SKIPPED: the scenarios were not played in {language}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(LANGUAGES)))
