/** The calls that wait, for Java: the same names, `CompletableFuture` and `java.time.Duration`. */
package dev.keepline

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Job
import kotlinx.coroutines.future.future
import kotlinx.coroutines.launch
import java.time.Duration
import java.util.concurrent.CancellationException
import java.util.concurrent.CompletableFuture
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.time.toJavaDuration
import kotlin.time.toKotlinDuration

/**
 * A [Client] for Java, where nothing suspends: [Client.async] gives it, and `AsyncClient.client` leads back.
 *
 * Where a timeout may be `null`, the call waits for as long as it takes. Futures fail with a [KeeplineException]; cancelling
 * one gives its call up.
 */
public class AsyncClient internal constructor(
    /** The client itself. */
    public val client: Client,
    private val inbox: Inbox,
) {
    /** As [Client.send]. One that is cancelled may have been accepted just before. */
    @JvmOverloads
    public fun send(message: ByteArray, timeout: Duration? = null, idempotent: Boolean = false): CompletableFuture<Void?> =
        Watch.scope.future { client.send(message, timeout?.toKotlinDuration(), idempotent).let { null } }

    /** As [Client.sendMany]. */
    @JvmOverloads
    public fun sendMany(
        messages: List<ByteArray>,
        timeout: Duration? = null,
        idempotent: Boolean = false,
    ): CompletableFuture<Void?> =
        Watch.scope.future { client.sendMany(messages, timeout?.toKotlinDuration(), idempotent).let { null } }

    /** As [Client.sendTracked]. */
    @JvmOverloads
    public fun sendTracked(
        message: ByteArray,
        timeout: Duration? = null,
        idempotent: Boolean = false,
    ): CompletableFuture<Receipt> =
        Watch.scope.future { client.sendTracked(message, timeout?.toKotlinDuration(), idempotent) }

    /** As [Client.request]. */
    public fun request(message: ByteArray, timeout: Duration): CompletableFuture<ByteArray> =
        Watch.scope.future { client.request(message, timeout.toKotlinDuration()) }

    /**
     * As [Client.receive]: the next message, or `null` after close.
     *
     * A future that was cancelled, or completed by somebody else (`orTimeout`), has taken nothing: the message goes to the
     * next call.
     */
    @JvmOverloads
    public fun receive(timeout: Duration? = null): CompletableFuture<Message?> {
        val receiving = Receiving()
        receiving.pulled = Watch.scope.launch(start = CoroutineStart.LAZY) {
            try {
                receiving.tell(inbox.take(timeout?.toKotlinDuration()) { receiving.claim() })
            } catch (error: Throwable) {
                receiving.fail(error)
            }
        }.apply { start() }
        return receiving
    }

    /** As [Client.flush]: waits until nothing waits in the outbox, at most so long, and says whether that is so. */
    public fun flush(within: Duration): CompletableFuture<Boolean> =
        Watch.scope.future { client.flush(within.toKotlinDuration()) }

    /** As [Client.close] with a drain: closes, and gives what was still to be written at most this long. */
    public fun close(drain: Duration): CompletableFuture<Ending> =
        Watch.scope.future { client.close(drain.toKotlinDuration()) }

    /** As [Client.closed]: waits until the client is closed, by whoever, and tells why. */
    public fun closed(): CompletableFuture<Ending> = Watch.scope.future { client.closed() }

    /** As [Receipt.outcome]. */
    public fun outcome(receipt: Receipt): CompletableFuture<Outcome> = Watch.scope.future { receipt.outcome() }

    /** As [Client.goAway]. */
    public fun goAway(retryAfter: Duration): Unit = client.goAway(retryAfter.toKotlinDuration())

    /** As [Client.detectionBound]. */
    public val detectionBound: Duration? get() = client.detectionBound?.toJavaDuration()
}

/** A future that has either taken a message or was ended by somebody else, and never both. */
private class Receiving : CompletableFuture<Message?>() {
    lateinit var pulled: Job
    private val claimed = AtomicBoolean()

    /** Says whether it is still this future that takes. Called while the message is held for it. */
    fun claim(): Boolean = claimed.compareAndSet(false, true)

    /** Nothing was claimed where nothing came: after close. */
    fun tell(message: Message?) {
        if (message != null || claim()) super.complete(message)
    }

    fun fail(error: Throwable) {
        if (claim()) super.completeExceptionally(error)
    }

    override fun complete(value: Message?): Boolean = endedByOthers { super.complete(value) }

    override fun completeExceptionally(error: Throwable): Boolean = endedByOthers { super.completeExceptionally(error) }

    override fun cancel(mayInterruptIfRunning: Boolean): Boolean =
        endedByOthers { super.completeExceptionally(CancellationException()) } || isCancelled

    private fun endedByOthers(end: () -> Boolean): Boolean = claim() && end().also { pulled.cancel() }
}
