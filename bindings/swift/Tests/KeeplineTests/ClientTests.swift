import Foundation
import Keepline
import XCTest

/// The client against real servers and real faults.
final class ClientTests: XCTestCase {
    func testMessagesGoRoundAndACloseOnRequestEndsTheSequence() async throws {
        try await withChaos { chaos in
            let client = try await Client.connect(chaos.tell("serve s line")) { $0.framing = .lines }
            try await client.use { client in
                try await client.send("one")
                let one = try await client.receive(timeout: .seconds(5))
                XCTAssertEqual(one?.text, "one")
                let receipt = try await client.sendTracked("two")
                let outcome = try await within(.seconds(5)) { try await receipt.outcome() }
                XCTAssertEqual(outcome, .acked)
                XCTAssertEqual(try receipt.ackedBy, .peer)
                try await client.send("three")
                var texts: [String] = []
                for try await message in client.messages {
                    texts.append(message.text)
                    if texts.count == 2 { break }
                }
                XCTAssertEqual(texts, ["two", "three"])
            }
            let ending = try await client.closed()
            XCTAssertEqual(ending.cause, .requested)
            for try await message in client.messages { XCTFail("\(message) after close") }
            let none = try await client.receive()
            XCTAssertNil(none)
            let late = await thrown { try client.trySend("late") }
            XCTAssertEqual((late as? KeeplineError)?.kind, .closed)
            XCTAssertEqual(client.state, .closed)
        }
    }

    func testClientSurvivesTheRestartOfItsServerAndWhatWasSentMeanwhileArrivesInOrder() async throws {
        try await withChaos { chaos in
            let client = try await Client.connect(chaos.tell("serve s line")) { $0.framing = .lines }
            try await client.use { client in
                try await client.send("before")
                let before = try await client.receive(timeout: .seconds(5))
                XCTAssertEqual(before?.text, "before")
                try await chaos.tell("stop s rst")
                let lost = try await disconnected(client)
                XCTAssertEqual(lost.cause, .reset)
                XCTAssertEqual(lost.report?.epoch, 1)
                for number in 1...100 { try await client.send("\(number)") }
                try await chaos.tell("start s")
                for number in 1...100 {
                    let message = try await client.receive(timeout: .seconds(20))
                    XCTAssertEqual(message?.text, "\(number)")
                    XCTAssertGreaterThan(message?.epoch ?? 0, 1)
                }
            }
        }
    }

    func testSilentPeerIsNoticedByTheHeartbeatAndTheStateTellsIt() async throws {
        try await withChaos { chaos in
            let server = try await chaos.tell("serve s line")
            let client = try await Client.connect(chaos.tell("proxy p \(server)")) {
                $0.framing = .lines
                $0.heartbeat = Heartbeat("PING", reply: .exact("PONG"), interval: .seconds(1), replyWithin: .seconds(1))
            }
            try await client.use { client in
                let states = client.states
                try await within(.seconds(15)) { for await state in states where state.isUp { return } }
                try await chaos.tell("silence p both")
                let lost = try await disconnected(client)
                XCTAssertEqual(lost.cause, .peerUnresponsive)
                XCTAssertEqual(lost.detector, .heartbeat)
                try await chaos.tell("clear p")
                let back = client.states
                try await within(.seconds(20)) { for await state in back where state == .connected { return } }
            }
        }
    }

    func testRequestFindsItsReplyAndALateOneIsATimeout() async throws {
        try await withChaos { chaos in
            let server = try await chaos.tell("serve s line")
            let client = try await Client.connect(chaos.tell("proxy p \(server)")) {
                $0.framing = .lines
                $0.correlation = .fifo
            }
            try await client.use { client in
                let reply = try await client.request("ask", timeout: .seconds(5))
                XCTAssertEqual(String(decoding: reply, as: UTF8.self), "ask")
                try await chaos.tell("hold p both")
                let late = await thrown { try await client.request("late", timeout: .milliseconds(200)) } as? KeeplineError
                XCTAssertEqual(late?.kind, .timeout)
                XCTAssertEqual(late?.isRetryable, true)
                try await chaos.tell("release p both")
                let next = try await client.request("next", timeout: .seconds(5))
                XCTAssertEqual(String(decoding: next, as: UTF8.self), "next")
            }
        }
    }

    func testNobodyThereIsUnavailableWithItsCauseAndAReport() async throws {
        let free = try await withChaos { chaos in
            let address = try await chaos.tell("serve s line")
            try await chaos.tell("stop s rst")
            return address
        }
        let error = await thrown { try await Client.connect(free) { $0.connectWithin = .milliseconds(300) } } as? KeeplineError
        XCTAssertEqual(error?.kind, .unavailable)
        XCTAssertEqual(error?.cause, .refused)
        XCTAssertEqual(error?.evidence.errno, ECONNREFUSED)
        XCTAssertEqual(error?.evidence.report?.cause, .refused)
    }

    func testConcurrentReceiversShareTheMessagesAndEachGoesToOneOfThem() async throws {
        try await withChaos { chaos in
            let client = try await Client.connect(chaos.tell("serve s line")) { $0.framing = .lines }
            try await client.use { client in
                let got = try await withThrowingTaskGroup(of: [Int].self) { group in
                    for _ in 1...4 {
                        group.addTask {
                            var mine: [Int] = []
                            for _ in 1...250 {
                                guard let message = try await client.receive(timeout: .seconds(20)) else { break }
                                mine.append(Int(message.text) ?? -1)
                            }
                            return mine
                        }
                    }
                    for number in 1...1000 { try await client.send("\(number)") }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                XCTAssertEqual(got.sorted(), Array(1...1000))
            }
        }
    }

    func testPausedClientStaysAwayUntilItIsResumed() async throws {
        try await withChaos { chaos in
            let client = try await Client.connect(chaos.tell("serve s line")) { $0.framing = .lines }
            try await client.use { client in
                try client.pause()
                try await chaos.tell("await-gone s 5000")
                XCTAssertEqual(client.state, .idle)
                try client.resume()
                try await chaos.tell("await-accepted s 2 5000")
                try await client.send("again")
                let again = try await client.receive(timeout: .seconds(5))
                XCTAssertEqual(again?.text, "again")
            }
        }
    }

    func testRealRedisAnswersRequestsInOrder() async throws {
        try await withRedis { redis in
            let client = try await Client.connect(redis.address) {
                $0.framing = .resp
                $0.correlation = .fifo
                $0.heartbeat = Heartbeat("PING\r\n")
                $0.detectWithin = .seconds(10)
                $0.greeting = Greeting().send("PING\r\n").expect("+PONG\r\n")
            }
            try await client.use { client in
                let set = try await client.request("SET a 1\r\n", timeout: .seconds(5))
                XCTAssertEqual(String(decoding: set, as: UTF8.self), "+OK\r\n")
                let count = try await client.request("INCR a\r\n", timeout: .seconds(5))
                XCTAssertEqual(String(decoding: count, as: UTF8.self), ":2\r\n")
                XCTAssertEqual(try client.stats().connections, 1)
                XCTAssertNotNil(try client.detectionBound)
                XCTAssertFalse(try client.explain().config.connectTotal == nil)
            }
        }
    }

    func testDoctorSaysWhereTheWayEnds() async throws {
        try await withChaos { chaos in
            let address = try await chaos.tell("serve s line")
            let open = try await Client.doctor(address) { $0.framing = .lines }
            XCTAssertTrue(open.isHealthy, open.verdict)
            try await chaos.tell("stop s rst")
            let shut = try await Client.doctor(address)
            XCTAssertFalse(shut.isHealthy)
            XCTAssertEqual(shut.failed, .tcp)
            XCTAssertEqual(shut.cause, .refused)
        }
    }
}

/// The next connection that is lost.
func disconnected(_ client: Client) async throws -> Event.Disconnected {
    let events = client.events
    return try await within(.seconds(10)) {
        for await event in events {
            if case .disconnected(let lost) = event { return lost }
        }
        throw Failed("the events ended")
    }
}
