"""A system that refuses socket options, as sandboxes and old kernels do: the client lives without them and says so."""

import platform
import subprocess
import sys

from servers import blocking_echo_process

SETSOCKOPT = {"x86_64": 54, "aarch64": 208}
ENOPROTOOPT = 92
EPERM = 1
TCP_USER_TIMEOUT = 18
TCP_RTO_MAX_MS = 44

PROGRAM = """
import asyncio, ctypes, socket, struct, keepline

# Of `struct seccomp_data` the number of the system call, and the third argument: the option.
def code(kind, yes, no, value):
    return struct.pack("HBBI", kind, yes, no, value)

LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | {errno}
only = {only}
filters = [code(LOAD, 0, 0, 0), code(EQUAL, 0, 3 if only else 1, {setsockopt})]
if only:
    filters += [code(LOAD, 0, 0, 32), code(EQUAL, 0, 1, only)]
filters += [code(RETURN, 0, 0, REFUSE), code(RETURN, 0, 0, ALLOW)]

def refuse():
    libc = ctypes.CDLL(None, use_errno=True)
    lines = ctypes.create_string_buffer(b"".join(filters))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(filters), ctypes.addressof(lines)))
    NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
    assert libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    assert libc.prctl(SECCOMP, FILTER, ctypes.c_void_p(ctypes.addressof(program)), 0, 0) == 0, ctypes.get_errno()

def unset():
    with socket.socket() as plain:
        try:
            return plain.getsockopt(socket.IPPROTO_TCP, 44) / 1000
        except OSError:
            # Before Linux 6.15.
            return None

PROBES = keepline.Keepalive(20, 5, 3)

async def main():
    async with keepline.connect(("127.0.0.1", {port}), framing=keepline.Framing.lines(), keepalive=PROBES) as client:
        await client.send(b"hello")
        assert (await client.recv(timeout=10)).payload == b"hello"
        stats = client.stats()
        print(stats.keepalive_idle, stats.user_timeout, stats.rto_max == unset(), stats.nodelay)

# Before the first client: threads that are made later inherit it.
refuse()
asyncio.run(main())
"""


def _program(errno: int, only: int | None) -> str:
    with blocking_echo_process() as server:
        setsockopt = SETSOCKOPT[platform.machine()]
        program = PROGRAM.format(port=server.port, errno=errno, only=only, setsockopt=setsockopt)
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_client_lives_without_the_options_that_a_sandbox_refuses_and_tells_which_are_in_force() -> None:
    assert _program(EPERM, None) == "None None True False\n"


def test_option_that_the_kernel_does_not_have_is_left_out_and_so_is_what_must_not_be_without_it() -> None:
    assert _program(ENOPROTOOPT, TCP_RTO_MAX_MS) == "20.0 35.0 True True\n"
    assert _program(ENOPROTOOPT, TCP_USER_TIMEOUT) == "20.0 None True True\n"
