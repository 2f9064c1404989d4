"""Everything public says what it does, in which units, what it raises and what cancelling it does."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import is_dataclass
from operator import attrgetter
from types import FunctionType
from typing import Any

import pytest

import keepline
from keepline import events, otel, prometheus, sync, testing

MODULES = (keepline, sync, events, testing, otel, prometheus)

PROTOCOL = {"__iter__", "__aiter__", "__enter__", "__exit__", "__aenter__", "__aexit__", "__await__", "__repr__", "__str__"}
"""Special methods whose meaning is the language's."""


def public() -> Iterator[tuple[str, Any]]:
    """What `__all__` names, and the public functions in it."""
    seen: set[int] = set()
    for module in MODULES:
        for name in module.__all__:
            thing = getattr(module, name)
            is_ours = getattr(thing, "__module__", "").startswith("keepline")
            if id(thing) in seen or not is_ours or not (inspect.isclass(thing) or inspect.isroutine(thing)):
                continue
            seen.add(id(thing))
            where = f"{module.__name__}.{name}"
            yield where, thing
            if not inspect.isclass(thing) or issubclass(thing, BaseException):
                continue
            for part, member in vars(thing).items():
                if not part.startswith("_") or part in ("__next__", "__anext__"):
                    plain = inspect.unwrap(getattr(member, "__func__", member))
                    if isinstance(member, property) or isinstance(plain, FunctionType):
                        yield f"{where}.{part}", member if isinstance(member, property) else plain


PUBLIC = dict(public())
FUNCTIONS = {where: thing for where, thing in PUBLIC.items() if isinstance(thing, FunctionType)}


def test_enough_is_looked_at() -> None:
    assert len(FUNCTIONS) > 80
    assert {"keepline.connect", "keepline.Client.recv", "keepline.sync.Client.recv"} <= FUNCTIONS.keys()
    assert "keepline.Client.__anext__" in FUNCTIONS and "keepline.sync.Events.__next__" in FUNCTIONS


@pytest.mark.parametrize("where", PUBLIC)
def test_has_a_docstring_that_begins_with_a_sentence(where: str) -> None:
    told = inspect.getdoc(PUBLIC[where])
    assert told, where
    assert told.splitlines()[0][0].isupper() or told[0] == "`", where
    assert told.split("\n\n")[0].rstrip()[-1] in ".:)", where


@pytest.mark.parametrize("where", FUNCTIONS)
def test_durations_have_a_unit(where: str) -> None:
    function = FUNCTIONS[where]
    told = inspect.getdoc(function) or ""
    for name, annotation in annotations(function).items():
        if "Duration" in annotation:
            assert "second" in told or f"{name}: as for" in told, f"{where}: {name} has no unit"
        if name == "return" and annotation in ("float", "float | None"):
            assert "econds" in told, f"{where} returns a number without a unit"


@pytest.mark.parametrize("where", [where for where, function in FUNCTIONS.items() if inspect.iscoroutinefunction(function)])
def test_what_waits_says_what_cancelling_does(where: str) -> None:
    assert "ancel" in (inspect.getdoc(FUNCTIONS[where]) or ""), where


CALLS = [
    f"{kind}.{name}"
    for kind in ("keepline.Client", "keepline.sync.Client")
    for name in (
        *("try_send", "try_send_many", "send", "send_many", "send_tracked", "request"),
        *("recv", "recv_many", "events", "close", "closed"),
    )
]
CALLS += ["keepline.Client.__anext__", "keepline.sync.Client.__next__", "keepline.Receipt.outcome", "keepline.sync.Receipt.outcome"]
CALLS += [f"{module}.{name}" for module in ("keepline", "keepline.sync") for name in ("connect", "start", "doctor")]
CALLS += ["keepline.otel.Instruments.watch", "keepline.prometheus.Collector.watch"]


@pytest.mark.parametrize("where", CALLS)
def test_calls_say_what_they_raise(where: str) -> None:
    # What both clients inherit is found on either.
    told = inspect.getdoc(FUNCTIONS.get(where) or attrgetter(where.removeprefix("keepline."))(keepline)) or ""
    assert "\nRaises:\n" in told, where
    section = told.partition("\nRaises:\n")[2].split("\n\n")[0]
    names = {name for line in section.splitlines() for name in line.strip().partition(":")[0].split(", ")}
    known = {name for name in names if name.isidentifier() and hasattr(keepline, name)}
    assert known, f"{where} raises nothing that the package has"


@pytest.mark.parametrize(
    "where",
    [
        "keepline.connect",
        "keepline.start",
        "keepline.doctor",
        "keepline.Client",
        "keepline.Receipt",
        "keepline.Events",
        "keepline.Config",
        "keepline.Framing",
        "keepline.Heartbeat",
        "keepline.Script",
        "keepline.sync.connect",
        "keepline.sync.Client",
        "keepline.otel.Instruments",
        "keepline.prometheus.Collector",
    ],
)
def test_what_one_begins_with_has_an_example_that_compiles(where: str) -> None:
    code = textwrap.dedent("\n".join(example(written(PUBLIC[where]).splitlines()[1:])))
    assert code, f"{where} has no example"
    ast.parse(textwrap.dedent(f"async def example() -> None:\n{textwrap.indent(code, '    ')}"))


def example(lines: list[str]) -> Iterator[str]:
    """The first block that is indented once more than the text, which is by four, and is not a section."""
    section = False
    is_in = False
    for line in lines:
        if line.strip() in ("Args:", "Raises:"):
            section = True
        elif line.strip() and not line.startswith(" " * 8):
            section = False
            if is_in:
                return
        elif line.strip() and not section:
            is_in = True
            yield line


def written(thing: Any) -> str:
    """The docstring with its indentation: newer compilers take that away."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    assert isinstance(tree, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    return ast.get_docstring(tree, clean=False) or ""


def annotations(function: FunctionType) -> dict[str, str]:
    """As they are written: `Duration` is an alias, and would be gone."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    node = tree.body[0]
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    told = {argument.arg: ast.unparse(argument.annotation) for argument in arguments if argument.annotation is not None}
    if node.returns is not None:
        told["return"] = ast.unparse(node.returns)
    return told


def test_fields_of_dataclasses_are_described() -> None:
    for where, thing in PUBLIC.items():
        # Those that only class methods make have fields that nobody has to fill.
        if inspect.isclass(thing) and is_dataclass(thing) and "Made by" not in (thing.__doc__ or ""):
            missing = {name for name in thing.__annotations__ if not name.startswith("_")} - attribute_docs(thing)
            assert not missing, f"{where}: {missing}"


def attribute_docs(kind: type[Any]) -> set[str]:
    """The attributes that a string stands right behind."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = set()
    for before, after in zip(body.body, body.body[1:], strict=False):
        is_told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name) and is_told:
            found.add(before.target.id)
    return found
