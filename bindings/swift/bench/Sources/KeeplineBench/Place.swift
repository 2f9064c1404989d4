// Where the processes run, how much is in flight, and how long a case lasts: as in the benchmarks of Python and Kotlin.

import Foundation

/// Servers, and the clients of round trips: that shows what the software costs, not how fast a core wakes up.
let serverCpu = 0
/// The clients of throughput, with all of their threads: no client has more than one core.
let clientCpu = 1
/// Seconds before anything counts: connections, caches and windows are at rest by then. Nothing is compiled while it runs.
let warmUp = 0.5
let seconds = 1.0
/// Two minutes, as `timeout` takes it: a case takes some two seconds.
let limit = "120"
let size = 256
let small = 16
/// Bytes of payload on the way at most, and the messages that this makes.
let window = 256 * 1024
let inFlight = window / size
/// Bytes before each message that tell its size.
let header = 4
/// Bytes that one read takes at most, as large as anybody makes such a buffer.
let bufferSize = 64 * 1024
/// Calls of one burst: far below what the outbox holds, far above what the clock can tell apart.
let burst = 1000
/// Messages to a batch in the measurement of calls.
let batchSize = 100

/// The command that runs a program on one core; where there is only one, on that.
func pinned(to cpu: Int) -> [String] {
    ["taskset", "-c", "\(cpu % ProcessInfo.processInfo.activeProcessorCount)"]
}
