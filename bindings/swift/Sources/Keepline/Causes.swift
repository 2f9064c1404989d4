// Why connections end, and the turns that lead there, by names that are the same in every language.

/// Why a connection ended. What each means: docs/reference/causes.md.
public enum Cause: String, CaseIterable, Sendable, CustomStringConvertible {
    case peerClosed = "peer_closed"
    case reset
    case pathSilent = "path_silent"
    case peerUnresponsive = "peer_unresponsive"
    case peerStalled = "peer_stalled"
    case writeStalled = "write_stalled"
    case refused
    case unreachable
    case connectTimeout = "connect_timeout"
    case dnsNotFound = "dns.not_found"
    case dnsTimeout = "dns.timeout"
    case dnsTemporary = "dns.temporary"
    case dnsNoAddress = "dns.no_address"
    case tlsTimeout = "tls.timeout"
    case tlsUntrustedIssuer = "tls.untrusted_issuer"
    case tlsExpired = "tls.expired"
    case tlsNotYetValid = "tls.not_yet_valid"
    case tlsNameMismatch = "tls.name_mismatch"
    case tlsRevoked = "tls.revoked"
    case tlsBadCertificate = "tls.bad_certificate"
    case tlsPin = "tls.pin"
    case tlsClientAuth = "tls.client_auth"
    case tlsVersion = "tls.version"
    case tlsAlpn = "tls.alpn"
    case tlsProtocol = "tls.protocol"
    case tlsTruncated = "tls.truncated"
    case proxyAuth = "proxy.auth"
    case proxyDenied = "proxy.denied"
    case proxyRefused = "proxy.refused"
    case proxyUnreachable = "proxy.unreachable"
    case proxyUnavailable = "proxy.unavailable"
    case proxyUnsupported = "proxy.unsupported"
    case proxyTimeout = "proxy.timeout"
    case proxyClosed = "proxy.closed"
    case proxyProtocol = "proxy.protocol"
    case proxyCredentials = "proxy.credentials"
    case greetingTimeout = "greeting.timeout"
    case greetingUnexpected = "greeting.unexpected"
    case greetingRejected = "greeting.rejected"
    case greetingPanicked = "greeting.panicked"
    case greetingAuth = "greeting.auth"
    case greetingCredentials = "greeting.credentials"
    case protocolTooLarge = "protocol.too_large"
    case protocolMalformed = "protocol.malformed"
    case protocolFrameTimeout = "protocol.frame_timeout"
    case protocolTruncated = "protocol.truncated"
    case protocolDesync = "protocol.desync"
    case localNetworkDown = "local_network_down"
    case localResource = "local_resource"
    case networkChanged = "network_changed"
    case replaced
    case requested

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

extension Report {
    /// One turn in the life of a connection, as the flight recorder knows it.
    public enum Transition: String, CaseIterable, Sendable, CustomStringConvertible {
        case connecting
        case smallSegments = "small_segments"
        case addressesFailed = "addresses_failed"
        case dialed
        case greeting
        case connected
        case heartbeatSent = "heartbeat_sent"
        case heartbeatAnswered = "heartbeat_answered"
        case suspect
        case recovered
        case stalled
        case retransmitting
        case probing
        case windowShut = "window_shut"
        case kernelAnswers = "kernel_answers"
        case kernelAsked = "kernel_asked"
        case userTimeoutLifted = "user_timeout_lifted"
        case userTimeoutSet = "user_timeout_set"
        case writeBlocked = "write_blocked"
        case writeResumed = "write_resumed"
        case inboxFull = "inbox_full"
        case inboxDrained = "inbox_drained"
        case networkLost = "network_lost"
        case networkBack = "network_back"
        case networkChanged = "network_changed"
        case held
        case slept
        case asked
        case draining
        case ended

        /// The name, as in events, logs and the other languages.
        public var description: String { rawValue }
    }
}
