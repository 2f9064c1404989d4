// Writes a beat to Redis five times a second, and knows in the end what became of each.
//
//     SurviveARestart localhost:6379
//
// Stop the server, start it again: the beats go on by themselves. The end of --count prints the sum.

import Foundation
import Keepline

@main
struct SurviveARestart {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count > 1 else { return print("usage: SurviveARestart HOST:PORT [COUNT [SECONDS]]") }
        let count = arguments.count > 2 ? Int(arguments[2]) ?? 0 : 1_000_000
        let every = Duration.seconds(arguments.count > 3 ? Double(arguments[3]) ?? 0.2 : 0.2)

        let client = try await Client.connect(arguments[1]) {
            $0.framing = .resp
            $0.heartbeat = Heartbeat("PING\r\n", reply: .exact("+PONG\r\n"), interval: .seconds(1), replyWithin: .seconds(2))
            // Nobody here waits for the replies: the receipts say what became of each beat.
            $0.unsolicited = .discard
        }
        let events = client.events
        let telling = Task { for await event in events { tell(event) } }
        var receipts: [Receipt] = []
        while receipts.count < count {
            receipts.append(try await client.sendTracked("SET beat \(receipts.count)\r\n"))
            try await Task.sleep(for: every)
        }
        // What still waits has five seconds to leave.
        try await client.close(drain: .seconds(5))
        await telling.value

        var sum: [Outcome: Int] = [:]
        for receipt in receipts { sum[try await receipt.outcome(), default: 0] += 1 }
        say("\(count) beats: " + Outcome.allCases.map { "\(sum[$0] ?? 0) \($0)" }.joined(separator: " "))
    }

    /// Says what a user would tell a friend.
    static func tell(_ event: Event) {
        switch event {
        case .connected(let now): say("connected #\(now.epoch) after \(now.after)")
        case .disconnected(let lost): if let wait = lost.retryIn { say("lost (\(lost.cause)), next attempt in \(wait)") }
        default: break
        }
    }
}

/// Prints at once: what is said is read while it runs.
private func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
}
