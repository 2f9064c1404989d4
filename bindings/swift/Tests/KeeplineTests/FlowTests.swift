import Foundation
import Keepline
import XCTest

/// Many messages, slow readers, and what is left of a client that nobody holds.
final class FlowTests: XCTestCase {
    func testHundredThousandMessagesComeInOrderInFlatMemory() async throws {
        let count = 100_000
        try await withChaos { chaos in
            let client = try await Client.connect(chaos.tell("serve s line")) { $0.framing = .lines }
            try await client.use { client in
                let sending = Task { for number in 1...count { try await client.send("\(number)") } }
                var expected = 1
                var warm = 0
                for try await message in client.messages {
                    guard message.text == "\(expected)" else { return XCTFail("\(message.text) instead of \(expected)") }
                    if expected == count { break }
                    // By then every buffer has grown.
                    if expected == count / 4 { warm = try residentBytes() }
                    expected += 1
                }
                XCTAssertEqual(expected, count)
                try await sending.value
                let grown = try residentBytes() - warm
                // 16 MiB: less than the three quarters of the messages that came since would take.
                XCTAssertLessThan(grown, 16 << 20)
                print("resident memory grew by \(grown >> 10) KiB over \(count * 3 / 4) messages")
            }
        }
    }

    func testWhatNobodyTakesStopsTheReadingAndIsAllThereLater() async throws {
        try await withChaos { chaos in
            let client = try await Client.connect(chaos.tell("serve s line")) {
                $0.framing = .lines
                $0.inboxBytes = 64 << 10
            }
            try await client.use { client in
                let events = client.events
                let text = String(repeating: "x", count: 1000)
                // Ten times what the inbox holds.
                let sending = Task { for number in 1...640 { try await client.send("\(number) \(text)") } }
                try await within(.seconds(10), "the inbox") {
                    for await event in events { if case .inboxFull = event { return } }
                }
                XCTAssertLessThan(try client.stats().received, 640)
                for number in 1...640 {
                    let message = try await client.receive(timeout: .seconds(10))
                    XCTAssertEqual(message?.text, "\(number) \(text)")
                }
                try await sending.value
            }
        }
    }

    func testBatchesGiveWhatIsThereAndNoMoreThanWasAskedFor() async throws {
        try await withChaos { chaos in
            let client = try await Client.connect(chaos.tell("serve s line")) { $0.framing = .lines }
            try await client.use { client in
                var texts: [String] = []
                for number in 1...100 { try await client.send("\(number)") }
                while texts.count < 100 {
                    let batch = try await client.receiveMany(max: 7, timeout: .seconds(5))
                    XCTAssertTrue((1...7).contains(batch.count))
                    texts += batch.map(\.text)
                }
                XCTAssertEqual(texts, (1...100).map(String.init))
                let error = await thrown { try await client.receiveMany(max: 0) } as? KeeplineError
                XCTAssertEqual(error?.field, "max")
            }
        }
    }

    func testClientThatNobodyHoldsIsGoneWithItsSocketAndItsThreads() async throws {
        try await withChaos { chaos in
            let address = try await chaos.tell("serve s line")
            // The threads that all clients share are there after the first.
            try await dropped(address)
            try await chaos.tell("await-gone s 15000")
            let threads = try numberOfThreads()
            for _ in 1...20 { try await dropped(address) }
            try await chaos.tell("await-accepted s 21 15000")
            try await chaos.tell("await-gone s 15000")
            var now = try numberOfThreads()
            for _ in 1...200 where now > threads {
                try await Task.sleep(for: .milliseconds(10))
                now = try numberOfThreads()
            }
            XCTAssertLessThanOrEqual(now, threads)
        }
    }

    func testWhoeverWatchesOrWaitsForAReceiptDoesNotKeepAClient() async throws {
        try await withChaos { chaos in
            let address = try await chaos.tell("serve s sink")
            var client: Client? = try await Client.connect(address) { $0.framing = .lines }
            weak var gone = client
            guard let events = client?.events, let states = client?.states else { return XCTFail("no client") }
            let receipt = try await client?.sendTracked("hello")
            let watching = Task {
                var last: Event?
                for await event in events { last = event }
                return last
            }
            let following = Task {
                var last: Client.State?
                for await state in states { last = state }
                return last
            }
            client = nil
            XCTAssertNil(gone)
            try await chaos.tell("await-gone s 15000")
            let last = try await within(.seconds(5), "the events") { await watching.value }
            XCTAssertEqual(last?.name, .closed)
            let state = try await within(.seconds(5), "the states") { await following.value }
            XCTAssertEqual(state, .closed)
            let outcome = try await within(.seconds(5), "the outcome") { try await receipt?.outcome() }
            XCTAssertNotNil(outcome)
        }
    }

    /// One client that was used. In a function of its own, so that nothing holds it afterwards.
    private func dropped(_ address: String) async throws {
        let client = try await Client.connect(address) { $0.framing = .lines }
        try await client.send("hello")
        _ = try await client.receive(timeout: .seconds(5))
    }

    private func residentBytes() throws -> Int {
        // The second number: pages of 4 KiB that are in memory.
        let words = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return (Int(words[1]) ?? 0) * 4096
    }

    private func numberOfThreads() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").filter { task in
            let name = try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)
            return name?.hasPrefix("keepline") == true
        }.count
    }
}
