// The parts of a configuration that have several values each.

public import Foundation
internal import KeeplineBridge

/// Application bytes that the peer answers: the only proof that its process lives.
public struct Heartbeat: Hashable, Sendable, CustomStringConvertible {
    /// The message that is sent, in the client's framing.
    public var payload: Data
    /// Which frame is the reply; it is consumed. Unset: any inbound byte is life.
    public var reply: Matcher?
    /// The silence after which one is sent.
    public var interval: Duration?
    /// The deadline for a sign of life after one was due.
    public var replyWithin: Duration?

    public init(_ payload: Data, reply: Matcher? = nil, interval: Duration? = nil, replyWithin: Duration? = nil) {
        self.payload = payload
        self.reply = reply
        self.interval = interval
        self.replyWithin = replyWithin
    }

    /// With the bytes of a text.
    public init(_ payload: String, reply: Matcher? = nil, interval: Duration? = nil, replyWithin: Duration? = nil) {
        self.init(Data(payload.utf8), reply: reply, interval: interval, replyWithin: replyWithin)
    }

    // The bytes may be a password: only their number is shown.
    public var description: String { "Heartbeat(\(payload.count) bytes, every \(interval as Any), within \(replyWithin as Any))" }
}

/// Kernel probes on an idle connection.
public enum Keepalive: Hashable, Sendable {
    /// No kernel probes.
    case off
    /// The first after `idle` without traffic, then one each `interval`, dead after `retries`. Whole seconds; the core rounds
    /// up and says so.
    case probes(idle: Duration, interval: Duration, retries: Int)

    /// Its values, if it is on.
    var probes: (idle: Duration, interval: Duration, retries: Int)? {
        switch self {
        case .off: nil
        case .probes(let idle, let interval, let retries): (idle, interval, retries)
        }
    }
}

/// The curve of waits between attempts. Each wait is 100 ms more than a draw from its window.
public struct Backoff: Hashable, Sendable {
    /// The window of the first retry.
    public var firstSpread: Duration?
    /// The window of the second retry, before the multiplier.
    public var initial: Duration?
    /// The growth of the window, 1 to 100.
    public var multiplier: Double?
    /// The longest wait after the first, the usual floor of 0.1 s included; of some classes of wait a multiple.
    public var max: Duration?
    /// How a delay is drawn from its window.
    public var jitter: Jitter?

    public init() {}
}

/// How much the outbox holds.
public struct Outbox: Hashable, Sendable {
    /// The most messages.
    public var messages: Int?
    /// The most bytes, framing included.
    public var bytes: Int?
    /// How old a message may grow.
    public var age: Limit?

    public init() {}
}

/// How connections are encrypted. What is not set is as safe as it can be: the certificates that the system trusts, the
/// endpoint's host, TLS 1.2 or 1.3.
public struct Tls: Hashable, Sendable {
    /// The defaults, as a `tls://host:port` has them.
    public static var system: Tls { Tls() }

    /// Files of authorities, PEM or DER, that are trusted instead of the system's.
    public var caFiles: [String] = []
    /// Authorities in PEM, that are trusted instead of the system's.
    public var caPem: String?
    /// Keys of which one must be in the chain: `sha256/BASE64` or 64 hexadecimal digits. Two at least.
    public var pins: [String] = []
    /// The file of the client's certificate chain, in PEM.
    public var clientCertFile: String?
    /// The file of its key, in PEM.
    public var clientKeyFile: String?
    /// Application protocols, best first. A server that agrees to none is refused.
    public var alpn: [String] = []
    /// The name that is expected instead of the endpoint's host.
    public var serverName: String?
    /// Refuses TLS 1.2.
    public var onlyTls13 = false
    /// Keeps no session for the next connection.
    public var noResumption = false
    /// Takes any certificate of anybody: the connection is then encrypted to whoever answers.
    public var dangerAcceptInvalidCertificates = false

    public init() {}

    init(_ record: TlsRecord) {
        caFiles = record.caFiles
        caPem = record.caPem
        pins = record.pins
        clientCertFile = record.clientCertFile
        clientKeyFile = record.clientKeyFile
        alpn = record.alpn
        serverName = record.serverName
        onlyTls13 = record.onlyTls13
        noResumption = record.noResumption
        dangerAcceptInvalidCertificates = record.dangerAcceptInvalidCertificates
    }

    var record: TlsRecord {
        TlsRecord(
            caFiles: caFiles, caPem: caPem, pins: pins, clientCertFile: clientCertFile, clientKeyFile: clientKeyFile,
            alpn: alpn, serverName: serverName, onlyTls13: onlyTls13, noResumption: noResumption,
            dangerAcceptInvalidCertificates: dangerAcceptInvalidCertificates)
    }
}
