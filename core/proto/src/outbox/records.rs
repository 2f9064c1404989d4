//! Where plaintext lies in an encrypted stream: what figures that count ciphertext say of messages.

use super::Standing;
use std::collections::VecDeque;

/// Records remembered one by one, 64 KiB: of more in flight the older ones are told two by two, then four by four.
const LIMIT: usize = 4096;

/// The end of one record, in both streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Mark {
    plain: u64,
    cipher: u64,
}

/// The records of one connection that have no outcome, in their order.
///
/// A message has arrived only if all of the record with its last byte has; it never left only if nothing of the record
/// with its first byte has. So each answer errs to the side of `Unknown`.
#[derive(Debug, Default)]
pub struct Records {
    /// The end of what is acknowledged.
    acked: Mark,
    open: VecDeque<Mark>,
}

impl Records {
    /// Starts before the first byte.
    pub fn new() -> Records {
        Records::default()
    }

    /// Takes note that the next `plain` bytes became the next `cipher` bytes: one record or more, in one piece.
    pub fn seal(&mut self, plain: usize, cipher: usize) {
        if cipher == 0 {
            return;
        }
        let before = self.last();
        if self.open.len() >= LIMIT {
            self.coarsen();
        }
        self.open.push_back(Mark { plain: before.plain + plain as u64, cipher: before.cipher + cipher as u64 });
    }

    /// Turns a standing of the ciphertext into one of the plaintext, and forgets what is acknowledged.
    pub fn standing(&mut self, cipher: Standing) -> Standing {
        let acked = self.open.partition_point(|mark| mark.cipher <= cipher.acked);
        if let Some(mark) = self.open.drain(..acked).next_back() {
            self.acked = mark;
        }
        if self.open.is_empty() {
            // An idle connection owns no memory for what it has sent.
            self.open = VecDeque::new();
        }
        if cipher.transmitted == u64::MAX {
            return Standing { acked: self.acked.plain, transmitted: u64::MAX };
        }
        // Of each record that begins before the boundary, something may have left.
        let whole = self.open.partition_point(|mark| mark.cipher <= cipher.transmitted);
        let begun = match whole.checked_sub(1) {
            None => self.acked,
            Some(index) => self.open[index],
        };
        let is_cut = begun.cipher < cipher.transmitted;
        let transmitted = if is_cut { self.open.get(whole).unwrap_or(&begun).plain } else { begun.plain };
        Standing { acked: self.acked.plain, transmitted }
    }

    /// The ciphertext so far.
    pub fn sealed(&self) -> u64 {
        self.last().cipher
    }

    fn last(&self) -> Mark {
        self.open.back().copied().unwrap_or(self.acked)
    }

    /// Tells records two by two from now on.
    fn coarsen(&mut self) {
        let mut is_second = false;
        self.open.retain(|_| {
            is_second = !is_second;
            !is_second
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(acked: u64, transmitted: u64) -> Standing {
        Standing { acked, transmitted }
    }

    #[test]
    fn a_record_has_arrived_when_its_last_byte_has_and_left_with_its_first() {
        let mut records = Records::new();
        records.seal(100, 122);
        records.seal(50, 72);
        assert_eq!(records.standing(standing(0, 0)), standing(0, 0));
        assert_eq!(records.standing(standing(0, 1)), standing(0, 100));
        assert_eq!(records.standing(standing(121, 122)), standing(0, 100));
        assert_eq!(records.standing(standing(122, 123)), standing(100, 150));
        assert_eq!(records.standing(standing(193, 194)), standing(100, 150));
        assert_eq!(records.standing(standing(194, 194)), standing(150, 150));
        assert_eq!(records.standing(standing(194, u64::MAX)), standing(150, u64::MAX));
    }

    #[test]
    fn a_record_without_plaintext_moves_no_message() {
        let mut records = Records::new();
        records.seal(0, 80);
        records.seal(10, 32);
        assert_eq!(records.standing(standing(40, 80)), standing(0, 0));
        assert_eq!(records.standing(standing(80, 81)), standing(0, 10));
        assert_eq!(records.sealed(), 112);
    }

    #[test]
    fn the_memory_is_bounded_and_the_answers_stay_on_the_safe_side() {
        let mut records = Records::new();
        for _ in 0..3 * LIMIT as u64 {
            records.seal(10, 32);
        }
        assert!(records.open.len() <= LIMIT);
        let told = records.standing(standing(32 * 1000, 32 * 2000));
        assert!(told.acked <= 10 * 1000 && told.transmitted >= 10 * 2000, "{told:?}");
        assert!(told.acked >= 10 * 990 && told.transmitted <= 10 * 2010, "{told:?}");
    }
}
