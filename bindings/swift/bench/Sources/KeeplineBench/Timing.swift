// How a case is measured: messages in a given time, single exchanges, or bursts of calls.

import Glibc

/// Counts messages that came back once all is warm, and what they cost.
struct Throughput {
    private var received = 0
    private var isWarm = false
    private var began = clock(CLOCK_MONOTONIC)
    private var took = 0
    private var cpu = 0
    private var until = clock(CLOCK_MONOTONIC) + nanoseconds(warmUp)

    /// Counts so many messages, and says whether it is over.
    mutating func count(_ messages: Int) -> Bool {
        received += messages
        let now = clock(CLOCK_MONOTONIC)
        if now < until { return false }
        if isWarm {
            cpu = clock(CLOCK_PROCESS_CPUTIME_ID) - cpu
            took = now - began
            return true
        }
        isWarm = true
        received = 0
        began = now
        until = now + nanoseconds(seconds)
        cpu = clock(CLOCK_PROCESS_CPUTIME_ID)
        return false
    }

    /// Thousand messages a second, and microseconds of processor time for each, of all threads.
    var result: [Double] { [Double(received) / Double(took) * 1e6, Double(cpu) / 1e3 / Double(received)] }
}

/// Times one exchange after the other.
struct Trips {
    private var trips: [Int] = []
    private let warm: Int
    private let until: Int
    private var last: Int
    private var cpu = 0

    init() {
        last = clock(CLOCK_MONOTONIC)
        warm = last + nanoseconds(warmUp)
        until = warm + nanoseconds(seconds)
    }

    /// Ends an exchange and begins the next, if there is time.
    mutating func next() -> Bool {
        let now = clock(CLOCK_MONOTONIC)
        if now < warm { cpu = clock(CLOCK_PROCESS_CPUTIME_ID) } else { trips.append(now - last) }
        last = now
        return now < until
    }

    /// Microseconds: the median, what one in a hundred is slower than, and processor time of all threads.
    var result: [Double] {
        let spent = Double(clock(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e3 / Double(trips.count)
        let sorted = trips.sorted()
        return [Double(sorted[sorted.count / 2]) / 1e3, Double(sorted[sorted.count * 99 / 100]) / 1e3, spent]
    }
}

/// Times bursts of calls, which the calling thread makes in one go.
struct Bursts {
    private var bursts: [Int] = []
    private let began = clock(CLOCK_MONOTONIC)

    /// Whether there is time for another one.
    var goOn: Bool { clock(CLOCK_MONOTONIC) < began + nanoseconds(warmUp + seconds) }

    /// Makes one. What it caused is to be taken back after this, off the clock.
    mutating func time(_ calls: () throws -> Void) rethrows {
        let before = clock(CLOCK_THREAD_CPUTIME_ID)
        try calls()
        let after = clock(CLOCK_THREAD_CPUTIME_ID)
        if clock(CLOCK_MONOTONIC) > began + nanoseconds(warmUp) { bursts.append(after - before) }
    }

    /// Nanoseconds of processor time of the calling thread for one of `burst` messages.
    var result: [Double] { [Double(bursts.sorted()[bursts.count / 2]) / Double(burst)] }
}

/// A clock of the system in nanoseconds.
private func clock(_ clock: clockid_t) -> Int {
    var time = timespec()
    clock_gettime(clock, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

private func nanoseconds(_ seconds: Double) -> Int { Int(seconds * 1e9) }
