// Events as the core tells them.

internal import KeeplineBridge

extension Event {
    init(_ record: EventRecord) throws {
        switch try named(record.name, as: Name.self) {
        case .connecting: self = .connecting(try Connecting(record))
        case .connected: self = .connected(try Connected(record))
        case .suspect: self = .suspect(try Suspect(record))
        case .recovered: self = .recovered(try Turn(record))
        case .stalled: self = .stalled(try Turn(record))
        case .disconnected: self = .disconnected(try Disconnected(record))
        case .inboxFull: self = .inboxFull(try Turn(record))
        case .offline: self = .offline(try Wish(record))
        case .paused: self = .paused(try Wish(record))
        case .resumed: self = .resumed(try Wish(record))
        case .missed: self = .missed(try Missed(record))
        case .closed: self = .closed(try Closed(record))
        }
    }
}

extension Event.Connecting {
    fileprivate init(_ record: EventRecord) throws {
        seq = record.seq
        at = millis(record.atMs)
        epoch = record.epoch ?? 0
        endpoint = record.endpoint
    }
}

extension Event.Connected {
    fileprivate init(_ record: EventRecord) throws {
        seq = record.seq
        at = millis(record.atMs)
        epoch = record.epoch ?? 0
        peer = record.peer
        after = millis(record.afterMs ?? 0)
        endpoint = record.endpoint
    }
}

extension Event.Suspect {
    fileprivate init(_ record: EventRecord) throws {
        seq = record.seq
        at = millis(record.atMs)
        epoch = record.epoch ?? 0
        evidence = try named(record.evidence ?? "")
    }
}

extension Event.Turn {
    fileprivate init(_ record: EventRecord) throws {
        seq = record.seq
        at = millis(record.atMs)
        epoch = record.epoch ?? 0
    }
}

extension Event.Disconnected {
    fileprivate init(_ record: EventRecord) throws {
        seq = record.seq
        at = millis(record.atMs)
        epoch = record.epoch ?? 0
        endpoint = record.endpoint
        cause = try named(record.cause ?? "")
        detector = try named(ifAny: record.detector)
        errno = record.errno
        hint = try named(ifAny: record.hint)
        advice = record.advice
        code = int(record.code)
        retryAfter = millis(ifAny: record.retryAfterMs)
        upFor = millis(ifAny: record.upForMs)
        retryIn = millis(ifAny: record.retryInMs)
        failures = int(record.failures ?? 0)
        messages = try MessageCounts(record.messages.orMissing("messages"))
        report = try record.report.map { try Report($0) }
    }
}

extension Event.Wish {
    fileprivate init(_ record: EventRecord) throws {
        seq = record.seq
        at = millis(record.atMs)
    }
}

extension Event.Missed {
    fileprivate init(_ record: EventRecord) throws {
        seq = record.seq
        at = millis(record.atMs)
        count = int(record.count ?? 0)
        state = try named(record.state ?? "")
    }
}

extension Event.Closed {
    fileprivate init(_ record: EventRecord) throws {
        seq = record.seq
        at = millis(record.atMs)
        cause = try named(record.cause ?? "")
        detector = try named(ifAny: record.detector)
        errno = record.errno
        hint = try named(ifAny: record.hint)
        advice = record.advice
        code = int(record.code)
    }
}

extension Optional {
    /// What an event of this name always has.
    fileprivate func orMissing(_ field: String) throws -> Wrapped {
        guard let value = self else { throw KeeplineError.internal(.init("an event without its \(field)")) }
        return value
    }
}
