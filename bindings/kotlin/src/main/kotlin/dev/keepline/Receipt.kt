/** What became of a message. */
package dev.keepline

import dev.keepline.internal.ffi.ForeignReceipt

/** Tells what became of one message. It does not keep the client alive. */
public class Receipt internal constructor(private val core: ForeignReceipt) {
    /** Waits for the outcome. It is final: later calls give the same, and a cancelled one loses nothing. */
    public suspend fun outcome(): Outcome = named(crossing { core.outcome(null) })

    /** The outcome, if it is known already. */
    public fun tryOutcome(): Outcome? = crossing { core.tryOutcome() }?.let { named<Outcome>(it) }

    /** Whose kernel acknowledged it, once its outcome was told and is [Outcome.Acked]. */
    public val ackedBy: AckedBy? get() = crossing { core.ackedBy() }?.let { named<AckedBy>(it) }
}
