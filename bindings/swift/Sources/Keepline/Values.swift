// Single values on their way to the core and back: durations in milliseconds, counts.

/// A time limit that may be switched off: `.seconds(20)` or `.off`.
public enum Limit: Hashable, Sendable, CustomStringConvertible {
    /// There is none.
    case off
    /// After this long.
    case after(Duration)

    /// After so many seconds.
    public static func seconds(_ seconds: some BinaryInteger) -> Limit { .after(.seconds(seconds)) }

    /// After so many seconds.
    public static func seconds(_ seconds: Double) -> Limit { .after(.seconds(seconds)) }

    /// After so many milliseconds.
    public static func milliseconds(_ milliseconds: some BinaryInteger) -> Limit { .after(.milliseconds(milliseconds)) }

    public var description: String {
        switch self {
        case .off: "off"
        case .after(let duration): "\(duration)"
        }
    }

    /// The duration, if it is not switched off.
    public var duration: Duration? {
        switch self {
        case .off: nil
        case .after(let duration): duration
        }
    }

    /// What the core decided.
    init?(off: Bool, millis value: UInt64?) {
        if off {
            self = .off
        } else if let value {
            self = .after(millis(value))
        } else {
            return nil
        }
    }
}

/// A count that may be without an end: `3` or `.unlimited`.
public enum Attempts: Hashable, Sendable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    /// Never too many.
    case unlimited
    /// At most so many.
    case atMost(Int)

    public init(integerLiteral value: Int) { self = .atMost(value) }

    public var description: String {
        switch self {
        case .unlimited: "unlimited"
        case .atMost(let count): "\(count)"
        }
    }
}

extension Optional where Wrapped == Duration {
    /// A duration of the configuration in milliseconds, rounded up: no deadline ends before it was asked to.
    func declared(_ field: String) throws -> UInt64? {
        guard let duration = self else { return nil }
        guard duration > .zero else { throw KeeplineError.invalid(field, duration, "must be more than 0 s") }
        return duration.wholeMillis
    }

    /// The timeout of a call; zero means: only what is there already.
    func asWait(_ field: String) throws -> UInt64? { try self?.asWait(field) }
}

extension Duration {
    /// The timeout of a call; zero means: only what is there already.
    func asWait(_ field: String) throws -> UInt64 {
        guard self >= .zero else { throw KeeplineError.invalid(field, self, "must not be negative") }
        return wholeMillis
    }

    /// Rounded up; what is longer than the core can count is the longest that it can.
    fileprivate var wholeMillis: UInt64 {
        let (seconds, attoseconds) = components
        // 10^15 attoseconds are a millisecond.
        let rest = UInt64((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
        let (millis, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1000)
        let (sum, carried) = millis.addingReportingOverflow(rest)
        return overflow || carried ? .max : sum
    }
}

extension Optional where Wrapped == Limit {
    var isOff: Bool { self == .off }

    /// As a declared duration, and nothing where it is switched off.
    func unlessOff(_ field: String) throws -> UInt64? { try (self?.duration).declared(field) }
}

extension Optional where Wrapped == Int {
    func declared<T: FixedWidthInteger>(_ field: String, as type: T.Type = T.self) throws -> T? {
        guard let value = self else { return nil }
        guard value >= 0 else { throw KeeplineError.invalid(field, value, "must not be negative") }
        return T(clamping: value)
    }
}

func millis(_ value: UInt64) -> Duration { .milliseconds(Int64(clamping: value)) }

func millis(ifAny value: UInt64?) -> Duration? {
    guard let value else { return nil }
    return millis(value)
}

func micros(_ value: UInt64) -> Duration { .microseconds(Int64(clamping: value)) }

func micros(ifAny value: UInt64?) -> Duration? {
    guard let value else { return nil }
    return micros(value)
}

/// A count of the core, as counts are in Swift.
func int(_ value: some BinaryInteger) -> Int { Int(clamping: value) }

func int(_ value: (some BinaryInteger)?) -> Int? {
    guard let value else { return nil }
    return Int(clamping: value)
}
