"""The client's side of the conversation with the harness: words in, words out, a line each (see src/faults/console.rs)."""

import sys

# 2 s for an answer, and to connect.
WITHIN = 2.0
# 100 ms between exchanges: a client that works again is seen soon.
PAUSE = 0.1
# 8 MiB: more than the kernels of both sides hold while the server does not read.
FLOOD = 8 * 1024 * 1024


def tell(word: str, text: object = "") -> None:
    """Tells the harness a word and its text."""
    print(word, " ".join(str(text).split()), flush=True)


def host_and_port() -> tuple[str, int]:
    """The address on the command line."""
    host, _, port = sys.argv[1].rpartition(":")
    return host, int(port)
