/** The connection as the code that greets on it holds it. */
package dev.keepline

import dev.keepline.internal.ffi.ForeignGreeting
import kotlinx.coroutines.runBlocking
import kotlin.time.Duration
import kotlin.time.toKotlinDuration

/**
 * Messages out and in on a new connection, in the client's framing: for `onConnect`, which has them to itself.
 *
 * What it does not read goes to the client, in order. Once it has returned or its time is over, every call throws
 * [KeeplineException.Closed].
 */
public class GreetingIo internal constructor(private val core: ForeignGreeting) {
    /** The number of the attempt. */
    public val epoch: Long get() = crossing { core.epoch() }.toLong()

    /** Where it goes, as it was given. */
    public val endpoint: String get() = crossing { core.endpoint() }

    /** Sends a message. It is written at once: nothing of the outbox passes before the greeting has succeeded. */
    public fun send(message: ByteArray): Unit = crossing { core.send(message) }

    /** As [send], with the bytes of a text. */
    public fun send(message: String): Unit = send(message.encodeToByteArray())

    /**
     * Waits for the next message, at most [timeout], and no longer than the greeting may take as a whole. A cancelled call
     * has taken nothing.
     *
     * @throws KeeplineException.Timeout nothing came in time.
     */
    public suspend fun receive(timeout: Duration? = null): ByteArray =
        crossing { core.recv(timeout.asWait("timeout"), null) }

    /** As [receive], for Java: blocks. */
    public fun receiveBlocking(timeout: java.time.Duration): ByteArray =
        runBlocking { receive(timeout.toKotlinDuration()) }

    /**
     * The credentials of this attempt, as often as it is called the same.
     *
     * @throws KeeplineException.Unavailable with the reason [Cause.GreetingCredentials]: none are declared, or whoever
     * gives them failed or was late.
     */
    public suspend fun credentials(): ByteArray = crossing { core.credentials(null) }

    /** As [credentials], for Java: blocks. */
    public fun credentialsBlocking(): ByteArray = runBlocking { credentials() }

    override fun toString(): String = "GreetingIo(epoch=$epoch)"
}
