import Foundation
@testable import Keepline
import KeeplineBridge
import XCTest

/// Names and defaults are those of every other language: read by reflection, compared with the contract of the core.
final class ContractTests: XCTestCase {
    private let contract = try? JSON.read(place("KEEPLINE_SOURCE") + "/bindings/contract/contract.json")

    func testEveryKindOfNameHasExactlyTheNamesOfTheContract() throws {
        let kinds: [String: [String]] = [
            "profile_names": names(Profile.self), "states": names(Client.State.self), "outcomes": names(Outcome.self),
            "acked_by": names(AckedBy.self), "causes": names(Cause.self), "detectors": names(Detector.self),
            "hints": names(Hint.self), "suspicions": names(Suspicion.self), "transitions": names(Report.Transition.self),
            "while_down": names(WhileDown.self), "overflow": names(Overflow.self), "unsolicited": names(Unsolicited.self),
            "jitters": names(Backoff.Jitter.self), "addresses": names(Addresses.self),
            "endpoint_orders": names(EndpointOrder.self), "endians": names(Endian.self),
            "network_kinds": names(NetworkKind.self), "stages": names(Stage.self), "findings": names(Finding.self),
            "events": names(Event.Name.self), "error_kinds": names(KeeplineError.Kind.self),
        ]
        for (kind, names) in kinds { XCTAssertEqual(names, try listed(kind), kind) }
    }

    func testEventsAndTheirFieldsAreThoseOfTheContract() throws {
        let told = try XCTUnwrap(contract?["event_fields"]?.object)
        XCTAssertEqual(Set(told.keys), Set(names(Event.Name.self)))
        for (name, fields) in told {
            let event = try Event(record(name))
            XCTAssertEqual(event.name.rawValue, name)
            let fact = try XCTUnwrap(Mirror(reflecting: event).children.first?.value)
            XCTAssertEqual(self.fields(fact), Set(fields.strings.map(plain)), name)
        }
    }

    func testOptionsAreThoseOfTheContract() throws {
        // What is nested here and flat there: `backoff_max_ms` is `backoff.max`.
        let nested: [String: Any] = [
            "heartbeat": Heartbeat(""), "backoff": Backoff(), "outbox": Outbox(),
        ]
        let flat = fields(Config()).flatMap { field -> [String] in
            if field == "keepalive" { return ["idle", "interval", "retries"].map { "keepalive_\($0)" } }
            guard let part = nested[field] else { return [field] }
            return fields(part).map { "\(field)_\($0)" }
        }
        // A hook is no value of the configuration: the flag that tells of it belongs to the border.
        let wanted = try listed("config_fields").filter { !$0.hasSuffix("_off") && !$0.hasSuffix("_hook") }.map(plain)
        XCTAssertEqual(Set(flat), Set(wanted))
        XCTAssertEqual(fields(Tls()), Set(try listed("tls_fields")))
        XCTAssertEqual(fields(RetryAfter(when: .any, otherwise: .zero)), Set(try listed("retry_after_fields").map(plain)))
        XCTAssertEqual(fields(AutoReply(when: .any, reply: "")), Set(try listed("auto_reply_fields")))
    }

    func testWhatIsToldHasTheFieldsOfTheContract() async throws {
        XCTAssertEqual(fields(try Config().resolve().bounds), Set(try listed("bounds").map(plain)))
        try await withChaos { chaos in
            let client = try await Client.connect(chaos.tell("serve s line"))
            try await client.use { client in
                XCTAssertEqual(fields(try client.stats()), Set(try listed("stats_fields").map(plain)))
                try client.reconnect()
                let lost = try await disconnected(client)
                let report = try XCTUnwrap(lost.report)
                XCTAssertEqual(fields(report), Set(try listed("report_fields").map(plain)))
                XCTAssertEqual(fields(try XCTUnwrap(report.entries.first)), Set(try listed("report_entry_fields").map(plain)))
                XCTAssertEqual(fields(try XCTUnwrap(report.figures)), Set(try listed("kernel_figures").map(plain)))
            }
            let diagnosis = try await Client.doctor(chaos.tell("serve t line"))
            let asked = Set(fields(diagnosis).map { $0 == "is_healthy" ? "healthy" : $0 })
            XCTAssertEqual(asked, Set(try listed("diagnosis_fields")))
            let stage = try XCTUnwrap(diagnosis.stages.first)
            XCTAssertEqual(fields(stage), Set(try listed("stage_fields").map(plain)))
            let fact = try XCTUnwrap(diagnosis.stages.lazy.flatMap(\.facts).first)
            XCTAssertEqual(fields(fact), Set(try listed("fact_fields")))
        }
    }

    func testDefaultsOfEveryProfileAreThoseOfTheContract() throws {
        for profile in Profile.allCases {
            let wanted = try XCTUnwrap(contract?["profiles"]?[profile.rawValue])
            let plain = try Client.defaults(of: profile)
            try assertDefaults(wanted["plain"], plain, "\(profile)")
            var beating = Config()
            beating.profile = profile
            beating.heartbeat = Heartbeat("PING")
            try assertDefaults(wanted["with_heartbeat"], beating.resolve().config, "\(profile) with a heartbeat")
            // What is decided is taken back as it is.
            try assertDefaults(wanted["plain"], plain.resolve().config, "\(profile), twice")
        }
    }

    /// Every value, through the record that goes back to the core.
    private func assertDefaults(_ wanted: JSON?, _ config: Config, _ what: String) throws {
        let record = try config.declared()
        let values = Dictionary(
            uniqueKeysWithValues: Mirror(reflecting: record).children.map { (snake($0.label ?? ""), shown($0.value)) })
        let wanted = try XCTUnwrap(wanted?.object)
        XCTAssertFalse(wanted.isEmpty)
        for (field, value) in wanted { XCTAssertEqual(values[field], value.shown, "\(what): \(field)") }
    }

    private func listed(_ kind: String) throws -> [String] { try XCTUnwrap(contract?[kind]?.strings, kind) }

    private func names<T: CaseIterable & RawRepresentable<String>>(_ type: T.Type) -> [String] {
        type.allCases.map(\.rawValue)
    }

    private func fields(_ value: Any) -> Set<String> { Set(Mirror(reflecting: value).children.map { snake($0.label ?? "") }) }

    /// An event with everything that any of them has.
    private func record(_ name: String) -> EventRecord {
        let messages = MessageCountsRecord(
            accepted: 0, acked: 0, notSent: 0, unknown: 0, expired: 0, queued: 0, inFlight: 0)
        return EventRecord(
            seq: 1, atMs: 2, name: name, epoch: 3, endpoint: nil, peer: nil, afterMs: 4, evidence: "woke", cause: "reset",
            detector: nil, errno: nil, hint: nil, advice: nil, code: nil, retryAfterMs: nil, upForMs: nil, retryInMs: nil,
            failures: 5, messages: messages, report: nil, count: 6, state: "idle")
    }
}

private func plain(_ field: String) -> String {
    for unit in ["_ms", "_us"] where field.hasSuffix(unit) { return String(field.dropLast(unit.count)) }
    return field
}

private func snake(_ name: String) -> String {
    name.reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : "\($1)" }
}

/// A value of a record as the contract writes it.
private func shown(_ value: Any) -> String {
    let mirror = Mirror(reflecting: value)
    if mirror.displayStyle == .optional { return mirror.children.first.map { shown($0.value) } ?? "nothing" }
    switch value {
    case let data as Data: return "\(data.map(Int.init))"
    case let number as Double: return JSON.number(number).shown
    case let list as [Any]: return "\(list.map(shown))"
    // Variants by their names.
    case is FramingRecord, is MatcherRecord: return snake(String("\(value)".prefix { $0 != "(" }))
    default: return "\(value)"
    }
}

/// What a file in JSON says.
private enum JSON: Decodable {
    case null, bool(Bool), number(Double), string(String), array([JSON]), object([String: JSON])

    static func read(_ path: String) throws -> JSON {
        try JSONDecoder().decode(JSON.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let string = try? value.decode(String.self) {
            self = .string(string)
        } else if let array = try? value.decode([JSON].self) {
            self = .array(array)
        } else {
            self = .object(try value.decode([String: JSON].self))
        }
    }

    subscript(key: String) -> JSON? { object?[key] }

    var object: [String: JSON]? {
        guard case .object(let object) = self else { return nil }
        return object
    }

    var strings: [String] {
        guard case .array(let values) = self else { return [] }
        return values.map(\.shown)
    }

    var shown: String {
        switch self {
        case .null: return "nothing"
        case .bool(let bool): return "\(bool)"
        case .number(let number): return number == number.rounded() ? "\(Int(number))" : "\(number)"
        case .string(let string): return string
        case .array(let values): return values.contains { if case .number = $0 { false } else { true } }
            ? "\(values.map(\.shown))" : "[\(values.map(\.shown).joined(separator: ", "))]"
        case .object(let object): return object["kind"]?.shown ?? "\(object)"
        }
    }
}
