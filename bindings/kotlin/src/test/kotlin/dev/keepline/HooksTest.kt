package dev.keepline

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.lang.ref.WeakReference
import java.net.UnknownHostException
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.CountDownLatch
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** Code of the user that the client asks: what it may throw, how long it may take, what it may call. */
class HooksTest {
    @Test
    fun `hooks find the address, prepare the socket, give the credentials and greet, and events are told from the first on`() =
        served { address ->
            val told = ConcurrentLinkedQueue<String>()
            val asked = ConcurrentLinkedQueue<String>()
            val port = address.substringAfter(':')
            val client = Keepline.connect("machine.plant:$port") {
                framing = Framing.lines()
                resolver { host, number -> listOf("127.0.0.1:$number").also { asked += "name $host" } }
                onSocket { asked += "socket ${it.descriptor > 0} ${it.address == address} ${it.endpoint}" }
                credentials { "token ${it.refusals}".encodeToByteArray().also { _ -> asked += "credentials ${it.epoch}" } }
                onConnect { io ->
                    asked += "greet ${io.epoch} ${io.endpoint}"
                    io.send("login ${io.credentials().decodeToString()}")
                    check(io.receive(5.seconds).decodeToString() == "login token 0")
                }
                onEvent { told += it.name }
            }
            client.use {
                it.sendMany(listOf("one", "two").map(String::encodeToByteArray))
                it.trySendMany(listOf("three".encodeToByteArray()))
                assertEquals(listOf("one", "two", "three"), List(3) { _ -> it.receive(5.seconds)?.text() })
            }
            val wanted = setOf(
                "name machine.plant", "socket true true machine.plant:$port", "credentials 1",
                "greet 1 machine.plant:$port",
            )
            assertEquals(wanted, asked.toSet())
            withTimeout(5.seconds) { while ("closed" !in told) delay(5.milliseconds) }
            assertEquals(listOf("connecting", "connected", "disconnected", "closed"), told.toList())
        }

    @Test
    fun `what a hook throws is the cause of the attempt, and the client goes on`() = served { address ->
        val thrown = listOf<Pair<() -> Unit, Cause>>(
            { throw IllegalStateException("a bug") } to Cause.GreetingRejected,
            { throw AuthRefused() } to Cause.GreetingAuth,
            { throw NotImplementedError("an error of the machine") } to Cause.GreetingRejected,
        )
        for ((fail, cause) in thrown) {
            val attempts = AtomicInteger()
            val client = Keepline.start(address) {
                framing = Framing.lines()
                onConnect { if (attempts.incrementAndGet() == 1) fail() }
            }
            assertCause(cause, client)
            // The waits of some causes are long; a call ends them.
            client.reconnect()
            assertWorks(client)
        }
        val busy = Keepline.start(address) { onConnect { throw RetryLater(90.seconds) } }
        val lost = withTimeout(5.seconds) { busy.events.first { it is Event.Disconnected } } as Event.Disconnected
        assertEquals(90.seconds, lost.retryAfter)
        busy.abort()
        val nameless = Keepline.start("machine.plant:1") { resolver { host, _ -> throw UnknownHostException(host) } }
        assertCause(Cause.DnsNotFound, nameless)
        nameless.abort()
        val refused = Keepline.start(address) { onSocket { error("no such network") } }
        assertCause(Cause.LocalResource, refused)
        refused.abort()
        val poor = Keepline.start(address) {
            credentials { error("the vault is shut") }
            onConnect { it.credentials() }
        }
        assertCause(Cause.GreetingCredentials, poor)
        poor.abort()
    }

    @Test
    fun `proxy refuses a stale password and lets in the one that is given next, and is told nothing if there is none`() =
        runBlocking(Dispatchers.Default) {
            withChaos { chaos ->
                val address = chaos.tell("serve s line")
                val url = "http://${chaos.tell("http-proxy p robot fresh-hunter2")}"
                val asked = ConcurrentLinkedQueue<CredentialRequest>()
                val client = Keepline.start(address) {
                    framing = Framing.lines()
                    proxy = url
                    proxyCredentials {
                        asked += it
                        ProxyCredentials("robot", if (it.refusals == 0) "stale-hunter1" else "fresh-hunter2")
                    }
                }
                client.use {
                    assertCause(Cause.ProxyAuth, client)
                    client.reconnect()
                    assertWorks(client)
                    val wanted = listOf(CredentialRequest(1, address, 0), CredentialRequest(2, address, 1))
                    assertEquals(wanted, asked.toList())
                    assertEquals("1", chaos.tell("refused p"))
                }
                val poor = Keepline.start(address) { proxy = url; proxyCredentials { error("the vault is shut") } }
                assertCause(Cause.ProxyCredentials, poor)
                poor.abort()
                assertEquals("1", chaos.tell("refused p"), "nobody said anything to it")
                val both = assertThrows<KeeplineException.InvalidConfig> {
                    Keepline.start(address) {
                        proxy = "http://robot:hunter2@127.0.0.1:1"
                        proxyCredentials { ProxyCredentials("robot", "hunter2") }
                    }
                }
                assertEquals("proxy_credentials", both.field)
                assertFalse("hunter2" in "$both ${ProxyCredentials("robot", "hunter2")}")
            }
        }

    @Test
    fun `hook that blocks is left behind at its deadline, and holds up no other client`() = served { address ->
        val release = CountDownLatch(1)
        val attempts = AtomicInteger()
        val client = Keepline.start(address) {
            framing = Framing.lines()
            connectPerAddress = 1.seconds
            connectTotal = 1.seconds
            onConnect { if (attempts.incrementAndGet() == 1) release.await() }
        }
        try {
            Keepline.connect(address) { framing = Framing.lines() }.use { assertWorks(it) }
            assertCause(Cause.GreetingTimeout, client)
            assertWorks(client)
            assertEquals(1, release.count)
        } finally {
            release.countDown()
            client.abort()
        }
    }

    @Test
    fun `hook may call its client, and what it kept of its connection is refused afterwards`() = served { address ->
        val itself = CompletableDeferred<Client>()
        val kept = CompletableDeferred<GreetingIo>()
        val client = Keepline.start(address) {
            framing = Framing.lines()
            onConnect { io ->
                val client = itself.await()
                client.trySend("after the greeting".encodeToByteArray())
                check(client.stats().state == State.Connecting)
                io.send("in the greeting")
                check(io.receive().decodeToString() == "in the greeting")
                kept.complete(io)
            }
        }
        itself.complete(client)
        client.use {
            assertEquals("after the greeting", it.receive(10.seconds)?.text())
            assertThrows<KeeplineException.Closed> { runBlocking { kept.await().send("late") } }
            assertThrows<KeeplineException.Closed> { runBlocking { kept.await().receive() } }
        }
    }

    @Test
    fun `hooks are let go of with their client, and two ways to greet are refused`() = served { address ->
        val (client, held) = hooked(address)
        client.close(1.seconds)
        withTimeout(20.seconds) {
            while (held.get() != null) {
                System.gc()
                delay(20.milliseconds)
            }
        }
        val refused = assertThrows<KeeplineException.InvalidConfig> {
            Keepline.start(address) { greeting = Greeting().send(byteArrayOf(1)); onConnect {} }
        }
        assertEquals("greeting", refused.field)
        assertFalse(refused.isRetryable)
    }

    /** In a function of its own, so that no frame holds what the hook holds. */
    private suspend fun hooked(address: String): Pair<Client, WeakReference<Any>> {
        val big = Any()
        val client = Keepline.connect(address) {
            framing = Framing.lines()
            onConnect { check(big.hashCode() == big.hashCode()) }
        }
        return client to WeakReference(big)
    }

    private suspend fun assertCause(cause: Cause, client: Client) {
        val lost = withTimeout(10.seconds) { client.events.first { it is Event.Disconnected } }
        assertEquals(cause, (lost as Event.Disconnected).cause)
    }

    private suspend fun assertWorks(client: Client) {
        client.send("still alive")
        assertEquals("still alive", client.receive(10.seconds)?.text())
        assertTrue(client.stats().connections > 0)
    }

    private fun served(test: suspend (String) -> Unit) = runBlocking(Dispatchers.Default) {
        withChaos { chaos -> test(chaos.tell("serve s line")) }
    }
}
