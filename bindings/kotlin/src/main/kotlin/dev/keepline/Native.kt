/** Loading the core. */
package dev.keepline

import com.sun.jna.Platform
import java.io.File

/**
 * Loads the native library once, before anything else asks for it: only `System.load` tells the library of the virtual
 * machine, and without that each callback would make a new Java thread.
 *
 * It is the file that a property names, or the one in the jar for this system, or where the system looks for libraries: on
 * Android, in the application.
 */
internal object Native {
    private const val FILE = "keepline.library"
    private const val NAME = "keepline_ffi"

    private val loaded by lazy<Unit> {
        val file = System.getProperty(FILE) ?: fromJar()?.path
        if (file == null) {
            System.loadLibrary(NAME)
        } else {
            System.load(file)
            // The generated code asks for it by name otherwise, and would load another copy.
            System.setProperty("uniffi.component.keepline_bridge.libraryOverride", file)
        }
    }

    fun load(): Unit = loaded

    /** Written to a temporary file, which goes when the machine ends; `null` if this jar has none for this system. */
    fun fromJar(): File? {
        if (Platform.isAndroid()) return null
        val resource = "/${Platform.RESOURCE_PREFIX}/${System.mapLibraryName(NAME)}"
        if (Native::class.java.getResource(resource) == null) return null
        return com.sun.jna.Native.extractFromResourcePath(resource, Native::class.java.classLoader)
    }
}
