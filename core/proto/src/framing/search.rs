//! Finding a byte or a few in a slice, in blocks that the compiler turns into vector instructions.

/// 16 bytes: one vector register on every 64-bit target, and no longer than a short message.
const BLOCK: usize = 16;

/// The first place of `byte`.
#[inline]
pub(super) fn find_byte(haystack: &[u8], byte: u8) -> Option<usize> {
    find_where(haystack, |candidate| candidate == byte)
}

/// The first place of a carriage return or a line feed.
#[inline]
pub(super) fn find_line_end(haystack: &[u8]) -> Option<usize> {
    find_where(haystack, |byte| (byte == b'\r') | (byte == b'\n'))
}

/// The first place of `needle`, which is not empty.
pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let (&first, rest) = needle.split_first()?;
    let mut from = 0;
    loop {
        let start = from + find_byte(haystack.get(from..)?, first)?;
        if haystack.get(start + 1..start + 1 + rest.len())? == rest {
            return Some(start);
        }
        from = start + 1;
    }
}

#[inline]
fn find_where(haystack: &[u8], is_wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (blocks, _) = haystack.as_chunks::<BLOCK>();
    // No early exit inside a block: that is what lets it become one vector comparison.
    let contains = |block: &[u8; BLOCK]| block.iter().fold(false, |found, &byte| found | is_wanted(byte));
    let start = blocks.iter().position(contains).unwrap_or(blocks.len()) * BLOCK;
    haystack[start..].iter().position(|&byte| is_wanted(byte)).map(|place| start + place)
}
