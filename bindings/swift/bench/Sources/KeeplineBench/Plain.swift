// What one writes without it: a blocking socket, which has no reconnect, no heartbeat, no deadline.

import Foundation
import Glibc

/// A blocking socket, the fastest that the system itself has.
final class Plain {
    private let descriptor: Descriptor
    private let cutter = Cutter()

    private init(_ port: UInt16) throws { descriptor = try Descriptor(connectedTo: port) }

    /// A system call for each message sent, as few as possible to receive.
    static func throughput(_ port: UInt16) throws -> [Double] {
        let plain = try Plain(port)
        let frame = framed(size)
        var run = Throughput()
        for _ in 0..<inFlight { try plain.send(frame) }
        while true {
            _ = try plain.receive()
            if run.count(1) { break }
            try plain.send(frame)
        }
        return run.result
    }

    /// As many messages to a write as one read brought: what a careful user would do by hand.
    static func batched(_ port: UInt16) throws -> [Double] {
        let plain = try Plain(port)
        let frame = framed(size)
        var batch = Data(capacity: inFlight * frame.count)
        var run = Throughput()
        for _ in 0..<inFlight { batch.append(frame) }
        try plain.send(batch)
        while true {
            batch.removeAll(keepingCapacity: true)
            var message: Data? = try plain.receive()
            var count = 0
            while message != nil {
                count += 1
                batch.append(frame)
                message = plain.cutter.next()
            }
            if run.count(count) { break }
            try plain.send(batch)
        }
        return run.result
    }

    static func roundTrip(_ port: UInt16) throws -> [Double] {
        let plain = try Plain(port)
        let frame = framed(small)
        var trips = Trips()
        while trips.next() {
            try plain.send(frame)
            _ = try plain.receive()
        }
        return trips.result
    }

    static func call(_ port: UInt16) throws -> [Double] {
        let plain = try Plain(port)
        let frame = framed(small)
        var bursts = Bursts()
        while bursts.goOn {
            try bursts.time { for _ in 0..<burst { try plain.send(frame) } }
            for _ in 0..<burst { _ = try plain.receive() }
        }
        return bursts.result
    }

    private func send(_ bytes: Data) throws { try bytes.withUnsafeBytes { try descriptor.send($0) } }

    private func receive() throws -> Data {
        while true {
            if let message = cutter.next() { return message }
            guard cutter.read(descriptor, flags: 0) > 0 else { throw Failed("recv: errno \(errno)") }
        }
    }
}

/// A message of so many bytes, behind its length.
func framed(_ count: Int) -> Data {
    withUnsafeBytes(of: UInt32(count).bigEndian) { Data($0) } + Data(count: count)
}
