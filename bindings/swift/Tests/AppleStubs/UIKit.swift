// What the facade uses of Apple's UIKit, declared as its documentation does: to check types by, never to run.

import Foundation

public struct UIBackgroundTaskIdentifier: Sendable {}

@MainActor
open class UIApplication {
    public enum State: Sendable { case active, inactive, background }
    public static let shared = UIApplication()
    nonisolated public static let didEnterBackgroundNotification = Notification.Name("didEnterBackground")
    nonisolated public static let willEnterForegroundNotification = Notification.Name("willEnterForeground")
    public var applicationState: State { .active }
    public func beginBackgroundTask(withName: String?, expirationHandler: (@MainActor @Sendable () -> Void)?) -> UIBackgroundTaskIdentifier {
        UIBackgroundTaskIdentifier()
    }
    public func endBackgroundTask(_ identifier: UIBackgroundTaskIdentifier) {}
}
