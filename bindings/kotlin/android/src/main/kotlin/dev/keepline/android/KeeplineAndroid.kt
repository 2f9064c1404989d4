/** One monitor and one lifecycle for a whole application. */
package dev.keepline.android

import android.app.Application
import android.content.Context
import dev.keepline.Client

/** What an application shares among its clients; [KeeplineInitializer] makes it before the first activity. */
public object KeeplineAndroid {
    private var shared: Shared? = null

    /**
     * Tells [client] of the network and of the application's life, until the handle is closed or the client is.
     *
     * The client is not kept alive by it. A handle that is closed in the background leaves the client as it is.
     *
     * @throws IllegalStateException this process has no [KeeplineInitializer], and [start] was not called.
     */
    @JvmStatic
    @JvmOverloads
    @Synchronized
    public fun attach(client: Client, inBackground: InBackground = InBackground.KeepConnected): AutoCloseable {
        val shared = checkNotNull(shared) { "KeeplineAndroid.start(context) comes first in this process" }
        val attached = listOf(shared.network.attach(client), shared.lifecycle.attach(client, inBackground))
        return AutoCloseable { attached.forEach(AutoCloseable::close) }
    }

    /**
     * What [KeeplineInitializer] does, for a process without it: another than the application's main one, or one whose manifest
     * takes the provider out. To be called before the first activity starts. Idempotent.
     */
    @JvmStatic
    @Synchronized
    public fun start(context: Context) {
        if (shared == null) shared = Shared(context.applicationContext as Application)
    }

    /** Forgets everything, so that a test begins anew. */
    @Synchronized
    internal fun stop() {
        shared?.network?.close()
        shared?.lifecycle?.close()
        shared = null
    }

    private class Shared(application: Application) {
        val network = AndroidNetworkMonitor(application)
        val lifecycle = ProcessLifecycle(application)
    }
}
