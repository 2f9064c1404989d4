/** Loading the core. */
package dev.keepline

/**
 * Loads the native library once, before anything else asks for it: only `System.load` tells the library of the virtual
 * machine, and without that each callback would make a new Java thread.
 */
internal object Native {
    /** The file of the library, if it is not where the system looks for libraries. */
    private const val FILE = "keepline.library"
    private const val NAME = "keepline_ffi"

    private val loaded by lazy<Unit> {
        val file = System.getProperty(FILE)
        if (file == null) {
            System.loadLibrary(NAME)
        } else {
            System.load(file)
            // The generated code asks for it by name otherwise, and would load another copy.
            System.setProperty("uniffi.component.keepline_bridge.libraryOverride", file)
        }
    }

    fun load(): Unit = loaded
}
