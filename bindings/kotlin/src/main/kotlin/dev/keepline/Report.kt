/** What the flight recorder tells of a connection that ended. */
package dev.keepline

import dev.keepline.internal.ffi.KernelFiguresRecord
import dev.keepline.internal.ffi.ReportEntryRecord
import dev.keepline.internal.ffi.ReportRecord
import kotlin.time.Duration

/** One turn, or a run of ordinary ones. Times count from the start of the attempt. */
public data class ReportEntry(
    /** When it happened; of a run, when the first one began. */
    val at: Duration,
    /** When the last one of the run ended. */
    val until: Duration,
    /** How often in a row. */
    val count: Int,
    /** What happened. */
    val name: Transition,
    /** The name of what it carries: a [Suspicion], a [Cause], or what you asked for. */
    val detail: String?,
    /** The same in words. */
    val text: String,
) {
    override fun toString(): String = "$at  $text"

    internal companion object {
        fun of(record: ReportEntryRecord): ReportEntry = ReportEntry(
            millis(record.atMs)!!, millis(record.untilMs)!!, record.count.toInt(), named(record.name), record.detail,
            record.text,
        )
    }
}

/** What the kernel knew about a connection; `null` where the system does not tell. */
public data class KernelFigures(
    /** Segments sent and not acknowledged. */
    val unackedSegments: Int?,
    /** Retransmissions of the oldest segment without an answer. */
    val retransmits: Int?,
    /** Keepalive or window probes without an answer. */
    val probes: Int?,
    /** How often the retransmission timer has doubled. */
    val backoff: Int?,
    /** The window the peer offers, in bytes. */
    val sendWindow: Long?,
    /** Bytes not acknowledged or not yet sent. */
    val sendQueue: Long?,
    /** Bytes never transmitted. */
    val notSent: Long?,
    /** Time since the last acknowledgement. */
    val lastAckReceived: Duration?,
    /** Time since the last data. */
    val lastDataReceived: Duration?,
    /** The smoothed round trip. */
    val rtt: Duration?,
    /** Bytes acknowledged by the peer's kernel; Linux counts the opening of the connection as one. */
    val bytesAcked: Long?,
    /** Segments that the peer's kernel has. */
    val deliveredSegments: Long?,
    /** The size of a full segment, in bytes. */
    val segmentSize: Int?,
) {
    internal companion object {
        fun of(record: KernelFiguresRecord): KernelFigures = KernelFigures(
            record.unackedSegments?.toInt(), record.retransmits?.toInt(), record.probes?.toInt(),
            record.backoff?.toInt(), record.sendWindow?.toLong(), record.sendQueue?.toLong(), record.notSent?.toLong(),
            millis(record.lastAckReceivedMs), millis(record.lastDataReceivedMs), micros(record.rttUs),
            record.bytesAcked?.toLong(), record.deliveredSegments?.toLong(), record.segmentSize?.toInt(),
        )
    }
}

/**
 * What led to the end of a connection or an attempt. `toString` is a timeline for people.
 *
 * It holds times, counts and names only: no address, no payload, no secret.
 */
public class Report internal constructor(record: ReportRecord) {
    /** The connection's number. */
    public val epoch: Long = record.epoch.toLong()

    /** When it was over, on the clock of the system that counts suspend (`CLOCK_BOOTTIME`). */
    public val at: Duration = millis(record.atMs)!!

    /** How long it took from the start of the attempt to the end. */
    public val lasted: Duration = millis(record.lastedMs)!!

    /** Why. */
    public val cause: Cause = named(record.cause)

    /** Which evidence told. */
    public val detector: Detector? = record.detector?.let { named<Detector>(it) }

    /** The operating system's error number, if there was one. */
    public val errno: Int? = record.errno

    /** The other side's own number for it, if it told one: a SOCKS reply or the status of an HTTP proxy. */
    public val code: Int? = record.code?.toInt()

    /** How long it had been connected; `null` for an attempt that never was. */
    public val upFor: Duration? = millis(record.upForMs)

    /** When the next attempt starts, from the end on; `null` if there will be none by itself. */
    public val retryIn: Duration? = millis(record.retryInMs)

    /** The number of attempts that failed in a row; 0 if a connection ended. */
    public val failures: Int = record.failures.toInt()

    /** What happened, from the start of the attempt to its end: at most 256 entries, the last ones. */
    public val entries: List<ReportEntry> = record.entries.map(ReportEntry::of)

    /** Entries that were given up for later ones. */
    public val overwritten: Int = record.overwritten.toInt()

    /** What the kernel knew when the connection ended; `null` if it does not tell, or there was no connection. */
    public val figures: KernelFigures? = record.figures?.let(KernelFigures::of)

    /** All of it as a timeline for people. */
    public val text: String = record.text

    override fun toString(): String = text

    internal companion object {
        fun of(record: ReportRecord): Report = Report(record)
    }
}
