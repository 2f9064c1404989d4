/**
 * Clients on the virtual machine beside each other: a process each, interleaved rounds, medians of ratios taken inside a round.
 *
 *     tools/bench_kotlin.sh                  measures everything and prints the tables
 *     tools/bench_kotlin.sh --write          puts them into docs/explain/speed-kotlin.md besides
 *     tools/bench_kotlin.sh --rounds 3 --only "round trip"
 */
package dev.keepline.bench

import java.io.File
import java.util.concurrent.TimeUnit

/** Odd, so that the median is one that was measured. */
private const val ROUNDS = 5

/** Two minutes: a case takes some four seconds. */
private const val LIMIT_SECONDS = 120L

/** What is measured: by kind and name, a function of the server's port. */
private val cases: Map<Kind, Map<String, (Int) -> List<Double>>> = mapOf(
    Kind.Throughput to mapOf(
        "keepline, `trySendMany` and `receiveMany`" to Ours::batches,
        "keepline, `trySend` and `receiveMany`" to Ours::sentSingly,
        "keepline, `send` and `messages` (a `Flow`)" to Ours::flow,
        "keepline, `async()`: Java's futures" to Ours::futures,
        "NIO channel, a write for each message" to Nio::throughput,
        "NIO channel, batched by hand" to Nio::batched,
        "`Socket`, buffered streams" to Streams::throughput,
        "ktor-network" to Ktor::throughput,
    ),
    Kind.RoundTrip to mapOf(
        "keepline, `trySend` and `receive`" to Ours::roundTrip,
        "keepline, `request`" to Ours::request,
        "keepline, `async().request`: Java's futures" to Ours::requestByFuture,
        "NIO channel" to Nio::roundTrip,
        "`Socket`, buffered streams" to Streams::roundTrip,
        "ktor-network" to Ktor::roundTrip,
    ),
    Kind.Call to mapOf(
        "keepline, `trySend`" to Ours::call,
        "keepline, `trySendMany` of 100, for each message" to Ours::callOfBatches,
        "NIO channel, `write`" to Nio::call,
        "`Socket`, into a buffer" to Streams::call,
    ),
)

fun main(arguments: Array<String>) {
    when (arguments.firstOrNull()) {
        "echo" -> return serveEcho()
        "case" -> return measure(arguments)
    }
    val rounds = arguments.after("--rounds")?.toInt() ?: ROUNDS
    val only = arguments.after("--only")
    val page = arguments.after("--page")
    val before = machine()
    val results = withEcho { port ->
        Kind.entries.filter { only == null || only == it.label }.associateWith { kind ->
            List(rounds) { round(kind, port) }.also { println(table(kind, it)) }
        }
    }
    if ("--write" in arguments) write(File(page ?: stop("--page names the page")), results, before)
}

/** One case, in a process of its own. */
private fun measure(arguments: Array<String>) {
    val (_, kind, name, port) = arguments
    println(cases.getValue(Kind.valueOf(kind)).getValue(name)(port.toInt()).joinToString(" "))
}

/** Every case once, in a new order. */
private fun round(kind: Kind, port: Int): Map<String, List<Double>> {
    val names = cases.getValue(kind).keys
    val taken = names.shuffled().associateWith { run(kind, it, port) }
    return names.associateWith(taken::getValue)
}

private fun run(kind: Kind, name: String, port: Int): List<Double> {
    val place = when (kind) {
        Kind.Throughput -> pinnedTo(CLIENT_CPU)
        Kind.RoundTrip -> pinnedTo(SERVER_CPU)
        Kind.Call -> emptyList()
    }
    val process = start(place, "case", kind.name, name, "$port")
    if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly()
        stop("$name does not end")
    }
    val told = process.inputReader().readText().trim()
    if (process.exitValue() != 0) stop("$name failed: $told")
    return told.split(' ').map(String::toDouble)
}

private fun <R> withEcho(use: (Int) -> R): R {
    val server = start(pinnedTo(SERVER_CPU), "echo")
    try {
        return use(server.inputReader().readLine().toInt())
    } finally {
        server.destroyForcibly().waitFor()
    }
}

/** This program again, with these words. */
private fun start(place: List<String>, vararg words: String): Process {
    val java = "${System.getProperty("java.home")}/bin/java"
    val command = place + listOf(java, "-Xmx512m", "-cp", System.getProperty("java.class.path"), "dev.keepline.bench.MainKt") + words
    return ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start()
}

private fun Array<String>.after(name: String): String? = indexOf(name).takeIf { it >= 0 }?.let { getOrNull(it + 1) }
