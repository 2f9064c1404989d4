"""redis-py, as quick as it can be set: time limits, health checks, and the kernel's options.

Nobody reads an idle connection of redis-py: what the kernel finds is met by the next command, which then takes a new one.
"""

import socket
import sys
import threading
import time

import redis
from console import FLOOD, PAUSE, WITHIN, host_and_port, tell
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

# 1 s, 1 s, 3 probes, and 4 s for data in flight.
KERNEL = {socket.TCP_KEEPIDLE: 1, socket.TCP_KEEPINTVL: 1, socket.TCP_KEEPCNT: 3, socket.TCP_USER_TIMEOUT: 4000}


def main() -> None:
    host, port = host_and_port()
    client = redis.Redis(
        host,
        port,
        socket_timeout=WITHIN,
        socket_connect_timeout=WITHIN,
        socket_keepalive=True,
        socket_keepalive_options=KERNEL,
        health_check_interval=1,
        # Its default list has the timeout in it too: a command that timed out is tried on a new connection.
        retry=Retry(ExponentialBackoff(cap=1.0, base=0.1), 3),
    )
    client.ping()
    tell("ready")
    asking = threading.Event()
    threading.Thread(target=ask, args=(client, asking), daemon=True).start()
    for word in map(str.strip, sys.stdin):
        if word == "once":
            exchange(client)
        elif word == "ask":
            asking.set()
        elif word == "flood":
            threading.Thread(target=flood, args=(client,), daemon=True).start()


def ask(client: redis.Redis, asking: threading.Event) -> None:
    asking.wait()
    while True:
        exchange(client)
        time.sleep(PAUSE)


def exchange(client: redis.Redis) -> None:
    try:
        client.ping()
    except redis.RedisError as error:
        tell("error", repr(error))
    else:
        tell("ok")


def flood(client: redis.Redis) -> None:
    try:
        client.set("k", b"x" * FLOOD)
    except redis.RedisError as error:
        tell("error", repr(error))
    else:
        tell("flooded")


if __name__ == "__main__":
    main()
