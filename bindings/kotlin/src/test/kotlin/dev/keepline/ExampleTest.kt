package dev.keepline

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread

/** The programs of examples/kotlin, each against a real server that is killed and started again in the middle. */
class ExampleTest {
    @TempDir
    lateinit var directory: File

    @Test
    fun `every beat has an outcome though Redis is killed in the middle`(): Unit = redis().use { redis ->
        Running("examples.restart.SurviveARestart", redis.address, "100", "20").use { program ->
            program.says("connected #1")
            redis.kill()
            program.says("lost (")
            redis.start()
            program.says("connected #")
            val sum = program.says("100 beats:")
            assertTrue(" 0 not_sent " in sum && sum.endsWith(" 0 expired"), sum)
            assertEquals(0, program.status())
        }
    }

    @Test
    fun `values are unknown while the controller is away and fresh afterwards`(): Unit = modbus().use { modbus ->
        Running("examples.modbus.ModbusPoller", modbus.address, "3", "50").use { program ->
            program.says("register 3 is 3")
            modbus.kill()
            program.says("register 3 is not known: unavailable")
            modbus.start()
            program.says("register 3 is 3")
        }
    }

    @Test
    fun `line client logs in again before what was typed meanwhile`(): Unit = redis("--requirepass", "secret").use { redis ->
        Running("examples.line.LineClient", redis.address).use { program ->
            program.says("* logged in #1")
            program.type("SET a 1")
            program.says("+OK")
            redis.kill()
            program.says("* lost (")
            program.type("INCR b")
            redis.start()
            // Refused with NOAUTH if it came before the login.
            program.says(":1")
            program.endInput()
            assertEquals(0, program.status())
        }
    }

    @Test
    fun `line client ends when its login is refused`(): Unit = redis("--requirepass", "other").use { redis ->
        Running("examples.line.LineClient", redis.address).use { program ->
            program.says("* over: greeting.auth")
            assertEquals(1, program.status())
        }
    }

    @Test
    fun `index names every program`() {
        val examples = repository.resolve("examples/kotlin")
        val index = examples.resolve("README.md").readText()
        val programs = examples.list()!!.filter { it.endsWith(".kt") }
        assertEquals(3, programs.size)
        for (program in programs) assertTrue("($program)" in index, program)
    }

    private fun redis(vararg more: String) = Server {
        listOf("redis-server", "--port", "$it", "--bind", "127.0.0.1", "--save", "", "--dir", "$directory") + more
    }

    private fun modbus(): Server {
        val python = repository.resolve("target/venv/bin/python").path
        val script = repository.resolve("core/testkit/servers/modbus_server.py").path
        return Server { listOf(python, script, "--port", "$it", "--log", "${directory.resolve("log")}") }
    }

    /** A server on a port that stays the same when it is started again. */
    private class Server(private val command: (Int) -> List<String>) : AutoCloseable {
        private val port = ServerSocket(0, 1, InetAddress.getLoopbackAddress()).use { it.localPort }
        private var process: Process? = null
        val address = "127.0.0.1:$port"

        init {
            start()
        }

        /** Starts it, and returns when it accepts connections. */
        fun start() {
            val begun = ProcessBuilder(command(port)).redirectOutput(ProcessBuilder.Redirect.DISCARD).start()
            process = begun
            repeat(2000) {
                if (runCatching { Socket(InetAddress.getLoopbackAddress(), port).close() }.isSuccess) return
                check(begun.isAlive) { "${command(port)} has ended" }
                Thread.sleep(10)
            }
            error("${command(port)} does not answer")
        }

        /** Ends it as a crash does. */
        fun kill() {
            process?.destroyForcibly()?.waitFor()
        }

        override fun close() = kill()
    }

    /** A program that runs, and what it says. */
    private class Running(name: String, vararg arguments: String) : AutoCloseable {
        private val process = ProcessBuilder(command(name) + arguments)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .apply { environment()["LINE_CLIENT_SECRET"] = "secret" }
            .start()
        private val input = process.outputStream.bufferedWriter()
        private val said = LinkedBlockingQueue<String>()

        init {
            thread(isDaemon = true) {
                process.inputStream.bufferedReader().forEachLine(said::add)
                said += ENDED
            }
        }

        /** Reads up to a line that begins so. */
        fun says(words: String): String {
            while (true) {
                val line = said.poll(40, TimeUnit.SECONDS) ?: error("waited for $words")
                check(line != ENDED) { "it ended before $words" }
                if (line.startsWith(words)) return line
            }
        }

        fun type(line: String) {
            input.write(line + "\n")
            input.flush()
        }

        fun endInput() = input.close()

        fun status(): Int {
            check(process.waitFor(20, TimeUnit.SECONDS)) { "it goes on" }
            return process.exitValue()
        }

        override fun close() {
            process.destroyForcibly().waitFor()
        }

        private companion object {
            const val ENDED = "\u0000"

            fun command(name: String) = listOfNotNull(
                "${System.getProperty("java.home")}/bin/java",
                System.getProperty("keepline.library")?.let { "-Dkeepline.library=$it" },
                // Surefire's own class path has one archive that names the others.
                "-cp", System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path"),
                name,
            )
        }
    }

    private companion object {
        val repository: File = File(System.getProperty("keepline.contract")).canonicalFile.parentFile.parentFile.parentFile
    }
}
