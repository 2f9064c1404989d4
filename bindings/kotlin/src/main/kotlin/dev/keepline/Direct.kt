/** The short way into the core: what a program does for each message, by the virtual machine's own native calls. */
package dev.keepline

import dev.keepline.internal.ffi.FfiConverterTypeForeignError
import dev.keepline.internal.ffi.ForeignException
import kotlinx.coroutines.CancellableContinuation
import kotlinx.coroutines.suspendCancellableCoroutine
import java.nio.ByteBuffer
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicLong
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException

/**
 * A generated call goes through JNA several times and takes fifty times as long. Whatever this way says no to is asked again by
 * the generated call, which has the errors.
 *
 * A client goes by its number here. One that is gone is unknown, not a crash.
 */
internal object Direct {
    private val waiting = ConcurrentHashMap<Long, CancellableContinuation<*>>()
    private val calls = AtomicLong()

    init {
        Native.load()
        begin()
    }

    /** Whether the message was accepted. */
    @JvmStatic
    external fun trySend(client: Long, message: ByteArray, idempotent: Boolean): Boolean

    /** Whether the batch was accepted, whole. */
    @JvmStatic
    external fun trySendMany(client: Long, messages: Array<ByteArray>, idempotent: Boolean): Boolean

    /** What is there after a number; `null` where only the generated call can tell. */
    fun messages(client: Long, after: Long, max: Int): List<Message>? {
        val batch = pull(client, after, max) ?: return null
        if (batch.isEmpty()) return emptyList()
        val epochs = batch[0] as LongArray
        return List(epochs.size) { Message(epochs[it], batch[it + 1] as ByteArray) }
    }

    /** Waits until there is something to pull, or the end, at most so long; for ever if that is negative. */
    suspend fun readable(client: Long, timeoutMillis: Long): Unit =
        suspendCancellableCoroutine { waiter ->
            // One that is gone has something to tell as well.
            if (!begun(waiter) { watch(client, it, timeoutMillis) }) waiter.resume(Unit)
        }

    /** Waits for the reply of a request; `null` where only the generated call can tell. */
    suspend fun request(client: Long, message: ByteArray, timeoutMillis: Long): ByteArray? =
        suspendCancellableCoroutine { waiter ->
            if (!begun(waiter) { request(client, it, message, timeoutMillis) }) waiter.resume(null)
        }

    /** Called by the core: there is something to pull, or the time is over. */
    @JvmStatic
    fun ready(call: Long): Unit = end<Unit>(call) { it.resume(Unit) }

    /** Called by the core: a request was answered. */
    @JvmStatic
    fun replied(call: Long, reply: ByteArray): Unit = end<ByteArray?>(call) { it.resume(reply) }

    /** Called by the core: a request failed. */
    @JvmStatic
    fun failed(call: Long, error: ByteArray): Unit =
        end<ByteArray?>(call) { it.resumeWithException(FfiConverterTypeForeignError.read(ByteBuffer.wrap(error))) }

    /** How many calls wait. */
    val waitingCalls: Int get() = waiting.size

    private fun begun(waiter: CancellableContinuation<*>, begin: (Long) -> Boolean): Boolean {
        val call = calls.incrementAndGet()
        waiting[call] = waiter
        waiter.invokeOnCancellation {
            if (waiting.remove(call) != null) giveUp(call)
        }
        if (!begin(call)) return waiting.remove(call) == null
        // It was cancelled before the core knew of it.
        if (waiter.isCancelled) giveUp(call)
        return true
    }

    /** What a dispatcher throws is for the machine's handler of uncaught exceptions, as everywhere; it must not reach the core. */
    private fun <T> end(call: Long, tell: (CancellableContinuation<T>) -> Unit) {
        @Suppress("UNCHECKED_CAST")
        val waiter = waiting.remove(call) as CancellableContinuation<T>? ?: return
        try {
            tell(waiter)
        } catch (error: Throwable) {
            val thread = Thread.currentThread()
            thread.uncaughtExceptionHandler.uncaughtException(thread, error)
        }
    }

    @JvmStatic
    private external fun begin()

    @JvmStatic
    private external fun pull(client: Long, after: Long, max: Int): Array<Any>?

    @JvmStatic
    private external fun watch(client: Long, call: Long, timeoutMillis: Long): Boolean

    @JvmStatic
    private external fun request(client: Long, call: Long, message: ByteArray, timeoutMillis: Long): Boolean

    @JvmStatic
    private external fun giveUp(call: Long)
}
