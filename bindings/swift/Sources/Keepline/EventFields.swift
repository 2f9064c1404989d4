// What each event tells.

extension Event {
    /// An attempt starts.
    public struct Connecting: Hashable, Sendable {
        /// The number of the event.
        public let seq: UInt64
        /// When it happened, on the clock that counts suspend.
        public let at: Duration
        /// The number of the attempt.
        public let epoch: UInt64
        /// Where it goes, as it was given; `nil` if there is only one endpoint.
        public let endpoint: String?
    }

    /// The connection is usable.
    public struct Connected: Hashable, Sendable {
        /// The number of the event.
        public let seq: UInt64
        /// When it happened, on the clock that counts suspend.
        public let at: Duration
        /// The connection's number.
        public let epoch: UInt64
        /// Who answered.
        public let peer: String?
        /// How long after the last one ended, or since start.
        public let after: Duration
        /// Where it went, as it was given; `nil` if there is only one endpoint.
        public let endpoint: String?
    }

    /// The connection may be dead.
    public struct Suspect: Hashable, Sendable {
        /// The number of the event.
        public let seq: UInt64
        /// When it happened, on the clock that counts suspend.
        public let at: Duration
        /// The connection's number.
        public let epoch: UInt64
        /// What makes it suspect.
        public let evidence: Suspicion
    }

    /// Something happened to the connection, and the name of the event says it all.
    public struct Turn: Hashable, Sendable {
        /// The number of the event.
        public let seq: UInt64
        /// When it happened, on the clock that counts suspend.
        public let at: Duration
        /// The connection's number.
        public let epoch: UInt64
    }

    /// A connection or an attempt ended.
    public struct Disconnected: Hashable, Sendable {
        /// The number of the event.
        public let seq: UInt64
        /// When it happened, on the clock that counts suspend.
        public let at: Duration
        /// The connection's number.
        public let epoch: UInt64
        /// Where it went, as it was given; `nil` if there is only one endpoint.
        public let endpoint: String?
        /// Why.
        public let cause: Cause
        /// Which evidence told.
        public let detector: Detector?
        /// The operating system's error number, if there was one.
        public let errno: Int32?
        /// What may help, if something does.
        public let hint: Hint?
        /// The same as a sentence.
        public let advice: String?
        /// The other side's own number for it, if it told one.
        public let code: Int?
        /// How long the server asked the client to stay away, if it did.
        public let retryAfter: Duration?
        /// How long it had been connected; `nil` for an attempt that never was.
        public let upFor: Duration?
        /// When the next attempt starts, from now; `nil` if there will be none by itself.
        public let retryIn: Duration?
        /// The number of attempts that failed in a row; 0 if a connection ended.
        public let failures: Int
        /// What became of the messages accepted so far.
        public let messages: MessageCounts
        /// What led to it; `nil` if more than four connections or attempts ended since.
        public let report: Report?
    }

    /// Something happened to the client, and the name of the event says it all.
    public struct Wish: Hashable, Sendable {
        /// The number of the event.
        public let seq: UInt64
        /// When it happened, on the clock that counts suspend.
        public let at: Duration
    }

    /// The reader of events was too slow.
    public struct Missed: Hashable, Sendable {
        /// The number of the event.
        public let seq: UInt64
        /// When it happened, on the clock that counts suspend.
        public let at: Duration
        /// How many were overwritten.
        public let count: Int
        /// The state now.
        public let state: Client.State
    }

    /// The client is closed.
    public struct Closed: Hashable, Sendable {
        /// The number of the event.
        public let seq: UInt64
        /// When it happened, on the clock that counts suspend.
        public let at: Duration
        /// Why.
        public let cause: Cause
        /// Which evidence told.
        public let detector: Detector?
        /// The operating system's error number, if there was one.
        public let errno: Int32?
        /// What may help, if something does.
        public let hint: Hint?
        /// The same as a sentence.
        public let advice: String?
        /// The other side's own number for it, if it told one.
        public let code: Int?
    }
}
