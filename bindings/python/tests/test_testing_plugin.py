"""The pytest plugin as a user has it: installed, found by itself, with both fixtures."""

import pytest

pytest_plugins = ["pytester"]

# Without the plugins of these tests themselves: a user may have none of them.
QUIET = ["-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:timeout"]

USER = '''
import socket

import pytest


def talk(address, message):
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(message)
        return client.recv(100)


def test_server_echoes_and_restarts(flaky_server):
    assert talk(flaky_server.address, b"hello\\n") == b"hello\\n"
    flaky_server.restart()
    assert talk(flaky_server.address, b"again\\n") == b"again\\n"


@pytest.mark.flaky_server(answer=b"+PONG\\r\\n", delimiter=b"\\r\\n")
def test_server_is_made_with_the_options_of_the_marker(flaky_server):
    assert talk(flaky_server.address, b"PING\\r\\n") == b"+PONG\\r\\n"
    assert flaky_server.received == [b"PING\\r\\n"]


def test_proxies_stand_in_front_of_an_address(chaos_proxy, flaky_server):
    one, two = chaos_proxy(flaky_server.address), chaos_proxy("localhost:%d" % flaky_server.port, receive_buffer=4096)
    assert talk(one.address, b"hello\\n") == talk(two.address, b"hello\\n") == b"hello\\n"
    one.refuse()
    with pytest.raises(ConnectionRefusedError):
        talk(one.address, b"hello\\n")
    assert talk(two.address, b"hello\\n") == b"hello\\n"
'''


def test_fixtures_are_there_once_the_package_is_installed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(USER)
    result = pytester.runpytest_subprocess(*QUIET, "--strict-markers", "-W", "error")
    result.assert_outcomes(passed=3)
    help_text = pytester.runpytest_subprocess("--fixtures", *QUIET).stdout.str()
    assert "chaos_proxy" in help_text and "flaky_server" in help_text


def test_failed_test_shows_what_happened_in_its_proxies(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import socket

        def test_fails(chaos_proxy, flaky_server):
            proxy = chaos_proxy(flaky_server.address)
            with socket.create_connection(proxy.address, timeout=5) as client:
                client.sendall(b"hello\\n")
                client.recv(100)
                proxy.silence("down")
                assert False
        """
    )
    result = pytester.runpytest_subprocess(*QUIET)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*chaos proxy on port *", "*#1 *accepted*", "*forwarded*up*6 bytes at 0*", "*faulted*down*DropAfter*"]
    )


def test_error_of_an_answer_fails_the_test_that_caused_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import socket

        def test_asks(flaky_server):
            def broken(message):
                raise LookupError("no such answer")

            flaky_server.answer(broken)
            with socket.create_connection(flaky_server.address, timeout=5) as client:
                client.sendall(b"hello\\n")
                try:
                    client.recv(100)
                except ConnectionResetError:
                    pass
        """
    )
    result = pytester.runpytest_subprocess(*QUIET)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*LookupError: no such answer*"])


def test_nothing_is_left_of_the_fixtures_after_each_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import socket
        import pytest

        left = []

        def test_uses_them(chaos_proxy, flaky_server):
            left.extend([chaos_proxy(flaky_server.address).address, flaky_server.address])

        def test_finds_nobody():
            for address in left:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(address, timeout=5)
        """
    )
    pytester.runpytest_subprocess(*QUIET).assert_outcomes(passed=2)
