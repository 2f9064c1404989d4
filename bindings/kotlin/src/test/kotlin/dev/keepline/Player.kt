/** Plays the steps of one scenario with a client of its own and a chaos program of its own. */
package dev.keepline

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.cancel
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.channels.ReceiveChannel
import kotlinx.coroutines.channels.produce
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import org.json.JSONObject
import java.lang.ref.WeakReference
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** What came of an action, as words. */
private typealias Told = List<String>

/** 15 s for whatever a step waits for: a slow machine, not a hanging client. */
private val SOON = 15.seconds

/** 2 ms between two looks at something that nobody announces. */
private val LOOK = 2.milliseconds

private val DONE = listOf("done")

/** The actors of one scenario. */
class Player(private val options: JSONObject) : AutoCloseable {
    private val chaos = Chaos()

    init {
        val tls = options.optJSONObject("tls")
        if (tls?.optString("ca") == "chaos") {
            val certificate = chaos.tell("authority chaos")
            tls.put("ca_pem", "-----BEGIN CERTIFICATE-----\n$certificate\n-----END CERTIFICATE-----\n")
        }
        if (options.has("proxy")) {
            options.put("proxy", "http://" + chaos.tell("http-proxy proxy ${options.getString("proxy")}"))
        }
    }

    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.IO)
    private val receipts = HashMap<String, Receipt>()
    private val begun = HashMap<String, Deferred<Told>>()
    private val toldOf = CopyOnWriteArrayList<String>()
    private var client: Client? = null
    private var events: Lazy<ReceiveChannel<Event>>? = null

    /** Plays a step, and compares what came of it with what is expected. */
    suspend fun step(step: String) {
        if (step.startsWith("repeat ")) {
            val (head, body) = step.split(":", limit = 2)
            repeat(words(head)[1].toInt()) { for (inner in body.split(";")) step(inner.trim()) }
            return
        }
        val action = words(step.substringBefore("->"))
        val expected = words(step.substringAfter("->", ""))
        if (action[0] == "event") return event(action.getOrNull(2)?.split(",").orEmpty(), expected)
        val told = orError { act(action) }
        check(isMet(expected, told)) { "came to $told" }
    }

    override fun close() {
        scope.cancel()
        client?.abort()
        chaos.close()
    }

    private suspend fun act(action: List<String>): Told {
        val rest = action.drop(1)
        when (action[0]) {
            "chaos" -> return words(tell(rest.joinToString(" ")))
            "connect" -> take(Keepline.connect(addressOf(rest[0])) { declare() })
            "start" -> take(Keepline.start(addressOf(rest[0])) { declare() })
            "begin" -> {
                val address = if (rest[1] == "connect") addressOf(rest[2]) else null
                val living = if (address == null) living() else null
                begun[rest[0]] = scope.async {
                    orError {
                        if (address == null) wait(living!!, rest.drop(1))
                        else DONE.also { Keepline.connect(address) { declare() } }
                    }
                }
            }
            "cancel" -> {
                val task = begun.remove(rest[0])!!
                // It waits by now, or has never begun; both are cancelled.
                delay(LOOK)
                task.cancelAndJoin()
                check(task.isCancelled) { "it was not cancelled" }
            }
            "end" -> return withTimeout(SOON) { begun.remove(rest[0])!!.await() }
            "track" -> receipts[rest[0]] = living().sendTracked(payload(rest[1]), SOON, "idempotent" in rest)
            "outcome" -> return listOf(withTimeout(SOON) { receipts.getValue(rest[0]).outcome() }.wireName)
            "try-send" -> living().trySend(payload(rest[0]), "idempotent" in rest)
            "state" -> until { it.state.value.wireName == rest[0] }
            "read" -> until { it.stats().bytesIn >= rest[0].toLong() }
            "count" -> return listOf("${count(living().stats().messages, rest[0])}")
            "network" -> living().networkChanged(
                if (rest[0] == "unknown") null else NetworkPath(rest[0].toLong(), available = "lost" !in rest),
            )
            "pause" -> living().pause()
            "resume" -> living().resume()
            "background" -> living().enterBackground()
            "foreground" -> living().enterForeground()
            "called-back" -> until { rest[0] in toldOf }
            "reconnect" -> living().reconnect()
            "abort" -> living().abort()
            "go-away" -> living().goAway(rest[0].toInt().milliseconds)
            "drop" -> drop()
            else -> return wait(living(), action)
        }
        return DONE
    }

    /** What waits, and so can be begun and cancelled. */
    private suspend fun wait(client: Client, action: List<String>): Told {
        val rest = action.drop(1)
        when (action[0]) {
            "send" -> client.send(payload(rest[0]), millis(rest.drop(rest.indexOf("within") + 1).takeIf { "within" in rest }), "idempotent" in rest)
            "request" -> return listOf(client.request(payload(rest[0]), millis(rest.drop(1))).decodeToString())
            "receive" -> return client.receive(millis(rest))?.let { listOf(it.text(), "epoch=${it.epoch}") } ?: listOf("end")
            "close" -> return ofEnding(client.close(millis(rest)))
            "closed" -> return ofEnding(withTimeout(SOON) { client.closed() })
            else -> error("no such action")
        }
        return DONE
    }

    /** The next event must be the expected one; those of [past] may come before it. */
    private suspend fun event(past: List<String>, expected: List<String>) {
        while (true) {
            val event = withTimeout(SOON) { events!!.value.receiveCatching().getOrNull() }
            val told = event?.let(::ofEvent) ?: listOf("none")
            if (isMet(expected, told)) return
            check(told[0] in past) { "came to $told" }
        }
    }

    private fun Config.declare() {
        declare(options)
        val told = toldOf
        if (options.has("on_event")) onEvent { told += it.name; error("thrown") }
    }

    private fun take(made: Client) {
        client = made
        events = reading(made.events, scope)
    }

    /** Lets go of the client; the machine is asked until it has collected it. */
    private suspend fun drop() {
        val gone = WeakReference(client)
        client = null
        withTimeout(SOON) { while (gone.get() != null) { System.gc(); delay(LOOK) } }
    }

    private suspend fun until(reached: (Client) -> Boolean) =
        withTimeout(SOON) { while (!reached(living())) delay(LOOK) }

    private suspend fun addressOf(name: String): String = tell("address $name")

    private suspend fun tell(command: String): String = withContext(Dispatchers.IO) { chaos.tell(command) }

    private fun living(): Client = client ?: error("there is no client")
}

/** One event at a time, from the first on. In a function of its own, so that it holds no client. */
@OptIn(ExperimentalCoroutinesApi::class)
private fun reading(events: Flow<Event>, scope: CoroutineScope): Lazy<ReceiveChannel<Event>> =
    lazy { scope.produce(capacity = Channel.RENDEZVOUS) { events.collect { send(it) } } }

private suspend fun orError(act: suspend () -> Told): Told =
    try {
        act()
    } catch (error: CancellationException) {
        throw error
    } catch (error: KeeplineException) {
        listOfNotNull(
            "error=${error.kind}", error.reason?.let { "cause=$it" }, "maybe_executed".takeIf { error.maybeExecuted },
        )
    }

/** Every expected word was told. Where nothing is expected, an error is a failure. */
private fun isMet(expected: List<String>, told: Told): Boolean =
    if (expected.isEmpty()) told.none { it.startsWith("error=") } else told.containsAll(expected)

private fun words(text: String): List<String> = text.split(" ").filter { it.isNotEmpty() }

/** The word itself, or `fill:COUNT` for so many letters. */
private fun payload(word: String): ByteArray =
    (if (word.startsWith("fill:")) "x".repeat(word.removePrefix("fill:").toInt()) else word).encodeToByteArray()

private fun millis(words: List<String>?): Duration = words?.firstOrNull()?.toInt()?.milliseconds ?: SOON

private fun count(counts: MessageCounts, field: String): Long = when (field) {
    "accepted" -> counts.accepted
    "acked" -> counts.acked
    "not_sent" -> counts.notSent
    "unknown" -> counts.unknown
    "expired" -> counts.expired
    "queued" -> counts.queued
    else -> error("no such count: $field")
}

private fun ofEnding(ending: Ending): Told = ofEnding(ending.cause, ending.detector, ending.hint)

private fun ofEnding(cause: Cause, detector: Detector?, hint: Hint?): Told = listOfNotNull(
    "cause=${cause.wireName}", detector?.let { "detector=${it.wireName}" }, hint?.let { "hint=${it.wireName}" },
)

private fun ofEvent(event: Event): Told = listOf(event.name) + when (event) {
    is Event.Connecting -> listOf("epoch=${event.epoch}")
    is Event.Connected -> listOf("epoch=${event.epoch}")
    is Event.Recovered -> listOf("epoch=${event.epoch}")
    is Event.Stalled -> listOf("epoch=${event.epoch}")
    is Event.InboxFull -> listOf("epoch=${event.epoch}")
    is Event.Suspect -> listOf("epoch=${event.epoch}", "evidence=${event.evidence.wireName}")
    is Event.Disconnected -> listOf(
        "epoch=${event.epoch}", "failures=${event.failures}", "retries=${if (event.retryIn == null) "no" else "yes"}",
    ) + ofEnding(event.cause, event.detector, event.hint)
    is Event.Missed -> listOf("count=${event.count}", "state=${event.state.wireName}")
    is Event.Closed -> ofEnding(event.cause, event.detector, event.hint)
    is Event.Offline, is Event.Paused, is Event.Resumed -> emptyList()
}
