//! What the machine asks of its driver, and the queue it waits in: inline, so that a heartbeat allocates nothing.

use crate::{EndpointId, Epoch, Event, Time};
use std::collections::VecDeque;
use std::time::Duration;

/// One thing the driver has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Resolve the endpoint's name and connect to any address of it before `deadline`.
    Dial {
        /// The attempt's number.
        epoch: Epoch,
        /// Where to.
        endpoint: EndpointId,
        /// The end of the whole attempt.
        deadline: Time,
        /// The largest segment to send (`TCP_MAXSEG`, before the connect); `None` leaves it to the kernel.
        mss: Option<u16>,
    },
    /// Run the greeting.
    Greet {
        /// The attempt's number.
        epoch: Epoch,
        /// The end of the whole attempt.
        deadline: Time,
    },
    /// Write the heartbeat now, ahead of the queue.
    Heartbeat {
        /// The connection's number.
        epoch: Epoch,
    },
    /// The connection is usable: open the gate. Comes before the event `Connected`.
    Open {
        /// The connection's number.
        epoch: Epoch,
    },
    /// Read the kernel's figures and answer with `handle_kernel`.
    Sample {
        /// The connection's number.
        epoch: Epoch,
    },
    /// Set the kernel's user timeout; `None` means 0, the kernel never gives up.
    SetUserTimeout {
        /// The connection's number.
        epoch: Epoch,
        /// The configured value, or `None` while the peer is stalled.
        timeout: Option<Duration>,
    },
    /// Lower the keepalive of the living socket to [`KERNEL_PROBE`](crate::kernel::KERNEL_PROBE), so that the kernel
    /// asks the peer's kernel now; or set the configured one back.
    ProbeKernel {
        /// The connection's number.
        epoch: Epoch,
        /// Whether to ask now; otherwise the configured keepalive, or none, is set.
        now: bool,
    },
    /// Write what is queued, half-close, read to the peer's FIN, then call `handle_drained`.
    Drain {
        /// The connection's number.
        epoch: Epoch,
        /// When the machine gives the drain up.
        deadline: Time,
    },
    /// Shut the gate, settle outcomes, drop the socket. Comes before the event `Disconnected`; once for every epoch.
    Close {
        /// The connection's or the attempt's number.
        epoch: Epoch,
        /// How the socket is dropped.
        how: CloseHow,
    },
    /// Tell the user. In `Disconnected` the counts are zero and the report has no figures of the kernel: the driver, which
    /// owns the outbox and the socket, fills them in.
    Emit(Box<Event>),
    /// Nothing more to do until an input arrives or this time is reached. Always the last output.
    Wait(Option<Time>),
}

/// How a socket is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseHow {
    /// At once (RST where the system allows it): the peer is dead or nobody cares.
    Abort,
    /// In order (FIN), without waiting.
    Graceful,
}

/// Outputs that fit inline: a heartbeat makes at most two. More come only where a connection begins or ends.
const INLINE: usize = 2;

/// What a living connection asks for again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usual {
    Heartbeat,
    Sample,
}

impl Usual {
    fn of(output: &Output) -> Option<(Usual, Epoch)> {
        match output {
            Output::Heartbeat { epoch } => Some((Usual::Heartbeat, *epoch)),
            Output::Sample { epoch } => Some((Usual::Sample, *epoch)),
            Output::Dial { .. }
            | Output::Greet { .. }
            | Output::Open { .. }
            | Output::SetUserTimeout { .. }
            | Output::ProbeKernel { .. }
            | Output::Drain { .. }
            | Output::Close { .. }
            | Output::Emit(_)
            | Output::Wait(_) => None,
        }
    }

    fn with(self, epoch: Epoch) -> Output {
        match self {
            Usual::Heartbeat => Output::Heartbeat { epoch },
            Usual::Sample => Output::Sample { epoch },
        }
    }
}

/// First in, first out. What is usual lies inline, as long as it is all of one connection; anything else spills to the
/// heap, which is given back as soon as it is drained: the queue of an idle client is empty, and takes 16 bytes.
#[derive(Debug, Default)]
pub(crate) struct OutputQueue {
    /// What `inline` is about. What comes after so many connections spills.
    epoch: u32,
    inline: [Option<Usual>; INLINE],
    /// Inputs were taken since it was last found empty.
    is_open: bool,
    #[expect(clippy::box_collection, reason = "8 bytes instead of 32 in each idle client")]
    spill: Option<Box<VecDeque<Output>>>,
}

impl OutputQueue {
    /// Whether everything was taken out that the last input led to.
    pub(crate) fn is_drained(&self) -> bool {
        !self.is_open
    }

    /// It was found empty.
    pub(crate) fn drained(&mut self) {
        self.is_open = false;
    }

    /// An input is taken.
    pub(crate) fn refill(&mut self) {
        self.is_open = true;
    }

    pub(crate) fn push(&mut self, output: Output) {
        if self.spill.is_none()
            && let Some((usual, epoch)) = Usual::of(&output)
            && let Ok(epoch) = u32::try_from(epoch.0)
            && (self.inline[0].is_none() || self.epoch == epoch)
            && let Some(place) = self.inline.iter_mut().find(|place| place.is_none())
        {
            *place = Some(usual);
            self.epoch = epoch;
            return;
        }
        self.spill.get_or_insert_default().push_back(output);
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        if let Some(usual) = self.inline[0].take() {
            self.inline.rotate_left(1);
            return Some(usual.with(Epoch(self.epoch.into())));
        }
        let output = self.spill.as_mut().and_then(|spill| spill.pop_front());
        if self.spill.as_ref().is_some_and(|spill| spill.is_empty()) {
            self.spill = None;
        }
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(number: u64) -> Output {
        Output::Sample { epoch: Epoch(number) }
    }

    #[test]
    fn outputs_leave_in_the_order_they_came_when_more_than_fit_inline() {
        let mut queue = OutputQueue::default();
        for round in 0..3 {
            for number in 0..11 {
                queue.push(sample(round * 100 + number));
            }
            for number in 0..11 {
                assert_eq!(queue.pop(), Some(sample(round * 100 + number)));
            }
            assert_eq!(queue.pop(), None);
            assert!(queue.spill.is_none());
        }
    }

    #[test]
    fn pushes_between_pops_keep_the_order() {
        let mut queue = OutputQueue::default();
        let mut pushed = 0;
        let mut popped = 0;
        while popped < 100 {
            for _ in 0..3 {
                queue.push(sample(pushed));
                pushed += 1;
            }
            for _ in 0..2 {
                assert_eq!(queue.pop(), Some(sample(popped)));
                popped += 1;
            }
        }
    }

    #[test]
    fn outputs_of_two_connections_and_unusual_ones_keep_the_order() {
        let mut queue = OutputQueue::default();
        let outputs = [
            Output::Heartbeat { epoch: Epoch(1) },
            sample(2),
            Output::Open { epoch: Epoch(1) },
            Output::Heartbeat { epoch: Epoch(2) },
        ];
        for rotation in 0..outputs.len() {
            let mut outputs = outputs.clone();
            outputs.rotate_left(rotation);
            outputs.iter().for_each(|output| queue.push(output.clone()));
            assert_eq!(std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>(), outputs);
        }
    }

    #[test]
    fn a_heartbeat_with_its_sample_allocates_nothing() {
        let mut queue = OutputQueue::default();
        for _ in 0..3 {
            queue.push(sample(1));
            queue.push(Output::Heartbeat { epoch: Epoch(1) });
            assert!(queue.spill.is_none());
            assert_eq!(queue.pop(), Some(sample(1)));
            assert_eq!(queue.pop(), Some(Output::Heartbeat { epoch: Epoch(1) }));
        }
    }

    #[test]
    fn an_output_is_small() {
        assert!(size_of::<Output>() <= 64, "{}", size_of::<Output>());
    }
}
