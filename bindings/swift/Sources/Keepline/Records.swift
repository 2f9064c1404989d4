// Facts told by the core: messages, counters, endings, notices, bounds.

public import Foundation
internal import KeeplineBridge

/// A received message.
public struct Message: Hashable, Sendable, CustomStringConvertible {
    /// The connection it came on.
    public let epoch: UInt64
    /// The message, without framing.
    public let payload: Data

    /// The payload as text, if it is UTF-8; what is not becomes replacement characters.
    public var text: String { String(decoding: payload, as: UTF8.self) }

    public var description: String { "Message(epoch: \(epoch), \(payload.count) bytes)" }
}

/// Something you should know about a configuration: ``text`` follows from the option ``field``.
public struct Notice: Hashable, Sendable, CustomStringConvertible {
    /// The option.
    public let field: String
    /// What follows from it, in words.
    public let text: String

    public var description: String { "\(field): \(text)" }
}

/// One fault's worst case, with the formula it comes from.
public struct Bound: Hashable, Sendable {
    /// From the fault to the verdict at most; `nil` if this configuration never notices.
    public let within: Duration?
    /// Where it comes from.
    public let formula: String
}

/// What became of the messages accepted so far: ``accepted`` is the sum of the others, at every moment.
public struct MessageCounts: Hashable, Sendable {
    /// Accepted by a send.
    public let accepted: Int
    /// Acknowledged by the peer's kernel.
    public let acked: Int
    /// Dropped by policy, never transmitted.
    public let notSent: Int
    /// Handed to the kernel; nobody knows.
    public let unknown: Int
    /// Ran out of time in the outbox.
    public let expired: Int
    /// Waiting in the outbox.
    public let queued: Int
    /// Handed to the kernel of the living connection.
    public let inFlight: Int
}

/// What a client has done so far, and what the kernel says is in force.
public struct Stats: Hashable, Sendable {
    /// Where it stands.
    public let state: Client.State
    /// The number of the last attempt.
    public let epoch: UInt64
    /// Attempts started.
    public let attempts: Int
    /// Connections that became connected.
    public let connections: Int
    /// Attempts that failed.
    public let failures: Int
    /// What became of the messages that were accepted.
    public let messages: MessageCounts
    /// Bytes waiting in the outbox, framing included.
    public let outboxBytes: Int
    /// Messages received.
    public let received: Int
    /// Messages dropped because nobody asked for them.
    public let discarded: Int
    /// Messages waiting in the inbox of the core.
    public let inbox: Int
    /// Bytes handed to the kernel.
    public let bytesOut: Int
    /// Bytes read.
    public let bytesIn: Int
    /// Heartbeats written.
    public let heartbeats: Int
    /// The time between the last answered heartbeat and its answer.
    public let heartbeatRtt: Duration?
    /// Requests in flight, late replies included.
    public let requestsInFlight: Int
    /// Kernel probes in force: silence before the first.
    public let keepaliveIdle: Duration?
    /// Kernel probes in force: pause between them.
    public let keepaliveInterval: Duration?
    /// Kernel probes in force: how many.
    public let keepaliveRetries: Int?
    /// `TCP_USER_TIMEOUT` in force.
    public let userTimeout: Duration?
    /// `TCP_RTO_MAX_MS` in force.
    public let rtoMax: Duration?
    /// `TCP_NODELAY` in force.
    public let nodelay: Bool
    /// The version of TLS that the last encrypted connection agreed on.
    public let tlsVersion: String?
    /// Its cipher suite.
    public let tlsCipher: String?
    /// Its application protocol.
    public let tlsAlpn: String?
    /// Whether it resumed the session of an earlier one.
    public let tlsResumed: Bool?
}

/// Why a client is closed.
public struct Ending: Hashable, Sendable, CustomStringConvertible {
    /// Why.
    public let cause: Cause
    /// Which evidence told.
    public let detector: Detector?
    /// The operating system's error number, if there was one.
    public let errno: Int32?
    /// What may help, if something does.
    public let hint: Hint?
    /// The same as a sentence.
    public let advice: String?
    /// The other side's own number for it, if it told one: a SOCKS reply or the status of an HTTP proxy.
    public let code: Int?

    public var description: String {
        let evidence = [detector.map { "by \($0)" }, errno.map { "errno \($0)" }, code.map { "code \($0)" }].compactMap { $0 }
        let told = evidence.isEmpty ? "\(cause)" : "\(cause) (\(evidence.joined(separator: ", ")))"
        return advice.map { "\(told): \($0)" } ?? told
    }
}

/// The worst case of each kind of fault.
public struct DetectionBounds: Hashable, Sendable {
    /// The longest of those that concern an established connection; `nil` if one of them is never noticed.
    public let longest: Duration?
    /// The path goes silent while nothing is in flight.
    public let pathSilentIdle: Bound
    /// The path goes silent while data is in flight.
    public let pathSilentInFlight: Bound
    /// The peer's process is frozen, its kernel answers.
    public let peerFrozen: Bound
    /// The peer lives and does not read.
    public let peerStalled: Bound
    /// An attempt meets an endpoint that never answers.
    public let connect: Bound
}

/// A way to the network, as your system tells it.
public struct NetworkPath: Hashable, Sendable {
    /// The same number means the same network.
    public var id: UInt64
    /// Whether anything can be reached over it.
    public var available: Bool
    /// What it is.
    public var kind: NetworkKind
    /// Whether bytes cost money.
    public var metered: Bool

    public init(id: UInt64, available: Bool = true, kind: NetworkKind = .unknown, metered: Bool = false) {
        self.id = id
        self.available = available
        self.kind = kind
        self.metered = metered
    }

    var record: NetworkPathRecord {
        NetworkPathRecord(id: id, available: available, kind: kind.rawValue, metered: metered)
    }
}

/// One endpoint; a text with its address will do.
public struct Endpoint: Hashable, Sendable, ExpressibleByStringLiteral {
    /// `host:port`, `tls://host:port`, `[v6]:port` or `unix:/path`.
    public var address: String
    /// Drawn so often as one of weight 1, which all others have: from 1 to 10,000.
    public var weight: Int?

    public init(_ address: String, weight: Int? = nil) {
        self.address = address
        self.weight = weight
    }

    public init(stringLiteral value: String) { self.init(value) }

    init(_ record: EndpointRecord) {
        let weight = int(record.weight)
        self.init(record.address, weight: weight == 1 ? nil : weight)
    }

    func record() throws -> EndpointRecord {
        EndpointRecord(address: address, weight: try weight.declared("endpoints.weight"))
    }
}

extension Message {
    init(_ record: MessageRecord) { self.init(epoch: record.epoch, payload: record.payload) }
}

extension Notice {
    init(_ record: NoticeRecord) { self.init(field: record.field, text: record.text) }
}

extension Bound {
    init(_ record: BoundRecord) { self.init(within: millis(ifAny: record.withinMs), formula: record.formula) }
}

extension MessageCounts {
    init(_ record: MessageCountsRecord) throws {
        accepted = int(record.accepted)
        acked = int(record.acked)
        notSent = int(record.notSent)
        unknown = int(record.unknown)
        expired = int(record.expired)
        queued = int(record.queued)
        inFlight = int(record.inFlight)
    }
}

extension Stats {
    init(_ record: StatsRecord) throws {
        state = try named(record.state)
        epoch = record.epoch
        attempts = int(record.attempts)
        connections = int(record.connections)
        failures = int(record.failures)
        messages = try MessageCounts(record.messages)
        outboxBytes = int(record.outboxBytes)
        received = int(record.received)
        discarded = int(record.discarded)
        inbox = int(record.inbox)
        bytesOut = int(record.bytesOut)
        bytesIn = int(record.bytesIn)
        heartbeats = int(record.heartbeats)
        heartbeatRtt = micros(ifAny: record.heartbeatRttUs)
        requestsInFlight = int(record.requestsInFlight)
        keepaliveIdle = millis(ifAny: record.keepaliveIdleMs)
        keepaliveInterval = millis(ifAny: record.keepaliveIntervalMs)
        keepaliveRetries = int(record.keepaliveRetries)
        userTimeout = millis(ifAny: record.userTimeoutMs)
        rtoMax = millis(ifAny: record.rtoMaxMs)
        nodelay = record.nodelay
        tlsVersion = record.tlsVersion
        tlsCipher = record.tlsCipher
        tlsAlpn = record.tlsAlpn
        tlsResumed = record.tlsResumed
    }
}

extension Ending {
    init(_ record: EndingRecord) throws {
        cause = try named(record.cause)
        detector = try named(ifAny: record.detector)
        errno = record.errno
        hint = try named(ifAny: record.hint)
        advice = record.advice
        code = int(record.code)
    }
}

extension DetectionBounds {
    init(_ record: BoundsRecord) {
        longest = millis(ifAny: record.longestMs)
        pathSilentIdle = Bound(record.pathSilentIdle)
        pathSilentInFlight = Bound(record.pathSilentInFlight)
        peerFrozen = Bound(record.peerFrozen)
        peerStalled = Bound(record.peerStalled)
        connect = Bound(record.connect)
    }
}
