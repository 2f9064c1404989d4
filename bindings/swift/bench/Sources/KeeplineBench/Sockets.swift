// What the plain clients and the server share: a socket, and messages cut out of what arrives on it.

import Foundation
import Glibc

/// A socket of TCP, closed when nobody holds it.
final class Descriptor: Sendable {
    let number: Int32

    /// One that was accepted, or a new one.
    init(_ accepted: Int32? = nil) throws {
        number = accepted ?? socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard number >= 0 else { throw Failed("socket: errno \(errno)") }
        // Nobody waits for more to send with it.
        var on: Int32 = 1
        setsockopt(number, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    convenience init(connectedTo port: UInt16) throws {
        try self.init()
        var address = loopback(port: port)
        guard withSockaddr(&address, { connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }) == 0 else {
            throw Failed("connect: errno \(errno)")
        }
    }

    deinit { close(number) }

    /// Writes all of it.
    func send(_ bytes: UnsafeRawBufferPointer) throws {
        var sent = 0
        while sent < bytes.count {
            let count = Glibc.send(number, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            guard count > 0 else { throw Failed("send: errno \(errno)") }
            sent += count
        }
    }
}

/// Cuts messages out of what arrives, each a `Data` of its own, as whoever uses them needs them.
final class Cutter {
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 64)
    private var unread = 0..<0

    deinit { buffer.deallocate() }

    /// Reads once, and returns what the system said.
    func read(_ descriptor: Descriptor, flags: Int32) -> Int {
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[unread]))
        unread = 0..<unread.count
        let count = recv(descriptor.number, buffer.baseAddress! + unread.count, buffer.count - unread.count, flags)
        if count > 0 { unread = 0..<(unread.count + count) }
        return count
    }

    /// The next message that is complete.
    func next() -> Data? {
        guard unread.count >= header else { return nil }
        let start = unread.lowerBound + header
        let length = Int(UInt32(bigEndian: buffer.loadUnaligned(fromByteOffset: unread.lowerBound, as: UInt32.self)))
        guard unread.upperBound - start >= length else { return nil }
        unread = (start + length)..<unread.upperBound
        return Data(buffer[start..<(start + length)])
    }
}

/// The address of this machine in itself.
func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
}

/// As the calls of the system take it.
func withSockaddr<Result>(_ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> Result) -> Result {
    withUnsafeMutablePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
}
