/** Facts told by the core: messages, counters, endings, notices, bounds. */
package dev.keepline

import dev.keepline.internal.ffi.BoundRecord
import dev.keepline.internal.ffi.BoundsRecord
import dev.keepline.internal.ffi.EndingRecord
import dev.keepline.internal.ffi.EndpointRecord
import dev.keepline.internal.ffi.MessageCountsRecord
import dev.keepline.internal.ffi.MessageRecord
import dev.keepline.internal.ffi.NetworkPathRecord
import dev.keepline.internal.ffi.NoticeRecord
import dev.keepline.internal.ffi.StatsRecord
import kotlin.time.Duration

/**
 * A received message.
 *
 * @property epoch the connection it came on.
 * @property payload the message, without framing. It is yours.
 */
public class Message internal constructor(public val epoch: Long, public val payload: ByteArray) {
    /** The payload as text, if it is UTF-8; what is not becomes replacement characters. */
    public fun text(): String = payload.decodeToString()

    override fun toString(): String = "Message(epoch=$epoch, ${payload.size} bytes)"

    internal companion object {
        fun of(record: MessageRecord): Message = Message(record.epoch.toLong(), record.payload)
    }
}

/** What became of the messages accepted so far: [accepted] is the sum of the others, at every moment. */
public data class MessageCounts(
    /** Accepted by a send. */
    val accepted: Long,
    /** Acknowledged by the peer's kernel. */
    val acked: Long,
    /** Dropped by policy, never transmitted. */
    val notSent: Long,
    /** Handed to the kernel; nobody knows. */
    val unknown: Long,
    /** Ran out of time in the outbox. */
    val expired: Long,
    /** Waiting in the outbox. */
    val queued: Long,
    /** Handed to the kernel of the living connection. */
    val inFlight: Long,
) {
    internal companion object {
        fun of(record: MessageCountsRecord): MessageCounts = MessageCounts(
            record.accepted.toLong(), record.acked.toLong(), record.notSent.toLong(), record.unknown.toLong(),
            record.expired.toLong(), record.queued.toLong(), record.inFlight.toLong(),
        )
    }
}

/** What a client has done so far, and what the kernel says is in force. */
public data class Stats(
    /** Where it stands. */
    val state: State,
    /** The number of the last attempt. */
    val epoch: Long,
    /** Attempts started. */
    val attempts: Long,
    /** Connections that became connected. */
    val connections: Long,
    /** Attempts that failed. */
    val failures: Long,
    /** What became of the messages that were accepted. */
    val messages: MessageCounts,
    /** Bytes waiting in the outbox, framing included. */
    val outboxBytes: Long,
    /** Messages received. */
    val received: Long,
    /** Messages dropped because nobody asked for them. */
    val discarded: Long,
    /** Messages waiting in the inbox of the core. */
    val inbox: Long,
    /** Bytes handed to the kernel. */
    val bytesOut: Long,
    /** Bytes read. */
    val bytesIn: Long,
    /** Heartbeats written. */
    val heartbeats: Long,
    /** The time between the last answered heartbeat and its answer. */
    val heartbeatRtt: Duration?,
    /** Requests in flight, late replies included. */
    val requestsInFlight: Long,
    /** Kernel probes in force: silence before the first. */
    val keepaliveIdle: Duration?,
    /** Kernel probes in force: pause between them. */
    val keepaliveInterval: Duration?,
    /** Kernel probes in force: how many. */
    val keepaliveRetries: Int?,
    /** `TCP_USER_TIMEOUT` in force. */
    val userTimeout: Duration?,
    /** `TCP_RTO_MAX_MS` in force. */
    val rtoMax: Duration?,
    /** `TCP_NODELAY` in force. */
    val nodelay: Boolean,
    /** The version of TLS that the last encrypted connection agreed on. */
    val tlsVersion: String?,
    /** Its cipher suite. */
    val tlsCipher: String?,
    /** Its application protocol. */
    val tlsAlpn: String?,
    /** Whether it resumed the session of an earlier one. */
    val tlsResumed: Boolean?,
) {
    internal companion object {
        fun of(record: StatsRecord): Stats = Stats(
            state = named(record.state),
            epoch = record.epoch.toLong(),
            attempts = record.attempts.toLong(),
            connections = record.connections.toLong(),
            failures = record.failures.toLong(),
            messages = MessageCounts.of(record.messages),
            outboxBytes = record.outboxBytes.toLong(),
            received = record.received.toLong(),
            discarded = record.discarded.toLong(),
            inbox = record.inbox.toLong(),
            bytesOut = record.bytesOut.toLong(),
            bytesIn = record.bytesIn.toLong(),
            heartbeats = record.heartbeats.toLong(),
            heartbeatRtt = micros(record.heartbeatRttUs),
            requestsInFlight = record.requestsInFlight.toLong(),
            keepaliveIdle = millis(record.keepaliveIdleMs),
            keepaliveInterval = millis(record.keepaliveIntervalMs),
            keepaliveRetries = record.keepaliveRetries?.toInt(),
            userTimeout = millis(record.userTimeoutMs),
            rtoMax = millis(record.rtoMaxMs),
            nodelay = record.nodelay,
            tlsVersion = record.tlsVersion,
            tlsCipher = record.tlsCipher,
            tlsAlpn = record.tlsAlpn,
            tlsResumed = record.tlsResumed,
        )
    }
}

/** Why a client is closed. */
public data class Ending(
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
    /** The other side's own number for it, if it told one: a SOCKS reply or the status of an HTTP proxy. */
    val code: Int?,
) {
    override fun toString(): String {
        val evidence = listOfNotNull(
            detector?.let { "by $it" },
            errno?.let { "errno $it" },
            code?.let { "code $it" },
        )
        val told = if (evidence.isEmpty()) "$cause" else "$cause (${evidence.joinToString()})"
        return if (advice == null) told else "$told: $advice"
    }

    internal companion object {
        fun of(record: EndingRecord): Ending = Ending(
            named(record.cause), record.detector?.let { named<Detector>(it) }, record.errno,
            record.hint?.let { named<Hint>(it) }, record.advice, record.code?.toInt(),
        )
    }
}

/**
 * Something you should know about a configuration.
 *
 * @property field the option that it follows from.
 * @property text a sentence.
 */
public data class Notice(val field: String, val text: String) {
    override fun toString(): String = "$field: $text"

    internal companion object {
        fun of(record: NoticeRecord): Notice = Notice(record.`field`, record.text)
    }
}

/**
 * One fault's worst case, with the formula it comes from.
 *
 * @property within from the fault to the verdict at most; `null` if this configuration never notices.
 * @property formula what it is the sum of.
 */
public data class Bound(val within: Duration?, val formula: String) {
    internal companion object {
        fun of(record: BoundRecord): Bound = Bound(millis(record.withinMs), record.formula)
    }
}

/** The worst case of each kind of fault. */
public data class DetectionBounds(
    /** The longest of those that concern an established connection; `null` if one of them is never noticed. */
    val longest: Duration?,
    /** The path goes silent while nothing is in flight. */
    val pathSilentIdle: Bound,
    /** The path goes silent while data is in flight. */
    val pathSilentInFlight: Bound,
    /** The peer's process is frozen, its kernel answers. */
    val peerFrozen: Bound,
    /** The peer lives and does not read. */
    val peerStalled: Bound,
    /** An attempt meets an endpoint that never answers. */
    val connect: Bound,
) {
    internal companion object {
        fun of(record: BoundsRecord): DetectionBounds = DetectionBounds(
            millis(record.longestMs), Bound.of(record.pathSilentIdle), Bound.of(record.pathSilentInFlight),
            Bound.of(record.peerFrozen), Bound.of(record.peerStalled), Bound.of(record.connect),
        )
    }
}

/**
 * A way to the network, as your system tells it.
 *
 * @property id the same number means the same network.
 * @property available whether anything can be reached over it.
 * @property kind what it is.
 * @property metered whether bytes cost money.
 */
public data class NetworkPath @JvmOverloads constructor(
    val id: Long,
    val available: Boolean = true,
    val kind: NetworkKind = NetworkKind.Unknown,
    val metered: Boolean = false,
) {
    internal fun record(): NetworkPathRecord = NetworkPathRecord(id.toULong(), available, kind.wireName, metered)
}

/**
 * One endpoint.
 *
 * @property address `host:port`, `tls://host:port`, `[v6]:port` or `unix:/path`.
 * @property weight drawn so often as one of weight 1, which all others have: from 1 to 10,000.
 */
public data class Endpoint @JvmOverloads constructor(val address: String, val weight: Long? = null) {
    internal fun record(): EndpointRecord = EndpointRecord(address, weight.declared("endpoints.weight"))

    internal companion object {
        fun of(record: EndpointRecord): Endpoint =
            Endpoint(record.address, record.weight?.toLong()?.takeUnless { it == 1L })
    }
}
