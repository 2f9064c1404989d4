/** Code of yours that a client asks: to greet, for credentials of its own and for a proxy, for addresses, for sockets. */
package dev.keepline

import dev.keepline.internal.ffi.CredentialsQuestion
import dev.keepline.internal.ffi.ForeignGreeting
import dev.keepline.internal.ffi.ForeignHooks
import dev.keepline.internal.ffi.HookFailure
import dev.keepline.internal.ffi.HooksThere
import dev.keepline.internal.ffi.NameQuestion
import dev.keepline.internal.ffi.ProxyCredentialsRecord
import dev.keepline.internal.ffi.SocketQuestion
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import java.net.UnknownHostException
import java.util.function.Consumer
import kotlin.time.Duration

/** To be thrown in `onConnect`: the server refused the credentials. The second time in a row ends the client (`authAttempts`). */
public class AuthRefused @JvmOverloads constructor(reason: String = "the server refused the credentials") :
    Exception(reason)

/**
 * To be thrown in `onConnect`: the server asked to come back later.
 *
 * @property after when; at most an hour is honoured.
 */
public class RetryLater @JvmOverloads constructor(
    public val after: Duration,
    reason: String = "the server asked to come back later",
) : Exception(reason)

/**
 * What a provider of credentials is asked.
 *
 * @property epoch the attempt that needs them.
 * @property endpoint where it goes, as it was given.
 * @property refusals how often the server refused them since a greeting passed last, or the proxy since an attempt succeeded
 *   last: above 0 a token from a cache will not do.
 */
public data class CredentialRequest(val epoch: Long, val endpoint: String, val refusals: Int)

/**
 * What is told to a proxy. SOCKS takes 1 to 255 bytes of each, HTTP up to 4,096 and no colon in the name.
 *
 * @property user the name.
 * @property password the password.
 */
public class ProxyCredentials(public val user: String, public val password: String) {
    // A password does not belong into a log.
    override fun toString(): String = "ProxyCredentials(…)"
}

/**
 * A socket that is about to connect.
 *
 * @property descriptor its number, which is that of this socket until the hook returns or the attempt ends.
 * @property address where it will connect to; `null` for a Unix socket.
 * @property endpoint the endpoint that the address belongs to.
 */
public data class DialSocket(val descriptor: Int, val address: String?, val endpoint: String)

/** What was declared of hooks. Nothing of it is a value of the configuration. */
internal class Hooks {
    var greet: (suspend (GreetingIo) -> Unit)? = null
    var credentials: (suspend (CredentialRequest) -> ByteArray)? = null
    var proxyCredentials: (suspend (CredentialRequest) -> ProxyCredentials)? = null
    var addresses: (suspend (String, Int) -> List<String>)? = null
    var socket: (suspend (DialSocket) -> Unit)? = null
    val listeners = mutableListOf<Consumer<Event>>()

    fun areThere(): Boolean =
        greet != null || credentials != null || proxyCredentials != null || addresses != null || socket != null

    fun there(): HooksThere = HooksThere(
        addresses = addresses != null,
        socket = socket != null,
        proxyCredentials = proxyCredentials != null,
    )

    /** As they are now: a configuration that is changed later changes no client. */
    fun asked(): ForeignHooks = Asked(greet, credentials, proxyCredentials, addresses, socket)
}

/** The hooks of one client, as the core asks them. */
private class Asked(
    private val greet: (suspend (GreetingIo) -> Unit)?,
    private val credentials: (suspend (CredentialRequest) -> ByteArray)?,
    private val proxyCredentials: (suspend (CredentialRequest) -> ProxyCredentials)?,
    private val addresses: (suspend (String, Int) -> List<String>)?,
    private val socket: (suspend (DialSocket) -> Unit)?,
) : ForeignHooks {
    // Left to the collector: whoever keeps it is told that it is over, not that it is gone.
    override suspend fun greet(greeting: ForeignGreeting) = answer { greet!!(GreetingIo(greeting)) }

    override suspend fun credentials(asked: CredentialsQuestion): ByteArray = answer {
        credentials!!(asked.request())
    }

    override suspend fun proxyCredentials(asked: CredentialsQuestion): ProxyCredentialsRecord = answer {
        val given = proxyCredentials!!(asked.request())
        ProxyCredentialsRecord(given.user, given.password)
    }

    override suspend fun addresses(asked: NameQuestion): List<String> = answer {
        addresses!!(asked.host, asked.port.toInt())
    }

    override suspend fun socket(asked: SocketQuestion) = answer {
        socket!!(DialSocket(asked.descriptor.toInt(), asked.address, asked.endpoint))
    }

    /** On threads that may block: one that does holds up no other coroutine of the program. */
    private suspend fun <T> answer(ask: suspend CoroutineScope.() -> T): T = try {
        withContext(Dispatchers.IO, ask)
    } catch (error: CancellationException) {
        throw error
    } catch (error: Throwable) {
        throw failure(error)
    }
}

private fun CredentialsQuestion.request() = CredentialRequest(epoch.toLong(), endpoint, refusals.toInt())

private fun failure(error: Throwable): HookFailure {
    val reason = error.message ?: error.javaClass.simpleName
    return when {
        error is AuthRefused -> HookFailure.Told("auth_refused", reason, null)
        error is RetryLater -> HookFailure.Told("failed", reason, error.after.asWait("retry_later") ?: 0u)
        error is KeeplineException && error.reason == Cause.GreetingCredentials ->
            HookFailure.Told("no_credentials", reason, null)
        error is UnknownHostException -> HookFailure.Told("not_found", reason, null)
        else -> HookFailure.Told("failed", "${error.javaClass.name}: $reason", null)
    }
}
