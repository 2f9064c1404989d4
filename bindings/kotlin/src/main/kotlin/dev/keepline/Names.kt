/** Names that are the same in every language. A test compares them with the contract of the core. */
package dev.keepline

/** A value with a name that is the same in every language. */
public interface Named {
    /** The name, as in events, logs and the other languages. */
    public val wireName: String
}

internal inline fun <reified T> named(name: String): T where T : Enum<T>, T : Named =
    enumValues<T>().firstOrNull { it.wireName == name }
        ?: throw KeeplineException.Internal(Evidence("the core knows a ${T::class.simpleName} that this library does not: $name"))

/** A set of defaults. */
public enum class Profile(override val wireName: String) : Named {
    /** For programs that do not know better. */
    Balanced("balanced"),
    /** For phones: few wake-ups, long waits. */
    Mobile("mobile"),
    /** For devices: one connection at a time, nothing survives a reconnect. */
    Industrial("industrial"),
    /** For servers near by: short waits, large queues. */
    Datacenter("datacenter"),
    ;

    override fun toString(): String = wireName
}

/** Where a client stands. */
public enum class State(override val wireName: String) : Named {
    /** Not dialling by wish: before start, or paused. */
    Idle("idle"),
    /** An attempt is under way. */
    Connecting("connecting"),
    /** The connection is usable. */
    Connected("connected"),
    /** The connection may be dead; a verdict is near. */
    Suspect("suspect"),
    /** The peer lives and does not read. */
    Stalled("stalled"),
    /** Waiting for the next attempt. */
    Waiting("waiting"),
    /** The system says that there is no network; nothing is tried. */
    Offline("offline"),
    /** Over. Make a new client. */
    Closed("closed"),
    ;

    /** Whether a connection is established in this state. */
    public val isUp: Boolean get() = this == Connected || this == Suspect || this == Stalled

    override fun toString(): String = wireName
}

/** What became of a tracked message. Final. */
public enum class Outcome(override val wireName: String) : Named {
    /** Acknowledged by the kernel of the peer, or of the proxy before it. Not: processed. */
    Acked("acked"),
    /** Dropped by policy; no byte of it was handed to the kernel. */
    NotSent("not_sent"),
    /** Handed to the kernel, whole or in part; nobody knows what became of it. */
    Unknown("unknown"),
    /** Ran out of time in the outbox; no byte of it was handed to the kernel. */
    Expired("expired"),
    ;

    override fun toString(): String = wireName
}

/** Whose kernel acknowledged a message. */
public enum class AckedBy(override val wireName: String) : Named {
    /** The peer's. */
    Peer("peer"),
    /** The proxy's, which says nothing of the peer. */
    Proxy("proxy"),
    ;

    override fun toString(): String = wireName
}

/** Why a connection ended. What each means: docs/reference/causes.md. */
public enum class Cause(override val wireName: String) : Named {
    PeerClosed("peer_closed"),
    Reset("reset"),
    PathSilent("path_silent"),
    PeerUnresponsive("peer_unresponsive"),
    PeerStalled("peer_stalled"),
    WriteStalled("write_stalled"),
    Refused("refused"),
    Unreachable("unreachable"),
    ConnectTimeout("connect_timeout"),
    DnsNotFound("dns.not_found"),
    DnsTimeout("dns.timeout"),
    DnsTemporary("dns.temporary"),
    DnsNoAddress("dns.no_address"),
    TlsTimeout("tls.timeout"),
    TlsUntrustedIssuer("tls.untrusted_issuer"),
    TlsExpired("tls.expired"),
    TlsNotYetValid("tls.not_yet_valid"),
    TlsNameMismatch("tls.name_mismatch"),
    TlsRevoked("tls.revoked"),
    TlsBadCertificate("tls.bad_certificate"),
    TlsPin("tls.pin"),
    TlsClientAuth("tls.client_auth"),
    TlsVersion("tls.version"),
    TlsAlpn("tls.alpn"),
    TlsProtocol("tls.protocol"),
    TlsTruncated("tls.truncated"),
    ProxyAuth("proxy.auth"),
    ProxyDenied("proxy.denied"),
    ProxyRefused("proxy.refused"),
    ProxyUnreachable("proxy.unreachable"),
    ProxyUnavailable("proxy.unavailable"),
    ProxyUnsupported("proxy.unsupported"),
    ProxyTimeout("proxy.timeout"),
    ProxyClosed("proxy.closed"),
    ProxyProtocol("proxy.protocol"),
    ProxyCredentials("proxy.credentials"),
    GreetingTimeout("greeting.timeout"),
    GreetingUnexpected("greeting.unexpected"),
    GreetingRejected("greeting.rejected"),
    GreetingPanicked("greeting.panicked"),
    GreetingAuth("greeting.auth"),
    GreetingCredentials("greeting.credentials"),
    ProtocolTooLarge("protocol.too_large"),
    ProtocolMalformed("protocol.malformed"),
    ProtocolFrameTimeout("protocol.frame_timeout"),
    ProtocolTruncated("protocol.truncated"),
    ProtocolDesync("protocol.desync"),
    LocalNetworkDown("local_network_down"),
    LocalResource("local_resource"),
    NetworkChanged("network_changed"),
    Replaced("replaced"),
    Requested("requested"),
    ;

    override fun toString(): String = wireName
}

/** Which evidence caught a dead peer. */
public enum class Detector(override val wireName: String) : Named {
    Heartbeat("heartbeat"),
    Keepalive("keepalive"),
    UserTimeout("user_timeout"),
    KernelInfo("kernel_info"),
    ReadIdle("read_idle"),
    OsError("os_error"),
    NetworkChange("network_change"),
    ;

    override fun toString(): String = wireName
}

/** What may help, where a cause alone does not say. */
public enum class Hint(override val wireName: String) : Named {
    PlainText("plain_text"),
    Http("http"),
    ClosedInHandshake("closed_in_handshake"),
    NoClientCertificate("no_client_certificate"),
    ClientCertificateRefused("client_certificate_refused"),
    ClockNotSet("clock_not_set"),
    CheckClock("check_clock"),
    ;

    override fun toString(): String = wireName
}

/** What made a connection suspect. */
public enum class Suspicion(override val wireName: String) : Named {
    HeartbeatLate("heartbeat_late"),
    Retransmits("retransmits"),
    Woke("woke"),
    NetworkChanged("network_changed"),
    PathRefused("path_refused"),
    SiblingDied("sibling_died"),
    ;

    override fun toString(): String = wireName
}

/** One turn in the life of a connection, as the flight recorder knows it. */
public enum class Transition(override val wireName: String) : Named {
    Connecting("connecting"),
    SmallSegments("small_segments"),
    AddressesFailed("addresses_failed"),
    Dialed("dialed"),
    Greeting("greeting"),
    Connected("connected"),
    HeartbeatSent("heartbeat_sent"),
    HeartbeatAnswered("heartbeat_answered"),
    Suspect("suspect"),
    Recovered("recovered"),
    Stalled("stalled"),
    Retransmitting("retransmitting"),
    Probing("probing"),
    WindowShut("window_shut"),
    KernelAnswers("kernel_answers"),
    KernelAsked("kernel_asked"),
    UserTimeoutLifted("user_timeout_lifted"),
    UserTimeoutSet("user_timeout_set"),
    WriteBlocked("write_blocked"),
    WriteResumed("write_resumed"),
    InboxFull("inbox_full"),
    InboxDrained("inbox_drained"),
    NetworkLost("network_lost"),
    NetworkBack("network_back"),
    NetworkChanged("network_changed"),
    Held("held"),
    Slept("slept"),
    Asked("asked"),
    Draining("draining"),
    Ended("ended"),
    ;

    override fun toString(): String = wireName
}

/** What happens to messages while there is no connection. */
public enum class WhileDown(override val wireName: String) : Named {
    /** They wait in the outbox. */
    Queue("queue"),
    /** They are refused, and nothing survives into the next connection. */
    Reject("reject"),
    ;

    override fun toString(): String = wireName
}

/** What `send` does when the outbox is full. */
public enum class Overflow(override val wireName: String) : Named {
    /** Waits for a slow peer, fails for an absent one. */
    Auto("auto"),
    /** Waits. */
    Wait("wait"),
    /** Fails. */
    Reject("reject"),
    ;

    override fun toString(): String = wireName
}

/** What happens to messages that no request asked for. */
public enum class Unsolicited(override val wireName: String) : Named {
    /** They are delivered. */
    Deliver("deliver"),
    /** They are counted and dropped. */
    Discard("discard"),
    ;

    override fun toString(): String = wireName
}

/** How a wait is drawn from its window. */
public enum class Jitter(override val wireName: String) : Named {
    Full("full"),
    Equal("equal"),
    Centred("centred"),
    Decorrelated("decorrelated"),
    None("none"),
    ;

    override fun toString(): String = wireName
}

/** How the addresses of one name are dialled. */
public enum class Addresses(override val wireName: String) : Named {
    /** In a race (RFC 8305). */
    HappyEyeballs("happy_eyeballs"),
    /** One after the other. */
    OneAtATime("one_at_a_time"),
    ;

    override fun toString(): String = wireName
}

/** In which order several endpoints are tried. */
public enum class EndpointOrder(override val wireName: String) : Named {
    Shuffled("shuffled"),
    Ordered("ordered"),
    ;

    override fun toString(): String = wireName
}

/** A byte order. */
public enum class Endian(override val wireName: String) : Named {
    Big("big"),
    Little("little"),
    ;

    override fun toString(): String = wireName
}

/** What a network is. */
public enum class NetworkKind(override val wireName: String) : Named {
    Unknown("unknown"),
    Wifi("wifi"),
    Cellular("cellular"),
    Wired("wired"),
    Vpn("vpn"),
    Other("other"),
    ;

    override fun toString(): String = wireName
}

/** A part of the way to a useful connection, in its order. */
public enum class Stage(override val wireName: String) : Named {
    Config("config"),
    Names("names"),
    Route("route"),
    Tcp("tcp"),
    Proxy("proxy"),
    Tls("tls"),
    Greeting("greeting"),
    PathMtu("path_mtu"),
    Idle("idle"),
    ;

    override fun toString(): String = wireName
}

/** What a stage of an examination came to. */
public enum class Finding(override val wireName: String) : Named {
    Passed("passed"),
    Warned("warned"),
    Failed("failed"),
    ;

    override fun toString(): String = wireName
}
