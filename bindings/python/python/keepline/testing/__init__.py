"""Tools for testing one's own code against silence, resets, stalls and restarts.

    with FlakyServer() as server, ChaosProxy(server.address) as proxy:
        ...                                    # connect the code under test to proxy.address
        proxy.silence()                        # holds when the call returns
        await proxy.until_received(1)          # or .until_received(1).wait() without an event loop

`ChaosProxy` stands between a client and any server and does harm on request; `FlakyServer` is a small server that does
what a test says. Both are real sockets on this machine and need no privileges. The pytest plugin, which comes with the
package, has both as the fixtures ``chaos_proxy`` and ``flaky_server``.
"""

from keepline.testing._chaos import ChaosProxy, Direction, End
from keepline.testing._flaky import Answer, FlakyServer, Step
from keepline.testing._records import ProxyConnection, ProxyRecord
from keepline.testing._wait import Wait

__all__ = [
    "Answer",
    "ChaosProxy",
    "Direction",
    "End",
    "FlakyServer",
    "ProxyConnection",
    "ProxyRecord",
    "Step",
    "Wait",
]
