//! Where a chunk lies in the stream of its connection: frames that overtook it at a frame boundary leave gaps.

/// No byte of the chunk has been written on this connection.
const NOWHERE: u64 = u64::MAX;

/// Maps positions in a chunk to offsets in the stream.
#[derive(Debug)]
pub(in crate::outbox) struct Place {
    /// Where the chunk's first byte went.
    start: u64,
    /// Position in the chunk, and how many foreign bytes went before it.
    gaps: Vec<(usize, u64)>,
}

impl Place {
    pub(in crate::outbox) const fn unknown() -> Place {
        Place { start: NOWHERE, gaps: Vec::new() }
    }

    pub(in crate::outbox) const fn at(start: u64) -> Place {
        Place { start, gaps: Vec::new() }
    }

    /// Notes that the byte at `position` goes to `offset` of the stream.
    #[inline]
    pub(super) fn note(&mut self, position: usize, offset: u64) {
        if self.start == NOWHERE {
            self.start = offset - position as u64;
            return;
        }
        let expected = self.end_of(position);
        if offset > expected {
            self.gaps.push((position, offset - expected));
        }
    }

    /// The offset behind the byte before `position`: where a frame that ends there ends.
    #[inline]
    pub(super) fn end_of(&self, position: usize) -> u64 {
        self.offset(position, |at| at < position)
    }

    /// The offset of the byte at `position`: where a frame that begins there begins.
    #[inline]
    pub(super) fn start_of(&self, position: usize) -> u64 {
        self.offset(position, |at| at <= position)
    }

    fn offset(&self, position: usize, is_before: impl Fn(usize) -> bool) -> u64 {
        let gaps: u64 = self.gaps.iter().filter(|(at, _)| is_before(*at)).map(|(_, bytes)| *bytes).sum();
        self.start + position as u64 + gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_overtook_belongs_to_neither_neighbour() {
        let mut place = Place::unknown();
        place.note(0, 100);
        // Ten bytes, then a heartbeat of four, then the rest.
        place.note(10, 114);
        place.note(15, 119);
        assert_eq!((place.start_of(0), place.end_of(10)), (100, 110));
        assert_eq!((place.start_of(10), place.end_of(20)), (114, 124));
    }

    #[test]
    fn a_frame_begun_by_its_caller_starts_where_the_caller_began() {
        let mut place = Place::at(7);
        place.note(3, 10);
        assert_eq!((place.start_of(0), place.end_of(3)), (7, 10));
    }
}
