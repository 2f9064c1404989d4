// Polls a holding register of a controller, and says so when its value is not known.
//
//     ModbusPoller plc-7.example:502 3
//
// The industrial profile holds one connection with one request in flight, and queues nothing: a value is fresh, or there is
// none. A late answer is never taken for that to the next question.

import Foundation
import Keepline

@main
struct ModbusPoller {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count > 1 else { return print("usage: ModbusPoller HOST:PORT [REGISTER [SECONDS]]") }
        let register = arguments.count > 2 ? UInt16(arguments[2]) ?? 0 : 0
        let every = Duration.seconds(arguments.count > 3 ? Double(arguments[3]) ?? 1 : 1)

        let client = try Client.start(arguments[1]) {
            $0.profile = .industrial
            $0.framing = .modbusTcp
            $0.correlation = .id(offset: 0, width: 2)
            $0.heartbeat = Heartbeat(read(register), interval: .seconds(2), replyWithin: .seconds(2))
        }
        while client.state != .closed {
            do {
                let reply = try await client.request(read(register), timeout: .seconds(2))
                say("register \(register) is \(value(of: reply))")
            } catch let error as KeeplineError where error.kind == .unavailable || error.kind == .timeout {
                say("register \(register) is not known: \(error.kind) \(error.cause?.rawValue ?? "")")
            }
            try await Task.sleep(for: every)
        }
    }

    /// Asks unit 1 for one holding register (function 3). The client writes the transaction id itself.
    static func read(_ register: UInt16) -> Data {
        Data([0, 0, 0, 0, 0, 6, 1, 3, UInt8(register >> 8), UInt8(register & 255), 0, 1])
    }

    /// Header of 7 bytes, function, number of bytes, then the register. The top bit of the function says: not done.
    static func value(of reply: Data) -> String {
        let bytes = [UInt8](reply)
        guard bytes.count >= 9, bytes[7] & 0x80 == 0 else { return "refused with code \(bytes.last ?? 0)" }
        guard bytes.count >= 11 else { return "cut short" }
        return "\(UInt16(bytes[9]) << 8 | UInt16(bytes[10]))"
    }
}

/// Prints at once: what is said is read while it runs.
private func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
}
