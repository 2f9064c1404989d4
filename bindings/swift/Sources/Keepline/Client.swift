// The client: it survives any number of connections.

public import Foundation
internal import KeeplineBridge

/// A client of one endpoint or several: any number of connections, one at a time.
///
/// Made by ``connect(_:_:hooks:isolation:configure:)`` or ``start(_:_:hooks:configure:)``. Everything may be called from any task
/// and any thread. A call that waits ends with `CancellationError` when its task is cancelled, and has then taken and lost nothing.
///
/// End it with ``close(drain:)`` or ``use(isolation:_:)``; one that nobody holds any more is aborted at once.
public final class Client: Sendable, CustomStringConvertible {
    let core: ForeignClient
    let inbox: Inbox

    /// Those that the core asks; they do not hold the client.
    fileprivate let hooks: AskedHooks?

    init(_ core: ForeignClient, _ hooks: AskedHooks? = nil) {
        self.core = core
        self.hooks = hooks
        self.inbox = Inbox(core)
    }

    // Also while a call of somebody else still holds the core. One that is closed stays as it is.
    deinit { try? core.abort() }

    /// Its state and the number of its connection.
    public var description: String { "Client(\(state), epoch: \(epoch))" }
}

// MARK: Sending

extension Client {
    /// Accepts a message without waiting.
    ///
    /// One that is `idempotent` is sent again where nobody knows what became of it. That also holds for `send` and
    /// `sendTracked`.
    ///
    /// - Throws: ``KeeplineError/rejected(_:)``: the outbox is full, or the message does not fit the framing.
    ///   ``KeeplineError/unavailable(_:)``: there is no connection, and the policy is to reject.
    ///   ``KeeplineError/closed(_:)``: the client is closed.
    public func trySend(_ message: Data, idempotent: Bool = false) throws(KeeplineError) {
        try crossing { try core.trySend(message: message, idempotent: idempotent) }
    }

    /// As `trySend` of a `Data`, with the bytes of a text.
    public func trySend(_ message: String, idempotent: Bool = false) throws(KeeplineError) {
        try trySend(Data(message.utf8), idempotent: idempotent)
    }

    /// Accepts a message, and waits at most `timeout` for room while the peer is only slow.
    ///
    /// Returning means accepted, not delivered: `sendTracked` tells what became of it. A cancelled send was not accepted.
    ///
    /// - Throws: ``KeeplineError/timeout(_:)``: there was no room in time. Otherwise as `trySend`.
    public func send(_ message: Data, timeout: Duration? = nil, idempotent: Bool = false) async throws {
        let limit = try timeout.asWait("timeout")
        try await waiting {
            try await self.core.send(message: message, idempotent: idempotent, timeoutMs: limit, cancel: $0)
        }
    }

    /// As `send`, with the bytes of a text.
    public func send(_ message: String, timeout: Duration? = nil, idempotent: Bool = false) async throws {
        try await send(Data(message.utf8), timeout: timeout, idempotent: idempotent)
    }

    /// Accepts a batch without waiting: all of it, in order and with nothing in between, or nothing.
    public func trySendMany(_ messages: [Data], idempotent: Bool = false) throws(KeeplineError) {
        try crossing { try core.trySendMany(messages: messages, idempotent: idempotent) }
    }

    /// Accepts a batch as ``trySendMany(_:idempotent:)`` does, and waits at most `timeout` until all of it has room while the
    /// peer is only slow. Cancelled, nothing was accepted.
    public func sendMany(_ messages: [Data], timeout: Duration? = nil, idempotent: Bool = false) async throws {
        let limit = try timeout.asWait("timeout")
        try await waiting {
            try await self.core.sendMany(messages: messages, idempotent: idempotent, timeoutMs: limit, cancel: $0)
        }
    }

    /// As `send`, with a receipt that tells what became of the message.
    public func sendTracked(_ message: Data, timeout: Duration? = nil, idempotent: Bool = false) async throws -> Receipt {
        let limit = try timeout.asWait("timeout")
        return Receipt(
            try await waiting {
                try await self.core.sendTracked(message: message, idempotent: idempotent, timeoutMs: limit, cancel: $0)
            })
    }

    /// As `sendTracked`, with the bytes of a text.
    public func sendTracked(_ message: String, timeout: Duration? = nil, idempotent: Bool = false) async throws -> Receipt {
        try await sendTracked(Data(message.utf8), timeout: timeout, idempotent: idempotent)
    }

    /// Sends a request and waits for its reply, both at most `timeout`.
    ///
    /// Cancelling gives the reply up; the request may still be carried out.
    ///
    /// - Throws: ``KeeplineError/timeout(_:)``: no reply came in time; a late one is swallowed.
    ///   ``KeeplineError/unavailable(_:)``: the connection ended first; `maybeExecuted` tells whether the peer may have got
    ///   it. ``KeeplineError/invalidConfig(_:)``: no correlation was declared. Otherwise as `trySend`.
    public func request(_ message: Data, timeout: Duration) async throws -> Data {
        let limit = try Optional(timeout).declared("timeout") ?? 0
        if hooks?.greetHere == true {
            throw KeeplineError.rejected(.init("a request inside of the greeting would wait for its end"))
        }
        return try await waiting { try await self.core.request(message: message, timeoutMs: limit, cancel: $0) }
    }

    /// As `request`, with the bytes of a text.
    public func request(_ message: String, timeout: Duration) async throws -> Data {
        try await request(Data(message.utf8), timeout: timeout)
    }
}

// MARK: Receiving

extension Client {
    /// Waits at most `timeout` for the next message; `nil` after close, when all were taken.
    ///
    /// Concurrent calls share one cursor: each message goes to one of them.
    ///
    /// - Throws: ``KeeplineError/timeout(_:)``: nothing came in time.
    public func receive(timeout: Duration? = nil) async throws -> Message? { try await inbox.take(timeout: timeout) }

    /// As ``receive(timeout:)``, up to `max` of those that are there; an empty list after close.
    public func receiveMany(max: Int = 256, timeout: Duration? = nil) async throws -> [Message] {
        guard max >= 1 else { throw KeeplineError.invalid("max", max, "must be at least 1") }
        return try await inbox.takeMany(max: max, timeout: timeout)
    }

    /// The messages, from the next one on.
    ///
    /// What is not taken stays, and slows the peer down through TCP; nothing is dropped. Several readers share one cursor. It
    /// goes on over reconnects, and ends when the client was closed on request.
    ///
    /// - Throws: ``KeeplineError/closed(_:)`` while iterating: it was closed for another reason.
    public var messages: Messages { Messages(client: self) }
}

// MARK: Ending

extension Client {
    /// Closes: accepts nothing more, writes what waits and reads to the end if the connection is healthy, at most `drain`.
    ///
    /// Idempotent. The close goes on if the wait is cancelled.
    @discardableResult
    public func close(drain: Duration = .seconds(1)) async throws -> Ending {
        let limit = try drain.asWait("drain")
        return try Ending(await waiting { try await self.core.closeWithin(drainMs: limit, cancel: $0) })
    }

    /// Closes at once: the connection is reset, what waits is ``Outcome/notSent``.
    public func abort() { try? core.abort() }

    /// Waits until the client is closed, by whoever, and tells why.
    public func closed() async throws -> Ending {
        try Ending(await waiting { try await self.core.closed(cancel: $0) })
    }

    /// Runs `body` and closes with a drain of at most a second; if the body throws, aborts.
    public func use<Result: Sendable>(
        isolation: isolated (any Actor)? = #isolation, _ body: (Client) async throws -> Result
    ) async throws -> Result {
        do {
            let result = try await body(self)
            try await close()
            return result
        } catch {
            abort()
            throw error
        }
    }
}
