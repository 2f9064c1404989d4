/** The parts of a configuration that have several values each. */
package dev.keepline

import kotlin.time.Duration

/**
 * Application bytes that the peer answers: the only proof that its process lives.
 *
 * @property payload the message that is sent, in the client's framing.
 * @property reply which frame is the reply; it is consumed. Unset: any inbound byte is life.
 * @property interval the silence after which one is sent.
 * @property replyWithin the deadline for a sign of life after one was due.
 */
public class Heartbeat @JvmOverloads constructor(
    public val payload: ByteArray,
    public val reply: Matcher? = null,
    public val interval: Duration? = null,
    public val replyWithin: Duration? = null,
) {
    /** With the bytes of a text. */
    public constructor(
        payload: String,
        reply: Matcher? = null,
        interval: Duration? = null,
        replyWithin: Duration? = null,
    ) : this(payload.encodeToByteArray(), reply, interval, replyWithin)

    // The bytes may be a password: only their number is shown.
    override fun toString(): String =
        "Heartbeat(${payload.size} bytes, interval=$interval, replyWithin=$replyWithin)"
}

/** Kernel probes on an idle connection. */
public sealed class Keepalive {
    /** No kernel probes. */
    public data object Off : Keepalive()

    /**
     * The first after [idle] without traffic, then one each [interval], dead after [retries]. Whole seconds; the core
     * rounds up and says so.
     *
     * @property idle how long nothing is heard before the first.
     * @property interval the time between two of them.
     * @property retries how many may go unanswered.
     */
    public data class Probes(val idle: Duration, val interval: Duration, val retries: Int) : Keepalive()
}

/** The curve of waits between attempts. Each wait is 100 ms more than a draw from its window. */
public class Backoff {
    /** The window of the first retry. */
    public var firstSpread: Duration? = null

    /** The window of the second retry, before the multiplier. */
    public var initial: Duration? = null

    /** The growth of the window, 1 to 100. */
    public var multiplier: Double? = null

    /** The longest wait after the first, the usual floor of 0.1 s included; of some classes of wait a multiple. */
    public var max: Duration? = null

    /** How a delay is drawn from its window. */
    public var jitter: Jitter? = null

    override fun toString(): String =
        "Backoff(firstSpread=$firstSpread, initial=$initial, multiplier=$multiplier, max=$max, jitter=$jitter)"
}

/** How much the outbox holds. */
public class Outbox {
    /** The most messages. */
    public var messages: Long? = null

    /** The most bytes, framing included. */
    public var bytes: Long? = null

    /** How old a message may grow; [Duration.INFINITE]: for ever. */
    public var age: Duration? = null

    override fun toString(): String = "Outbox(messages=$messages, bytes=$bytes, age=$age)"
}

/**
 * How connections are encrypted. What is not set is as safe as it can be: the certificates that the system trusts, the
 * endpoint's host, TLS 1.2 or 1.3.
 */
public class Tls {
    /** Files of authorities, PEM or DER, that are trusted instead of the system's. */
    public var caFiles: List<String> = emptyList()

    /** Authorities in PEM, that are trusted instead of the system's. */
    public var caPem: String? = null

    /** Keys of which one must be in the chain: `sha256/BASE64` or 64 hexadecimal digits. Two at least. */
    public var pins: List<String> = emptyList()

    /** The file of the client's certificate chain, in PEM. */
    public var clientCertFile: String? = null

    /** The file of its key, in PEM. */
    public var clientKeyFile: String? = null

    /** Application protocols, best first. A server that agrees to none is refused. */
    public var alpn: List<String> = emptyList()

    /** The name that is expected instead of the endpoint's host. */
    public var serverName: String? = null

    /** Refuses TLS 1.2. */
    public var onlyTls13: Boolean = false

    /** Keeps no session for the next connection. */
    public var noResumption: Boolean = false

    /** Takes any certificate of anybody: the connection is then encrypted to whoever answers. */
    public var dangerAcceptInvalidCertificates: Boolean = false

    internal fun record(): dev.keepline.internal.ffi.TlsRecord = dev.keepline.internal.ffi.TlsRecord(
        caFiles, caPem, pins, clientCertFile, clientKeyFile, alpn, serverName, onlyTls13, noResumption,
        dangerAcceptInvalidCertificates,
    )

    internal companion object {
        fun of(record: dev.keepline.internal.ffi.TlsRecord): Tls = Tls().apply {
            caFiles = record.caFiles
            caPem = record.caPem
            pins = record.pins
            clientCertFile = record.clientCertFile
            clientKeyFile = record.clientKeyFile
            alpn = record.alpn
            serverName = record.serverName
            onlyTls13 = record.onlyTls13
            noResumption = record.noResumption
            dangerAcceptInvalidCertificates = record.dangerAcceptInvalidCertificates
        }
    }
}
