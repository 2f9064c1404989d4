/** The exceptions. Their kinds and causes are the strings of every language. */
package dev.keepline

import dev.keepline.internal.ffi.ErrorDetail
import dev.keepline.internal.ffi.ForeignException
import dev.keepline.internal.ffi.InternalException
import java.io.IOException
import kotlin.coroutines.cancellation.CancellationException

/**
 * The root of all exceptions of this library. The class says what to do, the properties say why.
 *
 * Being an [IOException], it is caught where failures of the network are caught.
 */
public sealed class KeeplineException(
    /** What to do about it, as in every language. */
    public val kind: String,
    private val evidence: Evidence,
) : IOException(evidence.text) {
    /** Why there is no connection, if that is the reason. */
    public val reason: Cause? get() = evidence.cause

    /** Which evidence told. */
    public val detector: Detector? get() = evidence.detector

    /** The operating system's error number, if there was one. */
    public val errno: Int? get() = evidence.errno

    /** The other side's own number for it, if it told one: a SOCKS reply or the status of an HTTP proxy. */
    public val code: Int? get() = evidence.code

    /** The option that breaks a rule. */
    public val field: String? get() = evidence.field

    /** Whether the peer may have carried out the request all the same. */
    public val maybeExecuted: Boolean get() = evidence.maybeExecuted

    /** Whether the same call can succeed later without any change. */
    public val isRetryable: Boolean get() = evidence.retryable

    /** The flight recorder's report on the connection that ended, if that is the reason. */
    public val report: Report? get() = evidence.report

    /** Fix the option or the argument that [field] names. */
    public class InvalidConfig internal constructor(evidence: Evidence) : KeeplineException("invalid_config", evidence)

    /** There is no connection now; the client is retrying. */
    public class Unavailable internal constructor(evidence: Evidence) : KeeplineException("unavailable", evidence)

    /** The client gave up. */
    public class Exhausted internal constructor(evidence: Evidence) : KeeplineException("exhausted", evidence)

    /** Your deadline passed. */
    public class Timeout internal constructor(evidence: Evidence) : KeeplineException("timeout", evidence)

    /** A queue or a policy said no. */
    public class Rejected internal constructor(evidence: Evidence) : KeeplineException("rejected", evidence)

    /** The client is closed; make a new one. */
    public class Closed internal constructor(evidence: Evidence) : KeeplineException("closed", evidence)

    /** A bug of Keepline; please report it. */
    public class Internal internal constructor(evidence: Evidence) : KeeplineException("internal", evidence)
}

/** What an exception knows. */
public class Evidence internal constructor(
    internal val text: String,
    internal val cause: Cause? = null,
    internal val detector: Detector? = null,
    internal val errno: Int? = null,
    internal val code: Int? = null,
    internal val field: String? = null,
    internal val maybeExecuted: Boolean = false,
    internal val retryable: Boolean = false,
    readReport: () -> Report? = { null },
) {
    // Read when somebody asks: a send that is refused again and again stays cheap.
    internal val report: Report? by lazy(readReport)

    internal companion object {
        fun of(detail: ErrorDetail): Evidence = Evidence(
            text = detail.text,
            cause = detail.cause?.let { named<Cause>(it) },
            detector = detail.detector?.let { named<Detector>(it) },
            errno = detail.errno,
            code = detail.code?.toInt(),
            field = detail.`field`,
            maybeExecuted = detail.maybeExecuted,
            retryable = detail.retryable,
            readReport = { detail.report?.use { Report.of(it.read()) } },
        )
    }
}

/** The refusal of a value, worded as the core words its own. */
internal fun invalid(field: String, value: Any?, rule: String): KeeplineException.InvalidConfig =
    KeeplineException.InvalidConfig(Evidence("$field: $rule (got $value)", field = field))

/** Runs a call of the core; what it throws becomes an exception of this library. */
internal inline fun <T> crossing(call: () -> T): T =
    try {
        call()
    } catch (error: ForeignException) {
        throw told(error)
    } catch (error: InternalException) {
        // A panic that was caught at the border, or two sides that do not belong together.
        throw KeeplineException.Internal(Evidence(error.message ?: "the core panicked"))
    }

internal fun told(error: ForeignException): Exception = when (error) {
    is ForeignException.InvalidConfig -> KeeplineException.InvalidConfig(Evidence.of(error.detail))
    is ForeignException.Unavailable -> KeeplineException.Unavailable(Evidence.of(error.detail))
    is ForeignException.Exhausted -> KeeplineException.Exhausted(Evidence.of(error.detail))
    is ForeignException.Timeout -> KeeplineException.Timeout(Evidence.of(error.detail))
    is ForeignException.Rejected -> KeeplineException.Rejected(Evidence.of(error.detail))
    is ForeignException.Closed -> KeeplineException.Closed(Evidence.of(error.detail))
    // No virtual machine survives a fork; a bug all the same.
    is ForeignException.Forked -> KeeplineException.Internal(Evidence.of(error.detail))
    is ForeignException.Internal -> KeeplineException.Internal(Evidence.of(error.detail))
    is ForeignException.Cancelled -> CancellationException("the call was given up")
}
