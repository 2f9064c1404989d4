"""Names that are the same in every language. A test compares them with the contract of the core."""

from enum import StrEnum
from typing import Literal

ProfileName = Literal["balanced", "mobile", "industrial", "datacenter"]
WhileDownName = Literal["queue", "reject"]
OverflowName = Literal["auto", "wait", "reject"]
UnsolicitedName = Literal["deliver", "discard"]
JitterName = Literal["full", "equal", "centred", "decorrelated", "none"]
AddressesName = Literal["happy_eyeballs", "one_at_a_time"]
EndianName = Literal["big", "little"]
EndpointOrderName = Literal["shuffled", "ordered"]
NetworkKindName = Literal["unknown", "wifi", "cellular", "wired", "vpn", "other"]


class State(StrEnum):
    """Where a client stands."""

    IDLE = "idle"
    """Not dialling by wish: before start, or paused."""
    CONNECTING = "connecting"
    """An attempt is under way."""
    CONNECTED = "connected"
    """The connection is usable."""
    SUSPECT = "suspect"
    """The connection may be dead; a verdict is near."""
    STALLED = "stalled"
    """The peer lives and does not read."""
    WAITING = "waiting"
    """Waiting for the next attempt."""
    OFFLINE = "offline"
    """The system says that there is no network; nothing is tried."""
    CLOSED = "closed"
    """Over. Make a new client."""

    @property
    def is_up(self) -> bool:
        """Whether a connection is established in this state."""
        return self in (State.CONNECTED, State.SUSPECT, State.STALLED)


class Outcome(StrEnum):
    """What became of a tracked message. Final."""

    ACKED = "acked"
    """Acknowledged by the kernel of the peer, or of the proxy before it. Not: processed."""
    NOT_SENT = "not_sent"
    """Dropped by policy; no byte of it was handed to the kernel."""
    UNKNOWN = "unknown"
    """Handed to the kernel, whole or in part; nobody knows what became of it."""
    EXPIRED = "expired"
    """Ran out of time in the outbox; no byte of it was handed to the kernel."""


class AckedBy(StrEnum):
    """Whose kernel acknowledged a message."""

    PEER = "peer"
    """The peer's."""
    PROXY = "proxy"
    """The proxy's: whether the endpoint has the message is not known."""


class Cause(StrEnum):
    """Why a connection, or an attempt at one, ended."""

    PEER_CLOSED = "peer_closed"
    RESET = "reset"
    PATH_SILENT = "path_silent"
    PEER_UNRESPONSIVE = "peer_unresponsive"
    PEER_STALLED = "peer_stalled"
    WRITE_STALLED = "write_stalled"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    DNS_NOT_FOUND = "dns.not_found"
    DNS_TIMEOUT = "dns.timeout"
    DNS_TEMPORARY = "dns.temporary"
    DNS_NO_ADDRESS = "dns.no_address"
    TLS_TIMEOUT = "tls.timeout"
    TLS_UNTRUSTED_ISSUER = "tls.untrusted_issuer"
    TLS_EXPIRED = "tls.expired"
    TLS_NOT_YET_VALID = "tls.not_yet_valid"
    TLS_NAME_MISMATCH = "tls.name_mismatch"
    TLS_REVOKED = "tls.revoked"
    TLS_BAD_CERTIFICATE = "tls.bad_certificate"
    TLS_PIN = "tls.pin"
    TLS_CLIENT_AUTH = "tls.client_auth"
    TLS_VERSION = "tls.version"
    TLS_ALPN = "tls.alpn"
    TLS_PROTOCOL = "tls.protocol"
    TLS_TRUNCATED = "tls.truncated"
    PROXY_AUTH = "proxy.auth"
    PROXY_DENIED = "proxy.denied"
    PROXY_REFUSED = "proxy.refused"
    PROXY_UNREACHABLE = "proxy.unreachable"
    PROXY_UNAVAILABLE = "proxy.unavailable"
    PROXY_UNSUPPORTED = "proxy.unsupported"
    PROXY_TIMEOUT = "proxy.timeout"
    PROXY_CLOSED = "proxy.closed"
    PROXY_PROTOCOL = "proxy.protocol"
    PROXY_CREDENTIALS = "proxy.credentials"
    GREETING_TIMEOUT = "greeting.timeout"
    GREETING_UNEXPECTED = "greeting.unexpected"
    GREETING_REJECTED = "greeting.rejected"
    GREETING_PANICKED = "greeting.panicked"
    GREETING_AUTH = "greeting.auth"
    GREETING_CREDENTIALS = "greeting.credentials"
    PROTOCOL_TOO_LARGE = "protocol.too_large"
    PROTOCOL_MALFORMED = "protocol.malformed"
    PROTOCOL_FRAME_TIMEOUT = "protocol.frame_timeout"
    PROTOCOL_TRUNCATED = "protocol.truncated"
    PROTOCOL_DESYNC = "protocol.desync"
    LOCAL_NETWORK_DOWN = "local_network_down"
    LOCAL_RESOURCE = "local_resource"
    NETWORK_CHANGED = "network_changed"
    REPLACED = "replaced"
    REQUESTED = "requested"


class Detector(StrEnum):
    """Which evidence caught a dead peer."""

    HEARTBEAT = "heartbeat"
    KEEPALIVE = "keepalive"
    USER_TIMEOUT = "user_timeout"
    KERNEL_INFO = "kernel_info"
    READ_IDLE = "read_idle"
    OS_ERROR = "os_error"
    NETWORK_CHANGE = "network_change"


class Hint(StrEnum):
    """What may help, where a cause alone does not say."""

    PLAIN_TEXT = "plain_text"
    HTTP = "http"
    CLOSED_IN_HANDSHAKE = "closed_in_handshake"
    NO_CLIENT_CERTIFICATE = "no_client_certificate"
    CLIENT_CERTIFICATE_REFUSED = "client_certificate_refused"
    CLOCK_NOT_SET = "clock_not_set"
    CHECK_CLOCK = "check_clock"


class Transition(StrEnum):
    """One turn in the life of a connection, as the flight recorder knows it."""

    CONNECTING = "connecting"
    SMALL_SEGMENTS = "small_segments"
    ADDRESSES_FAILED = "addresses_failed"
    DIALED = "dialed"
    GREETING = "greeting"
    CONNECTED = "connected"
    HEARTBEAT_SENT = "heartbeat_sent"
    HEARTBEAT_ANSWERED = "heartbeat_answered"
    SUSPECT = "suspect"
    RECOVERED = "recovered"
    STALLED = "stalled"
    RETRANSMITTING = "retransmitting"
    PROBING = "probing"
    WINDOW_SHUT = "window_shut"
    KERNEL_ANSWERS = "kernel_answers"
    KERNEL_ASKED = "kernel_asked"
    USER_TIMEOUT_LIFTED = "user_timeout_lifted"
    USER_TIMEOUT_SET = "user_timeout_set"
    WRITE_BLOCKED = "write_blocked"
    WRITE_RESUMED = "write_resumed"
    INBOX_FULL = "inbox_full"
    INBOX_DRAINED = "inbox_drained"
    NETWORK_LOST = "network_lost"
    NETWORK_BACK = "network_back"
    NETWORK_CHANGED = "network_changed"
    HELD = "held"
    SLEPT = "slept"
    ASKED = "asked"
    DRAINING = "draining"
    ENDED = "ended"


class StageName(StrEnum):
    """A part of the way to a useful connection, in its order."""

    CONFIG = "config"
    """Options and endpoint, checked without the network."""
    NAMES = "names"
    """From the name to addresses."""
    ROUTE = "route"
    """Whether this machine has a way to them, and from which address of its own."""
    TCP = "tcp"
    """TCP with each address."""
    PROXY = "proxy"
    """The proxy, if one is declared."""
    TLS = "tls"
    """TLS, if it is declared."""
    GREETING = "greeting"
    """Whether the server answers: its greeting, the heartbeat, or else what it does when it is asked nothing."""
    PATH_MTU = "path_mtu"
    """Whether full-size packets pass; on request."""
    IDLE = "idle"
    """Whether a connection survives silence; on request."""


class Finding(StrEnum):
    """What a stage of an examination came to."""

    PASSED = "passed"
    """All is well."""
    WARNED = "warned"
    """It works, and something about it should be known."""
    FAILED = "failed"
    """The way ends here."""


class Suspicion(StrEnum):
    """What made a connection suspect."""

    HEARTBEAT_LATE = "heartbeat_late"
    RETRANSMITS = "retransmits"
    WOKE = "woke"
    NETWORK_CHANGED = "network_changed"
    PATH_REFUSED = "path_refused"
    SIBLING_DIED = "sibling_died"
