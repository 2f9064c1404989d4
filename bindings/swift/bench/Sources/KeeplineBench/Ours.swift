// Keepline in each of the ways it is used.

import Foundation
import Keepline

enum Ours {
    /// Whole batches both ways.
    static func batches(_ port: UInt16) async throws -> [Double] {
        try await withClient(port) { client in
            let batch = [Data](repeating: Data(count: size), count: inFlight)
            var run = Throughput()
            try client.trySendMany(batch)
            while true {
                let received = try await client.receiveMany(max: inFlight)
                if run.count(received.count) { break }
                try client.trySendMany(Array(batch.prefix(received.count)))
            }
            return run.result
        }
    }

    /// A call for each message sent, batches received.
    static func sentSingly(_ port: UInt16) async throws -> [Double] {
        try await withClient(port) { client in
            let payload = Data(count: size)
            var run = Throughput()
            for _ in 0..<inFlight { try client.trySend(payload) }
            while true {
                let received = try await client.receiveMany(max: inFlight)
                if run.count(received.count) { break }
                for _ in received { try client.trySend(payload) }
            }
            return run.result
        }
    }

    /// The sequence, and an asynchronous `send` for each message.
    static func sequence(_ port: UInt16) async throws -> [Double] {
        try await withClient(port) { client in
            let payload = Data(count: size)
            var run = Throughput()
            for _ in 0..<inFlight { try await client.send(payload) }
            for try await _ in client.messages {
                if run.count(1) { break }
                try await client.send(payload)
            }
            return run.result
        }
    }

    static func roundTrip(_ port: UInt16) async throws -> [Double] {
        try await withClient(port) { client in
            let payload = Data(count: small)
            var trips = Trips()
            while trips.next() {
                try client.trySend(payload)
                _ = try await client.receive()
            }
            return trips.result
        }
    }

    static func request(_ port: UInt16) async throws -> [Double] {
        try await withClient(port, { $0.correlation = .fifo }) { client in
            let payload = Data(count: small)
            var trips = Trips()
            while trips.next() { _ = try await client.request(payload, timeout: .seconds(5)) }
            return trips.result
        }
    }

    static func call(_ port: UInt16) async throws -> [Double] {
        try await withClient(port) { client in
            let payload = Data(count: small)
            var bursts = Bursts()
            while bursts.goOn {
                try bursts.time { for _ in 0..<burst { try client.trySend(payload) } }
                try await drain(client)
            }
            return bursts.result
        }
    }

    static func callOfBatches(_ port: UInt16) async throws -> [Double] {
        try await withClient(port) { client in
            let batch = [Data](repeating: Data(count: small), count: batchSize)
            var bursts = Bursts()
            while bursts.goOn {
                try bursts.time { for _ in 0..<(burst / batchSize) { try client.trySendMany(batch) } }
                try await drain(client)
            }
            return bursts.result
        }
    }

    private static func drain(_ client: Client) async throws {
        var left = burst
        while left > 0 { left -= try await client.receiveMany(max: left).count }
    }

    private static func withClient(
        _ port: UInt16, _ configure: (inout Config) -> Void = { _ in }, _ measure: (Client) async throws -> [Double]
    ) async throws -> [Double] {
        let client = try await Client.connect("127.0.0.1:\(port)") {
            $0.framing = .lengthPrefixed(width: header)
            configure(&$0)
        }
        return try await client.use(measure)
    }
}
