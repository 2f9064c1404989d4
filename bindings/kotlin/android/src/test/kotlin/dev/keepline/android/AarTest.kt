package dev.keepline.android

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import java.util.zip.ZipFile
import java.util.zip.ZipInputStream

/** The AAR by itself, as an application's build reads it: run after it was packaged. */
class AarTest {
    private val aar = ZipFile(System.getProperty("keepline.aar"))

    @Test
    fun `manifest names the initializer as it is called, and what the monitor needs`() {
        val manifest = read("AndroidManifest.xml")
        val named = Regex("""<provider\s+android:name="([^"]+)"""").find(manifest)!!.groupValues[1]
        assertEquals("dev.keepline.android.KeeplineInitializer", named)
        val classes = aar.getInputStream(aar.getEntry("classes.jar")).use { stream ->
            val jar = ZipInputStream(stream)
            generateSequence { jar.nextEntry }.map { it.name }.toSet()
        }
        assertTrue("$named is not in $classes", named.replace('.', '/') + ".class" in classes)
        for (permission in listOf("INTERNET", "ACCESS_NETWORK_STATE")) {
            assertTrue(permission, "android.permission.$permission" in manifest)
        }
        assertTrue(classes.none { it.endsWith("Test.class") })
    }

    @Test
    fun `rules for whoever shrinks an application hold what those of the library do`() {
        val own = read("proguard.txt").rules()
        val library = File(System.getProperty("keepline.rules")).readText().rules()
        assertTrue(library.isNotEmpty())
        assertEquals(emptySet<String>(), library - own)
        assertEquals(setOf("-keep class dev.keepline.android.KeeplineInitializer { <init>(); }"), own - library)
    }

    private fun read(name: String): String = aar.getInputStream(aar.getEntry(name)).use { it.reader().readText() }

    private fun String.rules(): Set<String> = lines().filter { it.startsWith("-") }.toSet()
}
