package dev.keepline

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeoutOrNull
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import kotlin.random.Random
import kotlin.time.Duration.Companion.microseconds
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** Cancelling a wait loses no message. */
class CancelTest {
    @Test
    fun `ten thousand receives that are cancelled lose no message`() = echoed { client ->
        val seen = ArrayList<Int>()
        var cancelled = 0
        val random = Random(1)
        var sent = 0
        while (cancelled < 10_000) {
            // A message that comes about when the wait ends: the two race.
            if (sent - seen.size < 100 && random.nextInt(3) > 0) client.trySend("${++sent}".encodeToByteArray())
            val taken = withTimeoutOrNull(random.nextInt(50, 1500).microseconds) {
                client.receive()!!.text().toInt().also(seen::add)
            }
            if (taken == null) cancelled++
        }
        while (seen.size < sent) seen += client.receive(10.seconds)!!.text().toInt()
        assertEquals((1..sent).toList(), seen)
        assertTrue(sent > 1000, "only $sent were sent")
    }

    @Test
    fun `ten thousand receives with their own timeout lose no message`() = echoed { client ->
        val seen = ArrayList<Int>()
        val random = Random(2)
        var sent = 0
        var late = 0
        while (late < 10_000) {
            if (sent - seen.size < 100 && random.nextInt(3) > 0) client.trySend("${++sent}".encodeToByteArray())
            try {
                seen += client.receive(random.nextInt(0, 2).milliseconds)!!.text().toInt()
            } catch (_: KeeplineException.Timeout) {
                late++
            }
        }
        while (seen.size < sent) seen += client.receive(10.seconds)!!.text().toInt()
        assertEquals((1..sent).toList(), seen)
    }

    @Test
    fun `receivers that are cancelled while others wait leave the turn to them`() = echoed { client ->
        val seen = java.util.concurrent.ConcurrentLinkedQueue<Int>()
        repeat(200) { round ->
            val readers = List(4) {
                launchReader(client, seen)
            }
            client.send("$round")
            delay(1.milliseconds)
            for (reader in readers) reader.cancelAndJoin()
        }
        while (seen.size < 200) seen += client.receive(10.seconds)!!.text().toInt()
        assertEquals((0 until 200).toList(), seen.sorted())
    }

    @Test
    fun `collector of messages that is cancelled has got what it took`() = echoed { client ->
        val seen = java.util.concurrent.ConcurrentLinkedQueue<Int>()
        var sent = 0
        repeat(300) {
            val collecting = scope.launch { client.messages.collect { seen += it.text().toInt() } }
            repeat(3) { client.send("${++sent}") }
            delay(Random.nextInt(3).milliseconds)
            collecting.cancelAndJoin()
        }
        while (seen.size < sent) seen += client.receive(10.seconds)!!.text().toInt()
        assertEquals((1..sent).toList(), seen.toList())
    }

    @Test
    fun `cancelled send was not accepted, and a cancelled connect leaves nobody behind`() = runBlocking {
        withChaos { chaos ->
            chaos.tell("serve s echo")
            val proxy = chaos.tell("proxy p ${chaos.tell("serve t line")}")
            chaos.tell("refuse p")
            val connecting = withTimeoutOrNull(100.milliseconds) { Keepline.connect(proxy) }
            assertEquals(null, connecting)
            chaos.tell("accept-again p")
            // A client that went on would be back within its first waits.
            delay(1500.milliseconds)
            assertEquals("0", chaos.tell("accepted p"))
        }
    }

    private val scope = kotlinx.coroutines.CoroutineScope(Dispatchers.Default)

    private fun launchReader(client: Client, seen: java.util.Queue<Int>) = scope.launch {
        seen += client.receive()!!.text().toInt()
    }

    private fun echoed(test: suspend (Client) -> Unit) = runBlocking(Dispatchers.Default) {
        withChaos { chaos ->
            Keepline.connect(chaos.tell("serve s line")) { framing = Framing.lines() }.use { test(it) }
        }
    }
}
