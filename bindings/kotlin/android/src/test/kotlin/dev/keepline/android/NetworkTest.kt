package dev.keepline.android

import android.content.Context
import android.content.ContextWrapper
import android.net.ConnectivityManager
import android.net.ConnectivityManager.NetworkCallback
import android.net.LinkAddress
import android.net.LinkProperties
import android.net.NetworkCapabilities
import dev.keepline.Heartbeat
import dev.keepline.NetworkKind
import dev.keepline.NetworkPath
import dev.keepline.State
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowNetwork
import org.robolectric.shadows.ShadowNetworkCapabilities
import java.lang.ref.WeakReference
import java.util.concurrent.CompletableFuture
import java.util.concurrent.TimeUnit
import kotlin.time.Duration.Companion.seconds

/** Android's own classes tell, through Robolectric's ConnectivityManager. */
@RunWith(RobolectricTestRunner::class)
class NetworkTest {
    private val context: Context = RuntimeEnvironment.getApplication()
    private val manager = context.getSystemService(ConnectivityManager::class.java)

    @Test
    fun `callbacks of the system become paths, and what is told again is no news`() {
        val told = ArrayList<NetworkPath?>()
        val watch = NetworkWatch { told += it }
        val (wifi, mobile) = ShadowNetwork.newInstance(1) to ShadowNetwork.newInstance(2)
        watch.onAvailable(wifi)
        watch.onCapabilitiesChanged(wifi, having(NetworkCapabilities.TRANSPORT_WIFI, isMetered = false))
        watch.onLinkPropertiesChanged(wifi, addresses("192.0.2.7/24"))
        watch.onBlockedStatusChanged(wifi, false)
        watch.onCapabilitiesChanged(wifi, having(NetworkCapabilities.TRANSPORT_WIFI, isMetered = false))
        watch.onLinkPropertiesChanged(wifi, addresses("192.0.2.7/24"))
        val home = NetworkPath(wifi.networkHandle, kind = NetworkKind.Wifi)
        assertEquals(listOf(NetworkPath(wifi.networkHandle), home), told)

        told.clear()
        watch.onLinkPropertiesChanged(wifi, addresses("192.0.2.8/24"))
        watch.onBlockedStatusChanged(wifi, true)
        watch.onBlockedStatusChanged(wifi, false)
        assertEquals(listOf(null, home.copy(available = false), home), told)

        told.clear()
        watch.onAvailable(mobile)
        watch.onCapabilitiesChanged(mobile, having(NetworkCapabilities.TRANSPORT_CELLULAR, isMetered = true))
        // The one before goes after the next has come: that is no loss.
        watch.onLost(wifi)
        watch.onLost(mobile)
        val onTheWay = NetworkPath(mobile.networkHandle, kind = NetworkKind.Cellular, metered = true)
        assertEquals(listOf(NetworkPath(mobile.networkHandle), onTheWay, onTheWay.copy(available = false)), told)
    }

    @Test
    fun `tunnel over wifi is told as a tunnel`() {
        val told = ArrayList<NetworkPath?>()
        val capabilities = having(NetworkCapabilities.TRANSPORT_WIFI, isMetered = false)
        shadowOf(capabilities).addTransportType(NetworkCapabilities.TRANSPORT_VPN)
        NetworkWatch { told += it }.onCapabilitiesChanged(ShadowNetwork.newInstance(3), capabilities)
        assertEquals(NetworkKind.Vpn, told.last()?.kind)
    }

    @Test
    fun `another network has a living client ask its peer at once`() {
        LineServer().use { server ->
            val client = server.client { heartbeat = Heartbeat("PING", interval = 25.seconds, replyWithin = 10.seconds) }
            // The heartbeat that was the greeting.
            server.await("PING")
            AndroidNetworkMonitor(context).use { monitor ->
                assertTrue(monitor.isWatching)
                monitor.attach(client)
                monitor.hears { onAvailable(ShadowNetwork.newInstance(4)) }
                server.await("PING")
                assertTrue(client.state.value.isUp)
            }
            client.abort()
        }
    }

    @Test
    fun `client is offline while the network is blocked for the application, and one that comes then is told so`() {
        LineServer().use { server ->
            val (first, second) = server.client() to server.client()
            AndroidNetworkMonitor(context).use { monitor ->
                monitor.attach(first)
                val network = ShadowNetwork.newInstance(5)
                monitor.hears {
                    onAvailable(network)
                    onBlockedStatusChanged(network, true)
                }
                first.awaitState(State.Offline)
                monitor.attach(second)
                second.awaitState(State.Offline)
                monitor.hears { onBlockedStatusChanged(network, false) }
                for (client in listOf(first, second)) client.awaitState(State.Connected)
            }
            for (client in listOf(first, second)) client.abort()
        }
    }

    @Test
    fun `closed client is forgotten, and a monitor keeps nobody alive`() {
        LineServer().use { server ->
            AndroidNetworkMonitor(context).use { monitor ->
                val closed = server.client()
                monitor.attach(closed)
                closed.abort()
                closed.awaitState(State.Closed)
                val dropped = dropped(server, monitor)
                awaitCollected(dropped)
                monitor.hears { onAvailable(ShadowNetwork.newInstance(6)) }
            }
        }
    }

    @Test
    fun `closed monitor has told the system, and one that is closed twice does not mind`() {
        val monitor = AndroidNetworkMonitor(context)
        assertEquals(1, callbacks().size)
        monitor.close()
        monitor.close()
        assertEquals(0, callbacks().size)
    }

    @Test
    fun `system that refuses to tell ends no application`() {
        val denied = object : ContextWrapper(context) {
            override fun getApplicationContext(): Context = this

            override fun getSystemService(name: String): Any? =
                if (name == Context.CONNECTIVITY_SERVICE) null else super.getSystemService(name)
        }
        AndroidNetworkMonitor(denied).use { assertFalse(it.isWatching) }
    }

    /** As the system tells: on the thread that the monitor has given it, after what was posted there before. */
    private fun AndroidNetworkMonitor.hears(what: NetworkCallback.() -> Unit) {
        val told = CompletableFuture<Unit>()
        handler.post { told.complete(callbacks().single().what()) }
        told.get(10, TimeUnit.SECONDS)
    }

    private fun callbacks(): Set<NetworkCallback> = shadowOf(manager).networkCallbacks

    private fun dropped(server: LineServer, monitor: AndroidNetworkMonitor): WeakReference<Any> {
        val client = server.client()
        monitor.attach(client)
        return WeakReference(client)
    }

    private fun awaitCollected(what: WeakReference<Any>) {
        val until = System.nanoTime() + 10.seconds.inWholeNanoseconds
        while (what.get() != null) {
            assertTrue("it is still held", System.nanoTime() < until)
            System.gc()
            Thread.sleep(10)
        }
    }

    private fun having(transport: Int, isMetered: Boolean): NetworkCapabilities =
        ShadowNetworkCapabilities.newInstance().also {
            shadowOf(it).addTransportType(transport)
            if (!isMetered) shadowOf(it).addCapability(NetworkCapabilities.NET_CAPABILITY_NOT_METERED)
        }

    private fun addresses(vararg addresses: String): LinkProperties = LinkProperties().also { link ->
        link.setLinkAddresses(addresses.map { LinkAddress(it) })
    }
}
