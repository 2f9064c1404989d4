// What a client tells, as asynchronous sequences.

internal import KeeplineBridge

/// The messages of a client. Nothing is dropped: what is not taken slows the peer down.
public struct Messages: AsyncSequence, Sendable {
    public typealias Element = Message

    let client: Client

    public func makeAsyncIterator() -> Iterator { Iterator(client: client) }

    public struct Iterator: AsyncIteratorProtocol, Sendable {
        let client: Client

        /// The next message; `nil` after a close on request, when all were taken.
        ///
        /// - Throws: ``KeeplineError/closed(_:)`` after a close for another reason. `CancellationError` if the task was
        ///   cancelled, which has taken nothing.
        public mutating func next() async throws -> Message? {
            if let message = try await client.inbox.take(timeout: nil) { return message }
            let ending = try await client.closed()
            if ending.cause == .requested { return nil }
            let core = client.core
            throw KeeplineError.closed(
                .init("the client is closed: \(ending)", ending: ending) {
                    (try? core.reports())?.last.flatMap { try? Report($0) }
                })
        }
    }
}

/// The events of a client. All iterators of one value share its cursor; ask the client for another one.
public struct Events: AsyncSequence, Sendable {
    public typealias Element = Event

    /// 64: a batch that a reader works through without anybody waiting.
    private static let batchSize: UInt32 = 64

    // The core refuses a reader only where its clients are over, too.
    private let reader: ForeignEvents?
    private let told = Guarded(Batch())

    init(_ core: ForeignClient, after: UInt64) { reader = try? core.events(after: after) }

    public func makeAsyncIterator() -> Iterator { Iterator(events: self) }

    public struct Iterator: AsyncIteratorProtocol, Sendable {
        fileprivate let events: Events

        /// The next event; `nil` after the last, or if the task was cancelled, which has taken nothing.
        public mutating func next() async -> Event? { await events.next() }
    }

    private struct Batch {
        var events: [Event] = []
        var given = 0

        mutating func next() -> Event? {
            guard given < events.count else { return nil }
            given += 1
            return events[given - 1]
        }
    }

    private func next() async -> Event? {
        if Task.isCancelled { return nil }
        if let event = told.withLock({ $0.next() }) { return event }
        guard let reader else { return nil }
        let pulled = try? await waiting { try await reader.next(max: Self.batchSize, timeoutMs: nil, cancel: $0) }
        // A name unknown here would be a bug of the build, which a test of the contract excludes.
        let events = (pulled ?? []).compactMap { try? Event($0) }
        return told.withLock { batch in
            batch.events.removeFirst(batch.given)
            batch.given = 0
            batch.events += events
            return batch.next()
        }
    }
}

/// Where a client stands: first now, then each change. A slow reader sees the last one only.
public struct States: AsyncSequence, Sendable {
    public typealias Element = Client.State

    private let reader: ForeignEvents?
    private let now: Client.State

    init(_ core: ForeignClient) {
        reader = try? core.events(after: core.lastEvent())
        now = (try? named(core.state())) ?? .closed
    }

    public func makeAsyncIterator() -> Iterator { Iterator(reader: reader, now: now) }

    public struct Iterator: AsyncIteratorProtocol, Sendable {
        fileprivate let reader: ForeignEvents?
        fileprivate let now: Client.State
        private var known: Client.State?

        fileprivate init(reader: ForeignEvents?, now: Client.State) {
            self.reader = reader
            self.now = now
        }

        /// The next state; `nil` after ``Client/State/closed``, or if the task was cancelled.
        public mutating func next() async -> Client.State? {
            if Task.isCancelled { return nil }
            guard let known else {
                self.known = now
                return now
            }
            guard known != .closed, let reader else { return nil }
            let name = try? await waiting { try await reader.stateAfter(known: known.rawValue, cancel: $0) }
            guard let name, let next = Client.State(rawValue: name) else { return nil }
            self.known = next
            return next
        }
    }
}
