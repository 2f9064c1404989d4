// The declared login: the steps of a greeting, automatic answers, and being sent away for a time.

public import Foundation
internal import KeeplineBridge

/// A greeting as sends and expected replies; it must succeed before a connection counts as connected.
///
/// ```swift
/// Greeting().refused(.prefix("-WRONGPASS")).sendCredentials(prefix: "AUTH ", suffix: "\r\n").expect("+OK\r\n")
/// ```
public struct Greeting: Hashable, Sendable, CustomStringConvertible {
    let records: [StepRecord]

    /// A greeting without steps.
    public init() { records = [] }

    init(records: [StepRecord]) { self.records = records }

    /// Adds a message to send, in the client's framing.
    public func send(_ message: Data) -> Greeting { adding(.send(bytes: message)) }

    /// Adds a text to send, in the client's framing.
    public func send(_ message: String) -> Greeting { send(Data(message.utf8)) }

    /// Adds a message made of the credentials, with these bytes around them.
    public func sendCredentials(prefix: Data = Data(), suffix: Data = Data()) -> Greeting {
        adding(.sendCredentials(prefix: prefix, suffix: suffix))
    }

    /// Adds a message made of the credentials, with these texts around them.
    public func sendCredentials(prefix: String, suffix: String = "") -> Greeting {
        sendCredentials(prefix: Data(prefix.utf8), suffix: Data(suffix.utf8))
    }

    /// Adds a frame to expect.
    public func expect(_ frame: Matcher) -> Greeting { adding(.expect(matcher: frame.record)) }

    /// Adds a frame to expect, equal to this text.
    public func expect(_ frame: String) -> Greeting { expect(.exact(frame)) }

    /// Declares how the server refuses the credentials, for each frame that is expected after this.
    public func refused(_ frame: Matcher) -> Greeting { adding(.refused(matcher: frame.record)) }

    /// Declares how the server asks the client to come back later, for each frame that is expected after this.
    public func retryAfter(_ retryAfter: RetryAfter) -> Greeting { adding(.retryAfter(when: retryAfter.record)) }

    // The bytes may be a password: only the number of steps is shown.
    public var description: String { "Greeting(\(records.count) steps)" }

    private func adding(_ step: StepRecord) -> Greeting { Greeting(records: records + [step]) }
}

/// A frame that asks the client to come back later, and the time that it names.
public struct RetryAfter: Hashable, Sendable, CustomStringConvertible {
    /// The frame that asks.
    public var when: Matcher
    /// The time if the frame names none.
    public var otherwise: Duration
    /// The bytes after which the frame names whole seconds in decimal digits.
    public var marker: Data?

    public init(when: Matcher, otherwise: Duration, marker: Data? = nil) {
        self.when = when
        self.otherwise = otherwise
        self.marker = marker
    }

    public var description: String { "RetryAfter(\(when), otherwise: \(otherwise))" }

    init(_ record: RetryAfterRecord) {
        self.init(when: Matcher(record: record.when), otherwise: millis(record.otherwiseMs), marker: record.marker)
    }

    // A negative time is none: the server asks for no wait.
    var record: RetryAfterRecord {
        RetryAfterRecord(when: when.record, marker: marker, otherwiseMs: (try? otherwise.asWait("retry_after")) ?? 0)
    }
}

/// A frame of the server that is answered without asking you, such as its own ping.
public struct AutoReply: Hashable, Sendable, CustomStringConvertible {
    /// The frame that is answered; it is consumed.
    public var when: Matcher
    /// The answer, in the client's framing.
    public var reply: Data

    public init(when: Matcher, reply: Data) {
        self.when = when
        self.reply = reply
    }

    /// With the bytes of a text.
    public init(when: Matcher, reply: String) { self.init(when: when, reply: Data(reply.utf8)) }

    // The bytes may be a secret: only their number is shown.
    public var description: String { "AutoReply(\(when), \(reply.count) bytes)" }

    init(_ record: AutoReplyRecord) { self.init(when: Matcher(record: record.when), reply: record.reply) }

    var record: AutoReplyRecord { AutoReplyRecord(when: when.record, reply: reply) }
}
