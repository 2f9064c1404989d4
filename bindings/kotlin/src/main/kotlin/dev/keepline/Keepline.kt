/** Where everything begins. */
package dev.keepline

import dev.keepline.internal.ffi.ExaminationRecord
import kotlin.time.Duration

/** Makes clients. */
public object Keepline {
    /**
     * Makes a client and waits for its first connection, retrying by policy, at most `connectWithin`.
     *
     * ```
     * Keepline.connect("plc-7.example:502") { profile = Profile.Industrial }.use { client -> … }
     * ```
     *
     * Cancelling the wait aborts the client.
     *
     * @param address `host:port`, `tls://host:port`, `[v6]:port` or `unix:/path`.
     * @param more further endpoints.
     * @throws KeeplineException.InvalidConfig names the field, the value and the rule.
     * @throws KeeplineException.Unavailable no connection in time, with the last cause; the client is then closed.
     * @throws KeeplineException.Exhausted the client gave up.
     */
    public suspend fun connect(address: String, vararg more: String, configure: Config.() -> Unit = {}): Client =
        connect(endpoints(address, more), Config().apply(configure))

    /** As above, with a configuration that was made before, and weights. */
    public suspend fun connect(endpoints: List<Endpoint>, config: Config = Config()): Client {
        val client = start(endpoints, config)
        try {
            client.connected()
        } catch (error: Throwable) {
            client.abort()
            throw error
        }
        return client
    }

    /**
     * Makes a client that dials for ever, and returns at once.
     *
     * @throws KeeplineException.InvalidConfig names the field, the value and the rule.
     */
    public fun start(address: String, vararg more: String, configure: Config.() -> Unit = {}): Client =
        start(endpoints(address, more), Config().apply(configure))

    /** As above, with a configuration that was made before, and weights. */
    @JvmOverloads
    public fun start(endpoints: List<Endpoint>, config: Config = Config()): Client {
        Native.load()
        val (places, declared, hooks) = Triple(endpoints.map { it.record() }, config.declared(), config.hooks)
        val core = crossing {
            when {
                hooks.areThere() ->
                    dev.keepline.internal.ffi.startWith(places, declared, hooks.asked(), hooks.there())
                else -> dev.keepline.internal.ffi.start(places, declared)
            }
        }
        // Read from the first event: nothing is missed by being told of it after the start.
        for (listener in hooks.listeners) Watch.listen(crossing { core.events(0u) }, listener)
        return Client(core)
    }

    /** A builder of clients for Java. */
    @JvmStatic
    public fun builder(address: String, vararg more: String): ClientBuilder = ClientBuilder(endpoints(address, more))

    /** Every value of a profile. */
    @JvmStatic
    public fun defaults(profile: Profile): Config {
        Native.load()
        return Config.of(crossing { dev.keepline.internal.ffi.defaultConfigOf(profile.wireName) })
    }

    /**
     * Examines why a client does not connect, stage by stage, with connections of its own.
     *
     * @param patience how long each stage waits for somebody else.
     * @param pathMtu whether full-size packets arrive is asked, too.
     * @param idle whether a connection survives these silences.
     */
    public suspend fun doctor(
        address: String,
        patience: Duration? = null,
        pathMtu: Boolean = false,
        idle: List<Duration> = emptyList(),
        configure: Config.() -> Unit = {},
    ): Diagnosis {
        Native.load()
        val asked = ExaminationRecord(
            patience.declared("patience"), pathMtu, idle.map { it.asWait("idle") ?: 0u },
        )
        val config = Config().apply(configure).declared()
        return Diagnosis.of(crossing { dev.keepline.internal.ffi.doctor(address, config, asked, null) })
    }

    /** The release of the core. */
    @JvmStatic
    public val version: String
        get() {
            Native.load()
            return dev.keepline.internal.ffi.version()
        }

    private fun endpoints(first: String, more: Array<out String>) = listOf(first, *more).map { Endpoint(it) }
}
