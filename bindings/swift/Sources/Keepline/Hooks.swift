// Code of yours that a client asks: to greet, for credentials of its own and for a proxy, for addresses, for sockets.

public import Foundation
internal import KeeplineBridge

/// Code that a client asks while it connects. What is not given is not asked.
///
/// Each question runs as a task of its own. When the core does not wait for the answer any more, that task is cancelled. What a
/// hook throws ends the attempt, and the next one asks again. Hooks must not hold their client.
public struct Hooks: Sendable {
    /// Greets on a new connection, which it has to itself until it returns: before anything you send passes, and before the
    /// connection counts as connected. A `request` of the client inside is refused: it would wait for the greeting. ``AuthRefused`` and ``RetryLater`` tell what the server said; whatever else is
    /// thrown ends the attempt as ``Cause/greetingRejected``.
    public var onConnect: (@Sendable (GreetingIo) async throws -> Void)?

    /// Gives the credentials of one attempt. What it throws ends the attempt as ``Cause/greetingCredentials``.
    public var credentials: (@Sendable (CredentialRequest) async throws -> Data)?

    /// Gives the name and the password that one attempt tells the ``Config/proxy``, which then has none in its URL. What it
    /// throws ends the attempt as ``Cause/proxyCredentials``, and the proxy is told nothing.
    public var proxyCredentials: (@Sendable (CredentialRequest) async throws -> ProxyCredentials)?

    /// Finds the addresses of a name instead of the system, the preferred ones first: `1.2.3.4:port`, `[::1]:port`. What it
    /// throws ends the attempt as ``Cause/dnsTemporary``.
    public var resolver: (@Sendable (_ host: String, _ port: UInt16) async throws -> [String])?

    /// Prepares a socket before it connects. What it throws ends the attempt as ``Cause/localResource``.
    public var onSocket: (@Sendable (DialSocket) async throws -> Void)?

    public init(
        onConnect: (@Sendable (GreetingIo) async throws -> Void)? = nil,
        credentials: (@Sendable (CredentialRequest) async throws -> Data)? = nil,
        proxyCredentials: (@Sendable (CredentialRequest) async throws -> ProxyCredentials)? = nil,
        resolver: (@Sendable (_ host: String, _ port: UInt16) async throws -> [String])? = nil,
        onSocket: (@Sendable (DialSocket) async throws -> Void)? = nil
    ) {
        self.onConnect = onConnect
        self.credentials = credentials
        self.proxyCredentials = proxyCredentials
        self.resolver = resolver
        self.onSocket = onSocket
    }
}

/// To be thrown in `onConnect`: the server refused the credentials. The second time in a row ends the client (`authAttempts`).
public struct AuthRefused: Error, Hashable {
    /// What the server said, for the log.
    public var reason: String

    public init(_ reason: String = "the server refused the credentials") { self.reason = reason }
}

/// To be thrown in `onConnect`: the server asked to come back after this time, of which at most an hour is honoured.
public struct RetryLater: Error, Hashable {
    /// How long to stay away.
    public var after: Duration
    /// What the server said, for the log.
    public var reason: String

    public init(after: Duration, _ reason: String = "the server asked to come back later") {
        self.after = after
        self.reason = reason
    }
}

/// What a provider of credentials is asked.
public struct CredentialRequest: Hashable, Sendable {
    /// The attempt that needs them.
    public let epoch: UInt64
    /// Where it goes, as it was given.
    public let endpoint: String
    /// How often the server refused them since a greeting passed last, or the proxy since an attempt succeeded last: above 0 a
    /// token from a cache will not do.
    public let refusals: Int
}

/// What is told to a proxy. SOCKS takes 1 to 255 bytes of each, HTTP up to 4,096 and no colon in the name.
public struct ProxyCredentials: Hashable, Sendable, CustomStringConvertible {
    /// The name.
    public var user: String
    /// The password.
    public var password: String

    public init(user: String, password: String) {
        self.user = user
        self.password = password
    }

    // A password does not belong into a log.
    public var description: String { "ProxyCredentials(…)" }
}

/// A socket that is about to connect.
public struct DialSocket: Hashable, Sendable {
    /// Its number, which is that of this socket until the hook returns or the attempt ends.
    public let descriptor: Int32
    /// Where it will connect to; `nil` for a Unix socket.
    public let address: String?
    /// The endpoint that the address belongs to.
    public let endpoint: String
}

/// Messages out and in on a new connection, in the client's framing: nobody else reads or writes.
///
/// When the greeting is over every call throws ``KeeplineError/closed(_:)``.
public struct GreetingIo: Sendable {
    let core: ForeignGreeting

    /// The number of the attempt.
    public var epoch: UInt64 {
        get throws(KeeplineError) { try crossing { try core.epoch() } }
    }

    /// Where it goes.
    public var endpoint: String {
        get throws(KeeplineError) { try crossing { try core.endpoint() } }
    }

    /// Sends a message; it is written at once.
    public func send(_ message: Data) throws(KeeplineError) { try crossing { try core.send(message: message) } }

    /// Sends a text; it is written at once.
    public func send(_ message: String) throws(KeeplineError) { try send(Data(message.utf8)) }

    /// Waits at most `timeout` for the next message.
    public func receive(timeout: Duration? = nil) async throws -> Data {
        let limit = try timeout.asWait("timeout")
        return try await waiting { try await self.core.recv(timeoutMs: limit, cancel: $0) }
    }

    /// The credentials of this attempt; the same as often as it is called.
    public func credentials() async throws -> Data {
        try await waiting { try await self.core.credentials(cancel: $0) }
    }
}

extension Hooks {
    /// Whether nothing is asked.
    var areMissing: Bool {
        onConnect == nil && credentials == nil && proxyCredentials == nil && resolver == nil && onSocket == nil
    }

    /// Which are there that no configuration tells of.
    var there: HooksThere {
        HooksThere(addresses: resolver != nil, socket: onSocket != nil, proxyCredentials: proxyCredentials != nil)
    }
}
