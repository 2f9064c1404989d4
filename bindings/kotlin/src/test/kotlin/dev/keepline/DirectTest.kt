package dev.keepline

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.coroutines.yield
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import kotlin.coroutines.CoroutineContext
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** The short way into the core knows what it may do, and leaves the rest to the generated calls. */
class DirectTest {
    @Test
    fun `client that is gone is unknown to the short way`() = runBlocking {
        val nobody = Long.MAX_VALUE
        assertFalse(Direct.trySend(nobody, ByteArray(1), false))
        assertFalse(Direct.trySendMany(nobody, arrayOf(ByteArray(1)), false))
        assertNull(Direct.messages(nobody, 0, 1))
        assertNull(Direct.request(nobody, ByteArray(1), 1_000))
        withTimeout(5.seconds) { Direct.readable(nobody, -1) }
        assertFalse(Direct.trySend(-1, ByteArray(1), false))
    }

    @Test
    fun `calls that are given up leave nothing behind`() = echoed { client ->
        val before = Direct.waitingCalls
        repeat(1_000) {
            withTimeoutOrNull(1.milliseconds) { client.receive() }
            // A reply comes, or it does not in time: both race.
            withTimeoutOrNull(1.milliseconds) { client.request("$it".encodeToByteArray(), 5.seconds) }
        }
        assertTrue(Direct.waitingCalls <= before, "${Direct.waitingCalls} wait, before it were $before")
        // Late replies are swallowed, and the next one is its own.
        assertEquals("last", client.request("last".encodeToByteArray(), 10.seconds).decodeToString())
    }

    @Test
    fun `dispatcher that throws ends neither the other calls nor the connection`() = echoed { client ->
        val refusing = object : CoroutineDispatcher() {
            override fun dispatch(context: CoroutineContext, block: Runnable): Unit = error("no room")
            override fun isDispatchNeeded(context: CoroutineContext) = Thread.currentThread().name == "keepline-calls"
        }
        val machines = Thread.getDefaultUncaughtExceptionHandler()
        Thread.setDefaultUncaughtExceptionHandler { _, _ -> }
        try {
            CoroutineScope(refusing + SupervisorJob()).launch(start = CoroutineStart.UNDISPATCHED) { client.receive() }
            client.trySend("to nobody".encodeToByteArray())
            assertEquals("mine", client.request("mine".encodeToByteArray(), 10.seconds).decodeToString())
        } finally {
            Thread.setDefaultUncaughtExceptionHandler(machines)
        }
    }

    @Test
    fun `peer that is always faster leaves the thread to others`() = runBlocking {
        // One thread for all: whoever never lets go of it starves the others.
        withChaos { chaos ->
            Keepline.connect(chaos.tell("serve s line")) { framing = Framing.lines() }.use { client ->
                client.sendMany(List(5_000) { "$it".encodeToByteArray() })
                while (client.stats().messages.acked < 5_000) yield()
                var turns = 0
                val other = launch {
                    while (true) {
                        turns++
                        yield()
                    }
                }
                repeat(5_000) { assertEquals("$it", client.receive(10.seconds)!!.text()) }
                other.cancel()
                assertTrue(turns >= 5, "$turns turns")
            }
        }
    }

    @Test
    fun `errors of a request are those of the generated call`() = runBlocking(Dispatchers.Default) {
        withChaos { chaos ->
            Keepline.connect(chaos.tell("serve s line")) { framing = Framing.lines() }.use { client ->
                val error = assertThrows<KeeplineException.InvalidConfig> {
                    runBlocking { client.request("uncorrelated".encodeToByteArray(), 1.seconds) }
                }
                assertTrue("correlation" in error.message!!, error.message)
            }
        }
        echoed { client ->
            assertArrayEquals("a".encodeToByteArray(), client.request("a".encodeToByteArray(), 10.seconds))
            client.abort()
            client.closed()
            assertThrows<KeeplineException.Closed> {
                runBlocking { client.request("late".encodeToByteArray(), 1.seconds) }
            }
        }
    }

    private fun echoed(test: suspend (Client) -> Unit) = runBlocking(Dispatchers.Default) {
        withChaos { chaos ->
            val address = chaos.tell("serve s line")
            Keepline.connect(address) {
                framing = Framing.lines()
                correlation = Correlation.fifo()
            }.use { test(it) }
        }
    }
}
