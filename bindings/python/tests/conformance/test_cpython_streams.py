"""CPython's own tests of asyncio streams, run over the drop-in: those of the interpreter that runs this."""

import importlib
import os
import unittest

import pytest

from conformance import dropin

NO_TESTS = "CPython's test package is not installed: apt-get install libpython3-testsuite"


def _cases() -> type[unittest.TestCase] | None:
    """CPython's class, which pytest would collect by itself if it were a name of this module."""
    try:
        found: type[unittest.TestCase] = importlib.import_module("test.test_asyncio.test_streams").StreamTests
    except ImportError:
        return None
    return found


# What these test is no connection of a client of ours: they are run beside the others, and must have opened none.
NOT_APPLICABLE = {
    "test_open_unix_connection": "asyncio.open_unix_connection is another function, which has no drop-in",
    "test_open_unix_connection_no_loop_ssl": "as test_open_unix_connection",
    "test_open_unix_connection_error": "as test_open_unix_connection",
    "test_start_unix_server": "as test_open_unix_connection",
    "test_read_all_from_pipe_reader": "reads a pipe, not a connection",
}

TOUCHED: set[str] = set()
"""The tests that have opened a connection."""


def _names() -> list[str]:
    cases = _cases()
    return [] if cases is None else list(unittest.TestLoader().getTestCaseNames(cases))


def _opened_in(name: str) -> int:
    """Runs one of them, which must pass; how many connections it opened over Keepline."""
    cases = _cases()
    assert cases is not None
    result = unittest.TestResult()
    with dropin.in_place() as opened:
        cases(name).run(result)
        count = len(opened)
    problems = result.failures + result.errors
    assert not problems, problems[0][1]
    assert result.testsRun == 1 and not result.skipped
    return count


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", [name for name in _names() if name not in NOT_APPLICABLE])
def test_stream_test_of_cpython_passes_over_the_drop_in(name: str) -> None:
    if _opened_in(name):
        TOUCHED.add(name)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", NOT_APPLICABLE)
def test_what_does_not_apply_is_there_and_opens_no_connection_of_the_drop_in(name: str) -> None:
    if _cases() is not None:
        assert _opened_in(name) == 0, f"it applies, though: {NOT_APPLICABLE[name]}"


def test_enough_of_them_open_connections() -> None:
    """A run in which nothing was opened would prove nothing."""
    if _cases() is None:
        # In CI a skipped test would look like a passed one.
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(NO_TESTS)
    assert len(TOUCHED) >= 10, TOUCHED
