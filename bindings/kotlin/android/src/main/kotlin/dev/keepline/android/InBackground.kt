/** What a client does while the application is in the background. */
package dev.keepline.android

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.launch
import kotlin.time.Duration.Companion.seconds

/** What a client does while the application is in the background. */
public enum class InBackground {
    /**
     * It goes on, as an application with a foreground service wants it. Android may freeze any other at any time; the return
     * asks the peer whether the connection lives.
     */
    KeepConnected,

    /**
     * What waits in the outbox is given 5 s to leave; then the client ends its connection and stays away until the return:
     * no battery, no radio, no half-dead connection.
     */
    Pause,
}

/** One client on its way to the background and back. */
internal class Follower(val attached: Attached, private val inBackground: InBackground) {
    private var leaving: Job? = null

    @Synchronized
    fun leave() {
        if (inBackground == InBackground.KeepConnected) return
        val job = scope.launch {
            attached.tell { it.flush(FLUSH) }
            enterBackground(coroutineContext[Job])
        }
        leaving = job
    }

    /** A return while it is still leaving is no departure at all. */
    @Synchronized
    fun comeBack() {
        leaving?.cancel()
        leaving = null
        attached.tell { it.enterForeground() }
    }

    @Synchronized
    private fun enterBackground(job: Job?) {
        if (leaving === job) attached.tell { it.enterBackground() }
    }

    private companion object {
        /** 5 s, as in the Swift package: what waits on a healthy connection needs far less. */
        val FLUSH = 5.seconds

        val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    }
}
