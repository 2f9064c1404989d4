// How calls cross to the core: errors become ours, and a cancelled task gives its call up.

internal import KeeplineBridge

/// Runs a call that returns at once.
func crossing<T>(_ call: () throws -> T) throws(KeeplineError) -> T {
    do {
        return try call()
    } catch {
        throw KeeplineError(error)
    }
}

/// Runs a call that waits. The generated code goes on waiting when its task is cancelled; the token ends that.
///
/// What the call waited for stays with the core: a call that is given up has taken nothing.
func waiting<T: Sendable>(_ call: (CancelToken) async throws -> T) async throws -> T {
    let token = CancelToken()
    do {
        return try await withTaskCancellationHandler {
            try await call(token)
        } onCancel: {
            token.cancel()
        }
    } catch ForeignError.Cancelled {
        throw CancellationError()
    } catch {
        throw KeeplineError(error)
    }
}
