/** Events: numbered facts about a client's life. */
package dev.keepline

import dev.keepline.internal.ffi.EventRecord
import kotlin.time.Duration

/** One numbered fact; `when` over its classes is exhaustive. */
public sealed class Event(
    /** What happened, as in every language. */
    public val name: String,
) {
    /** The number: each event of a client has the next one, from 1. */
    public abstract val seq: Long

    /** When it happened, on the clock of the system that counts suspend (`CLOCK_BOOTTIME`). */
    public abstract val at: Duration

    /**
     * An attempt starts.
     *
     * @property epoch its number.
     * @property endpoint where it goes, as it was given; `null` if there is only one.
     */
    public data class Connecting(
        override val seq: Long,
        override val at: Duration,
        val epoch: Long,
        val endpoint: String?,
    ) : Event("connecting")

    /**
     * The connection is usable.
     *
     * @property epoch its number.
     * @property peer the address of the other side; `null` for a Unix socket.
     * @property after how long after the last one ended, or since start.
     * @property endpoint where it leads, as it was given; `null` if there is only one.
     */
    public data class Connected(
        override val seq: Long,
        override val at: Duration,
        val epoch: Long,
        val peer: String?,
        val after: Duration,
        val endpoint: String?,
    ) : Event("connected")

    /**
     * The connection may be dead.
     *
     * @property epoch its number.
     * @property evidence what made it suspect.
     */
    public data class Suspect(
        override val seq: Long,
        override val at: Duration,
        val epoch: Long,
        val evidence: Suspicion,
    ) : Event("suspect")

    /**
     * A suspect or stalled connection proved alive.
     *
     * @property epoch its number.
     */
    public data class Recovered(override val seq: Long, override val at: Duration, val epoch: Long) : Event("recovered")

    /**
     * The peer lives and does not read.
     *
     * @property epoch the connection's number.
     */
    public data class Stalled(override val seq: Long, override val at: Duration, val epoch: Long) : Event("stalled")

    /** A connection or an attempt ended. */
    public data class Disconnected(
        override val seq: Long,
        override val at: Duration,
        /** The connection's number. */
        val epoch: Long,
        /** Where it went, as it was given; `null` if there is only one endpoint. */
        val endpoint: String?,
        /** Why. */
        val cause: Cause,
        /** Which evidence told. */
        val detector: Detector?,
        /** The operating system's error number, if there was one. */
        val errno: Int?,
        /** What may help, if something does. */
        val hint: Hint?,
        /** The same as a sentence. */
        val advice: String?,
        /** The other side's own number for it, if it told one. */
        val code: Int?,
        /** How long the server asked the client to stay away, if it did. */
        val retryAfter: Duration?,
        /** How long it had been connected; `null` for an attempt that never was. */
        val upFor: Duration?,
        /** When the next attempt starts, from now; `null` if there will be none by itself. */
        val retryIn: Duration?,
        /** The number of attempts that failed in a row; 0 if a connection ended. */
        val failures: Int,
        /** What became of the messages accepted so far. */
        val messages: MessageCounts,
        /** What led to it; `null` if more than four connections or attempts ended since. */
        val report: Report?,
    ) : Event("disconnected")

    /**
     * The inbox is full: Keepline has stopped reading until you take messages. Told once per connection.
     *
     * @property epoch the connection's number.
     */
    public data class InboxFull(override val seq: Long, override val at: Duration, val epoch: Long) : Event("inbox_full")

    /** The system says that there is no network. */
    public data class Offline(override val seq: Long, override val at: Duration) : Event("offline")

    /** The client was paused. */
    public data class Paused(override val seq: Long, override val at: Duration) : Event("paused")

    /** The client was resumed. */
    public data class Resumed(override val seq: Long, override val at: Duration) : Event("resumed")

    /**
     * The reader of events was too slow.
     *
     * @property count how many events were overwritten.
     * @property state where the client stands now.
     */
    public data class Missed(
        override val seq: Long,
        override val at: Duration,
        val count: Long,
        val state: State,
    ) : Event("missed")

    /** The client is closed. Always the last event. */
    public data class Closed(
        override val seq: Long,
        override val at: Duration,
        /** Why. */
        val cause: Cause,
        /** Which evidence told. */
        val detector: Detector?,
        /** The operating system's error number, if there was one. */
        val errno: Int?,
        /** What may help, if something does. */
        val hint: Hint?,
        /** The same as a sentence. */
        val advice: String?,
        /** The other side's own number for it, if it told one. */
        val code: Int?,
    ) : Event("closed")

    internal companion object {
        fun of(record: EventRecord): Event {
            val seq = record.seq.toLong()
            val at = millis(record.atMs)!!
            val epoch = record.epoch?.toLong() ?: 0
            val cause by lazy { named<Cause>(record.cause.orEmpty()) }
            val detector = record.detector?.let { named<Detector>(it) }
            val hint = record.hint?.let { named<Hint>(it) }
            return when (record.name) {
                "connecting" -> Connecting(seq, at, epoch, record.endpoint)
                "connected" -> Connected(seq, at, epoch, record.peer, millis(record.afterMs)!!, record.endpoint)
                "suspect" -> Suspect(seq, at, epoch, named(record.evidence.orEmpty()))
                "recovered" -> Recovered(seq, at, epoch)
                "stalled" -> Stalled(seq, at, epoch)
                "disconnected" -> Disconnected(
                    seq, at, epoch, record.endpoint, cause, detector, record.errno, hint, record.advice,
                    record.code?.toInt(), millis(record.retryAfterMs), millis(record.upForMs), millis(record.retryInMs),
                    record.failures?.toInt() ?: 0, MessageCounts.of(record.messages!!), record.report?.let(Report::of),
                )
                "inbox_full" -> InboxFull(seq, at, epoch)
                "offline" -> Offline(seq, at)
                "paused" -> Paused(seq, at)
                "resumed" -> Resumed(seq, at)
                "missed" -> Missed(seq, at, record.count?.toLong() ?: 0, named(record.state.orEmpty()))
                "closed" -> Closed(
                    seq, at, cause, detector, record.errno, hint, record.advice, record.code?.toInt(),
                )
                else -> throw KeeplineException.Internal(Evidence("the core tells of an event unknown here: ${record.name}"))
            }
        }
    }
}
