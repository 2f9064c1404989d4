/** How a case is measured: messages in a given time, single exchanges, or bursts of calls. */
package dev.keepline.bench

import com.sun.management.OperatingSystemMXBean
import java.lang.management.ManagementFactory

private val system = ManagementFactory.getOperatingSystemMXBean() as OperatingSystemMXBean
private val threads = ManagementFactory.getThreadMXBean()

/** Counts messages that came back once the machine is warm, and what they cost. */
class Throughput {
    private var received = 0L
    private var isWarm = false
    private var began = System.nanoTime()
    private var cpu = 0L
    private var until = began + (WARM_UP * 1e9).toLong()

    /** Counts so many messages, and says whether it is over. */
    fun count(messages: Int): Boolean {
        received += messages
        val now = System.nanoTime()
        if (now < until) return false
        if (isWarm) {
            cpu = system.processCpuTime - cpu
            began = now - began
            return true
        }
        isWarm = true
        received = 0
        began = now
        until = now + (SECONDS * 1e9).toLong()
        cpu = system.processCpuTime
        return false
    }

    /** Thousand messages a second, and microseconds of processor time for each, of all threads. */
    fun result(): List<Double> = listOf(received / (began / 1e9) / 1e3, cpu / 1e3 / received)
}

/** Times one exchange after the other. */
class Trips {
    private val trips = ArrayList<Long>()
    private val warm = System.nanoTime() + (WARM_UP * 1e9).toLong()
    private val until = warm + (SECONDS * 1e9).toLong()
    private var last = System.nanoTime()
    private var cpu = 0L

    /** Ends an exchange and begins the next, if there is time. */
    fun next(): Boolean {
        val now = System.nanoTime()
        when {
            now < warm -> cpu = system.processCpuTime
            else -> trips += now - last
        }
        last = now
        return now < until
    }

    /** Microseconds: the median, what one in a hundred is slower than, and processor time of all threads. */
    fun result(): List<Double> {
        val spent = (system.processCpuTime - cpu) / 1e3 / trips.size
        trips.sort()
        return listOf(trips[trips.size / 2] / 1e3, trips[trips.size * 99 / 100] / 1e3, spent)
    }
}

/**
 * Nanoseconds of the calling thread for one of [count] calls that [burst] makes; [drain] takes back what they caused, off
 * the clock.
 */
inline fun calls(count: Int, burst: () -> Unit, drain: () -> Unit): List<Double> {
    val bursts = ArrayList<Long>()
    val began = System.nanoTime()
    while (System.nanoTime() - began < (WARM_UP + SECONDS) * 1e9) {
        val before = threadTime()
        burst()
        val after = threadTime()
        if (System.nanoTime() - began > WARM_UP * 1e9) bursts += after - before
        drain()
    }
    bursts.sort()
    return listOf(bursts[bursts.size / 2].toDouble() / count)
}

/** Nanoseconds of processor time of this thread. */
fun threadTime(): Long = threads.currentThreadCpuTime
