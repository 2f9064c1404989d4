/** Whether the application is in front, beside whether its user paused the client. */
package dev.keepline

import dev.keepline.internal.ffi.ForeignClient

/** Two reasons to stay away, of which each ends by itself: a pause of the user's outlives the background. */
internal class Presence(private val core: ForeignClient) {
    private var isPaused = false
    private var isInBackground = false

    @Synchronized
    fun pause() {
        crossing { core.pause() }
        isPaused = true
    }

    /** Said by the user, who wants it now: the background is over, too. */
    @Synchronized
    fun resume() {
        crossing { core.resume() }
        isPaused = false
        isInBackground = false
    }

    @Synchronized
    fun enterBackground() {
        crossing { core.pause() }
        isInBackground = true
    }

    @Synchronized
    fun enterForeground() {
        // One that never left may have been frozen with its process: a living connection proves itself, a wait ends.
        if (!isInBackground) return crossing { core.networkChanged(null) }
        if (!isPaused) crossing { core.resume() }
        isInBackground = false
    }
}
