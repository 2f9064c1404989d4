// Received messages: pulled from the core in batches, handed to any number of readers.

internal import KeeplineBridge

/// The batch that readers take from. One reader at a time pulls the next batch, the others wait in a queue.
///
/// A message leaves the batch only as the result of a call: a reader that is cancelled or too late is out of the queue before
/// anything could be given to it, and one that was served first returns what it got. The core keeps what it gave until
/// the next pull names it as taken, so a pull that was given up gives the same again.
final class Inbox: Sendable {
    /// 256: more do not amortise the border any better.
    private static let batchSize: UInt32 = 256

    private let core: ForeignClient
    private let queue = Guarded(InboxQueue())

    init(_ core: ForeignClient) { self.core = core }

    /// The next message; `nil` after close, when all were taken.
    func take(timeout: Duration?) async throws -> Message? {
        try Task.checkCancellation()
        let limit = try timeout.asWait("timeout")
        if let turn = queue.withLock({ $0.arrive() }) { return try await settle(turn, limit) }
        let began = ContinuousClock.now
        let turn = await turn(timeout: timeout)
        let rest = timeout.map { Swift.max(.zero, $0 - (ContinuousClock.now - began)) }
        return try await settle(turn, rest.asWait("timeout"))
    }

    /// As many as are there, and at least one unless it is over: whole batches for readers that want them.
    func takeMany(max: Int, timeout: Duration?) async throws -> [Message] {
        guard let first = try await take(timeout: timeout) else { return [] }
        return [first] + queue.withLock { $0.takeReady(max - 1) }
    }

    private func settle(_ turn: Turn, _ limit: UInt64?) async throws -> Message? {
        switch turn {
        case .message(let message): return message
        case .pull: return try await pull(limit)
        case .ended: return nil
        case .cancelled: throw CancellationError()
        case .tooLate: throw KeeplineError.timeout(.init("no message within the time given", isRetryable: true))
        }
    }

    /// Pulls a batch, serves the queue and returns the first message. Only for the reader whose turn it is.
    private func pull(_ limit: UInt64?) async throws -> Message? {
        let taken = queue.withLock { $0.taken }
        do {
            let batch = try await waiting {
                try await self.core.nextMessages(after: taken, max: Self.batchSize, timeoutMs: limit, cancel: $0)
            }
            let (first, served) = queue.withLock { $0.put(batch) }
            for (reader, turn) in served { reader.resume(returning: turn) }
            return first
        } catch {
            // Somebody else in the queue may have more time.
            queue.withLock { $0.passTurn() }?.resume(returning: .pull)
            throw error
        }
    }

    /// Waits for a message or for the turn to pull, at most so long.
    private func turn(timeout: Duration?) async -> Turn {
        let reader = QueuedReader()
        let timer = timeout.map { limit in
            Task {
                try? await Task.sleep(for: limit)
                self.leave(reader, .tooLate)
            }
        }
        defer { timer?.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let turn = queue.withLock { $0.enqueue(reader, continuation) }
                if let turn { continuation.resume(returning: turn) }
            }
        } onCancel: {
            leave(reader, .cancelled)
        }
    }

    private func leave(_ reader: QueuedReader, _ turn: Turn) {
        queue.withLock { $0.leave(reader, turn) }?.resume(returning: turn)
    }
}

/// What the wait in the queue came to.
enum Turn: Sendable {
    case message(Message)
    /// The reader pulls the next batch, for all.
    case pull
    /// The client is closed, and all messages were taken.
    case ended
    case cancelled
    case tooLate
}
