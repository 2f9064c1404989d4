// What an app tells its client when it leaves the screen and when it comes back.

extension Client {
    /// Tells that the app leaves the screen: the connection is ended, and the client stays away until ``enterForeground()``.
    ///
    /// A system that suspends an app ends its connections without a word, and each attempt until then costs battery. What is
    /// sent meanwhile waits in the outbox, where the policy is to queue. Give ``flush(within:)`` a moment before it, if what
    /// waits should leave first. It is told as ``Event/paused(_:)``.
    public func enterBackground() throws(KeeplineError) { try crossing { try core.enterBackground() } }

    /// Tells that the app is on the screen again: dials at once, unless the client was also paused.
    ///
    /// A connection that was never left is asked for a sign of life, and the wait for an attempt ends.
    public func enterForeground() throws(KeeplineError) { try crossing { try core.enterForeground() } }

    /// Waits until nothing waits in the outbox, at most so long. Says whether that is so.
    public func flush(within limit: Duration) async throws -> Bool {
        let end = ContinuousClock.now + limit
        while try stats().messages.queued > 0 {
            guard ContinuousClock.now < end else { return false }
            // 20 ms: nobody notices, and a second of waiting costs fifty looks.
            try await Task.sleep(for: .milliseconds(20))
        }
        return true
    }
}
