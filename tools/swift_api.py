#!/usr/bin/env python3
"""What users of the Swift module see, one declaration a line, out of the compiler's symbol graph: a change of it shows in a review.

    tools/swift_api.py MODULE GRAPHS     prints it; GRAPHS is the folder that `swift-symbolgraph-extract` has written to
"""

import json
import sys
from pathlib import Path
from typing import Any

Symbol = dict[str, Any]


def main(module: str, graphs: Path) -> None:
    symbols: dict[str, Symbol] = {}
    parents: dict[str, str] = {}
    conforms: dict[str, set[str]] = {}
    # The module's own, and what it adds to types of others (Keepline@Foundation).
    for file in sorted(graphs.glob(f"{module}*.symbols.json")):
        graph = json.loads(file.read_text())
        symbols |= {symbol["identifier"]["precise"]: symbol for symbol in graph["symbols"]}
        for relation in graph["relationships"]:
            match relation["kind"]:
                case "memberOf":
                    parents[relation["source"]] = relation["target"]
                case "conformsTo" | "inheritsFrom":
                    target = relation.get("targetFallback") or name_of(symbols, relation["target"])
                    conforms.setdefault(relation["source"], set()).add(target)
    lines = [line_of(symbol, conforms.get(key, set())) for key, symbol in symbols.items() if is_shown(key, symbol)]
    print(f"// What users of {module} see. Written by tools/swift_api.py; to be reviewed, not edited.")
    for line in sorted(lines):
        print(line)


def name_of(symbols: dict[str, Symbol], key: str) -> str:
    return ".".join(symbols[key]["pathComponents"]) if key in symbols else key


def is_shown(key: str, symbol: Symbol) -> bool:
    """Members that a protocol brings are told by the conformance alone."""
    return symbol["accessLevel"] in ("public", "open") and "::SYNTHESIZED::" not in key


def line_of(symbol: Symbol, conforms: set[str]) -> str:
    declaration = " ".join("".join(part["spelling"] for part in symbol["declarationFragments"]).split())
    place = ".".join(symbol["pathComponents"][:-1])
    # What every type has without being told so tells nothing.
    told = sorted(name for name in conforms if name not in ("Swift.Copyable", "Swift.Escapable"))
    return f"{place + ': ' if place else ''}{declaration}{' : ' + ', '.join(told) if told else ''}"


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
