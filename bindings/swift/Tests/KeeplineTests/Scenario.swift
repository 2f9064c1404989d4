// One scenario: its steps, and its options as this library takes them.

import Foundation
import Keepline

struct Scenario {
    let config: Config
    let hooks: Hooks
    let steps: [String]

    init(_ text: Data, _ chaos: Chaos) async throws {
        guard let parts = try JSONSerialization.jsonObject(with: text) as? [String: Any],
            let options = parts["options"] as? [String: Any], let steps = parts["steps"] as? [String]
        else { throw Failed("no scenario") }
        self.steps = steps
        var config = Config()
        // A heartbeat has its payload first.
        for name in options.keys.sorted(by: { first, second in first == "heartbeat_payload" && second != first }) {
            try config.declare(name, options[name]!)
        }
        if (options["tls"] as? [String: Any])?["ca"] as? String == "chaos" {
            let certificate = try await chaos.tell("authority chaos")
            config.tls?.caPem = "-----BEGIN CERTIFICATE-----\n\(certificate)\n-----END CERTIFICATE-----\n"
        }
        if let login = options["proxy"] as? String { config.proxy = try await "http://" + chaos.tell("http-proxy proxy \(login)") }
        self.config = config
        hooks = Hooks(
            onConnect: (options["greeting_hook"] as? String).map { Self.throwing($0) },
            credentials: options["credentials_hook"] == nil ? nil : { @Sendable _ in throw Failed("thrown") },
            proxyCredentials: (options["proxy_credentials_hook"] as? String).map { Self.loggingIn($0) })
    }
}

extension Scenario {
    /// A name, then the password for each number of refusals; throws where none is left.
    private static func loggingIn(_ login: String) -> @Sendable (CredentialRequest) async throws -> ProxyCredentials {
        let words = login.components(separatedBy: " ")
        return { request in
            guard request.refusals + 1 < words.count else { throw Failed("thrown") }
            return ProxyCredentials(user: words[0], password: words[request.refusals + 1])
        }
    }

    /// A greeting that throws: each time, or `once`, and then has nothing to say.
    private static func throwing(_ how: String) -> @Sendable (GreetingIo) async throws -> Void {
        { io in
            guard how == "throws once", try io.epoch > 1 else { throw Failed("thrown") }
        }
    }
}

extension Config {
    /// Declares an option by its name in the contract's `config_fields`.
    fileprivate mutating func declare(_ name: String, _ value: Any) throws {
        let text = value as? String ?? ""
        let count = (value as? NSNumber)?.intValue ?? 0
        let time = Duration.milliseconds(count)
        switch name {
        case "profile": profile = Profile(rawValue: text)
        case "framing": framing = try Self.framing(text.components(separatedBy: " "))
        case "heartbeat_payload": heartbeat = Heartbeat(text)
        case "heartbeat_reply": heartbeat?.reply = .exact(text)
        case "heartbeat_interval_ms": heartbeat?.interval = time
        case "heartbeat_reply_within_ms": heartbeat?.replyWithin = time
        case "read_idle_ms": readIdle = time
        case "connect_per_address_ms": connectPerAddress = time
        case "connect_total_ms": connectTotal = time
        case "connect_within_ms": connectWithin = time
        case "backoff_first_spread_ms": backoff.firstSpread = time
        case "backoff_initial_ms": backoff.initial = time
        case "backoff_max_ms": backoff.max = time
        case "backoff_jitter": backoff.jitter = Backoff.Jitter(rawValue: text)
        case "max_attempts": maxAttempts = count
        case "auth_attempts": authAttempts = .atMost(count)
        case "while_down": whileDown = WhileDown(rawValue: text)
        case "overflow": overflow = Overflow(rawValue: text)
        case "outbox_messages": outbox.messages = count
        case "outbox_bytes": outbox.bytes = count
        case "outbox_age_ms": outbox.age = .after(time)
        case "inbox_bytes": inboxBytes = count
        case "frame_within_ms": frameWithin = .after(time)
        case "stall_limit_ms": stallLimit = time
        case "max_in_flight": maxInFlight = count
        case "correlation" where text == "fifo": correlation = .fifo
        case "greeting": greeting = try Self.greeting(value as? [String] ?? [])
        case "credentials": credentials = Data(text.utf8)
        case "tls": tls = .system
        // Where the proxy is, the chaos program says; hooks are no part of the configuration; for events there is no callback: they are read.
        case "greeting_hook", "credentials_hook", "proxy", "proxy_credentials_hook", "on_event": break
        default: throw Failed("no option of scenarios: \(name)")
        }
    }

    /// `lines`, `resp` or `raw`, with the longest message after it.
    private static func framing(_ words: [String]) throws -> Framing {
        let max = words.count > 1 ? Int(words[1]) : nil
        switch words[0] {
        case "raw": return .raw
        case "lines": return .lines(max: max)
        case "resp": return .resp(max: max)
        default: throw Failed("no framing of scenarios: \(words)")
        }
    }

    /// Steps such as `send HELLO`, `expect WELCOME`, `refused DENIED`, `send_credentials`.
    private static func greeting(_ steps: [String]) throws -> Greeting {
        try steps.reduce(Greeting()) { greeting, step in
            let parts = step.split(separator: " ", maxSplits: 1)
            let frame = parts.count > 1 ? String(parts[1]) : ""
            switch parts[0] {
            case "send": return greeting.send(frame)
            case "send_credentials": return greeting.sendCredentials(prefix: frame)
            case "expect": return greeting.expect(frame)
            case "refused": return greeting.refused(.exact(frame))
            default: throw Failed("no step of a greeting: \(step)")
            }
        }
    }
}
