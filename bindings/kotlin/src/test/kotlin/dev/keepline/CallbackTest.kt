package dev.keepline

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.lang.ref.WeakReference
import java.net.InetAddress
import java.net.ServerSocket
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** Threads, callbacks, and what is left of a client that nobody holds. */
class CallbackTest {
    @Test
    fun `hundred thousand messages come in order, by one thread, in flat memory`() = runBlocking {
        val own = Thread.currentThread()
        val threads = ConcurrentHashMap.newKeySet<Long>()
        var halfway = 0L
        ServerSocket(0, 1, InetAddress.getLoopbackAddress()).use { server ->
            thread(isDaemon = true) {
                server.accept().use { peer ->
                    val out = peer.getOutputStream().bufferedWriter()
                    for (number in 1..COUNT) out.write("$number\n")
                    out.flush()
                    // Until the client has gone.
                    peer.getInputStream().read()
                }
            }
            Keepline.connect("127.0.0.1:${server.localPort}") { framing = Framing.lines() }.use { client ->
                // Unconfined goes on right on the thread that wakes it: the one that enters the virtual machine.
                withContext(Dispatchers.Unconfined) {
                    for (number in 1..COUNT) {
                        val message = client.receive(60.seconds)!!
                        check(message.text() == "$number") { "$number: ${message.text()}" }
                        val here = Thread.currentThread()
                        if (here !== own) threads += here.id
                        if (number == COUNT / 2) halfway = used()
                    }
                }
            }
        }
        assertEquals(1, threads.size, "threads of the core in Java")
        assertTrue(used() < halfway + 8 * MIB, "grew from $halfway to ${used()} bytes")
    }

    @Test
    fun `throwing, blocking and re-entrant listeners hold up nobody`() = echoed { client, chaos ->
        val told = ConcurrentLinkedQueue<String>()
        val threads = ConcurrentHashMap.newKeySet<Long>()
        val thrown = ConcurrentLinkedQueue<Throwable>()
        val blocked = CountDownLatch(1)
        Thread.setDefaultUncaughtExceptionHandler { _, error -> thrown += error }
        try {
            client.addListener { event ->
                threads += Thread.currentThread().id
                told += event.name
                if (event is Event.Disconnected) error("a test throws")
                if (event is Event.Connected) {
                    client.trySend("from a listener".encodeToByteArray())
                    client.stats()
                    blocked.await(10, TimeUnit.SECONDS)
                }
            }
            chaos.tell("stop s rst")
            chaos.tell("start s")
            // It comes back although its listener blocks: the connection asks nobody.
            assertEquals("from a listener", client.receive(20.seconds)?.text())
            client.send("still alive")
            assertEquals("still alive", client.receive(5.seconds)?.text())
            blocked.countDown()
            client.reconnect()
            withTimeout(10.seconds) { while (told.count { it == "connected" } < 2) delay(10.milliseconds) }
            assertTrue(thrown.isNotEmpty() && thrown.all { it.message == "a test throws" }, "$thrown")
            assertEquals(1, threads.size)
        } finally {
            Thread.setDefaultUncaughtExceptionHandler(null)
        }
    }

    @Test
    fun `client that nobody holds is collected, with its socket`() = runBlocking {
        withChaos { chaos ->
            val address = chaos.tell("serve s line")
            val gone = dropped(address)
            chaos.tell("await-accepted s 20 15000")
            withTimeout(20.seconds) {
                while (gone.any { it.get() != null }) {
                    System.gc()
                    delay(20.milliseconds)
                }
            }
            chaos.tell("await-gone s 15000")
        }
    }

    @Test
    fun `close that nobody waits for ends the connection`() = echoed { client, chaos ->
        (client as AutoCloseable).close()
        chaos.tell("await-gone s 15000")
        assertEquals(Cause.Requested, withTimeout(15.seconds) { client.closed() }.cause)
    }

    /** Twenty clients, each of which was used. In a function of its own, so that no frame holds one. */
    private fun dropped(address: String): List<WeakReference<Client>> = runBlocking {
        List(20) {
            val client = Keepline.connect(address) { framing = Framing.lines() }
            client.send("hello")
            client.receive(5.seconds)
            WeakReference(client)
        }
    }

    private fun used(): Long {
        System.gc()
        return Runtime.getRuntime().run { totalMemory() - freeMemory() }
    }

    private fun echoed(test: suspend kotlinx.coroutines.CoroutineScope.(Client, Chaos) -> Unit) = runBlocking(Dispatchers.Default) {
        withChaos { chaos ->
            Keepline.connect(chaos.tell("serve s line")) { framing = Framing.lines() }.use { client ->
                kotlinx.coroutines.coroutineScope { test(client, chaos) }
            }
        }
    }

    private companion object {
        const val COUNT = 100_000
        const val MIB = 1024 * 1024
    }
}
