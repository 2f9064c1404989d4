// The chaos server of the testkit, as a program of its own: real servers, and proxies that do harm on request.

import Foundation
import XCTest

/// One run of `keepline-chaos`; it ends with this, and everything it started with it.
final class Chaos: @unchecked Sendable {
    private let process = Process()
    private let commands = Pipe()
    private let answers = Pipe()
    // Only touched on the queue.
    private var unread = Data()
    private let queue = DispatchQueue(label: "chaos")

    init() throws {
        process.executableURL = URL(fileURLWithPath: try place("KEEPLINE_CHAOS"))
        process.standardInput = commands
        process.standardOutput = answers
        try process.run()
    }

    /// Runs one command and returns the words after `ok`.
    @discardableResult
    func tell(_ command: String) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Swift.Result { try self.exchange(command) }) }
        }
    }

    func close() {
        try? commands.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    private func exchange(_ command: String) throws -> String {
        try commands.fileHandleForWriting.write(contentsOf: Data((command + "\n").utf8))
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                let answer = String(decoding: unread[..<end], as: UTF8.self)
                unread = Data(unread[unread.index(after: end)...])
                guard answer.hasPrefix("ok") else { throw Failed("\(command): \(answer)") }
                return answer.dropFirst(2).trimmingCharacters(in: .whitespaces)
            }
            let more = answers.fileHandleForReading.availableData
            if more.isEmpty { throw Failed("keepline-chaos has ended") }
            unread += more
        }
    }
}

/// Something a test needed did not happen.
struct Failed: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// A place that tools/test_swift.sh names.
func place(_ name: String) throws -> String {
    guard let path = ProcessInfo.processInfo.environment[name] else {
        throw Failed("\(name) is not set: run these tests with tools/test_swift.sh")
    }
    return path
}

/// Runs a test with a chaos server of its own.
func withChaos<Result>(_ test: (Chaos) async throws -> Result) async throws -> Result {
    let chaos = try Chaos()
    defer { chaos.close() }
    return try await test(chaos)
}

/// Fails if it takes longer. What is waited for must end when it is cancelled.
@discardableResult
func within<Result: Sendable>(
    _ limit: Duration, _ what: String = "it", _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw Failed("\(what) took longer than \(limit)")
        }
        defer { group.cancelAll() }
        return try await group.next()!
    }
}

/// The error that a call throws.
func thrown<Result>(_ call: () async throws -> Result) async -> (any Error)? {
    do {
        _ = try await call()
        return nil
    } catch {
        return error
    }
}
