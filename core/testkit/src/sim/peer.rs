//! How the other end and the path to it react to what the machine asks for.

use super::Fact;
use keepline_proto::cause::Detector;
use keepline_proto::{Cause, Ending, Epoch, KernelFigures, Output};
use std::time::Duration;

/// `ECONNREFUSED` on Linux: what a dial to a port without a listener says.
const CONNECTION_REFUSED: i32 = 111;

/// What the other end does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Peer {
    /// Everything is answered at once.
    #[default]
    Answers,
    /// Dials succeed, nothing else is answered, and the kernel tells nothing.
    Silent,
    /// Dials succeed, nothing else is answered, and the kernel says that the other kernel answers.
    Frozen,
    /// Nothing arrives and nothing comes back, and the kernel says so.
    Blackholed,
    /// Dials are refused.
    Refuses,
    /// Dials succeed, and the connection is ended by the peer at once.
    ClosesAtOnce,
    /// The window is shut; the other kernel answers.
    Stalled,
}

impl Peer {
    /// What reaches the driver, in this very moment, because of an output.
    pub(super) fn react(self, output: &Output, figures: Option<KernelFigures>) -> Vec<(Epoch, Fact)> {
        match output {
            Output::Dial { epoch, .. } => self.on_dial(*epoch),
            Output::Greet { epoch, .. } => self.if_answering(*epoch, Fact::Greeted),
            Output::Heartbeat { epoch } => self.if_answering(*epoch, Fact::Replied),
            Output::Drain { epoch, .. } => self.if_answering(*epoch, Fact::Drained),
            Output::Sample { epoch } => vec![(*epoch, Fact::Sampled(figures.unwrap_or_else(|| self.figures())))],
            Output::Open { .. }
            | Output::SetUserTimeout { .. }
            | Output::ProbeKernel { .. }
            | Output::Close { .. }
            | Output::Emit(_)
            | Output::Wait(_) => Vec::new(),
        }
    }

    fn on_dial(self, epoch: Epoch) -> Vec<(Epoch, Fact)> {
        match self {
            Peer::Answers | Peer::Silent | Peer::Frozen | Peer::Stalled => vec![(epoch, Fact::Dialed)],
            Peer::Blackholed => Vec::new(),
            Peer::Refuses => {
                let mut ending = Ending::new(Cause::Refused, None);
                ending.errno = Some(CONNECTION_REFUSED);
                vec![(epoch, Fact::Ended(ending))]
            }
            Peer::ClosesAtOnce => {
                let ended = Ending::new(Cause::PeerClosed, Some(Detector::OsError));
                vec![(epoch, Fact::Dialed), (epoch, Fact::Ended(ended))]
            }
        }
    }

    fn if_answering(self, epoch: Epoch, fact: Fact) -> Vec<(Epoch, Fact)> {
        match self {
            // A server that no longer listens still serves the connections it has.
            Peer::Answers | Peer::Refuses => vec![(epoch, fact)],
            Peer::Silent | Peer::Frozen | Peer::Blackholed | Peer::ClosesAtOnce | Peer::Stalled => Vec::new(),
        }
    }

    /// What the kernel measured in the lab for this fault.
    fn figures(self) -> KernelFigures {
        let healthy = KernelFigures {
            unacked_segments: Some(0),
            retransmits: Some(0),
            probes: Some(0),
            backoff: Some(0),
            send_window: Some(64 * 1024),
            send_queue: Some(0),
            not_sent: Some(0),
            last_ack_received: Some(Duration::from_millis(200)),
            last_data_received: Some(Duration::from_secs(30)),
            rtt: Some(Duration::from_millis(20)),
            ..KernelFigures::default()
        };
        match self {
            Peer::Silent => KernelFigures::default(),
            Peer::Answers | Peer::Frozen | Peer::Refuses | Peer::ClosesAtOnce => healthy,
            Peer::Blackholed => KernelFigures {
                unacked_segments: Some(1),
                retransmits: Some(4),
                backoff: Some(4),
                send_queue: Some(64),
                last_ack_received: Some(Duration::from_secs(30)),
                ..healthy
            },
            Peer::Stalled => KernelFigures {
                backoff: Some(3),
                send_window: Some(0),
                send_queue: Some(128 * 1024),
                not_sent: Some(128 * 1024),
                last_ack_received: Some(Duration::from_secs(1)),
                ..healthy
            },
        }
    }
}
