import Foundation
import Keepline
import XCTest

/// Cancelling a wait loses no message.
final class CancelTests: XCTestCase {
    func testTenThousandReceivesThatAreCancelledLoseNoMessage() async throws {
        try await echoed { client in
            var seen: [Int] = []
            var sent = 0
            var cancelled = 0
            var random = SystemRandomNumberGenerator()
            while cancelled < 10_000 {
                // A message that comes about when the wait ends: the two race.
                if sent - seen.count < 100, Int.random(in: 0..<3, using: &random) > 0 {
                    sent += 1
                    try client.trySend("\(sent)")
                }
                let receiving = Task { try await client.receive() }
                for _ in 0..<Int.random(in: 0..<8, using: &random) { await Task.yield() }
                receiving.cancel()
                switch await receiving.result {
                case .success(let message): seen.append(try number(message))
                case .failure(let error):
                    XCTAssertTrue(error is CancellationError, "\(error)")
                    cancelled += 1
                }
            }
            while seen.count < sent { seen.append(try number(try await client.receive(timeout: .seconds(10)))) }
            XCTAssertEqual(seen, Array(1...sent))
            XCTAssertGreaterThan(sent, 1000)
        }
    }

    func testThousandReceivesWithTheirOwnTimeoutLoseNoMessage() async throws {
        try await echoed { client in
            var seen: [Int] = []
            var sent = 0
            var late = 0
            while late < 1000 {
                if sent - seen.count < 100, Bool.random() {
                    sent += 1
                    try client.trySend("\(sent)")
                }
                do {
                    seen.append(try number(try await client.receive(timeout: .milliseconds(Int.random(in: 0...2)))))
                } catch let error as KeeplineError where error.kind == .timeout {
                    late += 1
                }
            }
            while seen.count < sent { seen.append(try number(try await client.receive(timeout: .seconds(10)))) }
            XCTAssertEqual(seen, Array(1...sent))
        }
    }

    func testReadersThatAreCancelledInTheQueueLeaveTheirTurnToOthers() async throws {
        try await echoed { client in
            var seen: [Int] = []
            for round in 1...500 {
                let readers = (1...4).map { _ in Task { try await client.receive() } }
                try await client.send("\(round)")
                if Bool.random() { await Task.yield() }
                // Not in their order: those in the middle and the one that pulls leave, too.
                for reader in readers.shuffled() { reader.cancel() }
                for reader in readers {
                    if case .success(let message) = await reader.result { seen.append(try number(message)) }
                }
            }
            while seen.count < 500 { seen.append(try number(try await client.receive(timeout: .seconds(10)))) }
            XCTAssertEqual(seen.sorted(), Array(1...500))
        }
    }

    func testReadersInTheQueueKeepTheirOwnTimeLimits() async throws {
        try await echoed { client in
            let patient = Task { try await client.receive(timeout: .seconds(20)) }
            let hasty = (1...3).map { _ in Task { try await client.receive(timeout: .milliseconds(50)) } }
            for reader in hasty {
                let error = await thrown { try await reader.value } as? KeeplineError
                XCTAssertEqual(error?.kind, .timeout)
            }
            try await client.send("1")
            let one = try number(try await patient.value)
            XCTAssertEqual(one, 1)
            let nothing = await thrown { try await client.receive(timeout: .zero) } as? KeeplineError
            XCTAssertEqual(nothing?.kind, .timeout)
        }
    }

    func testReaderOfTheSequenceThatIsCancelledHasGotWhatItTook() async throws {
        try await echoed { client in
            let seen = Seen()
            var sent = 0
            for _ in 1...300 {
                let reading = Task { for try await message in client.messages { seen.add(try number(message)) } }
                for _ in 1...3 {
                    sent += 1
                    try await client.send("\(sent)")
                }
                for _ in 0..<Int.random(in: 0..<5) { await Task.yield() }
                reading.cancel()
                _ = await reading.result
            }
            while seen.all.count < sent { seen.add(try number(try await client.receive(timeout: .seconds(10)))) }
            XCTAssertEqual(seen.all, Array(1...sent))
        }
    }

    func testCancelledConnectLeavesNobodyBehind() async throws {
        try await withChaos { chaos in
            let server = try await chaos.tell("serve t line")
            let proxy = try await chaos.tell("proxy p \(server)")
            try await chaos.tell("refuse p")
            let connecting = Task { try await Client.connect(proxy) }
            try await Task.sleep(for: .milliseconds(100))
            connecting.cancel()
            let error = await thrown { try await connecting.value }
            XCTAssertTrue(error is CancellationError, "\(String(describing: error))")
            try await chaos.tell("accept-again p")
            // A client that went on would be back within its first waits.
            try await Task.sleep(for: .milliseconds(1500))
            let accepted = try await chaos.tell("accepted p")
            XCTAssertEqual(accepted, "0")
        }
    }

    func testEveryWaitEndsWithItsTask() async throws {
        try await withChaos { chaos in
            let server = try await chaos.tell("serve s sink")
            let client = try await Client.connect(server) {
                $0.framing = .lines
                $0.correlation = .fifo
            }
            try await client.use { client in
                let events = client.events(after: client.lastEvent)
                let waits: [(String, @Sendable () async throws -> Void)] = [
                    ("receive", { _ = try await client.receive() }),
                    ("receiveMany", { _ = try await client.receiveMany() }),
                    ("request", { _ = try await client.request("never answered", timeout: .seconds(60)) }),
                    ("closed", { _ = try await client.closed() }),
                    ("messages", { for try await _ in client.messages {} }),
                    // These end without an error, as asynchronous sequences that cannot fail do.
                    ("events", { for await _ in events {} ; throw CancellationError() }),
                    ("states", { for await _ in client.states {} ; throw CancellationError() }),
                ]
                for (name, wait) in waits {
                    let waiting = Task { try await wait() }
                    try await Task.sleep(for: .milliseconds(20))
                    waiting.cancel()
                    let error = try await within(.seconds(5), name) { await thrown { try await waiting.value } }
                    XCTAssertTrue(error is CancellationError, "\(name): \(String(describing: error))")
                }
                XCTAssertEqual(client.state, .connected)
            }
        }
    }
}

/// The numbers that some task saw.
private final class Seen: @unchecked Sendable {
    private let lock = NSLock()
    private var numbers: [Int] = []

    var all: [Int] { lock.withLock { numbers } }

    func add(_ number: Int) { lock.withLock { numbers.append(number) } }
}

private func number(_ message: Message?) throws -> Int {
    guard let message, let number = Int(message.text) else { throw Failed("no number: \(String(describing: message))") }
    return number
}

private func echoed(_ test: (Client) async throws -> Void) async throws {
    try await withChaos { chaos in
        let client = try await Client.connect(chaos.tell("serve s line")) { $0.framing = .lines }
        try await client.use(test)
    }
}
