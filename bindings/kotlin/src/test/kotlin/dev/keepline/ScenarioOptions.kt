/** The options of a scenario: names of the contract's `config_fields`, as this library takes them. */
package dev.keepline

import org.json.JSONArray
import org.json.JSONObject
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds

/** Declares the options of a scenario. */
internal fun Config.declare(options: JSONObject) {
    if (options.has("heartbeat_payload")) heartbeat = heartbeat(options)
    for (name in options.keys()) {
        val time: () -> Duration = { options.getLong(name).milliseconds }
        val text: () -> String = { options.getString(name) }
        val count: () -> Long = { options.getLong(name) }
        when (name) {
            // Parts of one option, which was taken above.
            "heartbeat_payload", "heartbeat_reply", "heartbeat_interval_ms", "heartbeat_reply_within_ms" -> {}
            "profile" -> profile = named<Profile>(text())
            "framing" -> framing = framing(text().split(" "))
            "read_idle_ms" -> readIdle = time()
            "connect_per_address_ms" -> connectPerAddress = time()
            "connect_total_ms" -> connectTotal = time()
            "connect_within_ms" -> connectWithin = time()
            "backoff_first_spread_ms" -> backoff.firstSpread = time()
            "backoff_initial_ms" -> backoff.initial = time()
            "backoff_max_ms" -> backoff.max = time()
            "backoff_jitter" -> backoff.jitter = named<Jitter>(text())
            "max_attempts" -> maxAttempts = count().toInt()
            "auth_attempts" -> authAttempts = count().toInt()
            "while_down" -> whileDown = named<WhileDown>(text())
            "overflow" -> overflow = named<Overflow>(text())
            "outbox_messages" -> outbox.messages = count()
            "outbox_bytes" -> outbox.bytes = count()
            "outbox_age_ms" -> outbox.age = time()
            "inbox_bytes" -> inboxBytes = count()
            "frame_within_ms" -> frameWithin = time()
            "stall_limit_ms" -> stallLimit = time()
            "max_in_flight" -> maxInFlight = count()
            "correlation" -> correlation = Correlation.fifo().also { check(text() == "fifo") }
            "greeting" -> greeting = greeting(options.getJSONArray(name))
            "credentials" -> credentials = text().encodeToByteArray()
            "tls" -> tls { caPem = options.getJSONObject(name).optString("ca_pem", null) }
            "proxy" -> proxy = text()
            // A name, then the password for each number of refusals; throws where none is left.
            "proxy_credentials_hook" -> text().split(" ").let { login ->
                proxyCredentials { ProxyCredentials(login[0], login[1 + it.refusals]) }
            }
            "greeting_hook" -> throwing(text())
            "credentials_hook" -> credentials { check(text() != "throws") { "thrown" }; ByteArray(0) }
            // Taken by the player, which knows what was told.
            "on_event" -> {}
            else -> error("no option of scenarios: $name")
        }
    }
}

/** A greeting that throws: each time, or `once`, and then has nothing to say. */
private fun Config.throwing(how: String) {
    val threw = AtomicBoolean()
    onConnect { check(threw.getAndSet(true) && how == "throws once") { "thrown" } }
}

private fun heartbeat(options: JSONObject): Heartbeat {
    fun time(name: String) = if (options.has(name)) options.getLong(name).milliseconds else null
    val reply = if (options.has("heartbeat_reply")) Matcher.exact(options.getString("heartbeat_reply").encodeToByteArray()) else null
    return Heartbeat(
        options.getString("heartbeat_payload"), reply, time("heartbeat_interval_ms"), time("heartbeat_reply_within_ms"),
    )
}

/** `lines`, `resp` or `raw`, with the longest message after it. */
private fun framing(words: List<String>): Framing {
    val max = words.getOrNull(1)?.toLong()
    return when (words[0]) {
        "raw" -> Framing.raw()
        "lines" -> Framing.lines(max)
        "resp" -> Framing.resp(max)
        else -> error("no framing of scenarios: $words")
    }
}

/** Steps such as `send HELLO`, `expect WELCOME`, `refused DENIED`, `send_credentials`. */
private fun greeting(steps: JSONArray): Greeting = steps.fold(Greeting()) { greeting, step ->
    val verb = "$step".substringBefore(" ")
    val frame = "$step".substringAfter(" ", "").encodeToByteArray()
    when (verb) {
        "send" -> greeting.send(frame)
        "send_credentials" -> greeting.sendCredentials(frame)
        "expect" -> greeting.expect(frame)
        "refused" -> greeting.refused(Matcher.exact(frame))
        else -> error("no step of a greeting: $step")
    }
}
