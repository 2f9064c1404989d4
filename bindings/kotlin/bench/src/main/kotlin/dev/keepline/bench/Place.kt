/** Where the processes run, how much is in flight, and how long a case lasts: as in the benchmark of Python. */
package dev.keepline.bench

/** Servers, and the clients of round trips: that shows what the software costs, not how fast a core wakes up. */
const val SERVER_CPU = 0

/** The clients of throughput, with all of their threads: no client has more than one core. */
const val CLIENT_CPU = 1

/** Seconds before anything counts: the machine has compiled by then what runs often. */
const val WARM_UP = 2.0
const val SECONDS = 1.0
const val SIZE = 256
const val SMALL = 16

/** Bytes of payload on the way at most, and the messages that this makes. */
const val WINDOW = 256 * 1024
const val IN_FLIGHT = WINDOW / SIZE

/** Bytes before each message that tell its size. */
const val HEADER = 4

/** Bytes that one read takes at most, as large as anybody makes such a buffer. */
const val BUFFER = 64 * 1024

/** The command that runs a program on one core; where there is only one, on that. */
fun pinnedTo(cpu: Int): List<String> =
    listOf("taskset", "-c", "${cpu % Runtime.getRuntime().availableProcessors()}")
