//! What the machine asks of its driver, and the queue it waits in: inline, so that a heartbeat allocates nothing.

use crate::{Epoch, Event, Time};
use std::collections::VecDeque;
use std::time::Duration;

/// One thing the driver has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Resolve the name and connect TCP to any address before `deadline`.
    Dial {
        /// The attempt's number.
        epoch: Epoch,
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

/// First in, first out; more than [`INLINE`] spill to the heap, which is given back as soon as they are drained.
#[derive(Debug, Default)]
pub(crate) struct OutputQueue {
    inline: [Option<Output>; INLINE],
    head: u8,
    length: u8,
    #[expect(clippy::box_collection, reason = "8 bytes instead of 32 in each idle client")]
    spill: Option<Box<VecDeque<Output>>>,
}

impl OutputQueue {
    pub(crate) fn push(&mut self, output: Output) {
        let length = usize::from(self.length);
        if length == INLINE || self.spill.is_some() {
            self.spill.get_or_insert_default().push_back(output);
            return;
        }
        self.inline[(usize::from(self.head) + length) % INLINE] = Some(output);
        self.length += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        if self.length > 0 {
            let output = self.inline[usize::from(self.head)].take();
            self.head = (self.head + 1) % INLINE as u8;
            self.length -= 1;
            return output;
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
    fn an_output_is_small() {
        assert!(size_of::<Output>() <= 64, "{}", size_of::<Output>());
    }
}
