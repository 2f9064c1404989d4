// How the core asks hooks, and learns why they gave no answer.

import Foundation
internal import KeeplineBridge

/// The hooks of one client, as the core asks them.
final class AskedHooks: ForeignHooks {
    private let hooks: Hooks
    /// The greeting that the calling task belongs to.
    @TaskLocal private static var running: RunningGreeting?

    /// Whether the calling task belongs to a greeting of these hooks that is not over.
    var greetHere: Bool { Self.running.map { $0.hooks == ObjectIdentifier(self) && !$0.isOver } ?? false }

    init(_ hooks: Hooks) { self.hooks = hooks }

    func greet(greeting: ForeignGreeting) async throws {
        let running = RunningGreeting(ObjectIdentifier(self))
        defer { running.end() }
        try await Self.$running.withValue(running) {
            try await answered { try await hooks.onConnect?(GreetingIo(core: greeting)) }
        }
    }

    func credentials(asked: CredentialsQuestion) async throws -> SecretRecord {
        try await answered { try await hooks.credentials?(CredentialRequest(asked)) ?? Data() }
    }

    func proxyCredentials(asked: CredentialsQuestion) async throws -> ProxyCredentialsRecord {
        try await answered {
            let given = try await hooks.proxyCredentials?(CredentialRequest(asked))
            return ProxyCredentialsRecord(user: given?.user ?? "", password: given?.password ?? "")
        }
    }

    func addresses(asked: NameQuestion) async throws -> [String] {
        try await answered { try await hooks.resolver?(asked.host, asked.port) ?? [] }
    }

    func socket(asked: SocketQuestion) async throws {
        let socket = DialSocket(
            descriptor: Int32(clamping: asked.descriptor), address: asked.address, endpoint: asked.endpoint)
        try await answered { try await hooks.onSocket?(socket) }
    }

    /// What a hook throws, in words that the core knows.
    private func answered<Answer>(_ ask: () async throws -> Answer) async throws -> Answer {
        do {
            return try await ask()
        } catch let refused as AuthRefused {
            throw HookFailure.Told(kind: "auth_refused", reason: refused.reason, retryAfterMs: nil)
        } catch let later as RetryLater {
            // A negative time is none.
            let wait = (try? later.after.asWait("after")) ?? 0
            throw HookFailure.Told(kind: "failed", reason: later.reason, retryAfterMs: wait)
        } catch let error as KeeplineError where error.cause == .greetingCredentials {
            throw HookFailure.Told(kind: "no_credentials", reason: error.evidence.text, retryAfterMs: nil)
        } catch {
            throw HookFailure.Told(kind: "failed", reason: "\(type(of: error)): \(error)", retryAfterMs: nil)
        }
    }
}

extension CredentialRequest {
    fileprivate init(_ asked: CredentialsQuestion) {
        self.init(epoch: asked.epoch, endpoint: asked.endpoint, refusals: int(asked.refusals))
    }
}

/// One greeting, as the tasks that belong to it know it: some may outlive it.
private final class RunningGreeting: Sendable {
    let hooks: ObjectIdentifier
    private let over = Guarded(false)

    init(_ hooks: ObjectIdentifier) { self.hooks = hooks }

    var isOver: Bool { over.withLock { $0 } }

    func end() { over.withLock { $0 = true } }
}
