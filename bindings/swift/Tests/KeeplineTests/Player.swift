// Plays the steps of one scenario with a client of its own and a chaos program of its own.

import Foundation
import Keepline

/// What came of an action, as words.
private typealias Told = [String]

/// 15 s for whatever a step waits for: a slow machine, not a hanging client.
private let soon = Duration.seconds(15)

/// 2 ms between two looks at something that nobody announces.
private let look = Duration.milliseconds(2)

private let done = ["done"]

/// The actors of one scenario.
actor Player {
    private let chaos: Chaos
    private let config: Config
    private let hooks: Hooks
    private var client: Client?
    private var events: Events?
    private var receipts: [String: Receipt] = [:]
    private var begun: [String: Task<[String], any Error>] = [:]

    init(chaos: Chaos, config: Config, hooks: Hooks) {
        self.chaos = chaos
        self.config = config
        self.hooks = hooks
    }

    /// Plays a step, and compares what came of it with what is expected.
    func step(_ step: String) async throws {
        if step.hasPrefix("repeat ") {
            let parts = step.split(separator: ":", maxSplits: 1)
            for _ in 0..<(Int(words(parts[0])[1]) ?? 0) {
                for inner in parts[1].split(separator: ";") {
                    try await self.step(inner.trimmingCharacters(in: .whitespaces))
                }
            }
            return
        }
        let sides = step.components(separatedBy: "->")
        let (action, expected) = (words(sides[0]), sides.count > 1 ? words(sides[1]) : [])
        if action[0] == "event" {
            return try await event(past: action.count > 2 ? action[2].components(separatedBy: ",") : [], expected)
        }
        let told = try await orError { try await self.act(action) }
        guard isMet(expected, told) else { throw Failed("came to \(told)") }
    }

    func end() {
        for task in begun.values { task.cancel() }
        client?.abort()
        chaos.close()
    }

    private func act(_ action: [String]) async throws -> Told {
        let rest = Array(action.dropFirst())
        let isIdempotent = rest.contains("idempotent")
        switch action[0] {
        case "chaos": return words(try await chaos.tell(rest.joined(separator: " ")))
        case "connect": take(try await Client.connect(to: [try await endpoint(rest[0])], config, hooks: hooks))
        case "start": take(try Client.start(to: [try await endpoint(rest[0])], config, hooks: hooks))
        case "begin" where rest[1] == "connect":
            let (endpoint, config, hooks) = (try await endpoint(rest[2]), config, hooks)
            begun[rest[0]] = Task {
                try await orError {
                    _ = try await Client.connect(to: [endpoint], config, hooks: hooks)
                    return done
                }
            }
        case "begin":
            let (client, later) = (try living(), Array(rest.dropFirst()))
            begun[rest[0]] = Task { try await orError { try await wait(client, later) } }
        case "cancel":
            let task = begun.removeValue(forKey: rest[0])!
            // It waits by now, or has never begun; both are cancelled.
            try await Task.sleep(for: look)
            task.cancel()
            guard case .failure(is CancellationError) = await task.result else { throw Failed("it was not cancelled") }
        case "end":
            let task = begun.removeValue(forKey: rest[0])!
            return try await within(soon) { try await task.value }
        case "track":
            receipts[rest[0]] = try await living().sendTracked(payload(rest[1]), timeout: soon, idempotent: isIdempotent)
        case "outcome":
            let receipt = receipts[rest[0]]!
            return [try await within(soon) { try await receipt.outcome() }.rawValue]
        case "try-send": try living().trySend(payload(rest[0]), idempotent: isIdempotent)
        case "state": try await until { $0.state.rawValue == rest[0] }
        case "read": try await until { try $0.stats().bytesIn >= Int(rest[0])! }
        case "count": return ["\(try count(living().stats().messages, rest[0]))"]
        case "network" where rest[0] == "unknown": try living().networkChanged(nil)
        case "network":
            try living().networkChanged(NetworkPath(id: UInt64(rest[0])!, available: !rest.contains("lost")))
        case "pause": try living().pause()
        case "resume": try living().resume()
        case "background": try living().enterBackground()
        case "foreground": try living().enterForeground()
        // Swift has no callback for events.
        case "called-back": break
        case "reconnect": try living().reconnect()
        case "abort": try living().abort()
        case "go-away": try living().goAway(retryAfter: millis(rest[...]))
        case "drop": client = nil
        default: return try await wait(living(), action)
        }
        return done
    }

    /// The next event must be the expected one; those of `past` may come before it.
    private func event(past: [String], _ expected: [String]) async throws {
        guard let events else { throw Failed("there is no client") }
        while true {
            let event = try await within(soon, "an event") { await events.first { _ in true } }
            let told = event.map(tell) ?? ["none"]
            if isMet(expected, told) { return }
            guard past.contains(told[0]) else { throw Failed("came to \(told)") }
        }
    }

    private func take(_ made: Client) {
        client = made
        events = made.events
    }

    private func until(_ reached: (Client) throws -> Bool) async throws {
        let end = ContinuousClock.now + soon
        while try !reached(living()) {
            guard ContinuousClock.now < end else { throw Failed("not within \(soon); \(try living())") }
            try await Task.sleep(for: look)
        }
    }

    private func endpoint(_ name: String) async throws -> Endpoint { Endpoint(try await chaos.tell("address \(name)")) }

    private func living() throws -> Client {
        guard let client else { throw Failed("there is no client") }
        return client
    }
}

/// What waits, and so can be begun and cancelled.
private func wait(_ client: Client, _ action: [String]) async throws -> Told {
    let rest = action.dropFirst()
    switch action[0] {
    case "send":
        let limit = rest.firstIndex(of: "within").map { millis(rest[($0 + 1)...]) } ?? soon
        try await client.send(payload(rest[1]), timeout: limit, idempotent: rest.contains("idempotent"))
    case "request": return [String(decoding: try await client.request(payload(rest[1]), timeout: millis(rest.dropFirst())), as: UTF8.self)]
    case "receive": return try await client.receive(timeout: millis(rest)).map { [$0.text, "epoch=\($0.epoch)"] } ?? ["end"]
    case "close":
        let ending = try await client.close(drain: millis(rest))
        return tell(ending.cause, ending.detector, ending.hint)
    case "closed":
        let ending = try await within(soon) { try await client.closed() }
        return tell(ending.cause, ending.detector, ending.hint)
    default: throw Failed("no such action")
    }
    return done
}

private func orError(
    isolation: isolated (any Actor)? = #isolation, _ act: () async throws -> Told
) async throws -> Told {
    do {
        return try await act()
    } catch let error as KeeplineError {
        return ["error=\(error.kind)"] + [error.cause.map { "cause=\($0.rawValue)" }].compactMap { $0 }
            + (error.maybeExecuted ? ["maybe_executed"] : [])
    }
}

/// Every expected word was told. Where nothing is expected, an error is a failure.
private func isMet(_ expected: [String], _ told: Told) -> Bool {
    expected.isEmpty ? !told.contains { $0.hasPrefix("error=") } : expected.allSatisfy(told.contains)
}

private func words(_ text: some StringProtocol) -> [String] {
    text.components(separatedBy: " ").filter { !$0.isEmpty }
}

/// The word itself, or `fill:COUNT` for so many letters.
private func payload(_ word: String) -> Data {
    guard word.hasPrefix("fill:"), let count = Int(word.dropFirst(5)) else { return Data(word.utf8) }
    return Data(repeating: UInt8(ascii: "x"), count: count)
}

private func millis(_ words: ArraySlice<String>) -> Duration { words.first.flatMap(Int.init).map { .milliseconds($0) } ?? soon }

private func count(_ counts: MessageCounts, _ field: String) throws -> Int {
    switch field {
    case "accepted": counts.accepted
    case "acked": counts.acked
    case "not_sent": counts.notSent
    case "unknown": counts.unknown
    case "expired": counts.expired
    case "queued": counts.queued
    default: throw Failed("no such count: \(field)")
    }
}

private func tell(_ cause: Cause, _ detector: Detector?, _ hint: Hint?) -> Told {
    ["cause=\(cause.rawValue)"] + [detector.map { "detector=\($0.rawValue)" }, hint.map { "hint=\($0.rawValue)" }].compactMap { $0 }
}

private func tell(_ event: Event) -> Told {
    let name = [event.name.rawValue]
    switch event {
    case .connecting(let fact): return name + ["epoch=\(fact.epoch)"]
    case .connected(let fact): return name + ["epoch=\(fact.epoch)"]
    case .recovered(let fact), .stalled(let fact), .inboxFull(let fact): return name + ["epoch=\(fact.epoch)"]
    case .suspect(let fact): return name + ["epoch=\(fact.epoch)", "evidence=\(fact.evidence.rawValue)"]
    case .disconnected(let fact):
        let retries = fact.retryIn == nil ? "no" : "yes"
        return name + ["epoch=\(fact.epoch)", "failures=\(fact.failures)", "retries=\(retries)"]
            + tell(fact.cause, fact.detector, fact.hint)
    case .missed(let fact): return name + ["count=\(fact.count)", "state=\(fact.state.rawValue)"]
    case .closed(let fact): return name + tell(fact.cause, fact.detector, fact.hint)
    case .offline, .paused, .resumed: return name
    }
}
