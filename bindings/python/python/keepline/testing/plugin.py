"""The pytest plugin: fixtures ``chaos_proxy`` and ``flaky_server``. Loaded by pytest, and by nothing else."""

from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeAlias

import pytest

from keepline.testing._chaos import ChaosProxy
from keepline.testing._flaky import FlakyServer

ProxyFactory: TypeAlias = Callable[..., ChaosProxy]
"""The type of the fixture ``chaos_proxy``: takes what `ChaosProxy` takes."""

_PROXIES = pytest.StashKey[list[ChaosProxy]]()

_SHOWN = 40
"""The last records of a proxy that a failed test shows: a screen of them."""


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker."""
    config.addinivalue_line("markers", "flaky_server(**options): what the server of the fixture flaky_server is made with")


@pytest.fixture
def chaos_proxy(request: pytest.FixtureRequest) -> Iterator[ProxyFactory]:
    """Puts a `keepline.testing.ChaosProxy` in front of an address: ``chaos_proxy(("127.0.0.1", 6379))``.

    It takes what `ChaosProxy` takes and may be called several times. The proxies end with the test; if it fails, the
    report shows what happened in them.
    """
    proxies = request.node.stash[_PROXIES] = list[ChaosProxy]()

    def in_front_of(upstream: str | tuple[str, int], **options: Any) -> ChaosProxy:
        proxy = ChaosProxy(upstream, **options)
        proxies.append(proxy)
        return proxy

    yield in_front_of
    for proxy in proxies:
        proxy.shut_down()


@pytest.fixture
def flaky_server(request: pytest.FixtureRequest) -> Iterator[FlakyServer]:
    """A `keepline.testing.FlakyServer` that sends lines back until the test says otherwise.

    ``@pytest.mark.flaky_server(answer=b"+PONG\\r\\n")`` makes it with these options. It ends with the test.
    """
    marker = request.node.get_closest_marker("flaky_server")
    with FlakyServer(**(marker.kwargs if marker is not None else {})) as server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds what happened in the proxies to the report of a failed test."""
    report = yield
    if report.when == "call" and report.failed:
        for proxy in item.stash.get(_PROXIES, []):
            history = proxy.history()
            lines = [str(record) for record in history[-_SHOWN:]]
            if len(history) > _SHOWN:
                lines.insert(0, f"({len(history) - _SHOWN} earlier ones)")
            report.sections.append((f"chaos proxy on port {proxy.port}", "\n".join(lines)))
    return report
