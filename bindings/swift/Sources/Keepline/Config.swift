// What a client is told. The core decides what is unset, once for all languages.

public import Foundation

/// What is declared of a client. `nil` means: decide for me.
///
/// Explicit values beat ``detectWithin``, which beats the profile. ``resolve()`` gives the same with every value decided, and
/// so does ``Client/config``.
public struct Config: Hashable, Sendable, CustomStringConvertible {
    /// The set of defaults; ``Profile/balanced`` unless given.
    public var profile: Profile?
    /// One number that sets the rest: the longest time until a dead peer is noticed. At least 4 s.
    public var detectWithin: Duration?
    /// Application bytes that the peer answers.
    public var heartbeat: Heartbeat?
    /// Kernel probes on an idle connection.
    public var keepalive: Keepalive?
    /// `TCP_USER_TIMEOUT`: how long transmitted data may stay unacknowledged.
    public var userTimeout: Limit?
    /// `TCP_RTO_MAX_MS`: the longest pause between retransmissions.
    public var rtoMax: Limit?
    /// The longest silence of a peer that talks by itself. Off unless given.
    public var readIdle: Duration?
    /// Deadline for the TCP handshake with one address.
    public var connectPerAddress: Duration?
    /// Deadline for a whole attempt.
    public var connectTotal: Duration?
    /// How the addresses of one name are dialled.
    public var addresses: Addresses?
    /// How long an address has for itself before the next one is dialled beside it, 0.1 s to 2 s.
    public var addressStagger: Duration?
    /// Refuses a name that leads to this machine or into a private network.
    public var refusePrivateAddresses = false
    /// Ends the race over the addresses of a name with the first TLS handshake that succeeds, not with the first TCP one.
    public var raceThroughTls = false
    /// Goes on trying, slowly, after a verdict on TLS that ends the client otherwise, such as an unknown issuer.
    public var retryTlsVerdicts = false
    /// How long `Client.connect` waits for the first connection.
    public var connectWithin: Duration?
    /// The curve of waits between attempts.
    public var backoff = Backoff()
    /// How long a verified connection must stay up before the backoff is reset.
    public var stableAfter: Duration?
    /// Give up after this many failed attempts in a row. Never unless given.
    public var maxAttempts: Int?
    /// What happens to messages while there is no connection.
    public var whileDown: WhileDown?
    /// How much the outbox holds.
    public var outbox = Outbox()
    /// What `Client.send` does when the outbox is full.
    public var overflow: Overflow?
    /// The most bytes of received messages that wait for the user.
    public var inboxBytes: Int?
    /// What happens to messages that no request asked for.
    public var unsolicited: Unsolicited?
    /// How bytes become messages. Raw unless given.
    public var framing: Framing?
    /// How long a started frame may take to end.
    public var frameWithin: Limit?
    /// How replies find their requests.
    public var correlation: Correlation?
    /// Frames that are never replies, though requests are in flight.
    public var push: Matcher?
    /// The most requests in flight, late replies included.
    public var maxInFlight: Int?
    /// What must succeed before a connection counts as connected.
    public var greeting: Greeting?
    /// What the greeting sends as `Greeting.sendCredentials`. ``Client/setCredentials(_:)`` replaces them later.
    public var credentials: Data?
    /// How long a provider of credentials may take.
    public var credentialsWithin: Duration?
    /// Give up after the server refused the credentials so often in a row.
    public var authAttempts: Attempts?
    /// A frame by which the server sends the client away for a time.
    public var goAway: RetryAfter?
    /// Answers to the server's own pings.
    public var autoReplies: [AutoReply] = []
    /// How long a peer may keep its window shut.
    public var stallLimit: Duration?
    /// Allows a second connection beside a suspect one: whichever proves alive first stays.
    public var concurrentOk = false
    /// Counts retries against the budget that the clients of a process share for one endpoint.
    public var governed: Bool?
    /// Asks for a sign of life when another connection from the same local address died of a silent path.
    public var siblingProbes: Bool?
    /// Watches the way to the peer.
    public var networkMonitor: Bool?
    /// Encrypts every connection; `.system` sets the defaults, as a `tls://host:port` does.
    public var tls: Tls?
    /// What every connection goes through: `socks5://user:password@host:port`, `http://host:port`, or `system`.
    public var proxy: String?
    /// The peer serves one connection at a time: the old one is reset before the next is dialled.
    public var singleConnection: Bool?
    /// In which order several endpoints are tried. Shuffled unless given.
    public var endpointOrder: EndpointOrder?
    /// How often a better endpoint is tried beside a healthy connection to a second choice. Never unless given.
    public var returnToPreferred: Duration?
    /// The local IP address to connect from.
    public var bindAddress: String?
    /// The network interface to connect through.
    public var bindInterface: String?

    /// Nothing but defaults.
    public init() {}

    /// Decides every value and checks it, without making a client.
    ///
    /// - Throws: ``KeeplineError/invalidConfig(_:)``, which names the field, the value and the rule.
    public func resolve() throws(KeeplineError) -> Resolved { try crossing { try Resolved(resolvedRecord()) } }

    // Neither credentials nor a proxy's password belong into a log.
    public var description: String {
        "Config(profile: \(profile as Any), detectWithin: \(detectWithin as Any), heartbeat: \(heartbeat as Any))"
    }
}

/// What a declaration comes to.
public struct Resolved: Sendable {
    /// Every value, decided.
    public let config: Config
    /// What you should know about it.
    public let notices: [Notice]
    /// How long each fault can go unnoticed.
    public let bounds: DetectionBounds
}
