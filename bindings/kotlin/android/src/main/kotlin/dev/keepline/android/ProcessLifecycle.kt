/** Whether the application is in front of its user, and what its clients do about it. */
package dev.keepline.android

import android.app.Activity
import android.app.Application
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import dev.keepline.Client
import java.util.concurrent.CopyOnWriteArrayList

/**
 * Follows the activities of an application: in front with the first that starts, in the background once none is left.
 *
 * To be made on the main thread before the first activity starts, as [KeeplineInitializer] does.
 */
public class ProcessLifecycle(private val application: Application) : AutoCloseable {
    private val main = Handler(Looper.getMainLooper())
    private val followers = CopyOnWriteArrayList<Follower>()
    private val callbacks = Callbacks()

    /** Whether an activity is in front, or was within the last 0.7 s. */
    @Volatile
    public var isInForeground: Boolean = false
        private set

    init {
        application.registerActivityLifecycleCallbacks(callbacks)
    }

    /**
     * Has [client] do this in the background, until the handle is closed or the client is.
     *
     * On the return every client asks its peer at once whether the connection lives, or dials. The lifecycle does not
     * keep the client alive.
     */
    @JvmOverloads
    public fun attach(client: Client, inBackground: InBackground = InBackground.KeepConnected): AutoCloseable {
        val follower = Follower(Attached(client), inBackground)
        followers += follower
        return AutoCloseable { followers -= follower }
    }

    /** Stops following. Clients stay as they are. Idempotent. */
    override fun close() {
        application.unregisterActivityLifecycleCallbacks(callbacks)
        main.removeCallbacks(callbacks.leave)
        followers.clear()
    }

    private fun turn(isInForeground: Boolean) {
        if (isInForeground == this.isInForeground) return
        this.isInForeground = isInForeground
        followers.removeIf { it.attached.isGone() }
        for (follower in followers) if (isInForeground) follower.comeBack() else follower.leave()
    }

    /** Called by Android on the main thread. */
    private inner class Callbacks : Application.ActivityLifecycleCallbacks {
        /** Not a count: an activity that started before anybody looked would make it wrong for ever. */
        private val started = HashSet<Activity>()
        val leave = Runnable { turn(isInForeground = false) }

        override fun onActivityStarted(activity: Activity) {
            started += activity
            main.removeCallbacks(leave)
            turn(isInForeground = true)
        }

        override fun onActivityStopped(activity: Activity) {
            started -= activity
            if (started.isEmpty()) main.postDelayed(leave, LEAVE_AFTER_MS)
        }

        override fun onActivityCreated(activity: Activity, state: Bundle?) = Unit

        override fun onActivityResumed(activity: Activity) = Unit

        override fun onActivityPaused(activity: Activity) = Unit

        override fun onActivitySaveInstanceState(activity: Activity, state: Bundle) = Unit

        override fun onActivityDestroyed(activity: Activity) = Unit
    }

    private companion object {
        /** 0.7 s, as AndroidX's ProcessLifecycleOwner waits: a screen that turns stops its activity for less. */
        const val LEAVE_AFTER_MS = 700L
    }
}
