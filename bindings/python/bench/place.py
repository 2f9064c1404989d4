"""Where the processes run, how much is in flight, and how long a case lasts."""

import os

#: Servers, and the clients of round trips: that shows what the software costs, not how fast a core wakes up.
SERVER_CPU = 0
#: The clients of throughput, with all of their threads: no client has more than one core.
CLIENT_CPU = 1

SECONDS = 0.5
SIZE = 256
SMALL = 16
#: Bytes of payload on the way at most.
WINDOW = 256 * 1024
#: Messages to a write, or to a pipeline: what a careful user of a plain protocol would do by hand.
BATCH = 64
PIPELINE = 100


def pin(cpu: int) -> None:
    """Keeps the calling thread, and every thread it will start, on one core."""
    available = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {available[cpu % len(available)]})
