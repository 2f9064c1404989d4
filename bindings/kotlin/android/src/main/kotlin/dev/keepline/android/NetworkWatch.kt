/** What Android's callbacks say of the default network, as paths. */
package dev.keepline.android

import android.net.ConnectivityManager
import android.net.LinkProperties
import android.net.Network
import android.net.NetworkCapabilities
import dev.keepline.NetworkKind
import dev.keepline.NetworkPath

/** Tells of each change of the default network; nothing twice. Called by Android on one thread. */
internal class NetworkWatch(private val tell: (NetworkPath?) -> Unit) : ConnectivityManager.NetworkCallback() {
    /** The default network as it was told last. */
    @Volatile
    var path: NetworkPath? = null
        private set

    /** What the addresses of the default network were, to tell a change of them from other news. */
    private var addresses: Set<String>? = null

    override fun onAvailable(network: Network) {
        addresses = null
        change(NetworkPath(network.networkHandle))
    }

    override fun onCapabilitiesChanged(network: Network, capabilities: NetworkCapabilities) {
        val known = path?.takeIf { it.id == network.networkHandle } ?: NetworkPath(network.networkHandle)
        change(known.copy(kind = capabilities.kind(), metered = capabilities.costsMoney()))
    }

    override fun onLinkPropertiesChanged(network: Network, link: LinkProperties) {
        val found = link.linkAddresses.map { it.toString() }.toSet()
        val before = addresses
        addresses = found
        // The same network with other addresses: what it means for a connection only a question shows.
        if (before != null && before != found) tell(null)
    }

    override fun onBlockedStatusChanged(network: Network, blocked: Boolean) {
        val known = path?.takeIf { it.id == network.networkHandle } ?: NetworkPath(network.networkHandle)
        change(known.copy(available = !blocked))
    }

    override fun onLost(network: Network) {
        addresses = null
        val known = path ?: return
        if (known.id == network.networkHandle) change(known.copy(available = false))
    }

    private fun change(now: NetworkPath) {
        if (now == path) return
        path = now
        tell(now)
    }
}

/** The most telling first: a tunnel also has the transport that it runs over. */
private fun NetworkCapabilities.kind(): NetworkKind = when {
    hasTransport(NetworkCapabilities.TRANSPORT_VPN) -> NetworkKind.Vpn
    hasTransport(NetworkCapabilities.TRANSPORT_ETHERNET) -> NetworkKind.Wired
    hasTransport(NetworkCapabilities.TRANSPORT_WIFI) -> NetworkKind.Wifi
    hasTransport(NetworkCapabilities.TRANSPORT_CELLULAR) -> NetworkKind.Cellular
    else -> NetworkKind.Other
}

// Not `isMetered`, which Android keeps for itself: a member would be called in its place.
private fun NetworkCapabilities.costsMoney(): Boolean = !hasCapability(NetworkCapabilities.NET_CAPABILITY_NOT_METERED)
