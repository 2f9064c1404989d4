// What became of a message.

internal import KeeplineBridge

/// Tells what became of one message. It does not keep the client alive.
public final class Receipt: Sendable {
    private let core: ForeignReceipt

    init(_ core: ForeignReceipt) { self.core = core }

    /// Waits for the outcome. It is final: later calls give the same.
    ///
    /// Cancelling the task ends the wait with `CancellationError`, and loses nothing.
    public func outcome() async throws -> Outcome { try named(await waiting { try await self.core.outcome(cancel: $0) }) }

    /// The outcome, if it is known already.
    public func tryOutcome() throws(KeeplineError) -> Outcome? { try crossing { try named(ifAny: core.tryOutcome()) } }

    /// Whose kernel acknowledged it, once its outcome was told and is ``Outcome/acked``.
    public var ackedBy: AckedBy? {
        get throws(KeeplineError) { try crossing { try named(ifAny: core.ackedBy()) } }
    }
}
