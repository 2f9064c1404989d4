// Real servers, as processes that can be killed and started again.

import Foundation
import XCTest

/// A server on a port of 127.0.0.1, which stays the same when it is started again.
final class Server: @unchecked Sendable {
    let port: Int
    private let program: String
    private let arguments: (Int) -> [String]
    private let environment: [String: String]
    private var process: Process?

    init(_ program: String, environment: [String: String] = [:], arguments: @escaping (Int) -> [String]) throws {
        self.program = program
        self.environment = environment
        self.arguments = arguments
        port = try freePort()
    }

    var address: String { "127.0.0.1:\(port)" }

    /// Starts it, and returns when it accepts connections.
    func start() async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments(port)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardOutput = FileHandle.nullDevice
        // Ends with this process: the Modbus server reads it to the end.
        process.standardInput = Pipe()
        try process.run()
        self.process = process
        for _ in 1...1000 {
            if accepts(port) { return }
            guard process.isRunning else { throw Failed("\(program) has ended") }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw Failed("\(program) does not answer on port \(port)")
    }

    /// Ends it as a crash does.
    func kill() {
        guard let process else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        self.process = nil
    }
}

/// Runs a test with a Redis of its own.
func withRedis<Result>(password: String? = nil, _ test: (Server) async throws -> Result) async throws -> Result {
    let redis = try Server("redis-server") {
        ["--port", "\($0)", "--bind", "127.0.0.1", "--save", "", "--dir", NSTemporaryDirectory()]
            + (password.map { ["--requirepass", $0] } ?? [])
    }
    try await redis.start()
    defer { redis.kill() }
    return try await test(redis)
}

/// Runs a test with a Modbus server of its own.
func withModbus<Result>(_ test: (Server) async throws -> Result) async throws -> Result {
    let script = try place("KEEPLINE_SOURCE") + "/core/testkit/servers/modbus_server.py"
    let log = NSTemporaryDirectory() + "/keepline-modbus-\(UUID().uuidString).log"
    let modbus = try Server("python3", environment: ["PYTHONPATH": try place("KEEPLINE_PYMODBUS")]) {
        [script, "--port", "\($0)", "--log", log]
    }
    try await modbus.start()
    defer {
        modbus.kill()
        try? FileManager.default.removeItem(atPath: log)
    }
    return try await test(modbus)
}

/// A port that nobody listens on now.
func freePort() throws -> Int {
    try withSocket { socket, address in
        var address = address
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, length) | getsockname(socket, $0, &length) }
        }
        guard status == 0 else { throw Failed("bind: errno \(errno)") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}

private func accepts(_ port: Int) -> Bool {
    let status = try? withSocket { socket, address in
        var address = address
        address.sin_port = UInt16(port).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
    return status == 0
}

/// A socket, and the address of this machine in itself, with port 0.
private func withSocket<Result>(_ body: (Int32, sockaddr_in) throws -> Result) throws -> Result {
    #if canImport(Glibc)
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #else
        let socket = socket(AF_INET, SOCK_STREAM, 0)
    #endif
    guard socket >= 0 else { throw Failed("socket: errno \(errno)") }
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return try body(socket, address)
}
