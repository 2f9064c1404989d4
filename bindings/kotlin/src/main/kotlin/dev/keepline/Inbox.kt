/** Received messages: pulled from the core in batches, handed to any number of readers. */
package dev.keepline

import dev.keepline.internal.ffi.ForeignClient
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.coroutines.yield
import kotlin.time.Duration
import kotlin.time.TimeSource

/**
 * The batch that readers take from, one at a time.
 *
 * A message leaves the batch only when a coroutine that is not cancelled takes it, without any suspension after that. The
 * core keeps what it gave until the next pull names it as taken: a pull whose answer is lost to a cancellation gives
 * the same again.
 */
internal class Inbox(private val core: ForeignClient, private val number: Long) {
    private val turn = Mutex()
    private val batch = ArrayDeque<Message>()

    /** The number of the last message that was taken from the batch, while the batch is empty. */
    private var taken = 0uL

    /** The last messages were there already: whoever took them let nobody else run. */
    private var ranThrough = false

    /** The next message; `null` after close, when all were taken. One that [wants] says no to stays for the next. */
    suspend fun take(timeout: Duration?, wants: (Message) -> Boolean = { true }): Message? {
        if (turn.tryLock()) return takeInTurn(timeout, wants)
        if (timeout == null || timeout.isInfinite()) {
            turn.lock()
            return takeInTurn(null, wants)
        }
        val began = TimeSource.Monotonic.markNow()
        // The lock may have been got at the very moment at which the wait for it ended.
        val me = Any()
        val isMyTurn = try {
            withTimeoutOrNull(timeout) { turn.lock(me) } != null || turn.holdsLock(me)
        } catch (error: Throwable) {
            if (turn.holdsLock(me)) turn.unlock(me)
            throw error
        }
        if (!isMyTurn) throw tooLate()
        return takeInTurn((timeout - began.elapsedNow()).coerceAtLeast(Duration.ZERO), wants, me)
    }

    /** As many as are there, and at least one unless it is over: whole batches for readers that want them. */
    suspend fun takeMany(max: Int, timeout: Duration?): List<Message> {
        val first = take(timeout) ?: return emptyList()
        val messages = mutableListOf(first)
        if (turn.tryLock()) {
            try {
                while (messages.size < max) messages += batch.removeFirstOrNull() ?: break
            } finally {
                turn.unlock()
            }
        }
        return messages
    }

    private suspend fun takeInTurn(timeout: Duration?, wants: (Message) -> Boolean, owner: Any? = null): Message? {
        try {
            if (batch.isEmpty()) {
                val pulled = pull(timeout)
                batch.addAll(pulled)
                taken += pulled.size.toULong()
            }
            currentCoroutineContext().ensureActive()
            return if (batch.firstOrNull()?.let(wants) == false) null else batch.removeFirstOrNull()
        } finally {
            turn.unlock(owner)
        }
    }

    private suspend fun pull(timeout: Duration?): List<Message> {
        val limit = timeout.asWait("timeout")
        val began = TimeSource.Monotonic.markNow()
        if (ranThrough) {
            // A peer that is faster than its reader must not keep a thread from everybody else.
            ranThrough = false
            yield()
        }
        var hasWaited = false
        while (true) {
            val left = limit?.let { (it.millis() - began.elapsedNow().inWholeMilliseconds).coerceAtLeast(0) }
            val pulled = Direct.messages(number, taken.toLong(), BATCH)
                ?: return crossing { core.nextMessages(taken, BATCH.toUInt(), left?.toULong(), null) }.map(Message::of)
            if (pulled.isNotEmpty()) {
                ranThrough = !hasWaited
                return pulled
            }
            if (left == 0L) throw tooLate()
            hasWaited = true
            Direct.readable(number, left ?: -1)
        }
    }

    private fun tooLate() = KeeplineException.Timeout(Evidence("no message within the time given", retryable = true))

    private companion object {
        /** 256: more do not amortise the border any better. */
        const val BATCH = 256
    }
}
