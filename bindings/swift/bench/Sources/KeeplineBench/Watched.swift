// What one writes without it in a program of tasks, where nothing may block: a socket that a queue watches.

import Dispatch
import Foundation
import Glibc

/// A socket that is read when a `DispatchSource` says so; what came waits in an `AsyncStream`, as much as there is.
final class Watched: @unchecked Sendable {
    let messages: AsyncStream<Data>
    private let arrived: AsyncStream<Data>.Continuation
    private let descriptor: Descriptor
    private let source: any DispatchSourceRead
    // Only the queue of the source touches it.
    private let cutter = Cutter()

    private init(_ port: UInt16) throws {
        descriptor = try Descriptor(connectedTo: port)
        (messages, arrived) = AsyncStream.makeStream()
        source = DispatchSource.makeReadSource(fileDescriptor: descriptor.number, queue: DispatchQueue(label: "reader"))
        source.setEventHandler { [self] in read() }
        source.resume()
    }

    static func throughput(_ port: UInt16) async throws -> [Double] {
        let watched = try Watched(port)
        let frame = framed(size)
        var run = Throughput()
        for _ in 0..<inFlight { try watched.send(frame) }
        for await _ in watched.messages {
            if run.count(1) { break }
            try watched.send(frame)
        }
        watched.source.cancel()
        return run.result
    }

    static func roundTrip(_ port: UInt16) async throws -> [Double] {
        let watched = try Watched(port)
        let frame = framed(small)
        var trips = Trips()
        var messages = watched.messages.makeAsyncIterator()
        while trips.next() {
            try watched.send(frame)
            guard await messages.next() != nil else { throw Failed("the server has gone") }
        }
        watched.source.cancel()
        return trips.result
    }

    private func send(_ bytes: Data) throws { try bytes.withUnsafeBytes { try descriptor.send($0) } }

    private func read() {
        if cutter.read(descriptor, flags: Int32(MSG_DONTWAIT)) == 0 { arrived.finish() }
        while let message = cutter.next() { arrived.yield(message) }
    }
}
