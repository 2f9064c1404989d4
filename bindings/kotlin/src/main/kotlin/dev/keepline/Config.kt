/** What a client is told. The core decides what is unset, once for all languages. */
package dev.keepline

import dev.keepline.internal.ffi.ClientConfig
import kotlin.time.Duration

/**
 * What is declared of a client. `null` means: decide for me.
 *
 * Explicit values beat [detectWithin], which beats the profile. [Duration.INFINITE] switches off what may be switched
 * off. [resolve] gives the same with every value decided, and so does [Client.config].
 */
public class Config {
    /** The set of defaults; [Profile.Balanced] unless given. */
    public var profile: Profile? = null

    /** One number that sets the rest: the longest time until a dead peer is noticed. At least 4 s. */
    public var detectWithin: Duration? = null

    /** Application bytes that the peer answers. */
    public var heartbeat: Heartbeat? = null

    /** Kernel probes on an idle connection. */
    public var keepalive: Keepalive? = null

    /** `TCP_USER_TIMEOUT`: how long transmitted data may stay unacknowledged. */
    public var userTimeout: Duration? = null

    /** `TCP_RTO_MAX_MS`: the longest pause between retransmissions. */
    public var rtoMax: Duration? = null

    /** The longest silence of a peer that talks by itself. Off unless given. */
    public var readIdle: Duration? = null

    /** Deadline for the TCP handshake with one address. */
    public var connectPerAddress: Duration? = null

    /** Deadline for a whole attempt. */
    public var connectTotal: Duration? = null

    /** How the addresses of one name are dialled. */
    public var addresses: Addresses? = null

    /** How long an address has for itself before the next one is dialled beside it, 0.1 s to 2 s. */
    public var addressStagger: Duration? = null

    /** Refuses a name that leads to this machine or into a private network. */
    public var refusePrivateAddresses: Boolean = false

    /** Ends the race over the addresses of a name with the first TLS handshake that succeeds, not with the first TCP one. */
    public var raceThroughTls: Boolean = false

    /** Goes on trying, slowly, after a verdict on TLS that ends the client otherwise, such as an unknown issuer. */
    public var retryTlsVerdicts: Boolean = false

    /** How long [Keepline.connect] waits for the first connection. */
    public var connectWithin: Duration? = null

    /** The curve of waits between attempts. */
    public var backoff: Backoff = Backoff()

    /** How long a verified connection must stay up before the backoff is reset. */
    public var stableAfter: Duration? = null

    /** Give up after this many failed attempts in a row. Never unless given. */
    public var maxAttempts: Int? = null

    /** What happens to messages while there is no connection. */
    public var whileDown: WhileDown? = null

    /** How much the outbox holds. */
    public var outbox: Outbox = Outbox()

    /** What [Client.send] does when the outbox is full. */
    public var overflow: Overflow? = null

    /** The most bytes of received messages that wait for the user. */
    public var inboxBytes: Long? = null

    /** What happens to messages that no request asked for. */
    public var unsolicited: Unsolicited? = null

    /** How bytes become messages. Raw unless given. */
    public var framing: Framing? = null

    /** How long a started frame may take to end. */
    public var frameWithin: Duration? = null

    /** How replies find their requests. */
    public var correlation: Correlation? = null

    /** Frames that are never replies, though requests are in flight. */
    public var push: Matcher? = null

    /** The most requests in flight, late replies included. */
    public var maxInFlight: Long? = null

    /** What must succeed before a connection counts as connected. */
    public var greeting: Greeting? = null

    /** What the greeting sends as [Greeting.sendCredentials]. [Client.setCredentials] replaces them later. */
    public var credentials: ByteArray? = null

    /** How long a provider of credentials may take. */
    public var credentialsWithin: Duration? = null

    /** Give up after the server refused the credentials so often in a row; [NEVER]: never. */
    public var authAttempts: Int? = null

    /** A frame by which the server sends the client away for a time. */
    public var goAway: RetryAfter? = null

    /** Answers to the server's own pings. */
    public var autoReplies: List<AutoReply> = emptyList()

    /** How long a peer may keep its window shut. */
    public var stallLimit: Duration? = null

    /** Allows a second connection beside a suspect one: whichever proves alive first stays. */
    public var concurrentOk: Boolean = false

    /** Counts retries against the budget that the clients of a process share for one endpoint. */
    public var governed: Boolean? = null

    /** Asks for a sign of life when another connection from the same local address died of a silent path. */
    public var siblingProbes: Boolean? = null

    /** Watches the way to the peer. */
    public var networkMonitor: Boolean? = null

    /** Encrypts every connection. `tls()` sets the defaults of [Tls], as a `tls://host:port` does. */
    public var tls: Tls? = null

    /** What every connection goes through: `socks5://user:password@host:port`, `http://host:port`, or `system`. */
    public var proxy: String? = null

    /** The peer serves one connection at a time: the old one is reset before the next is dialled. */
    public var singleConnection: Boolean? = null

    /** In which order several endpoints are tried. Shuffled unless given. */
    public var endpointOrder: EndpointOrder? = null

    /** How often a better endpoint is tried beside a healthy connection to a second choice. Never unless given. */
    public var returnToPreferred: Duration? = null

    /** The local IP address to connect from. */
    public var bindAddress: String? = null

    /** The network interface to connect through. */
    public var bindInterface: String? = null

    internal val hooks = Hooks()

    /**
     * Greets on each new connection with code of yours, instead of [greeting]: the connection counts as connected once it
     * has returned. It has what is left of [connectTotal].
     *
     * What it throws ends the attempt as [Cause.GreetingRejected]; [AuthRefused] and [RetryLater] say more. Like all hooks it
     * runs on threads that may block, is cancelled when its time is over, and may call the client. A hook that holds its
     * client keeps it from being collected.
     */
    public fun onConnect(greet: suspend (io: GreetingIo) -> Unit) {
        hooks.greet = greet
    }

    /**
     * Gives the credentials of each attempt, instead of [credentials]: asked once while the connection is made, for at most
     * [credentialsWithin]. What it throws ends the attempt as [Cause.GreetingCredentials].
     */
    public fun credentials(provide: suspend (asked: CredentialRequest) -> ByteArray) {
        hooks.credentials = provide
    }

    /**
     * Gives the name and the password that each attempt tells the [proxy], which then has none in its URL: asked once while
     * the proxy is dialled, for at most [credentialsWithin]. What it throws ends the attempt as [Cause.ProxyCredentials],
     * and the proxy is told nothing.
     */
    public fun proxyCredentials(provide: suspend (asked: CredentialRequest) -> ProxyCredentials) {
        hooks.proxyCredentials = provide
    }

    /**
     * Finds the addresses of names instead of the system, the preferred ones first: `192.0.2.1:443`, `[2001:db8::1]:443`.
     *
     * A `java.net.UnknownHostException` says that the name does not exist; anything else that is thrown, that it may later.
     */
    public fun resolver(find: suspend (host: String, port: Int) -> List<String>) {
        hooks.addresses = find
    }

    /**
     * Prepares each socket before it connects, such as Android's `Network.bindSocket` and `VpnService.protect`: at most 5 s.
     * What it throws ends the attempt as [Cause.LocalResource].
     */
    public fun onSocket(prepare: suspend (socket: DialSocket) -> Unit) {
        hooks.socket = prepare
    }

    /** Calls [listener] with each event from the first one on, as [Client.addListener] does. */
    public fun onEvent(listener: java.util.function.Consumer<Event>) {
        hooks.listeners += listener
    }

    /** Encrypts every connection. */
    public fun tls(configure: Tls.() -> Unit = {}) {
        tls = (tls ?: Tls()).apply(configure)
    }

    /** Declares the curve of waits. */
    public fun backoff(configure: Backoff.() -> Unit) {
        backoff.configure()
    }

    /** Declares how much the outbox holds. */
    public fun outbox(configure: Outbox.() -> Unit) {
        outbox.configure()
    }

    /**
     * Decides every value and checks it, without making a client.
     *
     * @throws KeeplineException.InvalidConfig names the field, the value and the rule.
     */
    public fun resolve(): Resolved {
        Native.load()
        return crossing { Resolved.of(dev.keepline.internal.ffi.resolveConfig(declared())) }
    }

    // Neither credentials nor a proxy's password belong into a log.
    override fun toString(): String = "Config(profile=$profile, detectWithin=$detectWithin, heartbeat=$heartbeat)"

    internal fun declared(): ClientConfig = ClientConfig(
        profile = profile?.wireName,
        detectWithinMs = detectWithin.declared("detect_within"),
        heartbeatPayload = heartbeat?.payload,
        heartbeatReply = heartbeat?.reply?.record,
        heartbeatIntervalMs = heartbeat?.interval.declared("heartbeat.interval"),
        heartbeatReplyWithinMs = heartbeat?.replyWithin.declared("heartbeat.reply_within"),
        keepaliveOff = keepalive is Keepalive.Off,
        keepaliveIdleMs = (keepalive as? Keepalive.Probes)?.idle.declared("keepalive.idle"),
        keepaliveIntervalMs = (keepalive as? Keepalive.Probes)?.interval.declared("keepalive.interval"),
        keepaliveRetries = (keepalive as? Keepalive.Probes)?.retries.declared("keepalive.retries"),
        userTimeoutOff = userTimeout.isOff(),
        userTimeoutMs = userTimeout.unlessOff("user_timeout"),
        rtoMaxOff = rtoMax.isOff(),
        rtoMaxMs = rtoMax.unlessOff("rto_max"),
        readIdleMs = readIdle.declared("read_idle"),
        connectPerAddressMs = connectPerAddress.declared("connect.per_address"),
        connectTotalMs = connectTotal.declared("connect.total"),
        addresses = addresses?.wireName,
        addressStaggerMs = addressStagger.declared("address_stagger"),
        refusePrivateAddresses = refusePrivateAddresses,
        raceThroughTls = raceThroughTls,
        retryTlsVerdicts = retryTlsVerdicts,
        connectWithinMs = connectWithin.declared("connect.within"),
        backoffFirstSpreadMs = backoff.firstSpread.declared("backoff.first_spread"),
        backoffInitialMs = backoff.initial.declared("backoff.initial"),
        backoffMultiplier = backoff.multiplier,
        backoffMaxMs = backoff.max.declared("backoff.max"),
        backoffJitter = backoff.jitter?.wireName,
        stableAfterMs = stableAfter.declared("stable_after"),
        maxAttempts = maxAttempts.declared("max_attempts"),
        whileDown = whileDown?.wireName,
        outboxMessages = outbox.messages.declared("outbox.messages"),
        outboxBytes = outbox.bytes.declared("outbox.bytes"),
        outboxAgeOff = outbox.age.isOff(),
        outboxAgeMs = outbox.age.unlessOff("outbox.age"),
        overflow = overflow?.wireName,
        inboxBytes = inboxBytes.declared("inbox.bytes"),
        unsolicited = unsolicited?.wireName,
        framing = framing?.record,
        frameWithinOff = frameWithin.isOff(),
        frameWithinMs = frameWithin.unlessOff("frame_within"),
        correlation = correlation?.record,
        push = push?.record,
        maxInFlight = maxInFlight.declared("max_in_flight"),
        greeting = greeting?.records(),
        greetingHook = hooks.greet != null,
        credentials = credentials,
        credentialsHook = hooks.credentials != null,
        credentialsWithinMs = credentialsWithin.declared("credentials_within"),
        authAttemptsOff = authAttempts == NEVER,
        authAttempts = authAttempts.takeUnless { it == NEVER }.declared("auth_attempts"),
        goAway = goAway?.record(),
        autoReplies = autoReplies.map { it.record() },
        stallLimitMs = stallLimit.declared("stall_limit"),
        concurrentOk = concurrentOk,
        governed = governed,
        siblingProbes = siblingProbes,
        networkMonitor = networkMonitor,
        tls = tls?.record(),
        proxy = proxy,
        singleConnection = singleConnection,
        endpointOrder = endpointOrder?.wireName,
        returnToPreferredMs = returnToPreferred.declared("return_to_preferred"),
        bindAddress = bindAddress,
        bindInterface = bindInterface,
    )

    /** Numbers with a meaning of their own. */
    public companion object {
        /** A count that is never reached. */
        public const val NEVER: Int = Int.MAX_VALUE

        internal fun of(record: ClientConfig): Config = Config().apply {
            profile = record.profile?.let { named<Profile>(it) }
            detectWithin = millis(record.detectWithinMs)
            heartbeat = record.heartbeatPayload?.let { payload ->
                Heartbeat(
                    payload,
                    record.heartbeatReply?.let(Matcher::of),
                    millis(record.heartbeatIntervalMs),
                    millis(record.heartbeatReplyWithinMs),
                )
            }
            keepalive = decidedKeepalive(record)
            userTimeout = decided(record.userTimeoutOff, record.userTimeoutMs)
            rtoMax = decided(record.rtoMaxOff, record.rtoMaxMs)
            readIdle = millis(record.readIdleMs)
            connectPerAddress = millis(record.connectPerAddressMs)
            connectTotal = millis(record.connectTotalMs)
            addresses = record.addresses?.let { named<Addresses>(it) }
            addressStagger = millis(record.addressStaggerMs)
            refusePrivateAddresses = record.refusePrivateAddresses
            raceThroughTls = record.raceThroughTls
            retryTlsVerdicts = record.retryTlsVerdicts
            connectWithin = millis(record.connectWithinMs)
            backoff {
                firstSpread = millis(record.backoffFirstSpreadMs)
                initial = millis(record.backoffInitialMs)
                multiplier = record.backoffMultiplier
                max = millis(record.backoffMaxMs)
                jitter = record.backoffJitter?.let { named<Jitter>(it) }
            }
            stableAfter = millis(record.stableAfterMs)
            maxAttempts = record.maxAttempts?.toInt()
            whileDown = record.whileDown?.let { named<WhileDown>(it) }
            outbox {
                messages = record.outboxMessages?.toLong()
                bytes = record.outboxBytes?.toLong()
                age = decided(record.outboxAgeOff, record.outboxAgeMs)
            }
            overflow = record.overflow?.let { named<Overflow>(it) }
            inboxBytes = record.inboxBytes?.toLong()
            unsolicited = record.unsolicited?.let { named<Unsolicited>(it) }
            framing = record.framing?.let(Framing::of)
            frameWithin = decided(record.frameWithinOff, record.frameWithinMs)
            correlation = record.correlation?.let(Correlation::of)
            push = record.push?.let(Matcher::of)
            maxInFlight = record.maxInFlight?.toLong()
            greeting = record.greeting?.let(Greeting::of)
            credentials = record.credentials
            credentialsWithin = millis(record.credentialsWithinMs)
            authAttempts = if (record.authAttemptsOff) NEVER else record.authAttempts?.toInt()
            goAway = record.goAway?.let(RetryAfter::of)
            autoReplies = record.autoReplies.map(AutoReply::of)
            stallLimit = millis(record.stallLimitMs)
            concurrentOk = record.concurrentOk
            governed = record.governed
            siblingProbes = record.siblingProbes
            networkMonitor = record.networkMonitor
            tls = record.tls?.let(Tls::of)
            proxy = record.proxy
            singleConnection = record.singleConnection
            endpointOrder = record.endpointOrder?.let { named<EndpointOrder>(it) }
            returnToPreferred = millis(record.returnToPreferredMs)
            bindAddress = record.bindAddress
            bindInterface = record.bindInterface
        }

        private fun decidedKeepalive(record: ClientConfig): Keepalive? {
            if (record.keepaliveOff) return Keepalive.Off
            val idle = millis(record.keepaliveIdleMs) ?: return null
            val interval = millis(record.keepaliveIntervalMs) ?: return null
            return Keepalive.Probes(idle, interval, record.keepaliveRetries?.toInt() ?: return null)
        }
    }
}

/** What a declaration comes to. */
public class Resolved internal constructor(
    /** Every value, decided. */
    public val config: Config,
    /** What you should know about it. */
    public val notices: List<Notice>,
    /** How long each fault can go unnoticed. */
    public val bounds: DetectionBounds,
) {
    internal companion object {
        fun of(record: dev.keepline.internal.ffi.ResolvedConfig): Resolved =
            Resolved(Config.of(record.config), record.notices.map(Notice::of), DetectionBounds.of(record.bounds))
    }
}
