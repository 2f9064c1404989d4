/**
 * Writes a beat to Redis five times a second, and knows in the end what became of each.
 *
 * `SurviveARestart localhost:6379 [COUNT [MILLISECONDS]]`: stop the server, start it again, and the beats go on by themselves.
 * The last beat prints the sum.
 */
@file:JvmName("SurviveARestart")

package examples.restart

import dev.keepline.Client
import dev.keepline.Event
import dev.keepline.Framing
import dev.keepline.Heartbeat
import dev.keepline.Keepline
import dev.keepline.Matcher
import dev.keepline.Outcome
import dev.keepline.Receipt
import dev.keepline.Unsolicited
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.launch
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

suspend fun main(arguments: Array<String>) = coroutineScope {
    val count = arguments.getOrNull(1)?.toInt() ?: 1_000_000
    val every = (arguments.getOrNull(2)?.toInt() ?: 200).milliseconds

    val client = Keepline.connect(arguments[0]) {
        framing = Framing.resp()
        heartbeat = Heartbeat("PING\r\n", Matcher.exact("+PONG\r\n".encodeToByteArray()), 1.seconds, 2.seconds)
        // Nobody here waits for the replies: the receipts say what became of each beat.
        unsolicited = Unsolicited.Discard
    }
    val telling = launch { tell(client.events) }
    val receipts = beat(client, count, every)
    // What still waits has five seconds to leave.
    client.close(5.seconds)
    telling.join()
    val outcomes = receipts.map { it.outcome() }
    println("${outcomes.size} beats: " + Outcome.entries.joinToString(" ") { told -> "${outcomes.count { it == told }} $told" })
}

private suspend fun beat(client: Client, count: Int, every: kotlin.time.Duration): List<Receipt> = List(count) { number ->
    client.sendTracked("SET beat $number\r\n".encodeToByteArray()).also { delay(every) }
}

/** Says what a user would tell a friend. */
private suspend fun tell(events: Flow<Event>) = events.collect { event ->
    when (event) {
        is Event.Connected -> println("connected #${event.epoch} after ${event.after}")
        is Event.Disconnected -> event.retryIn?.let { println("lost (${event.cause}), next attempt in $it") }
        // The rest is for a closer look.
        else -> {}
    }
}
