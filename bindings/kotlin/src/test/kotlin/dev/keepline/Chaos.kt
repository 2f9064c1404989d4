/** The chaos server of the testkit, as a program of its own: real servers, and proxies that do harm on request. */
package dev.keepline

import java.io.BufferedReader
import java.io.BufferedWriter
import java.util.concurrent.TimeUnit

/** One run of `keepline-chaos`; it ends with this, and everything it started with it. */
class Chaos : AutoCloseable {
    private val process = ProcessBuilder(System.getProperty("keepline.chaos"))
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start()
    private val commands: BufferedWriter = process.outputStream.bufferedWriter()
    private val answers: BufferedReader = process.inputStream.bufferedReader()

    /** Runs one command and returns the words after `ok`. */
    @Synchronized
    fun tell(command: String): String {
        commands.write(command + "\n")
        commands.flush()
        val answer = answers.readLine() ?: error("keepline-chaos has ended")
        check(answer.startsWith("ok")) { "$command: $answer" }
        return answer.removePrefix("ok").trim()
    }

    override fun close() {
        commands.close()
        if (!process.waitFor(5, TimeUnit.SECONDS)) process.destroyForcibly()
    }
}

/** Runs a test with a chaos server of its own. */
suspend fun withChaos(test: suspend (Chaos) -> Unit) {
    val chaos = Chaos()
    try {
        test(chaos)
    } finally {
        chaos.close()
    }
}
