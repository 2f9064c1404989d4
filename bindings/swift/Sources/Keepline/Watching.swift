// What can be seen of a client.

internal import KeeplineBridge

extension Client {
    /// Where the client stands.
    public var state: State { (try? named(core.state())) ?? .closed }

    /// Where the client stands, and each other state that it comes to from then on.
    ///
    /// A reader that is slow sees the last one only. It ends after ``State/closed``, and does not keep the client alive.
    public var states: States { States(core) }

    /// The events, first those that are kept.
    ///
    /// Nobody waits for a reader: one that falls more than 256 behind gets ``Event/missed(_:)``. It ends after
    /// ``Event/closed(_:)``, and does not keep the client alive.
    public var events: Events { events(after: 0) }

    /// The events after number `after`, with a cursor of its own.
    public func events(after: UInt64) -> Events { Events(core, after: after) }

    /// The number of the last event.
    public var lastEvent: UInt64 { (try? core.lastEvent()) ?? 0 }

    /// The number of the last attempt.
    public var epoch: UInt64 { (try? core.epoch()) ?? 0 }

    /// Counters, and what the kernel says is in force.
    public func stats() throws(KeeplineError) -> Stats { try crossing { try Stats(core.stats()) } }

    /// What the flight recorder tells of the connections and attempts that ended last: at most four, oldest first.
    public func reports() throws(KeeplineError) -> [Report] {
        try crossing { try core.reports().map { try Report($0) } }
    }

    /// The configuration in force, every value decided.
    public var config: Config {
        get throws(KeeplineError) { try explain().config }
    }

    /// What you should know about this configuration.
    public var notices: [Notice] {
        get throws(KeeplineError) { try explain().notices }
    }

    /// How long until a dead peer is noticed at most, whatever the fault; `nil` if one goes unseen.
    public var detectionBound: Duration? {
        get throws(KeeplineError) { try explain().bounds.longest }
    }

    /// The worst case of each fault, with its formula.
    public var detectionBounds: DetectionBounds {
        get throws(KeeplineError) { try explain().bounds }
    }

    /// All three at once: the configuration in force, what you should know about it, and its worst cases.
    public func explain() throws(KeeplineError) -> Resolved { try crossing { try Resolved(core.config()) } }

    /// The endpoints, in the order given.
    public var endpoints: [Endpoint] {
        get throws(KeeplineError) { try crossing { try core.endpoints().map { Endpoint($0) } } }
    }
}
