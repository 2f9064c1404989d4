import Foundation
import Keepline
import XCTest

/// What is declared, refused and decided.
final class ConfigTests: XCTestCase {
    func testBadOptionIsNamedWithItsRule() throws {
        let refused: [(String, (inout Config) -> Void)] = [
            ("detect_within", { $0.detectWithin = .seconds(1) }),
            ("read_idle", { $0.readIdle = .seconds(-1) }),
            ("stable_after", { $0.stableAfter = .zero }),
            ("user_timeout", { $0.userTimeout = .seconds(0) }),
            ("outbox.messages", { $0.outbox.messages = -1 }),
            ("backoff.multiplier", { $0.backoff.multiplier = .nan }),
            ("backoff.max", { $0.backoff.initial = .seconds(20); $0.backoff.max = .seconds(5) }),
            ("heartbeat.interval", { $0.heartbeat = Heartbeat("PING", interval: .seconds(-3)) }),
            ("max_attempts", { $0.maxAttempts = -1 }),
            ("auth_attempts", { $0.authAttempts = -1 }),
            ("framing.max", { $0.framing = .lines(max: -1) }),
            ("proxy", { $0.proxy = "gopher://example" }),
            ("tls.pins", { $0.tls = Tls(); $0.tls?.pins = ["nonsense"] }),
        ]
        for (field, declare) in refused {
            do {
                let client = try Client.start("127.0.0.1:1", configure: declare)
                client.abort()
                XCTFail("\(field) was accepted")
            } catch {
                guard case .invalidConfig(let evidence) = error else { return XCTFail("\(field): \(error)") }
                XCTAssertEqual(evidence.field, field, evidence.text)
                XCTAssertTrue(evidence.text.hasPrefix(field), evidence.text)
            }
        }
    }

    func testBadEndpointsAreNamed() async throws {
        for address in ["", "no port", "host:99999", "http://host:80"] {
            XCTAssertThrowsError(try Client.start(address)) { error in
                XCTAssertEqual((error as? KeeplineError)?.kind, .invalidConfig, "\(address): \(error)")
            }
        }
        let client = try Client.start("127.0.0.1:1")
        defer { client.abort() }
        XCTAssertThrowsError(try client.setEndpoints([]))
        XCTAssertThrowsError(try client.setEndpoints([Endpoint("127.0.0.1:2", weight: -1)]))
        let endpoints: [Endpoint] = ["127.0.0.1:2", Endpoint("127.0.0.1:3", weight: 7)]
        try client.setEndpoints(endpoints)
        try await within(.seconds(5), "the new list") {
            while try client.endpoints != endpoints { try await Task.sleep(for: .milliseconds(5)) }
        }
    }

    func testWhatIsDeclaredIsInForceAndComesBackAsItWas() throws {
        var declared = Config()
        declared.profile = .industrial
        declared.heartbeat = Heartbeat("PING PING", reply: .prefix("PO"), interval: .seconds(5), replyWithin: .milliseconds(2500))
        declared.keepalive = .probes(idle: .seconds(7), interval: .seconds(3), retries: 4)
        declared.userTimeout = .off
        declared.frameWithin = .milliseconds(1234)
        declared.backoff.jitter = .noJitter
        declared.backoff.max = .seconds(33)
        declared.outbox.age = .seconds(61.5)
        declared.framing = .lengthPrefixed(width: 2, endian: .little, adjustment: -2, max: 4096)
        declared.correlation = .id(offset: 2, width: 4)
        declared.greeting = Greeting().refused(.prefix("-NO")).sendCredentials(prefix: "AUTH ").expect("+OK")
        declared.credentials = Data("secret".utf8)
        declared.authAttempts = .unlimited
        declared.goAway = RetryAfter(when: .prefix("BYE"), otherwise: .seconds(3), marker: Data("in ".utf8))
        declared.autoReplies = [AutoReply(when: .exact("PING"), reply: "PONG")]
        declared.tls = .system
        declared.tls?.serverName = "plc.example"
        let decided = try declared.resolve().config
        XCTAssertEqual(decided.heartbeat, declared.heartbeat)
        XCTAssertEqual(decided.keepalive, declared.keepalive)
        XCTAssertEqual(decided.userTimeout, .off)
        XCTAssertEqual(decided.frameWithin, declared.frameWithin)
        XCTAssertEqual(decided.backoff.jitter, .noJitter)
        XCTAssertEqual(decided.backoff.max, .seconds(33))
        XCTAssertEqual(decided.outbox.age, declared.outbox.age)
        XCTAssertEqual(decided.framing?.description.contains("little"), true)
        XCTAssertEqual(decided.correlation?.description.contains("offset: 2"), true)
        XCTAssertEqual(decided.greeting, declared.greeting)
        XCTAssertEqual(decided.authAttempts, .unlimited)
        XCTAssertEqual(decided.goAway, declared.goAway)
        XCTAssertEqual(decided.autoReplies, declared.autoReplies)
        XCTAssertEqual(decided.tls, declared.tls)
        // What is decided is taken back as it is.
        XCTAssertEqual(try decided.resolve().config, decided)
    }

    func testSecretsAreNotShown() throws {
        var config = Config()
        config.credentials = Data("hunter2".utf8)
        config.proxy = "socks5://me:hunter2@proxy.example:1080"
        config.heartbeat = Heartbeat("hunter2", reply: .exact("hunter2"))
        config.greeting = Greeting().send("hunter2").expect("hunter2")
        config.autoReplies = [AutoReply(when: .exact("hunter2"), reply: "hunter2")]
        let parts: [Any] = [config, config.heartbeat as Any, config.greeting as Any, config.autoReplies]
        for part in parts {
            XCTAssertFalse("\(part)\(String(reflecting: part))".contains("hunter2"), "\(part)")
        }
    }
}
