"""A peer whose process is frozen: its kernel answers, only the heartbeat can tell."""

import signal
import time

import keepline
import waiting
from keepline import Backoff, Cause, Detector, Framing, Heartbeat, State, Suspicion, events
from servers import echo_process


async def test_frozen_peer_is_suspected_then_dead_within_the_bound_and_found_again() -> None:
    async with (
        echo_process() as server,
        keepline.connect(
            server.address,
            framing=Framing.lines(),
            heartbeat=Heartbeat(b"PING", reply=b"PING", interval=1, reply_within=2),
            backoff=Backoff(first_spread=0.1, initial=0.1, max=0.5),
            connect_total=2,
        ) as client,
    ):
        bound = client.detection_bounds.peer_frozen.within
        assert bound == 3.0
        server.signal(signal.SIGSTOP)
        frozen_at = time.clock_gettime(time.CLOCK_BOOTTIME)
        suspect = await waiting.event(client, events.Suspect)
        assert suspect.evidence is Suspicion.HEARTBEAT_LATE
        lost = await waiting.event(client, events.Disconnected, after=suspect.seq)
        assert (lost.cause, lost.detector) == (Cause.PEER_UNRESPONSIVE, Detector.HEARTBEAT)
        # From below only the last sign of life before the freeze counts, at most one interval earlier.
        assert bound - 1.1 <= lost.at - frozen_at <= bound + max(2, 0.3 * bound)
        server.signal(signal.SIGCONT)
        await waiting.event(client, events.Connected, after=lost.seq)
        await client.send(b"hello again")
        message = await client.recv(timeout=5)
        assert message is not None and message.payload == b"hello again"
        assert client.state is State.CONNECTED


async def test_blindness_without_a_heartbeat_is_told_when_the_client_is_made() -> None:
    resolved = keepline.Config(framing=Framing.lines()).resolve()
    assert resolved.bounds.peer_frozen.within is None
    assert any("frozen" in notice.text for notice in resolved.notices)
