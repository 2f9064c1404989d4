"""A web service with one Redis connection for all of its requests, and a health endpoint that tells the truth.

    KEEPLINE_REDIS=localhost:6379 uvicorn fastapi_service:app

The client lives as long as the service. It starts although Redis is away, comes back by itself when Redis does, and a
request that comes meanwhile is answered at once with 503, not held until somebody gives up.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Body, FastAPI, HTTPException, Request, Response

import keepline
from keepline import Correlation, Framing, Heartbeat

REQUEST_WITHIN = 2.0
"""Seconds. A web client has gone elsewhere long before."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Holds the client for as long as the service runs."""
    async with keepline.start(
        os.environ.get("KEEPLINE_REDIS", "localhost:6379"),
        framing=Framing.resp(),
        correlation=Correlation.fifo(),
        heartbeat=Heartbeat(b"PING\r\n", interval=2, reply_within=2),
        while_down="reject",
    ) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health(request: Request, response: Response) -> dict[str, object]:
    """503 while Redis cannot be asked; the cause of the last failure besides."""
    client: keepline.Client = request.app.state.client
    # Asked once, and before what it is told with: it may change at any moment.
    state = client.state
    if state not in (keepline.State.CONNECTED, keepline.State.SUSPECT):
        response.status_code = 503
    reports = client.reports()
    return {
        "redis": state.value,
        "connections": client.stats().connections,
        "last_loss": reports[-1].cause.value if reports else None,
    }


@app.get("/values/{key}")
async def read(request: Request, key: str) -> dict[str, str]:
    """The value of a key."""
    reply = await ask(request, b"GET", key.encode())
    if reply == b"$-1\r\n":
        raise HTTPException(404)
    return {"value": reply.split(b"\r\n", 1)[1][:-2].decode()}


@app.put("/values/{key}", status_code=204)
async def write(request: Request, key: str, value: Annotated[str, Body(embed=True)]) -> None:
    """Sets the value of a key."""
    await ask(request, b"SET", key.encode(), value.encode())


async def ask(request: Request, *words: bytes) -> bytes:
    """Sends one command; what Keepline says about it becomes a status that a web client understands."""
    command = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    client: keepline.Client = request.app.state.client
    try:
        reply = await client.request(command, timeout=REQUEST_WITHIN)
    except keepline.Unavailable as error:
        # Whether to try again is the caller's choice: a SET may have been carried out.
        raise HTTPException(503, {"cause": error.cause, "maybe_executed": error.maybe_executed}) from error
    except keepline.Timeout as error:
        raise HTTPException(504) from error
    if reply.startswith(b"-"):
        raise HTTPException(502, reply[1:-2].decode(errors="replace"))
    return reply
