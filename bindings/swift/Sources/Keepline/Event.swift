// Events: numbered facts about a client's life.

/// One numbered fact. More cases may come: end a `switch` with `default`.
public enum Event: Hashable, Sendable {
    /// An attempt starts.
    case connecting(Connecting)
    /// The connection is usable.
    case connected(Connected)
    /// The connection may be dead.
    case suspect(Suspect)
    /// A suspect or stalled connection proved alive.
    case recovered(Turn)
    /// The peer lives and does not read.
    case stalled(Turn)
    /// A connection or an attempt ended.
    case disconnected(Disconnected)
    /// The inbox is full: Keepline has stopped reading until you take messages. Told once per connection.
    case inboxFull(Turn)
    /// The system says that there is no network.
    case offline(Wish)
    /// The client was paused.
    case paused(Wish)
    /// The client was resumed.
    case resumed(Wish)
    /// The reader of events was too slow.
    case missed(Missed)
    /// The client is closed. Always the last event.
    case closed(Closed)

    /// What happened, as in every language.
    public enum Name: String, CaseIterable, Sendable, CustomStringConvertible {
        case connecting, connected, suspect, recovered, stalled, disconnected
        case inboxFull = "inbox_full"
        case offline, paused, resumed, missed, closed

        /// The name, as in logs and the other languages.
        public var description: String { rawValue }
    }

    /// What happened, as in every language.
    public var name: Name {
        switch self {
        case .connecting: .connecting
        case .connected: .connected
        case .suspect: .suspect
        case .recovered: .recovered
        case .stalled: .stalled
        case .disconnected: .disconnected
        case .inboxFull: .inboxFull
        case .offline: .offline
        case .paused: .paused
        case .resumed: .resumed
        case .missed: .missed
        case .closed: .closed
        }
    }

    /// The number: each event of a client has the next one, from 1.
    public var seq: UInt64 { common.seq }

    /// When it happened, on the clock of the system that counts suspend (`CLOCK_BOOTTIME` on Linux).
    public var at: Duration { common.at }

    private var common: (seq: UInt64, at: Duration) {
        switch self {
        case .connecting(let fact): (fact.seq, fact.at)
        case .connected(let fact): (fact.seq, fact.at)
        case .suspect(let fact): (fact.seq, fact.at)
        case .recovered(let fact), .stalled(let fact), .inboxFull(let fact): (fact.seq, fact.at)
        case .disconnected(let fact): (fact.seq, fact.at)
        case .offline(let fact), .paused(let fact), .resumed(let fact): (fact.seq, fact.at)
        case .missed(let fact): (fact.seq, fact.at)
        case .closed(let fact): (fact.seq, fact.at)
        }
    }
}
