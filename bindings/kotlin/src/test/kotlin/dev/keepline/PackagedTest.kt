package dev.keepline

import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Tag
import org.junit.jupiter.api.Test
import java.io.File
import java.util.concurrent.TimeUnit
import java.util.jar.JarFile
import kotlin.time.Duration.Companion.seconds

/** The jar by itself, as somebody's program has it: run after it was packaged. */
@Tag("packaged")
class PackagedTest {
    private val jar = File(System.getProperty("keepline.jar"))

    @Test
    fun `jar brings its library, which a fresh machine finds without being told`() = runBlocking {
        withChaos { chaos ->
            val others = System.getProperty("java.class.path").split(File.pathSeparator).filterNot { it.endsWith("classes") }
            val tests = System.getProperty("java.class.path").split(File.pathSeparator).filter { it.endsWith("test-classes") }
            val path = (listOf(jar.path) + tests + others).distinct().joinToString(File.pathSeparator)
            val program = ProcessBuilder(
                "${System.getProperty("java.home")}/bin/java", "-cp", path, "dev.keepline.PackagedProgram",
                chaos.tell("serve s line"),
            ).redirectErrorStream(true).start()
            val told = program.inputStream.bufferedReader().readText()
            assertTrue(program.waitFor(30, TimeUnit.SECONDS), "it does not end")
            assertEquals(0, program.exitValue(), told)
            assertEquals("from the jar ${Keepline.version}: hello", told.trim())
        }
    }

    @Test
    fun `pages of the library are aligned to 16 KiB, as Android asks`() {
        val library = Native.fromJar()!!.path
        val read = ProcessBuilder("readelf", "-lW", library).redirectErrorStream(true).start()
        val loaded = read.inputStream.bufferedReader().readLines().filter { it.trimStart().startsWith("LOAD") }
        assertEquals(0, read.waitFor())
        assertTrue(loaded.isNotEmpty())
        for (segment in loaded) {
            val alignment = segment.trim().split(Regex("\\s+")).last().removePrefix("0x").toLong(16)
            assertTrue(alignment >= 16 * 1024, segment)
        }
    }

    @Test
    fun `rules that keep names from being changed are in the jar`() {
        val rules = JarFile(jar).use { opened ->
            opened.getInputStream(opened.getEntry("META-INF/proguard/keepline.pro")).bufferedReader().readText()
        }
        val kept = Regex("""-keep class ([a-z.]+)\.\*\*""").findAll(rules).map { it.groupValues[1] }.toSet()
        assertEquals(setOf("com.sun.jna", dev.keepline.internal.ffi.ForeignClient::class.java.packageName), kept)
        // The core looks for this one by its name.
        assertTrue("-keep class ${Direct::class.java.name} {" in rules, rules)
    }

    @Test
    fun `jar holds the library for this system once, and no test`() {
        val names = JarFile(jar).use { opened -> opened.entries().asSequence().map { it.name }.toList() }
        val library = "${com.sun.jna.Platform.RESOURCE_PREFIX}/${System.mapLibraryName("keepline_ffi")}"
        assertEquals(1, names.count { it == library }, "$library in $names")
        assertTrue(names.none { it.endsWith("Test.class") })
    }
}

/** A program of somebody, with nothing but the jar and what it depends on. */
object PackagedProgram {
    @JvmStatic
    fun main(arguments: Array<String>) = runBlocking {
        check(System.getProperty("keepline.library") == null)
        val from = Keepline::class.java.protectionDomain.codeSource.location.path
        check(from.endsWith(".jar")) { from }
        Keepline.connect(arguments[0]) { framing = Framing.lines() }.use { client ->
            client.send("hello")
            println("from the jar ${Keepline.version}: ${client.receive(10.seconds)?.text()}")
        }
    }
}
