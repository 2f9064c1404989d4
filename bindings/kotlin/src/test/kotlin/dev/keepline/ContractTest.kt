package dev.keepline

import org.json.JSONObject
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import java.io.File
import java.lang.reflect.Modifier

/** Names and defaults are those of every other language: read by reflection, compared with the contract of the core. */
class ContractTest {
    private val contract = JSONObject(File(System.getProperty("keepline.contract")).readText())

    @Test
    fun `every kind of name has exactly the names of the contract`() {
        val kinds = mapOf(
            "profile_names" to Profile.entries, "states" to State.entries, "outcomes" to Outcome.entries,
            "acked_by" to AckedBy.entries, "causes" to Cause.entries, "detectors" to Detector.entries,
            "hints" to Hint.entries, "suspicions" to Suspicion.entries, "transitions" to Transition.entries,
            "while_down" to WhileDown.entries, "overflow" to Overflow.entries, "unsolicited" to Unsolicited.entries,
            "jitters" to Jitter.entries, "addresses" to Addresses.entries, "endpoint_orders" to EndpointOrder.entries,
            "endians" to Endian.entries, "network_kinds" to NetworkKind.entries, "stages" to Stage.entries,
            "findings" to Finding.entries,
        )
        for ((kind, names) in kinds) assertEquals(listed(kind), names.map { it.wireName }, kind)
    }

    @Test
    fun `events and their fields are those of the contract`() {
        val told = contract.getJSONObject("event_fields")
        val classes = Event::class.sealedClassesByName()
        assertEquals(listed("events").toSet(), classes.keys)
        for ((name, fields) in classes) assertEquals(strings(told.getJSONArray(name)), fields, name)
    }

    @Test
    fun `exceptions are the kinds of the contract`() {
        val kinds = KeeplineException::class.java.declaredClasses
            .filter { KeeplineException::class.java.isAssignableFrom(it) }
            .map { snake(it.simpleName) }
        assertEquals(listed("error_kinds").toSet(), kinds.toSet())
    }

    @Test
    fun `options are those of the contract`() {
        // What is nested here and flat there: `backoff_max_ms` is `backoff.max`.
        val nested = mapOf("Heartbeat" to "heartbeat", "Backoff" to "backoff", "Outbox" to "outbox")
        val flat = fieldsOf(Config::class.java).minus("hooks").flatMap { field ->
            val part = nested.entries.find { it.value == field }
            if (part == null) listOf(field) else fieldsOf(Class.forName("dev.keepline.${part.key}")).map { "${field}_$it" }
        }.flatMap { if (it == "keepalive") listOf("keepalive_idle", "keepalive_interval", "keepalive_retries") else listOf(it) }
        // A hook is no value of the configuration: the flag that tells of it belongs to the border.
        val wanted = listed("config_fields").map { it.removeSuffix("_ms") }
            .filterNot { it.endsWith("_off") || it.endsWith("_hook") }
        assertEquals(wanted.toSet(), flat.toSet())
        assertEquals(listed("tls_fields").toSet(), fieldsOf(Tls::class.java).toSet())
    }

    @Test
    fun `stats and reports have the fields of the contract`() {
        fun plain(key: String) = listed(key).map { it.removeSuffix("_ms").removeSuffix("_us") }.toSet()
        assertEquals(plain("stats_fields"), fieldsOf(Stats::class.java).toSet())
        assertEquals(plain("report_fields"), fieldsOf(Report::class.java).toSet())
        assertEquals(plain("report_entry_fields"), fieldsOf(ReportEntry::class.java).toSet())
        assertEquals(plain("kernel_figures"), fieldsOf(KernelFigures::class.java).toSet())
        assertEquals(plain("bounds"), fieldsOf(DetectionBounds::class.java).toSet())
    }

    @Test
    fun `defaults of every profile are those of the contract`() {
        for (profile in Profile.entries) {
            val wanted = contract.getJSONObject("profiles").getJSONObject(profile.wireName)
            val plain = Keepline.defaults(profile)
            assertDefaults(wanted.getJSONObject("plain"), plain, "$profile")
            val beating = Config().apply { this.profile = profile; heartbeat = Heartbeat("PING") }.resolve().config
            assertDefaults(wanted.getJSONObject("with_heartbeat"), beating, "$profile with a heartbeat")
            // What is decided is taken back as it is.
            assertDefaults(wanted.getJSONObject("plain"), plain.resolve().config, "$profile, twice")
        }
    }

    /** Every value, through the record that goes back to the core. */
    private fun assertDefaults(wanted: JSONObject, config: Config, what: String) {
        val record = config.declared()
        for (field in wanted.keys()) {
            val getter = record.javaClass.methods.first { it.name.substringBefore('-') == "get" + camel(field) }
            assertEquals(shown(wanted.opt(field)), shown(getter.invoke(record)), "$what: $field")
        }
    }

    private fun shown(value: Any?): String = when (value) {
        null, JSONObject.NULL -> "nothing"
        is ByteArray -> value.map { it.toInt() and 255 }.toString()
        is org.json.JSONArray -> value.toList().toString()
        is JSONObject -> camel(value.getString("kind"))
        is Number -> if (value.toDouble() % 1.0 == 0.0) value.toLong().toString() else value.toString()
        is dev.keepline.internal.ffi.FramingRecord, is dev.keepline.internal.ffi.MatcherRecord ->
            value.javaClass.simpleName
        else -> value.toString()
    }

    private fun listed(kind: String): List<String> = contract.getJSONArray(kind).map { it.toString() }

    private fun strings(array: org.json.JSONArray): Set<String> = array.map { it.toString().removeSuffix("_ms") }.toSet()

    private fun fieldsOf(type: Class<*>): List<String> = type.declaredFields
        .filterNot { Modifier.isStatic(it.modifiers) || it.isSynthetic }
        .map { snake(it.name) }

    private fun kotlin.reflect.KClass<Event>.sealedClassesByName(): Map<String, Set<String>> = java.declaredClasses
        .filter { Event::class.java.isAssignableFrom(it) }
        .associate { snake(it.simpleName) to fieldsOf(it).toSet() }

    private fun snake(name: String): String =
        name.replaceFirstChar { it.lowercase() }.replace(Regex("[A-Z]")) { "_" + it.value.lowercase() }

    private fun camel(name: String): String = name.split('_').joinToString("") { it.replaceFirstChar(Char::uppercase) }
}
