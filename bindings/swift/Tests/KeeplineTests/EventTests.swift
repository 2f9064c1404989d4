import Foundation
import Keepline
import XCTest

/// The numbered facts of a client's life.
final class EventTests: XCTestCase {
    func testEachReaderGetsEveryEventInOrderUpToTheLast() async throws {
        try await withChaos { chaos in
            let client = try await Client.connect(chaos.tell("serve s line"))
            let (first, second) = (client.events, client.events)
            let readers = [first, second].map { events in
                Task { await events.reduce(into: [Event]()) { $0.append($1) } }
            }
            try client.reconnect()
            try await chaos.tell("await-accepted s 2 5000")
            let connected = client.states
            try await within(.seconds(5)) { for await state in connected where state == .connected { return } }
            try await client.close()
            for reader in readers {
                let events = try await within(.seconds(5)) { await reader.value }
                XCTAssertEqual(events.map(\.seq), Array(1...UInt64(events.count)))
                XCTAssertEqual(events.first?.name, .connecting)
                XCTAssertEqual(events.last?.name, .closed)
                XCTAssertTrue(events.contains { $0.name == .disconnected })
                XCTAssertEqual(events.map(\.at), events.map(\.at).sorted())
            }
            let late = client.events(after: client.lastEvent - 1)
            let last = await late.first { _ in true }
            XCTAssertEqual(last?.name, .closed)
        }
    }

    func testSlowReaderIsToldHowManyItMissed() async throws {
        try await withChaos { chaos in
            let client = try await Client.connect(chaos.tell("serve s line"))
            try await client.use { client in
                let events = client.events
                // More than are kept, all of them at leisure.
                try await within(.seconds(60), "many events") {
                    while client.lastEvent < 400 {
                        try client.pause()
                        try client.resume()
                        try await Task.sleep(for: .milliseconds(1))
                    }
                }
                guard case .missed(let missed) = await events.first(where: { _ in true }) else {
                    return XCTFail("nothing was missed")
                }
                XCTAssertGreaterThanOrEqual(missed.count, 144)
                // The next one is the oldest that is kept.
                let next = await events.first { _ in true }
                XCTAssertEqual(next?.seq, UInt64(missed.count) + 1)
            }
        }
    }
}
