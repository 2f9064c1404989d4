/** Single values on their way to the core and back: durations in milliseconds, counts. */
package dev.keepline

import kotlin.time.Duration
import kotlin.time.Duration.Companion.microseconds
import kotlin.time.Duration.Companion.milliseconds

/** A duration of the configuration in milliseconds, rounded up: no deadline ends before it was asked to. */
internal fun Duration?.declared(field: String): ULong? {
    if (this == null) return null
    if (!isFinite()) throw invalid(field, this, "must be finite")
    if (this <= Duration.ZERO) throw invalid(field, this, "must be more than 0 s")
    return wholeMillis()
}

/** A duration that may be switched off: by [Duration.INFINITE]. */
internal fun Duration?.isOff(): Boolean = this != null && isInfinite() && isPositive()

/** As [declared], and nothing where it is switched off. */
internal fun Duration?.unlessOff(field: String): ULong? = if (isOff()) null else declared(field)

/** The timeout of a call. Zero means: only what is there already; infinite, as if none were given. */
internal fun Duration?.asWait(field: String): ULong? {
    if (this == null || isOff()) return null
    if (this < Duration.ZERO) throw invalid(field, this, "must not be negative")
    return wholeMillis()
}

/** For the short way, whose numbers have a sign: 292 million years are as good as more. */
internal fun ULong.millis(): Long = coerceAtMost(Long.MAX_VALUE.toULong()).toLong()

internal fun Int?.declared(field: String): UInt? {
    if (this != null && this < 0) throw invalid(field, this, "must not be negative")
    return this?.toUInt()
}

internal fun Long?.declared(field: String): ULong? {
    if (this != null && this < 0) throw invalid(field, this, "must not be negative")
    return this?.toULong()
}

internal fun millis(value: ULong?): Duration? = value?.toLong()?.milliseconds

internal fun micros(value: ULong?): Duration? = value?.toLong()?.microseconds

/** What is decided: the value, or off. */
internal fun decided(isOff: Boolean, value: ULong?): Duration? = if (isOff) Duration.INFINITE else millis(value)

private fun Duration.wholeMillis(): ULong {
    val whole = inWholeMilliseconds
    return (if (whole.milliseconds < this) whole + 1 else whole).toULong()
}
