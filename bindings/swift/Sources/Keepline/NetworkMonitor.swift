// Tells clients that the network changed, where Apple's Network framework is.

#if canImport(Network)
    import Foundation
    import Network

    /// Watches the way to the network, and tells its clients of each change.
    ///
    /// ```swift
    /// let monitor = NetworkMonitor()
    /// monitor.attach(client)
    /// ```
    ///
    /// It does not keep its clients alive, and forgets those that are gone. It watches until it is cancelled or nobody holds it.
    public final class NetworkMonitor: Sendable {
        private struct Attached {
            weak var client: Client?
        }

        private struct Known {
            var clients: [Attached] = []
            /// What was told last: a client that comes later starts with it.
            var path: NetworkPath?
            /// The interfaces of the last path, and the number they were given.
            var interfaces: [String] = []
            var id: UInt64 = 0
        }

        private let monitor: NWPathMonitor
        private let known: Guarded<Known>

        /// Begins to watch.
        public init() {
            let monitor = NWPathMonitor()
            let known = Guarded(Known())
            monitor.pathUpdateHandler = { path in NetworkMonitor.changed(path, known) }
            // One of its own: what is told is told in order.
            monitor.start(queue: DispatchQueue(label: "dev.keepline.network-monitor"))
            self.monitor = monitor
            self.known = known
        }

        deinit { monitor.cancel() }

        /// Tells this client of each change from now on, and of the way as it is.
        public func attach(_ client: Client) {
            let path = known.withLock { known in
                known.clients.removeAll { $0.client == nil || $0.client === client }
                known.clients.append(Attached(client: client))
                return known.path
            }
            if let path { try? client.networkChanged(path) }
        }

        /// Tells this client no more.
        public func detach(_ client: Client) {
            known.withLock { $0.clients.removeAll { $0.client == nil || $0.client === client } }
        }

        /// Ends the watching for good: the system does not start a monitor again. Make another one.
        public func cancel() { monitor.cancel() }

        private static func changed(_ path: NWPath, _ known: Guarded<Known>) {
            // The system numbers no networks: another set of interfaces is another way, and so is a return from nothing.
            let interfaces = path.availableInterfaces.map { "\($0.index) \($0.name)" }
            let (told, clients) = known.withLock { known in
                let isAvailable = path.status == .satisfied
                if known.interfaces != interfaces {
                    known.interfaces = interfaces
                    known.id += 1
                }
                let told = NetworkPath(id: known.id, available: isAvailable, kind: kind(of: path), metered: path.isExpensive)
                known.path = told
                return (told, known.clients.compactMap(\.client))
            }
            // A client that is closed by now has nothing to be told.
            for client in clients { try? client.networkChanged(told) }
        }

        private static func kind(of path: NWPath) -> NetworkKind {
            let kinds: [(NWInterface.InterfaceType, NetworkKind)] = [
                (.wifi, .wifi), (.cellular, .cellular), (.wiredEthernet, .wired), (.other, .other),
            ]
            return kinds.first { path.usesInterfaceType($0.0) }?.1 ?? .unknown
        }
    }
#endif
