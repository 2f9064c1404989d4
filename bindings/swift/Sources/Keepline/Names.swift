// Names that are the same in every language. A test compares them with the contract of the core.

/// A set of defaults.
public enum Profile: String, CaseIterable, Sendable, CustomStringConvertible {
    /// For programs that do not know better.
    case balanced
    /// For phones: few wake-ups, long waits.
    case mobile
    /// For devices: one connection at a time, nothing survives a reconnect.
    case industrial
    /// For servers near by: short waits, large queues.
    case datacenter

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

extension Client {
    /// Where a client stands.
    public enum State: String, CaseIterable, Sendable, CustomStringConvertible {
        /// Not dialling by wish: before start, or paused.
        case idle
        /// An attempt is under way.
        case connecting
        /// The connection is usable.
        case connected
        /// The connection may be dead; a verdict is near.
        case suspect
        /// The peer lives and does not read.
        case stalled
        /// Waiting for the next attempt.
        case waiting
        /// The system says that there is no network; nothing is tried.
        case offline
        /// Over. Make a new client.
        case closed

        /// Whether a connection is established in this state.
        public var isUp: Bool { self == .connected || self == .suspect || self == .stalled }

        /// The name, as in events, logs and the other languages.
        public var description: String { rawValue }
    }
}

/// What became of a tracked message. Final.
public enum Outcome: String, CaseIterable, Sendable, CustomStringConvertible {
    /// Acknowledged by the kernel of the peer, or of the proxy before it. Not: processed.
    case acked
    /// Dropped by policy; no byte of it was handed to the kernel.
    case notSent = "not_sent"
    /// Handed to the kernel, whole or in part; nobody knows what became of it.
    case unknown
    /// Ran out of time in the outbox; no byte of it was handed to the kernel.
    case expired

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

/// Whose kernel acknowledged a message.
public enum AckedBy: String, CaseIterable, Sendable, CustomStringConvertible {
    /// The peer's.
    case peer
    /// The proxy's, which says nothing of the peer.
    case proxy

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

/// Which evidence caught a dead peer.
public enum Detector: String, CaseIterable, Sendable, CustomStringConvertible {
    case heartbeat
    case keepalive
    case userTimeout = "user_timeout"
    case kernelInfo = "kernel_info"
    case readIdle = "read_idle"
    case osError = "os_error"
    case networkChange = "network_change"

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

/// What may help, where a cause alone does not say.
public enum Hint: String, CaseIterable, Sendable, CustomStringConvertible {
    case plainText = "plain_text"
    case http
    case closedInHandshake = "closed_in_handshake"
    case noClientCertificate = "no_client_certificate"
    case clientCertificateRefused = "client_certificate_refused"
    case clockNotSet = "clock_not_set"
    case checkClock = "check_clock"

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

/// What made a connection suspect.
public enum Suspicion: String, CaseIterable, Sendable, CustomStringConvertible {
    case heartbeatLate = "heartbeat_late"
    case retransmits
    case woke
    case networkChanged = "network_changed"
    case pathRefused = "path_refused"
    case siblingDied = "sibling_died"

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

/// What happens to messages while there is no connection.
public enum WhileDown: String, CaseIterable, Sendable, CustomStringConvertible {
    /// They wait in the outbox.
    case queue
    /// They are refused, and nothing survives into the next connection.
    case reject

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

/// What `send` does when the outbox is full.
public enum Overflow: String, CaseIterable, Sendable, CustomStringConvertible {
    /// Waits for a slow peer, fails for an absent one.
    case auto
    /// Waits.
    case wait
    /// Fails.
    case reject

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

/// What happens to messages that no request asked for.
public enum Unsolicited: String, CaseIterable, Sendable, CustomStringConvertible {
    /// They are delivered.
    case deliver
    /// They are counted and dropped.
    case discard

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

extension Backoff {
    /// How a wait is drawn from its window.
    public enum Jitter: String, CaseIterable, Sendable, CustomStringConvertible {
        case full
        case equal
        case centred
        case decorrelated
        /// The whole window, always.
        case noJitter = "none"

        /// The name, as in events, logs and the other languages.
        public var description: String { rawValue }
    }
}

/// How the addresses of one name are dialled.
public enum Addresses: String, CaseIterable, Sendable, CustomStringConvertible {
    /// In a race (RFC 8305).
    case happyEyeballs = "happy_eyeballs"
    /// One after the other.
    case oneAtATime = "one_at_a_time"

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

/// In which order several endpoints are tried.
public enum EndpointOrder: String, CaseIterable, Sendable, CustomStringConvertible {
    case shuffled
    case ordered

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

/// A byte order.
public enum Endian: String, CaseIterable, Sendable, CustomStringConvertible {
    case big
    case little

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

/// What a network is.
public enum NetworkKind: String, CaseIterable, Sendable, CustomStringConvertible {
    case unknown
    case wifi
    case cellular
    case wired
    case vpn
    case other

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

/// A part of the way to a useful connection, in its order.
public enum Stage: String, CaseIterable, Sendable, CustomStringConvertible {
    case config
    case names
    case route
    case tcp
    case proxy
    case tls
    case greeting
    case pathMtu = "path_mtu"
    case idle

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

/// What a stage of an examination came to.
public enum Finding: String, CaseIterable, Sendable, CustomStringConvertible {
    case passed
    case warned
    case failed

    /// The name, as in events, logs and the other languages.
    public var description: String { rawValue }
}

/// The value of a name that the core told.
func named<T: RawRepresentable<String>>(_ name: String, as type: T.Type = T.self) throws -> T {
    guard let value = T(rawValue: name) else {
        throw KeeplineError.internal(.init("the core knows a \(T.self) that this library does not: \(name)"))
    }
    return value
}

/// The same, where there may be none.
func named<T: RawRepresentable<String>>(ifAny name: String?, as type: T.Type = T.self) throws -> T? {
    guard let name else { return nil }
    return try named(name)
}
