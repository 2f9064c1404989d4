// The errors. Their kinds and causes are the strings of every language.

internal import KeeplineBridge

/// What went wrong. The case says what to do, the evidence says why.
///
/// A call whose task was cancelled throws `CancellationError` instead.
public enum KeeplineError: Error, Sendable {
    /// Fix the option or the argument that `field` names.
    case invalidConfig(Evidence)
    /// There is no connection now; the client is retrying.
    case unavailable(Evidence)
    /// The client gave up.
    case exhausted(Evidence)
    /// Your deadline passed.
    case timeout(Evidence)
    /// A queue or a policy said no.
    case rejected(Evidence)
    /// The client is closed; make a new one.
    case closed(Evidence)
    /// A bug of Keepline; please report it.
    case `internal`(Evidence)

    /// What to do about it, as in every language.
    public enum Kind: String, CaseIterable, Sendable, CustomStringConvertible {
        case invalidConfig = "invalid_config"
        case unavailable
        case exhausted
        case timeout
        case rejected
        case closed
        case `internal`

        /// The name, as in events, logs and the other languages.
        public var description: String { rawValue }
    }

    /// What to do about it, as in every language.
    public var kind: Kind {
        switch self {
        case .invalidConfig: .invalidConfig
        case .unavailable: .unavailable
        case .exhausted: .exhausted
        case .timeout: .timeout
        case .rejected: .rejected
        case .closed: .closed
        case .internal: .internal
        }
    }

    /// All that is known about it.
    public var evidence: Evidence {
        switch self {
        case .invalidConfig(let evidence), .unavailable(let evidence), .exhausted(let evidence), .timeout(let evidence),
            .rejected(let evidence), .closed(let evidence), .internal(let evidence):
            evidence
        }
    }

    /// Why there is no connection, if that is the reason.
    public var cause: Cause? { evidence.cause }

    /// The option that breaks a rule.
    public var field: String? { evidence.field }

    /// Whether the peer may have carried out the request all the same.
    public var maybeExecuted: Bool { evidence.maybeExecuted }

    /// Whether the same call can succeed later without any change.
    public var isRetryable: Bool { evidence.isRetryable }

    /// What an error knows.
    public struct Evidence: Sendable {
        /// The whole story in words: of an option its name, the rule and the value.
        public let text: String
        /// Why there is no connection, if that is the reason.
        public let cause: Cause?
        /// Which evidence told.
        public let detector: Detector?
        /// The operating system's error number, if there was one.
        public let errno: Int32?
        /// The other side's own number for it, if it told one: a SOCKS reply or the status of an HTTP proxy.
        public let code: Int?
        /// The option that breaks a rule.
        public let field: String?
        /// Whether the peer may have carried out the request all the same.
        public let maybeExecuted: Bool
        /// Whether the same call can succeed later without any change.
        public let isRetryable: Bool

        /// The flight recorder's report on the connection that ended, if that is the reason.
        // Read when somebody asks: a send that is refused again and again stays cheap.
        public var report: Report? { readReport() }

        private let readReport: @Sendable () -> Report?
    }
}

extension KeeplineError: CustomStringConvertible {
    public var description: String { "\(kind): \(evidence.text)" }
}

extension KeeplineError.Evidence {
    init(
        _ text: String, ending: Ending? = nil, field: String? = nil, isRetryable: Bool = false,
        report: @escaping @Sendable () -> Report? = { nil }
    ) {
        self.init(
            text: text, cause: ending?.cause, detector: ending?.detector, errno: ending?.errno, code: ending?.code,
            field: field, maybeExecuted: false, isRetryable: isRetryable, readReport: report)
    }

    fileprivate init(_ detail: ErrorDetail) {
        self.init(
            text: detail.text, cause: detail.cause.flatMap(Cause.init), detector: detail.detector.flatMap(Detector.init),
            errno: detail.errno, code: int(detail.code), field: detail.field, maybeExecuted: detail.maybeExecuted,
            isRetryable: detail.retryable, readReport: { detail.report.flatMap { try? Report($0.read()) } })
    }
}

extension KeeplineError {
    /// The refusal of a value, worded as the core words its own.
    static func invalid(_ field: String, _ value: Any, _ rule: String) -> KeeplineError {
        .invalidConfig(Evidence("\(field): \(rule) (got \(value))", field: field))
    }

    /// Whatever was thrown between here and the core.
    init(_ error: any Error) {
        switch error {
        case let error as KeeplineError: self = error
        case let error as ForeignError: self = KeeplineError(told: error)
        default: self = .internal(Evidence("\(error)"))
        }
    }

    private init(told error: ForeignError) {
        switch error {
        case .InvalidConfig(let detail): self = .invalidConfig(Evidence(detail))
        case .Unavailable(let detail): self = .unavailable(Evidence(detail))
        case .Exhausted(let detail): self = .exhausted(Evidence(detail))
        case .Timeout(let detail): self = .timeout(Evidence(detail))
        case .Rejected(let detail): self = .rejected(Evidence(detail))
        case .Closed(let detail): self = .closed(Evidence(detail))
        // A client does not survive a fork, nor does a program that uses threads: a bug all the same.
        case .Forked(let detail): self = .internal(Evidence(detail))
        case .Internal(let detail): self = .internal(Evidence(detail))
        // Its token belongs to one call, which tells it as a `CancellationError`.
        case .Cancelled: self = .internal(Evidence("the call was given up"))
        }
    }
}
