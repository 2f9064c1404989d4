package dev.keepline

import org.jetbrains.kotlin.abi.tools.AbiFilters
import org.jetbrains.kotlin.abi.tools.AbiToolsFactory
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Test
import java.io.File
import java.util.ServiceLoader

/** What users can see is written down in `api/keepline.api`, so that a change of it is seen by whoever reviews it. */
class ApiTest {
    private val api = StringBuilder().also { dump ->
        val classes = File(System.getProperty("keepline.classes")).walk().filter { it.extension == "class" }
        ServiceLoader.load(AbiToolsFactory::class.java).first().get()
            .printJvmDump(dump, classes.sortedBy { it.path }.asIterable(), AbiFilters.EMPTY)
    }.toString()

    @Test
    fun `public names are those that were reviewed`() {
        val reviewed = File(System.getProperty("keepline.api"))
        if (System.getenv("KEEPLINE_UPDATE_API") == "1") reviewed.writeText(api)
        assertEquals(
            reviewed.readText(), api,
            "the public API changed; if it should: KEEPLINE_UPDATE_API=1 tools/test_kotlin.sh -Dtest=ApiTest",
        )
    }

    @Test
    fun `nothing of the generated code is public`() {
        val shown = api.lines().filter { "dev/keepline/internal" in it || "com/sun/jna" in it }
        assertEquals(emptyList<String>(), shown)
        assertFalse("uniffi" in api.lowercase(), "a name of the generator is public")
    }
}
