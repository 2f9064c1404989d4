/** The client: it survives any number of connections. */
package dev.keepline

import dev.keepline.internal.ffi.ForeignClient
import dev.keepline.internal.ffi.ForeignEvents
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.future.future
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import java.lang.ref.WeakReference
import java.util.concurrent.CompletableFuture
import java.util.function.Consumer
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/**
 * A client of one endpoint or several: any number of connections, one at a time.
 *
 * Made by [Keepline.connect] or [Keepline.start]. Everything may be called from any thread and any coroutine. End it with
 * [use] or [close]; one that nobody holds any more is aborted when it is collected.
 */
public class Client internal constructor(private val core: ForeignClient) : AutoCloseable {
    /** By which the short way knows this client. */
    private val number = core.number().toLong()
    private val inbox = Inbox(core, number)

    /** The calls that wait, for Java. */
    public fun async(): AsyncClient = AsyncClient(this, inbox)

    /** Where the client stands. */
    public val state: StateFlow<State> = Watch.state(core)

    // Sending ---------------------------------------------------------------------------------------------------------

    /**
     * Accepts a message without waiting.
     *
     * One that is [idempotent] is sent again where nobody knows what became of it. That also holds for [send] and
     * [sendTracked].
     *
     * @throws KeeplineException.Rejected the outbox is full, or the message does not fit the framing.
     * @throws KeeplineException.Unavailable there is no connection, and the policy is to reject.
     * @throws KeeplineException.Closed the client is closed.
     */
    @JvmOverloads
    public fun trySend(message: ByteArray, idempotent: Boolean = false) {
        if (!Direct.trySend(number, message, idempotent)) crossing { core.trySend(message, idempotent) }
    }

    /**
     * Accepts a message, and waits at most [timeout] for room while the peer is only slow.
     *
     * Returning means accepted, not delivered: [sendTracked] tells what became of it. A cancelled send was not accepted.
     *
     * @throws KeeplineException.Timeout there was no room in time.
     * @throws KeeplineException as [trySend].
     */
    public suspend fun send(message: ByteArray, timeout: Duration? = null, idempotent: Boolean = false) {
        val limit = timeout.asWait("timeout")
        currentCoroutineContext().ensureActive()
        if (!Direct.trySend(number, message, idempotent)) crossing { core.send(message, idempotent, limit, null) }
    }

    /** As [send], with the bytes of a text. */
    public suspend fun send(message: String, timeout: Duration? = null, idempotent: Boolean = false): Unit =
        send(message.encodeToByteArray(), timeout, idempotent)

    /** As [trySend], for a batch: all of it, in order and with nothing in between, or nothing. */
    @JvmOverloads
    public fun trySendMany(messages: List<ByteArray>, idempotent: Boolean = false) {
        val batch = messages.toTypedArray()
        if (!Direct.trySendMany(number, batch, idempotent)) crossing { core.trySendMany(batch.asList(), idempotent) }
    }

    /**
     * As [send], for a batch: all of it, in order and with nothing in between, or nothing. A batch crosses to the core in one
     * call, which makes many small messages several times cheaper.
     */
    public suspend fun sendMany(
        messages: List<ByteArray>,
        timeout: Duration? = null,
        idempotent: Boolean = false,
    ) {
        val limit = timeout.asWait("timeout")
        val batch = messages.toTypedArray()
        currentCoroutineContext().ensureActive()
        if (!Direct.trySendMany(number, batch, idempotent)) {
            crossing { core.sendMany(batch.asList(), idempotent, limit, null) }
        }
    }

    /**
     * As [send], with a receipt that tells what became of the message.
     *
     * @throws KeeplineException as [send].
     */
    public suspend fun sendTracked(
        message: ByteArray,
        timeout: Duration? = null,
        idempotent: Boolean = false,
    ): Receipt = Receipt(crossing { core.sendTracked(message, idempotent, timeout.asWait("timeout"), null) })

    /**
     * Sends a request and waits for its reply, both at most [timeout].
     *
     * Cancelling gives the reply up; the request may still be carried out.
     *
     * @throws KeeplineException.Timeout no reply came in time; a late one is swallowed.
     * @throws KeeplineException.Unavailable the connection ended first; `maybeExecuted` tells whether the peer may have
     * got it.
     * @throws KeeplineException.InvalidConfig no correlation was declared.
     * @throws KeeplineException as [trySend].
     */
    public suspend fun request(message: ByteArray, timeout: Duration): ByteArray {
        val limit = timeout.declared("timeout") ?: 0u
        currentCoroutineContext().ensureActive()
        return crossing { Direct.request(number, message, limit.millis()) ?: core.request(message, limit, null) }
    }

    // Receiving -------------------------------------------------------------------------------------------------------

    /**
     * Waits at most [timeout] for the next message; `null` after close, when all were taken.
     *
     * Concurrent calls share one cursor: each message goes to one of them. A cancelled call has taken nothing. Prefer
     * [timeout] to `withTimeout { receive() }`: that can end between the return of the call and the end of its block,
     * which drops what the block returns. What is used inside of the block is not lost either way.
     *
     * @throws KeeplineException.Timeout nothing came in time.
     */
    public suspend fun receive(timeout: Duration? = null): Message? = inbox.take(timeout)

    /** As [receive], up to [max] of those that are there; an empty list after close. */
    public suspend fun receiveMany(max: Int = 256, timeout: Duration? = null): List<Message> {
        if (max < 1) throw invalid("max", max, "must be at least 1")
        return inbox.takeMany(max, timeout)
    }

    /**
     * The messages, from the next one on. What is not collected stays, and slows the peer down through TCP; nothing is
     * dropped. Several collectors share one cursor. It goes on over reconnects, and completes when the client was closed
     * on request.
     *
     * @throws KeeplineException.Closed it was closed for another reason.
     */
    public val messages: Flow<Message> = Messages()

    // Watching --------------------------------------------------------------------------------------------------------

    /**
     * The events, first those that are kept; each collector has a cursor of its own. Nobody waits for a collector: one
     * that falls more than 256 behind gets [Event.Missed]. It completes after [Event.Closed].
     */
    public val events: Flow<Event> get() = events(0)

    /** The events after number [after]. */
    public fun events(after: Long): Flow<Event> {
        // Who collects events for ever holds this flow: it must not hold the client.
        val client = WeakReference(core)
        return Watch.Events { client.get()?.let { crossing { it.events(after.toULong()) } } }
    }

    /**
     * Calls [listener] with each event from now on, until the returned handle is closed or the client is.
     *
     * All listeners of this process are called on one thread, one after the other. They may call back, and may throw:
     * that goes to the thread's handler of uncaught exceptions, and the next event is told all the same.
     */
    public fun addListener(listener: Consumer<Event>): AutoCloseable =
        Watch.listen(crossing { core.events(core.lastEvent()) }, listener)

    /** The number of the last attempt. */
    public val epoch: Long get() = crossing { core.epoch() }.toLong()

    /** Counters, and what the kernel says is in force. */
    public fun stats(): Stats = Stats.of(crossing { core.stats() })

    /** What the flight recorder tells of the connections and attempts that ended last: at most four, oldest first. */
    public fun reports(): List<Report> = crossing { core.reports() }.map(Report::of)

    /** The configuration in force, every value decided. A copy: changing it changes nothing. */
    public val config: Config get() = resolved().config

    /** What you should know about this configuration. */
    public val notices: List<Notice> get() = resolved().notices

    /** How long until a dead peer is noticed at most, whatever the fault; `null` if one goes unseen. */
    public val detectionBound: Duration? get() = resolved().bounds.longest

    /** The worst case of each fault, with its formula. */
    public val detectionBounds: DetectionBounds get() = resolved().bounds

    /** The endpoints, in the order given. */
    public val endpoints: List<Endpoint> get() = crossing { core.endpoints() }.map(Endpoint::of)

    // Steering --------------------------------------------------------------------------------------------------------

    /** Ends the connection, if there is one, and dials at once. */
    public fun reconnect(): Unit = crossing { core.reconnect() }

    /**
     * Takes another list of endpoints. A connection to one that is still in it stays; any other is left.
     *
     * @throws KeeplineException.InvalidConfig a bad endpoint, the same one twice, none, or more than 64.
     */
    public fun setEndpoints(endpoints: List<Endpoint>): Unit =
        crossing { core.setEndpoints(endpoints.map { it.record() }) }

    /** As [setEndpoints], by their addresses. */
    public fun setEndpoints(vararg addresses: String): Unit = setEndpoints(addresses.map { Endpoint(it) })

    /**
     * Subscribes: sends the frame at once if there is a connection, and begins each new connection with it.
     *
     * @param key its name in the list.
     * @param confirmedBy the frame by which the server says that it did. A new connection then counts as connected only
     * once it has come, and it is consumed.
     * @throws KeeplineException.Rejected the list or the outbox is full, or the frame does not fit the framing.
     */
    @JvmOverloads
    public fun subscribe(key: String, frame: ByteArray, confirmedBy: Matcher? = null): Unit =
        crossing { core.subscribe(key, frame, confirmedBy?.record) }

    /** Takes a subscription out, and sends [frame] if there is a connection to take it back on. Says whether there was one. */
    @JvmOverloads
    public fun unsubscribe(key: String, frame: ByteArray? = null): Boolean =
        crossing { core.unsubscribe(key, frame) }

    /**
     * Replaces the declared credentials for the attempts to come; a living connection keeps its own.
     *
     * @throws KeeplineException.InvalidConfig none are declared.
     */
    public fun setCredentials(secret: ByteArray): Unit = crossing { core.setCredentials(secret) }

    /** Leaves because the server asked for it, and comes back no sooner than [retryAfter]; at most an hour is honoured. */
    public fun goAway(retryAfter: Duration): Unit = crossing { core.goAway(retryAfter.asWait("retry_after") ?: 0u) }

    /** Tells that the network changed: `null` if nothing is known of the new one. */
    @JvmOverloads
    public fun networkChanged(path: NetworkPath? = null): Unit = crossing { core.networkChanged(path?.record()) }

    /** Ends the connection and stays away until [resume]. */
    public fun pause(): Unit = crossing { core.pause() }

    /** Dials again after [pause], and after [enterBackground]. */
    public fun resume(): Unit = crossing { core.resume() }

    /**
     * Tells that the application leaves the screen: the connection is ended, and the client stays away until
     * [enterForeground].
     *
     * A system that freezes an application ends its connections without a word, and each attempt until then costs battery.
     * What is sent meanwhile waits in the outbox, where the policy is to queue. Give [flush] a moment before it, if what waits
     * should leave first. It is told as [Event.Paused].
     */
    public fun enterBackground(): Unit = crossing { core.enterBackground() }

    /**
     * Tells that the application is on the screen again: dials at once, unless it was also paused by [pause].
     *
     * A connection that was never left is asked for a sign of life, and the wait for an attempt ends.
     */
    public fun enterForeground(): Unit = crossing { core.enterForeground() }

    /** Waits until nothing waits in the outbox, at most [within], and says whether that is so. */
    public suspend fun flush(within: Duration): Boolean =
        withTimeoutOrNull(within) {
            // 20 ms: nobody notices, and a second of waiting costs fifty looks.
            while (stats().messages.queued > 0) delay(20.milliseconds)
            true
        } ?: false

    internal suspend fun connected(): Unit = crossing { core.connected(null) }

    // Ending ----------------------------------------------------------------------------------------------------------

    /**
     * Closes: accepts nothing more, writes what waits and reads to the end if the connection is healthy, at most [drain].
     *
     * Idempotent. The close goes on if the wait is cancelled.
     */
    public suspend fun close(drain: Duration): Ending =
        Ending.of(crossing { core.closeWithin(drain.asWait("drain") ?: 0u, null) })

    /**
     * Begins to close with a drain of at most a second, and returns at once. Idempotent.
     *
     * A program that ends right after it may take what waits with it: there, use the suspending one, or [closeAsync].
     */
    override fun close() {
        closeAsync()
    }

    /** As the suspending [close], for Java. */
    public fun closeAsync(): CompletableFuture<Ending> = Watch.scope.future { close(DEFAULT_DRAIN) }

    /** Closes at once: the connection is reset, what waits is [Outcome.NotSent]. */
    public fun abort(): Unit = crossing { core.abort() }

    /** Waits until the client is closed, by whoever, and tells why. */
    public suspend fun closed(): Ending = Ending.of(crossing { core.closed(null) })

    /**
     * Runs [block] and closes with a drain of at most a second; if the block throws or is cancelled, aborts.
     *
     * It stands before the `use` of every [AutoCloseable], which could not wait for the drain.
     */
    public suspend inline fun <R> use(block: (Client) -> R): R {
        val result = try {
            block(this)
        } catch (error: Throwable) {
            abort()
            throw error
        }
        closeAtEnd()
        return result
    }

    @PublishedApi
    internal suspend fun closeAtEnd() {
        try {
            close(DEFAULT_DRAIN)
        } catch (error: CancellationException) {
            withContext(NonCancellable) { abort() }
            throw error
        }
    }

    override fun toString(): String = "Client(${state.value}, epoch=$epoch)"

    private fun resolved() = Resolved.of(crossing { core.config() })

    /** Straight to the collector: what stands between in `flow { }` checks for cancellation after a message was taken. */
    private inner class Messages : Flow<Message> {
        override suspend fun collect(collector: FlowCollector<Message>) {
            while (true) collector.emit(inbox.take(null) ?: break)
            val ending = closed()
            if (ending.cause != Cause.Requested) throw closedBy(ending)
        }
    }

    private fun closedBy(ending: Ending) = KeeplineException.Closed(
        Evidence(
            "the client is closed: $ending", ending.cause, ending.detector, ending.errno, ending.code,
            readReport = { reports().lastOrNull() },
        ),
    )

    private companion object {
        /** 1 s: a healthy peer takes what waits in far less; a program that ends should not be held up by another. */
        val DEFAULT_DRAIN = 1.seconds
    }
}
