//! What the kernel knows about a connection (`TCP_INFO` and its kin), and what may be concluded from it.

use crate::cause::{Cause, Detector, Ending};
use crate::config::Keepalive;
use std::time::Duration;

/// Asks the peer's kernel now: the first probe leaves after a second of silence, and three go unanswered within three.
pub const KERNEL_PROBE: Keepalive =
    Keepalive { idle: Duration::from_secs(1), interval: Duration::from_secs(1), retries: 3 };

/// Unanswered window probes after which a shut window no longer speaks for a living peer: five take at least 5 s with
/// any retransmission ceiling, and every answer sets the count back to zero.
const UNANSWERED_WINDOW_PROBES: u32 = 5;

/// Retransmissions of the same data that make a connection suspect: one is everyday loss, two in a row are not.
const SUSPECT_RETRANSMITS: u32 = 2;

/// An acknowledgement younger than this says that the kernel on the other side answers.
const RECENT_ACK: Duration = Duration::from_secs(1);

/// The kernel's figures of one connection at one moment; `None` where the system does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KernelFigures {
    /// Segments sent and not acknowledged.
    pub unacked_segments: Option<u32>,
    /// Timer-driven retransmissions of the oldest segment without an answer.
    pub retransmits: Option<u32>,
    /// Keepalive or window probes without an answer.
    pub probes: Option<u32>,
    /// How often the retransmission timer has doubled.
    pub backoff: Option<u32>,
    /// The window the peer offers, in bytes.
    pub send_window: Option<u32>,
    /// Bytes in the send queue: not acknowledged or not yet sent.
    pub send_queue: Option<u32>,
    /// Bytes never transmitted.
    pub not_sent: Option<u32>,
    /// Time since the last acknowledgement.
    pub last_ack_received: Option<Duration>,
    /// Time since the last data.
    pub last_data_received: Option<Duration>,
    /// The smoothed round trip.
    pub rtt: Option<Duration>,
    /// Bytes acknowledged by the peer's kernel.
    pub bytes_acked: Option<u64>,
    /// Segments that the peer's kernel has.
    pub delivered_segments: Option<u32>,
    /// The size of a full segment, in bytes.
    pub segment_size: Option<u32>,
}

impl KernelFigures {
    /// What a silence is by these figures: the own network is gone, or the path swallows everything. `None` if the peer's
    /// kernel answers, or nothing is known.
    pub fn silence(&self) -> Option<Cause> {
        if self.is_local_network_down() {
            Some(Cause::LocalNetworkDown)
        } else {
            self.is_path_silent().then_some(Cause::PathSilent)
        }
    }

    /// Tells apart by figures that were read after the death what the system tells with one error number.
    ///
    /// `ETIMEDOUT` is the verdict of the keepalive where nothing was being sent, and of the user timeout otherwise: the
    /// kernel sends no keepalive probe while data is in flight.
    pub fn explain(&self, ending: Ending) -> Ending {
        let is_by_kernel = matches!(ending.detector, Some(Detector::UserTimeout | Detector::OsError));
        if !is_by_kernel || !matches!(ending.cause, Cause::PathSilent | Cause::Unreachable) {
            return ending;
        }
        let is_idle = self.send_queue == Some(0) && ending.detector == Some(Detector::UserTimeout);
        let detector = if is_idle { Some(Detector::Keepalive) } else { ending.detector };
        let cause = if self.is_local_network_down() { Cause::LocalNetworkDown } else { ending.cause };
        Ending { cause, detector, ..ending }
    }

    /// Whether new data does not leave this host though the peer's window is open: its own address or route is gone.
    pub fn is_local_network_down(&self) -> bool {
        self.unacked_segments == Some(0)
            && count(self.not_sent) > 0
            && count(self.retransmits) == 0
            && (count(self.probes) > 0 || count(self.backoff) > 0)
            && self.is_window_open()
    }

    /// Whether nothing comes back from the path: data, probes or both go unanswered.
    pub fn is_path_silent(&self) -> bool {
        if self.is_window_shut() {
            return false;
        }
        let acked_lately = self.last_ack_received.is_some_and(|age| age < RECENT_ACK);
        count(self.retransmits) > 0 || count(self.probes) > 0 || (count(self.unacked_segments) > 0 && !acked_lately)
    }

    /// Whether the peer keeps its window shut while its kernel still answers.
    pub fn is_window_shut(&self) -> bool {
        self.send_window == Some(0) && count(self.retransmits) == 0 && count(self.probes) < UNANSWERED_WINDOW_PROBES
    }

    /// Whether the peer's window is known to be open.
    pub fn is_window_open(&self) -> bool {
        self.send_window.is_some_and(|window| window > 0)
    }

    /// Whether bytes are waiting in the kernel.
    pub fn has_queue(&self) -> bool {
        count(self.send_queue) > 0 || count(self.not_sent) > 0
    }

    /// Whether data in flight was retransmitted often enough to make the connection suspect.
    pub fn is_retransmitting(&self) -> bool {
        count(self.retransmits) >= SUSPECT_RETRANSMITS && count(self.unacked_segments) > 0
    }

    /// Whether the network refuses what is retransmitted (ICMP host or network unreachable): the kernel takes back the
    /// doubling of its timer for each such message. Forgeable, so a hint and no proof.
    pub fn is_path_refused(&self) -> bool {
        self.is_retransmitting() && self.backoff.is_some_and(|backoff| backoff < count(self.retransmits))
    }

    /// Bytes on their way: transmitted and not acknowledged. Unlike the number of segments, it outlives the connection.
    pub fn bytes_in_flight(&self) -> Option<u32> {
        Some(self.send_queue?.saturating_sub(self.not_sent?))
    }

    /// Whether at least two full segments are on their way and are sent again and again.
    pub fn is_large_data_stuck(&self) -> bool {
        let full = self.segment_size.filter(|size| *size > 0).map(|size| size.saturating_mul(2));
        count(self.retransmits) > 0
            && matches!((self.bytes_in_flight(), full), (Some(flying), Some(full)) if flying >= full)
    }

    /// Keepalive probes, window probes and retransmissions since the last answer.
    pub fn unanswered_tries(&self) -> u32 {
        count(self.probes).saturating_add(count(self.retransmits))
    }
}

fn count(figure: Option<u32>) -> u32 {
    figure.unwrap_or(0)
}
