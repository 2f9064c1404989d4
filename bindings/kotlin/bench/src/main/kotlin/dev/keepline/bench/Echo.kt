/** What the clients talk to. */
package dev.keepline.bench

import java.io.IOException
import java.net.InetSocketAddress
import java.net.StandardSocketOptions
import java.nio.ByteBuffer
import java.nio.channels.ServerSocketChannel

/** Tells its port and echoes one connection after the other, a large piece at a time, until it is killed. */
fun serveEcho() {
    val listener = ServerSocketChannel.open().bind(InetSocketAddress("127.0.0.1", 0))
    println((listener.localAddress as InetSocketAddress).port)
    val buffer = ByteBuffer.allocateDirect(1 shl 20)
    while (true) {
        listener.accept().use { connection ->
            connection.setOption(StandardSocketOptions.TCP_NODELAY, true)
            try {
                while (connection.read(buffer.clear()) > 0) {
                    buffer.flip()
                    while (buffer.hasRemaining()) connection.write(buffer)
                }
            } catch (_: IOException) {
                // The client went without a word.
            }
        }
    }
}
