/** Names that are the same in every language. A test compares them with the contract of the core. */
package dev.keepline

/** A value with a name that is the same in every language. */
public interface Named {
    /** The name, as in events, logs and the other languages. */
    public val wireName: String
}

internal inline fun <reified T> named(name: String): T where T : Enum<T>, T : Named =
    enumValues<T>().firstOrNull { it.wireName == name }
        ?: throw KeeplineException.Internal(Evidence("the core knows a ${T::class.simpleName} that this library does not: $name"))

/** A set of defaults. */
public enum class Profile(override val wireName: String) : Named {
    /** For programs that do not know better. */
    Balanced("balanced"),
    /** For phones: few wake-ups, long waits. */
    Mobile("mobile"),
    /** For devices: one connection at a time, nothing survives a reconnect. */
    Industrial("industrial"),
    /** For servers near by: short waits, large queues. */
    Datacenter("datacenter"),
    ;

    override fun toString(): String = wireName
}

/** Where a client stands. */
public enum class State(override val wireName: String) : Named {
    /** Not dialling by wish: before start, or paused. */
    Idle("idle"),
    /** An attempt is under way. */
    Connecting("connecting"),
    /** The connection is usable. */
    Connected("connected"),
    /** The connection may be dead; a verdict is near. */
    Suspect("suspect"),
    /** The peer lives and does not read. */
    Stalled("stalled"),
    /** Waiting for the next attempt. */
    Waiting("waiting"),
    /** The system says that there is no network; nothing is tried. */
    Offline("offline"),
    /** Over. Make a new client. */
    Closed("closed"),
    ;

    /** Whether a connection is established in this state. */
    public val isUp: Boolean get() = this == Connected || this == Suspect || this == Stalled

    override fun toString(): String = wireName
}

/** What became of a tracked message. Final. */
public enum class Outcome(override val wireName: String) : Named {
    /** Acknowledged by the kernel of the peer, or of the proxy before it. Not: processed. */
    Acked("acked"),
    /** Dropped by policy; no byte of it was handed to the kernel. */
    NotSent("not_sent"),
    /** Handed to the kernel, whole or in part; nobody knows what became of it. */
    Unknown("unknown"),
    /** Ran out of time in the outbox; no byte of it was handed to the kernel. */
    Expired("expired"),
    ;

    override fun toString(): String = wireName
}

/** Whose kernel acknowledged a message. */
public enum class AckedBy(override val wireName: String) : Named {
    /** The peer's. */
    Peer("peer"),
    /** The proxy's, which says nothing of the peer. */
    Proxy("proxy"),
    ;

    override fun toString(): String = wireName
}

/** What made a connection suspect. */
public enum class Suspicion(override val wireName: String) : Named {
    /** Half of the reply deadline passed without a byte. */
    HeartbeatLate("heartbeat_late"),
    /** The kernel retransmitted the same data twice without an answer. */
    Retransmits("retransmits"),
    /** The machine woke from sleep, or the process did not run for too long. */
    Woke("woke"),
    /** The network changed under the connection. */
    NetworkChanged("network_changed"),
    /** The kernel retransmits, and the network says that there is no way (ICMP unreachable). */
    PathRefused("path_refused"),
    /** Another connection from the same local address died of a silent path: this one is asked at once. */
    SiblingDied("sibling_died"),
    ;

    override fun toString(): String = wireName
}

/** One turn in the life of a connection, as the flight recorder knows it. */
public enum class Transition(override val wireName: String) : Named {
    /** The attempt starts. */
    Connecting("connecting"),
    /** It dials with smaller segments, because large ones vanished before. */
    SmallSegments("small_segments"),
    /** Addresses of the name failed, before another answered or the attempt did. */
    AddressesFailed("addresses_failed"),
    /** TCP is established. */
    Dialed("dialed"),
    /** The greeting starts. */
    Greeting("greeting"),
    /** The connection is usable. */
    Connected("connected"),
    /** A heartbeat was asked for. Still there when nothing was heard since. */
    HeartbeatSent("heartbeat_sent"),
    /** The peer was heard after a heartbeat: any byte counts. */
    HeartbeatAnswered("heartbeat_answered"),
    /** The connection may be dead. */
    Suspect("suspect"),
    /** A suspect or stalled connection proved alive. */
    Recovered("recovered"),
    /** The peer lives and does not read. */
    Stalled("stalled"),
    /** The kernel retransmits without an answer. */
    Retransmitting("retransmitting"),
    /** The kernel's keepalive or window probes go unanswered. */
    Probing("probing"),
    /** The peer offers no window, and its kernel answers. */
    WindowShut("window_shut"),
    /** The peer's kernel answers again, and takes bytes. */
    KernelAnswers("kernel_answers"),
    /** The kernel was made to ask the peer's kernel at once. */
    KernelAsked("kernel_asked"),
    /** The kernel's user timeout was lifted while the peer is stalled. */
    UserTimeoutLifted("user_timeout_lifted"),
    /** It is in force again. */
    UserTimeoutSet("user_timeout_set"),
    /** The kernel takes no more bytes while some are waiting. */
    WriteBlocked("write_blocked"),
    /** The kernel took bytes again. */
    WriteResumed("write_resumed"),
    /** Keepline stopped reading: the inbox is full. */
    InboxFull("inbox_full"),
    /** Keepline reads again. */
    InboxDrained("inbox_drained"),
    /** There is no network, as the system says or the client sees. */
    NetworkLost("network_lost"),
    /** The network is back. */
    NetworkBack("network_back"),
    /** The network changed. */
    NetworkChanged("network_changed"),
    /** The budget of retries held the attempt beyond its wait. */
    Held("held"),
    /** The machine woke from sleep. */
    Slept("slept"),
    /** The user wished something. */
    Asked("asked"),
    /** The connection is being closed in order. */
    Draining("draining"),
    /** The end. */
    Ended("ended"),
    ;

    override fun toString(): String = wireName
}

/** What happens to messages while there is no connection. */
public enum class WhileDown(override val wireName: String) : Named {
    /** They wait in the outbox. */
    Queue("queue"),
    /** They are refused, and nothing survives into the next connection. */
    Reject("reject"),
    ;

    override fun toString(): String = wireName
}

/** What `send` does when the outbox is full. */
public enum class Overflow(override val wireName: String) : Named {
    /** Waits for a slow peer, fails for an absent one. */
    Auto("auto"),
    /** Waits. */
    Wait("wait"),
    /** Fails. */
    Reject("reject"),
    ;

    override fun toString(): String = wireName
}

/** What happens to messages that no request asked for. */
public enum class Unsolicited(override val wireName: String) : Named {
    /** They are delivered. */
    Deliver("deliver"),
    /** They are counted and dropped. */
    Discard("discard"),
    ;

    override fun toString(): String = wireName
}

/** How a wait is drawn from its window. */
public enum class Jitter(override val wireName: String) : Named {
    /** Uniform over the whole window. */
    Full("full"),
    /** Half the window, plus uniform over the other half. */
    Equal("equal"),
    /** The window, give or take a half. */
    Centred("centred"),
    /** Uniform between the initial window and three times the last wait. */
    Decorrelated("decorrelated"),
    /** The window itself. Fleets that use it stay in step, and a notice says so. */
    None("none"),
    ;

    override fun toString(): String = wireName
}

/** How the addresses of one name are dialled. */
public enum class Addresses(override val wireName: String) : Named {
    /** In a race (RFC 8305). */
    HappyEyeballs("happy_eyeballs"),
    /** One after the other. */
    OneAtATime("one_at_a_time"),
    ;

    override fun toString(): String = wireName
}

/** In which order several endpoints are tried. */
public enum class EndpointOrder(override val wireName: String) : Named {
    /** By luck and weight; a client stays where it is until that endpoint fails. */
    Shuffled("shuffled"),
    /** The first that is not known to fail, in the order given. */
    Ordered("ordered"),
    ;

    override fun toString(): String = wireName
}

/** A byte order. */
public enum class Endian(override val wireName: String) : Named {
    /** The most significant byte first, as on the network. */
    Big("big"),
    /** The least significant byte first. */
    Little("little"),
    ;

    override fun toString(): String = wireName
}

/** What a network is. */
public enum class NetworkKind(override val wireName: String) : Named {
    /** Nobody said. */
    Unknown("unknown"),
    /** Wireless, of this place. */
    Wifi("wifi"),
    /** Of a mobile operator. */
    Cellular("cellular"),
    /** By cable. */
    Wired("wired"),
    /** A tunnel over another one. */
    Vpn("vpn"),
    /** None of these. */
    Other("other"),
    ;

    override fun toString(): String = wireName
}

/** A part of the way to a useful connection, in its order. */
public enum class Stage(override val wireName: String) : Named {
    /** The configuration is parsed. */
    Config("config"),
    /** The name is looked up. */
    Names("names"),
    /** The system says which way leads there. */
    Route("route"),
    /** A connection is made. */
    Tcp("tcp"),
    /** The proxy lets it through. */
    Proxy("proxy"),
    /** The TLS handshake. */
    Tls("tls"),
    /** The exchange before a connection counts as connected. */
    Greeting("greeting"),
    /** Whether large packets pass. */
    PathMtu("path_mtu"),
    /** Whether a connection survives silence. */
    Idle("idle"),
    ;

    override fun toString(): String = wireName
}

/** What a stage of an examination came to. */
public enum class Finding(override val wireName: String) : Named {
    /** As it should be. */
    Passed("passed"),
    /** It works, and something should be looked at. */
    Warned("warned"),
    /** It does not work: nothing after it was tried. */
    Failed("failed"),
    ;

    override fun toString(): String = wireName
}
