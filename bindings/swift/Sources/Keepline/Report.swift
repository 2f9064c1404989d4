// What the flight recorder tells of a connection that ended.

internal import KeeplineBridge

/// What led to the end of a connection or an attempt. Its description is a timeline for people.
///
/// It holds times, counts and names only: no address, no payload, no secret.
public struct Report: Hashable, Sendable, CustomStringConvertible {
    /// The connection's number.
    public let epoch: UInt64
    /// When it was over, on the clock of the system that counts suspend (`CLOCK_BOOTTIME`).
    public let at: Duration
    /// How long it took from the start of the attempt to the end.
    public let lasted: Duration
    /// Why.
    public let cause: Cause
    /// Which evidence told.
    public let detector: Detector?
    /// The operating system's error number, if there was one.
    public let errno: Int32?
    /// The other side's own number for it, if it told one: a SOCKS reply or the status of an HTTP proxy.
    public let code: Int?
    /// How long it had been connected; `nil` for an attempt that never was.
    public let upFor: Duration?
    /// When the next attempt starts, from the end on; `nil` if there will be none by itself.
    public let retryIn: Duration?
    /// The number of attempts that failed in a row; 0 if a connection ended.
    public let failures: Int
    /// What happened, from the start of the attempt to its end: at most 256 entries, the last ones.
    public let entries: [Entry]
    /// Entries that were given up for later ones.
    public let overwritten: Int
    /// What the kernel knew when the connection ended; `nil` if it does not tell, or there was no connection.
    public let figures: KernelFigures?
    /// All of it as a timeline for people.
    public let text: String

    public var description: String { text }
}

extension Report {
    /// One turn, or a run of ordinary ones. Times count from the start of the attempt.
    public struct Entry: Hashable, Sendable, CustomStringConvertible {
        /// When it happened; of a run, when the first one began.
        public let at: Duration
        /// When the last one of the run ended.
        public let until: Duration
        /// How often in a row.
        public let count: Int
        /// What happened.
        public let name: Transition
        /// The name of what it carries: a ``Suspicion``, a ``Cause``, or what you asked for.
        public let detail: String?
        /// The same in words.
        public let text: String

        public var description: String { "\(at)  \(text)" }
    }
}

/// What the kernel knew about a connection; `nil` where the system does not tell.
public struct KernelFigures: Hashable, Sendable {
    /// Segments sent and not acknowledged.
    public let unackedSegments: Int?
    /// Retransmissions of the oldest segment without an answer.
    public let retransmits: Int?
    /// Keepalive or window probes without an answer.
    public let probes: Int?
    /// How often the retransmission timer has doubled.
    public let backoff: Int?
    /// The window the peer offers, in bytes.
    public let sendWindow: Int?
    /// Bytes not acknowledged or not yet sent.
    public let sendQueue: Int?
    /// Bytes never transmitted.
    public let notSent: Int?
    /// Time since the last acknowledgement.
    public let lastAckReceived: Duration?
    /// Time since the last data.
    public let lastDataReceived: Duration?
    /// The smoothed round trip.
    public let rtt: Duration?
    /// Bytes acknowledged by the peer's kernel; Linux counts the opening of the connection as one.
    public let bytesAcked: Int?
    /// Segments that the peer's kernel has.
    public let deliveredSegments: Int?
    /// The size of a full segment, in bytes.
    public let segmentSize: Int?
}

extension Report {
    init(_ record: ReportRecord) throws {
        epoch = record.epoch
        at = millis(record.atMs)
        lasted = millis(record.lastedMs)
        cause = try named(record.cause)
        detector = try named(ifAny: record.detector)
        errno = record.errno
        code = int(record.code)
        upFor = millis(ifAny: record.upForMs)
        retryIn = millis(ifAny: record.retryInMs)
        failures = int(record.failures)
        entries = try record.entries.map { try Entry($0) }
        overwritten = int(record.overwritten)
        figures = record.figures.map { KernelFigures($0) }
        text = record.text
    }
}

extension Report.Entry {
    init(_ record: ReportEntryRecord) throws {
        at = millis(record.atMs)
        until = millis(record.untilMs)
        count = int(record.count)
        name = try named(record.name)
        detail = record.detail
        text = record.text
    }
}

extension KernelFigures {
    init(_ record: KernelFiguresRecord) {
        unackedSegments = int(record.unackedSegments)
        retransmits = int(record.retransmits)
        probes = int(record.probes)
        backoff = int(record.backoff)
        sendWindow = int(record.sendWindow)
        sendQueue = int(record.sendQueue)
        notSent = int(record.notSent)
        lastAckReceived = millis(ifAny: record.lastAckReceivedMs)
        lastDataReceived = millis(ifAny: record.lastDataReceivedMs)
        rtt = micros(ifAny: record.rttUs)
        bytesAcked = int(record.bytesAcked)
        deliveredSegments = int(record.deliveredSegments)
        segmentSize = int(record.segmentSize)
    }
}
