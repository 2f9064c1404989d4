/** From figures to tables: medians, and ratios taken inside a round. */
package dev.keepline.bench

import java.io.File
import java.time.LocalDate
import java.time.ZoneOffset
import java.time.format.DateTimeFormatter
import java.util.Locale
import kotlin.system.exitProcess

/** By kind of measurement the rounds; by name what was measured. */
typealias Results = Map<Kind, List<Map<String, List<Double>>>>

/** A kind of measurement: what is told of it, and what it is compared with. */
enum class Kind(val label: String, val heads: List<String>, val reference: String) {
    Throughput("throughput", listOf("thousand messages/s", "CPU us a message"), "NIO channel, a write for each message"),
    RoundTrip("round trip", listOf("p50, us", "p99, us", "CPU us"), "NIO channel"),
    Call("call", listOf("CPU ns"), "NIO channel, `write`"),
}

/** One kind as a table: medians, and how many times the figure of what it is compared with. */
fun table(kind: Kind, rounds: List<Map<String, List<Double>>>): String {
    val heads = kind.heads + "times ${kind.reference.substringBefore(',')}"
    val lines = mutableListOf("| ${kind.label} | ${heads.joinToString(" | ")} |", "| --- |" + " ---: |".repeat(heads.size))
    for (name in rounds.first().keys) {
        val figures = kind.heads.indices.map { column -> shown(median(rounds.map { it.getValue(name)[column] })) }
        val ratio = median(rounds.map { it.getValue(name)[0] / it.getValue(kind.reference)[0] })
        lines += "| $name | ${figures.joinToString(" | ")} | ${"%.2f".format(Locale.ROOT, ratio)} |"
    }
    return lines.joinToString("\n", postfix = "\n")
}

/** Puts the tables between the marks of a page. */
fun write(page: File, results: Results, machine: String) {
    val today = LocalDate.now(ZoneOffset.UTC).format(DateTimeFormatter.ofPattern("d MMMM yyyy", Locale.ROOT))
    var text = page.readText()
    val blocks = mapOf("machine" to "Measured on $today, in one run: $machine.\n") +
        results.map { (kind, rounds) -> kind.label.replace(' ', '-') to table(kind, rounds) }
    for ((name, body) in blocks) {
        val (begin, end) = "<!-- $name: begin -->\n" to "<!-- $name: end -->"
        val before = text.substringBefore(begin, "")
        val after = text.substringAfter(begin).substringAfter(end, "")
        if (before.isEmpty() || after.isEmpty()) stop("$page has no place for `$name`")
        text = before + begin + body + end + after
    }
    page.writeText(text)
}

/** What was measured on, as kinds, and how busy it was before. */
fun machine(): String {
    val model = File("/proc/cpuinfo").readLines().firstOrNull { it.startsWith("model name") }?.substringAfter(": ")
    val load = File("/proc/loadavg").readText().substringBefore(' ')
    val kernel = System.getProperty("os.version").substringBefore('-')
    return "${Runtime.getRuntime().availableProcessors()} cores (${model ?: "unknown processor"}), Linux $kernel, " +
        "Java ${System.getProperty("java.version")}; $load programs were running on it before"
}

fun stop(why: String): Nothing {
    System.err.println("error: $why")
    exitProcess(1)
}

private fun median(values: List<Double>): Double = values.sorted().let { (it[it.size / 2] + it[(it.size - 1) / 2]) / 2 }

private fun shown(value: Double): String = when {
    value >= 100 -> "%,.0f".format(Locale.ROOT, value)
    value >= 10 -> "%.1f".format(Locale.ROOT, value)
    else -> "%.2f".format(Locale.ROOT, value)
}
