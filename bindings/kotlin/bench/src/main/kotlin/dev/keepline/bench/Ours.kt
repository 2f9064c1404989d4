/** Keepline in each of the ways it is used. */
package dev.keepline.bench

import dev.keepline.Client
import dev.keepline.Correlation
import dev.keepline.Framing
import dev.keepline.Keepline
import kotlinx.coroutines.flow.takeWhile
import kotlinx.coroutines.runBlocking
import java.time.Duration
import kotlin.time.Duration.Companion.seconds

/** Calls of one burst: far below what the outbox holds, far above what the clock can tell apart. */
private const val BURST = 1000

/** Messages to a batch in the measurement of calls. */
private const val BATCH = 100

object Ours {
    /** Whole batches both ways. */
    fun batches(port: Int) = withClient(port) { client ->
        val batch = List(IN_FLIGHT) { ByteArray(SIZE) }
        val run = Throughput()
        client.trySendMany(batch)
        while (true) {
            val received = client.receiveMany(IN_FLIGHT)
            if (run.count(received.size)) break
            client.trySendMany(batch.subList(0, received.size))
        }
        run.result()
    }

    /** A call for each message sent, batches received. */
    fun sentSingly(port: Int) = withClient(port) { client ->
        val payload = ByteArray(SIZE)
        val run = Throughput()
        repeat(IN_FLIGHT) { client.trySend(payload) }
        while (true) {
            val received = client.receiveMany(IN_FLIGHT)
            if (run.count(received.size)) break
            repeat(received.size) { client.trySend(payload) }
        }
        run.result()
    }

    /** The flow, and a suspending `send` for each message. */
    fun flow(port: Int) = withClient(port) { client ->
        val payload = ByteArray(SIZE)
        val run = Throughput()
        repeat(IN_FLIGHT) { client.send(payload) }
        client.messages.takeWhile { !run.count(1) }.collect { client.send(payload) }
        run.result()
    }

    /** As Java uses it: a future for each message received, and for each one sent. */
    fun futures(port: Int) = withClient(port) { client ->
        val payload = ByteArray(SIZE)
        val calls = client.async()
        val run = Throughput()
        repeat(IN_FLIGHT) { calls.send(payload).get() }
        while (true) {
            calls.receive().get()
            if (run.count(1)) break
            calls.send(payload).get()
        }
        run.result()
    }

    fun roundTrip(port: Int) = withClient(port) { client ->
        val payload = ByteArray(SMALL)
        val trips = Trips()
        while (trips.next()) {
            client.trySend(payload)
            client.receive()
        }
        trips.result()
    }

    fun request(port: Int) = withClient(port, { correlation = Correlation.fifo() }) { client ->
        val payload = ByteArray(SMALL)
        val trips = Trips()
        while (trips.next()) client.request(payload, 5.seconds)
        trips.result()
    }

    fun requestByFuture(port: Int) = withClient(port, { correlation = Correlation.fifo() }) { client ->
        val payload = ByteArray(SMALL)
        val calls = client.async()
        val trips = Trips()
        while (trips.next()) calls.request(payload, Duration.ofSeconds(5)).get()
        trips.result()
    }

    fun call(port: Int) = withClient(port) { client ->
        val payload = ByteArray(SMALL)
        calls(BURST, { repeat(BURST) { client.trySend(payload) } }, { drain(client) })
    }

    fun callOfBatches(port: Int) = withClient(port) { client ->
        val batch = List(BATCH) { ByteArray(SMALL) }
        calls(BURST, { repeat(BURST / BATCH) { client.trySendMany(batch) } }, { drain(client) })
    }

    private suspend fun drain(client: Client) {
        var left = BURST
        while (left > 0) left -= client.receiveMany(left).size
    }

    private fun withClient(
        port: Int,
        configure: dev.keepline.Config.() -> Unit = {},
        measure: suspend (Client) -> List<Double>,
    ): List<Double> = runBlocking {
        Keepline.connect("127.0.0.1:$port") {
            framing = Framing.lengthPrefixed(HEADER)
            configure()
        }.use { measure(it) }
    }
}
