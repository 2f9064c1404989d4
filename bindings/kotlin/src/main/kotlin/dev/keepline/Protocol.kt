/** The declared parts of a protocol: framing, matchers, correlation, greeting, automatic answers. */
package dev.keepline

import dev.keepline.internal.ffi.AutoReplyRecord
import dev.keepline.internal.ffi.CorrelationRecord
import dev.keepline.internal.ffi.FramingRecord
import dev.keepline.internal.ffi.MatcherRecord
import dev.keepline.internal.ffi.RetryAfterRecord
import dev.keepline.internal.ffi.StepRecord
import kotlin.time.Duration

/** How bytes become messages. Sizes that are not given are the core's. */
public class Framing private constructor(internal val record: FramingRecord) {
    override fun equals(other: Any?): Boolean = other is Framing && other.record == record

    override fun hashCode(): Int = record.hashCode()

    override fun toString(): String = "Framing.$record"

    /** Makes them. */
    public companion object {
        /** Bytes as they come: what one read brings is one message. */
        @JvmStatic
        public fun raw(): Framing = Framing(FramingRecord.Raw)

        /** Lines that end with a line feed, or with carriage return and line feed; the message is without either. */
        @JvmStatic
        @JvmOverloads
        public fun lines(max: Long? = null): Framing = Framing(FramingRecord.Lines(max.declared("framing.max")))

        /** Messages that end with these bytes; the message is without them. */
        @JvmStatic
        @JvmOverloads
        public fun delimitedBy(delimiter: ByteArray, max: Long? = null): Framing =
            Framing(FramingRecord.Delimiter(delimiter.copyOf(), max.declared("framing.max")))

        /**
         * Messages that start with their length.
         *
         * @param width bytes of the length field: 1, 2, 4 or 8.
         * @param endian its byte order; big unless given.
         * @param offset bytes before it. With any, the message is the whole frame.
         * @param adjustment added to the field's value to give the number of bytes after it.
         * @param strip whether the message is without the length field; true unless given.
         * @param max the longest message in bytes.
         */
        @JvmStatic
        @JvmOverloads
        public fun lengthPrefixed(
            width: Int,
            endian: Endian? = null,
            offset: Int? = null,
            adjustment: Long? = null,
            strip: Boolean? = null,
            max: Long? = null,
        ): Framing = Framing(
            FramingRecord.LengthPrefixed(
                width.toLong().declared("framing.width") ?: 0u,
                endian?.wireName,
                offset?.toLong().declared("framing.offset"),
                adjustment,
                strip,
                max.declared("framing.max"),
            ),
        )

        /** Messages of [size] bytes each. */
        @JvmStatic
        public fun fixed(size: Long): Framing = Framing(FramingRecord.Fixed(size.declared("framing.size") ?: 0u))

        /** Modbus TCP: the message is the whole unit, its header of 7 bytes included. */
        @JvmStatic
        public fun modbusTcp(): Framing = Framing(FramingRecord.ModbusTcp)

        /** Redis: the message is one whole value as it stands on the wire. */
        @JvmStatic
        @JvmOverloads
        public fun resp(max: Long? = null): Framing = Framing(FramingRecord.Resp(max.declared("framing.max")))

        internal fun of(record: FramingRecord): Framing = Framing(record)
    }
}

/** Which frame is the one that is waited for. */
public class Matcher private constructor(internal val record: MatcherRecord) {
    override fun equals(other: Any?): Boolean = other is Matcher && shownBytes(other) == shownBytes(this)

    override fun hashCode(): Int = shownBytes(this).hashCode()

    // The bytes may be a password: only their number is shown.
    override fun toString(): String = when (val record = record) {
        is MatcherRecord.Any -> "Matcher.any()"
        is MatcherRecord.Exact -> "Matcher.exact(${record.bytes.size} bytes)"
        is MatcherRecord.Prefix -> "Matcher.prefix(${record.bytes.size} bytes)"
        is MatcherRecord.None -> "Matcher.none()"
    }

    /** Makes them. */
    public companion object {
        /** Any bytes at all. Consumes nothing. */
        @JvmStatic
        public fun any(): Matcher = Matcher(MatcherRecord.Any)

        /** A frame equal to these bytes. */
        @JvmStatic
        public fun exact(frame: ByteArray): Matcher = Matcher(MatcherRecord.Exact(frame.copyOf()))

        /** A frame that starts with these bytes. */
        @JvmStatic
        public fun prefix(start: ByteArray): Matcher = Matcher(MatcherRecord.Prefix(start.copyOf()))

        /** No reply is expected. Consumes nothing. */
        @JvmStatic
        public fun none(): Matcher = Matcher(MatcherRecord.None)

        internal fun of(record: MatcherRecord): Matcher = Matcher(record)

        private fun shownBytes(matcher: Matcher): Pair<String, List<Byte>> = when (val record = matcher.record) {
            is MatcherRecord.Any -> "any" to emptyList()
            is MatcherRecord.Exact -> "exact" to record.bytes.asList()
            is MatcherRecord.Prefix -> "prefix" to record.bytes.asList()
            is MatcherRecord.None -> "none" to emptyList()
        }
    }
}

/** How replies find their requests. */
public class Correlation private constructor(internal val record: CorrelationRecord) {
    override fun equals(other: Any?): Boolean = other is Correlation && other.record == record

    override fun hashCode(): Int = record.hashCode()

    override fun toString(): String = "Correlation.$record"

    /** Makes them. */
    public companion object {
        /** Replies come in the order of the requests. */
        @JvmStatic
        public fun fifo(): Correlation = Correlation(CorrelationRecord.Fifo)

        /** Replies carry the id of their request: [width] bytes at [offset]. Keepline writes the ids and restores yours. */
        @JvmStatic
        @JvmOverloads
        public fun id(offset: Int, width: Int, endian: Endian? = null): Correlation = Correlation(
            CorrelationRecord.Id(
                offset.toLong().declared("correlation.offset") ?: 0u,
                width.toLong().declared("correlation.width") ?: 0u,
                endian?.wireName,
            ),
        )

        internal fun of(record: CorrelationRecord): Correlation = Correlation(record)
    }
}

/**
 * A frame that asks the client to come back later, and the time that it names.
 *
 * @property when the frame that asks.
 * @property otherwise the time if the frame names none.
 * @property marker the bytes after which the frame names whole seconds in decimal digits.
 */
public class RetryAfter @JvmOverloads constructor(
    public val `when`: Matcher,
    public val otherwise: Duration,
    public val marker: ByteArray? = null,
) {
    internal fun record(): RetryAfterRecord =
        RetryAfterRecord(`when`.record, marker, otherwise.asWait("retry_after") ?: 0u)

    override fun toString(): String = "RetryAfter($`when`, otherwise=$otherwise)"

    internal companion object {
        fun of(record: RetryAfterRecord): RetryAfter =
            RetryAfter(Matcher.of(record.`when`), millis(record.otherwiseMs)!!, record.marker)
    }
}

/**
 * A greeting as sends and expected replies; it must succeed before a connection counts as connected.
 *
 * `Greeting().refused(Matcher.prefix("-WRONGPASS".encodeToByteArray())).sendCredentials(…).expect(…)`
 */
public class Greeting private constructor(private val steps: List<StepRecord>) {
    /** A greeting without steps. */
    public constructor() : this(emptyList())

    /** Adds a message to send, in the client's framing. */
    public fun send(message: ByteArray): Greeting = plus(StepRecord.Send(message.copyOf()))

    /** Adds a message made of the credentials, with these bytes around them. */
    @JvmOverloads
    public fun sendCredentials(prefix: ByteArray = ByteArray(0), suffix: ByteArray = ByteArray(0)): Greeting =
        plus(StepRecord.SendCredentials(prefix.copyOf(), suffix.copyOf()))

    /** Adds a frame to expect. */
    public fun expect(frame: Matcher): Greeting = plus(StepRecord.Expect(frame.record))

    /** Adds a frame to expect, equal to these bytes. */
    public fun expect(frame: ByteArray): Greeting = expect(Matcher.exact(frame))

    /** Declares how the server refuses the credentials, for each frame that is expected after this. */
    public fun refused(frame: Matcher): Greeting = plus(StepRecord.Refused(frame.record))

    /** Declares how the server asks the client to come back later, for each frame that is expected after this. */
    public fun retryAfter(retryAfter: RetryAfter): Greeting = plus(StepRecord.RetryAfter(retryAfter.record()))

    internal fun records(): List<StepRecord> = steps

    // The bytes may be a password: only the number of steps is shown.
    override fun toString(): String = "Greeting(${steps.size} steps)"

    private fun plus(step: StepRecord): Greeting = Greeting(steps + step)

    internal companion object {
        fun of(records: List<StepRecord>): Greeting = Greeting(records)
    }
}

/**
 * A frame of the server that is answered without asking you, such as its own ping.
 *
 * @property when the frame that is answered; it is consumed.
 * @property reply the answer, in the client's framing.
 */
public class AutoReply(public val `when`: Matcher, public val reply: ByteArray) {
    internal fun record(): AutoReplyRecord = AutoReplyRecord(`when`.record, reply)

    // The bytes may be a secret: only their number is shown.
    override fun toString(): String = "AutoReply($`when`, ${reply.size} bytes)"

    internal companion object {
        fun of(record: AutoReplyRecord): AutoReply = AutoReply(Matcher.of(record.`when`), record.reply)
    }
}
