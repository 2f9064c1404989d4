package dev.keepline

import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.withTimeoutOrNull
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.net.ServerSocket
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** The client against real servers and real faults. */
class ClientTest {
    @Test
    fun `messages go round and a close on request ends the flow`() = runBlocking {
        withChaos { chaos ->
            val client = Keepline.connect(chaos.tell("serve s line")) { framing = Framing.lines() }
            client.use {
                it.send("one")
                assertEquals("one", it.receive(5.seconds)?.text())
                val receipt = it.sendTracked("two".encodeToByteArray())
                assertEquals(Outcome.Acked, withTimeout(5.seconds) { receipt.outcome() })
                assertEquals(AckedBy.Peer, receipt.ackedBy)
                it.send("three")
                assertEquals(listOf("two", "three"), it.messages.take(2).map { message -> message.text() }.toList())
            }
            assertEquals(Cause.Requested, client.closed().cause)
            assertEquals(emptyList<Message>(), client.messages.toList())
            assertNull(client.receive())
            assertThrows<KeeplineException.Closed> { client.trySend("late".encodeToByteArray()) }
            assertEquals(State.Closed, withTimeout(15.seconds) { client.state.first { it == State.Closed } })
        }
    }

    @Test
    fun `client survives the restart of its server, and what was sent meanwhile arrives in order`() = runBlocking {
        withChaos { chaos ->
            val address = chaos.tell("serve s line")
            Keepline.connect(address) { framing = Framing.lines() }.use { client ->
                client.send("before")
                assertEquals("before", client.receive(5.seconds)?.text())
                chaos.tell("stop s rst")
                val lost = withTimeout(5.seconds) { client.events.first { it is Event.Disconnected } }
                assertEquals(Cause.Reset, (lost as Event.Disconnected).cause)
                assertEquals(1L, lost.report?.epoch)
                for (number in 1..100) client.send("$number")
                chaos.tell("start s")
                val received = withTimeout(20.seconds) { List(100) { client.receive()!! } }
                assertEquals((1..100).map { "$it" }, received.map { it.text() })
                assertTrue(received.all { it.epoch > 1 })
            }
        }
    }

    @Test
    fun `silent peer is noticed by the heartbeat, and the state tells it`() = runBlocking {
        withChaos { chaos ->
            val proxy = chaos.tell("proxy p ${chaos.tell("serve s line")}")
            val config: Config.() -> Unit = {
                framing = Framing.lines()
                heartbeat = Heartbeat("PING", Matcher.exact("PONG".encodeToByteArray()), 1.seconds, 1.seconds)
            }
            Keepline.connect(proxy, configure = config).use { client ->
                assertEquals(State.Connected, withTimeout(15.seconds) { client.state.first { it.isUp } })
                chaos.tell("silence p both")
                val lost = withTimeout(10.seconds) { client.events.first { it is Event.Disconnected } }
                lost as Event.Disconnected
                assertEquals(Cause.PeerUnresponsive to Detector.Heartbeat, lost.cause to lost.detector)
                chaos.tell("clear p")
                withTimeout(20.seconds) { client.state.first { it == State.Connected } }
            }
        }
    }

    @Test
    fun `request finds its reply, and a late one is a timeout`() = runBlocking {
        withChaos { chaos ->
            val proxy = chaos.tell("proxy p ${chaos.tell("serve s line")}")
            Keepline.connect(proxy) { framing = Framing.lines(); correlation = Correlation.fifo() }.use { client ->
                assertEquals("ask", client.request("ask".encodeToByteArray(), 5.seconds).decodeToString())
                chaos.tell("hold p both")
                val late = assertThrows<KeeplineException.Timeout> {
                    runBlocking { client.request("late".encodeToByteArray(), 200.milliseconds) }
                }
                assertEquals("timeout", late.kind)
                assertTrue(late.isRetryable)
                chaos.tell("release p both")
                assertEquals("next", client.request("next".encodeToByteArray(), 5.seconds).decodeToString())
            }
        }
    }

    @Test
    fun `nobody there is unavailable with its cause and a report`() = runBlocking {
        // Nobody listens there, and the system gives this port to nobody.
        val error = assertThrows<KeeplineException.Unavailable> {
            runBlocking { Keepline.connect("127.0.0.1:1") { connectWithin = 300.milliseconds } }
        }
        assertEquals(Cause.Refused to 111, error.reason to error.errno)
        assertEquals(Cause.Refused, error.report?.cause)
    }

    @Test
    fun `bad option is named, and so is a bad duration`() {
        val tooShort = assertThrows<KeeplineException.InvalidConfig> {
            Keepline.start("127.0.0.1:1") { detectWithin = 1.seconds }
        }
        assertEquals("detect_within", tooShort.field)
        val negative = assertThrows<KeeplineException.InvalidConfig> {
            Keepline.start("127.0.0.1:1") { readIdle = (-1).seconds }
        }
        assertEquals("read_idle", negative.field)
    }

    @Test
    fun `concurrent receivers share the messages, and each goes to one of them`() = runBlocking {
        withChaos { chaos ->
            Keepline.connect(chaos.tell("serve s line")) { framing = Framing.lines() }.use { client ->
                val got = coroutineScope {
                    val readers = List(4) { async { List(250) { client.receive(20.seconds)!!.text().toInt() } } }
                    for (number in 1..1000) client.send("$number")
                    readers.flatMap { it.await() }
                }
                assertEquals((1..1000).toList(), got.sorted())
            }
        }
    }

    @Test
    fun `real Redis answers requests in order`() = runBlocking {
        val port = ServerSocket(0).use { it.localPort }
        val redis = ProcessBuilder("redis-server", "--port", "$port", "--bind", "127.0.0.1", "--save", "", "--dir", System.getProperty("java.io.tmpdir"))
            .redirectOutput(ProcessBuilder.Redirect.DISCARD).start()
        try {
            val config: Config.() -> Unit = {
                framing = Framing.resp()
                correlation = Correlation.fifo()
                heartbeat = Heartbeat("PING\r\n")
                detectWithin = 10.seconds
                greeting = Greeting().send("PING\r\n".encodeToByteArray()).expect("+PONG\r\n".encodeToByteArray())
            }
            Keepline.connect("127.0.0.1:$port", configure = config).use { client ->
                assertEquals("+OK\r\n", client.request("SET a 1\r\n".encodeToByteArray(), 5.seconds).decodeToString())
                assertEquals(":2\r\n", client.request("INCR a\r\n".encodeToByteArray(), 5.seconds).decodeToString())
                assertTrue(client.stats().connections == 1L && client.detectionBound != null)
            }
        } finally {
            redis.destroy()
        }
    }

    @Test
    fun `client in the background stays away, and comes back with what was queued`() = runBlocking {
        withChaos { chaos ->
            Keepline.connect(chaos.tell("serve s line")) { framing = Framing.lines() }.use { client ->
                client.send("before")
                assertTrue(client.flush(5.seconds))
                assertEquals("before", client.receive(5.seconds)?.text())
                client.enterBackground()
                chaos.tell("await-gone s 5000")
                client.trySend("queued".encodeToByteArray())
                assertFalse(client.flush(50.milliseconds))
                client.enterForeground()
                assertEquals("queued", client.receive(10.seconds)?.text())
            }
        }
    }

    @Test
    fun `pause of the user's outlives the background, and a resume ends both`() = runBlocking {
        withChaos { chaos ->
            Keepline.connect(chaos.tell("serve s line")) { framing = Framing.lines() }.use { client ->
                client.pause()
                client.enterBackground()
                withTimeout(5.seconds) { client.state.first { it == State.Idle } }
                client.enterForeground()
                // A dial of loopback takes a millisecond: 200 of them show that there is none.
                assertNull(withTimeoutOrNull(200.milliseconds) { client.state.first { it != State.Idle } })
                client.enterBackground()
                client.resume()
                withTimeout(5.seconds) { client.state.first { it == State.Connected } }
                // Over for both: this asks for a sign of life, and does not dial.
                client.enterForeground()
                client.send("still here")
                assertEquals("still here", client.receive(5.seconds)?.text())
                assertEquals(2L, client.epoch)
            }
        }
    }
}
