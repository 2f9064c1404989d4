/** Why a connection ended, which evidence told, and what may help. */
package dev.keepline

/** Why a connection ended. What each means: docs/reference/causes.md. */
public enum class Cause(override val wireName: String) : Named {
    /** The peer ended the connection in order (FIN), or asked to be left (`goAway`: then with `retryAfter`). */
    PeerClosed("peer_closed"),
    /** The peer or a middlebox reset the connection (RST). */
    Reset("reset"),
    /** Nothing comes back from the path, neither data nor acknowledgements. */
    PathSilent("path_silent"),
    /** The peer's kernel answers, its process does not. */
    PeerUnresponsive("peer_unresponsive"),
    /** The peer kept its window shut longer than `stallLimit`. */
    PeerStalled("peer_stalled"),
    /** A write made no progress within `stallLimit`, and the kernel's figures do not say why. */
    WriteStalled("write_stalled"),
    /** Nobody listens at the endpoint. */
    Refused("refused"),
    /** The network says that there is no way to the endpoint. */
    Unreachable("unreachable"),
    /** No connection within the deadline. */
    ConnectTimeout("connect_timeout"),
    /** The name does not exist. */
    DnsNotFound("dns.not_found"),
    /** No answer from the resolver within the deadline. */
    DnsTimeout("dns.timeout"),
    /** The resolver could not answer now. */
    DnsTemporary("dns.temporary"),
    /** The name exists and has no usable address. */
    DnsNoAddress("dns.no_address"),
    /** The TLS handshake did not end in time. */
    TlsTimeout("tls.timeout"),
    /** The certificate's issuer is not trusted. Ends the client. */
    TlsUntrustedIssuer("tls.untrusted_issuer"),
    /** The certificate is expired. The hint says by how much. */
    TlsExpired("tls.expired"),
    /** The certificate is not valid yet. The hint says by how much. */
    TlsNotYetValid("tls.not_yet_valid"),
    /** The certificate is for another name. Ends the client. */
    TlsNameMismatch("tls.name_mismatch"),
    /** The certificate was revoked. Ends the client. */
    TlsRevoked("tls.revoked"),
    /** The certificate is malformed, or not one for servers. Ends the client. */
    TlsBadCertificate("tls.bad_certificate"),
    /** None of the pinned keys is in the certificate's chain. Ends the client. */
    TlsPin("tls.pin"),
    /** The peer wants a client certificate, or refused ours. Ends the client. */
    TlsClientAuth("tls.client_auth"),
    /** There is no version of TLS that both sides allow. Ends the client. */
    TlsVersion("tls.version"),
    /** There is no application protocol (ALPN) that both sides offer. Ends the client. */
    TlsAlpn("tls.alpn"),
    /** The peer does not speak TLS as we do. The hint says if it speaks text, or HTTP. */
    TlsProtocol("tls.protocol"),
    /**
     * The connection ended without the end of its TLS session (`closeNotify`): the peer died, or somebody cut the
     * stream off.
     */
    TlsTruncated("tls.truncated"),
    /**
     * The proxy wants credentials, or refused ours. Ends the client; where they come from a provider, the second time
     * in a row (`authAttempts`).
     */
    ProxyAuth("proxy.auth"),
    /** The proxy's rules forbid the endpoint. */
    ProxyDenied("proxy.denied"),
    /** The endpoint refused the proxy. */
    ProxyRefused("proxy.refused"),
    /** The proxy found no way to the endpoint. */
    ProxyUnreachable("proxy.unreachable"),
    /** Nobody listens at the proxy's address, or the proxy failed, is busy, or does not say why. */
    ProxyUnavailable("proxy.unavailable"),
    /** The proxy cannot do what was asked: a tunnel, or this kind of address. */
    ProxyUnsupported("proxy.unsupported"),
    /** The proxy did not let us through in time. */
    ProxyTimeout("proxy.timeout"),
    /** The proxy ended the connection before it let us through. */
    ProxyClosed("proxy.closed"),
    /** The proxy's answer is malformed, or has more than 16 kB. */
    ProxyProtocol("proxy.protocol"),
    /** There were no credentials to tell the proxy: their provider failed, or was late. */
    ProxyCredentials("proxy.credentials"),
    /** The peer accepted the connection and did not answer in time. */
    GreetingTimeout("greeting.timeout"),
    /** The peer answered something else than expected. */
    GreetingUnexpected("greeting.unexpected"),
    /** The greeting hook threw an exception. */
    GreetingRejected("greeting.rejected"),
    /** The greeting hook panicked. */
    GreetingPanicked("greeting.panicked"),
    /** The peer refused the credentials. The second time in a row ends the client (`authAttempts`). */
    GreetingAuth("greeting.auth"),
    /** There were no credentials to send: their provider failed, or was late. */
    GreetingCredentials("greeting.credentials"),
    /** A frame is larger than the declared maximum. */
    ProtocolTooLarge("protocol.too_large"),
    /** A frame cannot be parsed. */
    ProtocolMalformed("protocol.malformed"),
    /** A started frame did not end within `frameWithin`. */
    ProtocolFrameTimeout("protocol.frame_timeout"),
    /** The connection ended in the middle of a frame. */
    ProtocolTruncated("protocol.truncated"),
    /** Requests and replies cannot be told apart any more. */
    ProtocolDesync("protocol.desync"),
    /** The own network is down: the system said so, the client saw it, or what was written never left this host. */
    LocalNetworkDown("local_network_down"),
    /** A local resource ran out: ports, descriptors, buffers. */
    LocalResource("local_resource"),
    /** The network changed under the connection. */
    NetworkChanged("network_changed"),
    /** The other one of two connections stays (`concurrentOk`). */
    Replaced("replaced"),
    /** The user asked for it. */
    Requested("requested"),
    ;

    override fun toString(): String = wireName
}

/** Which evidence caught a dead peer. */
public enum class Detector(override val wireName: String) : Named {
    /** A heartbeat was not answered. */
    Heartbeat("heartbeat"),
    /** The kernel's keepalive probes were not answered (`ETIMEDOUT` with nothing to send). */
    Keepalive("keepalive"),
    /**
     * The kernel's user timeout ran out (`ETIMEDOUT` with data to send). Where the figures are not known, any
     * `ETIMEDOUT`.
     */
    UserTimeout("user_timeout"),
    /** The kernel's figures (`TCP_INFO`): a window that stays shut, or retransmissions. */
    KernelInfo("kernel_info"),
    /** Nothing was received for `readIdle`. */
    ReadIdle("read_idle"),
    /** The operating system reported an error or the end of the stream. */
    OsError("os_error"),
    /** The network changed. */
    NetworkChange("network_change"),
    ;

    override fun toString(): String = wireName
}

/** What may help, where a cause alone does not say. */
public enum class Hint(override val wireName: String) : Named {
    /** The peer answers a TLS handshake in plain text. Is this its port for TLS? */
    PlainText("plain_text"),
    /** The peer answers a TLS handshake in HTTP: a captive portal, a proxy, or another port. */
    Http("http"),
    /** The peer ended the connection in the middle of the TLS handshake. */
    ClosedInHandshake("closed_in_handshake"),
    /** The peer wants a client certificate, and none is configured. */
    NoClientCertificate("no_client_certificate"),
    /** The peer refused the client certificate. */
    ClientCertificateRefused("client_certificate_refused"),
    /** The clock of this machine is earlier than this program. */
    ClockNotSet("clock_not_set"),
    /** A date of the certificate is off, by the time that the text says, if the clock of this machine is right. */
    CheckClock("check_clock"),
    ;

    override fun toString(): String = wireName
}
