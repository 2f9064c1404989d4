"""The ``keepline`` program: the console script of the package, and ``python -m keepline``."""

import signal
import sys

from keepline import _core


def main() -> int:
    """Runs the program with the arguments of this process, and returns its exit code.

    It is the program of ``keepline-cli``, with the same options and exit codes: ``keepline --help`` tells them.
    """
    # Python's own handler would only note the signal, and act on it when the program has ended by itself.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _core.program(["keepline", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
