package dev.keepline

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.sync.Semaphore
import kotlinx.coroutines.sync.withPermit
import kotlinx.coroutines.withTimeout
import org.json.JSONObject
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.TestFactory
import java.io.File
import kotlin.time.Duration.Companion.seconds

/** The scenarios of `bindings/contract/scenarios`, played with the Kotlin client. Every language plays the same ones. */
class ScenarioTest {
    private val contract = File(System.getProperty("keepline.contract")).canonicalFile
    private val files = contract.resolveSibling("scenarios").listFiles { file -> file.extension == "json" }!!.sorted()
    private val told = contract.parentFile.parentFile.parentFile.resolve("target/scenarios/kotlin.json")

    @TestFactory
    fun `every scenario goes as it is written`(): List<DynamicTest> {
        told.parentFile.mkdirs()
        // What an earlier run left is no result of this one.
        told.delete()
        assertTrue(files.size >= 25, "only ${files.size} scenarios were found")
        // A thread for each: some of what they do blocks.
        val results = runBlocking(Dispatchers.IO) { playAll() }
        told.writeText(JSONObject(mapOf("language" to "kotlin", "results" to results)).toString(2) + "\n")
        return results.map { (name, result) -> DynamicTest.dynamicTest(name) { assertEquals("passed", result) } }
    }

    private suspend fun playAll(): Map<String, String> = coroutineScope {
        val slots = Semaphore(AT_ONCE)
        files.map { file -> async { file.nameWithoutExtension to slots.withPermit { play(file) } } }.awaitAll().toMap()
    }

    /** Plays one scenario; what went another way is the result. */
    private suspend fun play(file: File): String {
        val scenario = JSONObject(file.readText())
        Player(scenario.getJSONObject("options")).use { player ->
            for ((index, step) in scenario.getJSONArray("steps").withIndex()) {
                try {
                    withTimeout(LIMIT) { player.step("$step") }
                } catch (reason: Throwable) {
                    return "step ${index + 1}, \"$step\": $reason"
                }
            }
        }
        return "passed"
    }

    private companion object {
        /** They wait far more than they work. */
        const val AT_ONCE = 12

        /** For one step; the longest takes a few seconds on an idle machine. */
        val LIMIT = 40.seconds
    }
}
