// Clients in Swift beside each other: a process each, interleaved rounds, medians of ratios taken inside a round.
//
//     tools/bench_swift.sh                  measures everything and prints the tables
//     tools/bench_swift.sh --write          puts them into docs/explain/speed-swift.md besides
//     tools/bench_swift.sh --rounds 3 --only "round trip"

import Foundation

/// Odd, so that the median is one that was measured.
private let usualRounds = 5

/// What is measured: a function of the server's port that returns the figures of its kind.
private struct Case: Sendable {
    let kind: Kind
    let name: String
    let measure: @Sendable (UInt16) async throws -> [Double]

    init(_ kind: Kind, _ name: String, _ measure: @escaping @Sendable (UInt16) async throws -> [Double]) {
        self.kind = kind
        self.name = name
        self.measure = measure
    }
}

private let cases = [
    Case(.throughput, "keepline, `trySendMany` and `receiveMany`") { try await Ours.batches($0) },
    Case(.throughput, "keepline, `trySend` and `receiveMany`") { try await Ours.sentSingly($0) },
    Case(.throughput, "keepline, `send` and `messages` (an `AsyncSequence`)") { try await Ours.sequence($0) },
    Case(.throughput, "socket, a `send` for each message") { try Plain.throughput($0) },
    Case(.throughput, "socket, batched by hand") { try Plain.batched($0) },
    Case(.throughput, "socket, read by a `DispatchSource` into an `AsyncStream`") { try await Watched.throughput($0) },
    Case(.roundTrip, "keepline, `trySend` and `receive`") { try await Ours.roundTrip($0) },
    Case(.roundTrip, "keepline, `request`") { try await Ours.request($0) },
    Case(.roundTrip, "socket") { try Plain.roundTrip($0) },
    Case(.roundTrip, "socket, read by a `DispatchSource` into an `AsyncStream`") { try await Watched.roundTrip($0) },
    Case(.call, "keepline, `trySend`") { try await Ours.call($0) },
    Case(.call, "keepline, `trySendMany` of \(batchSize), for each message") { try await Ours.callOfBatches($0) },
    Case(.call, "socket, `send`") { try Plain.call($0) },
]

@main
enum Bench {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "echo": try serveEcho()
        case "case": try await measure(arguments)
        default: try measureAll(arguments)
        }
    }

    /// One case, in a process of its own.
    private static func measure(_ arguments: [String]) async throws {
        guard arguments.count == 4, let port = UInt16(arguments[3]),
            let wanted = cases.first(where: { $0.kind.label == arguments[1] && $0.name == arguments[2] })
        else { throw Failed("no such case: \(arguments)") }
        print(try await wanted.measure(port).map { "\($0)" }.joined(separator: " "))
    }
}

private func measureAll(_ arguments: [String]) throws {
    let rounds = after("--rounds", arguments).flatMap(Int.init) ?? usualRounds
    let only = after("--only", arguments)
    let results = try withEcho { port in
        try Kind.allCases.filter { only == nil || only == $0.label }.map { kind in
            let rounds = try (0..<max(1, rounds)).map { _ in try round(kind, port) }
            let table = table(kind, cases.filter { $0.kind == kind }.map(\.name), rounds)
            print(table)
            return (kind, table)
        }
    }
    if arguments.contains("--write") {
        guard let page = after("--page", arguments) else { throw Failed("--page names the page") }
        try write(page, results, machine(after("--compiler", arguments), load: after("--load", arguments)))
    }
}

/// Every case of a kind once, in a new order.
private func round(_ kind: Kind, _ port: UInt16) throws -> Round {
    var taken = Round()
    for one in cases.filter({ $0.kind == kind }).shuffled() { taken[one.name] = try run(one, port) }
    return taken
}

private func run(_ one: Case, _ port: UInt16) throws -> [Double] {
    let place =
        switch one.kind {
        case .throughput: pinned(to: clientCpu)
        case .roundTrip: pinned(to: serverCpu)
        case .call: [String]()
        }
    let (process, output) = try start(["timeout", limit] + place, ["case", one.kind.label, one.name, "\(port)"])
    let told = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let figures = told.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
    guard process.terminationStatus == 0, figures.count == one.kind.heads.count else {
        throw Failed("\(one.name) failed (124: it does not end): \(process.terminationStatus), \(told)")
    }
    return figures
}

private func withEcho<Result>(_ use: (UInt16) throws -> Result) throws -> Result {
    let (server, output) = try start(pinned(to: serverCpu), ["echo"])
    defer {
        server.terminate()
        server.waitUntilExit()
    }
    let told = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    guard let port = UInt16(told.trimmingCharacters(in: .whitespacesAndNewlines)) else { throw Failed("the server told \(told)") }
    return try use(port)
}

/// This program again, with these words, begun by a command.
private func start(_ command: [String], _ words: [String]) throws -> (Process, Pipe) {
    let (process, output) = (Process(), Pipe())
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command + [CommandLine.arguments[0]] + words
    process.standardOutput = output
    try process.run()
    return (process, output)
}

private func after(_ name: String, _ arguments: [String]) -> String? {
    arguments.firstIndex(of: name).flatMap { $0 + 1 < arguments.count ? arguments[$0 + 1] : nil }
}

/// Something did not work.
struct Failed: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
