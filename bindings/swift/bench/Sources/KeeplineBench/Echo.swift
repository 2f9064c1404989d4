// What the clients talk to.

import Glibc

/// Tells its port and echoes one connection after the other, a large piece at a time, until it is killed.
func serveEcho() throws {
    let listener = try Descriptor()
    var (address, length) = (loopback(port: 0), socklen_t(MemoryLayout<sockaddr_in>.size))
    let status = withSockaddr(&address) { bind(listener.number, $0, length) | listen(listener.number, 1) | getsockname(listener.number, $0, &length) }
    guard status == 0 else { throw Failed("bind: errno \(errno)") }
    print(UInt16(bigEndian: address.sin_port))
    fflush(nil)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    while true {
        let connection = try Descriptor(accept(listener.number, nil, nil))
        while true {
            let count = recv(connection.number, buffer.baseAddress, buffer.count, 0)
            // The client may have gone without a word.
            guard count > 0, (try? connection.send(UnsafeRawBufferPointer(rebasing: buffer[..<count]))) != nil else { break }
        }
    }
}
