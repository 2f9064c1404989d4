/** Making clients from Java: chained setters, `java.time.Duration`, `CompletableFuture`. */
package dev.keepline

import kotlinx.coroutines.future.future
import java.time.Duration
import java.util.concurrent.CompletableFuture
import java.util.function.BiFunction
import java.util.function.Consumer
import java.util.function.Function
import kotlin.time.toKotlinDuration

/** Makes a client from Java. What has no setter here is reached by [configure]. */
public class ClientBuilder internal constructor(private val endpoints: List<Endpoint>) {
    private val config = Config()

    /** The set of defaults. */
    public fun profile(profile: Profile): ClientBuilder = set { this.profile = profile }

    /** One number that sets the rest: the longest time until a dead peer is noticed. At least 4 s. */
    public fun detectWithin(limit: Duration): ClientBuilder = set { detectWithin = limit.toKotlinDuration() }

    /** How long [connect] waits for the first connection. */
    public fun connectWithin(limit: Duration): ClientBuilder = set { connectWithin = limit.toKotlinDuration() }

    /** How bytes become messages. */
    public fun framing(framing: Framing): ClientBuilder = set { this.framing = framing }

    /** How replies find their requests. */
    public fun correlation(correlation: Correlation): ClientBuilder = set { this.correlation = correlation }

    /** Application bytes that the peer answers. */
    public fun heartbeat(payload: ByteArray): ClientBuilder = set { heartbeat = Heartbeat(payload) }

    /** Application bytes that the peer answers. */
    public fun heartbeat(payload: ByteArray, reply: Matcher, interval: Duration, replyWithin: Duration): ClientBuilder =
        set { heartbeat = Heartbeat(payload, reply, interval.toKotlinDuration(), replyWithin.toKotlinDuration()) }

    /** What must succeed before a connection counts as connected. */
    public fun greeting(greeting: Greeting): ClientBuilder = set { this.greeting = greeting }

    /** What the greeting sends as credentials. */
    public fun credentials(secret: ByteArray): ClientBuilder = set { credentials = secret.copyOf() }

    /** What happens to messages while there is no connection. */
    public fun whileDown(policy: WhileDown): ClientBuilder = set { whileDown = policy }

    /** Encrypts every connection, trusting what the system trusts. */
    public fun tls(): ClientBuilder = set { tls() }

    /** Encrypts every connection. */
    public fun tls(tls: Tls): ClientBuilder = set { this.tls = tls }

    /** As [Config.onConnect]: greets on each new connection. It may block. */
    public fun onConnect(greet: Consumer<GreetingIo>): ClientBuilder = set { onConnect { greet.accept(it) } }

    /** As [Config.credentials]: gives the credentials of each attempt. It may block. */
    public fun credentials(provide: Function<CredentialRequest, ByteArray>): ClientBuilder =
        set { credentials { provide.apply(it) } }

    /** What every connection goes through: `socks5://user:password@host:port`, `http://host:port`, or `system`. */
    public fun proxy(url: String): ClientBuilder = set { proxy = url }

    /** As [Config.proxyCredentials]: gives what each attempt tells the proxy. It may block. */
    public fun proxyCredentials(provide: Function<CredentialRequest, ProxyCredentials>): ClientBuilder =
        set { proxyCredentials { provide.apply(it) } }

    /** As [Config.resolver]: finds the addresses of names. It may block. */
    public fun resolver(find: BiFunction<String, Int, List<String>>): ClientBuilder =
        set { resolver { host, port -> find.apply(host, port) } }

    /** As [Config.onSocket]: prepares each socket before it connects. It may block. */
    public fun onSocket(prepare: Consumer<DialSocket>): ClientBuilder = set { onSocket { prepare.accept(it) } }

    /** As [Config.onEvent]: is told of each event from the first one on. */
    public fun onEvent(listener: Consumer<Event>): ClientBuilder = set { onEvent(listener) }

    /** Sets anything else. */
    public fun configure(configure: Consumer<Config>): ClientBuilder = set { configure.accept(this) }

    /** Makes the client and waits for its first connection. Fails with a [KeeplineException]. */
    public fun connect(): CompletableFuture<Client> = Watch.scope.future { Keepline.connect(endpoints, config) }

    /** Makes the client, which dials for ever, and returns at once. */
    public fun start(): Client = Keepline.start(endpoints, config)

    private fun set(change: Config.() -> Unit): ClientBuilder = apply { config.change() }
}
