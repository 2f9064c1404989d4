// The declared parts of a protocol: framing, matchers, correlation.

public import Foundation
internal import KeeplineBridge

/// How bytes become messages. Sizes that are not given are the core's.
public struct Framing: Hashable, Sendable, CustomStringConvertible {
    let record: FramingRecord

    /// Bytes as they come: what one read brings is one message.
    public static var raw: Framing { Framing(record: .raw) }

    /// Lines that end with a line feed, or with carriage return and line feed; the message is without either.
    public static var lines: Framing { lines(max: nil) }

    /// Lines of at most `max` bytes.
    public static func lines(max: Int?) -> Framing { Framing(record: .lines(max: size(ifAny: max))) }

    /// Messages that end with these bytes; the message is without them.
    public static func delimitedBy(_ delimiter: Data, max: Int? = nil) -> Framing {
        Framing(record: .delimiter(delimiter: delimiter, max: size(ifAny: max)))
    }

    /// Messages that start with their length.
    ///
    /// - Parameters:
    ///   - width: bytes of the length field: 1, 2, 4 or 8.
    ///   - endian: its byte order; big unless given.
    ///   - offset: bytes before it. With any, the message is the whole frame.
    ///   - adjustment: added to the field's value to give the number of bytes after it.
    ///   - strip: whether the message is without the length field; true unless given.
    ///   - max: the longest message in bytes.
    public static func lengthPrefixed(
        width: Int, endian: Endian? = nil, offset: Int? = nil, adjustment: Int? = nil, strip: Bool? = nil, max: Int? = nil
    ) -> Framing {
        Framing(
            record: .lengthPrefixed(
                width: size(width), endian: endian?.rawValue, offset: size(ifAny: offset), adjustment: adjustment.map(Int64.init),
                strip: strip, max: size(ifAny: max)))
    }

    /// Messages of `size` bytes each.
    public static func fixed(_ bytes: Int) -> Framing { Framing(record: .fixed(size: size(bytes))) }

    /// Modbus TCP: the message is the whole unit, its header of 7 bytes included.
    public static var modbusTcp: Framing { Framing(record: .modbusTcp) }

    /// Redis: the message is one whole value as it stands on the wire.
    public static var resp: Framing { resp(max: nil) }

    /// Redis, with values of at most `max` bytes.
    public static func resp(max: Int?) -> Framing { Framing(record: .resp(max: size(ifAny: max))) }

    public var description: String { "Framing.\(record)" }

    init(record: FramingRecord) { self.record = record }
}

/// Which frame is the one that is waited for.
public struct Matcher: Hashable, Sendable, CustomStringConvertible {
    let record: MatcherRecord

    /// Any bytes at all. Consumes nothing.
    public static var any: Matcher { Matcher(record: .any) }

    /// A frame equal to these bytes.
    public static func exact(_ frame: Data) -> Matcher { Matcher(record: .exact(bytes: frame)) }

    /// A frame equal to this text.
    public static func exact(_ frame: String) -> Matcher { exact(Data(frame.utf8)) }

    /// A frame that starts with these bytes.
    public static func prefix(_ start: Data) -> Matcher { Matcher(record: .prefix(bytes: start)) }

    /// A frame that starts with this text.
    public static func prefix(_ start: String) -> Matcher { prefix(Data(start.utf8)) }

    /// No reply is expected. Consumes nothing. In other languages this is `none`, which means nil in Swift.
    public static var noReply: Matcher { Matcher(record: .none) }

    // The bytes may be a password: only their number is shown.
    public var description: String {
        switch record {
        case .any: "Matcher.any"
        case .exact(let bytes): "Matcher.exact(\(bytes.count) bytes)"
        case .prefix(let bytes): "Matcher.prefix(\(bytes.count) bytes)"
        case .none: "Matcher.noReply"
        }
    }

    init(record: MatcherRecord) { self.record = record }
}

/// How replies find their requests.
public struct Correlation: Hashable, Sendable, CustomStringConvertible {
    let record: CorrelationRecord

    /// Replies come in the order of the requests.
    public static var fifo: Correlation { Correlation(record: .fifo) }

    /// Replies carry the id of their request: `width` bytes at `offset`. Keepline writes the ids and restores yours.
    public static func id(offset: Int, width: Int, endian: Endian? = nil) -> Correlation {
        Correlation(record: .id(offset: size(offset), width: size(width), endian: endian?.rawValue))
    }

    public var description: String { "Correlation.\(record)" }

    init(record: CorrelationRecord) { self.record = record }
}

// A negative size is as wrong as the largest one, which the core refuses by name when it gets the configuration.
private func size(_ value: Int) -> UInt64 { UInt64(exactly: value) ?? .max }

private func size(ifAny value: Int?) -> UInt64? {
    guard let value else { return nil }
    return size(value)
}
