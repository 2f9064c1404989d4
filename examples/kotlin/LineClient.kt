/**
 * Talks in lines with a server that wants a login first, through its restarts: each line that is typed is sent, each that comes
 * is printed.
 *
 * `LINE_CLIENT_SECRET=secret LineClient localhost:6379`. Redis takes lines, too, and its login is `AUTH password`. The client logs
 * in by itself on each new connection, before anything that was typed meanwhile. It ends with its input, or when the server refuses
 * the login.
 */
@file:JvmName("LineClient")

package examples.line

import dev.keepline.Event
import dev.keepline.Framing
import dev.keepline.Greeting
import dev.keepline.Heartbeat
import dev.keepline.Keepline
import dev.keepline.KeeplineException
import dev.keepline.Matcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlin.system.exitProcess
import kotlin.time.Duration.Companion.seconds

suspend fun main(arguments: Array<String>) = coroutineScope {
    val client = Keepline.start(arguments[0]) {
        framing = Framing.lines()
        credentials = System.getenv("LINE_CLIENT_SECRET").orEmpty().encodeToByteArray()
        greeting = Greeting()
            .refused(Matcher.prefix("-WRONGPASS".encodeToByteArray()))
            .sendCredentials("AUTH ".encodeToByteArray())
            .expect("+OK".encodeToByteArray())
        authAttempts = 1
        heartbeat = Heartbeat("PING", Matcher.exact("+PONG".encodeToByteArray()), 2.seconds, 2.seconds)
    }
    val telling = launch {
        client.events.collect { event ->
            when (event) {
                is Event.Connected -> println("* logged in #${event.epoch}")
                is Event.Disconnected -> println("* lost (${event.cause})")
                else -> {}
            }
        }
    }
    launch {
        while (true) client.send(withContext(Dispatchers.IO) { readlnOrNull() } ?: break)
        client.close(5.seconds)
    }
    try {
        client.messages.collect { println(it.text()) }
    } catch (error: KeeplineException) {
        telling.join()
        println("* over: ${error.reason}")
        // A read of the standard input cannot be given up.
        exitProcess(1)
    }
}
