/** What Android tells of the network, told on to clients. */
package dev.keepline.android

import android.content.Context
import android.net.ConnectivityManager
import android.os.Handler
import android.os.HandlerThread
import android.util.Log
import dev.keepline.Client
import dev.keepline.NetworkPath
import java.util.concurrent.atomic.AtomicBoolean

/**
 * Tells clients when the default network changes, goes, comes back, or is blocked for this application (Doze, data saver).
 *
 * Android denies netlink to applications: without this a client sees a change only when it looks, before attempts and on
 * suspicion. One monitor serves a whole application. It has one thread, and does not keep its clients alive.
 *
 * It needs the permission `ACCESS_NETWORK_STATE`, which the manifest of this library asks for.
 */
public class AndroidNetworkMonitor(context: Context) : AutoCloseable {
    private val manager = context.applicationContext.getSystemService(ConnectivityManager::class.java)
    private val thread = HandlerThread("keepline-network").apply { start() }
    /** Where Android tells, and where clients come and go. */
    internal val handler = Handler(thread.looper)
    private val isClosed = AtomicBoolean()

    // Touched by the thread only, so that a client hears of changes in their order.
    private val attached = ArrayList<Attached>()
    private val watch = NetworkWatch(::tell)

    /**
     * Whether Android agreed to tell. If not (no permission; some devices refuse without a reason; an application has at
     * most a hundred requests), clients find changes as they do without a monitor.
     */
    public val isWatching: Boolean = register()

    /**
     * Tells [client] of the network from now on, first how it is, until the handle is closed or the client is.
     *
     * The monitor does not keep the client alive.
     */
    public fun attach(client: Client): AutoCloseable {
        val follower = Attached(client)
        handler.post {
            attached += follower
            watch.path?.let { path -> follower.tell { it.networkChanged(path) } }
        }
        return AutoCloseable { handler.post { attached -= follower } }
    }

    /** Stops asking Android. Clients stay as they are. Idempotent. */
    override fun close() {
        if (isClosed.getAndSet(true)) return
        if (isWatching) manager?.unregisterNetworkCallback(watch)
        thread.quitSafely()
    }

    /** An application must not die at its start because nobody tells it of the network. */
    private fun register(): Boolean = try {
        checkNotNull(manager) { "there is no ConnectivityManager" }.registerDefaultNetworkCallback(watch, handler)
        true
    } catch (error: RuntimeException) {
        Log.w("Keepline", "Android does not tell of the network: $error")
        false
    }

    private fun tell(path: NetworkPath?) {
        attached.removeIf { it.isGone() }
        for (follower in attached) follower.tell { it.networkChanged(path) }
    }
}
