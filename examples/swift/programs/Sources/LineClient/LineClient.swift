// Talks in lines with a server that wants a login first, through its restarts: each line that is typed is sent, each that
// comes is printed.
//
//     LINE_CLIENT_SECRET=secret LineClient localhost:6379
//
// Redis takes lines, too, and its login is `AUTH password`. The client logs in by itself on each new connection, before
// anything that was typed meanwhile. It ends with its input, or when the server refuses the login.

import Foundation
import Keepline

@main
struct LineClient {
    static func main() async throws {
        guard CommandLine.arguments.count > 1 else { return print("usage: LineClient HOST:PORT") }
        let secret = ProcessInfo.processInfo.environment["LINE_CLIENT_SECRET"] ?? ""

        let client = try Client.start(CommandLine.arguments[1]) {
            $0.framing = .lines
            $0.credentials = Data(secret.utf8)
            $0.greeting = Greeting().refused(.prefix("-WRONGPASS")).sendCredentials(prefix: "AUTH ").expect("+OK")
            $0.authAttempts = 1
            $0.heartbeat = Heartbeat("PING", reply: .exact("+PONG"), interval: .seconds(2), replyWithin: .seconds(2))
        }
        let events = client.events
        let telling = Task {
            for await event in events {
                switch event {
                case .connected(let now): say("* logged in #\(now.epoch)")
                case .disconnected(let lost): say("* lost (\(lost.cause))")
                default: break
                }
            }
        }
        let lines = typed()
        let typing = Task {
            for await line in lines { try await client.send(line) }
            try await client.close()
        }
        do {
            for try await message in client.messages { say(message.text) }
            try await typing.value
        } catch let error as KeeplineError {
            say("* over: \(error.cause?.rawValue ?? error.description)")
        }
        await telling.value
    }
}

/// The lines of the standard input. A thread reads them: a task must not block.
private func typed() -> AsyncStream<String> {
    AsyncStream { lines in
        Thread.detachNewThread {
            while let line = readLine() { lines.yield(line) }
            lines.finish()
        }
    }
}

/// Prints at once: what is said is read while it runs.
private func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
}
