"""Keeps a long-lived TCP connection useful through server restarts, silent networks and frozen peers.

    async with keepline.connect("127.0.0.1:6379", framing=keepline.Framing.resp()) as client:
        await client.send(b"PING\\r\\n")
        async for message in client:  # survives reconnects; message.epoch tells them apart
            print(message.payload)

`keepline.sync` is the blocking twin, `keepline.events` the facts that a client tells about its life.
"""

from keepline import events
from keepline._asking import CredentialsProvider, GreetingIo, OnConnect, ProxyCredentialsProvider, ResolverHook
from keepline._client import Batches, Client
from keepline._config import Config, ConfigOptions, Resolved, default_config
from keepline._connect import Connecting, connect, start
from keepline._core import Message, __version__
from keepline._doctor import Diagnosis, Fact, Stage, doctor
from keepline._endpoint import Address, Target, Weighted
from keepline._errors import (
    Closed,
    ConnectionLost,
    Exhausted,
    ForkedError,
    Internal,
    InvalidConfig,
    KeeplineError,
    Rejected,
    Timeout,
    Unavailable,
    WrongLoopError,
)
from keepline._hooks import AuthRefused, CredentialRequest, RetryLater
from keepline._names import AckedBy, Cause, Detector, Finding, Hint, Outcome, StageName, State, Suspicion, Transition
from keepline._parts import Backoff, Heartbeat, Keepalive, Outbox
from keepline._protocol import AutoReply, Correlation, Framing, Matcher, RetryAfter, Script
from keepline._records import Bound, DetectionBounds, Ending, MessageCounts, NetworkPath, Notice, Stats
from keepline._report import KernelFigures, Report, ReportEntry
from keepline._streams import (
    ConnectingStreams,
    Streams,
    connect_streams,
    create_connection,
    open_connection,
    start_streams,
)
from keepline._tls import Tls
from keepline._told import Events, Receipt
from keepline._transport import Transport
from keepline._values import OFF, Data, Duration, Off
from keepline._watching import OnEvent
from keepline.events import Event
from keepline import sync  # isort: skip  (uses the names above)

__all__ = [
    "OFF",
    "AckedBy",
    "Address",
    "AuthRefused",
    "AutoReply",
    "Backoff",
    "Batches",
    "Bound",
    "Cause",
    "Client",
    "Closed",
    "Config",
    "ConfigOptions",
    "Connecting",
    "ConnectingStreams",
    "ConnectionLost",
    "Correlation",
    "CredentialRequest",
    "CredentialsProvider",
    "Data",
    "DetectionBounds",
    "Detector",
    "Diagnosis",
    "Duration",
    "Ending",
    "Event",
    "Events",
    "Exhausted",
    "Fact",
    "Finding",
    "ForkedError",
    "Framing",
    "GreetingIo",
    "Heartbeat",
    "Hint",
    "Internal",
    "InvalidConfig",
    "Keepalive",
    "KernelFigures",
    "KeeplineError",
    "Matcher",
    "Message",
    "MessageCounts",
    "NetworkPath",
    "Notice",
    "Off",
    "OnConnect",
    "OnEvent",
    "Outbox",
    "Outcome",
    "ProxyCredentialsProvider",
    "Receipt",
    "Rejected",
    "Report",
    "ReportEntry",
    "Resolved",
    "ResolverHook",
    "RetryAfter",
    "RetryLater",
    "Script",
    "Stage",
    "StageName",
    "State",
    "Stats",
    "Streams",
    "Suspicion",
    "Target",
    "Timeout",
    "Tls",
    "Transition",
    "Transport",
    "Unavailable",
    "Weighted",
    "WrongLoopError",
    "__version__",
    "connect",
    "connect_streams",
    "create_connection",
    "default_config",
    "doctor",
    "events",
    "open_connection",
    "start",
    "start_streams",
    "sync",
]
