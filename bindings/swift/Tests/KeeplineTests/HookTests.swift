import Foundation
import Keepline
import XCTest

/// Code of the user that the core asks: what it throws, how long it takes, what it calls.
final class HookTests: XCTestCase {
    func testEveryHookIsAskedAndWhatTheyAnswerIsUsed() async throws {
        try await withChaos { chaos in
            let address = try await chaos.tell("serve s line")
            let port = address.split(separator: ":")[1]
            let asked = Asked()
            let hooks = Hooks(
                onConnect: { io in
                    asked.add("greet \(try io.epoch)")
                    try io.send(try await io.credentials())
                    let answer = try await io.receive(timeout: .seconds(5))
                    XCTAssertEqual(String(decoding: answer, as: UTF8.self), "token")
                },
                credentials: { request in
                    asked.add("credentials \(request.epoch) \(request.refusals)")
                    return Data("token".utf8)
                },
                resolver: { host, port in
                    asked.add("resolve \(host)")
                    return ["127.0.0.1:\(port)"]
                },
                onSocket: { socket in
                    asked.add("socket \(socket.descriptor > 2) \(socket.address ?? "")")
                })
            let client = try await Client.connect("machine.plant:\(port)", hooks: hooks) { $0.framing = .lines }
            try await client.use { client in
                let wanted = ["credentials 1 0", "greet 1", "resolve machine.plant", "socket true \(address)"]
                XCTAssertEqual(asked.all.sorted(), wanted)
                try await client.sendMany([Data("one".utf8), Data("two".utf8)])
                try client.trySendMany([Data("three".utf8)])
                for text in ["one", "two", "three"] {
                    let message = try await client.receive(timeout: .seconds(5))
                    XCTAssertEqual(message?.text, text)
                }
            }
        }
    }

    func testWhatAHookThrowsIsTheCauseOfTheAttemptAndTheNextOneConnects() async throws {
        struct Bug: Error {}
        let table: [(String, Cause, any Error)] = [
            ("greet", .greetingRejected, Bug()), ("greet", .greetingAuth, AuthRefused("no")),
            ("greet", .greetingRejected, RetryLater(after: .milliseconds(1))),
            ("credentials", .greetingCredentials, Bug()), ("resolve", .dnsTemporary, Bug()),
            ("socket", .localResource, Bug()),
        ]
        try await withChaos { chaos in
            let port = try await chaos.tell("serve s line").split(separator: ":")[1]
            for (place, cause, error) in table {
                let asked = Asked()
                let fail: @Sendable (String) throws -> Void = { here in
                    if here == place, asked.first(here) { throw error }
                }
                let hooks = Hooks(
                    onConnect: { io in
                        try fail("greet")
                        _ = try await io.credentials()
                    },
                    credentials: { _ in
                        try fail("credentials")
                        return Data("token".utf8)
                    },
                    resolver: { _, port in
                        try fail("resolve")
                        return ["127.0.0.1:\(port)"]
                    },
                    onSocket: { _ in try fail("socket") })
                let client = try Client.start("machine.plant:\(port)", hooks: hooks) { $0.framing = .lines }
                try await client.use { client in
                    let lost = try await disconnected(client)
                    XCTAssertEqual(lost.cause, cause, "\(place) threw \(error)")
                    // The waits of some causes are long; a call ends them.
                    try client.reconnect()
                    try await connected(client)
                }
            }
        }
    }

    func testProxyRefusesAStalePasswordAndLetsInTheNextAndIsToldNothingIfThereIsNone() async throws {
        struct Bug: Error {}
        try await withChaos { chaos in
            let address = try await chaos.tell("serve s line")
            let proxy = try await "http://" + chaos.tell("http-proxy p robot fresh-hunter2")
            let asked = Asked()
            let hooks = Hooks(proxyCredentials: { request in
                asked.add("\(request.epoch) \(request.endpoint) \(request.refusals)")
                return ProxyCredentials(user: "robot", password: request.refusals == 0 ? "stale-hunter1" : "fresh-hunter2")
            })
            let client = try Client.start(address, hooks: hooks) {
                $0.framing = .lines
                $0.proxy = proxy
            }
            try await client.use { client in
                let lost = try await disconnected(client)
                XCTAssertEqual(lost.cause, .proxyAuth)
                try client.reconnect()
                try await connected(client)
                try await client.send("through")
                let echo = try await client.receive(timeout: .seconds(5))
                XCTAssertEqual(echo?.text, "through")
                XCTAssertEqual(asked.all, ["1 \(address) 0", "2 \(address) 1"])
            }
            let poor = try Client.start(address, hooks: Hooks(proxyCredentials: { _ in throw Bug() })) { $0.proxy = proxy }
            let lost = try await disconnected(poor)
            XCTAssertEqual(lost.cause, .proxyCredentials)
            poor.abort()
            let refused = try await chaos.tell("refused p")
            XCTAssertEqual(refused, "1", "nobody said anything to it")
            let both = await thrown { try Client.start(address, hooks: hooks) { $0.proxy = "http://robot:hunter2@127.0.0.1:1" } }
            XCTAssertEqual((both as? KeeplineError)?.field, "proxy_credentials")
            XCTAssertFalse("\(both as Any) \(ProxyCredentials(user: "robot", password: "hunter2"))".contains("hunter2"))
        }
    }

    func testHookThatBlocksHoldsUpNoOtherConnection() async throws {
        try await withChaos { chaos in
            let address = try await chaos.tell("serve s line")
            let other = try await Client.connect(address) { $0.framing = .lines }
            let blocked = Asked()
            let hooks = Hooks(onConnect: { _ in
                blocked.add("begun")
                blocked.block(for: 1)
                blocked.add("ended")
            })
            let client = try Client.start(address, hooks: hooks) { $0.framing = .lines }
            try await within(.seconds(10)) { while blocked.all.isEmpty { try await Task.sleep(for: .milliseconds(1)) } }
            try await other.send("meanwhile")
            let echo = try await other.receive(timeout: .seconds(5))
            XCTAssertEqual(echo?.text, "meanwhile")
            try await connected(client)
            XCTAssertEqual(blocked.all, ["begun", "ended"])
            try await client.close()
            try await other.close()
        }
    }

    func testHookThatHangsIsCancelledAtTheDeadlineAndTheNextAttemptConnects() async throws {
        try await withChaos { chaos in
            let asked = Asked()
            let hooks = Hooks(onConnect: { io in
                guard asked.first("hang") else { return }
                do { try await Task.sleep(for: .seconds(60)) } catch is CancellationError { asked.add("cancelled") }
                // Everything is refused by then.
                do { try io.send("late") } catch let error as KeeplineError { asked.add("\(error.kind)") }
            })
            let client = try await Client.start(chaos.tell("serve s line"), hooks: hooks) {
                $0.framing = .lines
                $0.connectTotal = .seconds(1)
                $0.connectPerAddress = .milliseconds(500)
            }
            try await client.use { client in
                let lost = try await disconnected(client)
                XCTAssertEqual(lost.cause, .greetingTimeout)
                try await connected(client)
                try await within(.seconds(5), "the cancellation") {
                    while asked.all.count < 3 { try await Task.sleep(for: .milliseconds(5)) }
                }
                XCTAssertEqual(asked.all, ["hang", "cancelled", "closed"])
            }
        }
    }

    func testHookMayCallItsClientWhichRefusesARequestUntilTheGreetingIsOver() async throws {
        try await withChaos { chaos in
            let holder = Holder()
            let asked = Asked()
            let hooks = Hooks(onConnect: { _ in
                guard let client = await holder.client() else { return }
                asked.add("\(client.state)")
                do {
                    _ = try await client.request("inside", timeout: .seconds(5))
                } catch let error as KeeplineError {
                    asked.add("\(error.kind)")
                }
            })
            let client = try await Client.start(chaos.tell("serve s line"), hooks: hooks) {
                $0.framing = .lines
                $0.correlation = .fifo
            }
            holder.hold(client)
            try await connected(client)
            XCTAssertEqual(asked.all, ["connecting", "rejected"])
            let reply = try await client.request("outside", timeout: .seconds(5))
            XCTAssertEqual(String(decoding: reply, as: UTF8.self), "outside")
            try await client.close()
        }
    }

    func testClientInTheBackgroundStaysAwayAndComesBackWithWhatWasQueued() async throws {
        try await withChaos { chaos in
            let client = try await Client.connect(chaos.tell("serve s line")) { $0.framing = .lines }
            try await client.use { client in
                try await client.send("before")
                let isEmpty = try await client.flush(within: .seconds(5))
                XCTAssertTrue(isEmpty)
                try client.enterBackground()
                try await chaos.tell("await-gone s 5000")
                try client.trySend("queued")
                let isStillThere = try await client.flush(within: .milliseconds(50))
                XCTAssertFalse(isStillThere)
                try client.enterForeground()
                let texts = try await within(.seconds(10)) {
                    var texts: [String] = []
                    for try await message in client.messages {
                        texts.append(message.text)
                        if message.text == "queued" { break }
                    }
                    return texts
                }
                XCTAssertEqual(texts.last, "queued")
                // One that never left is asked for a sign of life, no more.
                try client.enterForeground()
            }
        }
    }
}

/// Waits for the state.
private func connected(_ client: Client) async throws {
    let states = client.states
    try await within(.seconds(20), "connecting") { for await state in states where state == .connected { return } }
}

/// What hooks noted.
private final class Asked: @unchecked Sendable {
    private let lock = NSLock()
    private var notes: [String] = []

    var all: [String] { lock.withLock { notes } }

    func add(_ note: String) { lock.withLock { notes.append(note) } }

    /// Whether nobody noted this before.
    func first(_ note: String) -> Bool {
        lock.withLock {
            if notes.contains(note) { return false }
            notes.append(note)
            return true
        }
    }

    /// As code does that knows nothing of tasks.
    func block(for seconds: TimeInterval) { Thread.sleep(forTimeInterval: seconds) }
}

/// A client for a hook that was made before it.
private final class Holder: @unchecked Sendable {
    private let lock = NSLock()
    private weak var held: Client?

    func hold(_ client: Client) { lock.withLock { held = client } }

    func client() async -> Client? {
        for _ in 1...10_000 {
            if let client = lock.withLock({ held }) { return client }
            try? await Task.sleep(for: .milliseconds(1))
        }
        return nil
    }
}
