// What an examination found.

internal import KeeplineBridge

/// Why a client does not connect. Its description is the verdict.
public struct Diagnosis: Hashable, Sendable, CustomStringConvertible {
    /// The endpoint as it was given.
    public let endpoint: String
    /// Whether the way is open to its end. There may be warnings.
    public let isHealthy: Bool
    /// The stage where the way ends.
    public let failed: Stage?
    /// Why it ends there.
    public let cause: Cause?
    /// Where it ends, why, and what to look at next, in words.
    public let verdict: String
    /// The stages that were reached, in their order.
    public let stages: [ExaminedStage]

    public var description: String { verdict }

    init(_ record: DiagnosisRecord) throws {
        endpoint = record.endpoint
        isHealthy = record.healthy
        failed = try named(ifAny: record.failed)
        cause = try named(ifAny: record.cause)
        verdict = record.verdict
        stages = try record.stages.map { try ExaminedStage($0) }
    }
}

/// One stage that was examined.
public struct ExaminedStage: Hashable, Sendable {
    /// Which one.
    public let name: Stage
    /// What it came to.
    public let finding: Finding
    /// Why, as a client would tell it.
    public let cause: Cause?
    /// How long it took.
    public let took: Duration
    /// What was seen, and what each is about.
    public let facts: [Fact]

    /// One thing that was seen.
    public struct Fact: Hashable, Sendable {
        /// What it is about.
        public let name: String
        /// What it is.
        public let value: String
    }

    init(_ record: StageRecord) throws {
        name = try named(record.name)
        finding = try named(record.finding)
        cause = try named(ifAny: record.cause)
        took = micros(record.tookUs)
        facts = record.facts.map { Fact(name: $0.name, value: $0.value) }
    }
}
