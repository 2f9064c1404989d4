// Tells clients that the app leaves the screen and comes back, where Apple's UIKit is.

#if canImport(UIKit) && !os(watchOS)
    import Foundation
    import UIKit

    /// Pauses its clients while the app is in the background, and brings them back with it.
    ///
    /// The system ends the connections of an app that it suspends. Before that it grants a moment, which is used to let out what
    /// waits in the outbox. It does not keep its clients alive, and forgets those that are gone.
    @MainActor
    public final class LifecycleMonitor {
        private struct Attached {
            weak var client: Client?
        }

        private var clients: [Attached] = []
        // Written on the main actor, and read by the end of the last reference.
        nonisolated(unsafe) private var observers: [any NSObjectProtocol] = []
        private let grace: Duration

        /// Begins to watch.
        ///
        /// - Parameter grace: how long what waits may take to leave when the app goes. The system grants some 30 s at most.
        public init(grace: Duration = .seconds(5)) {
            self.grace = grace
            observe(UIApplication.didEnterBackgroundNotification) { $0.leave() }
            observe(UIApplication.willEnterForegroundNotification) { $0.comeBack() }
        }

        deinit {
            for observer in observers { NotificationCenter.default.removeObserver(observer) }
        }

        /// Tells this client from now on.
        public func attach(_ client: Client) {
            clients.removeAll { $0.client == nil || $0.client === client }
            clients.append(Attached(client: client))
        }

        /// Tells this client no more.
        public func detach(_ client: Client) { clients.removeAll { $0.client == nil || $0.client === client } }

        /// Ends the watching.
        public func cancel() {
            for observer in observers { NotificationCenter.default.removeObserver(observer) }
            observers = []
        }

        private func observe(_ name: Notification.Name, _ tell: @escaping @MainActor (LifecycleMonitor) -> Void) {
            observers.append(
                NotificationCenter.default.addObserver(forName: name, object: nil, queue: .main) { [weak self] _ in
                    // The queue is the main one, which is the main actor's.
                    MainActor.assumeIsolated {
                        if let self { tell(self) }
                    }
                })
        }

        private func leave() {
            let clients = clients.compactMap(\.client)
            guard !clients.isEmpty else { return }
            let grace = grace
            let application = UIApplication.shared
            let task = application.beginBackgroundTask(withName: "dev.keepline.flush", expirationHandler: nil)
            Task { @MainActor in
                await withTaskGroup(of: Void.self) { group in
                    for client in clients {
                        group.addTask {
                            _ = try? await client.flush(within: grace)
                            await MainActor.run {
                                // Unless it has come back meanwhile.
                                if application.applicationState == .background { try? client.enterBackground() }
                            }
                        }
                    }
                }
                application.endBackgroundTask(task)
            }
        }

        private func comeBack() {
            for client in clients.compactMap(\.client) { try? client.enterForeground() }
        }
    }
#endif
