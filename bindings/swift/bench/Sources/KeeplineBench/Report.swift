// From figures to tables: medians, and ratios taken inside a round.

import Foundation

/// What was measured in one round, by the name of the case.
typealias Round = [String: [Double]]

/// A kind of measurement: what is told of it, and what it is compared with.
enum Kind: CaseIterable, Sendable {
    case throughput, roundTrip, call

    var label: String {
        switch self {
        case .throughput: "throughput"
        case .roundTrip: "round trip"
        case .call: "call"
        }
    }

    var heads: [String] {
        switch self {
        case .throughput: ["thousand messages/s", "CPU us a message"]
        case .roundTrip: ["p50, us", "p99, us", "CPU us"]
        case .call: ["CPU ns"]
        }
    }

    /// The case that the first figure of the others is divided by: a plain socket.
    var reference: String {
        switch self {
        case .throughput: "socket, a `send` for each message"
        case .roundTrip: "socket"
        case .call: "socket, `send`"
        }
    }
}

/// One kind as a table: medians, and how many times the figure of the plain socket.
func table(_ kind: Kind, _ names: [String], _ rounds: [Round]) -> String {
    let heads = kind.heads + ["times the socket"]
    var lines = ["| \(kind.label) | \(heads.joined(separator: " | ")) |", "| --- |" + String(repeating: " ---: |", count: heads.count)]
    for name in names {
        let figures = kind.heads.indices.map { column in shown(median(rounds.map { $0[name]![column] })) }
        let ratio = median(rounds.map { $0[name]![0] / $0[kind.reference]![0] })
        lines.append("| \(name) | \(figures.joined(separator: " | ")) | \(String(format: "%.2f", ratio)) |")
    }
    return lines.joined(separator: "\n") + "\n"
}

/// Puts the tables between the marks of a page.
func write(_ page: String, _ tables: [(Kind, String)], _ machine: String) throws {
    var text = try String(contentsOfFile: page, encoding: .utf8)
    let blocks = [("machine", machine)] + tables.map { ($0.label.replacingOccurrences(of: " ", with: "-"), $1) }
    for (name, body) in blocks {
        let (begin, end) = ("<!-- \(name): begin -->\n", "<!-- \(name): end -->")
        guard let first = text.range(of: begin), let last = text.range(of: end, range: first.upperBound..<text.endIndex) else {
            throw Failed("\(page) has no place for `\(name)`")
        }
        text.replaceSubrange(first.upperBound..<last.lowerBound, with: body)
    }
    try text.write(toFile: page, atomically: true, encoding: .utf8)
}

/// What was measured on, as kinds, and how busy it was before.
func machine(_ compiler: String?, load: String?) -> String {
    let model = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?
        .split(separator: "\n").first { $0.hasPrefix("model name") }?
        .split(separator: ":", maxSplits: 1).last?.trimmingCharacters(in: .whitespaces)
    let kernel = (try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8))?
        .split(separator: "-").first?.trimmingCharacters(in: .whitespacesAndNewlines)
    let today = DateFormatter()
    today.locale = Locale(identifier: "en_GB")
    today.timeZone = TimeZone(identifier: "UTC")
    today.dateFormat = "d MMMM yyyy"
    return "Measured on \(today.string(from: Date())), in one run: \(ProcessInfo.processInfo.processorCount) cores "
        + "(\(model ?? "unknown processor")), Linux \(kernel ?? "unknown"), \(compiler ?? "Swift"); "
        + "\(load ?? "an unknown number of") programs were running on it before.\n"
}

private func median(_ figures: [Double]) -> Double {
    let sorted = figures.sorted()
    return (sorted[sorted.count / 2] + sorted[(sorted.count - 1) / 2]) / 2
}

private func shown(_ figure: Double) -> String {
    switch figure {
    case 1000...: grouped(Int(figure.rounded()))
    case 100...: String(format: "%.0f", figure)
    case 10...: String(format: "%.1f", figure)
    default: String(format: "%.2f", figure)
    }
}

/// With a comma before each three digits.
private func grouped(_ number: Int) -> String {
    number < 1000 ? "\(number)" : grouped(number / 1000) + "," + String(format: "%03d", number % 1000)
}
