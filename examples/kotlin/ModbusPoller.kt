/**
 * Polls a holding register of a controller, and says so when its value is not known.
 *
 * `ModbusPoller plc-7.example:502 [REGISTER [MILLISECONDS]]`. The industrial profile holds one connection with one request in
 * flight, and queues nothing: a value is fresh, or there is none. A late answer is never taken for that to the next question.
 */
@file:JvmName("ModbusPoller")

package examples.modbus

import dev.keepline.Correlation
import dev.keepline.Framing
import dev.keepline.Heartbeat
import dev.keepline.Keepline
import dev.keepline.KeeplineException
import dev.keepline.Profile
import kotlinx.coroutines.delay
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** Two seconds for an answer; a controller needs some milliseconds. */
private val SOON = 2.seconds

/** The bit in the function code by which a controller says that it did not do it. */
private const val ILLEGAL = 0x80

suspend fun main(arguments: Array<String>) {
    val register = arguments.getOrNull(1)?.toInt() ?: 0
    val every = (arguments.getOrNull(2)?.toInt() ?: 1_000).milliseconds

    Keepline.start(arguments[0]) {
        profile = Profile.Industrial
        framing = Framing.modbusTcp()
        // Where Modbus TCP has its transaction id. The client writes it itself.
        correlation = Correlation.id(offset = 0, width = 2)
        heartbeat = Heartbeat(readRegister(register), interval = SOON, replyWithin = SOON)
    }.use { client ->
        while (true) {
            try {
                println("register $register is ${valueOf(client.request(readRegister(register), SOON))}")
            } catch (error: KeeplineException) {
                println("register $register is not known: ${error.kind}")
            }
            delay(every)
        }
    }
}

/** Asks unit 1 for one holding register (function 3). */
private fun readRegister(address: Int): ByteArray =
    byteArrayOf(0, 0, 0, 0, 0, 6, 1, 3, (address shr 8).toByte(), address.toByte(), 0, 1)

/** Header of 7 bytes, function, number of bytes, then the register. */
private fun valueOf(reply: ByteArray): String {
    val bytes = reply.map { it.toInt() and 0xff }
    return when {
        bytes.size > 8 && bytes[7] and ILLEGAL != 0 -> "refused with code ${bytes[8]}"
        bytes.size > 10 -> "${bytes[9] * 256 + bytes[10]}"
        else -> "not told: the answer is too short"
    }
}
