"""Sub-interpreters are refused, and clients may be used until the interpreter ends."""

import subprocess
import sys

import pytest

import keepline
from servers import blocking_echo_process

SUB = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
{before}
try:
    number = interpreters.create({how})
except TypeError:
    number = interpreters.create("legacy")
failed = interpreters.run_string(number, '''
try:
    import keepline
except ImportError as error:
    print(error, flush=True)
''')
print(failed)
interpreters.destroy(number)
import keepline
client = keepline.sync.start("127.0.0.1:1")
client.abort()
print(client.closed().cause)
"""


@pytest.mark.parametrize("how", ["", "isolated=False"], ids=["isolated", "sharing-the-lock"])
@pytest.mark.parametrize("before", ["", "import keepline"], ids=["first", "second"])
def test_sub_interpreter_gets_an_import_error_and_the_main_one_works(how: str, before: str) -> None:
    if sys.version_info[:2] == (3, 12) and not how and not before:
        pytest.skip("CPython 3.12 refuses it there itself, before our code runs, and then corrupts its own memory")
    program = SUB.format(how=how, before=before)
    command = [sys.executable, "-W", "ignore", "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (ran.returncode, ran.stderr) == (0, "")
    told, failed, cause = ran.stdout.splitlines()
    assert "interpreter" in told, told
    assert (failed, cause) == ("None", "requested")


AT_EXIT = """
import asyncio, atexit, keepline
address = ("127.0.0.1", {port})
client = keepline.sync.connect(address, framing=keepline.Framing.lines())

@atexit.register
def use():
    client.send(b"hello")
    print(client.recv(timeout=5).payload)
    other = keepline.sync.connect(address, framing=keepline.Framing.lines())
    print(other.close().cause)

    async def main():
        async with keepline.connect(address, framing=keepline.Framing.lines()) as client:
            await client.send(b"from a loop")
            print((await client.recv(timeout=5)).payload)

    asyncio.run(main())
"""


def test_clients_work_in_functions_that_run_at_exit() -> None:
    with blocking_echo_process() as server:
        program = AT_EXIT.format(port=server.port)
        command = [sys.executable, "-X", "dev", "-W", "error", "-c", program]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == ["b'hello'", "requested", "b'from a loop'"]


def test_library_shows_the_process_nothing_but_its_module() -> None:
    # What it were to show beside that could stand in for the symbols of others, or others' for its own.
    command = ["nm", "--dynamic", "--defined-only", keepline._core.__file__]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.split()[2::3]
    assert shown == ["PyInit__core"]
