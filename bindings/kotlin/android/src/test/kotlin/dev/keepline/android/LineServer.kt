/** A server that answers each line with itself, and clients of it. */
package dev.keepline.android

import dev.keepline.Client
import dev.keepline.Config
import dev.keepline.Framing
import dev.keepline.Keepline
import dev.keepline.State
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.Assert.assertNotNull
import java.io.IOException
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread
import kotlin.time.Duration.Companion.seconds

internal class LineServer : AutoCloseable {
    private val server = ServerSocket(0, 8, InetAddress.getLoopbackAddress())
    private val lines = LinkedBlockingQueue<String>()

    init {
        thread(isDaemon = true) {
            while (true) {
                val peer = try { server.accept() } catch (_: IOException) { break }
                thread(isDaemon = true) { echo(peer) }
            }
        }
    }

    fun client(configure: Config.() -> Unit = {}): Client = runBlocking {
        Keepline.connect("127.0.0.1:${server.localPort}") {
            framing = Framing.lines()
            configure()
        }
    }

    /** Waits for a line of a client, 10 s: less than the interval of any heartbeat in these tests. */
    fun await(line: String) {
        var found: String?
        do found = lines.poll(10, TimeUnit.SECONDS) while (found != null && found != line)
        assertNotNull("no $line came", found)
    }

    override fun close() = server.close()

    private fun echo(peer: Socket) = peer.use {
        val out = peer.getOutputStream()
        try {
            peer.getInputStream().bufferedReader().forEachLine { line ->
                lines += line
                out.write("$line\n".toByteArray())
            }
        } catch (_: IOException) {
            // The client is gone.
        }
    }
}

internal fun Client.awaitState(wanted: State) {
    runBlocking { withTimeout(10.seconds) { state.first { it == wanted } } }
}
