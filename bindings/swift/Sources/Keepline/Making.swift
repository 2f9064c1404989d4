// Making clients, and what can be asked without one.

internal import KeeplineBridge

extension Client {
    /// Makes a client and waits for its first connection, retrying by policy, at most `connectWithin`.
    ///
    /// ```swift
    /// let client = try await Client.connect("plc-7.example:502") { $0.profile = .industrial }
    /// ```
    ///
    /// Cancelling the wait aborts the client.
    ///
    /// - Parameters:
    ///   - address: `host:port`, `tls://host:port`, `[v6]:port` or `unix:/path`.
    ///   - more: further endpoints.
    ///   - hooks: code of yours that it asks while it connects.
    ///   - isolation: where `configure` runs: where the caller does.
    ///   - configure: declares what shall be otherwise than the defaults.
    /// - Throws: ``KeeplineError/invalidConfig(_:)`` names the field, the value and the rule.
    ///   ``KeeplineError/unavailable(_:)``: no connection in time, with the last cause; the client is then closed.
    ///   ``KeeplineError/exhausted(_:)``: the client gave up.
    public static func connect(
        _ address: String, _ more: String..., hooks: Hooks = Hooks(), isolation: isolated (any Actor)? = #isolation,
        configure: (inout Config) -> Void = { _ in }
    ) async throws -> Client {
        var config = Config()
        configure(&config)
        return try await connect(to: ([address] + more).map { Endpoint($0) }, config, hooks: hooks)
    }

    /// As above, with a configuration that was made before, and weights.
    public static func connect(
        to endpoints: [Endpoint], _ config: Config = Config(), hooks: Hooks = Hooks()
    ) async throws -> Client {
        if hooks.areMissing {
            let (endpoints, declared) = try (endpoints.map { try $0.record() }, config.declared())
            return Client(
                try await waiting { try await KeeplineBridge.connect(endpoints: endpoints, config: declared, cancel: $0) })
        }
        let client = try start(to: endpoints, config, hooks: hooks)
        do {
            try await waiting { try await client.core.connected(cancel: $0) }
        } catch {
            client.abort()
            throw error
        }
        return client
    }

    /// Makes a client that dials for ever, and returns at once.
    ///
    /// - Throws: ``KeeplineError/invalidConfig(_:)`` names the field, the value and the rule.
    public static func start(
        _ address: String, _ more: String..., hooks: Hooks = Hooks(), configure: (inout Config) -> Void = { _ in }
    ) throws(KeeplineError) -> Client {
        var config = Config()
        configure(&config)
        return try start(to: ([address] + more).map { Endpoint($0) }, config, hooks: hooks)
    }

    /// As above, with a configuration that was made before, and weights.
    public static func start(
        to endpoints: [Endpoint], _ config: Config = Config(), hooks: Hooks = Hooks()
    ) throws(KeeplineError) -> Client {
        try crossing {
            let records = try endpoints.map { try $0.record() }
            let declared = try config.declared(hooks)
            if hooks.areMissing { return Client(try KeeplineBridge.start(endpoints: records, config: declared)) }
            let asked = AskedHooks(hooks)
            return Client(
                try startWith(endpoints: records, config: declared, hooks: asked, there: hooks.there), asked)
        }
    }

    /// Every value of a profile.
    public static func defaults(of profile: Profile) throws(KeeplineError) -> Config {
        try crossing { try Config(defaultConfigOf(profile: profile.rawValue)) }
    }

    /// Examines why a client does not connect, stage by stage, with connections of its own.
    ///
    /// - Parameters:
    ///   - address: `host:port`, `tls://host:port`, `[v6]:port` or `unix:/path`.
    ///   - patience: how long each stage waits for somebody else.
    ///   - pathMtu: whether full-size packets arrive is asked, too.
    ///   - idle: whether a connection survives these silences.
    ///   - isolation: where `configure` runs: where the caller does.
    ///   - configure: declares what the client would be given.
    public static func doctor(
        _ address: String, patience: Duration? = nil, pathMtu: Bool = false, idle: [Duration] = [],
        isolation: isolated (any Actor)? = #isolation, configure: (inout Config) -> Void = { _ in }
    ) async throws -> Diagnosis {
        var config = Config()
        configure(&config)
        return try await doctor(address, config, patience: patience, pathMtu: pathMtu, idle: idle)
    }

    /// As above, with a configuration that was made before.
    public static func doctor(
        _ address: String, _ config: Config, patience: Duration? = nil, pathMtu: Bool = false, idle: [Duration] = []
    ) async throws -> Diagnosis {
        let declared = try config.declared()
        let asked = ExaminationRecord(
            patienceMs: try patience.declared("patience"), pathMtu: pathMtu, idleMs: try idle.map { try $0.asWait("idle") })
        return try Diagnosis(
            await waiting {
                try await KeeplineBridge.doctor(address: address, config: declared, asked: asked, cancel: $0)
            })
    }

    /// The release of the core.
    public static var version: String { KeeplineBridge.version() }
}
