//! What the kernel's figures say about the bytes of one connection.

use crate::kernel::KernelFigures;

/// How far the stream of one connection has come: `acked <= what the kernel of the peer has <= transmitted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// So many bytes were acknowledged by the kernel of the peer, or of the proxy before it.
    pub acked: u64,
    /// No byte from here on was ever transmitted.
    pub transmitted: u64,
}

impl Standing {
    /// Nothing is known: every byte that was handed over may have been transmitted, none is known to have arrived.
    pub const fn unknown() -> Standing {
        Standing { acked: 0, transmitted: u64::MAX }
    }

    /// What `figures` prove, taken no earlier than `written` bytes had been handed over. `ended` says that the direction
    /// was shut down: the FIN then counts as a byte of the queue.
    ///
    /// The number of acknowledged bytes comes from the length of the queue, which every system that tells it counts in the
    /// same way; `bytes_acked` counts the SYN on one side only.
    pub fn of(written: u64, figures: &KernelFigures, ended: bool) -> Standing {
        let fin = u32::from(ended);
        let before = |queued: u32| written.saturating_sub(u64::from(queued.saturating_sub(fin)));
        let acked = figures.send_queue.map_or(0, before);
        let transmitted = figures.not_sent.map_or(u64::MAX, before);
        Standing { acked, transmitted: transmitted.max(acked) }
    }

    /// The same, for a connection that is left in order: the kernel goes on transmitting what it has.
    pub const fn left_in_order(self) -> Standing {
        Standing { transmitted: u64::MAX, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(send_queue: Option<u32>, not_sent: Option<u32>) -> KernelFigures {
        KernelFigures { send_queue, not_sent, ..KernelFigures::default() }
    }

    #[test]
    fn the_queue_and_what_was_never_sent_bound_what_the_peer_has() {
        let standing = Standing::of(1_000, &figures(Some(300), Some(100)), false);
        assert_eq!(standing, Standing { acked: 700, transmitted: 900 });
    }

    #[test]
    fn without_figures_nothing_is_acked_and_everything_may_have_been_sent() {
        assert_eq!(Standing::of(1_000, &figures(None, None), false), Standing::unknown());
    }

    #[test]
    fn a_fin_is_no_byte_of_a_message() {
        assert_eq!(Standing::of(10, &figures(Some(1), Some(0)), true), Standing { acked: 10, transmitted: 10 });
        assert_eq!(Standing::of(10, &figures(Some(4), Some(4)), true), Standing { acked: 7, transmitted: 7 });
        assert_eq!(Standing::of(10, &figures(Some(0), Some(0)), true), Standing { acked: 10, transmitted: 10 });
    }
}
