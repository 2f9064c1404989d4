/** A client that is told things, and may go at any time. */
package dev.keepline.android

import dev.keepline.Client
import dev.keepline.KeeplineException
import dev.keepline.State
import java.lang.ref.WeakReference

/** Held weakly: what tells clients keeps none of them alive. */
internal class Attached(client: Client) {
    private val held = WeakReference(client)

    /** Whether there is nobody left to tell. */
    fun isGone(): Boolean = held.get()?.let { it.state.value == State.Closed } ?: true

    /** Tells the client, if it is still there. One that is closed at this moment has nothing to be told. */
    inline fun tell(what: (Client) -> Unit) {
        val client = held.get() ?: return
        try {
            what(client)
        } catch (_: KeeplineException.Closed) {
            // Uncaught on a thread of the system's, this would end the application.
        }
    }
}
