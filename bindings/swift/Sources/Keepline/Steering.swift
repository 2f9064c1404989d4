// Steering a running client.

public import Foundation
internal import KeeplineBridge

extension Client {
    /// Ends the connection, if there is one, and dials at once.
    public func reconnect() throws(KeeplineError) { try crossing { try core.reconnect() } }

    /// Takes another list of endpoints. A connection to one that is still in it stays; any other is left.
    ///
    /// - Throws: ``KeeplineError/invalidConfig(_:)``: a bad endpoint, the same one twice, none, or more than 64.
    public func setEndpoints(_ endpoints: [Endpoint]) throws(KeeplineError) {
        try crossing { try core.setEndpoints(endpoints: endpoints.map { try $0.record() }) }
    }

    /// Subscribes: sends the frame at once if there is a connection, and begins each new connection with it.
    ///
    /// - Parameters:
    ///   - key: its name in the list.
    ///   - frame: what is sent, in the client's framing.
    ///   - confirmedBy: the frame by which the server says that it did. A new connection then counts as connected only once
    ///     it has come, and it is consumed.
    /// - Throws: ``KeeplineError/rejected(_:)``: the list or the outbox is full, or the frame does not fit the framing.
    public func subscribe(_ key: String, _ frame: Data, confirmedBy: Matcher? = nil) throws(KeeplineError) {
        try crossing { try core.subscribe(key: key, frame: frame, confirmedBy: confirmedBy?.record) }
    }

    /// Takes a subscription out, and sends `frame` if there is a connection to take it back on. Says whether there was one.
    @discardableResult
    public func unsubscribe(_ key: String, _ frame: Data? = nil) throws(KeeplineError) -> Bool {
        try crossing { try core.unsubscribe(key: key, frame: frame) }
    }

    /// Replaces the declared credentials for the attempts to come; a living connection keeps its own.
    ///
    /// - Throws: ``KeeplineError/invalidConfig(_:)``: none are declared.
    public func setCredentials(_ secret: Data) throws(KeeplineError) {
        try crossing { try core.setCredentials(secret: secret) }
    }

    /// Leaves because the server asked for it, and comes back no sooner than `retryAfter`; at most an hour is honoured.
    public func goAway(retryAfter: Duration) throws(KeeplineError) {
        try crossing { try core.goAway(retryAfterMs: retryAfter.asWait("retry_after")) }
    }

    /// Tells that the network changed: `nil` if nothing is known of the new one.
    public func networkChanged(_ path: NetworkPath? = nil) throws(KeeplineError) {
        try crossing { try core.networkChanged(path: path?.record) }
    }

    /// Ends the connection and stays away until ``resume()``.
    public func pause() throws(KeeplineError) { try crossing { try core.pause() } }

    /// Dials again after ``pause()``, and after ``enterBackground()``.
    public func resume() throws(KeeplineError) { try crossing { try core.resume() } }
}
