import Foundation
import XCTest

/// The programs of examples/swift, each against a real server that is killed and started again in the middle.
final class ExampleTests: XCTestCase {
    func testEveryBeatHasAnOutcomeThoughRedisIsKilledInTheMiddle() async throws {
        try await withRedis { redis in
            try await running("SurviveARestart", [redis.address, "100", "0.02"]) { program in
                try await program.says("connected #1")
                redis.kill()
                try await program.says("lost (")
                try await redis.start()
                try await program.says("connected #")
                let sum = try await program.says("100 beats:")
                XCTAssertTrue(sum.contains(" 0 not_sent ") && sum.hasSuffix(" 0 expired"), sum)
                XCTAssertEqual(program.status(), 0)
            }
        }
    }

    func testValuesAreUnknownWhileTheControllerIsAwayAndFreshAfterwards() async throws {
        try await withModbus { modbus in
            try await running("ModbusPoller", [modbus.address, "3", "0.05"]) { program in
                try await program.says("register 3 is 3")
                modbus.kill()
                try await program.says("register 3 is not known: unavailable")
                try await modbus.start()
                try await program.says("register 3 is 3")
            }
        }
    }

    func testLineClientLogsInAgainBeforeWhatWasTypedMeanwhile() async throws {
        try await withRedis(password: "secret") { redis in
            try await running("LineClient", [redis.address], ["LINE_CLIENT_SECRET": "secret"]) { program in
                try await program.says("* logged in #1")
                try program.type("SET a 1")
                try await program.says("+OK")
                redis.kill()
                try await program.says("* lost (")
                try program.type("INCR b")
                try await redis.start()
                // Refused with NOAUTH if it came before the login. Whether the program tells of that login before or after, is
                // not decided: events and messages are two sequences.
                try await program.says(":1")
                program.endInput()
                XCTAssertEqual(program.status(), 0)
            }
        }
    }

    func testLineClientEndsWhenItsLoginIsRefused() async throws {
        try await withRedis(password: "secret") { redis in
            try await running("LineClient", [redis.address], ["LINE_CLIENT_SECRET": "wrong"]) { program in
                try await program.says("* over: greeting.auth")
            }
        }
    }

    func testIndexNamesEveryProgram() throws {
        let examples = try place("KEEPLINE_SOURCE") + "/examples/swift"
        let index = try String(contentsOfFile: examples + "/README.md", encoding: .utf8)
        let programs = try FileManager.default.contentsOfDirectory(atPath: examples + "/programs/Sources")
        XCTAssertEqual(programs.count, 3)
        for program in programs { XCTAssertTrue(index.contains("(programs/Sources/\(program)/\(program).swift)"), program) }
    }
}

/// A program that runs, and what it says.
private final class Program: @unchecked Sendable {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    // Only touched on the queue.
    private var unread = Data()
    private let queue = DispatchQueue(label: "program")

    init(_ name: String, _ arguments: [String], _ environment: [String: String]) throws {
        process.executableURL = URL(fileURLWithPath: try place("KEEPLINE_EXAMPLES") + "/" + name)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    /// Reads up to a line that begins so.
    @discardableResult
    func says(_ words: String) async throws -> String {
        try await within(.seconds(30), words) {
            while true {
                let line = try await self.line(words)
                if line.hasPrefix(words) { return line }
            }
        }
    }

    func type(_ line: String) throws { try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8)) }

    func endInput() { try? input.fileHandleForWriting.close() }

    func status() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }

    func end() {
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
    }

    private func line(_ words: String) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Swift.Result { try self.readLine(words) }) }
        }
    }

    private func readLine(_ words: String) throws -> String {
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: unread[..<end], as: UTF8.self)
                unread = Data(unread[unread.index(after: end)...])
                return line
            }
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { throw Failed("ended before \(words)") }
            unread += more
        }
    }
}

private func running(
    _ name: String, _ arguments: [String], _ environment: [String: String] = [:], _ test: (Program) async throws -> Void
) async throws {
    let program = try Program(name, arguments, environment)
    // A read that waits ends with the program.
    let limit = Task {
        try await Task.sleep(for: .seconds(45))
        program.end()
    }
    defer {
        limit.cancel()
        program.end()
    }
    try await test(program)
}
