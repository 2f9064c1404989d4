/** What one writes without it: blocking streams, a channel of NIO, ktor-network. No reconnect, no heartbeat, no deadline. */
package dev.keepline.bench

import io.ktor.network.selector.SelectorManager
import io.ktor.network.sockets.InetSocketAddress
import io.ktor.network.sockets.aSocket
import io.ktor.network.sockets.openReadChannel
import io.ktor.network.sockets.openWriteChannel
import io.ktor.utils.io.ByteReadChannel
import io.ktor.utils.io.ByteWriteChannel
import io.ktor.utils.io.availableForRead
import io.ktor.utils.io.readByteArray
import io.ktor.utils.io.readInt
import io.ktor.utils.io.writeFully
import io.ktor.utils.io.writeInt
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.runBlocking
import java.io.DataInputStream
import java.io.DataOutputStream
import java.net.Socket
import java.net.StandardSocketOptions
import java.nio.ByteBuffer
import java.nio.channels.SocketChannel

private const val BURST = 1000

/** `java.net.Socket` with buffered streams. */
object Streams {
    fun throughput(port: Int) = open(port) { input, output ->
        val payload = ByteArray(SIZE)
        val run = Throughput()
        repeat(IN_FLIGHT) { output.frame(payload) }
        output.flush()
        while (true) {
            input.frame()
            if (run.count(1)) break
            output.frame(payload)
            // As often as needed and no oftener: when the next read would wait.
            if (input.available() == 0) output.flush()
        }
        run.result()
    }

    fun roundTrip(port: Int) = open(port) { input, output ->
        val payload = ByteArray(SMALL)
        val trips = Trips()
        while (trips.next()) {
            output.frame(payload)
            output.flush()
            input.frame()
        }
        trips.result()
    }

    /** Into a buffer: a system call for some thousand of them. */
    fun call(port: Int) = open(port) { input, output ->
        val payload = ByteArray(SMALL)
        calls(BURST, { repeat(BURST) { output.frame(payload) } }, {
            output.flush()
            repeat(BURST) { input.frame() }
        })
    }

    private fun open(port: Int, measure: (DataInputStream, DataOutputStream) -> List<Double>): List<Double> =
        Socket("127.0.0.1", port).use { socket ->
            socket.tcpNoDelay = true
            measure(
                DataInputStream(socket.getInputStream().buffered(BUFFER)),
                DataOutputStream(socket.getOutputStream().buffered(BUFFER)),
            )
        }

    private fun DataOutputStream.frame(payload: ByteArray) {
        writeInt(payload.size)
        write(payload)
    }

    private fun DataInputStream.frame(): ByteArray = ByteArray(readInt()).also { readFully(it) }
}

/** A blocking `SocketChannel` with direct buffers, the fastest that the virtual machine itself has. */
object Nio {
    /** A system call for each message sent, as few as possible to receive. */
    fun throughput(port: Int) = open(port) { channel ->
        val frame = frame(SIZE)
        val read = Reader(channel)
        val run = Throughput()
        repeat(IN_FLIGHT) { channel.writeAll(frame) }
        while (true) {
            read.next()
            if (run.count(1)) break
            channel.writeAll(frame)
        }
        run.result()
    }

    /** As many messages to a write as one read brought: what a careful user would do by hand. */
    fun batched(port: Int) = open(port) { channel ->
        val frame = frame(SIZE)
        val batch = ByteBuffer.allocateDirect(IN_FLIGHT * frame.capacity())
        val read = Reader(channel)
        val run = Throughput()
        repeat(IN_FLIGHT) { batch.put(frame.rewind()) }
        channel.writeAll(batch)
        while (true) {
            var count = 0
            do {
                read.next()
                count++
            } while (read.hasMore())
            if (run.count(count)) break
            batch.clear()
            repeat(count) { batch.put(frame.rewind()) }
            channel.writeAll(batch.flip())
        }
        run.result()
    }

    fun roundTrip(port: Int) = open(port) { channel ->
        val frame = frame(SMALL)
        val read = Reader(channel)
        val trips = Trips()
        while (trips.next()) {
            channel.writeAll(frame)
            read.next()
        }
        trips.result()
    }

    fun call(port: Int) = open(port) { channel ->
        val frame = frame(SMALL)
        val read = Reader(channel)
        calls(BURST, { repeat(BURST) { channel.writeAll(frame) } }, { repeat(BURST) { read.next() } })
    }

    private fun open(port: Int, measure: (SocketChannel) -> List<Double>): List<Double> =
        SocketChannel.open(java.net.InetSocketAddress("127.0.0.1", port)).use { channel ->
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true)
            measure(channel)
        }

    private fun frame(size: Int): ByteBuffer = ByteBuffer.allocateDirect(HEADER + size).putInt(size).put(ByteArray(size)).flip()

    private fun SocketChannel.writeAll(buffer: ByteBuffer) {
        buffer.rewind()
        while (buffer.hasRemaining()) write(buffer)
    }

    /** Cuts messages out of what arrives, each an array of its own. */
    private class Reader(private val channel: SocketChannel) {
        private val buffer = ByteBuffer.allocateDirect(BUFFER).flip()

        fun next(): ByteArray {
            while (!hasMore()) {
                buffer.compact()
                check(channel.read(buffer) > 0)
                buffer.flip()
            }
            return ByteArray(buffer.getInt()).also { buffer.get(it) }
        }

        fun hasMore(): Boolean =
            buffer.remaining() >= HEADER && buffer.remaining() >= HEADER + buffer.getInt(buffer.position())
    }
}

/** ktor-network: coroutines over a selector. */
object Ktor {
    fun throughput(port: Int) = open(port) { input, output ->
        val payload = ByteArray(SIZE)
        val run = Throughput()
        repeat(IN_FLIGHT) { output.frame(payload) }
        output.flush()
        while (true) {
            input.frame()
            if (run.count(1)) break
            output.frame(payload)
            if (input.availableForRead < HEADER) output.flush()
        }
        run.result()
    }

    fun roundTrip(port: Int) = open(port) { input, output ->
        val payload = ByteArray(SMALL)
        val trips = Trips()
        while (trips.next()) {
            output.frame(payload)
            output.flush()
            input.frame()
        }
        trips.result()
    }

    private fun open(
        port: Int,
        measure: suspend (ByteReadChannel, ByteWriteChannel) -> List<Double>,
    ): List<Double> = runBlocking {
        SelectorManager(Dispatchers.IO).use { selector ->
            val socket = aSocket(selector).tcp().connect(InetSocketAddress("127.0.0.1", port)) { noDelay = true }
            socket.use { measure(it.openReadChannel(), it.openWriteChannel()) }
        }
    }

    private suspend fun ByteWriteChannel.frame(payload: ByteArray) {
        writeInt(payload.size)
        writeFully(payload)
    }

    private suspend fun ByteReadChannel.frame(): ByteArray = readByteArray(readInt())
}
