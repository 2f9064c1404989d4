//! What the kernel knows about a connection (`TCP_INFO` and its kin), and what may be concluded from it.

use std::time::Duration;

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
}

impl KernelFigures {
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
}

fn count(figure: Option<u32>) -> u32 {
    figure.unwrap_or(0)
}
