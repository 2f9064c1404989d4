// The configuration on its way to the core and back.

internal import KeeplineBridge

extension Config {
    /// As the core takes it.
    func declared(_ hooks: Hooks = Hooks()) throws -> ClientConfig {
        ClientConfig(
            profile: profile?.rawValue,
            detectWithinMs: try detectWithin.declared("detect_within"),
            heartbeatPayload: heartbeat?.payload,
            heartbeatReply: heartbeat?.reply?.record,
            heartbeatIntervalMs: try (heartbeat?.interval).declared("heartbeat.interval"),
            heartbeatReplyWithinMs: try (heartbeat?.replyWithin).declared("heartbeat.reply_within"),
            keepaliveOff: keepalive == .off,
            keepaliveIdleMs: try (keepalive?.probes?.idle).declared("keepalive.idle"),
            keepaliveIntervalMs: try (keepalive?.probes?.interval).declared("keepalive.interval"),
            keepaliveRetries: try (keepalive?.probes?.retries).declared("keepalive.retries"),
            userTimeoutOff: userTimeout.isOff,
            userTimeoutMs: try userTimeout.unlessOff("user_timeout"),
            rtoMaxOff: rtoMax.isOff,
            rtoMaxMs: try rtoMax.unlessOff("rto_max"),
            readIdleMs: try readIdle.declared("read_idle"),
            connectPerAddressMs: try connectPerAddress.declared("connect.per_address"),
            connectTotalMs: try connectTotal.declared("connect.total"),
            addresses: addresses?.rawValue,
            addressStaggerMs: try addressStagger.declared("address_stagger"),
            raceThroughTls: raceThroughTls,
            retryTlsVerdicts: retryTlsVerdicts,
            refusePrivateAddresses: refusePrivateAddresses,
            connectWithinMs: try connectWithin.declared("connect.within"),
            backoffFirstSpreadMs: try backoff.firstSpread.declared("backoff.first_spread"),
            backoffInitialMs: try backoff.initial.declared("backoff.initial"),
            backoffMultiplier: backoff.multiplier,
            backoffMaxMs: try backoff.max.declared("backoff.max"),
            backoffJitter: backoff.jitter?.rawValue,
            stableAfterMs: try stableAfter.declared("stable_after"),
            maxAttempts: try maxAttempts.declared("max_attempts"),
            whileDown: whileDown?.rawValue,
            outboxMessages: try outbox.messages.declared("outbox.messages"),
            outboxBytes: try outbox.bytes.declared("outbox.bytes"),
            outboxAgeOff: outbox.age.isOff,
            outboxAgeMs: try outbox.age.unlessOff("outbox.age"),
            overflow: overflow?.rawValue,
            inboxBytes: try inboxBytes.declared("inbox.bytes"),
            unsolicited: unsolicited?.rawValue,
            framing: framing?.record,
            frameWithinOff: frameWithin.isOff,
            frameWithinMs: try frameWithin.unlessOff("frame_within"),
            correlation: correlation?.record,
            push: push?.record,
            maxInFlight: try maxInFlight.declared("max_in_flight"),
            greeting: greeting?.records,
            greetingHook: hooks.onConnect != nil,
            credentials: credentials,
            credentialsHook: hooks.credentials != nil,
            credentialsWithinMs: try credentialsWithin.declared("credentials_within"),
            authAttemptsOff: authAttempts == .unlimited,
            authAttempts: try (authAttempts?.most).declared("auth_attempts"),
            goAway: goAway?.record,
            autoReplies: autoReplies.map(\.record),
            stallLimitMs: try stallLimit.declared("stall_limit"),
            concurrentOk: concurrentOk,
            governed: governed,
            siblingProbes: siblingProbes,
            networkMonitor: networkMonitor,
            tls: tls?.record,
            proxy: proxy,
            singleConnection: singleConnection,
            endpointOrder: endpointOrder?.rawValue,
            returnToPreferredMs: try returnToPreferred.declared("return_to_preferred"),
            bindAddress: bindAddress,
            bindInterface: bindInterface)
    }

    func resolvedRecord() throws -> ResolvedConfig { try resolveConfig(config: declared()) }

    /// As the core decided it.
    init(_ record: ClientConfig) throws {
        profile = try named(ifAny: record.profile)
        detectWithin = millis(ifAny: record.detectWithinMs)
        heartbeat = Heartbeat(record)
        keepalive = Keepalive(record)
        userTimeout = Limit(off: record.userTimeoutOff, millis: record.userTimeoutMs)
        rtoMax = Limit(off: record.rtoMaxOff, millis: record.rtoMaxMs)
        readIdle = millis(ifAny: record.readIdleMs)
        connectPerAddress = millis(ifAny: record.connectPerAddressMs)
        connectTotal = millis(ifAny: record.connectTotalMs)
        addresses = try named(ifAny: record.addresses)
        addressStagger = millis(ifAny: record.addressStaggerMs)
        refusePrivateAddresses = record.refusePrivateAddresses
        raceThroughTls = record.raceThroughTls
        retryTlsVerdicts = record.retryTlsVerdicts
        connectWithin = millis(ifAny: record.connectWithinMs)
        backoff.firstSpread = millis(ifAny: record.backoffFirstSpreadMs)
        backoff.initial = millis(ifAny: record.backoffInitialMs)
        backoff.multiplier = record.backoffMultiplier
        backoff.max = millis(ifAny: record.backoffMaxMs)
        backoff.jitter = try named(ifAny: record.backoffJitter)
        stableAfter = millis(ifAny: record.stableAfterMs)
        maxAttempts = int(record.maxAttempts)
        whileDown = try named(ifAny: record.whileDown)
        outbox.messages = int(record.outboxMessages)
        outbox.bytes = int(record.outboxBytes)
        outbox.age = Limit(off: record.outboxAgeOff, millis: record.outboxAgeMs)
        overflow = try named(ifAny: record.overflow)
        inboxBytes = int(record.inboxBytes)
        unsolicited = try named(ifAny: record.unsolicited)
        framing = record.framing.map(Framing.init(record:))
        frameWithin = Limit(off: record.frameWithinOff, millis: record.frameWithinMs)
        correlation = record.correlation.map(Correlation.init(record:))
        push = record.push.map(Matcher.init(record:))
        maxInFlight = int(record.maxInFlight)
        greeting = record.greeting.map(Greeting.init(records:))
        credentials = record.credentials
        credentialsWithin = millis(ifAny: record.credentialsWithinMs)
        authAttempts = Attempts(record)
        goAway = record.goAway.map { RetryAfter($0) }
        autoReplies = record.autoReplies.map { AutoReply($0) }
        stallLimit = millis(ifAny: record.stallLimitMs)
        concurrentOk = record.concurrentOk
        governed = record.governed
        siblingProbes = record.siblingProbes
        networkMonitor = record.networkMonitor
        tls = record.tls.map { Tls($0) }
        proxy = record.proxy
        singleConnection = record.singleConnection
        endpointOrder = try named(ifAny: record.endpointOrder)
        returnToPreferred = millis(ifAny: record.returnToPreferredMs)
        bindAddress = record.bindAddress
        bindInterface = record.bindInterface
    }
}

extension Resolved {
    init(_ record: ResolvedConfig) throws {
        self.init(
            config: try Config(record.config), notices: record.notices.map(Notice.init), bounds: DetectionBounds(record.bounds))
    }
}

extension Heartbeat {
    fileprivate init?(_ record: ClientConfig) {
        guard let payload = record.heartbeatPayload else { return nil }
        self.init(
            payload, reply: record.heartbeatReply.map(Matcher.init(record:)), interval: millis(ifAny: record.heartbeatIntervalMs),
            replyWithin: millis(ifAny: record.heartbeatReplyWithinMs))
    }
}

extension Keepalive {
    fileprivate init?(_ record: ClientConfig) {
        if record.keepaliveOff {
            self = .off
        } else if let idle = millis(ifAny: record.keepaliveIdleMs), let interval = millis(ifAny: record.keepaliveIntervalMs),
            let retries = int(record.keepaliveRetries)
        {
            self = .probes(idle: idle, interval: interval, retries: retries)
        } else {
            return nil
        }
    }
}

extension Attempts {
    fileprivate init?(_ record: ClientConfig) {
        if record.authAttemptsOff {
            self = .unlimited
        } else if let most = int(record.authAttempts) {
            self = .atMost(most)
        } else {
            return nil
        }
    }

    /// The count, if there is an end.
    fileprivate var most: Int? {
        switch self {
        case .unlimited: nil
        case .atMost(let count): count
        }
    }
}
