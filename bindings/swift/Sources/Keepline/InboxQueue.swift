// Who waits for messages, and which are there. Touched under the lock of the inbox only.

internal import KeeplineBridge

typealias Continuation = CheckedContinuation<Turn, Never>

/// One reader in the queue.
final class QueuedReader: @unchecked Sendable {
    // Touched under the lock of the inbox only.
    fileprivate var continuation: Continuation?
    /// Why it left before it was in the queue.
    fileprivate var left: Turn?
}

/// Messages that nobody took yet, or readers that wait for one: never both.
struct InboxQueue {
    /// The number of the last message that was put here.
    private(set) var taken: UInt64 = 0

    private var ready: [Message] = []
    /// How many of those in front were given away. They go at once with the last: shifting each time would be slow.
    private var given = 0
    private var readers: [QueuedReader] = []
    private var isPulling = false

    /// What there is for a reader that comes; nothing means that it must wait in the queue.
    mutating func arrive() -> Turn? {
        if let message = next() { return .message(message) }
        if isPulling { return nil }
        isPulling = true
        return .pull
    }

    /// Puts a reader at the end of the queue, or says what there is for it by now.
    mutating func enqueue(_ reader: QueuedReader, _ continuation: Continuation) -> Turn? {
        if let left = reader.left { return left }
        if let turn = arrive() { return turn }
        reader.continuation = continuation
        readers.append(reader)
        return nil
    }

    /// Takes a reader out of the queue; whoever was served before stays served.
    mutating func leave(_ reader: QueuedReader, _ turn: Turn) -> Continuation? {
        reader.left = turn
        guard let index = readers.firstIndex(where: { $0 === reader }) else { return nil }
        return readers.remove(at: index).continuation
    }

    /// Takes a batch in: the first message is for the reader that pulled it, the others for the queue in its order.
    mutating func put(_ batch: [MessageRecord]) -> (first: Message?, served: [(Continuation, Turn)]) {
        var served: [(Continuation, Turn)] = []
        guard let last = batch.last else {
            isPulling = false
            while let reader = nextReader() { served.append((reader, .ended)) }
            return (nil, served)
        }
        taken = last.seq
        for record in batch { ready.append(Message(record)) }
        let first = next()
        while given < ready.count, let reader = nextReader(), let message = next() {
            served.append((reader, .message(message)))
        }
        if let reader = passTurn() { served.append((reader, .pull)) }
        return (first, served)
    }

    /// Gives the turn to pull to the next in the queue, if there is one.
    mutating func passTurn() -> Continuation? {
        let next = nextReader()
        isPulling = next != nil
        return next
    }

    /// Up to so many of those that are there.
    mutating func takeReady(_ max: Int) -> [Message] {
        var messages: [Message] = []
        while messages.count < max, let message = next() { messages.append(message) }
        return messages
    }

    private mutating func next() -> Message? {
        guard given < ready.count else { return nil }
        let message = ready[given]
        given += 1
        if given == ready.count {
            ready.removeAll(keepingCapacity: true)
            given = 0
        }
        return message
    }

    private mutating func nextReader() -> Continuation? {
        readers.isEmpty ? nil : readers.removeFirst().continuation
    }
}
