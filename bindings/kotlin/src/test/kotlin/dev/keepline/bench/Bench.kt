/** Throughput and round trip beside plain NIO, in one run against one echo server: `make bench-kotlin`. */
package dev.keepline.bench

import dev.keepline.Chaos
import dev.keepline.Client
import dev.keepline.Framing
import dev.keepline.Keepline
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import java.net.InetSocketAddress
import java.net.StandardSocketOptions
import java.nio.ByteBuffer
import java.nio.channels.SocketChannel
import kotlin.concurrent.thread
import kotlin.time.Duration.Companion.seconds

/** 64 bytes with the line feed: a reading of a sensor, a command, a chat line. */
private val MESSAGE = ByteArray(63) { 'x'.code.toByte() }

/** What a batch carries: about what one read brings of such messages. */
private const val BATCH = 64

/** Enough for about a second of each kind on a slow machine. */
private const val MESSAGES = 128_000
private const val TRIPS = 5_000

/** Rounds that count; one before them warms the machine up. The best one is told: the others were disturbed. */
private const val ROUNDS = 3

fun main() = Chaos().use { chaos ->
    val address = chaos.tell("serve s line")
    val (host, port) = address.split(':')
    val plain = Plain(InetSocketAddress(host, port.toInt()))
    val trips = mapOf("plain NIO" to best { plain.trips() }, "Keepline" to best { withClient(address) { trips(it) } })
    val rates = mapOf(
        "plain NIO, a write each" to best { plain.stream(1) },
        "plain NIO, $BATCH a write" to best { plain.stream(BATCH) },
        "Keepline, send" to best { withClient(address) { stream(it, 1) } },
        "Keepline, sendMany of $BATCH" to best { withClient(address) { stream(it, BATCH) } },
    )
    println("Echo of ${MESSAGE.size + 1} bytes over loopback, Java ${System.getProperty("java.version")}; the best of $ROUNDS rounds.")
    println("\nround trip, one at a time")
    val trip = trips.getValue("plain NIO") / TRIPS
    for ((name, nanos) in trips) println("%-28s %8.1f us   %5.2f".format(name, nanos / TRIPS / 1e3, nanos / TRIPS / trip))
    println("\nthere and back as a stream")
    val rate = rates.getValue("plain NIO, a write each")
    for ((name, nanos) in rates) println("%-28s %8.0f /s   %5.2f".format(name, MESSAGES / nanos * 1e9, rate / nanos))
}

private fun best(round: () -> Double): Double {
    round()
    return (1..ROUNDS).minOf { round() }
}

private inline fun timed(work: () -> Unit): Double {
    val began = System.nanoTime()
    work()
    return (System.nanoTime() - began).toDouble()
}

private fun withClient(address: String, work: suspend (Client) -> Double): Double = runBlocking(Dispatchers.Default) {
    Keepline.connect(address) { framing = Framing.lines() }.use { work(it) }
}

private suspend fun trips(client: Client): Double = timed {
    repeat(TRIPS) {
        client.trySend(MESSAGE)
        check(client.receive(10.seconds)?.payload?.size == MESSAGE.size)
    }
}

private suspend fun stream(client: Client, batch: Int): Double = timed {
    kotlinx.coroutines.coroutineScope {
        launch {
            val messages = List(batch) { MESSAGE }
            repeat(MESSAGES / batch) { if (batch == 1) client.send(MESSAGE) else client.sendMany(messages) }
        }
        var received = 0
        while (received < MESSAGES) received += client.receiveMany(timeout = 20.seconds).size
    }
}

/** What one writes without a library: one blocking channel, no reconnect, no deadline. */
private class Plain(private val address: InetSocketAddress) {
    private fun open() = SocketChannel.open(address).apply { setOption(StandardSocketOptions.TCP_NODELAY, true) }

    fun trips(): Double = open().use { channel ->
        val out = ByteBuffer.wrap(MESSAGE + '\n'.code.toByte())
        val back = ByteBuffer.allocateDirect(out.capacity())
        timed {
            repeat(TRIPS) {
                out.rewind()
                while (out.hasRemaining()) channel.write(out)
                back.clear()
                while (back.hasRemaining()) channel.read(back)
            }
        }
    }

    fun stream(batch: Int): Double = open().use { channel ->
        timed {
            val writer = thread {
                val one = MESSAGE + '\n'.code.toByte()
                val out = ByteBuffer.allocateDirect(one.size * batch).apply { repeat(batch) { put(one) } }
                repeat(MESSAGES / batch) {
                    out.rewind()
                    while (out.hasRemaining()) channel.write(out)
                }
            }
            readLines(channel)
            writer.join()
        }
    }

    /** Makes an array of each line, as whoever uses them has to. */
    private fun readLines(channel: SocketChannel) {
        val read = ByteBuffer.allocateDirect(64 * 1024)
        val line = java.io.ByteArrayOutputStream()
        var received = 0
        while (received < MESSAGES) {
            read.clear()
            check(channel.read(read) > 0)
            read.flip()
            while (read.hasRemaining()) {
                val byte = read.get()
                if (byte.toInt() != '\n'.code) {
                    line.write(byte.toInt())
                } else {
                    check(line.toByteArray().size == MESSAGE.size)
                    line.reset()
                    received++
                }
            }
        }
    }
}
